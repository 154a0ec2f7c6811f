/* The groups of three shards in one process: their links are real, their clients are not. */
#include <check.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/turn.h"
#include "proto/counters.h"
#include "proto/keys.h"
#include "shardd/kennel.h"
#include "shardd/group/answer.h"
#include "shardd/group/fan.h"
#include "shardd/group/groups.h"
#include "shardd/group/note.h"
#include "shardd/client/payload.h"
#include "shardd/group/replica.h"
#include "shardd/group/seen.h"
#include "shardd/group/shelf.h"
#include "shardd/group/topics.h"
#include "shardd/peers/wire.h"
#include "tests/unit/hood.h"
#include "tests/unit/loop.h"

struct heard {				/* by one replica */
	size_t	 n;
	char	 text[512][24];		/* "cast but=u: hello" */
	uint64_t since[512];		/* only for those who joined after that */
};

static struct heard		 heard[SHARDS];
static int	 done_err = -1;
static size_t	 ndone, nsettled;

static void	 turn(void);

/* ---- what groups lead to ---- */

static size_t
hear(struct replica *r, const char *how, struct slice uid, struct payload *p)
{
	struct heard	*h = &heard[r->groups - shards];

	ck_assert_uint_lt(h->n, nitems(h->text));
	h->since[h->n] = 0;
	snprintf(h->text[h->n++], sizeof(h->text[0]), "%s%s%.*s: %.*s",
	    p->opcode == WS_BINARY ? "binary " : "", how, (int)uid.len,
	    uid.len == 0 ? "" : uid.data, (int)(p->len > 12 ? 12 : p->len),
	    payload_data(p).data);
	return (1);
}

size_t
replica_emit(struct replica *r, struct payload *p, struct slice but)
{
	return (hear(r, but.data == NULL ? "all" : "but ", but, p));
}

size_t
replica_whisper(struct replica *r, struct slice uid, struct payload *p,
    uint64_t since)
{
	if (since > 0 && since >= r->joins)
		return (0);
	hear(r, "to ", uid, p);
	heard[r->groups - shards].since[heard[r->groups - shards].n - 1] =
	    since;
	return (1);
}

size_t
replica_missed(struct replica *r, struct slice but)
{
	struct payload	*p = payload_frame(WS_TEXT, slice_str(""));

	hear(r, but.data == NULL ? "missed all" : "missed but ", but, p);
	payload_unref(p);
	return (0);
}

size_t
replica_missed_uid(struct replica *r, struct slice uid)
{
	struct payload	*p = payload_frame(WS_TEXT, slice_str(""));

	hear(r, "missed to ", uid, p);
	payload_unref(p);
	return (0);
}

size_t
topics_missed(struct replica *r, struct slice topics, struct slice but)
{
	struct payload	*p = payload_frame(WS_TEXT, slice_str(""));

	(void)but;
	hear(r, "missed on ", slice_str(topics.data), p);
	payload_unref(p);
	return (0);
}

void
topics_emit(struct replica *r, struct slice topics, struct payload *p,
    struct slice but)
{
	(void)but;
	ck_assert_ptr_nonnull(memchr(topics.data, '\0', topics.len));
	hear(r, "on ", slice_str(topics.data), p);
}

/* ---- fixture ---- */

static void
setup(void)
{
	struct event_base	*bases[SHARDS];

	base = event_base_new();
	for (size_t i = 0; i < SHARDS; i++)
		bases[i] = base;
	hood_setup(bases);
}

static void
teardown(void)
{
	hood_teardown();
	event_base_free(base);
}

/* The link of shard i to another one. */
static struct link *
link_to(size_t i, size_t other)
{
	return (link_find(shards[i].hood.links, &peers[other]));
}

/* All three, who know each other. */
static void
begin_all(void)
{
	hood_begin_all();
	until(replicas[0]->ready && replicas[1]->ready && replicas[2]->ready,
	    900);
}

static void
done(int err, void *arg)
{
	ck_assert_ptr_eq(arg, &ndone);
	done_err = err;
	ndone++;
}

static void
settled(int over, void *arg)
{
	ck_assert_int_eq(over, 0);
	ck_assert_ptr_eq(arg, &nsettled);
	nsettled++;
}

static int
cast(size_t i, const char *text, const char *but, int with_done)
{
	struct payload	*p = payload_frame(WS_TEXT, slice_str(text));
	int		 rv;

	ck_assert_ptr_nonnull(p);
	rv = fan_cast(replicas[i]->neighbours, p, slice_str(but),
	    with_done ? done : NULL, &ndone);
	payload_unref(p);
	return (rv);
}

static int
whisper(size_t i, const char *uid, const char *text, int *waiting)
{
	struct payload	*p = payload_frame(WS_BINARY, slice_str(text));
	int		 rv;

	rv = fan_whisper(replicas[i]->neighbours, slice_str("room"),
	    slice_str(uid), p, waiting, settled, &nsettled, done, &ndone);
	payload_unref(p);
	return (rv);
}

/* ---- introductions ---- */

START_TEST(alone_it_is_ready_at_the_end_of_the_turn)
{
	begin(0);
	ck_assert(!replicas[0]->ready);
	turn_end();
	ck_assert(replicas[0]->ready);
	ck_assert_int_eq(cast(0, "x", NULL, 1), 0);
	ck_assert_uint_eq(ndone, 0);	/* not from within */
	turn_end();
	ck_assert_uint_eq(ndone, 1);
	ck_assert_int_eq(done_err, 0);
}
END_TEST

START_TEST(ready_when_all_have_answered)
{
	begin_all();
	for (size_t i = 0; i < SHARDS; i++) {
		ck_assert_uint_eq(readies[i], 1);
		ck_assert_uint_eq(neighbours_count(replicas[i]->neighbours),
		    2);
	}
	introduce(0, 1);		/* again */
	turn();
	ck_assert_uint_eq(neighbours_count(replicas[0]->neighbours), 2);
}
END_TEST

START_TEST(who_was_met_first_knows_the_neighbour_before_the_gateway_says_so)
{
	begin(1);
	turn_end();
	begin(0);
	introduce(0, 1);
	until(replicas[0]->ready, 900);
	ck_assert_uint_eq(neighbours_count(replicas[1]->neighbours), 1);
	ck_assert_int_eq(cast(1, "hello", NULL, 1), 0);
	until(ndone == 1, 900);
	ck_assert_str_eq(heard[0].text[0], "all: hello");
	introduce(1, 0);
	ck_assert_uint_eq(neighbours_count(replicas[1]->neighbours), 1);
}
END_TEST

START_TEST(what_comes_before_the_replica_waits_in_order)
{
	begin(0);
	introduce(0, 1);
	cast(0, "one", NULL, 0);
	cast(0, "two", NULL, 1);
	for (int i = 0; i < 100; i++)
		turn();
	ck_assert(!replicas[0]->ready);
	begin(1);
	cast(0, "three", NULL, 0);
	until(heard[1].n == 3, 900);
	ck_assert_str_eq(heard[1].text[0], "all: one");
	ck_assert_str_eq(heard[1].text[1], "all: two");
	ck_assert_str_eq(heard[1].text[2], "all: three");
	until(replicas[0]->ready && ndone == 1, 900);
	ck_assert_int_eq(done_err, 0);
}
END_TEST

/* The link's buffer is used again meanwhile: all of a message is copied. */
START_TEST(what_waits_is_as_it_came)
{
	char		 uid[] = "u", topics[] = "news", text[] = "hello";
	struct gossip	 m = { .type = GOSSIP_PUBLISH, .from = 100, .to = 101,
			    .seq = 1, .uid = slice_of(uid, 1),
			    .topics = slice_of(topics, sizeof(topics)),
			    .payload = slice_of(text, 5) };
	struct link	*l;

	begin(0);
	introduce(0, 1);
	until((l = link_to(1, 0)) != NULL, 900);
	ck_assert_int_eq(link_message(l, &m), 0);
	m.type = GOSSIP_WHISPER;
	m.seq = 2;
	ck_assert_int_eq(link_message(l, &m), 0);
	memset(uid, 'x', sizeof(uid));
	memset(topics, 'x', sizeof(topics));
	memset(text, 'x', sizeof(text));
	begin(1);
	turn_end();
	ck_assert_uint_eq(heard[1].n, 2);
	ck_assert_str_eq(heard[1].text[0], "on news: hello");
	ck_assert_str_eq(heard[1].text[1], "to u: hello");
}
END_TEST

START_TEST(a_silent_neighbour_is_not_waited_for_longer_than_a_second)
{
	uint64_t	 start = clock_ms();

	begin(0);
	/* The link of shard 1 is there, its replica is not. */
	introduce(0, 1);
	until(replicas[0]->ready, 1500);
	ck_assert_uint_ge(clock_ms() - start, 900);
	cast(0, "one", NULL, 1);
	until(ndone == 1, 3000);	/* nobody could act */
	ck_assert_int_eq(done_err, 0);
}
END_TEST

START_TEST(who_has_ended_answers_at_once)
{
	begin_all();
	end(1);
	neighbours_farewell(replicas[2]->neighbours, 101);
	ck_assert_uint_eq(neighbours_count(replicas[2]->neighbours), 1);
	cast(0, "one", NULL, 1);
	until(ndone == 1, 500);
	ck_assert_int_eq(done_err, 0);
	ck_assert_uint_eq(heard[1].n, 0);
	ck_assert_uint_eq(heard[2].n, 1);
}
END_TEST

START_TEST(last_words_are_heard_after_the_farewell)
{
	begin_all();
	cast(1, "bye", NULL, 0);
	neighbours_farewell(replicas[0]->neighbours, 101);
	until(heard[0].n == 1 && heard[2].n == 1, 500);
	ck_assert_uint_eq(neighbours_count(replicas[0]->neighbours), 1);
}
END_TEST

/* ---- casts and whispers ---- */

START_TEST(a_mix_stays_in_order)
{
	char	 want[24];
	int	 waiting;

	begin_all();
	for (int i = 0; i < 100; i++) {
		snprintf(want, sizeof(want), "%d", i);
		if (i % 3 == 0)
			whisper(0, "u", want, &waiting);
		else
			cast(0, want, i % 3 == 1 ? "u" : NULL, i % 2);
	}
	until(heard[1].n == 100 && heard[2].n == 100 && ndone == 67, 2000);
	for (int i = 0; i < 100; i++) {
		snprintf(want, sizeof(want), "%s: %d", i % 3 == 0 ?
		    "binary to u" : i % 3 == 1 ? "but u" : "all", i);
		ck_assert_str_eq(heard[1].text[i], want);
		ck_assert_str_eq(heard[2].text[i], want);
	}
	ck_assert_uint_eq(heard[0].n, 0);
	ck_assert_uint_eq(look.asked, 0);
}
END_TEST

START_TEST(a_repeat_is_dropped_and_at_a_gap_all_are_told)
{
	struct link	*l;
	struct gossip	 m = { .type = GOSSIP_CAST, .from = 100, .to = 101,
			    .seq = 1, .payload = slice_str("x") };

	begin_all();
	l = link_to(1, 0);
	ck_assert_ptr_nonnull(l);
	ck_assert_int_eq(link_message(l, &m), 0);
	ck_assert_int_eq(link_message(l, &m), 0);
	ck_assert_uint_eq(heard[1].n, 1);
	m.seq = 5;
	ck_assert_int_eq(link_message(l, &m), 0);
	m.seq = 4;
	ck_assert_int_eq(link_message(l, &m), 0);
	m.seq = 6;
	ck_assert_int_eq(link_message(l, &m), 0);
	ck_assert_uint_eq(heard[1].n, 4);
	ck_assert_str_eq(heard[1].text[1], "missed all: ");
	ck_assert_str_eq(heard[1].text[2], "all: x");
	ck_assert_str_eq(heard[1].text[3], "all: x");
}
END_TEST

static size_t	 nmissed;

static void
onmissed(struct kennel_replica *r, uint64_t origin)
{
	ck_assert_ptr_eq(r, (struct kennel_replica *)replicas[1]);
	ck_assert_uint_eq(origin, 100);
	nmissed++;
}

/* The numbers are of all that the origin says: here some of it was for others. */
START_TEST(what_was_said_to_others_is_no_gap)
{
	struct gossip	 m = { .type = GOSSIP_CAST, .from = 100, .to = 101,
			    .payload = slice_str("x") };
	static const struct {
		uint64_t	 said, prior, seq;
		const char	*hears;		/* NULL: nothing */
	} rows[] = {
		{ 3, 0, 1, "all: x" },
		{ 9, 3, 2, "all: x" },
		{ 9, 3, 2, NULL },		/* again */
		{ 7, 3, 2, NULL },
		{ 12, 11, 4, "missed all: " },	/* and then it: 11 is lost */
	};
	struct link	*l;
	size_t		 n = 0;

	app.onmissed = onmissed;
	begin_all();
	l = link_to(1, 0);
	for (size_t i = 0; i < nitems(rows); i++) {
		m.said = rows[i].said;
		m.prior = rows[i].prior;
		m.seq = rows[i].seq;
		ck_assert_int_eq(link_message(l, &m), 0);
		if (rows[i].hears != NULL)
			ck_assert_str_eq(heard[1].text[n++], rows[i].hears);
	}
	ck_assert_uint_eq(heard[1].n, n + 1);
	ck_assert_str_eq(heard[1].text[n], "all: x");
	ck_assert_uint_eq(nmissed, 1);
	/* Another one is counted, too, and in the log it is not the first. */
	m.said = 20;
	m.prior = 15;
	m.seq = 9;
	ck_assert_int_eq(link_message(l, &m), 0);
	ck_assert_uint_eq(nmissed, 2);
	ck_assert_uint_eq(counters->cells[COUNTER_MISSED], 2);
	ck_assert_uint_eq(neighbours_find(replicas[1]->neighbours, 100)->missed,
	    2);
}
END_TEST

/* A replica's number for what it says is the same for all whom it reaches. */
START_TEST(numbers_can_be_compared_between_receivers)
{
	const struct neighbour	*a, *b;
	int			 waiting;

	begin_all();
	whisper_ask = 1;
	look.usable = 1;
	cast(0, "one", NULL, 0);
	ck_assert_int_eq(whisper(0, "u", "two", &waiting), 0);
	look.at[0] = slice_str(addresses[2]);
	look.cb(look.at, 1, 0, look.arg);
	until(heard[1].n == 1 && heard[2].n == 2, 2000);
	a = neighbours_find(replicas[1]->neighbours, 100);
	b = neighbours_find(replicas[2]->neighbours, 100);
	ck_assert(a->seen == 1 && b->seen == 2);
	cast(0, "three", NULL, 0);
	until(heard[1].n == 2 && heard[2].n == 3, 2000);
	ck_assert(a->seen == 3 && b->seen == 3);
	ck_assert(a->in == 2 && b->in == 3);
	ck_assert_str_eq(heard[1].text[1], "all: three");
}
END_TEST

/* One DONE of each neighbour for all that it acted on in a turn. */
START_TEST(many_are_confirmed_by_one_number)
{
	begin_all();
	for (int i = 0; i < 100; i++)
		cast(0, "x", NULL, 1);
	until(ndone == 100, 5000);
	ck_assert_int_eq(done_err, 0);
	for (size_t i = 0; i < 2; i++)
		ck_assert_uint_eq(replicas[0]->neighbours->at[i].acted.n, 0);
	/* What ended otherwise does not stay. */
	links_set_version(shards[1].hood.links, 1);
	link_send(link_to(0, 1), &(struct gossip){ .type = GOSSIP_HELLO });
	until(!link_is_up(link_to(0, 1)), 5000);
	until(link_is_up(link_to(0, 1)), 5000);
	for (size_t i = 101; i < 300; i++) {
		cast(0, "x", NULL, 1);
		until(ndone == i, 5000);
	}
	for (size_t i = 0; i < 2; i++)
		ck_assert_uint_lt(replicas[0]->neighbours->at[i].acted.n, 8);
}
END_TEST

/* In a turn nothing is confirmed; at its end, one number is for all that it acted on. */
START_TEST(a_turn_is_confirmed_at_its_end)
{
	struct gossip		 m = { .type = GOSSIP_CAST, .from = 100,
				    .to = 101, .payload = slice_str("x") };
	const struct neighbour	*nb;
	size_t			 queued, up;

	begin_all();
	nb = neighbours_find(replicas[1]->neighbours, 100);
	turn_end();
	queued = links_queued(shards[1].hood.links, &up);
	for (m.said = 1; m.said <= 100; m.said++) {
		m.ask = 1000 + m.said;
		m.prior = m.said - 1;
		m.seq = m.said;
		ck_assert_int_eq(link_message(link_to(1, 0), &m), 0);
		ck_assert_uint_eq(nb->owed, m.said);
		ck_assert_uint_eq(links_queued(shards[1].hood.links, &up),
		    queued);
	}
	ck_assert_uint_eq(heard[1].n, 100);
	turn_end();
	ck_assert_uint_eq(nb->owed, 0);
}
END_TEST

/* Two that meet again speak what both know then, whatever it was before. */
START_TEST(a_link_that_comes_back_finds_its_version_anew)
{
	static const unsigned	 versions[] = { WIRE_OLDEST, WIRE_VERSION,
					    WIRE_OLDEST };

	begin_all();
	ck_assert_uint_eq(link_version(link_to(0, 1)), WIRE_VERSION);
	for (size_t i = 0; i < nitems(versions); i++) {
		links_set_version(shards[1].hood.links, versions[i]);
		link_send(link_to(0, 1), &(struct gossip){ .type =
		    GOSSIP_HELLO });
		until(!link_is_up(link_to(0, 1)), 5000);
		until(link_is_up(link_to(0, 1)) &&
		    link_is_up(link_to(1, 0)), 5000);
		ck_assert_uint_eq(link_version(link_to(0, 1)), versions[i]);
		ck_assert_uint_eq(link_version(link_to(1, 0)), versions[i]);
		cast(0, "x", NULL, 1);
		cast(1, "y", NULL, 1);
		until(ndone == 2 * (i + 1), 5000);
		ck_assert_int_eq(done_err, 0);
	}
}
END_TEST

static void
fence_done(int err, void *arg)
{
	int	*at = arg;

	*at = err == 0 ? 1 : -err;
}

START_TEST(a_fence_waits_for_what_is_being_looked_up)
{
	lookup_found_cb	*cb;
	void		*arg;
	int		 one = 0, two = 0, waiting;

	begin_all();
	cast(0, "before", NULL, 0);
	ck_assert_int_eq(fan_fence(replicas[0]->neighbours, 0, 10000, fence_done, &one),
	    0);
	until(one != 0, 5000);
	ck_assert_int_eq(one, 1);
	ck_assert(heard[1].n == 1 && heard[2].n == 1);
	/* A whisper of 1 is on its way to be found; the next is none of the fence's. */
	whisper_ask = 1;
	look.usable = 1;
	ck_assert_int_eq(whisper(1, "u", "late", &waiting), 0);
	look.at[0] = slice_str(addresses[0]);
	cb = look.cb;
	arg = look.arg;
	one = 0;
	fan_fence(replicas[0]->neighbours, 0, 10000, fence_done, &one);
	until(!list_empty(&replicas[1]->neighbours->fences), 5000);
	ck_assert_int_eq(whisper(1, "u", "later", &waiting), 0);
	ck_assert_int_eq(one, 0);
	cb(look.at, 1, 0, arg);
	until(one != 0, 5000);
	ck_assert_int_eq(one, 1);
	ck_assert_str_eq(heard[0].text[0], "binary to u: late");
	/* Who ends answers. */
	fan_fence(replicas[0]->neighbours, 0, 10000, fence_done, &two);
	until(!list_empty(&replicas[1]->neighbours->fences), 5000);
	end(1);
	until(two != 0, 5000);
	ck_assert_int_eq(two, 1);
	look.cb(NULL, 0, 0, look.arg);
}
END_TEST

START_TEST(one_of_version_1_does_not_answer_a_fence)
{
	int	 one = 0;

	links_set_version(shards[1].hood.links, 1);
	begin_all();
	until(link_is_up(link_to(0, 1)) && link_is_up(link_to(0, 2)), 5000);
	fan_fence(replicas[0]->neighbours, 0, 10000, fence_done, &one);
	until(one != 0, 5000);
	ck_assert_int_eq(one, -ETIMEDOUT);
}
END_TEST

START_TEST(one_of_version_1_is_understood_both_ways)
{
	char	 want[24];

	links_set_version(shards[1].hood.links, 1);
	begin_all();
	ck_assert_uint_eq(link_version(link_to(0, 1)), 1);
	ck_assert_uint_eq(link_version(link_to(1, 2)), 1);
	ck_assert_uint_eq(link_version(link_to(0, 2)), WIRE_VERSION);
	for (int i = 0; i < 30; i++) {
		snprintf(want, sizeof(want), "%d", i);
		cast(0, want, NULL, 1);
		cast(1, want, NULL, 1);
	}
	until(ndone == 60 && heard[0].n == 30 && heard[1].n == 30 &&
	    heard[2].n == 60, 5000);
	ck_assert_int_eq(done_err, 0);
	for (int i = 0; i < 30; i++) {
		snprintf(want, sizeof(want), "all: %d", i);
		ck_assert_str_eq(heard[0].text[i], want);
		ck_assert_str_eq(heard[1].text[i], want);
	}
}
END_TEST

START_TEST(who_misses_something_is_told_exactly)
{
	static const struct {
		struct gossip	 m;
		const char	*said;		/* NULL: nothing */
	} rows[] = {
		{ { .of = GOSSIP_CAST, .after = 0, .seq = 2 }, "missed all: " },
		{ { .of = GOSSIP_CAST, .after = 2, .seq = 3, .uid = { "u", 1 },
		    .flags = GOSSIP_F_NOT_UID }, "missed but u: " },
		{ { .of = GOSSIP_WHISPER, .after = 3, .seq = 4,
		    .uid = { "v", 1 } }, "missed to v: " },
		{ { .of = GOSSIP_PUBLISH, .after = 4, .seq = 5,
		    .topics = { "news", 5 } }, "missed on news: " },
		{ { .of = GOSSIP_NEWS }, NULL },
		{ { .of = 0, .seq = 5 }, NULL },
		{ { .of = 0, .seq = 6 }, "missed all: " },
		{ { .of = 0, .seq = 3 }, NULL },
	};
	struct gossip	 m;
	struct link	*l;
	size_t		 n = 0;

	begin_all();
	l = link_to(1, 0);
	for (size_t i = 0; i < nitems(rows); i++) {
		m = rows[i].m;
		m.type = GOSSIP_LOST;
		m.from = 100;
		m.to = 101;
		ck_assert_int_eq(link_message(l, &m), 0);
		if (rows[i].said != NULL)
			ck_assert_str_eq(heard[1].text[n++], rows[i].said);
		ck_assert_uint_eq(heard[1].n, n);
	}
	m = (struct gossip){ .type = GOSSIP_CAST, .from = 100, .to = 101,
	    .seq = 7, .payload = slice_str("x") };
	ck_assert_int_eq(link_message(l, &m), 0);
	ck_assert_str_eq(heard[1].text[n++], "all: x");
	ck_assert_uint_eq(heard[1].n, n);
}
END_TEST

START_TEST(a_note_of_what_does_not_fit_is_for_the_same_receivers)
{
	struct gossip	 m = { .type = GOSSIP_WHISPER, .from = 100, .to = 101,
			    .seq = 9, .uid = slice_str("u"),
			    .flags = GOSSIP_F_BINARY,
			    .payload = slice_str("x") };
	struct link	*l;

	begin_all();
	l = link_to(0, 1);
	ck_assert_int_eq(note_drop(l, &m, 0), BACKLOG_NOTE);
	ck_assert(m.type == GOSSIP_LOST && m.of == GOSSIP_WHISPER &&
	    m.after == 8 && m.seq == 9 && m.flags == 0 &&
	    slice_is(m.uid, "u") && m.payload.len == 0);
	m.type = GOSSIP_WHISPER;	/* one of too many */
	ck_assert_int_eq(note_drop(l, &m, 1), BACKLOG_NOTE);
	ck_assert(m.of == GOSSIP_CAST && m.uid.data == NULL);
	m.type = GOSSIP_STATE;
	ck_assert_int_eq(note_drop(l, &m, 0), BACKLOG_NOTE);
	ck_assert(m.type == GOSSIP_LOST && m.of == GOSSIP_NEWS && m.seq == 0);
	m.type = GOSSIP_ASK;
	ck_assert_int_eq(note_drop(l, &m, 0), BACKLOG_GONE);
	m.type = GOSSIP_DONE;
	ck_assert_int_eq(note_drop(l, &m, 0), BACKLOG_KEEP);
	m = (struct gossip){ .type = GOSSIP_ANSWER, .ask = 7,
	    .payload = slice_str("yes") };
	ck_assert_int_eq(note_drop(l, &m, 0), BACKLOG_NOTE);
	ck_assert(m.ask == 7 && (m.flags & GOSSIP_F_ERROR) != 0);
}
END_TEST

START_TEST(nonsense_ends_the_link)
{
	struct gossip	 bad[] = {
		{ .type = GOSSIP_HELLO },
		{ .type = GOSSIP_CAST, .from = 0, .to = 101 },
		{ .type = GOSSIP_ASK, .from = 100, .to = 0 },
	};
	struct gossip	 late[] = {
		{ .type = GOSSIP_DONE, .ask = 12345 },
		{ .type = GOSSIP_ANSWER, .ask = 12345,
		    .payload = slice_str("x") },
		{ .type = GOSSIP_DONE },
	};
	struct link	*l;

	begin_all();
	l = link_to(1, 0);
	for (size_t i = 0; i < nitems(bad); i++)
		ck_assert_int_eq(link_message(l, &bad[i]), -1);
	for (size_t i = 0; i < nitems(late); i++)
		ck_assert_int_eq(link_message(l, &late[i]), 0);
}
END_TEST

START_TEST(what_is_held_is_bounded)
{
	static char	 big[300 << 10];
	struct gossip	 m = { .type = GOSSIP_CAST, .from = 100, .to = 555,
			    .payload = slice_of(big, sizeof(big)) };
	struct link	*l;
	uint64_t	 start = clock_ms();

	begin_all();
	l = link_to(1, 0);
	for (m.seq = 1; m.seq <= 20; m.seq++)
		ck_assert_int_eq(link_message(l, &m), 0);
	until(clock_ms() > start + 2300, 3000);	/* they go */
	/* Their replica comes late, and nobody has missed the next. */
	end(1);
	memset(&replicas[1], 0, sizeof(replicas[1]));
	begin_as(1, 555);
	turn_end();
	m.payload = slice_str("x");
	heard[1].n = 0;
	ck_assert_int_eq(link_message(l, &m), 0);
	ck_assert_uint_eq(heard[1].n, 1);
	ck_assert_str_eq(heard[1].text[0], "all: x");
}
END_TEST

START_TEST(whisper_looks_up_when_there_are_many)
{
	int	 waiting;

	begin_all();
	whisper_ask = 1;
	look.usable = 1;
	ck_assert_int_eq(whisper(0, "u", "one", &waiting), 0);
	ck_assert(waiting);
	ck_assert_uint_eq(look.asked, 1);
	turn();
	ck_assert_uint_eq(heard[1].n + heard[2].n, 0);
	look.at[0] = slice_str(addresses[2]);
	look.at[1] = slice_str("there/1#0000000000000101");
	look.at[2] = slice_str("here/1#0000000000000999");
	look.cb(look.at, 3, 0, look.arg);
	ck_assert_uint_eq(nsettled, 1);
	until(ndone == 1, 500);
	ck_assert_uint_eq(heard[1].n, 0);
	ck_assert_str_eq(heard[2].text[0], "binary to u: one");

	/* One that says "ask me" is asked always; without an answer, all. */
	link_set_askme(link_to(0, 1), 1);
	ck_assert_int_eq(whisper(0, "u", "two", &waiting), 0);
	look.cb(NULL, 0, 0, look.arg);
	until(ndone == 2, 500);
	ck_assert_uint_eq(heard[1].n, 1);
	ck_assert_uint_eq(heard[2].n, 1);
	link_set_askme(link_to(0, 1), 0);
	ck_assert_int_eq(whisper(0, "u", "three", &waiting), 0);
	look.cb(NULL, 0, ETIMEDOUT, look.arg);
	until(ndone == 3, 500);
	ck_assert_uint_eq(heard[1].n, 2);
	ck_assert_uint_eq(heard[2].n, 2);

	look.usable = 0;
	ck_assert_int_eq(whisper(0, "u", "four", &waiting), 0);
	ck_assert(!waiting);
	until(ndone == 4, 500);
	ck_assert_uint_eq(look.asked, 3);
	ck_assert_uint_eq(nsettled, 3);
}
END_TEST

/* Those who were here got it when it was said; one who came since has not. */
START_TEST(a_whisper_that_is_looked_up_is_for_who_comes_meanwhile)
{
	int	 waiting;

	begin_all();
	whisper_ask = 1;
	look.usable = 1;
	replicas[0]->joins = 7;
	ck_assert_int_eq(whisper(0, "u", "one", &waiting), 0);
	look.cb(NULL, 0, 0, look.arg);
	ck_assert_uint_eq(heard[0].n, 0);
	ck_assert_int_eq(whisper(0, "u", "two", &waiting), 0);
	replicas[0]->joins = 8;
	look.cb(NULL, 0, 0, look.arg);
	ck_assert_uint_eq(heard[0].n, 1);
	ck_assert_str_eq(heard[0].text[0], "binary to u: two");
	/* Its replica has ended: nobody comes. */
	ck_assert_int_eq(whisper(0, "u", "three", &waiting), 0);
	replicas[0]->joins = 9;
	end(0);
	look.cb(NULL, 0, 0, look.arg);
	ck_assert_uint_eq(heard[0].n, 1);
	until(ndone == 3, 500);
}
END_TEST

START_TEST(a_replica_that_ends_cancels_and_settles)
{
	int	 waiting;

	begin_all();
	whisper_ask = 1;
	look.usable = 1;
	cast(0, "one", NULL, 1);
	ck_assert_int_eq(whisper(0, "u", "two", &waiting), 0);
	end(0);
	ck_assert_uint_eq(ndone, 2);
	ck_assert_int_eq(done_err, ECANCELED);
	ck_assert_uint_eq(nsettled, 0);
	look.cb(NULL, 0, 0, look.arg);
	ck_assert_uint_eq(nsettled, 1);
	for (int i = 0; i < 50; i++)
		turn();
	ck_assert_uint_eq(ndone, 2);
	ck_assert_uint_eq(heard[1].n, 1);
}
END_TEST

START_TEST(a_dead_shard_does_not_keep_anybody_waiting)
{
	begin_all();
	cast(0, "one", NULL, 1);
	link_dead(shards[0].hood.links, &peers[1]);
	until(ndone == 1, 500);
	ck_assert_int_eq(done_err, 0);
	/* Until the farewell it stays a neighbour, and is passed over. */
	ck_assert_uint_eq(neighbours_count(replicas[0]->neighbours), 2);
	cast(0, "two", NULL, 1);
	until(ndone == 2, 500);
	ck_assert_int_eq(done_err, 0);
	neighbours_farewell(replicas[0]->neighbours, 101);
	ck_assert_uint_eq(neighbours_count(replicas[0]->neighbours), 1);
}
END_TEST

START_TEST(a_lost_link_fails_what_was_asked_over_it)
{
	struct link	*l;
	struct gossip	 bad = { .type = GOSSIP_HELLO };

	begin_all();
	l = link_to(0, 1);
	link_send(l, &bad);		/* the receiver ends the link */
	cast(0, "one", NULL, 1);
	until(ndone == 1, 500);
	ck_assert_int_eq(done_err, ETIMEDOUT);
	until(link_is_up(l), 900);
	cast(0, "two", NULL, 1);
	until(ndone == 2, 500);
	ck_assert_int_eq(done_err, 0);
	/* Who missed the first was told before it heard the next. */
	ck_assert_uint_eq(heard[1].n, 2);
	ck_assert_str_eq(heard[1].text[0], "missed all: ");
	ck_assert_str_eq(heard[1].text[1], "all: two");
}
END_TEST

/* ---- random schedules ---- */

#define TALKERS		2	/* of a replica */
#define SAYINGS		25	/* of each */

/* As in the model: each waits for its lookup, which is answered in any order. */
static struct talker {
	size_t		 said, nwants[SHARDS];
	int		 wants[SHARDS][SAYINGS];	/* numbers, by receiver */
	lookup_found_cb	*cb;		/* its whisper is looked up, if not NULL */
	void		*arg;
	size_t		 target;
} talkers[SHARDS][TALKERS], *looking;

static void
looked_up(struct slice uid, lookup_found_cb *cb, void *arg)
{
	looking->cb = cb;
	looking->arg = arg;
	looking->target = (size_t)(uid.data[1] - '0');
}

/* Where the target is, and perhaps where it is not any more. */
static void
answer_lookup(struct talker *t)
{
	lookup_found_cb	*cb = t->cb;
	struct slice	 at[SHARDS];
	size_t		 n = 0;

	for (size_t i = 0; i < SHARDS; i++)
		if (i == t->target || rand() % 4 == 0)
			at[n++] = slice_str(addresses[i]);
	t->cb = NULL;
	cb(at, n, rand() % 10 == 0 ? ETIMEDOUT : 0, t->arg);
}

static void
say_something(size_t i, size_t who)
{
	struct talker	*t = &talkers[i][who];
	size_t		 target = (i + 1 + (size_t)rand() % (SHARDS - 1)) % SHARDS;
	char		 text[16], uid[] = "u0";
	int		 number = (int)t->said, waiting, one = rand() % 2;

	snprintf(text, sizeof(text), "%zu.%zu.%d", i, who, number);
	uid[1] = (char)('0' + target);
	t->said++;
	looking = t;
	if (one)
		ck_assert_int_ne(whisper(i, uid, text, &waiting), -1);
	else
		ck_assert_int_ne(cast(i, text, NULL, 1), -1);
	for (size_t k = 0; k < SHARDS; k++)
		if (k != i && (!one || k == target))
			t->wants[k][t->nwants[k]++] = number;
}

/* What replica k heard is for whom it has, of each talker all and in order; or, lossy,
 * in order. */
static void
check_heard(size_t k, int lossy)
{
	size_t	 at[SHARDS][TALKERS] = { 0 }, i, who, missed = 0, lost = 0;
	int	 number;

	for (size_t n = 0; n < heard[k].n; n++) {
		const char	*text = heard[k].text[n];
		struct talker	*t;

		if (strncmp(text, "missed", 6) == 0) {
			missed++;
			continue;
		}
		if (strncmp(text, "binary to u", 11) == 0 &&
		    (size_t)(text[11] - '0') != k)
			continue;	/* asked for nothing */
		ck_assert_int_eq(sscanf(strchr(text, ':') + 2, "%zu.%zu.%d",
		    &i, &who, &number), 3);
		t = &talkers[i][who];
		while (lossy && at[i][who] < t->nwants[k] &&
		    t->wants[k][at[i][who]] != number) {
			at[i][who]++;
			lost++;
		}
		ck_assert_uint_lt(at[i][who], t->nwants[k]);
		ck_assert_int_eq(t->wants[k][at[i][who]++], number);
	}
	for (i = 0; i < SHARDS; i++)
		for (who = 0; who < TALKERS; who++)
			lost += talkers[i][who].nwants[k] - at[i][who];
	ck_assert(lossy ? lost == 0 || missed > 0 : lost + missed == 0);
}

/* Seeds by turns: all of version 2, one of version 1, carriers that are lost. */
START_TEST(any_schedule_keeps_order)
{
	size_t	 left = SHARDS * TALKERS * SAYINGS, looks;
	int	 lossy = _i % 3 == 2;

	srand((unsigned)_i);
	if (_i % 3 == 1)
		links_set_version(shards[_i % SHARDS].hood.links, 1);
	look.usable = whisper_ask = 1;
	look.queue = looked_up;
	begin_all();
	for (size_t i = 0; i < SHARDS; i++)
		replicas[i]->joins = 1;
	do {
		size_t		 i = (size_t)rand() % SHARDS;
		size_t		 who = (size_t)rand() % TALKERS;
		struct talker	*t = &talkers[i][who];

		if (t->cb != NULL)
			answer_lookup(t);
		else if (t->said < SAYINGS) {
			say_something(i, who);
			left--;
		}
		if (rand() % 3 == 0)
			turn();
		if (lossy && rand() % 40 == 0)
			link_send(link_to(i, (i + 1) % SHARDS),
			    &(struct gossip){ .type = GOSSIP_HELLO });
		looks = 0;
		for (size_t k = 0; k < SHARDS * TALKERS; k++)
			looks += talkers[k / TALKERS][k % TALKERS].cb != NULL;
	} while (left > 0 || looks > 0);
	until(ndone == SHARDS * TALKERS * SAYINGS, 15000);
	/* All links are up again, and have said what was lost with them. */
	for (size_t i = 0; i < SHARDS; i++)
		for (size_t k = 0; k < SHARDS; k++)
			if (i != k)
				until(link_is_up(link_to(i, k)), 5000);
	for (size_t i = 0; i < SHARDS; i++)
		for (size_t k = 0; k < SHARDS; k++)
			if (i != k)
				until(neighbours_find(replicas[k]->neighbours,
				    100 + i)->in == neighbours_find(
				    replicas[i]->neighbours, 100 + k)->out,
				    5000);
	for (size_t k = 0; k < SHARDS; k++)
		check_heard(k, lossy);
}
END_TEST

/* ---- who moves from one replica to another ---- */

enum mover_state { MOVER_STAYS, MOVER_EXPECTED, MOVER_FENCED, MOVER_PACKED };

/* As in tests/model/moving.py: it hears all, says nothing, and moves again and again. */
static struct mover {
	enum mover_state state;
	size_t		 at, to;
	size_t		 from;		/* what it heard of heard[at] begins there */
	uint64_t	 joined;
	struct shelf_user shelf;
	struct capsule_mark *start, marks[SHARDS];
	size_t		 nstart;
	struct capsule	 cap;
	int		 fenced, asked, moves, refused;
	int		 held;		/* answered, perhaps when it has long moved on */
	size_t		 n;
	char		 got[512][24];	/* "i.who.number" */
} mover;

/* It gets one message. */
static void
mover_get(const char *text)
{
	ck_assert_uint_lt(mover.n, nitems(mover.got));
	snprintf(mover.got[mover.n++], sizeof(mover.got[0]), "%s", text);
}

/* What its replica has heard since it came there. */
static void
mover_hear(void)
{
	struct heard	*h = &heard[mover.at];
	const char	*text;

	for (; mover.from < h->n; mover.from++) {
		text = h->text[mover.from];
		ck_assert_int_ne(strncmp(text, "missed", 6), 0);
		if (strncmp(text, "binary to m:", 12) == 0) {
			if (mover.joined > h->since[mover.from])
				mover_get(text + 13);
		} else if (strncmp(text, "all", 3) == 0)
			mover_get(strchr(text, ':') + 2);
	}
}

static void
mover_fenced(int err, void *arg)
{
	ck_assert_int_eq(err, 0);
	*(int *)arg = 1;
}

/* It is expected in another replica. */
static void
mover_expect(void)
{
	mover.to = (mover.at + 1 + (size_t)rand() % (SHARDS - 1)) % SHARDS;
	ck_assert_int_eq(seen_expect(replicas[mover.to], &mover.shelf,
	    &mover.start, &mover.nstart), 0);
	mover.fenced = 0;
	ck_assert_int_eq(fan_fence(replicas[mover.at]->neighbours, 0, 10000,
	    mover_fenced, &mover.fenced), 0);
	mover.state = MOVER_EXPECTED;
}

/* It is frozen, unless a whisper to it is being looked up. */
static void
mover_pack(void)
{
	struct replica	*r = replicas[mover.at];
	int		 n;

	if (!mover.fenced || fan_whispers_to(r->neighbours, slice_str("m")))
		return;
	mover_hear();
	n = seen_marks(r, mover.marks, nitems(mover.marks));
	ck_assert_int_gt(n, 0);
	mover.cap = (struct capsule){ .marks = mover.marks,
	    .nmarks = (size_t)n };
	mover.asked = -1;
	mover.state = MOVER_PACKED;
}

static void
mover_kept(const struct shelf_said *said, void *arg)
{
	char	 text[24];

	(void)arg;
	if (said->type == GOSSIP_WHISPER && !slice_is(said->uid, "m"))
		return;
	snprintf(text, sizeof(text), "%.*s", (int)said->p->len,
	    payload_data(said->p).data);
	mover_get(text);
}

/* It is taken, when the new replica has caught up; or, at times, refused. */
static void
mover_land(void)
{
	struct replica	*r = replicas[mover.to];
	uint64_t	 origin;

	switch (seen_compare(r, &mover.shelf, mover.start, mover.nstart,
	    &mover.cap, &origin)) {
	case SEEN_BEHIND:
		if (mover.asked != (int)origin)
			fan_fence(r->neighbours, origin, 10000, mover_fenced,
			    &mover.held);
		mover.asked = (int)origin;
		return;
	case SEEN_NEVER:
		ck_abort_msg("the log begins too late");
	case SEEN_YES:
		break;
	}
	if (rand() % 6 == 0)
		mover.refused++;
	else {
		shelf_each(r->shelf, &mover.shelf, mover.marks,
		    mover.cap.nmarks, 0, mover_kept, NULL);
		mover.at = mover.to;
		mover.from = heard[mover.at].n;
		mover.joined = ++r->joins;
		mover.moves++;
	}
	seen_expect_no_more(r, &mover.shelf);
	free(mover.start);
	mover.state = MOVER_STAYS;
}

/* One more thing that it does, perhaps. */
static void
mover_step(int may_begin)
{
	if (mover.state == MOVER_STAYS && may_begin && rand() % 4 == 0)
		mover_expect();
	else if (mover.state == MOVER_EXPECTED)
		mover_pack();
	else if (mover.state == MOVER_PACKED && rand() % 2 == 0)
		mover_land();
}

/* Where the mover is, and where it is expected. */
static void
answer_lookup_of_mover(struct talker *t)
{
	lookup_found_cb	*cb = t->cb;
	struct slice	 at[SHARDS];
	size_t		 n = 0;

	for (size_t i = 0; i < SHARDS; i++)
		if (i == mover.at || (mover.state != MOVER_STAYS &&
		    i == mover.to) || rand() % 4 == 0)
			at[n++] = slice_str(addresses[i]);
	t->cb = NULL;
	cb(at, n, rand() % 10 == 0 ? ETIMEDOUT : 0, t->arg);
}

/* To all, or to the mover; to those here first. */
static void
say_to_mover(size_t i, size_t who)
{
	struct talker	*t = &talkers[i][who];
	char		 text[64];
	struct payload	*p;
	int		 waiting;

	snprintf(text, sizeof(text), "%zu.%zu.%d", i, who, (int)t->said++);
	looking = t;
	if (rand() % 2) {
		p = payload_frame(WS_BINARY, slice_str(text));
		replica_whisper(replicas[i], slice_str("m"), p, 0);
		ck_assert_int_ne(whisper(i, "m", text, &waiting), -1);
	} else {
		p = payload_frame(WS_TEXT, slice_str(text));
		replica_emit(replicas[i], p, slice_of(NULL, 0));
		ck_assert_int_ne(cast(i, text, NULL, 1), -1);
	}
	payload_unref(p);
}

/* Of each talker all, once and in order. */
static void
check_mover(void)
{
	int	 at[SHARDS][TALKERS] = { 0 }, number;
	size_t	 i, who;

	mover_hear();
	for (size_t n = 0; n < mover.n; n++) {
		ck_assert_int_eq(sscanf(mover.got[n], "%zu.%zu.%d", &i, &who,
		    &number), 3);
		ck_assert_int_eq(number, at[i][who]);
		at[i][who]++;
	}
	for (i = 0; i < SHARDS; i++)
		for (who = 0; who < TALKERS; who++)
			ck_assert_int_eq(at[i][who], SAYINGS);
}

/* 2 */
START_TEST(any_schedule_of_moves_keeps_all)
{
	size_t	 left = SHARDS * TALKERS * SAYINGS, looks;

	srand((unsigned)_i);
	look.usable = 1;
	whisper_ask = _i % 2 ? 8 : 1;
	look.queue = looked_up;
	begin_all();
	for (size_t i = 0; i < SHARDS; i++)
		replicas[i]->joins = 1;
	mover.joined = ++replicas[0]->joins;
	do {
		struct talker	*t = &talkers[(size_t)rand() % SHARDS]
				    [(size_t)rand() % TALKERS];
		size_t		 k = (size_t)(t - talkers[0]);

		if (t->cb != NULL && rand() % 2)
			answer_lookup_of_mover(t);
		else if (t->cb == NULL && t->said < SAYINGS) {
			say_to_mover(k / TALKERS, k % TALKERS);
			left--;
		}
		mover_step(left > 0);
		if (rand() % 3 == 0)
			turn();
		looks = 0;
		for (k = 0; k < SHARDS * TALKERS; k++)
			looks += talkers[k / TALKERS][k % TALKERS].cb != NULL;
	} while (left > 0 || looks > 0);
	until(ndone == SHARDS * TALKERS * SAYINGS, 15000);
	until((mover_step(0), mover.state == MOVER_STAYS), 15000);
	for (int i = 0; i < 20; i++)
		turn();
	check_mover();
	ck_assert_int_gt(mover.moves, 0);
	for (size_t i = 0; i < SHARDS; i++)
		ck_assert_ptr_null(replicas[i]->shelf);
}
END_TEST

/* ---- gossip ---- */

static struct kennel_slot	 slots[SHARDS];
static char			 words[SHARDS][32];
static size_t			 nslots, nrounds;
static struct kennel_answer	*kept;

static void
gathered(const struct kennel_slot *s, size_t n, void *arg)
{
	ck_assert_ptr_eq(arg, &nslots);
	nslots = n;
	for (size_t i = 0; i < n; i++) {
		slots[i] = s[i];
		snprintf(words[i], sizeof(words[i]), "%s%.*s",
		    s[i].error != NULL ? s[i].error : "=", (int)s[i].len,
		    s[i].data == NULL ? "" : s[i].data);
	}
	nrounds++;
}

static void
ongossip(struct kennel_replica *kr, struct kennel_answer *a, const char *msg,
    size_t len)
{
	struct replica	*r = (struct replica *)kr;
	char		 text[32];

	if (r->id == 101 && len > 0 && msg[0] == 'k') {
		kept = a;
		return;
	}
	snprintf(text, sizeof(text), "%.*s%" PRIu64, (int)len, msg, r->id);
	answer_send(a, slice_str(text), r->id == 102 && msg[0] == 'e');
}

static void
gossip(size_t i, const char *msg, unsigned ms)
{
	ck_assert_int_eq(fan_gossip(replicas[i]->neighbours,
	    slice_str(msg), ms, gathered, &nslots), 0);
}

START_TEST(gossip_gathers_an_answer_from_each)
{
	app.ongossip = ongossip;
	begin_all();
	gossip(0, "hi", 500);
	ck_assert_uint_eq(nrounds, 0);
	until(nrounds == 1, 500);
	ck_assert_uint_eq(nslots, 2);
	ck_assert_uint_eq(slots[0].neighbour, 101);
	ck_assert_str_eq(words[0], "=hi101");
	ck_assert_str_eq(words[1], "=hi102");
	gossip(0, "e", 500);
	until(nrounds == 2, 500);
	ck_assert_str_eq(words[0], "=e101");
	ck_assert_str_eq(words[1], "e102");	/* an error, in its words */
	ck_assert_ptr_null(slots[1].data);
}
END_TEST

START_TEST(gossip_has_a_deadline_and_late_answers_are_ignored)
{
	uint64_t	 start = clock_ms();

	app.ongossip = ongossip;
	begin_all();
	gossip(0, "k", 200);
	until(nrounds == 1, 500);
	ck_assert_uint_ge(clock_ms() - start, 190);
	ck_assert_str_eq(words[0], "timeout");
	ck_assert_str_eq(words[1], "=k102");
	answer_send(kept, slice_str("late"), 0);
	for (int i = 0; i < 20; i++)
		turn();
	ck_assert_uint_eq(nrounds, 1);
}
END_TEST

START_TEST(gossip_without_handler_or_neighbour)
{
	begin(0);
	turn_end();
	gossip(0, "hi", 0);
	ck_assert_uint_eq(nrounds, 0);
	turn_end();
	ck_assert_uint_eq(nrounds, 1);
	ck_assert_uint_eq(nslots, 0);
	begin(1);
	introduce(0, 1);
	gossip(0, "hi", 500);
	until(nrounds == 2, 500);
	ck_assert_str_eq(words[0], "Missing: ongossip handler");
}
END_TEST

START_TEST(gossip_to_one_that_ends_is_gone)
{
	app.ongossip = ongossip;
	begin_all();
	gossip(0, "k", 5000);
	until(kept != NULL, 500);
	end(1);
	until(nrounds == 1, 500);
	ck_assert_str_eq(words[0], "gone");
	gossip(0, "again", 5000);
	until(nrounds == 2, 500);
	ck_assert_str_eq(words[0], "gone");
	gossip(0, "farewell", 5000);
	neighbours_farewell(replicas[0]->neighbours, 101);
	until(nrounds == 3, 500);
	ck_assert_str_eq(words[0], "gone");
	ck_assert_str_eq(words[1], "=farewell102");
	/* The asker ends. */
	gossip(0, "end", 5000);
	end(0);
	ck_assert_uint_eq(nrounds, 4);
	ck_assert_str_eq(words[0], "gone");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("neighbours");
	TCase	*tc = tcase_create("neighbours");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, alone_it_is_ready_at_the_end_of_the_turn);
	tcase_add_test(tc, ready_when_all_have_answered);
	tcase_add_test(tc,
	    who_was_met_first_knows_the_neighbour_before_the_gateway_says_so);
	tcase_add_test(tc, what_comes_before_the_replica_waits_in_order);
	tcase_add_test(tc, what_waits_is_as_it_came);
	tcase_add_test(tc,
	    a_silent_neighbour_is_not_waited_for_longer_than_a_second);
	tcase_add_test(tc, who_has_ended_answers_at_once);
	tcase_add_test(tc, last_words_are_heard_after_the_farewell);
	tcase_add_test(tc, a_mix_stays_in_order);
	tcase_add_test(tc, a_repeat_is_dropped_and_at_a_gap_all_are_told);
	tcase_add_test(tc, what_was_said_to_others_is_no_gap);
	tcase_add_test(tc, numbers_can_be_compared_between_receivers);
	tcase_add_test(tc, many_are_confirmed_by_one_number);
	tcase_add_test(tc, a_turn_is_confirmed_at_its_end);
	tcase_add_test(tc, a_link_that_comes_back_finds_its_version_anew);
	tcase_add_test(tc, a_fence_waits_for_what_is_being_looked_up);
	tcase_add_test(tc, one_of_version_1_does_not_answer_a_fence);
	tcase_add_test(tc, one_of_version_1_is_understood_both_ways);
	tcase_add_test(tc, who_misses_something_is_told_exactly);
	tcase_add_test(tc, a_note_of_what_does_not_fit_is_for_the_same_receivers);
	tcase_add_test(tc, nonsense_ends_the_link);
	tcase_add_test(tc, what_is_held_is_bounded);
	tcase_add_test(tc, whisper_looks_up_when_there_are_many);
	tcase_add_test(tc,
	    a_whisper_that_is_looked_up_is_for_who_comes_meanwhile);
	tcase_add_test(tc, a_replica_that_ends_cancels_and_settles);
	tcase_add_test(tc, a_dead_shard_does_not_keep_anybody_waiting);
	tcase_add_test(tc, a_lost_link_fails_what_was_asked_over_it);
	tcase_add_loop_test(tc, any_schedule_keeps_order, 0, 24);
	tcase_add_loop_test(tc, any_schedule_of_moves_keeps_all, 0, 40);
	tcase_add_test(tc, gossip_gathers_an_answer_from_each);
	tcase_add_test(tc,
	    gossip_has_a_deadline_and_late_answers_are_ignored);
	tcase_add_test(tc, gossip_without_handler_or_neighbour);
	tcase_add_test(tc, gossip_to_one_that_ends_is_gone);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

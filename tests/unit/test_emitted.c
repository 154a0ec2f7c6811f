/*
 * What the steps of a group's state emit, and somebody who moves meanwhile: three shards
 * in one process, whose links, groups and states are real.
 */
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/turn.h"
#include "proto/keys.h"
#include "proto/page.h"
#include "shardd/client/conn.h"
#include "shardd/client/payload.h"
#include "shardd/group/fan.h"
#include "shardd/group/groups.h"
#include "shardd/group/replica.h"
#include "shardd/group/seen.h"
#include "shardd/group/shelf.h"
#include "shardd/kennel.h"
#include "shardd/peers/wire.h"
#include "shardd/state/authority.h"
#include "tests/unit/loop.h"
#include "tests/unit/shards.h"

#define STEPS	60

static struct authority_desk	 desks[SHARDS];
static struct page		*pages[SHARDS];
static struct clients		 clients;		/* none */
static size_t			 state_max = 1 << 20;
static struct conn		*speakers[SHARDS];	/* a client of each */
static size_t			 ndone;

/* What took effect in each replica, in its order. */
static struct {
	size_t	 n;
	char	 text[STEPS][8];
} heard[SHARDS];

/* Hears all, says nothing; moves. */
static struct {
	size_t		 at, to;
	int		 expected, packed, fenced;
	size_t		 from;		/* of heard[at], what it has not got */
	struct shelf_user shelf;
	struct capsule_mark *start, marks[SHARDS];
	size_t		 nstart;
	struct capsule	 cap;
	size_t		 n, moves, kept;
	char		 got[2 * STEPS][8];
} mover;

/* ---- the application ---- */

/* kennel_app: any step takes effect. */
static int
app_decide(struct kennel_replica *r, struct kennel_step *t, const char *data,
    size_t len)
{
	(void)r, (void)t, (void)data, (void)len;
	return (0);
}

/* Say that: to all, to who has subscribed, and to all on a client's behalf, by turns. */
static int
say(struct replica *r, const char *data, size_t len)
{
	static const char *const topics[] = { "news", NULL };
	struct kennel_replica	*kr = (struct kennel_replica *)r;

	switch (atoi(data) % 3) {
	case 0:
		return (kennel_replica_emit(kr, data, len, 0));
	case 1:
		return (kennel_replica_publish(kr, topics, data, len, 0));
	default:
		return (kennel_emit((struct kennel_socket *)
		    speakers[r->groups - shards], data, len, KENNEL_SELF));
	}
}

/* kennel_app: it is said. */
static void
app_onstep(struct kennel_replica *kr, const struct kennel_change *changes,
    size_t n, const char *data, size_t len)
{
	struct replica	*r = (struct replica *)kr;
	size_t		 i = (size_t)(r->groups - shards);

	(void)changes, (void)n;
	ck_assert_uint_lt(heard[i].n, STEPS);
	snprintf(heard[i].text[heard[i].n++], sizeof(heard[i].text[0]), "%.*s",
	    (int)len, data);
	ck_assert_int_eq(say(r, data, len), 0);
}

static const struct kennel_app	 app = {
	.name = "main", .decide = app_decide, .onstep = app_onstep,
};

/* ---- three shards ---- */

static void
turn_all(void)
{
	turn();
	for (size_t i = 0; i < SHARDS; i++)
		authority_tick_all(&desks[i]);
}

static void
setup_shard(uint32_t i)
{
	struct lookup_self	 self = { "here", addresses[i], 0 };
	int			 fd;

	shards_name(i);
	ck_assert_ptr_nonnull(pages[i] = page_new(peers[i].incarnation, &fd));
	close(fd);
	authority_desk_init(&desks[i], base, pages[i], &state_max);
	shards_start(i, base, &desks[i], &clients, &self);
	shards_replica(i, 100 + i, &app);
	ck_assert_ptr_nonnull(speakers[i] = calloc(1, sizeof(**speakers) + 1));
	speakers[i]->clients = &clients;
	speakers[i]->replica = replicas[i];
	speakers[i]->app = &app;
	speakers[i]->state = CONN_OPEN;
}

/* All three know each other, and the first decides. */
static void
setup(void)
{
	shards_begin();
	base = event_base_new();
	for (uint32_t i = 0; i < SHARDS; i++)
		setup_shard(i);
	shards_introduce_all();
	for (size_t i = 0; i < SHARDS; i++)
		authority_named(replicas[i]->authority, 1, 100);
	until_by(turn_all, replicas[0]->ready && replicas[1]->ready &&
	    replicas[2]->ready,
	    10000);
}

static void
teardown(void)
{
	for (size_t i = 0; i < SHARDS; i++) {
		group_dismiss(replicas[i]);
		free(speakers[i]);
	}
	shards_end();
	event_base_free(base);
}

/* ---- who moves ---- */

static void
mover_get(const char *text)
{
	ck_assert_uint_lt(mover.n, nitems(mover.got));
	snprintf(mover.got[mover.n++], sizeof(mover.got[0]), "%s", text);
}

/* What its replica was told since it came there. */
static void
mover_hear(void)
{
	while (mover.from < heard[mover.at].n)
		mover_get(heard[mover.at].text[mover.from++]);
}

static void
fenced_cb(int err, void *arg)
{
	ck_assert_int_eq(err, 0);
	*(int *)arg = 1;
}

/* It is expected in another replica. */
static void
mover_expect(size_t to)
{
	mover.to = to;
	ck_assert_int_eq(seen_expect(replicas[to], &mover.shelf, &mover.start,
	    &mover.nstart), 0);
	mover.fenced = mover.packed = 0;
	ck_assert_int_eq(fan_fence(replicas[mover.at]->neighbours, 0, 10000,
	    fenced_cb, &mover.fenced), 0);
	mover.expected = 1;
}

/* It is frozen. */
static void
mover_pack(void)
{
	struct replica	*r = replicas[mover.at];

	mover_hear();
	mover.cap = (struct capsule){ .marks = mover.marks, .nmarks =
	    (size_t)seen_marks(r, mover.marks, nitems(mover.marks)) };
	seen_news(r, &mover.cap.news_pos, &mover.cap.news_era);
	mover.packed = 1;
}

static void
mover_kept_cb(const struct shelf_said *said, void *arg)
{
	char	 text[8];

	(void)arg;
	snprintf(text, sizeof(text), "%.*s", (int)said->p->len,
	    payload_data(said->p).data);
	ck_assert_uint_eq(said->origin, SHELF_NEWS);
	if (said->type == GOSSIP_PUBLISH)
		ck_assert_str_eq(said->topics.data, "news");
	ck_assert_int_eq(said->type, atoi(text) % 3 == 1 ? GOSSIP_PUBLISH :
	    GOSSIP_CAST);
	mover.kept++;
	mover_get(text);
}

/* It is taken, when the new replica has caught up.  1, or 0. */
static int
mover_land(void)
{
	struct replica		*r = replicas[mover.to];
	uint64_t		 origin;
	enum seen_verdict	 verdict;

	verdict = seen_compare(r, &mover.shelf, mover.start, mover.nstart,
	    &mover.cap, &origin);
	ck_assert_int_ne(verdict, SEEN_NEVER);
	if (verdict == SEEN_BEHIND)
		return (0);
	shelf_each(r->shelf, &mover.shelf, mover.marks, mover.cap.nmarks,
	    mover.cap.news_pos, mover_kept_cb, NULL);
	mover.at = mover.to;
	mover.from = heard[mover.at].n;
	mover.moves++;
	mover.expected = 0;
	seen_expect_no_more(r, &mover.shelf);
	free(mover.start);
	return (1);
}

static void
done_cb(int err, void *arg)
{
	ck_assert_int_eq(err, 0);
	(*(size_t *)arg)++;
}

/* The next step, of some replica. */
static void
step(size_t i, size_t number)
{
	char	 text[8];

	snprintf(text, sizeof(text), "%zu", number);
	ck_assert_int_eq(authority_step(replicas[i]->authority,
	    slice_str(text), done_cb, &ndone), 0);
}

/* What took effect in each replica: the same, and that is what the mover got. */
static void
check_all(size_t steps)
{
	until_by(turn_all, ndone == steps, 10000);
	for (size_t i = 0; i < SHARDS; i++)
		until_by(turn_all, heard[i].n == steps, 10000);
	mover_hear();
	ck_assert_uint_eq(mover.n, steps);
	for (size_t n = 0; n < steps; n++) {
		ck_assert_str_eq(mover.got[n], heard[0].text[n]);
		ck_assert_str_eq(heard[1].text[n], heard[0].text[n]);
		ck_assert_str_eq(heard[2].text[n], heard[0].text[n]);
	}
	for (size_t i = 0; i < SHARDS; i++)
		ck_assert_ptr_null(replicas[i]->shelf);
}

/* From a replica whose news are still to come to one that has them. */
START_TEST(what_the_new_replica_has_emitted_before_the_old_one_is_kept)
{
	mover.at = 1;
	mover_expect(0);
	until_by(turn_all, mover.fenced, 10000);
	step(0, (size_t)_i);
	step(0, (size_t)_i + 1);
	turn_end();			/* decided here, told to nobody yet */
	ck_assert_uint_eq(heard[0].n, 2);
	ck_assert_uint_eq(heard[1].n, 0);
	mover_pack();
	ck_assert_int_eq(mover_land(), 1);
	ck_assert_uint_eq(mover.kept, 2);
	check_all(2);
}
END_TEST

/* The other way round: it waits, and what it has got is not said again. */
START_TEST(what_the_old_replica_has_emitted_before_the_new_one_is_not_said_again)
{
	mover.at = 0;
	mover_expect(2);
	until_by(turn_all, mover.fenced, 10000);
	step(0, (size_t)_i);
	turn_end();
	ck_assert_uint_eq(heard[0].n, 1);
	mover_pack();
	ck_assert_int_eq(mover_land(), 0);
	until_by(turn_all, mover_land(), 10000);
	ck_assert_uint_eq(mover.kept, 0);
	check_all(1);
}
END_TEST

START_TEST(in_any_schedule_each_step_is_heard_once_and_in_order)
{
	size_t	 said = 0;

	srand((unsigned)_i);
	while (said < STEPS || mover.expected) {
		if (said < STEPS && rand() % 2)
			step((size_t)rand() % SHARDS, said++);
		if (!mover.expected && said < STEPS && rand() % 3 == 0)
			mover_expect((mover.at + 1 + (size_t)rand() %
			    (SHARDS - 1)) % SHARDS);
		else if (mover.expected && !mover.packed && mover.fenced)
			mover_pack();
		else if (mover.expected && mover.packed && rand() % 2)
			mover_land();
		if (rand() % 2)
			turn_all();
		else
			turn_end();
	}
	ck_assert_uint_gt(mover.moves, 0);
	check_all(STEPS);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("emitted");
	TCase	*tc = tcase_create("emitted");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 40);
	/* Each of the ways to say it. */
	tcase_add_loop_test(tc,
	    what_the_new_replica_has_emitted_before_the_old_one_is_kept, 0, 3);
	tcase_add_loop_test(tc,
	    what_the_old_replica_has_emitted_before_the_new_one_is_not_said_again,
	    0, 3);
	tcase_add_loop_test(tc,
	    in_any_schedule_each_step_is_heard_once_and_in_order, 0, 20);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

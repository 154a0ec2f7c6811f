/* Connections that move, as the gateway has it, between shards that are played here. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "gatewayd/journey.h"
#include "gatewayd/reserve.h"
#include "gatewayd/transfer.h"
#include "tests/unit/played.h"

#define ASKED_MAX	4096

/* What a shard was told to move, and has not answered. */
struct asked {
	struct ctl	 m;
	int		 named;		/* its new shard has said that it has it */
};

static struct journeys	*js;
static struct asked	 asked[SHARDS][ASKED_MAX];
static size_t		 nasked[SHARDS];
static uint64_t		 ends[SHARDS][64];	/* journeys that are to end */
static size_t		 nends[SHARDS];
static uint64_t		 ferries[SHARDS];
static int		 done, buried;
static struct transfer_count count;

static int
peer_message_cb(struct control *c, const struct ctl *m, int *fds, size_t nfds,
    int cut, void *arg)
{
	int	 i = *(int *)arg;

	(void)c, (void)fds;
	switch (m->type) {
	case CTL_FERRY:
		ck_assert_uint_eq(nfds, 1);
		ck_assert_int_eq(cut, 0);
		ck_assert_uint_ne(m->journey, 0);
		ck_assert_uint_ne(m->slot, i);
		ferries[i]++;
		break;
	case CTL_MOVE:
		asked[i][nasked[i]++].m = *m;
		asked[i][nasked[i] - 1].named = 0;
		break;
	case CTL_JOURNEY_END:
		ends[i][nends[i]++] = m->journey;
		break;
	case CTL_END:
		break;
	default:
		ck_abort_msg("%s", ctl_name(m->type));
	}
	return (0);
}

static int
shard_message_cb(struct control *c, const struct ctl *m, int *fds, size_t nfds,
    int cut, void *arg)
{
	(void)c, (void)fds, (void)nfds, (void)cut;
	ck_assert_int_eq(journeys_message(js, arg, m), 0);
	return (0);
}

static void
buried_cb(struct shard *s, void *arg)
{
	(void)arg;
	buried++;
	s->site->dead = 1;
	placement_site_remove(p, s->site);
	s->site = NULL;
	s->incarnation = 0;
}

static void
setup(void)
{
	played_begin(shard_message_cb, peer_message_cb);
	js = journeys_new(base, p, &totals, buried_cb, NULL);
	for (size_t i = 0; i < SHARDS; i++) {
		all->slots[i].capsule = 2;
		ck_assert_int_eq(shard_note_app(&all->slots[i],
		    slice_str("chat"), 1), 0);
		nasked[i] = nends[i] = ferries[i] = 0;
	}
	done = buried = 0;
}

static void
teardown(void)
{
	ck_assert_int_eq(verify_placement(p), 0);
	journeys_free(js);
	played_end();
}

/* Let the loop go round, and whoever waits say what there is to say. */
static void
turn(void)
{
	for (int i = 0; i < 3; i++)
		played_round();
}

static struct place *
take(const char *group, const char *uid)
{
	struct placement_ask	 ask = { .id = next_id++, .limit = 50,
				    .app = slice_str("chat"),
				    .group = slice_str(group),
				    .uid = slice_str(uid) };
	struct place		*place;

	ck_assert_int_eq(placement_take(p, &ask, &place), PLACED);
	return (place);
}

/* All are at shard 0 at first. */
static void
crowd(int n)
{
	char	 group[16], uid[16];

	all->slots[1].site->usable = all->slots[2].site->usable = 0;
	for (int i = 0; i < n; i++) {
		snprintf(group, sizeof(group), "g%d", i % 7);
		snprintf(uid, sizeof(uid), "u%d", i / 2);
		ck_assert_ptr_eq(place_site(take(i % 5 == 0 ? NULL : group,
		    uid)), all->slots[0].site);
	}
	all->slots[1].site->usable = all->slots[2].site->usable = 1;
}

static int
may_cb(const struct shard *to, void *arg)
{
	(void)arg;
	return (!to->site->leaving);
}

static void
done_cb(struct transfer *t, void *arg)
{
	(void)arg;
	count = *transfer_count(t);
	done++;
}

static struct transfer *
begin(size_t most, unsigned ms)
{
	const struct transfer_plan	 plan = { .from = &all->slots[0],
					    .most = most, .rate = 100000,
					    .ms = ms, .may = may_cb,
					    .done = done_cb };

	return (transfer_begin(base, js, p, all, &plan));
}

static void
say(int i, enum ctl_type type, const struct ctl *about, uint32_t flags)
{
	struct ctl	 m = *about;

	m.type = type;
	m.flags = flags;
	if (type == CTL_ARRIVED) {
		m.replica = about->neighbour;
		m.neighbour = about->replica;
		m.time = 50;
	}
	ck_assert_int_eq(control_send(peers[i], &m, NULL), 0);
}

/* The shard where the second seat is. */
static int
there(uint64_t id)
{
	const struct reserve	*v = reserve_find(p, id);

	ck_assert_ptr_nonnull(v);
	return ((int)(v->arrived ? place_site(v->place)->slot : v->site->slot));
}

static int
draw(int n)
{
	return ((int)(random() % n));
}

/* A shard has nothing to answer any more: its journeys end as they were told. */
static void
farewell(int i)
{
	struct ctl	 m = { .type = CTL_JOURNEY_DONE };

	if (nasked[i] > 0)
		return;
	while (nends[i] > 0) {
		m.journey = ends[i][--nends[i]];
		ck_assert_int_eq(control_send(peers[i], &m, NULL), 0);
	}
}

/* One of those that shard 0 was asked to move is answered, in some way. */
static void
answer(int busy, int never)
{
	size_t		 k;
	struct asked	*a;
	int		 to, dice = draw(100);

	if (nasked[0] == 0)
		return;
	k = (size_t)draw((int)nasked[0]);
	a = &asked[0][k];
	to = there(a->m.id);
	if (a->named || dice >= busy + never) {
		/* Either is said first. */
		if (!a->named && draw(2)) {
			say(to, CTL_ARRIVED, &a->m, 0);
			a->named = 1;
			turn();
			return;
		}
		say(0, CTL_MOVED, &a->m, 0);
		turn();
		/* Until its new shard has said so, that does not count it. */
		ck_assert_uint_eq(all->slots[to].site->early, !a->named);
		if (!a->named) {
			say(to, CTL_ARRIVED, &a->m, 0);
			turn();
		}
		ck_assert_uint_eq(all->slots[to].site->early, 0);
	} else
		say(0, CTL_STAYED, &a->m, dice < never ? CTL_F_NEVER : 0);
	*a = asked[0][--nasked[0]];
	turn();
}

/* Until the transfer is over, or 20 s. */
static void
run(int busy, int never)
{
	uint64_t	 deadline = clock_ms() + 20000;

	while (done == 0 && clock_ms() < deadline) {
		turn();
		if (nasked[0] == 0) {
			farewell(0);
			usleep(500);
		} else
			answer(busy, never);
		if (draw(16) == 0)
			ck_assert_int_eq(verify_placement(p), 0);
	}
	ck_assert_int_eq(done, 1);
}

START_TEST(all_go_whoever_speaks_first)
{
	srandom(1);
	crowd(300);
	all->slots[0].site->leaving = 1;
	ck_assert_ptr_nonnull(begin(SIZE_MAX, 20000));
	run(20, 0);
	ck_assert_uint_eq(all->slots[0].site->count, 0);
	ck_assert_uint_eq(count.moved, 300);
	ck_assert_uint_eq(totals.moved, 300);
	ck_assert_uint_eq(count.never, 0);
	ck_assert_uint_gt(count.failed, 0);
	ck_assert_uint_eq(placement_count(p), 300);
	ck_assert_uint_eq(placement_moving(p), 0);
	ck_assert_uint_eq(totals.pauses[0] + totals.pauses[HISTOGRAM_SUM] > 0, 1);
	ck_assert_uint_eq(ferries[0], ferries[1] + ferries[2]);
}
END_TEST

START_TEST(those_that_cannot_are_asked_once)
{
	srandom(2);
	crowd(200);
	all->slots[0].site->leaving = 1;
	ck_assert_ptr_nonnull(begin(SIZE_MAX, 20000));
	run(0, 30);
	ck_assert_uint_gt(count.never, 20);
	ck_assert_uint_eq(all->slots[0].site->count, count.never);
	ck_assert_uint_eq(count.moved, 200 - count.never);
}
END_TEST

START_TEST(as_many_as_were_to)
{
	srandom(3);
	crowd(200);
	ck_assert_ptr_nonnull(begin(70, 20000));
	run(10, 10);
	ck_assert_uint_eq(count.moved, 70);
	ck_assert_uint_eq(all->slots[0].site->count, 130);
}
END_TEST

START_TEST(the_time_is_over)
{
	srandom(4);
	crowd(50);
	ck_assert_ptr_nonnull(begin(SIZE_MAX, 50));
	run(100, 0);
	ck_assert_uint_eq(count.moved, 0);
	ck_assert_uint_eq(all->slots[0].site->count, 50);
}
END_TEST

START_TEST(nobody_moves_where_it_is_not_possible)
{
	crowd(10);
	all->slots[0].capsule = 1;
	ck_assert_ptr_null(begin(SIZE_MAX, 1000));
	all->slots[0].capsule = 2;
	all->slots[1].capsule = 0;
	all->slots[2].site->leaving = 1;
	ck_assert_ptr_null(begin(SIZE_MAX, 1000));
	ck_assert(!journey_possible(&all->slots[0], &all->slots[2], "other"));
	ck_assert(journey_possible(&all->slots[0], &all->slots[2], "chat"));
	/* It packs what the other one cannot read. */
	all->slots[0].apps[0].blob = 2;
	ck_assert(!journey_possible(&all->slots[0], &all->slots[2], "chat"));
	ck_assert(journey_possible(&all->slots[2], &all->slots[0], "chat"));
}
END_TEST

/* What the other one has been sent is its own; the rest is lost with the dead. */
START_TEST(the_old_shard_dies)
{
	struct shard	*s = &all->slots[0];
	struct ctl	 m = { .type = CTL_JOURNEY_DONE };
	size_t		 arrived = 0;

	srandom(5);
	crowd(100);
	ck_assert_ptr_nonnull(begin(SIZE_MAX, 20000));
	while (nasked[0] < 40)
		turn();
	s->site->usable = 0;
	control_free(s->control);
	s->control = NULL;
	ck_assert_int_eq(journeys_dead(js, s), 1);
	shard_move(s, SHARD_SILENT);
	for (size_t i = 0; i < nasked[0]; i++)
		if (i % 3 == 0) {
			say(there(asked[0][i].m.id), CTL_ARRIVED,
			    &asked[0][i].m, 0);
			arrived++;
		}
	turn();
	ck_assert_int_eq(buried, 0);
	for (int i = 1; i < SHARDS; i++)
		for (size_t k = 0; k < nasked[0]; k++) {
			m.journey = asked[0][k].m.journey;
			ck_assert_int_eq(control_send(peers[i], &m, NULL), 0);
		}
	turn();
	ck_assert_int_eq(buried, 1);
	ck_assert_uint_eq(placement_count(p), arrived);
	ck_assert_uint_eq(placement_moving(p), 0);
	for (int i = 0; i < 1000 && done == 0; i++) {
		turn();
		usleep(1000);
	}
	ck_assert_int_eq(done, 1);
}
END_TEST

/* The other one has had its last word before the death is known: it is not waited
 * for. */
START_TEST(the_old_shard_dies_and_all_is_said)
{
	struct shard	*s = &all->slots[0];
	struct ctl	 m = { .type = CTL_JOURNEY_DONE };

	srandom(8);
	crowd(30);
	all->slots[2].site->leaving = 1;
	ck_assert_ptr_nonnull(begin(SIZE_MAX, 20000));
	while (nasked[0] < 10)
		turn();
	m.journey = asked[0][0].m.journey;
	ck_assert_int_eq(control_send(peers[1], &m, NULL), 0);
	turn();
	ck_assert_int_eq(done, 0);
	control_free(s->control);
	s->control = NULL;
	s->site->usable = 0;
	ck_assert_int_eq(journeys_dead(js, s), 0);
	ck_assert_int_eq(s->heard, 1);
	buried_cb(s, NULL);
	shard_move(s, SHARD_EMPTY);
	for (int i = 0; i < 1000 && done == 0; i++) {
		turn();
		usleep(1000);
	}
	ck_assert_int_eq(done, 1);
}
END_TEST

/* Who it had been given, as the other one knows, is lost with it, and is known so
 * before it is buried. */
START_TEST(the_new_shard_dies)
{
	struct shard	*s = &all->slots[1];
	uint64_t	 given;
	size_t		 lost;

	srandom(6);
	crowd(100);
	all->slots[2].site->leaving = 1;
	ck_assert_ptr_nonnull(begin(SIZE_MAX, 20000));
	while (nasked[0] < 40)
		turn();
	for (int i = 0; i < 10; i++)
		answer(0, 0);
	lost = s->site->count - s->site->expected;
	control_free(s->control);
	s->control = NULL;
	s->site->usable = 0;
	ck_assert_int_eq(journeys_dead(js, s), 1);
	shard_move(s, SHARD_SILENT);
	given = asked[0][0].m.id;
	for (size_t i = 0; i < nasked[0]; i++)
		say(0, i == 0 ? CTL_MOVED : CTL_STAYED, &asked[0][i].m, 0);
	turn();
	ck_assert_int_eq(buried, 0);
	ck_assert_ptr_eq(place_site(placement_find(p, given)), s->site);
	nends[0]++;
	ends[0][nends[0] - 1] = asked[0][0].m.journey;
	nasked[0] = 0;
	farewell(0);
	turn();
	ck_assert_int_eq(buried, 1);
	ck_assert_int_eq(s->heard, 1);
	ck_assert_ptr_null(placement_find(p, given));
	shard_move(s, SHARD_EMPTY);
	run(0, 0);
	ck_assert_uint_eq(placement_moving(p), 0);
	ck_assert_uint_ge(placement_count(p), 100 - lost - 1);
	ck_assert_uint_lt(placement_count(p), 100);
}
END_TEST

/* Shard 0 has moved n to shard 1, and its journeys have ended. */
static void
move_all(int n)
{
	crowd(n);
	all->slots[2].site->leaving = 1;
	ck_assert_ptr_nonnull(begin(SIZE_MAX, 20000));
	while (done == 0) {
		turn();
		while (nasked[0] > 0)
			answer(0, 0);
		farewell(0);
	}
}

/* All that it was to get or to give has been said by then: what it has is its own. */
START_TEST(a_shard_dies_when_all_was_said)
{
	srandom(9);
	move_all(20);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(all->slots[i].heard, 0);
		ck_assert_int_eq(journeys_dead(js, &all->slots[i]), 0);
		ck_assert_int_eq(all->slots[i].heard, 1);
	}
}
END_TEST

/* Of a journey that ended without its last word, somebody may have what it was to give. */
START_TEST(a_shard_dies_that_owes_a_word)
{
	struct transfer	*t;

	srandom(10);
	crowd(20);
	all->slots[2].site->leaving = 1;
	ck_assert_ptr_nonnull(t = begin(SIZE_MAX, 20000));
	while (nasked[0] < 10)
		turn();
	/* It has lost its channel, and said hello again. */
	journeys_hello(js, &all->slots[0]);
	turn();
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(journeys_dead(js, &all->slots[i]), 0);
	ck_assert_int_eq(all->slots[0].heard, -1);
	ck_assert_int_eq(all->slots[1].heard, 1);
	transfer_free(t);
}
END_TEST

/* Both die, in either order: nobody is waited for. */
START_TEST(both_shards_die)
{
	struct shard	*a = &all->slots[0], *b = &all->slots[1];

	srandom(7);
	crowd(50);
	all->slots[2].site->leaving = 1;
	ck_assert_ptr_nonnull(begin(SIZE_MAX, 20000));
	while (nasked[0] < 20)
		turn();
	for (int i = 0; i < 2; i++) {
		struct shard	*s = (i ^ _i) == 0 ? a : b;

		control_free(s->control);
		s->control = NULL;
		s->site->usable = 0;
		ck_assert_int_eq(journeys_dead(js, s), i == 0);
		shard_move(s, SHARD_SILENT);
		if (i == 1)
			buried_cb(s, NULL);
	}
	for (int i = 0; i < 1000 && (done == 0 || buried < 2); i++) {
		turn();
		usleep(1000);
	}
	ck_assert_int_eq(buried, 2);
	ck_assert_int_eq(done, 1);
	ck_assert_uint_eq(placement_count(p), 0);
}
END_TEST

int
main(void)
{
	const TTest	*const tests[] = {
		all_go_whoever_speaks_first,
		those_that_cannot_are_asked_once,
		as_many_as_were_to,
		the_time_is_over,
		nobody_moves_where_it_is_not_possible,
		the_old_shard_dies,
		the_old_shard_dies_and_all_is_said,
		the_new_shard_dies,
		a_shard_dies_when_all_was_said,
		a_shard_dies_that_owes_a_word,
	};
	const TTest	*const both = both_shards_die;
	Suite	*s = suite_create("journey");
	TCase	*t = tcase_create("journey");
	SRunner	*sr;
	int	 failed;

	tcase_set_timeout(t, 50);
	tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < nitems(tests); i++)
		tcase_add_test(t, tests[i]);
	tcase_add_loop_test(t, both, 0, 2);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

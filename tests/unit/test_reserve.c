/* Second seats of connections that move, against a naive count. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "gatewayd/placement.h"
#include "gatewayd/reserve.h"
#include "gatewayd/verify.h"

#define SITES	5
#define CONNS	120
#define GROUPS	4
#define UIDS	6

static struct placement	*p;
static struct site	*sites[SITES];
static uint64_t		 next_id, born;
static int		 made, ended;

static void
made_cb(struct replica *r, void *arg)
{
	(void)arg;
	ck_assert_uint_eq(r->count + r->over, 1);
	made++;
}

static void
ended_cb(struct replica *r, void *arg)
{
	(void)arg;
	ck_assert_uint_eq(r->count + r->over, 0);
	ended++;
}

static const struct placement_ops ops = {
	.replica_made = made_cb, .replica_ended = ended_cb
};

static void
setup(void)
{
	p = placement_new(7, &ops, NULL);
	ck_assert_ptr_nonnull(p);
	next_id = 1;
	made = ended = 0;
	for (uint32_t i = 0; i < SITES; i++)
		sites[i] = placement_site_add(p, i, ++born, 40, &sites[i]);
}

static void
teardown(void)
{
	ck_assert_int_eq(verify_placement(p), 0);
	placement_free(p);
}

static struct place *
placed(const char *group, const char *uid, uint32_t limit, int http)
{
	struct placement_ask	 ask = {
		.id = next_id++, .group = slice_str(group),
		.uid = slice_str(uid), .app = slice_str("chat"),
		.limit = limit, .http = http
	};
	struct place		*place = NULL;

	ck_assert_int_eq(placement_take(p, &ask, &place), PLACED);
	return (place);
}

static struct site *
other(const struct site *s)
{
	return (sites[(s->slot + 1) % SITES]);
}

START_TEST(both_seats_count_until_it_is_known_where_it_is)
{
	struct place	*a = placed("room", "ann", 10, 0);
	struct place	*b = placed("room", "bob", 10, 0);
	struct site	*from = place_site(a), *to = other(from);
	struct replica	*was = a->replica;
	struct reserve	*v = reserve_take(p, a, to);
	int		 last = 7;

	ck_assert_ptr_nonnull(v);
	ck_assert_int_eq(made, 2);
	ck_assert_ptr_eq(reserve_find(p, a->id), v);
	ck_assert_uint_eq(from->count, 2);
	ck_assert_uint_eq(to->count, 1);
	ck_assert_uint_eq(to->expected, 1);
	ck_assert_int_eq(verify_placement(p), 0);
	/* Who comes next of the same uid follows there. */
	ck_assert_ptr_eq(place_site(placed("room", "ann", 10, 0)), to);
	reserve_arrived(v);
	ck_assert_ptr_eq(place_site(a), to);
	ck_assert_uint_eq(to->expected, 0);
	ck_assert_int_eq(verify_placement(p), 0);
	/* All that the old replica has left, it leaves when its shard knows. */
	ck_assert_int_eq(placement_release(p, b->id, &last), 0);
	ck_assert_int_eq(last, 1);
	ck_assert_int_eq(ended, 0);
	ck_assert_uint_eq(was->count, 1);
	reserve_settle(p, v);
	ck_assert_int_eq(ended, 1);
	ck_assert_int_eq(a->moving, 0);
	ck_assert_uint_eq(from->count, 0);
	ck_assert_uint_eq(to->count, 2);
}
END_TEST

START_TEST(a_cancelled_one_leaves_no_trace)
{
	struct place	*a = placed("room", "ann", 10, 0), *n = placed(NULL,
			    NULL, 1, 0);
	struct site	*from = place_site(a), *to = other(from);

	reserve_cancel(p, reserve_take(p, a, to));
	ck_assert_int_eq(made, 2);
	ck_assert_int_eq(ended, 1);
	ck_assert_ptr_eq(place_site(a), from);
	ck_assert_uint_eq(to->expected, 0);
	ck_assert_ptr_eq(place_site(placed("room", "ann", 10, 0)), from);
	from = place_site(n);
	to = other(from);
	reserve_settle(p, reserve_take(p, n, to));
	ck_assert_ptr_eq(place_site(n), to);
	ck_assert_int_eq(made, 2);
}
END_TEST

START_TEST(who_may_not_move_is_told_why)
{
	struct place	*a = placed("room", "ann", 1, 0);
	struct place	*h = placed("room", "web", 1, 1);
	struct place	*b = placed("room", "bob", 1, 0);
	struct site	*to = other(place_site(a));

	ck_assert_ptr_null(reserve_take(p, h, other(place_site(h))));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(reserve_take(p, a, place_site(a)));
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_ptr_null(reserve_take(p, a, place_site(b)));
	ck_assert_int_eq(errno, ENOSPC);
	while (to == place_site(b))
		to = other(to);
	to->leaving = 1;
	ck_assert_ptr_null(reserve_take(p, a, to));
	ck_assert_int_eq(errno, ENOSPC);
	to->leaving = 0;
	ck_assert_ptr_nonnull(reserve_take(p, a, to));
	ck_assert_ptr_null(reserve_take(p, a, to));
	ck_assert_int_eq(errno, EBUSY);
	ck_assert_int_eq(placement_release(p, a->id, NULL), 0);
	ck_assert_uint_eq(to->count, 0);
}
END_TEST

START_TEST(it_ends_there_before_here_is_known)
{
	struct place	*a = placed("room", "ann", 10, 0);
	struct site	*from = place_site(a);
	struct reserve	*v = reserve_take(p, a, other(from));
	uint64_t	 id = a->id;
	int		 last = 7;

	reserve_arrived(v);
	ck_assert_int_eq(placement_release(p, id, &last), 0);
	ck_assert_int_eq(last, 1);
	/* The replica there has ended; the one here waits. */
	ck_assert_int_eq(ended, 1);
	ck_assert_uint_eq(from->count, 1);
	ck_assert_int_eq(verify_placement(p), 0);
	ck_assert_ptr_eq(reserve_find(p, id), v);
	reserve_settle(p, v);
	ck_assert_int_eq(ended, 2);
	ck_assert_uint_eq(from->count, 0);
}
END_TEST

/* As after a gateway's death. */
START_TEST(two_shards_that_name_one_are_a_pair)
{
	struct slice	 room = slice_str("room"), chat = slice_str("chat");
	struct slice	 ann = slice_str("ann"), bob = slice_str("bob");

	ck_assert_int_eq(placement_have_replica(p, sites[0], 7, room, chat, 9),
	    0);
	ck_assert_int_eq(placement_have_replica(p, sites[1], 8, room, chat, 9),
	    0);
	/* Which of them is heard first makes no difference. */
	ck_assert_int_eq(placement_have_place(p, sites[0], 1, 7, ann, 0, 0, 1),
	    0);
	ck_assert_int_eq(placement_have_place(p, sites[1], 1, 8, ann, 0, 0, 0),
	    0);
	ck_assert_int_eq(placement_have_place(p, sites[0], 2, 7, ann, 0, 0, 0),
	    0);
	ck_assert_int_eq(placement_have_place(p, sites[1], 2, 8, ann, 0, 0, 1),
	    0);
	ck_assert_ptr_eq(place_site(placement_find(p, 1)), sites[1]);
	ck_assert_ptr_eq(place_site(placement_find(p, 2)), sites[0]);
	ck_assert_int_eq(verify_placement(p), 0);
	/* A third, one of another uid, and two that both have it. */
	ck_assert_int_eq(placement_have_place(p, sites[1], 1, 8, ann, 0, 0, 0),
	    -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(placement_have_place(p, sites[0], 3, 7, ann, 0, 0, 1),
	    0);
	ck_assert_int_eq(placement_have_place(p, sites[1], 3, 8, bob, 0, 0, 0),
	    -1);
	ck_assert_int_eq(errno, EEXIST);
	ck_assert_int_eq(placement_have_place(p, sites[1], 3, 8, ann, 0, 0, 1),
	    -1);
	ck_assert_int_eq(errno, EEXIST);
	reserve_settle(p, reserve_find(p, 1));
	reserve_settle(p, reserve_find(p, 2));
	ck_assert_uint_eq(sites[0]->count, 2);
	/* One that had it expected arrives when nobody reserved it. */
	reserve_arrived(reserve_force(p, placement_find(p, 3), sites[1],
	    placement_replica(p, 8)));
	reserve_settle(p, reserve_find(p, 3));
	ck_assert_uint_eq(sites[1]->count, 2);
}
END_TEST

/* ---- random lives against a count by looking ---- */

static struct { uint64_t id; int g, u, s, to, arrived, ended; } conns[CONNS];
static int	 n;

static int
draw(int max)
{
	return ((int)(random() % max));
}

static struct reserve *
reservation(int i)
{
	struct reserve	*v = reserve_find(p, conns[i].id);

	ck_assert_int_eq(v != NULL, conns[i].to != -1);
	return (v);
}

/* Seats of g (-2: all) at s; u -1: of everybody. */
static size_t
seats(int g, int u, int s)
{
	size_t	 sum = 0;

	for (int i = 0; i < n; i++) {
		if ((g != -2 && conns[i].g != g) || (u != -1 && conns[i].u != u))
			continue;
		if (u != -1 && conns[i].ended)
			continue;
		sum += !conns[i].ended && (s == -1 || conns[i].s == s);
		sum += conns[i].to != -1 && (s == -1 || conns[i].to == s);
	}
	return (sum);
}

static void
compare(void)
{
	struct list	*e, *tmp, *e2, *tmp2;
	struct group	*g;
	struct replica	*r;
	size_t		 places = 0, expected, replicas = 0, want = 0;

	for (int i = 0; i < n; i++)
		places += !conns[i].ended;
	ck_assert_uint_eq(placement_count(p), places);
	for (int s = 0; s < SITES; s++) {
		ck_assert_uint_eq(sites[s]->count, seats(-2, -1, s));
		expected = 0;
		for (int i = 0; i < n; i++)
			expected += conns[i].to == s && !conns[i].arrived;
		ck_assert_uint_eq(sites[s]->expected, expected);
		for (int k = 0; k < GROUPS; k++)
			want += seats(k, -1, s) > 0;
	}
	list_each(e, tmp, placement_groups(p)) {
		g = list_entry(e, struct group, at);
		list_each(e2, tmp2, &g->replicas) {
			r = list_entry(e2, struct replica, at);
			ck_assert_uint_eq(r->count, seats(g->name[1] - '0', -1,
			    (int)r->site->slot));
			replicas++;
		}
	}
	ck_assert_uint_eq(replicas, want);
	ck_assert_int_eq(made - ended, (int)want);
	ck_assert_int_eq(verify_placement(p), 0);
}

static void
forget(int i)
{
	conns[i] = conns[--n];
}

static void
live_arrive(void)
{
	static char		 names[GROUPS][3] = { "g0", "g1", "g2", "g3" };
	static char		 uids[UIDS][3] = { "u0", "u1", "u2", "u3", "u4",
				    "u5" };
	struct placement_ask	 ask = { .id = next_id++,
				    .app = slice_str("chat"), .limit = 8 };
	struct place		*place;
	int			 g = draw(GROUPS + 1) - 1, u = draw(UIDS);

	if (g >= 0)
		ask.group = slice_str(names[g]);
	ask.uid = slice_str(uids[u]);
	if (placement_take(p, &ask, &place) != PLACED)
		return;
	conns[n].id = ask.id;
	conns[n].g = g, conns[n].u = u, conns[n].to = -1;
	conns[n].arrived = conns[n].ended = 0;
	conns[n++].s = (int)place_site(place)->slot;
}

static void
live_reserve(int i)
{
	struct place	*place = placement_find(p, conns[i].id);
	int		 to = draw(SITES);
	struct reserve	*v = reserve_take(p, place, sites[to]);

	if (v == NULL) {
		ck_assert(to == conns[i].s || conns[i].to != -1 ||
		    seats(-2, -1, to) >= 40 || (conns[i].g >= 0 &&
		    seats(conns[i].g, -1, to) >= 8));
		return;
	}
	ck_assert_int_eq(conns[i].to, -1);
	conns[i].to = to;
	conns[i].arrived = 0;
}

static void
live_release(int i)
{
	int	 last, g = conns[i].g;

	ck_assert_int_eq(placement_release(p, conns[i].id, &last), 0);
	conns[i].ended = 1;
	if (g >= 0)
		ck_assert_int_eq(last, seats(g, conns[i].u, -1) == 0);
	if (conns[i].to == -1 || !conns[i].arrived)
		forget(i);
}

static void
live_step(int i)
{
	struct reserve	*v = reservation(i);
	int		 s = conns[i].s;

	if (v == NULL) {
		if (draw(2))
			live_reserve(i);
		else
			live_release(i);
		return;
	}
	switch (draw(4)) {
	case 0:
		if (conns[i].arrived)
			break;
		reserve_arrived(v);
		conns[i].s = conns[i].to;
		conns[i].to = s;
		conns[i].arrived = 1;
		break;
	case 1:
		reserve_settle(p, v);
		if (conns[i].ended) {
			forget(i);
			break;
		}
		if (!conns[i].arrived)
			conns[i].s = conns[i].to;
		conns[i].to = -1;
		conns[i].arrived = 0;
		break;
	case 2:
		reserve_cancel(p, v);
		if (conns[i].ended) {
			forget(i);
			break;
		}
		conns[i].to = -1;
		conns[i].arrived = 0;
		break;
	default:
		if (!conns[i].ended)
			live_release(i);
	}
}

static void
live_death(void)
{
	int	 s = draw(SITES);

	sites[s]->dead = draw(2);
	placement_site_remove(p, sites[s]);
	for (int i = n - 1; i >= 0; i--) {
		if (conns[i].to == s)
			conns[i].to = -1;
		else if (!conns[i].ended && conns[i].s == s) {
			conns[i].ended = 1;
			if (!conns[i].arrived)
				conns[i].to = -1;
		}
		if (conns[i].to == -1) {
			conns[i].arrived = 0;
			if (conns[i].ended)
				forget(i);
		}
	}
	sites[s] = placement_site_add(p, (uint32_t)s, ++born, 40, &sites[s]);
}

START_TEST(random_lives_agree_with_a_naive_count)
{
	srandom(4712);
	for (int i = 0; i < 100000; i++) {
		if (draw(400) == 0)
			live_death();
		else if (n < CONNS && draw(3) == 0)
			live_arrive();
		else if (n > 0)
			live_step(draw(n));
		if (i % 8 == 0)
			compare();
	}
	for (int s = 0; s < SITES; s++)
		placement_site_remove(p, sites[s]);
	ck_assert_uint_eq(placement_count(p), 0);
	ck_assert_int_eq(made, ended);
}
END_TEST

int
main(void)
{
	const TTest	*const tests[] = {
		both_seats_count_until_it_is_known_where_it_is,
		a_cancelled_one_leaves_no_trace,
		who_may_not_move_is_told_why,
		it_ends_there_before_here_is_known,
		two_shards_that_name_one_are_a_pair,
		random_lives_agree_with_a_naive_count,
	};
	Suite	*s = suite_create("reserve");
	TCase	*t = tcase_create("reserve");
	SRunner	*sr;
	int	 failed;

	tcase_set_timeout(t, 50);
	tcase_add_checked_fixture(t, setup, teardown);
	for (size_t i = 0; i < nitems(tests); i++)
		tcase_add_test(t, tests[i]);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

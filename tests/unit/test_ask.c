/* Questions to other shards: their deadlines, and what many of them cost others. */
#include <errno.h>

#include "loop.h"
#include "shardd/group/ask.h"

static struct list	 mine, other;
static size_t		 done[3], cancelled;	/* by err: 0, ETIMEDOUT; how many */
static uint64_t		 when[8];		/* of the last ones that were late */
static size_t		 nwhen;

/* Links are compared only. */
static char	 peers[4];
#define LINK(i)	((struct link *)(void *)&peers[i])

static void
done_cb(const struct ask *a, int err, void *arg)
{
	(void)a, (void)arg;
	if (err == ECANCELED)
		cancelled++;
	else
		done[err == 0 ? 0 : 1]++;
	if (err == ETIMEDOUT)
		when[nwhen++ % 8] = clock_ms();
}

static struct ask *
ask(struct list *owner, unsigned ms, int link)
{
	struct ask	*a = ask_new(base, owner, ms, 2, done_cb, NULL);

	ck_assert_ptr_nonnull(a);
	ask_add(a, LINK(link), (uint64_t)link + 1);
	ask_go(a);
	return (a);
}

static void
setup(void)
{
	base = event_base_new();
	list_init(&mine);
	list_init(&other);
	memset(done, 0, sizeof(done));
	cancelled = nwhen = 0;
}

static void
teardown(void)
{
	ask_cancel(&mine);
	ask_cancel(&other);
	event_base_free(base);
}

START_TEST(each_is_late_at_its_own_time)
{
	static const unsigned	 ms[] = { 300, 60, 180 };
	uint64_t		 since = clock_ms();

	for (size_t i = 0; i < nitems(ms); i++)
		ask(&mine, ms[i], 0);
	until(done[1] == 3, 5000);
	for (size_t i = 0; i < nitems(ms); i++) {
		static const unsigned	 order[] = { 60, 180, 300 };

		ck_assert_uint_ge(when[i] - since, order[i]);
		ck_assert(i == 0 || when[i] > when[i - 1]);
	}
	ck_assert(list_empty(&mine));
}
END_TEST

/* The best of some tries: a machine may have other work. */
START_TEST(nobody_waits_much_longer_than_the_deadline)
{
	uint64_t	 best = UINT64_MAX, since;

	for (size_t i = 0; i < 8; i++) {
		since = clock_ms();
		ask(&mine, 30, 0);
		until(done[1] == i + 1, 2000);
		if (clock_ms() - since < best)
			best = clock_ms() - since;
	}
	ck_assert_uint_le(best, 30 + 45);
}
END_TEST

/* In a wheel of 20 s one of more: it is looked at, and not taken for late. */
START_TEST(one_that_takes_longer_than_the_wheel_is_not_late_before)
{
	struct ask	*far = ask(&mine, 20480 + 40, 0);

	ask(&mine, 200, 0);
	until(done[1] == 1, 5000);
	ck_assert(ask_is_open(far->id));
	ask_answer(far->id, LINK(0), slice_of(NULL, 0), 0);
	until(done[0] == 1, 1000);
}
END_TEST

START_TEST(nobody_asks_for_a_while)
{
	uint64_t	 rest = clock_ms() + 100;

	ask(&mine, 20, 0);
	until(done[1] == 1, 2000);
	until(clock_ms() >= rest, 2000);
	ask(&mine, 20, 0);
	until(done[1] == 2, 2000);
}
END_TEST

START_TEST(only_the_owners_are_cancelled)
{
	ask(&mine, 5000, 0);
	ask(&other, 5000, 0);
	ask_cancel(&mine);
	ck_assert_uint_eq(cancelled, 1);
	ck_assert(list_empty(&mine) && !list_empty(&other));
	ask_cancel(&other);
	ck_assert_uint_eq(cancelled, 2);
}
END_TEST

START_TEST(one_that_is_done_already_is_cancelled_once)
{
	struct ask	*a = ask(&mine, 5000, 0);

	ask_answer(a->id, LINK(0), slice_of(NULL, 0), 0);
	ck_assert_uint_eq(done[0], 0);		/* at the end of the turn */
	ask_cancel(&mine);
	ck_assert_uint_eq(cancelled, 1);
	turn();
	ck_assert_uint_eq(done[0], 0);
}
END_TEST

START_TEST(neighbours_and_links_end)
{
	ask(&mine, 5000, 0);
	ask(&mine, 5000, 1);
	ask(&other, 5000, 0);
	ask_neighbour_gone(&mine, 1);
	until(done[0] == 1, 1000);
	ask_link_lost(LINK(1), 0);
	until(done[1] == 1, 1000);
	ck_assert(!list_empty(&other));
	ask_link_lost(LINK(0), 1);
	until(done[0] == 2, 1000);
}
END_TEST

/* done ends its owner, as it may. */
static void
end_cb(const struct ask *a, int err, void *arg)
{
	(void)a, (void)err, (void)arg;
	done[0]++;
	ask_cancel(&mine);
}

START_TEST(the_owner_may_end_within_done)
{
	struct ask	*a = ask_new(base, &mine, 5000, 1, end_cb, NULL);

	ask(&mine, 5000, 0);
	ask_go(a);
	until(done[0] == 1, 1000);
	ck_assert_uint_eq(cancelled, 1);
	ck_assert(list_empty(&mine));
}
END_TEST

/*
 * Fifty thousand wait for a shard that says nothing; what others ask, with a shorter
 * deadline, costs what it costs when nobody waits, and so does an owner's end.  With a
 * walk along those that wait it is some hundred times as much.
 */
static uint64_t
cost(void)
{
	uint64_t	 best = UINT64_MAX, t;

	for (int i = 0; i < 5; i++) {
		t = clock_ns();
		for (int k = 0; k < 200; k++) {
			ask(&other, 2000, 1);
			ask_cancel(&other);
		}
		if ((t = clock_ns() - t) < best)
			best = t;
	}
	return (best);
}

START_TEST(many_that_wait_cost_others_nothing)
{
	uint64_t	 alone = cost(), among;

	for (int i = 0; i < 50000; i++)
		ask(&mine, 10000, 0);
	among = cost();
	ck_assert_uint_lt(among, 30 * alone + 1000000);
	ask_cancel(&mine);
	ck_assert_uint_eq(cancelled, 50000 + 2000);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("ask");
	TCase	*tc = tcase_create("ask");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, each_is_late_at_its_own_time);
	tcase_add_test(tc,
	    one_that_takes_longer_than_the_wheel_is_not_late_before);
	tcase_add_test(tc, nobody_waits_much_longer_than_the_deadline);
	tcase_add_test(tc, nobody_asks_for_a_while);
	tcase_add_test(tc, only_the_owners_are_cancelled);
	tcase_add_test(tc, one_that_is_done_already_is_cancelled_once);
	tcase_add_test(tc, neighbours_and_links_end);
	tcase_add_test(tc, the_owner_may_end_within_done);
	tcase_add_test(tc, many_that_wait_cost_others_nothing);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

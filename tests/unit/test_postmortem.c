#include <check.h>
#include <stdlib.h>

#include "gatewayd/postmortem.h"

static struct postmortem	 p;

static unsigned
blame(const char *group, uint64_t origin, uint64_t number, uint64_t who)
{
	return (postmortem_blame(&p, slice_str("app"), slice_str(group), origin,
	    number, who));
}

static size_t
condemned(const char *app, const char *group)
{
	const struct suspect	*s = NULL;
	size_t			 n = 0;

	while ((s = postmortem_next(&p, slice_str(app), slice_str(group), s)) !=
	    NULL)
		n++;
	return (n);
}

START_TEST(the_second_death_condemns)
{
	const struct suspect	*s;

	ck_assert_uint_eq(blame("g", 7, 3, 100), 1);
	ck_assert_uint_eq(condemned("app", "g"), 0);
	ck_assert_uint_eq(blame("g", 7, 3, 101), 2);
	s = postmortem_next(&p, slice_str("app"), slice_str("g"), NULL);
	ck_assert_ptr_nonnull(s);
	ck_assert_uint_eq(s->origin, 7);
	ck_assert_uint_eq(s->number, 3);
	ck_assert_uint_eq(condemned("app", "g"), 1);
}
END_TEST

START_TEST(a_shard_that_hangs_and_then_dies_counts_once)
{
	ck_assert_uint_eq(blame("g", 7, 3, 100), 1);
	ck_assert_uint_eq(blame("g", 7, 3, 100), 1);
	ck_assert_uint_eq(condemned("app", "g"), 0);
}
END_TEST

START_TEST(who_was_slow_does_not_count)
{
	blame("g", 7, 3, 100);
	postmortem_absolve(&p, 99);
	postmortem_absolve(&p, 100);
	postmortem_absolve(&p, 100);
	ck_assert_uint_eq(blame("g", 7, 3, 101), 1);
	ck_assert_uint_eq(blame("g", 7, 3, 100), 2);
	postmortem_absolve(&p, 100);		/* too late */
	ck_assert_uint_eq(condemned("app", "g"), 1);
}
END_TEST

START_TEST(steps_groups_and_applications_are_told_apart)
{
	blame("g", 7, 3, 100);
	ck_assert_uint_eq(blame("g", 7, 4, 101), 1);
	ck_assert_uint_eq(blame("g", 8, 3, 101), 1);
	ck_assert_uint_eq(blame("h", 7, 3, 101), 1);
	ck_assert_uint_eq(postmortem_blame(&p, slice_str("appg"), slice_str(""),
	    7, 3, 101), 1);
	ck_assert_uint_eq(blame("g", 7, 3, 102), 2);
	ck_assert_uint_eq(condemned("app", "g"), 1);
	ck_assert_uint_eq(condemned("app", "h"), 0);
	ck_assert_uint_eq(condemned("other", "g"), 0);
	/* Two that take turns are both found. */
	blame("g", 8, 3, 103);
	ck_assert_uint_eq(condemned("app", "g"), 2);
}
END_TEST

START_TEST(only_the_latest_are_remembered)
{
	blame("g", 1, 1, 1);
	blame("g", 1, 1, 2);
	for (uint64_t i = 2; i < 2 + POSTMORTEM_SUSPECTS; i++)
		blame("g", i, 1, 3);
	ck_assert_uint_eq(p.n, POSTMORTEM_SUSPECTS);
	ck_assert_uint_eq(condemned("app", "g"), 0);
}
END_TEST

static void
begin(void)
{
	postmortem_init(&p);
}

static void
end(void)
{
	postmortem_clear(&p);
}

int
main(void)
{
	Suite	*s = suite_create("postmortem");
	TCase	*t = tcase_create("postmortem");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, begin, end);
	tcase_add_test(t, the_second_death_condemns);
	tcase_add_test(t, a_shard_that_hangs_and_then_dies_counts_once);
	tcase_add_test(t, who_was_slow_does_not_count);
	tcase_add_test(t, steps_groups_and_applications_are_told_apart);
	tcase_add_test(t, only_the_latest_are_remembered);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? 0 : 1);
}

#include <check.h>
#include <stdio.h>

#include "shardd/state/loads.h"

#define BIG	(10 * 1000 * 1000)	/* bytes: a second */

static struct loads	 loads;

START_TEST(a_big_state_rests_in_proportion)
{
	loads_begin(&loads, "big");
	loads_end(&loads, "big", BIG, 5000);
	ck_assert_uint_eq(loads_rest(&loads, "big", 5000), 1000);
	ck_assert_uint_eq(loads_rest(&loads, "big", 5999), 1);
	ck_assert_uint_eq(loads_rest(&loads, "big", 6000), 0);
	loads_end(&loads, "big", BIG / 10, 7000);
	ck_assert_uint_eq(loads_rest(&loads, "big", 7000), 100);
	loads_end(&loads, "big", 100 * (size_t)BIG, 8000);
	ck_assert_uint_eq(loads_rest(&loads, "big", 8000), LOADS_REST_MAX);
}
END_TEST

START_TEST(others_and_small_ones_do_not)
{
	loads_end(&loads, "big", BIG, 5000);
	ck_assert_uint_eq(loads_rest(&loads, "other", 5000), 0);
	loads_begin(&loads, "small");
	loads_end(&loads, "small", LOADS_SMALL, 5000);
	ck_assert_uint_eq(loads_rest(&loads, "small", 5000), 0);
	loads_begin(&loads, "failed");
	loads_end(&loads, "failed", 0, 5000);
	ck_assert_uint_eq(loads_rest(&loads, "failed", 5000), 0);
	loads_end(&loads, "never begun", 0, 5000);
}
END_TEST

START_TEST(one_reading_of_a_state_at_a_time)
{
	loads_begin(&loads, "a");
	ck_assert_uint_eq(loads_rest(&loads, "a", 1), LOADS_LOOK);
	ck_assert_uint_eq(loads_rest(&loads, "a", 1u << 30), LOADS_LOOK);
	ck_assert_uint_eq(loads_rest(&loads, "b", 1), 0);
}
END_TEST

START_TEST(many_names_drive_no_long_rest_out)
{
	char	 name[24];

	loads_end(&loads, "big", BIG, 5000);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		loads_end(&loads, name, LOADS_SMALL + 1, 5000);
		loads_begin(&loads, name);
		loads_end(&loads, name, 0, 5000);
	}
	ck_assert_uint_ge(loads_rest(&loads, "big", 5000), 1000);
	/* All rows are being read: one more is not noted, and nothing is lost. */
	for (int i = 0; i < 2 * LOADS_KEPT; i++) {
		snprintf(name, sizeof(name), "r%d", i);
		loads_begin(&loads, name);
	}
	ck_assert_uint_eq(loads_rest(&loads, "r0", 5000), LOADS_LOOK);
	ck_assert_uint_eq(loads_rest(&loads, name, 5000), 0);
	loads_end(&loads, name, BIG, 5000);
	ck_assert_uint_eq(loads_rest(&loads, name, 5000), 0);
}
END_TEST

START_TEST(several_by_turns_get_no_more)
{
	static const char *const	 names[] = { "a", "b", "c", "d" };
	uint64_t			 now = 100000, rest;
	unsigned			 n;

	/* The first 5 s of rest are of one state, and of each alone. */
	for (n = 0; n < 5; n++)
		loads_end(&loads, "big", BIG, now);
	ck_assert_uint_eq(loads_rest(&loads, "big", now), 1000);
	loads_end(&loads, "a", BIG, now);
	loads_end(&loads, "b", BIG, now);
	ck_assert_uint_eq(loads_rest(&loads, "a", now), 1000);
	ck_assert_uint_eq(loads_rest(&loads, "b", now), 2000);
	ck_assert_uint_eq(loads_rest(&loads, "unknown", now), 0);
	/* A minute of somebody who reads whatever may be read. */
	for (n = 0; now < 160000; now++)
		for (size_t i = 0; i < 4; i++)
			if (loads_rest(&loads, names[i], now) == 0) {
				loads_end(&loads, names[i], BIG, now);
				n++;
			}
	ck_assert_uint_ge(n, 55);
	ck_assert_uint_le(n, 64);
	/* The sum has its end, and a state that was alone is as before. */
	for (n = 0; n < 1000; n++)
		loads_end(&loads, "a", BIG, now);
	rest = loads_rest(&loads, "a", now);
	ck_assert_uint_eq(rest, LOADS_ALL_MAX);
	now += rest + LOADS_CREDIT;
	loads_end(&loads, "a", BIG, now);
	ck_assert_uint_eq(loads_rest(&loads, "a", now), 1000);
}
END_TEST

/* Each test begins with none. */
static void
end(void)
{
	loads_clear(&loads);
}

int
main(void)
{
	Suite	*s = suite_create("loads");
	TCase	*t = tcase_create("loads");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, NULL, end);
	tcase_add_test(t, a_big_state_rests_in_proportion);
	tcase_add_test(t, others_and_small_ones_do_not);
	tcase_add_test(t, one_reading_of_a_state_at_a_time);
	tcase_add_test(t, many_names_drive_no_long_rest_out);
	tcase_add_test(t, several_by_turns_get_no_more);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

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
	ck_assert_uint_eq(loads_rest(&loads, "big", 5000), 1000);
	/* All rest longer: one that is short is not noted. */
	for (int i = 0; i < LOADS_KEPT; i++) {
		snprintf(name, sizeof(name), "b%d", i);
		loads_end(&loads, name, BIG, 5000);
	}
	loads_end(&loads, "short", LOADS_SMALL + 1, 5000);
	ck_assert_uint_eq(loads_rest(&loads, "short", 5000), 0);
	ck_assert_uint_eq(loads_rest(&loads, "b0", 5000), 1000);
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
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

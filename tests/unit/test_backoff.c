#include <check.h>

#include "common/backoff.h"

START_TEST(delays_double_up_to_the_maximum)
{
	static const uint32_t	 steps[] = { 50, 100, 200, 400, 800, 1000,
				    1000, 1000 };
	struct backoff		 b;

	for (int round = 0; round < 100; round++) {
		backoff_init(&b, 50, 1000);
		for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
			uint32_t	 ms = backoff_next(&b);

			ck_assert_uint_ge(ms, steps[i] / 2);
			ck_assert_uint_le(ms, steps[i]);
		}
	}
}
END_TEST

START_TEST(the_upper_half_is_drawn_evenly)
{
	struct backoff	 b;
	int		 low = 0;

	for (int i = 0; i < 4000; i++) {
		backoff_init(&b, 1000, 1000);
		low += backoff_next(&b) < 750;
	}
	/* 2000 expected; 10 standard deviations of room. */
	ck_assert_int_gt(low, 2000 - 320);
	ck_assert_int_lt(low, 2000 + 320);
}
END_TEST

START_TEST(a_reset_begins_anew)
{
	struct backoff	 b;

	backoff_init(&b, 10, 100000);
	for (int i = 0; i < 10; i++)
		backoff_next(&b);
	ck_assert_uint_gt(backoff_next(&b), 10);
	backoff_reset(&b);
	ck_assert_uint_le(backoff_next(&b), 10);
}
END_TEST

START_TEST(the_largest_steps_do_not_overflow)
{
	struct backoff	 b;

	backoff_init(&b, UINT32_MAX / 2 + 2, UINT32_MAX);
	for (int i = 0; i < 5; i++)
		ck_assert_uint_gt(backoff_next(&b), UINT32_MAX / 4);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("backoff");
	TCase	*t = tcase_create("backoff");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, delays_double_up_to_the_maximum);
	tcase_add_test(t, the_upper_half_is_drawn_evenly);
	tcase_add_test(t, a_reset_begins_anew);
	tcase_add_test(t, the_largest_steps_do_not_overflow);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

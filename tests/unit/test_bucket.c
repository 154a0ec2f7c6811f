/* A token bucket. */
#include <check.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/bucket.h"

START_TEST(a_fresh_bucket_is_full)
{
	struct bucket	 b = { 0, 0 };

	ck_assert_int_eq(bucket_take(&b, 1000000, 1, 3, 3), 1);
	ck_assert_int_eq(bucket_take(&b, 1000000, 1, 3, 1), 0);
}
END_TEST

START_TEST(it_refills_at_its_rate_and_no_further_than_its_burst)
{
	struct bucket	 b = { 0, 0 };
	uint64_t	 now = 1000000;

	ck_assert_int_eq(bucket_take(&b, now, 10, 5, 5), 1);
	ck_assert_int_eq(bucket_take(&b, now + 99, 10, 5, 1), 0);
	ck_assert_int_eq(bucket_take(&b, now + 100, 10, 5, 1), 1);
	ck_assert_int_eq(bucket_take(&b, now + 100, 10, 5, 1), 0);
	now += 3600000;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(bucket_take(&b, now, 10, 5, 1), 1);
	ck_assert_int_eq(bucket_take(&b, now, 10, 5, 1), 0);
}
END_TEST

START_TEST(what_is_refused_takes_nothing)
{
	struct bucket	 b = { 0, 0 };

	ck_assert_int_eq(bucket_take(&b, 5000, 1, 4, 5), 0);
	ck_assert_int_eq(bucket_take(&b, 5000, 1, 4, 4), 1);
}
END_TEST

START_TEST(extremes_do_not_wrap)
{
	struct bucket	 b = { 0, 0 };

	ck_assert_int_eq(bucket_take(&b, UINT64_MAX, UINT32_MAX, UINT32_MAX,
	    UINT32_MAX), 1);
	ck_assert_int_eq(bucket_take(&b, UINT64_MAX, UINT32_MAX, UINT32_MAX,
	    1), 0);
}
END_TEST

START_TEST(a_large_one_has_its_turn_among_many_small_ones_and_is_paid_off)
{
	struct bucket	 b = { 0, 0 };
	uint64_t	 now = 1000000, given = 100;
	int		 large = 0;

	/* All that comes in goes out at once, to small ones. */
	ck_assert_int_eq(bucket_lend(&b, now, 10, 100, 100), 1);
	ck_assert_int_eq(bucket_lend(&b, now, 10, 100, 1), 0);
	for (int i = 0; i < 1000 && !large; i++) {
		now += 50;
		large = bucket_lend(&b, now, 10, 100, 300);
		given += large ? 300 : 0;
		given += bucket_lend(&b, now, 10, 100, 1) ? 1 : 0;
	}
	ck_assert(large);
	/* Then nothing, for as long as it takes; and on the whole no more than ever. */
	for (int i = 0; i < 1000; i++) {
		now += 100;
		given += bucket_lend(&b, now, 10, 100, 1) ? 1 : 0;
	}
	ck_assert_uint_le(given, 100 + 10 * (now - 1000000) / 1000 + 1);
	ck_assert_uint_ge(given + 2, 10 * (now - 1000000) / 1000);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("bucket");
	TCase	*t = tcase_create("bucket");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_test(t, a_fresh_bucket_is_full);
	tcase_add_test(t, it_refills_at_its_rate_and_no_further_than_its_burst);
	tcase_add_test(t, what_is_refused_takes_nothing);
	tcase_add_test(t, extremes_do_not_wrap);
	tcase_add_test(t,
	    a_large_one_has_its_turn_among_many_small_ones_and_is_paid_off);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

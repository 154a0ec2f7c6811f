/* What has come already is known by its number. */
#include <check.h>
#include <stdlib.h>

#include "shardd/events/once.h"

START_TEST(each_number_is_new_once)
{
	struct once	 o = { 0 };
	uint8_t		 seen[5000] = { 0 };

	srand(1);
	for (unsigned i = 0; i < 5000; i++) {
		/* In order, but for some hundred that come late or again. */
		unsigned	 back = rand() % 3 == 0 ? rand() % 500 : 0;
		unsigned	 n = i < back ? 0 : i - back;

		ck_assert_int_eq(once(&o, 7, n + 1), !seen[n]);
		seen[n] = 1;
	}
}
END_TEST

START_TEST(after_a_leap_nothing_is_lost)
{
	struct once	 o = { 0 };

	ck_assert_int_eq(once(&o, 7, 1), 1);
	ck_assert_int_eq(once(&o, 7, 1000000), 1);
	ck_assert_int_eq(once(&o, 7, 1000000), 0);
	ck_assert_int_eq(once(&o, 7, 999999), 1);
	ck_assert_int_eq(once(&o, 7, 999999), 0);
	ck_assert_int_eq(once(&o, 7, 1), 1);	/* long ago: not known */
	ck_assert_int_eq(once(&o, 7, 1000000 + ONCE_BITS), 1);
	ck_assert_int_eq(once(&o, 7, 1000001), 1);
	ck_assert_int_eq(once(&o, 7, 1000001), 0);
	ck_assert_int_eq(once(&o, 7, UINT64_MAX), 1);
	ck_assert_int_eq(once(&o, 7, UINT64_MAX), 0);
}
END_TEST

START_TEST(another_epoch_begins_anew)
{
	struct once	 o = { 0 };

	ck_assert_int_eq(once(&o, 7, 5), 1);
	ck_assert_int_eq(once(&o, 8, 5), 1);
	ck_assert_int_eq(once(&o, 7, 5), 0);	/* that of before is known, too */
	ck_assert_int_eq(once(&o, 8, 5), 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("once");
	TCase	*t = tcase_create("once");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, each_number_is_new_once);
	tcase_add_test(t, after_a_leap_nothing_is_lost);
	tcase_add_test(t, another_epoch_begins_anew);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

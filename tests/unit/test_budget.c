#include <check.h>
#include <time.h>

#include "common/budget.h"
#include "common/clock.h"

/* Busy for so long by the clock. */
static void
work(uint64_t ns)
{
	uint64_t	 begin = clock_ns();

	while (clock_ns() - begin < ns)
		continue;
}

START_TEST(without_a_limit_it_is_never_over)
{
	budget_set(0);
	budget_charge(UINT64_MAX / 2);
	ck_assert_int_eq(budget_over(), 0);
}
END_TEST

START_TEST(what_is_charged_counts_until_the_turn_is_over)
{
	budget_set(1000);
	budget_begin();
	ck_assert_int_eq(budget_over(), 0);
	budget_charge(999999999);
	ck_assert_int_eq(budget_over(), 0);
	budget_charge(1);
	ck_assert_int_eq(budget_over(), 1);
	ck_assert_int_eq(budget_over(), 1);
	budget_renew();
	ck_assert_int_eq(budget_over(), 0);
}
END_TEST

START_TEST(the_clock_sees_what_is_not_charged)
{
	budget_set(5);
	budget_begin();
	work(6000000);
	ck_assert_int_eq(budget_over(), 1);
	ck_assert_int_eq(budget_over(), 1);
	budget_renew();
	budget_begin();
	ck_assert_int_eq(budget_over(), 0);
}
END_TEST

START_TEST(it_is_not_looked_at_for_each_small_piece)
{
	budget_set(5);
	budget_begin();
	ck_assert_int_eq(budget_over(), 0);	/* looked */
	work(6000000);
	budget_charge(BUDGET_MESSAGE);
	ck_assert_int_eq(budget_over(), 0);
	budget_charge(100000);
	ck_assert_int_eq(budget_over(), 1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("budget");
	TCase	*t = tcase_create("budget");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_test(t, without_a_limit_it_is_never_over);
	tcase_add_test(t, what_is_charged_counts_until_the_turn_is_over);
	tcase_add_test(t, the_clock_sees_what_is_not_charged);
	tcase_add_test(t, it_is_not_looked_at_for_each_small_piece);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

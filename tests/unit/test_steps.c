#include <check.h>
#include <errno.h>

#include "proto/counters.h"
#include "shardd/state/steps.h"

static struct steps	 steps;
static int		 ends[4], nends;

static void
done_cb(int err, void *arg)
{
	*(int *)arg = err;
	nends++;
}

/* The next step, which is sent to head. */
static struct step *
step(int i, uint64_t head)
{
	struct step	*s = steps_add(&steps, slice_str("x"), done_cb, &ends[i]);

	ck_assert_ptr_nonnull(s);
	steps_sent(s, head);
	return (s);
}

static void
setup(void)
{
	static struct counters	 own;

	counters = &own;
	steps_init(&steps);
	nends = 0;
	for (int i = 0; i < 4; i++)
		ends[i] = -1;
}

static void
teardown(void)
{
	steps_end(&steps);
}

START_TEST(a_refusal_is_sure_where_nobody_else_had_it)
{
	struct step	*s = step(0, 100);

	steps_sent(s, 100);			/* again, to the same */
	steps_answered(&steps, 1, EAGAIN, 1);
	ck_assert_int_eq(nends, 1);
	ck_assert_int_eq(ends[0], EAGAIN);
}
END_TEST

START_TEST(what_another_one_had_before_may_have_been_written)
{
	struct step	*s = step(0, 100);

	step(1, 101);
	steps_sent(s, 101);
	steps_answered(&steps, 1, EAGAIN, 1);
	ck_assert_int_eq(ends[0], ETIMEDOUT);
	steps_answered(&steps, 2, EAGAIN, 2);
	ck_assert_int_eq(ends[1], EAGAIN);
}
END_TEST

START_TEST(one_that_comes_back_is_another_one_too)
{
	struct step	*s = step(0, 100);

	steps_sent(s, 101);
	steps_sent(s, 100);
	steps_answered(&steps, 1, EAGAIN, 1);
	ck_assert_int_eq(ends[0], ETIMEDOUT);
}
END_TEST

START_TEST(what_decide_says_is_said_whoever_had_it_before)
{
	struct step	*s = step(0, 100);

	steps_sent(s, 101);
	steps_answered(&steps, 1, ENOSPC, 1);
	ck_assert_int_eq(ends[0], ENOSPC);
}
END_TEST

START_TEST(what_took_effect_is_done_when_all_know)
{
	struct step	*s = step(0, 100);

	step(1, 100);
	steps_sent(s, 101);
	steps_answered(&steps, 2, 0, 7);	/* both */
	ck_assert_int_eq(nends, 0);
	ck_assert_int_eq(steps_settled_to(&steps, 2), 0);
	steps_settled(&steps, 6);
	ck_assert_int_eq(nends, 0);
	steps_settled(&steps, 7);
	ck_assert_int_eq(nends, 2);
	ck_assert_int_eq(ends[0], 0);
	ck_assert_int_eq(ends[1], 0);
	ck_assert_int_ne(steps_none(&steps), 0);
}
END_TEST

START_TEST(of_a_state_only_the_last_refusal_is_known)
{
	step(0, 100);
	step(1, 100);
	step(2, 100);
	steps_recalled(&steps, 2, EAGAIN, 2, 9);
	ck_assert_int_eq(ends[0], ETIMEDOUT);
	ck_assert_int_eq(ends[1], EAGAIN);
	ck_assert_int_eq(nends, 2);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("steps");
	TCase	*tc = tcase_create("steps");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, a_refusal_is_sure_where_nobody_else_had_it);
	tcase_add_test(tc, what_another_one_had_before_may_have_been_written);
	tcase_add_test(tc, one_that_comes_back_is_another_one_too);
	tcase_add_test(tc, what_decide_says_is_said_whoever_had_it_before);
	tcase_add_test(tc, what_took_effect_is_done_when_all_know);
	tcase_add_test(tc, of_a_state_only_the_last_refusal_is_known);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

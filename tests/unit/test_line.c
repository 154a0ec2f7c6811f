#include <check.h>

#include "common/line.h"

static int	 who[1000];

START_TEST(first_come_first_served_however_many)
{
	struct line	 l = { 0 };
	size_t		 in = 0, out = 0;

	ck_assert_ptr_null(line_pop(&l));
	while (out < 1000) {		/* the ring turns, and grows */
		for (int i = 0; i < 7 && in < 1000; i++)
			ck_assert_int_eq(line_push(&l, &who[in++]), 0);
		for (int i = 0; i < 3 && out < in; i++)
			ck_assert_ptr_eq(line_pop(&l), &who[out++]);
	}
	ck_assert_ptr_null(line_pop(&l));
	ck_assert_uint_eq(l.n, 0);
	line_clear(&l);
}
END_TEST

START_TEST(who_has_left_is_passed_over)
{
	struct line	 l = { 0 };

	for (int i = 0; i < 5; i++)
		line_push(&l, &who[i]);
	line_leave(&l, &who[0]);
	line_leave(&l, &who[2]);
	line_leave(&l, &who[4]);
	line_leave(&l, &who[9]);	/* was not in it */
	ck_assert_ptr_eq(line_pop(&l), &who[1]);
	ck_assert_ptr_eq(line_pop(&l), &who[3]);
	ck_assert_ptr_null(line_pop(&l));
	line_clear(&l);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("line");
	TCase	*t = tcase_create("line");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_test(t, first_come_first_served_however_many);
	tcase_add_test(t, who_has_left_is_passed_over);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

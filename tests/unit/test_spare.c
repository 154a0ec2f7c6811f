/* Memory that is kept for the next message. */
#include <check.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/spare.h"

/* Whether anything is kept: not with a sanitizer. */
static int
keeps(void)
{
	void	*p = spare_get(100), *again;

	spare_put(p, 100);
	again = spare_get(100);
	spare_put(again, 100);
	return (p == again);
}

START_TEST(there_is_room_for_every_size)
{
	for (size_t n = 0; n < SPARE_LARGEST + 1000; n += n < 5000 ? 1 : 61) {
		char	*p = spare_get(n);

		ck_assert_ptr_nonnull(p);
		ck_assert_uint_ge(malloc_usable_size(p), n);
		memset(p, 'x', n);
		spare_put(p, n);
	}
}
END_TEST

/* Sizes that share what is kept have room for the largest of them. */
START_TEST(what_is_handed_out_again_is_large_enough)
{
	for (size_t n = 1; n <= SPARE_LARGEST; n += n < 5000 ? 1 : 61)
		for (size_t m = n; m <= SPARE_LARGEST && m < n + n / 3; m +=
		    1 + n / 16) {
			void	*p = spare_get(n);

			spare_put(p, n);
			p = spare_get(m);
			ck_assert_uint_ge(malloc_usable_size(p), m);
			spare_put(p, m);
		}
}
END_TEST

START_TEST(what_was_put_back_last_comes_first)
{
	void	*a, *b;

	if (!keeps())
		return;
	a = spare_get(300);
	b = spare_get(300);
	spare_put(a, 300);
	spare_put(b, 300);
	ck_assert_ptr_eq(spare_get(290), b);
	ck_assert_ptr_eq(spare_get(310), a);
	spare_put(a, 300);
	spare_put(b, 300);
}
END_TEST

START_TEST(it_is_cleared_where_that_is_asked_for)
{
	char	*p = spare_get(500);

	memset(p, 'x', 500);
	spare_put(p, 500);
	p = spare_zero(500);
	for (int i = 0; i < 500; i++)
		ck_assert_int_eq(p[i], 0);
	spare_put(p, 500);
	spare_put(NULL, 500);
}
END_TEST

/* A burst goes back to malloc, of which glibc keeps 7 of a size as used. */
START_TEST(no_more_than_a_bound_is_kept)
{
	enum { SIZE = 1024, KEPT = SPARE_KEEP / SIZE, N = 4 * KEPT };
	static void	*p[N];
	size_t		 before;

	for (size_t i = 0; i < N; i++)
		p[i] = spare_get(SIZE);
	before = mallinfo2().uordblks;
	for (size_t i = 0; i < N; i++)
		spare_put(p[i], SIZE);
	if (!keeps())
		return;
	ck_assert_uint_ge(before - mallinfo2().uordblks,
	    (N - KEPT - 7) * SIZE);
}
END_TEST

START_TEST(more_than_there_is_fails)
{
	if (!keeps())
		return;			/* a sanitizer ends the process */
	ck_assert_ptr_null(spare_get(SIZE_MAX / 2));
	ck_assert_ptr_null(spare_zero(SIZE_MAX / 2));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("spare");
	TCase	*t = tcase_create("spare");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_test(t, there_is_room_for_every_size);
	tcase_add_test(t, what_is_handed_out_again_is_large_enough);
	tcase_add_test(t, what_was_put_back_last_comes_first);
	tcase_add_test(t, it_is_cleared_where_that_is_asked_for);
	tcase_add_test(t, no_more_than_a_bound_is_kept);
	tcase_add_test(t, more_than_there_is_fails);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

#include <check.h>
#include <string.h>

#include "shardd/client/unfinished.h"

#define N	8

static struct unfinished_part	*parts[N];
static int			 gone[N];	/* in which order; 0: not */
static int			 ngone;

static void
evict(void *owner)
{
	gone[*(int *)owner] = ++ngone;
}

static int	 ids[N] = { 0, 1, 2, 3, 4, 5, 6, 7 };

START_TEST(the_largest_pays_first)
{
	struct unfinished	*u = unfinished_new(evict);

	ck_assert_ptr_nonnull(u);
	memset(gone, 0, sizeof(gone));
	ngone = 0;
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(unfinished_set(u, &parts[i], &ids[i],
		    (size_t)100 << i, SIZE_MAX), 0);
	ck_assert_uint_eq(unfinished_sum(u), 100 * 255);
	/* One byte too much, by a small one: the largest goes, no other. */
	ck_assert_int_eq(unfinished_set(u, &parts[0], &ids[0], 101,
	    100 * 255), 0);
	ck_assert_int_eq(gone[7], 1);
	ck_assert_int_eq(ngone, 1);
	ck_assert_uint_eq(unfinished_sum(u), 100 * 127 + 1);
	/* What an evicted one still says does not count. */
	ck_assert_int_eq(unfinished_set(u, &parts[7], &ids[7], 1 << 20,
	    100 * 255), 0);
	ck_assert_uint_eq(unfinished_sum(u), 100 * 127 + 1);
	/* One that shrinks is no longer the largest. */
	ck_assert_int_eq(unfinished_set(u, &parts[6], &ids[6], 1, SIZE_MAX), 0);
	ck_assert_int_eq(unfinished_set(u, &parts[1], &ids[1], 200,
	    unfinished_sum(u) - 1), 0);
	ck_assert_int_eq(gone[5], 2);
	/* Down to nothing, and everybody is free to go. */
	ck_assert_int_eq(unfinished_set(u, &parts[0], &ids[0], 5, 0), 0);
	ck_assert_int_eq(ngone, N);
	ck_assert_uint_eq(unfinished_sum(u), 0);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(unfinished_set(u, &parts[i], &ids[i], 0, 0), 0);
		ck_assert_ptr_null(parts[i]);
	}
	unfinished_free(u);
}
END_TEST

START_TEST(of_alike_the_longest_there_pays)
{
	struct unfinished	*u = unfinished_new(evict);

	memset(gone, 0, sizeof(gone));
	ngone = 0;
	for (int i = 0; i < N; i++)
		unfinished_set(u, &parts[i], &ids[i], 1000, SIZE_MAX);
	unfinished_set(u, &parts[3], &ids[3], 1001, 8000);
	ck_assert_int_eq(gone[0], 1);
	ck_assert_int_eq(ngone, 1);
	for (int i = 0; i < N; i++)
		unfinished_set(u, &parts[i], &ids[i], 0, 0);
	unfinished_free(u);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("unfinished");
	TCase	*t = tcase_create("unfinished");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, the_largest_pays_first);
	tcase_add_test(t, of_alike_the_longest_there_pays);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

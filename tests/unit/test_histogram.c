#include <check.h>
#include <stdlib.h>

#include "common/histogram.h"

START_TEST(each_duration_is_in_the_bucket_of_its_bound)
{
	uint64_t	 cells[HISTOGRAM_CELLS] = { 0 }, sum = 0;

	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		histogram_add(cells, histogram_bounds[i]);
		ck_assert_uint_eq(cells[i], 1);
		histogram_add(cells, histogram_bounds[i] + 1);
		ck_assert_uint_eq(cells[i + 1], 1);
		cells[i] = cells[i + 1] = 0;
		sum += 2 * histogram_bounds[i] + 1;
	}
	ck_assert_uint_eq(cells[HISTOGRAM_SUM], sum);
}
END_TEST

START_TEST(the_texts_say_the_bounds)
{
	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++)
		ck_assert_uint_eq((uint64_t)(strtod(histogram_texts[i],
		    NULL) * 1e9 + 0.5), histogram_bounds[i]);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("histogram");
	TCase	*t = tcase_create("histogram");
	SRunner	*r = srunner_create(s);
	int	 failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, each_duration_is_in_the_bucket_of_its_bound);
	tcase_add_test(t, the_texts_say_the_bounds);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

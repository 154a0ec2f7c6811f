#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "proto/counters.h"

static int
ends(const char *name, const char *end)
{
	size_t	 n = strlen(name), m = strlen(end);

	return (n > m && strcmp(name + n - m, end) == 0);
}

static void
check_row(const struct counter_row *row)
{
	ck_assert_msg(strncmp(row->name, "kennel_", 7) == 0, "%s", row->name);
	ck_assert_ptr_nonnull(row->help);
	/* The conventions of Prometheus. */
	ck_assert_msg(ends(row->name, "_total") ==
	    (row->type == METRIC_COUNTER), "%s", row->name);
	ck_assert_msg(row->type != METRIC_HISTOGRAM ||
	    (ends(row->name, "_seconds") && row->n == HISTOGRAM_CELLS), "%s",
	    row->name);
	ck_assert_msg(row->type == METRIC_HISTOGRAM ||
	    (row->label == NULL) == (row->n == 1), "%s", row->name);
	for (unsigned k = 0; row->label != NULL && k < row->n; k++)
		ck_assert_msg(row->values[k] != NULL, "%s", row->name);
}

START_TEST(no_cell_is_of_two_rows)
{
	int	 used[COUNTERS_MAX] = { 0 };

	for (size_t i = 0; i < counter_nrows; i++) {
		check_row(&counter_rows[i]);
		for (unsigned k = 0; k < counter_rows[i].n; k++)
			ck_assert_msg(++used[counter_rows[i].at + k] == 1,
			    "%s", counter_rows[i].name);
	}
}
END_TEST

START_TEST(an_application_has_a_row_for_each_cell)
{
	ck_assert_uint_eq(counter_napp_rows, COUNTER_APP_N);
	for (size_t i = 0; i < counter_napp_rows; i++) {
		check_row(&counter_app_rows[i]);
		ck_assert_uint_eq(counter_app_rows[i].at, i);
	}
}
END_TEST

START_TEST(names_are_there_once)
{
	for (size_t i = 0; i < counter_nrows; i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(counter_rows[i].name,
			    counter_rows[k].name);
}
END_TEST

START_TEST(too_many_applications_share_the_last)
{
	ck_assert_ptr_ne(counter_app(0), counter_app(1));
	ck_assert_ptr_eq(counter_app(COUNTERS_APPS - 1),
	    counter_app(COUNTERS_APPS + 7));
}
END_TEST

START_TEST(counting_adds)
{
	counter_add(COUNTER_LINK_LOST, 2);
	counter_add(COUNTER_LINK_LOST, 3);
	ck_assert_uint_eq(counters->cells[COUNTER_LINK_LOST], 5);
	counter_set(COUNTER_LINKS, 7);
	counter_set(COUNTER_LINKS, 4);
	ck_assert_uint_eq(counters->cells[COUNTER_LINKS], 4);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("counters");
	TCase	*t = tcase_create("counters");
	SRunner	*r = srunner_create(s);
	int	 failed;

	suite_add_tcase(s, t);
	tcase_add_test(t, no_cell_is_of_two_rows);
	tcase_add_test(t, an_application_has_a_row_for_each_cell);
	tcase_add_test(t, names_are_there_once);
	tcase_add_test(t, too_many_applications_share_the_last);
	tcase_add_test(t, counting_adds);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

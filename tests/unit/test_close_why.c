#include <check.h>
#include <string.h>

#include "proto/close_why.h"

START_TEST(every_reason_has_a_code_a_label_and_a_sentence)
{
	enum close_why	why = (enum close_why)_i;
	const char	*sentence = close_sentence(why);

	if (why != CLOSE_NONE)
		ck_assert(close_code(why) >= 1000 && close_code(why) <= 1014);
	ck_assert_uint_gt(strlen(sentence), 1);
	ck_assert_int_eq(sentence[strlen(sentence) - 1], '.');
	/* It is a metric's label: no two alike, nothing to escape. */
	ck_assert_uint_eq(strspn(close_label(why),
	    "abcdefghijklmnopqrstuvwxyz0123456789-"),
	    strlen(close_label(why)));
	for (int i = 0; i < _i; i++)
		ck_assert_str_ne(close_label(why),
		    close_label((enum close_why)i));
}
END_TEST

START_TEST(what_is_not_in_the_table_reads_as_unknown)
{
	ck_assert_str_eq(close_label(CLOSE_NWHYS), "unknown");
	ck_assert_uint_eq(close_code((enum close_why)-1), 1011);
	ck_assert_str_ne(close_sentence((enum close_why)12345), "");
}
END_TEST

START_TEST(some_codes_are_promised)
{
	ck_assert_uint_eq(close_code(CLOSE_GOING), 1001);
	ck_assert_uint_eq(close_code(CLOSE_UTF8), 1007);
	ck_assert_uint_eq(close_code(CLOSE_TOO_BIG), 1009);
	ck_assert_uint_eq(close_code(CLOSE_NO_PLACE), 1013);
	ck_assert_str_eq(close_label(CLOSE_SHARD_DIED), "shard-died");
}
END_TEST

/* What README.md and kennel.h promise of the callbacks. */
START_TEST(errors_and_what_is_awaited_are_columns)
{
	static const enum close_why	 errors[] = { CLOSE_RESET,
		CLOSE_PROTOCOL, CLOSE_UTF8, CLOSE_TOO_BIG, CLOSE_SLOW, CLOSE_IDLE,
		CLOSE_TIMEOUT, CLOSE_NO_MEMORY, CLOSE_ERROR, CLOSE_RATE,
		CLOSE_CROWDED, CLOSE_BAD_DATA };
	size_t	 n = 0;

	for (int i = 0; i < CLOSE_NWHYS; i++) {
		n += close_is_error((enum close_why)i) != 0;
		/* A client that did nothing wrong is waited for. */
		if (close_lingers((enum close_why)i))
			ck_assert(close_is_error((enum close_why)i));
	}
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		ck_assert(close_is_error(errors[i]));
	ck_assert_uint_eq(n, sizeof(errors) / sizeof(errors[0]));
	ck_assert(close_lingers(CLOSE_UTF8) && !close_lingers(CLOSE_GOING));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("close_why");
	TCase	*t = tcase_create("close_why");
	SRunner	*r;
	int	 failed;

	tcase_add_loop_test(t,
	    every_reason_has_a_code_a_label_and_a_sentence, 0, CLOSE_NWHYS);
	tcase_add_test(t, what_is_not_in_the_table_reads_as_unknown);
	tcase_add_test(t, some_codes_are_promised);
	tcase_add_test(t, errors_and_what_is_awaited_are_columns);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

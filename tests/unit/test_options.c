#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/options.h"

/* What each gateway says, whether or not it has been said before. */
static void
said(struct options *o, const char *key, const char *value)
{
	ck_assert_int_eq(options_set(o, slice_str(key), slice_str(value)), 0);
}

START_TEST(text_that_was_given_out_stays_when_gateways_come_and_go)
{
	struct options	 o;
	const char	*first, *second;

	options_init(&o);
	said(&o, "cluster_key", "a key of the cluster");
	first = options_get(&o, "cluster_key");
	said(&o, "cluster_key", "a key of the cluster");
	ck_assert_ptr_eq(options_get(&o, "cluster_key"), first);
	said(&o, "cluster_key", "another key of that");
	second = options_get(&o, "cluster_key");
	ck_assert_str_eq(second, "another key of that");
	said(&o, "cluster_key", "a third one, and so on");
	said(&o, "uplinks", "whatever takes their memory");
	ck_assert_str_eq(first, "a key of the cluster");
	ck_assert_str_eq(second, "another key of that");
	options_clear(&o);
	ck_assert_ptr_null(options_get(&o, "cluster_key"));
}
END_TEST

START_TEST(number_is_the_last_that_could_be_read)
{
	struct options	 o;

	options_init(&o);
	said(&o, "whisper_ask", "3");
	said(&o, "whisper_ask", "three");
	ck_assert_uint_eq(o.whisper_ask, 3);
	said(&o, "whisper_ask", "4");
	ck_assert_uint_eq(o.whisper_ask, 4);
	options_clear(&o);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("options");
	TCase	*tc = tcase_create("options");
	SRunner	*sr;
	int	 failed;

	tcase_add_test(tc,
	    text_that_was_given_out_stays_when_gateways_come_and_go);
	tcase_add_test(tc, number_is_the_last_that_could_be_read);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

#include <check.h>
#include <stdlib.h>

#include "proto/ws_accept.h"

START_TEST(the_example_of_the_rfc)
{
	char	 text[WS_ACCEPT_LEN + 1];

	ck_assert_int_eq(ws_accept(text,
	    slice_str("dGhlIHNhbXBsZSBub25jZQ==")), 0);
	ck_assert_str_eq(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
END_TEST

START_TEST(a_key_is_16_bytes_in_base64)
{
	static const struct {
		const char	*key;
		int		 ok;
	} rows[] = {
		{ "dGhlIHNhbXBsZSBub25jZQ==", 1 },
		{ "+/+/+/+/+/+/+/+/+/+/+A==", 1 },
		{ "", 0 },
		{ "dGhlIHNhbXBsZSBub25jZQ=", 0 },
		{ "dGhlIHNhbXBsZSBub25jZQ===", 0 },
		{ "dGhlIHNhbXBsZSBub25jZQAA", 0 },
		{ "dGhlIHNhbXBsZSBub25jZ===", 0 },
		{ "dGhlIHNhbXBsZSBub25j-_==", 0 },
		{ "dGhl HNhbXBsZSBub25jZQ==", 0 },
		{ "dGhl\xc3\xa9NhbXBsZSBub25jZ==", 0 },
	};

	for (size_t i = 0; i < nitems(rows); i++)
		ck_assert_msg(ws_key_ok(slice_str(rows[i].key)) == rows[i].ok,
		    "%s", rows[i].key);
	ck_assert(!ws_key_ok(slice_of("dGhlIHNhbXBsZSBub25jZ\0==", 24)));
}
END_TEST

START_TEST(no_other_length_of_key_is_answered)
{
	char	 text[WS_ACCEPT_LEN + 1];

	ck_assert_int_eq(ws_accept(text, slice_str("")), -1);
	ck_assert_int_eq(ws_accept(text, slice_str("x")), -1);
	ck_assert_int_eq(ws_accept(text,
	    slice_str("dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==")),
	    -1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("ws_accept");
	TCase	*t = tcase_create("ws_accept");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, the_example_of_the_rfc);
	tcase_add_test(t, a_key_is_16_bytes_in_base64);
	tcase_add_test(t, no_other_length_of_key_is_answered);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

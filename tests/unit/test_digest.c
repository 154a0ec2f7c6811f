/* Names made of credentials. */
#include <check.h>

#include "proto/digest.h"

START_TEST(a_name_is_the_digest_and_says_so)
{
	char	 name[DIGEST_LEN + 1];

	/* FIPS 180-2, appendix B.1 */
	ck_assert_int_eq(digest_name(name, slice_str("abc")), 0);
	ck_assert_str_eq(name, "sha256-ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	ck_assert_uint_eq(strlen(name), DIGEST_LEN);
	ck_assert_int_eq(digest_name(name, slice_of(NULL, 0)), 0);
	ck_assert(digest_is_one(slice_str(name)));
	ck_assert(digest_is_one(slice_str("sha256-")));
	ck_assert(!digest_is_one(slice_str("sha256")));
	ck_assert(!digest_is_one(slice_str("SHA256-x")));
	ck_assert(!digest_is_one(slice_of(NULL, 0)));
}
END_TEST

START_TEST(fields_that_are_credentials_are_known)
{
	ck_assert(digest_is_secret(slice_str("authorization")));
	ck_assert(digest_is_secret(slice_str("COOKIE")));
	ck_assert(digest_is_secret(slice_str("X-Forwarded-Access-Token")));
	ck_assert(digest_is_secret(slice_str("Cf-Access-Jwt-Assertion")));
	ck_assert(!digest_is_secret(slice_str("X-User")));
	ck_assert(!digest_is_secret(slice_str("X-Auth-Request-User")));
	ck_assert(!digest_is_secret(slice_str("toke")));
	ck_assert(!digest_is_secret(slice_of(NULL, 0)));
}
END_TEST

START_TEST(a_group_has_an_id_of_16_digits)
{
	char	 id[DIGEST_GROUP + 1];

	ck_assert_int_eq(digest_group(id, slice_str("")), 0);
	ck_assert_str_eq(id, "e3b0c44298fc1c14");
	ck_assert_int_eq(digest_group(id, slice_of(NULL, 0)), 0);
	ck_assert_str_eq(id, "e3b0c44298fc1c14");
	ck_assert_int_eq(digest_group(id, slice_str("abc")), 0);
	ck_assert_str_eq(id, "ba7816bf8f01cfea");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("digest");
	TCase	*tc = tcase_create("digest");
	SRunner	*sr;
	int	 failed;

	tcase_add_test(tc, a_name_is_the_digest_and_says_so);
	tcase_add_test(tc, fields_that_are_credentials_are_known);
	tcase_add_test(tc, a_group_has_an_id_of_16_digits);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

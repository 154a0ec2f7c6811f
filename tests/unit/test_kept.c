/* The header fields that a connection keeps. */
#include <errno.h>

#include <check.h>

#include "gatewayd/kept.h"
#include "proto/capsule.h"

static const struct { const char *name; int proxied; } names[] = {
	{ "CF-IPCity", 1 }, { "cf-ray", 1 }, { "CFX", 0 }, { "Forwarded", 1 },
	{ "Forwarded-X", 0 }, { "X-Forwarded-For", 1 }, { "X-Real-IP", 1 },
	{ "True-Client-IP", 1 }, { "User-Agent", 0 }, { "X-Town", 1 },
	{ "X-Land", 1 }, { "X-Towns", 0 }, { "town", 0 },
};

START_TEST(what_proxies_add_is_kept_from_them_only)
{
	struct capsule_header	 h[2] = { { .name = slice_str("User-Agent") },
				    { .name = slice_str(names[_i].name) } };
	size_t			 n = 2;

	ck_assert_int_eq(kept_check(h, &n, 1, "town=X-Town land=x-land x",
	    100), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(kept_check(h, &n, 0, "town=X-Town land=x-land x",
	    100), 0);
	ck_assert_uint_eq(n, names[_i].proxied ? 1 : 2);
	ck_assert(slice_is(h[0].name, "User-Agent"));
}
END_TEST

START_TEST(all_that_is_kept_is_bounded)
{
	struct capsule_header	 h[2] = {
		{ slice_str("X-A"), slice_str("1234567") },
		{ slice_str("CF-B"), slice_str("123456") } };
	size_t			 n = 2;

	ck_assert_int_eq(kept_check(h, &n, 1, NULL, 20), 0);
	ck_assert_int_eq(kept_check(h, &n, 1, NULL, 19), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	/* What is not kept does not count. */
	ck_assert_int_eq(kept_check(h, &n, 0, NULL, 10), 0);
	ck_assert_uint_eq(n, 1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("kept");
	TCase	*tc = tcase_create("kept");
	SRunner	*sr;
	int	 failed;

	tcase_add_loop_test(tc, what_proxies_add_is_kept_from_them_only, 0,
	    nitems(names));
	tcase_add_test(tc, all_that_is_kept_is_bounded);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

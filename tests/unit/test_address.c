/* How many connections each client address has. */
#include <check.h>
#include <stdlib.h>

#include "gatewayd/address.h"

static struct map	 all;

static struct address *
ref(const char *peer)
{
	return (address_ref(&all, slice_str(peer)));
}

static void
teardown(void)
{
	ck_assert_uint_eq(all.count, 0);
	map_clear(&all);
}

START_TEST(ports_are_of_one_address)
{
	struct address	*a = ref("10.0.0.1:1"), *b = ref("10.0.0.1:65535"),
			*c = ref("10.0.0.2:1");

	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_ne(a, c);
	ck_assert_uint_eq(address_count(a), 2);
	ck_assert_uint_eq(address_count(c), 1);
	address_unref(a);
	ck_assert_uint_eq(address_count(b), 1);
	address_unref(b);
	address_unref(c);
}
END_TEST

START_TEST(a_64_is_one_address)
{
	struct address	*a = ref("[2001:db8:0:1::1]:80"),
			*b = ref("[2001:db8:0:1:ffff:ffff:ffff:ffff]:65535"),
			*c = ref("[2001:db8:0:2::1]:80");

	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_ne(a, c);
	address_unref(a);
	address_unref(b);
	address_unref(c);
}
END_TEST

START_TEST(others_are_not_counted)
{
	ck_assert_ptr_null(ref(""));
	ck_assert_ptr_null(ref("unix:"));
	ck_assert_ptr_null(ref("unix:/run/x"));
	ck_assert_ptr_null(ref("10.0.0.1"));
	ck_assert_ptr_null(ref("[x]:1"));
	ck_assert_uint_eq(address_count(NULL), 0);
	address_unref(NULL);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("address");
	TCase	*t = tcase_create("address");
	SRunner	*r = srunner_create(s);
	int	 failed;

	tcase_add_checked_fixture(t, NULL, teardown);
	tcase_add_test(t, ports_are_of_one_address);
	tcase_add_test(t, a_64_is_one_address);
	tcase_add_test(t, others_are_not_counted);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Addresses and networks. */
#include <errno.h>

#include <check.h>

#include "common/networks.h"

static const struct { const char *list, *peer; int in; } rows[] = {
	{ "127.0.0.1", "127.0.0.1:80", 1 }, { "127.0.0.1", "127.0.0.2:80", 0 },
	{ "10.0.0.0/8", "10.255.1.2:1", 1 }, { "10.0.0.0/8", "11.0.0.0:1", 0 },
	{ "10.0.0.0/9", "10.127.0.1:1", 1 }, { "10.0.0.0/9", "10.128.0.1:1", 0 },
	{ "0.0.0.0/0", "1.2.3.4:5", 1 }, { "0.0.0.0/0", "[::1]:5", 0 },
	{ "::/0", "1.2.3.4:5", 1 }, { "::1", "[::1]:5", 1 },
	{ "fd00::/8", "[fdff::1]:5", 1 }, { "fd00::/8", "[fe80::1]:5", 0 },
	{ "10.0.0.0/8", "[::ffff:10.0.0.1]:5", 1 },
	{ "::1, 10.0.0.0/8\t127.0.0.1", "127.0.0.1:9", 1 },
	{ "", "127.0.0.1:9", 0 }, { " , ", "127.0.0.1:9", 0 },
	{ "unix", "unix:", 1 }, { "127.0.0.1 unix", "unix:/run/x.sock", 1 },
	{ "unix", "127.0.0.1:80", 0 }, { "unix", "unixes", 0 },
	{ "127.0.0.1 unix", "127.0.0.1:80", 1 }, { "::/0", "unix:/x", 0 }, { "::/0", "", 0 }, { "::/0", "[", 0 },
	{ "::/0", "[::1", 0 }, { "::/0", "nonsense", 0 },
};

START_TEST(a_peer_is_in_it_or_not)
{
	struct networks	*n = networks_new(rows[_i].list);

	ck_assert_ptr_nonnull(n);
	ck_assert_int_eq(networks_have(n, slice_str(rows[_i].peer)),
	    rows[_i].in);
	networks_free(n);
}
END_TEST

static const char *const wrong[] = { "x", "unix:", "unix:/x", "1.2.3", "1.2.3.4/33", "::1/129",
    "1.2.3.4/", "1.2.3.4/-1", "10.0.0.0/8 y", "[::1]", "1.2.3.4:5",
    "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111" };

START_TEST(what_is_no_network_is_einval)
{
	errno = 0;
	ck_assert_ptr_null(networks_new(wrong[_i]));
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(none_has_nobody)
{
	ck_assert(!networks_have(NULL, slice_str("127.0.0.1:1")));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("networks");
	TCase	*tc = tcase_create("networks");
	SRunner	*sr;
	int	 failed;

	tcase_add_loop_test(tc, a_peer_is_in_it_or_not, 0, nitems(rows));
	tcase_add_loop_test(tc, what_is_no_network_is_einval, 0,
	    nitems(wrong));
	tcase_add_test(tc, none_has_nobody);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

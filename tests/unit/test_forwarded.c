/* Whose request it is, when proxies pass it on. */
#include <stdio.h>
#include <stdlib.h>

#include <check.h>

#include "common/networks.h"
#include "gatewayd/forwarded.h"
#include "proto/http_head.h"

#define P	"10.0.0.1:99"		/* a proxy of ours */
#define XFF	"X-Forwarded-For: "
#define FWD	"Forwarded: "
#define PROTO	"X-Forwarded-Proto: "
#define HOST	"X-Forwarded-Host: "

static const struct {
	const char	*via, *lines, *peer;
	const char	*proto, *host;		/* NULL: none */
} rows[] = {
	/* Who is not trusted says nothing. */
	{ "1.1.1.1:7", XFF "2.2.2.2\r\n" PROTO "https\r\n" FWD "for=3.3.3.3\r\n",
	    "1.1.1.1:7", NULL, NULL },
	{ P, "", P, NULL, NULL },
	/* The rightmost that is not trusted. */
	{ P, XFF "2.2.2.2\r\n", "2.2.2.2:0", NULL, NULL },
	{ P, XFF "3.3.3.3, 2.2.2.2\r\n", "2.2.2.2:0", NULL, NULL },
	{ P, XFF "3.3.3.3, 2.2.2.2, 10.9.9.9\r\n", "2.2.2.2:0", NULL, NULL },
	{ P, XFF "3.3.3.3\r\n" "x-forwarded-for: 2.2.2.2 ,\t10.9.9.9\r\n",
	    "2.2.2.2:0", NULL, NULL },
	{ P, XFF "10.1.1.1, 10.2.2.2\r\n", "10.1.1.1:0", NULL, NULL },
	{ P, XFF ",, 2.2.2.2 , ,\r\n", "2.2.2.2:0", NULL, NULL },
	{ P, XFF "\r\n", P, NULL, NULL },
	/* Garbage ends the walk. */
	{ P, XFF "2.2.2.2, x\r\n", P, NULL, NULL },
	{ P, XFF "2.2.2.2, unknown, 10.2.2.2\r\n", "10.2.2.2:0", NULL, NULL },
	{ P, XFF "2.2.2.2, 10.2.2\r\n", P, NULL, NULL },
	{ P, XFF "2.2.2.2, 10.2.2.2/8\r\n", P, NULL, NULL },
	{ P, XFF "2.2.2.2, [::1\r\n", P, NULL, NULL },
	{ P, XFF "2.2.2.2, [1.2.3.4]\r\n", P, NULL, NULL },
	{ P, XFF "2.2.2.2, [::1]x\r\n", P, NULL, NULL },
	{ P, XFF "2.2.2.2, ::1%lo\r\n", P, NULL, NULL },
	{ P, XFF "2.2.2.2, 1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:"
	    "1111:1111\r\n", P, NULL, NULL },
	/* Forms of an address. */
	{ P, XFF "2.2.2.2:81\r\n", "2.2.2.2:81", NULL, NULL },
	{ P, XFF "2.2.2.2:99999\r\n", "2.2.2.2:0", NULL, NULL },
	{ P, XFF "fd00::2\r\n", "[fd00::2]:0", NULL, NULL },
	{ P, XFF "[FD00:0::2]\r\n", "[fd00::2]:0", NULL, NULL },
	{ P, XFF "[fd00::2]:81\r\n", "[fd00::2]:81", NULL, NULL },
	{ P, XFF "::ffff:2.2.2.2\r\n", "2.2.2.2:0", NULL, NULL },
	{ P, XFF "2.2.2.2, ::ffff:10.2.2.2\r\n", "2.2.2.2:0", NULL, NULL },
	{ "unix:", XFF "2.2.2.2, unix:\r\n", "2.2.2.2:0", NULL, NULL },
	{ "unix:", XFF "2.2.2.2, unix:/x\r\n", "unix:", NULL, NULL },
	/* Forwarded, where there is no X-Forwarded-For. */
	{ P, FWD "for=2.2.2.2\r\n", "2.2.2.2:0", NULL, NULL },
	{ P, FWD "For=\"2.2.2.2:81\";proto=https;host=a.example\r\n",
	    "2.2.2.2:81", "https", "a.example" },
	{ P, FWD "for=3.3.3.3;proto=https, for=2.2.2.2;proto=http\r\n",
	    "2.2.2.2:0", "http", NULL },
	{ P, FWD "by=x; for=\"[fd00::2]:81\" ; proto=\"https\"\r\n",
	    "[fd00::2]:81", "https", NULL },
	{ P, FWD "for=3.3.3.3, for=2.2.2.2;host=\"b:81\"\r\n"
	    FWD "for=10.2.2.2;host=c\r\n", "2.2.2.2:0", NULL, "b:81" },
	{ P, FWD "for=2.2.2.2, for=_hidden;proto=https\r\n", P, "https", NULL },
	{ P, FWD "for=2.2.2.2, proto=https\r\n", P, "https", NULL },
	{ P, FWD "for=\"2.2.2.2:_x\"\r\n", "2.2.2.2:0", NULL, NULL },
	/* What a client leaves open closes nothing of a proxy's. */
	{ P, FWD "for=\"3.3.3.3, for=2.2.2.2\r\n", "2.2.2.2:0", NULL, NULL },
	{ P, FWD "for=\"2.2.2.2\r\n", P, NULL, NULL },
	{ P, FWD "for=\"2.2\\.2.2\"\r\n", P, NULL, NULL },
	{ P, FWD "for=2.2.2.2\r\n" PROTO "https\r\n", "2.2.2.2:0", "https",
	    NULL },
	{ P, FWD "for=3.3.3.3;proto=https\r\n" XFF "2.2.2.2\r\n", "2.2.2.2:0",
	    NULL, NULL },
	/* As many back as proxies were passed over. */
	{ P, PROTO "https\r\n" HOST "h\r\n", P, "https", "h" },
	{ P, XFF "2.2.2.2\r\n" PROTO "https, http\r\n", "2.2.2.2:0", "http",
	    NULL },
	{ P, XFF "3.3.3.3, 2.2.2.2, 10.2.2.2\r\n" PROTO "x, https, http\r\n"
	    HOST "x, a, b\r\n", "2.2.2.2:0", "https", "a" },
	{ P, XFF "2.2.2.2, 10.2.2.2\r\n" PROTO "https\r\n", "2.2.2.2:0",
	    "https", NULL },
};

static struct http_head		 head;
static char			 text[40000];

/* Parse a request with these lines. */
static void
parse(const char *lines)
{
	const struct http_limits	 limits = { 8192, sizeof(text), 128 };
	size_t				 scanned = 0;

	snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n",
	    lines);
	ck_assert_int_eq(http_head_parse(&head, text, strlen(text), &scanned,
	    &limits), PARSE_DONE);
}

/* Is s this text, or none? */
static int
is(struct slice s, const char *expected)
{
	return (expected == NULL ? s.data == NULL : slice_is(s, expected));
}

START_TEST(the_client_is_the_rightmost_that_is_not_trusted)
{
	struct networks		*n = networks_new("10.0.0.0/8 unix");
	struct forwarded	 f;

	parse(rows[_i].lines);
	forwarded_find(&f, &head, slice_str(rows[_i].via), n);
	ck_assert_str_eq(f.peer, rows[_i].peer);
	ck_assert(is(f.proto, rows[_i].proto));
	ck_assert(is(f.host, rows[_i].host));
	networks_free(n);
}
END_TEST

START_TEST(without_proxies_nobody_is_believed)
{
	struct forwarded	 f;

	parse(XFF "2.2.2.2\r\n" PROTO "https\r\n");
	forwarded_find(&f, &head, slice_str("unix:"), NULL);
	ck_assert_str_eq(f.peer, "unix:");
	ck_assert_int_eq(f.trusted, 0);
	ck_assert(f.proto.data == NULL && f.host.data == NULL);
}
END_TEST

START_TEST(a_chain_is_followed_so_far_only)
{
	static char		 lines[30000] = XFF "2.2.2.2";
	struct networks		*n = networks_new("10.0.0.0/8");
	struct forwarded	 f;

	for (int i = 0; i < 1000; i++)
		sprintf(lines + strlen(lines), ", 10.0.%d.%d", i / 250,
		    i % 250);
	strcat(lines, "\r\n");
	parse(lines);
	forwarded_find(&f, &head, slice_str(P), n);
	ck_assert_str_eq(f.peer, "10.0.3.234:0");	/* 16 back from 249 */
	networks_free(n);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("forwarded");
	TCase	*tc = tcase_create("forwarded");
	SRunner	*sr;
	int	 failed;

	tcase_add_loop_test(tc,
	    the_client_is_the_rightmost_that_is_not_trusted, 0, nitems(rows));
	tcase_add_test(tc, without_proxies_nobody_is_believed);
	tcase_add_test(tc, a_chain_is_followed_so_far_only);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

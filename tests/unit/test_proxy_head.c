#include <check.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "proto/proxy_head.h"

#define SIGNATURE	"\r\n\r\n\0\r\nQUIT\n"

/* Read a head of which the last byte is the last that is readable. */
static enum proxy_verdict
head(const void *data, size_t len, struct proxy_head *h)
{
	char			*copy = malloc(len);
	enum proxy_verdict	 v;

	memcpy(copy, data, len);
	v = proxy_head(copy, len, h);
	free(copy);
	return (v);
}

static const struct row {
	const char	*data;
	size_t		 len;
	const char	*peer;
	int		 tls;
} good[] = {
#define ROW(text, peer, tls)	{ text, sizeof(text) - 1, peer, tls }
	ROW("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n",
	    "192.0.2.1:56324", 0),
	ROW("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
	    "255.255.255.255:65535", 0),
	ROW("PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "[2001:db8::1]:1", 0),
	ROW("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n", "192.0.2.1:1", 0),
	ROW("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535", 0),
	ROW("PROXY UNKNOWN\r\n", "", 0),
	ROW("PROXY UNKNOWN anything at all\r\n", "", 0),
	/* LOCAL, whatever follows. */
	ROW(SIGNATURE "\x20\x00\x00\x00", "", 0),
	ROW(SIGNATURE "\x20\xff\x00\x02zz", "", 0),
	ROW(SIGNATURE "\x21\x00\x00\x00", "", 0),
	ROW(SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x07"
	    "\xdc\x04\x01\xbb", "192.0.2.1:56324", 0),
	ROW(SIGNATURE "\x21\x21\x00\x24\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0"
	    "\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x01\x00\x02",
	    "[2001:db8::1]:1", 0),
	/* PP2_TYPE_SSL with PP2_CLIENT_SSL, behind an authority. */
	ROW(SIGNATURE "\x21\x11\x00\x1b\xc0\x00\x02\x01\xc6\x33\x64\x07"
	    "\xdc\x04\x01\xbb\x02\x00\x04" "a.tl" "\x20\x00\x05\x01\0\0\0\0",
	    "192.0.2.1:56324", 1),
	/* PP2_TYPE_SSL of a client without TLS. */
	ROW(SIGNATURE "\x21\x11\x00\x14\xc0\x00\x02\x01\xc6\x33\x64\x07"
	    "\xdc\x04\x01\xbb\x20\x00\x05\x00\0\0\0\0", "192.0.2.1:56324", 0),
};

START_TEST(a_head_gives_the_client)
{
	const struct row	*r = &good[_i];
	struct proxy_head	 h;
	char			 more[512];

	ck_assert_int_eq(head(r->data, r->len, &h), PROXY_DONE);
	ck_assert_uint_eq(h.len, r->len);
	ck_assert_str_eq(h.peer, r->peer);
	ck_assert_int_eq(h.tls, r->tls);
	/* What follows is the client's. */
	memcpy(more, r->data, r->len);
	memcpy(more + r->len, "GET / HTTP/1.1\r\n", 16);
	ck_assert_int_eq(head(more, r->len + 16, &h), PROXY_DONE);
	ck_assert_uint_eq(h.len, r->len);
	ck_assert_str_eq(h.peer, r->peer);
}
END_TEST

START_TEST(every_beginning_asks_for_more)
{
	const struct row	*r = &good[_i];
	struct proxy_head	 h;

	for (size_t n = 1; n < r->len; n++)
		ck_assert_int_eq(head(r->data, n, &h), PROXY_MORE);
	ck_assert_int_eq(proxy_head(NULL, 0, &h), PROXY_MORE);
}
END_TEST

START_TEST(a_unix_client_has_its_path)
{
	char			 data[16 + 216];
	struct proxy_head	 h;

	memcpy(data, SIGNATURE "\x21\x31\x00\xd8", 16);
	memset(data + 16, 'a', 216);
	ck_assert_int_eq(head(data, sizeof(data), &h), PROXY_DONE);
	ck_assert_uint_eq(strlen(h.peer), 5 + 108);
	memset(data + 16 + 3, 0, 216 - 3);
	ck_assert_int_eq(head(data, sizeof(data), &h), PROXY_DONE);
	ck_assert_str_eq(h.peer, "unix:aaa");
}
END_TEST

START_TEST(what_is_wrong_is_refused_with_a_sentence)
{
	static const struct row	 bad[] = {
		ROW("GET / HTTP/1.1\r\n", NULL, 0),
		ROW("PROXZ", NULL, 0),
		ROW("proxy TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", NULL, 0),
		ROW("PROXY \r\n", NULL, 0),
		ROW("PROXY \n", NULL, 0),
		ROW("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\n", NULL, 0),
		ROW("PROXY TCP5 192.0.2.1 198.51.100.7 56324 443\r\n", NULL, 0),
		ROW("PROXY TCP4 192.0.2.256 198.51.100.7 56324 443\r\n", NULL, 0),
		ROW("PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n", NULL, 0),
		ROW("PROXY TCP4  192.0.2.1 198.51.100.7 56324 443\r\n", NULL, 0),
		ROW("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443 \r\n", NULL, 0),
		ROW("PROXY TCP4 192.0.2.1 198.51.100.7 65536 443\r\n", NULL, 0),
		ROW("PROXY TCP4 192.0.2.1 198.51.100.7 056 443\r\n", NULL, 0),
		ROW("PROXY TCP4 192.0.2.1 198.51.100.7 +56 443\r\n", NULL, 0),
		ROW("PROXY TCP4 ::1 ::1 56324 443\r\n", NULL, 0),
		ROW("PROXY TCP6 192.0.2.1 198.51.100.7 56324 443\r\n", NULL, 0),
		ROW("PROXY TCP4 192.0.2.1\0 198.51.100.7 56324 443\r\n", NULL, 0),
		/* 108 bytes and no end. */
		ROW("PROXY UNKNOWN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL,
		    0),
		ROW(SIGNATURE "\x11\x11\x00\x00", NULL, 0),
		ROW(SIGNATURE "\x22\x11\x00\x00", NULL, 0),
		ROW(SIGNATURE "\x21\x11\xff\xff", NULL, 0),
		ROW(SIGNATURE "\x21\x11\x00\x04" "abcd", NULL, 0),
		ROW(SIGNATURE "\x21\x12\x00\x0c" "abcdabcdabcd", NULL, 0),
		ROW(SIGNATURE "\x21\x41\x00\x0c" "abcdabcdabcd", NULL, 0),
		/* Extensions: two bytes, and one longer than the head. */
		ROW(SIGNATURE "\x21\x11\x00\x0e" "abcdabcdabcd" "zz", NULL, 0),
		ROW(SIGNATURE "\x21\x11\x00\x0f" "abcdabcdabcd" "\x20\x00\x01",
		    NULL, 0),
	};
	struct proxy_head	 h;

	for (size_t i = 0; i < nitems(bad); i++) {
		ck_assert_msg(head(bad[i].data, bad[i].len, &h) == PROXY_BAD,
		    "row %zu", i);
		ck_assert_ptr_nonnull(h.why);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("proxy_head");
	TCase	*t = tcase_create("proxy_head");
	SRunner	*r;
	int	 failed;

	tcase_add_loop_test(t, a_head_gives_the_client, 0, nitems(good));
	tcase_add_loop_test(t, every_beginning_asks_for_more, 0, nitems(good));
	tcase_add_test(t, a_unix_client_has_its_path);
	tcase_add_test(t, what_is_wrong_is_refused_with_a_sentence);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

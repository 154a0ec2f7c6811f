#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http_head.h"

#define GET	"GET / HTTP/1.1\r\n"
#define HOST	"Host: a\r\n"
#define END	"\r\n"
#define KEY	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define HANDSHAKE "Upgrade: websocket\r\nConnection: Upgrade\r\n" KEY	\
    "Sec-WebSocket-Version: 13\r\n"

static struct http_head	 h;

/* Whole, in memory of exactly its length, which the caller frees. */
static enum parse
parse(const void *text, size_t len, char **keep)
{
	size_t	 scanned = 0;

	*keep = malloc(len);
	ck_assert_ptr_nonnull(*keep);
	memcpy(*keep, text, len);
	return (http_head_parse(&h, *keep, len, &scanned,
	    &http_limits_default));
}

/* What a head says, in words, so that two readings can be compared. */
static void
describe(struct buf *b, enum parse r)
{
	buf_addf(b, "%d %d %s|", r, h.status, h.why == NULL ? "-" : h.why);
	if (r != PARSE_DONE)
		return;
	buf_add(b, h.method.data, h.method.len);
	buf_adds(b, "|");
	buf_add(b, h.target.data, h.target.len);
	buf_adds(b, "|");
	buf_add(b, h.path.data, h.path.len);
	buf_adds(b, "|");
	buf_add(b, h.query.data, h.query.len);
	buf_adds(b, "|");
	buf_add(b, h.host.data, h.host.len);
	buf_addf(b, "|%d %d %d %d %d %d %ju %zu", h.minor, h.keep_alive,
	    h.expect_continue, h.chunked, h.has_length, h.connection_upgrade,
	    (uintmax_t)h.length, h.head_len);
	for (size_t i = 0; i < h.nheaders; i++) {
		buf_adds(b, "|");
		buf_add(b, h.headers[i].name.data, h.headers[i].name.len);
		buf_adds(b, "=");
		buf_add(b, h.headers[i].value.data, h.headers[i].value.len);
	}
}

static const struct row {
	const char	*text;
	size_t		 len;
	int		 status;	/* 0: fine */
} rows[] = {
#define R(status, s)	{ s, sizeof(s) - 1, status }
	/* Fine. */
	R(0, GET HOST END),
	R(0, GET "Host:\r\n" END),
	R(0, GET "hOsT:a:8080\r\n" END),
	R(0, GET "Host: [::1]:80\r\n" END),
	R(0, GET "Host: a:\r\n" END),
	R(0, "\r\n" GET HOST END),
	R(0, "\r\n\r\n" GET HOST END),
	R(0, "GET / HTTP/1.0\r\n" END),
	R(0, "GET / HTTP/1.9\r\n" HOST END),
	R(0, "GET /a?b=c&d HTTP/1.1\r\n" HOST END),
	R(0, "GET http://b:1/c?d HTTP/1.1\r\n" HOST END),
	R(0, "GET HTTPS://b HTTP/1.1\r\n" HOST END),
	R(0, "GET http://b?x HTTP/1.1\r\n" HOST END),
	R(0, "OPTIONS * HTTP/1.1\r\n" HOST END),
	R(0, "M-SEARCH / HTTP/1.1\r\n" HOST END),
	R(0, GET HOST "A:\r\nB:  \t\r\nC: \t x y \t\r\n" END),
	R(0, GET HOST "A: \xc3\xa4\r\n" END),
	R(0, "POST / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n" END "x"),
	R(0, "POST / HTTP/1.1\r\n" HOST "Content-Length: 007\r\n" END),
	R(0, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: ChunKed\r\n" END),
	R(0, "POST / HTTP/1.1\r\n" HOST
	    "Content-Length: 9223372036854775807\r\n" END),
	/* Not HTTP. */
	R(400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
	R(400, "\r\n\r\n\r\n" GET HOST END),
	R(400, "\n" GET HOST END),
	R(400, "\rGET / HTTP/1.1\r\n" HOST END),
	R(400, " GET / HTTP/1.1\r\n" HOST END),
	R(400, "\0GET / HTTP/1.1\r\n" HOST END),
	R(400, "GET\t/ HTTP/1.1\r\n" HOST END),
	R(400, "G(T / HTTP/1.1\r\n" HOST END),
	R(400, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
	/* The request line. */
	R(400, "GET /\r\n" HOST END),
	R(400, "GET\r\n" HOST END),
	R(400, "GET  / HTTP/1.1\r\n" HOST END),
	R(400, "GET /  HTTP/1.1\r\n" HOST END),
	R(400, "GET / HTTP/1.1 \r\n" HOST END),
	R(400, "GET /a b HTTP/1.1\r\n" HOST END),
	R(400, "GET /\ta HTTP/1.1\r\n" HOST END),
	R(400, "GET /a#b HTTP/1.1\r\n" HOST END),
	R(400, "GET /\xc3\xa4 HTTP/1.1\r\n" HOST END),
	R(400, "GET / http/1.1\r\n" HOST END),
	R(400, "GET / HTTP/1.10\r\n" HOST END),
	R(400, "GET / HTTP/11\r\n" HOST END),
	R(400, "GET / HTTP/1,1\r\n" HOST END),
	R(400, "GET / HTTP/ 1.1\r\n" HOST END),
	R(400, "GET / ICAP/1.1\r\n" HOST END),
	R(505, "GET / HTTP/2.0\r\n" HOST END),
	R(505, "GET / HTTP/0.9\r\n" HOST END),
	R(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
	R(400, "GET * HTTP/1.1\r\n" HOST END),
	R(400, "GET a HTTP/1.1\r\n" HOST END),
	R(400, "GET ftp://a/ HTTP/1.1\r\n" HOST END),
	R(400, "GET http:/// HTTP/1.1\r\n" HOST END),
	R(400, "GET http:// HTTP/1.1\r\n" HOST END),
	R(400, "GET http://u@b/ HTTP/1.1\r\n" HOST END),
	R(400, "GET http://:80/ HTTP/1.1\r\n" HOST END),
	R(501, "CONNECT a:443 HTTP/1.1\r\n" HOST END),
	R(501, "CONNECT / HTTP/1.1\r\n" HOST END),
	/* Bytes. */
	R(400, "GET / HTTP/1.1\n" HOST END),
	R(400, GET "Host: a\n" END),
	R(400, GET HOST "\n"),
	R(400, "GET / HTTP/1.1\r\r\n" HOST END),
	R(400, GET "Host: a\rb\r\n" END),
	R(400, GET HOST "A: b\r\r\n" END),
	R(400, GET HOST "\rX"),
	R(400, GET HOST "A: b\0c\r\n" END),
	R(400, GET HOST "A: b\x01\r\n" END),
	R(400, GET HOST "A: b\x7f\r\n" END),
	R(400, GET HOST "A: b\x0b\r\n" END),
	/* Fields. */
	R(400, GET " Host: a\r\n" END),
	R(400, GET "Host: a\r\n b\r\n" END),
	R(400, GET "Host: a\r\n\tb\r\n" END),
	R(400, GET HOST "A : b\r\n" END),
	R(400, GET HOST "A\t: b\r\n" END),
	R(400, GET HOST ": b\r\n" END),
	R(400, GET HOST "A\r\n" END),
	R(400, GET HOST "A b: c\r\n" END),
	R(400, GET HOST "\xc3\xa4: c\r\n" END),
	R(400, GET HOST "A(): c\r\n" END),
	/* Host. */
	R(400, GET END),
	R(400, GET HOST HOST END),
	R(400, GET HOST "HOST: b\r\n" END),
	R(400, "GET / HTTP/1.0\r\n" HOST HOST END),
	R(400, "GET http://a/ HTTP/1.1\r\n" END),
	R(400, GET "Host: a b\r\n" END),
	R(400, GET "Host: a, b\r\n" END),
	R(400, GET "Host: u@a\r\n" END),
	R(400, GET "Host: a/b\r\n" END),
	R(400, GET "Host: a?b\r\n" END),
	R(400, GET "Host: a:b\r\n" END),
	R(400, GET "Host: a:1:2\r\n" END),
	R(400, GET "Host: a:123456\r\n" END),
	R(400, GET "Host: :80\r\n" END),
	R(400, GET "Host: [::1\r\n" END),
	R(400, GET "Host: []\r\n" END),
	R(400, GET "Host: [::1]x\r\n" END),
	R(400, GET "Host: \xc3\xa4\r\n" END),
	/* Two readings of where the body ends. */
	R(400, GET HOST "Content-Length: 1\r\nContent-Length: 2\r\n" END),
	R(400, GET HOST "Content-Length: 1\r\ncontent-length: 1\r\n" END),
	R(400, GET HOST "Content-Length: 1, 1\r\n" END),
	R(400, GET HOST "Content-Length:\r\n" END),
	R(400, GET HOST "Content-Length: +1\r\n" END),
	R(400, GET HOST "Content-Length: -1\r\n" END),
	R(400, GET HOST "Content-Length: 0x1\r\n" END),
	R(400, GET HOST "Content-Length: 1 0\r\n" END),
	R(400, GET HOST "Content-Length: 1;\r\n" END),
	R(400, GET HOST "Content-Length: \"1\"\r\n" END),
	R(400, GET HOST "Content-Length: 9223372036854775808\r\n" END),
	R(400, GET HOST "Content-Length: 18446744073709551616\r\n" END),
	R(400, GET HOST "Content-Length : 1\r\n" END),
	R(400, GET HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"
	    END),
	R(400, GET HOST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n"
	    END),
	R(400, "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" END),
	R(400, GET HOST "Transfer-Encoding : chunked\r\n" END),
	R(501, GET HOST "Transfer-Encoding:\r\n chunked\r\n" END),
	R(400, GET HOST "Transfer-Encoding: \x0b" "chunked\r\n" END),
	R(501, GET HOST "Transfer-Encoding:\r\n" END),
	R(501, GET HOST "Transfer-Encoding: xchunked\r\n" END),
	R(501, GET HOST "Transfer-Encoding: identity\r\n" END),
	R(501, GET HOST "Transfer-Encoding: gzip, chunked\r\n" END),
	R(501, GET HOST "Transfer-Encoding: chunked, identity\r\n" END),
	R(501, GET HOST "Transfer-Encoding: chunked;q=1\r\n" END),
	R(501, GET HOST "Transfer-Encoding: \"chunked\"\r\n" END),
	R(501, GET HOST "Transfer-Encoding: chunked\r\n"
	    "Transfer-Encoding: chunked\r\n" END),
	R(501, GET HOST "Transfer-Encoding: chunked\r\n"
	    "Transfer-Encoding: identity\r\n" END),
#undef R
};

START_TEST(a_head_is_read_or_refused_and_resumes_at_every_byte)
{
	const struct row	*row = &rows[_i];
	struct buf		 whole = { 0 }, seen = { 0 };
	char			*keep, *grown;
	size_t			 scanned, len;
	enum parse		 r;

	r = parse(row->text, row->len, &keep);
	describe(&whole, r);
	ck_assert_msg(r == (row->status ? PARSE_BAD : PARSE_DONE) &&
	    h.status == row->status, "%s: %.*s", row->text, (int)whole.len,
	    whole.data);
	ck_assert(r == PARSE_DONE || h.why != NULL);

	for (size_t step = 1; step <= 7; step += 2) {
		scanned = 0;
		r = PARSE_MORE;
		for (len = step; r == PARSE_MORE; len += step) {
			if (len > row->len)
				len = row->len;
			/* It moves, as a growing buffer does. */
			grown = malloc(len);
			ck_assert_ptr_nonnull(grown);
			memcpy(grown, row->text, len);
			r = http_head_parse(&h, grown, len, &scanned,
			    &http_limits_default);
			seen.len = 0;
			describe(&seen, r);
			free(grown);
			if (len == row->len)
				break;
		}
		ck_assert_msg(slice_eq(slice_of(seen.data, seen.len),
		    slice_of(whole.data, whole.len)), "%s by %zu: %.*s",
		    row->text, step, (int)seen.len, seen.data);
	}
	free(keep);
	buf_clear(&whole);
	buf_clear(&seen);
}
END_TEST

START_TEST(a_head_cut_short_is_not_whole)
{
	const struct row	*row = &rows[_i];
	size_t			 end;
	char			*keep;

	if (row->status != 0)
		return;
	parse(row->text, row->len, &keep);
	free(keep);
	end = h.head_len;
	for (size_t n = 1; n < end; n++) {
		ck_assert_msg(parse(row->text, n, &keep) == PARSE_MORE,
		    "%s, %zu", row->text, n);
		free(keep);
	}
}
END_TEST

/* Nobody sends the rest: each is refused for what is there. */
START_TEST(a_wrong_line_is_refused_when_it_has_ended)
{
	static const struct row	 starts[] = {
#define R(status, s)	{ s, sizeof(s) - 1, status }
		R(400, "EHLO x\r\n"),
		R(400, "GET /\r\n"),
		R(505, "GET / HTTP/9.9\r\n"),
		R(400, "GET / HTTP/1.1 \r\n"),
		R(400, "GET a HTTP/1.1\r\n"),
		R(400, "GET * HTTP/1.1\r\n"),
		R(501, "CONNECT a:1 HTTP/1.1\r\n"),
		R(400, GET "A\r\n"),
		R(400, GET HOST "A : b\r\n"),
		R(400, GET HOST "A B: c\r\n"),
		R(400, GET ": b\r\n"),
		R(400, GET "Host: a b\r\n"),
		R(400, GET HOST "Content-Length: x\r\n"),
		R(501, GET HOST "Transfer-Encoding: gzip\r\n"),
		R(431, GET "A:\r\nB:\r\nC:\r\nD:\r\n"),
#undef R
	};
	static const struct http_limits	 three = { 8192, 8192, 3 };
	const struct row	*row;
	enum parse		 r;
	size_t			 scanned;

	for (size_t i = 0; i < nitems(starts); i++) {
		row = &starts[i];
		for (size_t step = 1; step <= row->len; step++) {
			scanned = 0;
			r = PARSE_MORE;
			for (size_t len = step; r == PARSE_MORE; len += step) {
				len = len > row->len ? row->len : len;
				r = http_head_parse(&h, row->text, len,
				    &scanned, &three);
				if (len == row->len)
					break;
				ck_assert_msg(r == PARSE_MORE, "%s at %zu",
				    row->text, len);
			}
			ck_assert_msg(r == PARSE_BAD && h.status == row->status,
			    "%s by %zu: %d", row->text, step, r);
		}
	}
}
END_TEST

static const struct target {
	const char	*target, *path, *query, *host;
} targets[] = {
	{ "/", "/", "", "a" },
	{ "/a/b?c=d?e", "/a/b", "c=d?e", "a" },
	{ "/a?", "/a", "", "a" },
	{ "//b/c", "//b/c", "", "a" },
	{ "/%2e%2e/", "/%2e%2e/", "", "a" },
	{ "http://b/c?d", "/c", "d", "b" },
	{ "http://b:1?d", "/", "d", "b:1" },
	{ "https://b", "/", "", "b" },
};

START_TEST(a_target_is_taken_apart_and_its_host_counts)
{
	const struct target	*t = &targets[_i];
	struct buf		 b = { 0 };
	char			*keep;

	buf_addf(&b, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", t->target);
	ck_assert_int_eq(parse(b.data, b.len, &keep), PARSE_DONE);
	ck_assert(slice_is(h.target, t->target));
	ck_assert(slice_is(h.path, t->path));
	ck_assert(slice_is(h.query, t->query));
	ck_assert(slice_is(h.host, t->host));
	free(keep);
	buf_clear(&b);
}
END_TEST

START_TEST(limits_are_met_exactly_and_at_once)
{
	static const struct http_limits	 l = { 20, 60, 3 };
	/* 20 bytes of request line, 60 of head. */
	char	 exact[] = "GET /aaaaaa HTTP/1.1\r\nHost: a\r\nB: cccccccccc"
		    "cccccccc\r\n\r\n";
	char	 longer[] = "GET /aaaaaaa HTTP/1.1\r\n";
	char	 fields[] = "GET / HTTP/1.1\r\nHost:\r\nA:\r\nB:\r\n\r\n";
	char	 more[] = "GET / HTTP/1.1\r\nHost:\r\nA:\r\nB:\r\nC:\r\n\r\n";
	char	 big[80];
	size_t	 scanned = 0;

	exact[sizeof(exact) - 1] = '\0';
	ck_assert_uint_ge(strlen(exact), 55);
	for (size_t pad = 0; pad < 20; pad++) {
		/* A head of 47 + pad. */
		int	 n = snprintf(big, sizeof(big), "GET / HTTP/1.1\r\n"
			    "Host: aaaaaaaaaaaaaaaaaa\r\nB:%.*s\r\n\r\n",
			    (int)pad, "xxxxxxxxxxxxxxxxxxxxxxxx");

		scanned = 0;
		ck_assert_int_eq(http_head_parse(&h, big, (size_t)n, &scanned,
		    &l), n <= 60 ? PARSE_DONE : PARSE_BAD);
		ck_assert_int_eq(h.status, n <= 60 ? 0 : 431);
	}
	scanned = 0;
	ck_assert_int_eq(http_head_parse(&h, exact, 22, &scanned, &l),
	    PARSE_MORE);
	scanned = 0;
	/* The 21st byte of the line is enough. */
	ck_assert_int_eq(http_head_parse(&h, longer, 20, &scanned, &l),
	    PARSE_MORE);
	ck_assert_int_eq(http_head_parse(&h, longer, 21, &scanned, &l),
	    PARSE_BAD);
	ck_assert_int_eq(h.status, 414);
	scanned = 0;
	ck_assert_int_eq(http_head_parse(&h, fields, sizeof(fields) - 1,
	    &scanned, &l), PARSE_DONE);
	ck_assert_uint_eq(h.nheaders, 3);
	scanned = 0;
	ck_assert_int_eq(http_head_parse(&h, more, sizeof(more) - 1, &scanned,
	    &l), PARSE_BAD);
	ck_assert_int_eq(h.status, 431);
	/* It never waits for more than head_max bytes. */
	memcpy(big, "GET / HTTP/1.1\r\nA:", 18);
	memset(big + 18, 'x', sizeof(big) - 18);
	scanned = 0;
	for (size_t n = 1; n < 60; n++)
		ck_assert_int_eq(http_head_parse(&h, big, n, &scanned, &l),
		    PARSE_MORE);
	ck_assert_int_eq(http_head_parse(&h, big, 61, &scanned, &l),
	    PARSE_BAD);
	ck_assert_int_eq(h.status, 431);
}
END_TEST

START_TEST(a_hundred_and_twenty_eight_fields_are_the_most_ever)
{
	const struct http_limits	 l = { 100, 1 << 20, 1000 };
	struct buf			 b = { 0 };
	size_t				 scanned = 0;

	buf_adds(&b, GET HOST);
	for (int i = 1; i < HTTP_HEADERS_MAX; i++)
		buf_addf(&b, "X%d: y\r\n", i);
	buf_adds(&b, "\r\n");
	ck_assert_int_eq(http_head_parse(&h, b.data, b.len, &scanned, &l),
	    PARSE_DONE);
	b.len -= 2;
	buf_adds(&b, "Z: y\r\n\r\n");
	scanned = 0;
	ck_assert_int_eq(http_head_parse(&h, b.data, b.len, &scanned, &l),
	    PARSE_BAD);
	ck_assert_int_eq(h.status, 431);
	buf_clear(&b);
}
END_TEST

static const struct flags {
	const char	*version, *fields;
	int		 keep_alive, upgrade, expect;
} flags[] = {
	{ "1.1", "", 1, 0, 0 },
	{ "1.1", "Connection: close\r\n", 0, 0, 0 },
	{ "1.1", "Connection: foo , CLOSE,\r\n", 0, 0, 0 },
	{ "1.1", "Connection: foo\r\nConnection: close\r\n", 0, 0, 0 },
	{ "1.1", "Connection: closed\r\n", 1, 0, 0 },
	{ "1.1", "Connection: keep-alive, Upgrade\r\n", 1, 1, 0 },
	{ "1.1", "Connection: ,,upgrade\r\n", 1, 1, 0 },
	{ "1.1", "Expect: 100-Continue\r\n", 1, 0, 1 },
	{ "1.1", "Expect: 200-ok\r\n", 1, 0, 0 },
	{ "1.0", "", 0, 0, 0 },
	{ "1.0", "Connection: keep-alive\r\n", 1, 0, 0 },
	{ "1.0", "Connection: keep-alive, close\r\n", 0, 0, 0 },
	{ "1.0", "Expect: 100-continue\r\n", 0, 0, 0 },
};

START_TEST(connection_and_expect_are_lists_in_any_case)
{
	const struct flags	*f = &flags[_i];
	struct buf		 b = { 0 };
	char			*keep;

	buf_addf(&b, "GET / HTTP/%s\r\nHost: a\r\n%s\r\n", f->version,
	    f->fields);
	ck_assert_int_eq(parse(b.data, b.len, &keep), PARSE_DONE);
	ck_assert_int_eq(h.keep_alive, f->keep_alive);
	ck_assert_int_eq(h.connection_upgrade, f->upgrade);
	ck_assert_int_eq(h.expect_continue, f->expect);
	free(keep);
	buf_clear(&b);
}
END_TEST

static const struct query {
	const char	*query, *key, *want;
} queries[] = {
	{ "", "a", NULL }, { "a", "a", "" }, { "a=", "a", "" },
	{ "a=1&a=2", "a", "1" }, { "b=1&a=2", "a", "2" },
	{ "aa=1&a=2", "a", "2" }, { "&&a=1", "a", "1" },
	{ "a=b+c%20d", "a", "b c d" }, { "%61=x", "a", "x" },
	{ "a=%", "a", "%" }, { "a=%4", "a", "%4" }, { "a=%zz", "a", "%zz" },
	{ "a=b=c", "a", "b=c" }, { "A=1", "a", NULL }, { "a+b=1", "a b", "1" },
	{ "=1", "a", NULL },
};

START_TEST(a_query_is_asked_by_key)
{
	const struct query	*q = &queries[_i];
	size_t			 len = 99;
	char			*v;

	errno = 0;
	v = http_query_get(slice_str(q->query), q->key, &len);
	if (q->want == NULL) {
		ck_assert_ptr_null(v);
		ck_assert_int_eq(errno, ENOENT);
		return;
	}
	ck_assert_ptr_nonnull(v);
	ck_assert_str_eq(v, q->want);
	ck_assert_uint_eq(len, strlen(q->want));
	free(v);
}
END_TEST

static const struct cookie {
	const char	*fields, *want;
} cookies[] = {
	{ "", NULL }, { "Cookie: s=1\r\n", "1" }, { "cookie: a=0; s=1\r\n", "1" },
	{ "Cookie: ss=0;s=1 ; s=2\r\n", "1" }, { "Cookie: s=\"x y\"\r\n", "x y" },
	{ "Cookie: s=\"\r\n", "\"" }, { "Cookie: s=\r\n", "" },
	{ "Cookie: s\r\n", NULL }, { "Cookie: S=1\r\n", NULL },
	{ "Cookie: a=1\r\nCookie: s=2\r\n", "2" }, { "Cookie: s=a=b\r\n", "a=b" },
	{ "Cookie: ;;; s=1;\r\n", "1" },
};

START_TEST(a_cookie_is_asked_by_name)
{
	const struct cookie	*c = &cookies[_i];
	struct buf		 b = { 0 };
	struct slice		 v;
	char			*keep;

	buf_addf(&b, GET HOST "%s\r\n", c->fields);
	ck_assert_int_eq(parse(b.data, b.len, &keep), PARSE_DONE);
	v = http_cookie_get(&h, "s");
	ck_assert_int_eq(v.data != NULL, c->want != NULL);
	ck_assert(c->want == NULL || slice_is(v, c->want));
	free(keep);
	buf_clear(&b);
}
END_TEST

START_TEST(a_bearer_is_the_token_of_that_scheme)
{
	static const struct cookie	 bearers[] = {
		{ "", NULL }, { "Authorization: Bearer abc\r\n", "abc" },
		{ "authorization: bEARER   abc\r\n", "abc" },
		{ "Authorization: Bearer\r\n", NULL },
		{ "Authorization: Bearer  \r\n", NULL },
		{ "Authorization: Basic abc\r\n", NULL },
		{ "Authorization: Bearerabc\r\n", NULL },
	};
	struct buf	 b = { 0 };
	struct slice	 v;
	char		*keep;

	for (size_t i = 0; i < nitems(bearers); i++) {
		b.len = 0;
		buf_addf(&b, GET HOST "%s\r\n", bearers[i].fields);
		ck_assert_int_eq(parse(b.data, b.len, &keep), PARSE_DONE);
		v = http_bearer_get(&h);
		ck_assert_int_eq(v.data != NULL, bearers[i].want != NULL);
		ck_assert(v.data == NULL || slice_is(v, bearers[i].want));
		free(keep);
	}
	buf_clear(&b);
}
END_TEST

static const struct handshake {
	int		 status;
	const char	*text;
} handshakes[] = {
	{ 0, GET HOST HANDSHAKE END },
	{ 0, GET HOST "Upgrade: foo, WebSocket\r\n"
	    "Connection: keep-alive, upgrade\r\n" KEY
	    "Sec-WebSocket-Version: 13\r\n" END },
	{ 0, GET HOST HANDSHAKE "Content-Length: 0\r\n" END },
	{ 405, "POST / HTTP/1.1\r\n" HOST END },
	{ 405, "HEAD / HTTP/1.1\r\n" HOST HANDSHAKE END },
	{ 426, GET HOST END },
	{ 426, GET HOST "Upgrade: websockets\r\nConnection: upgrade\r\n" END },
	{ 400, GET HOST "Upgrade: websocket\r\n" KEY
	    "Sec-WebSocket-Version: 13\r\n" END },
	{ 400, "GET / HTTP/1.0\r\n" HOST HANDSHAKE END },
	{ 400, GET HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Version: 13\r\n" END },
	{ 400, GET HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Key: short==\r\nSec-WebSocket-Version: 13\r\n" END },
	{ 400, GET HOST HANDSHAKE KEY END },
	{ 400, GET HOST HANDSHAKE "Content-Length: 1\r\n" END },
	{ 400, GET HOST HANDSHAKE "Transfer-Encoding: chunked\r\n" END },
	{ 426, GET HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" KEY END },
	{ 426, GET HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" KEY
	    "Sec-WebSocket-Version: 8\r\n" END },
};

START_TEST(a_handshake_is_right_or_refused_in_order)
{
	const struct handshake	*s = &handshakes[_i];
	const char		*why = NULL;
	char			*keep;

	ck_assert_int_eq(parse(s->text, strlen(s->text), &keep), PARSE_DONE);
	ck_assert_msg(http_head_websocket(&h, &why) == s->status, "%s",
	    s->text);
	ck_assert(s->status == 0 || why != NULL);
	free(keep);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("http_head");
	TCase	*t = tcase_create("http_head");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, a_wrong_line_is_refused_when_it_has_ended);
	tcase_add_loop_test(t,
	    a_head_is_read_or_refused_and_resumes_at_every_byte, 0,
	    (int)nitems(rows));
	tcase_add_loop_test(t, a_head_cut_short_is_not_whole, 0,
	    (int)nitems(rows));
	tcase_add_loop_test(t, a_target_is_taken_apart_and_its_host_counts, 0,
	    (int)nitems(targets));
	tcase_add_test(t, limits_are_met_exactly_and_at_once);
	tcase_add_test(t, a_hundred_and_twenty_eight_fields_are_the_most_ever);
	tcase_add_loop_test(t, connection_and_expect_are_lists_in_any_case, 0,
	    (int)nitems(flags));
	tcase_add_loop_test(t, a_query_is_asked_by_key, 0,
	    (int)nitems(queries));
	tcase_add_loop_test(t, a_cookie_is_asked_by_name, 0,
	    (int)nitems(cookies));
	tcase_add_test(t, a_bearer_is_the_token_of_that_scheme);
	tcase_add_loop_test(t, a_handshake_is_right_or_refused_in_order, 0,
	    (int)nitems(handshakes));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

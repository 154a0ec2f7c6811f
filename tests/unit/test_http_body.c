#include <check.h>
#include <stdlib.h>

#include "proto/http_body.h"

#define MAX	10000

static struct buf	 out;
static size_t		 max = MAX;

static void
clear(void)
{
	buf_clear(&out);
}

/* Feed len bytes in pieces of at most `piece`; all that is used is counted. */
static enum parse
feed(struct http_body *b, const char *data, size_t len, size_t piece,
    size_t *total)
{
	enum parse	 r;
	size_t		 used;

	*total = 0;
	do {
		size_t	 n = len - *total < piece ? len - *total : piece;

		r = http_body_feed(b, data + *total, n, &used, &out);
		ck_assert_uint_le(used, n);
		if (r == PARSE_MORE)
			ck_assert_uint_eq(used, n);
		*total += used;
	} while (r == PARSE_MORE && *total < len);
	return (r);
}

static struct http_body
chunked(void)
{
	struct http_body	 b;
	static struct http_head	 h;

	h.chunked = 1;
	http_body_init(&b, &h, max);
	clear();
	return (b);
}

static struct http_body
of_length(uint64_t n)
{
	struct http_body	 b;
	static struct http_head	 h;

	h.has_length = 1;
	h.length = n;
	http_body_init(&b, &h, max);
	clear();
	return (b);
}

START_TEST(a_length_is_kept_to)
{
	struct http_body	 b;
	size_t			 used;

	for (size_t piece = 1; piece < 12; piece++) {
		b = of_length(5);
		ck_assert_int_eq(feed(&b, "woof!GET /", 10, piece, &used),
		    PARSE_DONE);
		ck_assert_uint_eq(used, 5);
		ck_assert(slice_is(slice_of(out.data, out.len), "woof!"));
	}
	b = of_length(5);
	ck_assert_int_eq(feed(&b, "woof", 4, 9, &used), PARSE_MORE);
	/* Nothing new is more, still. */
	ck_assert_int_eq(feed(&b, "", 0, 9, &used), PARSE_MORE);
	ck_assert_int_eq(feed(&b, "!", 1, 9, &used), PARSE_DONE);
	ck_assert_uint_eq(out.len, 5);
}
END_TEST

START_TEST(no_body_is_done_at_once)
{
	static struct http_head	 h;
	struct http_body	 b = of_length(0);
	size_t			 used = 9;

	ck_assert_int_eq(http_body_feed(&b, "GET", 3, &used, &out),
	    PARSE_DONE);
	ck_assert_uint_eq(used, 0);
	http_body_init(&b, &h, max);
	ck_assert_int_eq(http_body_feed(&b, NULL, 0, &used, &out), PARSE_DONE);
	ck_assert_uint_eq(used, 0);
}
END_TEST

START_TEST(too_large_is_refused_at_its_announcement)
{
	struct http_body	 b = of_length(MAX + 1);
	size_t			 used;

	ck_assert_int_eq(http_body_feed(&b, NULL, 0, &used, &out), PARSE_BAD);
	ck_assert_int_eq(b.status, 413);
	b = of_length(INT64_MAX);
	ck_assert_int_eq(http_body_feed(&b, NULL, 0, &used, &out), PARSE_BAD);
	ck_assert_int_eq(b.status, 413);
	b = of_length(MAX);
	ck_assert_int_eq(http_body_feed(&b, NULL, 0, &used, &out), PARSE_MORE);
	b = chunked();
	ck_assert_int_eq(feed(&b, "2711\r\n", 6, 6, &used), PARSE_BAD);
	ck_assert_int_eq(b.status, 413);
	b = chunked();
	ck_assert_int_eq(feed(&b, "4\r\nwoof\r\n270d\r\n", 15, 1, &used),
	    PARSE_BAD);
	ck_assert_int_eq(b.status, 413);
	b = chunked();
	ck_assert_int_eq(feed(&b, "4\r\nwoof\r\n270c\r\n", 15, 1, &used),
	    PARSE_MORE);
	/* Nothing was reserved for it. */
	ck_assert_uint_lt(out.cap, 1000);
}
END_TEST

START_TEST(chunks_are_joined_at_any_cut)
{
	static const struct {
		const char	*in, *body;
		size_t		 used;
	} rows[] = {
		{ "0\r\n\r\n", "", 5 },
		{ "000\r\n\r\n", "", 7 },
		{ "4\r\nwoof\r\n0\r\n\r\n", "woof", 14 },
		{ "4\r\nwoof\r\n0\r\n\r\nGET / HTTP/1.1", "woof", 14 },
		{ "3\r\nwoo\r\n1\r\nf\r\n0\r\n\r\n", "woof", 19 },
		{ "a\r\n0123456789\r\n0\r\n\r\n", "0123456789", 20 },
		{ "9\r\n\r\n0\r\n\r\n0\r\r\n0\r\n\r\n", "\r\n0\r\n\r\n0\r", 19 },
		{ "0004;a=b;c=\"d\" ; e\r\nwoof\r\n0;x\r\n\r\n", "woof", 33 },
		{ "0\r\nX-A: b\r\nX-C:\r\n\r\n", "", 19 },
	};
	struct http_body	 b;
	size_t			 used;

	for (size_t i = 0; i < nitems(rows); i++)
		for (size_t piece = 1; piece < 40; piece++) {
			b = chunked();
			ck_assert_msg(feed(&b, rows[i].in, strlen(rows[i].in),
			    piece, &used) == PARSE_DONE, "row %zu", i);
			ck_assert_msg(used == rows[i].used, "row %zu: %zu", i,
			    used);
			ck_assert(slice_is(slice_of(out.data, out.len),
			    rows[i].body));
			/* It stays done. */
			ck_assert_int_eq(http_body_feed(&b, "x", 1, &used,
			    &out), PARSE_DONE);
			ck_assert_uint_eq(used, 0);
		}
}
END_TEST

START_TEST(chunks_are_read_strictly)
{
	static const char *const	 rows[] = {
		"\r\n", "\n", ";x\r\n", "g\r\n", "-1\r\n", "+1\r\n", " 1\r\n",
		"1 \r\n", "1\t\r\n", "0x1\r\n", "1\n", "1\r\r", "1;\n", "1;\rx",
		"1;a\x01", "1;a\x7f", "1,1\r\n",
		"ffffffffffffffff\r\n", "10000000000000000\r\n",
		"1\r\nab", "1\r\na\n", "1\r\na\r\r", "1\r\n\r\r\nx",
		"1\r\na\r\n\r\n", "1\r\na\r\n 0\r\n",
		"0\r\n x: y\r\n", "0\r\n\tx\r\n", "0\r\n:x\r\n", "0\r\n\n",
		"0\r\n\r\r", "0\r\nx: y\n", "0\r\nx: y\r\r", "0\r\nx\x02",
	};
	struct http_body	 b;
	size_t			 used;

	for (size_t i = 0; i < nitems(rows); i++)
		for (size_t piece = 1; piece < 30; piece += 28) {
			b = chunked();
			ck_assert_msg(feed(&b, rows[i], strlen(rows[i]), piece,
			    &used) == PARSE_BAD, "row %zu", i);
			ck_assert_msg(b.status == 400 || i == 17 || i == 18,
			    "row %zu: %d", i, b.status);
			ck_assert_ptr_nonnull(b.why);
		}
	b = chunked();
	ck_assert_int_eq(feed(&b, "1\0", 2, 2, &used), PARSE_BAD);
}
END_TEST

/* head, then c over and over: how many of c are taken before it is refused. */
static size_t
endless(const char *head, const char *c)
{
	struct http_body	 b = chunked();
	size_t			 n = 0, used;

	ck_assert_int_eq(feed(&b, head, strlen(head), 64, &used), PARSE_MORE);
	while (feed(&b, c, strlen(c), 64, &used) == PARSE_MORE)
		ck_assert_uint_lt(++n, 100000);
	ck_assert_int_eq(b.status, 400);
	return (n * strlen(c));
}

START_TEST(what_is_dropped_is_bounded)
{
	ck_assert_uint_le(endless("0", "0"), 4096);
	ck_assert_uint_le(endless("5;", "x"), 4096);
	ck_assert_uint_le(endless("0\r\nx", "x"), 4096);
	ck_assert_uint_le(endless("0\r\n", "a: b\r\n"), 4096);
	ck_assert_uint_gt(endless("0\r\n", "a: b\r\n"), 4000);
}
END_TEST

START_TEST(a_bound_of_zero_lets_nothing_in)
{
	struct http_body	 b;
	size_t			 used;

	max = 0;
	b = of_length(0);
	ck_assert_int_eq(http_body_feed(&b, "GET", 3, &used, &out),
	    PARSE_DONE);
	b = of_length(1);
	ck_assert_int_eq(http_body_feed(&b, "x", 1, &used, &out), PARSE_BAD);
	ck_assert_int_eq(b.status, 413);
	b = chunked();
	ck_assert_int_eq(feed(&b, "0\r\n\r\n", 5, 5, &used), PARSE_DONE);
	b = chunked();
	ck_assert_int_eq(feed(&b, "1\r\nx", 4, 4, &used), PARSE_BAD);
	ck_assert_int_eq(b.status, 413);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("http_body");
	TCase	*t = tcase_create("http_body");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, clear, clear);
	tcase_add_test(t, a_length_is_kept_to);
	tcase_add_test(t, no_body_is_done_at_once);
	tcase_add_test(t, too_large_is_refused_at_its_announcement);
	tcase_add_test(t, chunks_are_joined_at_any_cut);
	tcase_add_test(t, chunks_are_read_strictly);
	tcase_add_test(t, what_is_dropped_is_bounded);
	tcase_add_test(t, a_bound_of_zero_lets_nothing_in);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

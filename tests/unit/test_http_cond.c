#include <stdio.h>

#include <check.h>

#include "proto/http_cond.h"

#define NOON	"Sun, 06 Nov 1994 08:49:37 GMT"
#define NOON_T	784111777

static char	 text[2048];

/* A request with these header lines, each ended by "|". */
static struct http_head
ask(const char *method, const char *lines)
{
	static struct http_head	 h;
	size_t			 scanned = 0;
	int			 n;

	n = snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nHost: x\r\n", method);
	for (; *lines != '\0'; lines++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, *lines == '|' ?
		    "\r\n" : "%c", *lines);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "\r\n");
	ck_assert_int_eq(http_head_parse(&h, text, (size_t)n, &scanned,
	    &http_limits_default), PARSE_DONE);
	return (h);
}

START_TEST(conditions_in_their_order)
{
	static const struct {
		const char	*lines;
		int		 status;
	} rows[] = {
		{ "", 200 },
		{ "If-None-Match: \"a\"|", 304 },
		{ "If-None-Match: W/\"a\"|", 304 },
		{ "If-None-Match: \"b\", \"a\"|", 304 },
		{ "If-None-Match: \"b\",\"c\"|If-None-Match: \"a\"|", 304 },
		{ "If-None-Match: *|", 304 },
		{ "If-None-Match: \"b\"|", 200 },
		{ "If-None-Match: a|", 200 },
		{ "If-None-Match: \"b,\"a\"|", 200 },
		{ "If-None-Match: \"|", 200 },
		{ "If-None-Match: |", 200 },
		/* The date does not count beside it. */
		{ "If-None-Match: \"b\"|If-Modified-Since: " NOON "|", 200 },
		{ "If-Modified-Since: " NOON "|", 304 },
		{ "If-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT|", 304 },
		{ "If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT|", 200 },
		{ "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT|", 304 },
		{ "If-Modified-Since: Sun Nov  6 08:49:37 1994|", 304 },
		{ "If-Modified-Since: yesterday|", 200 },
		{ "If-Modified-Since: |", 200 },
		{ "If-Match: \"a\"|", 200 },
		{ "If-Match: W/\"a\"|", 412 },
		{ "If-Match: \"b\"|", 412 },
		{ "If-Match: *|", 200 },
		{ "If-Match: \"b\"|If-None-Match: \"a\"|", 412 },
		{ "If-Unmodified-Since: " NOON "|", 200 },
		{ "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT|", 412 },
		{ "If-Match: \"a\"|If-Unmodified-Since: Sun, 06 Nov 1994 "
		    "08:49:36 GMT|", 200 },
	};
	const struct http_entity	 e = { .etag = slice_str("\"a\""),
					    .modified = NOON_T, .size = 10 };

	for (size_t i = 0; i < nitems(rows); i++) {
		struct http_head	 h = ask("GET", rows[i].lines);

		ck_assert_msg(http_condition(&h, &e, NULL) == rows[i].status,
		    "row %zu %s", i, rows[i].lines);
	}
}
END_TEST

START_TEST(a_weak_tag_is_the_same_but_not_for_ranges)
{
	const struct http_entity	 e = { .etag = slice_str("W/\"a\""),
					    .size = 10 };
	struct http_range		 r;
	struct http_head		 h = ask("GET", "If-None-Match: \"a\"|");

	ck_assert_int_eq(http_condition(&h, &e, &r), 304);
	h = ask("GET", "If-Match: \"a\"|");
	ck_assert_int_eq(http_condition(&h, &e, &r), 412);
	h = ask("GET", "Range: bytes=0-1|If-Range: W/\"a\"|");
	ck_assert_int_eq(http_condition(&h, &e, &r), 200);
}
END_TEST

START_TEST(ranges)
{
	static const struct {
		const char	*lines;
		int		 status;
		uint64_t	 first, len;
	} rows[] = {
		{ "Range: bytes=0-0|", 206, 0, 1 },
		{ "Range: bytes=0-|", 206, 0, 10 },
		{ "Range: bytes=2-5|", 206, 2, 4 },
		{ "Range: BYTES=2-5|", 206, 2, 4 },
		{ "Range: bytes=2-99|", 206, 2, 8 },
		{ "Range: bytes=9-|", 206, 9, 1 },
		{ "Range: bytes=-1|", 206, 9, 1 },
		{ "Range: bytes=-10|", 206, 0, 10 },
		{ "Range: bytes=-99|", 206, 0, 10 },
		{ "Range: bytes=0-99999999999999999999999|", 206, 0, 10 },
		{ "Range: bytes=18446744073709551615-18446744073709551615|", 416,
		    0, 0 },
		{ "Range: bytes=10-|", 416, 0, 0 },
		{ "Range: bytes=99999999999999999999999-|", 416, 0, 0 },
		{ "Range: bytes=-0|", 416, 0, 0 },
		{ "Range: bytes=5-2|", 200, 0, 0 },
		{ "Range: bytes=|", 200, 0, 0 },
		{ "Range: bytes=-|", 200, 0, 0 },
		{ "Range: bytes=1|", 200, 0, 0 },
		{ "Range: bytes=a-b|", 200, 0, 0 },
		{ "Range: bytes=1-2x|", 200, 0, 0 },
		{ "Range: bytes=+1-2|", 200, 0, 0 },
		{ "Range: lines=1-2|", 200, 0, 0 },
		{ "Range: bytes=0-1,3-4|", 200, 0, 0 },
		{ "Range: bytes=2-5|If-Range: \"a\"|", 206, 2, 4 },
		{ "Range: bytes=2-5|If-Range: \"b\"|", 200, 0, 0 },
		{ "Range: bytes=2-5|If-Range: " NOON "|", 206, 2, 4 },
		{ "Range: bytes=2-5|If-Range: Sun, 06 Nov 1994 08:49:38 GMT|",
		    200, 0, 0 },
		{ "Range: bytes=2-5|If-Range: nonsense|", 200, 0, 0 },
		{ "Range: bytes=2-5|If-None-Match: \"a\"|", 304, 0, 0 },
	};
	const struct http_entity	 e = { .etag = slice_str("\"a\""),
					    .modified = NOON_T, .size = 10 };

	for (size_t i = 0; i < nitems(rows); i++) {
		struct http_head	 h = ask("GET", rows[i].lines);
		struct http_range	 r = { 0, 0 };

		ck_assert_msg(http_condition(&h, &e, &r) == rows[i].status &&
		    r.first == rows[i].first && r.len == rows[i].len,
		    "row %zu %s", i, rows[i].lines);
	}
}
END_TEST

START_TEST(no_range_of_nothing_and_none_for_head)
{
	struct http_entity	 e = { .size = 0 };
	struct http_range	 r;
	struct http_head	 h = ask("GET", "Range: bytes=0-|");

	ck_assert_int_eq(http_condition(&h, &e, &r), 416);
	h = ask("GET", "Range: bytes=-5|");
	ck_assert_int_eq(http_condition(&h, &e, &r), 416);
	e.size = 5;
	h = ask("HEAD", "Range: bytes=0-1|");
	ck_assert_int_eq(http_condition(&h, &e, &r), 200);
}
END_TEST

START_TEST(dates_go_both_ways)
{
	char	 out[HTTP_DATE_LEN];
	time_t	 t = 0;

	http_date_write(out, NOON_T);
	ck_assert_str_eq(out, NOON);
	ck_assert_int_eq(http_date_read(slice_str(out), &t), 0);
	ck_assert_int_eq(t, NOON_T);
	ck_assert_int_eq(http_date_read(slice_str(NOON "x"), &t), -1);
}
END_TEST

START_TEST(who_takes_gzip)
{
	static const struct {
		const char	*value;
		int		 takes;
	} rows[] = {
		{ "gzip", 1 }, { "gzip, deflate, br", 1 }, { "br,GZIP", 1 },
		{ "gzip;q=0.5", 1 }, { "gzip ; q=1", 1 }, { "gzip;q=0", 0 },
		{ "gzip;q=0.000", 0 }, { "identity", 0 }, { "gzipped", 0 },
		{ "x-gzip", 0 }, { "", 0 }, { ",,", 0 }, { "br, gzip;q=0", 0 },
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		char			 line[80];
		struct http_head	 h;

		snprintf(line, sizeof(line), "Accept-Encoding: %s|",
		    rows[i].value);
		h = ask("GET", line);
		ck_assert_msg(http_takes_gzip(&h) == rows[i].takes, "%s",
		    rows[i].value);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("http_cond");
	TCase	*t = tcase_create("http_cond");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, conditions_in_their_order);
	tcase_add_test(t, a_weak_tag_is_the_same_but_not_for_ranges);
	tcase_add_test(t, ranges);
	tcase_add_test(t, no_range_of_nothing_and_none_for_head);
	tcase_add_test(t, dates_go_both_ways);
	tcase_add_test(t, who_takes_gzip);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

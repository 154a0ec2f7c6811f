#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/http_reply.h"

static struct buf	 out;

static void
clear(void)
{
	buf_clear(&out);
	out.max = 0;
}

/* What r becomes, with the date as "D". */
static const char *
written(const struct http_reply *r)
{
	static char	 text[4096];
	const char	*date, *end;

	clear();
	ck_assert_int_eq(http_reply_write(&out, r), 0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	date = strstr(out.data, "Date: ");
	ck_assert_ptr_nonnull(date);
	date += 6;
	end = strstr(date, "\r\n");
	ck_assert_int_eq(end - date, 29);
	snprintf(text, sizeof(text), "%.*sD%s", (int)(date - out.data),
	    out.data, end);
	return (text);
}

#define WRITTEN(...)	written(&(struct http_reply){ __VA_ARGS__ })

START_TEST(a_response_has_all_that_ends_it)
{
	struct slice	 body = slice_str("woof");

	ck_assert_str_eq(WRITTEN(.status = 200, .type = "text/html",
	    .body = body, .minor = 1),
	    "HTTP/1.1 200 OK\r\nDate: D\r\nServer: kennel\r\n"
	    "Content-Type: text/html\r\nContent-Length: 4\r\n\r\nwoof");
	ck_assert_str_eq(WRITTEN(.status = 404, .minor = 1),
	    "HTTP/1.1 404 Not Found\r\nDate: D\r\nServer: kennel\r\n"
	    "Content-Length: 0\r\n\r\n");
	ck_assert_str_eq(WRITTEN(.status = 599, .minor = 1, .close = 1,
	    .extra = slice_str("X-A: b\r\nX-C: d\r\n")),
	    "HTTP/1.1 599 Unknown\r\nDate: D\r\nServer: kennel\r\n"
	    "Content-Length: 0\r\nConnection: close\r\n"
	    "X-A: b\r\nX-C: d\r\n\r\n");
}
END_TEST

START_TEST(a_head_has_the_length_but_no_body)
{
	ck_assert_str_eq(WRITTEN(.status = 200, .body = slice_str("woof"),
	    .minor = 1, .head_only = 1),
	    "HTTP/1.1 200 OK\r\nDate: D\r\nServer: kennel\r\n"
	    "Content-Length: 4\r\n\r\n");
}
END_TEST

START_TEST(no_content_and_not_modified_have_neither)
{
	static const int	 rows[] = { 204, 304 };
	const char		*text;

	for (size_t i = 0; i < nitems(rows); i++) {
		text = WRITTEN(.status = rows[i], .body = slice_str("woof"),
		    .minor = 1);
		ck_assert_ptr_null(strstr(text, "Content-Length"));
		ck_assert_str_eq(strstr(text, "\r\n\r\n"), "\r\n\r\n");
	}
}
END_TEST

START_TEST(only_http_1_0_is_told_of_keep_alive)
{
	ck_assert_ptr_nonnull(strstr(WRITTEN(.status = 200, .minor = 0),
	    "Connection: keep-alive\r\n"));
	ck_assert_ptr_null(strstr(WRITTEN(.status = 200, .minor = 1),
	    "Connection:"));
	ck_assert_ptr_null(strstr(WRITTEN(.status = 200, .minor = 0,
	    .close = 1), "keep-alive"));
}
END_TEST

static const char *
error(int status, const char *why, unsigned retry_s, int head_only)
{
	clear();
	ck_assert_int_eq(http_reply_error(&out, status, why, retry_s,
	    head_only), 0);
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	ck_assert_ptr_nonnull(strstr(out.data, "Connection: close\r\n"));
	return (out.data);
}

START_TEST(an_error_says_why_and_what_to_do)
{
	const char	*text;

	text = error(400, "Host is missing", 0, 0);
	ck_assert_int_eq(strncmp(text, "HTTP/1.1 400 Bad Request\r\n", 26), 0);
	ck_assert_ptr_nonnull(strstr(text, "Content-Length: 16\r\n"));
	ck_assert_str_eq(strstr(text, "\r\n\r\n"), "\r\n\r\nHost is missing\n");
	ck_assert_ptr_null(strstr(text, "Retry-After"));

	text = error(503, NULL, 7, 0);
	ck_assert_ptr_nonnull(strstr(text, "\r\nRetry-After: 7\r\n"));
	ck_assert_str_eq(strstr(text, "\r\n\r\n"),
	    "\r\n\r\nService Unavailable\n");

	text = error(405, NULL, 0, 0);
	ck_assert_ptr_nonnull(strstr(text, "\r\nAllow: GET, HEAD\r\n"));

	text = error(426, NULL, 1, 0);
	ck_assert_ptr_nonnull(strstr(text, "\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "\r\nRetry-After: 1\r\n"));

	text = error(404, NULL, 0, 1);
	ck_assert_ptr_nonnull(strstr(text, "Content-Length: 10\r\n"));
	ck_assert_str_eq(strstr(text, "\r\n\r\n"), "\r\n\r\n");
}
END_TEST

START_TEST(no_room_is_an_error)
{
	struct http_reply	 r = { .status = 200, .minor = 1 };

	out.max = 40;
	ck_assert_int_eq(http_reply_write(&out, &r), -1);
}
END_TEST

START_TEST(the_date_is_now)
{
	struct tm	 tm = { 0 };
	const char	*end;
	double		 age;

	end = strptime(http_date(), "%a, %d %b %Y %H:%M:%S GMT", &tm);
	ck_assert_ptr_nonnull(end);
	ck_assert_str_eq(end, "");
	age = difftime(time(NULL), timegm(&tm));
	ck_assert(age >= 0 && age <= 2);
}
END_TEST

START_TEST(a_field_cannot_end_its_line)
{
	static const struct {
		const char	*name, *value;
		int		 ok;
	} rows[] = {
		{ "X-A", "b", 1 }, { "x!#$%&'*+-.^_`|~9", "", 1 },
		{ "X", "tab\there, caf\xc3\xa9", 1 },
		{ "", "b", 0 }, { "X A", "b", 0 }, { "X:", "b", 0 },
		{ "X\r", "b", 0 }, { "X\n", "b", 0 }, { "\xc3\xa9", "b", 0 },
		{ "(x)", "b", 0 }, { "x/y", "b", 0 }, { "x\x7f", "b", 0 },
		{ "X", "a\r\nSet-Cookie: b", 0 }, { "X", "\n", 0 },
		{ "X", "\r", 0 }, { "X", "a\x01", 0 }, { "X", "\x7f", 0 },
	};

	for (size_t i = 0; i < nitems(rows); i++)
		ck_assert_msg(http_field_ok(slice_str(rows[i].name),
		    slice_str(rows[i].value)) == rows[i].ok, "row %zu", i);
	ck_assert(!http_field_ok(slice_str("X"), slice_of("a\0b", 3)));
	ck_assert(!http_field_ok(slice_of("a\0b", 3), slice_str("x")));
	ck_assert(http_field_ok(slice_str("X"), slice_of(NULL, 0)));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("http_reply");
	TCase	*t = tcase_create("http_reply");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, NULL, clear);
	tcase_add_test(t, a_response_has_all_that_ends_it);
	tcase_add_test(t, a_head_has_the_length_but_no_body);
	tcase_add_test(t, no_content_and_not_modified_have_neither);
	tcase_add_test(t, only_http_1_0_is_told_of_keep_alive);
	tcase_add_test(t, an_error_says_why_and_what_to_do);
	tcase_add_test(t, no_room_is_an_error);
	tcase_add_test(t, the_date_is_now);
	tcase_add_test(t, a_field_cannot_end_its_line);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

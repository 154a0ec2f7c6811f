/* The head of an HTTP/1.1 response. */
#include <check.h>
#include <string.h>

#include "proto/http_answer.h"

#define HEAD	"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nX-Ape-Complete:  1 \r\n" \
		"Connection: close\r\n\r\n"

START_TEST(a_head_is_read_and_what_follows_is_left)
{
	static struct http_answer a;
	const char	*text = HEAD "the body";

	ck_assert_int_eq(http_answer_parse(&a, text, strlen(text)), PARSE_DONE);
	ck_assert_int_eq(a.status, 200);
	ck_assert(a.has_length && !a.chunked);
	ck_assert_uint_eq(a.length, 12);
	ck_assert_uint_eq(a.head_len, strlen(HEAD));
	ck_assert(slice_is(http_answer_field(&a, "x-ape-complete"), "1"));
	ck_assert_ptr_null(http_answer_field(&a, "X-Ape").data);
	/* Cut anywhere, more is awaited. */
	for (size_t n = 0; n < strlen(HEAD); n++)
		ck_assert_int_eq(http_answer_parse(&a, text, n), PARSE_MORE);
	text = "HTTP/1.1 404\r\nTransfer-Encoding: Chunked\r\n\r\n";
	ck_assert_int_eq(http_answer_parse(&a, text, strlen(text)), PARSE_DONE);
	ck_assert(a.status == 404 && a.chunked && !a.has_length);
}
END_TEST

START_TEST(what_is_none_is_refused)
{
	static struct http_answer a;
	static char	 big[HTTP_ANSWER_MAX + 1];
	static const char *const wrong[] = {
	    "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n",
	    "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 600 x\r\n\r\n",
	    "HTTP/1.1 099 x\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\r\n\r\n",
	    "HTTP/1.1 200 OK\rX", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
	    "HTTP/1.1 200 OK\r\n: x\r\n\r\n", "HTTP/1.1 200 OK\r\na b: x\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n",
	    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked"
	    "\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
	};

	for (size_t i = 0; i < nitems(wrong); i++)
		ck_assert_int_eq(http_answer_parse(&a, wrong[i],
		    strlen(wrong[i])), PARSE_BAD);
	memset(big, 'x', sizeof(big));
	memcpy(big, "HTTP/1.1 200 ", 13);
	ck_assert_int_eq(http_answer_parse(&a, big, HTTP_ANSWER_MAX - 1),
	    PARSE_MORE);
	ck_assert_int_eq(http_answer_parse(&a, big, HTTP_ANSWER_MAX), PARSE_BAD);
	/* Too many fields. */
	strcpy(big, "HTTP/1.1 200 OK\r\n");
	for (size_t i = 0; i <= HTTP_ANSWER_FIELDS; i++)
		strcat(big, "a: b\r\n");
	strcat(big, "\r\n");
	ck_assert_int_eq(http_answer_parse(&a, big, strlen(big)), PARSE_BAD);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("http_answer");
	TCase	*t = tcase_create("http_answer");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, a_head_is_read_and_what_follows_is_left);
	tcase_add_test(t, what_is_none_is_refused);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

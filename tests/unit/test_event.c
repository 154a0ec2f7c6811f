#include <check.h>

#include "proto/event.h"

static struct buf	 out;

static void
clear(void)
{
	buf_clear(&out);
}

static void
is(const char *want)
{
	ck_assert_int_eq(buf_add(&out, "", 1), 0);
	ck_assert_str_eq(out.data, want);
	buf_clear(&out);
}

START_TEST(each_line_of_data_has_its_field)
{
	static const struct {
		struct slice	 data;
		const char	*out;
	} rows[] = {
		{ { "", 0 }, "data: \n\n" },
		{ { NULL, 0 }, "data: \n\n" },
		{ { "a", 1 }, "data: a\n\n" },
		{ { "a\nb", 3 }, "data: a\ndata: b\n\n" },
		{ { "a\rb", 3 }, "data: a\ndata: b\n\n" },
		{ { "a\r\nb", 4 }, "data: a\ndata: b\n\n" },
		{ { "a\n\rb", 4 }, "data: a\ndata: \ndata: b\n\n" },
		{ { "a\n\nb", 4 }, "data: a\ndata: \ndata: b\n\n" },
		{ { "\n", 1 }, "data: \ndata: \n\n" },
		{ { "\r", 1 }, "data: \ndata: \n\n" },
		{ { "a\r\n", 3 }, "data: a\ndata: \n\n" },
		{ { " a: b", 5 }, "data:  a: b\n\n" },
		{ { "\nid: 9\ndata: x", 14 },
		    "data: \ndata: id: 9\ndata: data: x\n\n" },
	};

	for (size_t i = 0; i < nitems(rows); i++) {
		event_encode(&out, &(struct event_out){ .data = rows[i].data });
		is(rows[i].out);
	}
}
END_TEST

START_TEST(what_else_an_event_has)
{
	event_encode(&out, &(struct event_out){ .id = "7", .name = "news",
	    .retry = 1500, .data = slice_str("x") });
	is("retry: 1500\nid: 7\nevent: news\ndata: x\n\n");
	ck_assert(event_line_ok(NULL) && event_line_ok("") &&
	    event_line_ok("a b"));
	ck_assert(!event_line_ok("a\nb") && !event_line_ok("\r"));
}
END_TEST

START_TEST(what_is_not_text_is_base64)
{
	static char	 big[100000];
	size_t		 n;

	event_encode_binary(&out, slice_of("\0\xff\x80", 3));
	is("event: binary\ndata: AP+A\n\n");
	event_encode_binary(&out, slice_of(NULL, 0));
	is("event: binary\ndata: \n\n");
	event_encode_binary(&out, slice_of(big, sizeof(big)));
	n = strlen("event: binary\ndata: ");
	ck_assert_uint_eq(out.len, n + (sizeof(big) + 2) / 3 * 4 + 2);
	ck_assert_uint_eq(strspn(out.data + n, "A"), sizeof(big) / 3 * 4 + 2);
}
END_TEST

START_TEST(no_room_sticks)
{
	out.max = 20;
	event_encode(&out, &(struct event_out){ .data = slice_str(
	    "more than there is room for") });
	ck_assert_int_eq(out.failed, 1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("event");
	TCase	*t = tcase_create("event");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, NULL, clear);
	tcase_add_test(t, each_line_of_data_has_its_field);
	tcase_add_test(t, what_else_an_event_has);
	tcase_add_test(t, what_is_not_text_is_base64);
	tcase_add_test(t, no_room_sticks);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

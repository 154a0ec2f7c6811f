/* What nodes of a network say to each other. */
#include <check.h>
#include <stdlib.h>

#include "shardd/events/discovery.h"
#include "shardd/events/members.h"

/* A frame of this type with that data. */
static struct fasttcp_frame
frame(enum fasttcp_type type, const char *json)
{
	return ((struct fasttcp_frame){ .type = type,
		.data_type = FASTTCP_OBJECT, .data = slice_str(json) });
}

static void
is(struct slice s, const char *want)
{
	ck_assert_msg(slice_is(s, want), "%.*s, not %s", (int)s.len, s.data,
	    want);
}

START_TEST(links_are_read_and_written)
{
	struct fasttcp_frame	 f = frame(FASTTCP_NEW_LINK, " {\"kennel\":[1,"
				    "{\"source\":\"no\"}], \"source\" : \"h1\","
				    "\"destination\":\"h\\u0032\",\"link\":"
				    "\"h1/down/ab/12345678\",\"cost\":2.50}");
	struct discovery	 d = { 0 };
	struct buf		 b = { 0 };

	ck_assert_int_eq(discovery_read(&d, &f), 0);
	is(d.source, "h1");
	is(d.destination, "h2");
	is(d.link, "h1/down/ab/12345678");
	ck_assert_double_eq(d.cost, 2.5);
	discovery_write(&b, FASTTCP_NEW_LINK, &d);
	is(slice_of(b.data, b.len), "{\"source\":\"h1\",\"destination\":\"h2\","
	    "\"link\":\"h1/down/ab/12345678\",\"cost\":2.5}");
	buf_reset(&b);
	discovery_write(&b, FASTTCP_DEL_LINK, &d);
	is(slice_of(b.data, b.len), "{\"source\":\"h1\",\"destination\":\"h2\","
	    "\"link\":\"h1/down/ab/12345678\"}");
	discovery_clear(&d);
	f = frame(FASTTCP_JOIN_ROOM, "{\"host\":\"h\",\"room\":\"\",\"ref\":7}");
	ck_assert_int_eq(discovery_read(&d, &f), 0);
	ck_assert_uint_eq(d.ref, 7);
	buf_reset(&b);
	discovery_write(&b, FASTTCP_JOIN_ROOM, &d);
	is(slice_of(b.data, b.len), "{\"host\":\"h\",\"room\":\"\",\"ref\":7}");
	discovery_clear(&d);
	buf_clear(&b);
}
END_TEST

/* What frames of one type say, in one of another type, is nothing: not even an error. */
START_TEST(each_type_has_its_own_members)
{
	static const struct {
		enum fasttcp_type	 type;
		const char		*json, *again;
	} rows[] = {
		{ FASTTCP_NEW_LINK, "{\"source\":\"a\",\"destination\":\"b\","
		    "\"link\":\"l\",\"kennel\":1,\"host\":\"h\",\"room\":1,"
		    "\"ref\":3}", "{\"source\":\"a\",\"destination\":\"b\","
		    "\"link\":\"l\",\"cost\":1,\"kennel\":1}" },
		{ FASTTCP_DEL_LINK, "{\"source\":\"a\",\"destination\":\"b\","
		    "\"link\":\"l\",\"kennel\":1,\"cost\":\"x\",\"ref\":3}",
		    "{\"source\":\"a\",\"destination\":\"b\","
		    "\"link\":\"l\"}" },
		{ FASTTCP_JOIN_ROOM, "{\"host\":\"h\",\"room\":\"r\","
		    "\"kennel\":1,\"cost\":-1,\"source\":\"a\","
		    "\"destination\":2,\"link\":\"l\"}",
		    "{\"host\":\"h\",\"room\":\"r\",\"ref\":0}" },
		{ FASTTCP_LEAVE_ROOM, "{\"host\":\"h\",\"room\":\"r\","
		    "\"kennel\":1,\"cost\":7}",
		    "{\"host\":\"h\",\"room\":\"r\",\"ref\":0}" },
	};
	struct discovery	 d = { 0 };
	struct fasttcp_frame	 f;
	struct buf		 b = { 0 };

	for (size_t i = 0; i < nitems(rows); i++) {
		f = frame(rows[i].type, rows[i].json);
		ck_assert_int_eq(discovery_read(&d, &f), 0);
		ck_assert_int_eq(d.kennel, f.type == FASTTCP_NEW_LINK);
		ck_assert_double_eq(d.cost, 1);
		ck_assert_uint_eq(d.ref, 0);
		ck_assert((d.host.data == NULL) != (d.source.data == NULL));
		buf_reset(&b);
		discovery_write(&b, f.type, &d);
		is(slice_of(b.data, b.len), rows[i].again);
		discovery_clear(&d);
	}
	buf_clear(&b);
}
END_TEST

static const struct {
	enum fasttcp_type	 type;
	const char		*json;
} wrongs[] = {
	{ FASTTCP_NEW_LINK, "" },
	{ FASTTCP_NEW_LINK, "{}" },
	{ FASTTCP_NEW_LINK, "[]" },
	{ FASTTCP_NEW_LINK, "null" },
	{ FASTTCP_NEW_LINK, "{\"source\":\"a\",\"destination\":\"b\",\"link\":\"\"}" },
	{ FASTTCP_NEW_LINK, "{\"source\":\"a\",\"destination\":\"a\",\"link\":\"l\"}" },
	{ FASTTCP_NEW_LINK, "{\"source\":\"a/b\",\"destination\":\"b\",\"link\":\"l\"}" },
	{ FASTTCP_NEW_LINK, "{\"source\":\"a|b\",\"destination\":\"b\",\"link\":\"l\"}" },
	{ FASTTCP_NEW_LINK, "{\"source\":\"a\",\"destination\":\"b\",\"link\":\"l\","
	    "\"cost\":0}" },
	{ FASTTCP_NEW_LINK, "{\"source\":\"a\",\"destination\":\"b\",\"link\":\"l\","
	    "\"cost\":-1}" },
	{ FASTTCP_NEW_LINK, "{\"source\":\"a\",\"destination\":\"b\",\"link\":\"l\","
	    "\"cost\":1e400}" },
	{ FASTTCP_NEW_LINK, "{\"source\":\"a\",\"destination\":\"b\",\"link\":\"l\","
	    "\"cost\":\"1\"}" },
	{ FASTTCP_NEW_LINK, "{\"source\":1,\"destination\":\"b\",\"link\":\"l\"}" },
	{ FASTTCP_JOIN_ROOM, "{\"host\":\"h\"}" },
	{ FASTTCP_JOIN_ROOM, "{\"room\":\"h\"}" },
	{ FASTTCP_TO_SOCKET, "{\"event\":\"e\"}" },
	{ FASTTCP_TO_SOCKET, "{\"event\":\"e\",\"socketIds\":[]}" },
	{ FASTTCP_TO_ROOM, "{\"event\":\"e\",\"rooms\":\"r\"}" },
	{ FASTTCP_BROADCAST, "{\"data\":1}" },
	{ FASTTCP_BROADCAST, "{\"event\":1}" },
	{ FASTTCP_BROADCAST, "{\"event\":\"e\",\"except\":1}" },
};

START_TEST(what_is_not_whole_and_right_is_refused)
{
	struct fasttcp_frame	 f = frame(wrongs[_i].type, wrongs[_i].json);
	struct discovery	 d = { 0 };
	struct letter		 l = { 0 };

	if (f.type >= FASTTCP_NEW_LINK)
		ck_assert_int_eq(discovery_read(&d, &f), -1);
	else
		ck_assert_int_eq(letter_read(&l, &f), -1);
	discovery_clear(&d);
	letter_clear(&l);
}
END_TEST

#define DATA(t, bytes, n, json)	{ t, bytes, n, json }
static const struct {
	uint8_t		 type;
	const char	*bytes;
	size_t		 len;
	const char	*json;		/* NULL: absent */
} values[] = {
	DATA(FASTTCP_STRING, "a\"\n\0\xc3\xa9", 6, "\"a\\\"\\n\\u0000\xc3\xa9\""),
	DATA(FASTTCP_STRING, "", 0, "\"\""),
	DATA(FASTTCP_INTEGER, "\xfb\xff\xff\xff\xff\xff", 6, "-5"),
	DATA(FASTTCP_INTEGER, "\xff\xff\xff\xff\xff\x7f", 6, "140737488355327"),
	DATA(FASTTCP_DECIMAL, "\0\0\0\0\0\0\xf8\xbf", 8, "-1.5"),
	DATA(FASTTCP_OBJECT, "{\"b\": [1, \"]\"],\"a\":{}}", 22,
	    "{\"b\": [1, \"]\"],\"a\":{}}"),
	DATA(FASTTCP_OBJECT, "[]", 2, "[]"),
	DATA(FASTTCP_BOOLEAN, "\0", 1, "false"),
	DATA(FASTTCP_BOOLEAN, "\1", 1, "true"),
	DATA(FASTTCP_EMPTY, "", 0, NULL),
};

START_TEST(values_cross_as_json)
{
	struct letter		 l = { .whom = WHOM_ROOMS,
				    .names = slice_str("r,s"),
				    .event = slice_str("e"),
				    .data_type = values[_i].type,
				    .data = slice_of(values[_i].bytes,
				    values[_i].len) };
	struct letter		 back = { 0 };
	struct fasttcp_frame	 f = { .type = FASTTCP_TO_ROOM,
				    .data_type = FASTTCP_OBJECT };
	struct buf		 b = { 0 }, want = { 0 };

	letter_write(&b, &l);
	buf_addf(&want, "{\"event\":\"e\"%s%s,\"rooms\":[\"r\",\"s\"],\"except\":[]}",
	    values[_i].json == NULL ? "" : ",\"data\":",
	    values[_i].json == NULL ? "" : values[_i].json);
	buf_add(&want, "", 1);
	is(slice_of(b.data, b.len), want.data);
	f.data = slice_of(b.data, b.len);
	ck_assert_int_eq(letter_read(&back, &f), 0);
	ck_assert_uint_eq(back.data_type, l.data_type);
	ck_assert(slice_eq(back.data, l.data));
	is(back.names, "r,s");
	ck_assert_ptr_null(back.except.data);
	letter_clear(&back);
	buf_clear(&b);
	buf_clear(&want);
}
END_TEST

START_TEST(what_json_has_no_word_for)
{
	static const struct {
		uint8_t		 type;
		const char	*bytes;
		size_t		 len;
		const char	*json;
	} rows[] = {
		{ FASTTCP_BINARY, "\0\xff", 2,
		    "{\"type\":\"Buffer\",\"data\":[0,255]}" },
		{ FASTTCP_OBJECT, "\x81", 1,
		    "{\"type\":\"Buffer\",\"data\":[129]}" },
		{ FASTTCP_DECIMAL, "\0\0\0\0\0\0\xf8\x7f", 8, "null" },
		{ FASTTCP_STRING, "a\xff" "b", 3, "\"a\xef\xbf\xbd" "b\"" },
	};
	struct letter	 l = { .whom = WHOM_ALL, .names = slice_str(""),
			    .except = slice_str("x/1,y/2") };
	struct buf	 b = { 0 }, want = { 0 };

	for (size_t i = 0; i < nitems(rows); i++) {
		l.data_type = rows[i].type;
		l.data = slice_of(rows[i].bytes, rows[i].len);
		buf_reset(&b);
		buf_reset(&want);
		letter_write(&b, &l);
		buf_addf(&want, "{\"event\":\"\",\"data\":%s,\"except\":[\"x/1\","
		    "\"y/2\"]}", rows[i].json);
		buf_add(&want, "", 1);
		is(slice_of(b.data, b.len), want.data);
	}
	buf_clear(&b);
	buf_clear(&want);
}
END_TEST

START_TEST(strings_say_what_they_say)
{
	struct buf	 b = { 0 };

	ck_assert_int_eq(members_string(&b, slice_str(
	    "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD834\\uDD1E\\ud800x\"")), 0);
	is(slice_of(b.data, b.len), "\"\\/\b\f\n\r\t\xc3\xa9\xf0\x9d\x84\x9e"
	    "\xef\xbf\xbdx");
	ck_assert_int_eq(members_string(&b, slice_str("12")), -1);
	buf_clear(&b);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("discovery");
	TCase	*t = tcase_create("discovery");
	SRunner	*r;
	int	 failed;

	tcase_add_test(t, links_are_read_and_written);
	tcase_add_test(t, each_type_has_its_own_members);
	tcase_add_loop_test(t, what_is_not_whole_and_right_is_refused, 0,
	    nitems(wrongs));
	tcase_add_loop_test(t, values_cross_as_json, 0, nitems(values));
	tcase_add_test(t, what_json_has_no_word_for);
	tcase_add_test(t, strings_say_what_they_say);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

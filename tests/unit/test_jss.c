#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/js_number.h"
#include "proto/jss_parse.h"
#include "proto/jss_write.h"

static struct jss_pool	 pool;

static void
setup(void)
{
	jss_pool_init(&pool, 0);
}

static void
teardown(void)
{
	jss_pool_clear(&pool);
}

static struct jss *
read_text(const char *text)
{
	const char	*why;

	return (jss_parse(&pool, text, strlen(text), 0, &why));
}

/* {"name":v}, to be freed. */
static char *
written(const char *name, const struct jss *v)
{
	struct buf	 b = { 0 };

	buf_adds(&b, "{");
	jss_write_member(&b, name, v, NULL, NULL);
	buf_add(&b, "}", 2);
	ck_assert(!b.failed);
	return (b.data);
}

static const struct {
	const char	*key, *name;
	char		 tag;
} keys[] = {
	{ "a<!D>", "a", 'D' }, { "a", "a", 0 }, { "<!D>", "<!D>", 0 },
	{ "a<!>", "a<!>", 0 }, { "a<!Z>", "a", '?' }, { "a<!D>b", "a", 'D' },
	{ "a<!D><!R>", "a<!D>", 'R' }, { "a<!L><!L>", "a", 'L' },
	{ "a<!F><!F><!F>", "a", 'F' }, { "a<![D,,D]>", "a", '[' },
	{ "a<!!x>", "a", '?' }, { "a<!\xc3\xa9>", "a", '?' },
	{ "a<!\xf0\x9f\xa6\x8d>", "a<!\xf0\x9f\xa6\x8d>", 0 },
	{ "a<!DD>", "a<!DD>", 0 }, { "x<!D", "x<!D", 0 }
};

START_TEST(a_key_has_a_name_and_a_tag)
{
	struct jss	*o, *v;
	char		 text[64];

	snprintf(text, sizeof(text), "{\"%s\":1}", keys[_i].key);
	ck_assert_ptr_nonnull(o = read_text(text));
	v = o->first;
	ck_assert_uint_eq(v->name_len, strlen(keys[_i].name));
	ck_assert_int_eq(memcmp(v->key, keys[_i].name, v->name_len), 0);
	ck_assert_int_eq(v->tag, keys[_i].tag);
}
END_TEST

static const char	*const bad[] = {
	"", " ", "{", "}", "[1", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "01",
	"+1", ".5", "1.", "1e", "-", "tru", "nul", "\"", "\"\\x\"", "\"\\u12\"",
	"\"\t\"", "1 2", "\"\xff\"", "[1}", "{\"a\":1,}", "--1", "00",
	"{\"data\":{\"a<!P>\":[\"x\"]}}", "{\"data\":{\"a<!P>\":[{}]}}",
	"{\"a<!P>\":[\"b\"],\"b<!P>\":[\"a\"]}", "{\"a<!P>\":[\"a\"]}"
};

START_TEST(what_is_none_is_refused_with_a_reason)
{
	const char	*why = NULL;

	ck_assert_ptr_null(jss_parse(&pool, bad[_i], strlen(bad[_i]), 0, &why));
	ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(depth_and_values_are_limited)
{
	char	 text[2 * JSS_DEPTH_MAX + 3];

	memset(text, '[', JSS_DEPTH_MAX);
	memset(text + JSS_DEPTH_MAX, ']', JSS_DEPTH_MAX);
	text[2 * JSS_DEPTH_MAX] = '\0';
	ck_assert_ptr_nonnull(read_text(text));
	memset(text, '[', JSS_DEPTH_MAX + 1);
	memset(text + JSS_DEPTH_MAX + 1, ']', JSS_DEPTH_MAX + 1);
	text[2 * JSS_DEPTH_MAX + 2] = '\0';
	ck_assert_ptr_null(read_text(text));
}
END_TEST

START_TEST(memory_is_limited)
{
	const char	*why;

	jss_pool_init(&pool, 8000);
	ck_assert_ptr_nonnull(jss_parse(&pool, "[1,2]", 5, 0, &why));
	ck_assert_ptr_null(jss_alloc(&pool, 8000));
	ck_assert(pool.failed);
}
END_TEST

START_TEST(data_is_written_as_it_came)
{
	static const char	 text[] = "{\"data\":{\"z\":1.50,\"a<!D>\":5,"
				    "\"l<![D,,P]>\":[1,\"x\",[\"data\"]],"
				    "\"p<!P>\":[\"data\",\"l\",0]}}";
	struct jss		*o = read_text(text);
	char			*again;

	ck_assert_ptr_nonnull(o);
	again = written("data", o->first);
	ck_assert_str_eq(again, text);
	free(again);
}
END_TEST

START_TEST(pointers_are_right_where_data_is_moved)
{
	struct jss	*o, *root = read_text("{\"data\":{\"in\":{\"a\":[1],"
			    "\"b<!P>\":[\"data\",\"in\",\"a\"],"
			    "\"up<!P>\":[\"data\",\"in\"]}}}");
	char		*text;

	ck_assert_ptr_nonnull(root);
	text = written("data", jss_member(jss_member(root, "data", 4), "in", 2));
	ck_assert_str_eq(text,
	    "{\"data\":{\"a\":[1],\"b\":[1],\"up<!P>\":[\"data\"]}}");
	free(text);
	o = jss_new(&pool, JSS_OBJECT, JSS_PLAIN);
	jss_put(&pool, o, "x", jss_member(root, "data", 4));
	text = written("data", o);
	ck_assert_str_eq(text, "{\"data\":{\"x\":{\"in\":{\"a\":[1],\"b\":[1],"
	    "\"up<!P>\":[\"data\",\"x\",\"in\"]}}}}");
	free(text);
}
END_TEST

START_TEST(what_is_made_has_its_tags)
{
	struct jss	*o = jss_new(&pool, JSS_OBJECT, JSS_PLAIN), *a;
	char		*text;

	a = jss_new(&pool, JSS_ARRAY, JSS_PLAIN);
	jss_add(&pool, a, jss_new_number(&pool, 5, JSS_DATE));
	jss_add(&pool, a, jss_new_string(&pool, "x\n\xed\xa0\x80", 5,
	    JSS_PLAIN));
	jss_add(&pool, a, jss_new(&pool, JSS_NULL, JSS_UNDEFINED));
	jss_put(&pool, o, "l", a);
	jss_put(&pool, o, "f", jss_new_string(&pool, "id", 2, JSS_FILE));
	jss_put(&pool, o, "nan", jss_new_number(&pool, NAN, JSS_PLAIN));
	text = written("data", o);
	ck_assert_str_eq(text, "{\"data\":{\"l<![D,,U]>\":[5,\"x\\n\\ud800\","
	    "null],\"f<!F><!F>\":\"id\",\"nan\":null}}");
	free(text);
}
END_TEST

START_TEST(half_pairs_and_escapes_come_back)
{
	static const char	 text[] = "{\"data\":\"\\ud83e \\\"\\\\\\u0001"
				    "\\u0000\"}";
	char			*again;

	again = written("data", read_text(text)->first);
	ck_assert_str_eq(again, text);
	free(again);
}
END_TEST

/* What a string may have, as it comes and goes; each is tried at every place. */
static const char *const oddities[] = {
	"\\\"", "\\\\", "\\u0000", "\\u0001", "\\u001f", "\\n", " ", "!", "#", "[", "]",
	"\x7f", "\xc3\xa9", "\xec\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80",
	"\xf0\x9f\xa6\x8d", "\\ud800", "\\udfff", "\\u001f\\u001f", "\\\"!", "!\\\""
};

START_TEST(a_string_is_itself_wherever_its_oddities_stand)
{
	char		 text[128], *again;
	const char	*odd = oddities[_i];

	for (int len = 0; len <= 20; len++)
		for (int at = 0; at <= len; at++) {
			snprintf(text, sizeof(text), "{\"data\":\"%.*s%s%.*s\"}",
			    at, "abcdefghijklmnopqrst", odd, len - at,
			    "ABCDEFGHIJKLMNOPQRST");
			again = written("data", read_text(text)->first);
			ck_assert_str_eq(again, text);
			free(again);
		}
}
END_TEST

/* Control characters stand in no string as they are. */
START_TEST(a_string_that_does_not_end_is_none)
{
	char		 text[64];
	const char	*why;

	for (int c = 1; c < 0x20; c++)
		for (int at = 0; at <= 20; at++) {
			snprintf(text, sizeof(text), "[\"%.*s%cABCDEFGHI\"]", at,
			    "abcdefghijklmnopqrst", c);
			ck_assert_ptr_null(jss_parse(&pool, text, strlen(text), 0,
			    &why));
			ck_assert_str_eq(why, "a string does not end");
		}
}
END_TEST

static const struct {
	const char	*text;
	double		 v;
} spelled[] = {
	{ "0", 0 }, { "7", 7 }, { "-7", -7 }, { "1700000000000", 1.7e12 },
	{ "999999999999999", 999999999999999.0 },
	{ "1000000000000000", 1e15 }, { "9007199254740993", 9007199254740992.0 },
	{ "123456789012345678901", 123456789012345678901.0 }, { "1.5", 1.5 },
	{ "12e2", 1200 }, { "5e-324", 5e-324 }
};

START_TEST(numbers_are_what_they_spell)
{
	char	 text[64];

	snprintf(text, sizeof(text), "[%s]", spelled[_i].text);
	ck_assert(jss_number(read_text(text)->first) == spelled[_i].v);
}
END_TEST

static const struct {
	double		 v;
	const char	*text;
} numbers[] = {
	{ 0, "0" }, { -0.0, "0" }, { 1, "1" }, { -17, "-17" }, { 0.5, "0.5" },
	{ 1.1, "1.1" }, { -2.25, "-2.25" }, { 1e21, "1e+21" },
	{ 1e20, "100000000000000000000" }, { 1e-6, "0.000001" },
	{ 1e-7, "1e-7" }, { 2.5e-7, "2.5e-7" }, { -1.5e300, "-1.5e+300" },
	{ 5e-324, "5e-324" }, { 1.7976931348623157e308,
	"1.7976931348623157e+308" }, { 9007199254740993.0, "9007199254740992" },
	{ 123456.789, "123456.789" }, { 1700000000000.0, "1700000000000" }
};

START_TEST(numbers_are_printed_as_javascript_does)
{
	char	 text[JS_NUMBER_SIZE];

	js_number_text(text, numbers[_i].v);
	ck_assert_str_eq(text, numbers[_i].text);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("jss");
	TCase	*tc = tcase_create("jss");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_key_has_a_name_and_a_tag, 0,
	    (int)nitems(keys));
	tcase_add_loop_test(tc, what_is_none_is_refused_with_a_reason, 0,
	    (int)nitems(bad));
	tcase_add_test(tc, depth_and_values_are_limited);
	tcase_add_test(tc, memory_is_limited);
	tcase_add_test(tc, data_is_written_as_it_came);
	tcase_add_test(tc, pointers_are_right_where_data_is_moved);
	tcase_add_test(tc, what_is_made_has_its_tags);
	tcase_add_test(tc, half_pairs_and_escapes_come_back);
	tcase_add_loop_test(tc, a_string_is_itself_wherever_its_oddities_stand, 0,
	    (int)nitems(oddities));
	tcase_add_test(tc, a_string_that_does_not_end_is_none);
	tcase_add_loop_test(tc, numbers_are_what_they_spell, 0,
	    (int)nitems(spelled));
	tcase_add_loop_test(tc, numbers_are_printed_as_javascript_does, 0,
	    (int)nitems(numbers));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

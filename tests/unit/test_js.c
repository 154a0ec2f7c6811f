#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "shardd/apps/js.h"

#define DEPTH	32

#define NODE_NUMBERS	5000

static double
of_bits(uint64_t bits)
{
	double	 v;

	memcpy(&v, &bits, sizeof(v));
	return (v);
}

/* Any double: any bits, a power of ten and its neighbours, a few digits. */
static double
some_number(void)
{
	char	 text[32];

	switch (random() % 4) {
	case 0:
		snprintf(text, sizeof(text), "1e%ld", random() % 640 - 330);
		return (of_bits((uint64_t)random() % 3 - 1 +
		    ((union { double d; uint64_t u; }){ strtod(text,
		    NULL) }).u));
	case 1:
		snprintf(text, sizeof(text), "%ld.%lde%ld", random() % 100000,
		    random() % 10000, random() % 60 - 30);
		return (strtod(text, NULL));
	case 2:
		return ((double)(random() % 1000000) / 100);
	default:
		return (of_bits(bytes_random64()));
	}
}

static const struct {
	double		 v;
	const char	*text;
} numbers[] = {
	{ 0, "0" }, { -0.0, "0" }, { 1, "1" }, { -1, "-1" },
	{ 17.75 - 15.14, "2.6099999999999994" }, { 0.1 + 0.2,
	"0.30000000000000004" }, { 1e21, "1e+21" }, { 1e20,
	"100000000000000000000" }, { 123456789012345680000.0,
	"123456789012345680000" }, { 1e-6, "0.000001" }, { 1e-7, "1e-7" },
	{ 2.5e-7, "2.5e-7" }, { -1.5e300, "-1.5e+300" },
	{ 5e-324, "5e-324" }, { 2.2250738585072014e-308,
	"2.2250738585072014e-308" }, { 1.7976931348623157e308,
	"1.7976931348623157e+308" }, { 9007199254740993.0,
	"9007199254740992" }, { 1e15, "1000000000000000" },
	{ 4.35, "4.35" }, { 0.000001234, "0.000001234" },
	{ 5e-7, "5e-7" }, { 9.5e-7, "9.5e-7" }, { 999999999999999.9,
	"999999999999999.9" }, { 1844674407370955200.0, "1844674407370955300" },
	{ INFINITY, "null" }, { -INFINITY, "null" }, { NAN, "null" },
};

START_TEST(numbers_are_printed_as_javascript_does)
{
	char	 text[JS_NUMBER];

	js_number(text, numbers[_i].v);
	ck_assert_str_eq(text, numbers[_i].text);
}
END_TEST

START_TEST(any_number_reads_back_and_no_shorter_one_does)
{
	char	 text[JS_NUMBER], shorter[64];
	size_t	 digits;
	double	 v;

	for (int i = 0; i < 100000; i++) {
		if (!isfinite(v = some_number()))
			continue;
		js_number(text, v);
		ck_assert_uint_lt(strlen(text), JS_NUMBER);
		ck_assert(strtod(text, NULL) == v);
		ck_assert(js_to_number(text, strlen(text)) == v);
		digits = 0;
		for (const char *p = text; *p != '\0' && *p != 'e'; p++)
			if (*p >= '0' && *p <= '9' && (digits > 0 || *p != '0'))
				digits++;
		if (digits < 2 || digits > 17)
			continue;	/* 1e20 as 100000000000000000000 */
		snprintf(shorter, sizeof(shorter), "%.*e", (int)digits - 2, v);
		if (strtod(shorter, NULL) == v) {
			/* Only zeros that stand for places. */
			ck_assert_ptr_null(strchr(text, '.'));
			ck_assert_int_eq(text[strcspn(text, "e") - 1], '0');
		}
	}
}
END_TEST

/* The real one, where it is to be had. */
START_TEST(any_number_is_printed_as_node_does)
{
	static char	 path[] = "/tmp/test_js.XXXXXX";
	char		 command[256], line[128], text[JS_NUMBER];
	static double	 v[NODE_NUMBERS];
	FILE		*f;
	int		 fd;

	if (system("node -e 0 >/dev/null 2>&1") != 0)
		return;
	ck_assert_int_ne(fd = mkstemp(path), -1);
	ck_assert_ptr_nonnull(f = fdopen(fd, "w"));
	for (size_t i = 0; i < nitems(v); i++) {
		while (!isfinite(v[i] = some_number()))
			;
		fprintf(f, "%.17g\n", v[i]);
	}
	fclose(f);
	snprintf(command, sizeof(command), "node -e \"require('fs')"
	    ".readFileSync('%s','utf8').trim().split('\\n').forEach("
	    "s => console.log(JSON.stringify(Number(s))))\"", path);
	ck_assert_ptr_nonnull(f = popen(command, "r"));
	for (size_t i = 0; i < nitems(v); i++) {
		ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
		line[strcspn(line, "\n")] = '\0';
		js_number(text, v[i]);
		ck_assert_str_eq(text, line);
	}
	ck_assert_int_eq(pclose(f), 0);
	remove(path);
}
END_TEST

static const struct {
	const char	*text;
	double		 v;		/* NAN: no number */
} strings[] = {
	{ "", 0 }, { " \t\n\v\f\r", 0 }, { "\xc2\xa0\xe2\x80\xa8\xef\xbb\xbf",
	0 }, { "5", 5 }, { " 2.5 ", 2.5 }, { "\xe3\x80\x80" "7\xe2\x80\x83",
	7 }, { "+3", 3 }, { "-3", -3 }, { "-0", 0 }, { ".5", .5 }, { "5.", 5 },
	{ "1e3", 1000 }, { "1E+3", 1000 }, { "1e-3", .001 }, { "1e400",
	INFINITY }, { "-1e400", -INFINITY }, { "Infinity", INFINITY },
	{ "+Infinity", INFINITY }, { "-Infinity", -INFINITY },
	{ "0x1F", 31 }, { "0X1f", 31 }, { "0b101", 5 }, { "0O17", 15 },
	{ "007", 7 }, { "1e1000000", INFINITY },
	{ "0x", NAN }, { "-0x1", NAN }, { "+0b1", NAN }, { "0b2", NAN },
	{ "0o8", NAN }, { "0xg", NAN }, { ".", NAN }, { "e5", NAN },
	{ "1e", NAN }, { "1e+", NAN }, { "--1", NAN }, { "1 2", NAN },
	{ "1,5", NAN }, { "1_000", NAN }, { "nan", NAN }, { "NaN", NAN },
	{ "inf", NAN }, { "infinity", NAN }, { "INFINITY", NAN },
	{ "0x1p3", NAN }, { "1n", NAN }, { "\xe2\x80\x8b" "1", NAN },
	{ "+", NAN }, { "-", NAN }, { "+ 1", NAN }, { "1\xc2", NAN },
	{ "InfinityX", NAN }, { "\xc2\x85" "1", NAN },
};

START_TEST(strings_are_read_as_javascript_does)
{
	const char	*s = strings[_i].text;
	/* As a message has it: the bytes behind are not its own. */
	char		*exact = malloc(strlen(s) + 1);
	double		 v;

	ck_assert_ptr_nonnull(exact);
	memcpy(exact, s, strlen(s) + 1);
	v = js_to_number(exact, strlen(s));
	if (isnan(strings[_i].v))
		ck_assert_msg(isnan(v), "\"%s\" is %g", s, v);
	else
		ck_assert_msg(v == strings[_i].v, "\"%s\" is %g", s, v);
	free(exact);
}
END_TEST

START_TEST(a_nul_makes_it_no_number)
{
	ck_assert(isnan(js_to_number("5\0", 2)));
	ck_assert(isnan(js_to_number("5\0006", 3)));
	ck_assert(isnan(js_to_number("0x5\0", 4)));
	ck_assert(isnan(js_to_number("0\0005", 3)));
}
END_TEST

static json_t *
nested(int depth, char open, char close, const char **why)
{
	static char	 text[4096];

	memset(text, open, (size_t)depth);
	memset(text + depth, close, (size_t)depth);
	return (js_parse(text, (size_t)depth * 2, DEPTH, why));
}

START_TEST(depth_is_bounded)
{
	static const char	 string[] = "\"[[[[[[[[[[[[[[[[[[[[[[[["
				    "[[[[[[[[[[[\\\"[[[[\"";
	json_t			*v;
	const char		*why;

	ck_assert_ptr_nonnull(v = nested(DEPTH, '[', ']', &why));
	json_decref(v);
	ck_assert_ptr_null(why);
	ck_assert_ptr_null(nested(DEPTH + 1, '[', ']', &why));
	ck_assert_ptr_nonnull(why);
	ck_assert_ptr_null(nested(2000, '[', ']', &why));
	ck_assert_ptr_nonnull(why);
	/* Never closed, it is no JSON; brackets in a string are none. */
	ck_assert_ptr_null(nested(2000, '[', ' ', &why));
	ck_assert_ptr_null(why);
	ck_assert_ptr_nonnull(v = js_parse(string, sizeof(string) - 1, DEPTH, &why));
	json_decref(v);
	ck_assert_ptr_null(why);
}
END_TEST

static const struct {
	const char	*in, *out;	/* NULL: not JSON */
} texts[] = {
	{ "{ \"b\" : [ 1.0, 2e0, -0, 1e2 ], \"a\":null }",
	"{\"b\":[1,2,0,100],\"a\":null}" },
	{ "\"\\u0000\\u001f\\b\\f\\n\\r\\t\\\"\\\\\\/\\u00fc\\ud83d\\ude00\"",
	"\"\\u0000\\u001f\\b\\f\\n\\r\\t\\\"\\\\/\xc3\xbc\xf0\x9f\x98\x80\"" },
	{ "12345678901234567890123", "1.2345678901234568e+22" },
	{ "[18446744073709552000,9223372036854775808,-9223372036854775809]",
	"[18446744073709552000,9223372036854776000,-9223372036854776000]" },
	/* Half a surrogate pair; a backslash before u is no escape. */
	{ "\"\\ud83d\"", "\"\xef\xbf\xbd\"" },
	{ "\"\\uDe00x\\ud83d\\ud83d\\ude00\"",
	"\"\xef\xbf\xbdx\xef\xbf\xbd\xf0\x9f\x98\x80\"" },
	{ "\"\\\\ud83d\\\\\\udc00\"",
	"\"\\\\ud83d\\\\\xef\xbf\xbd\"" },
	{ "{\"\\ud83d\":\"\\ud83d\\u0041\"}",
	"{\"\xef\xbf\xbd\":\"\xef\xbf\xbd" "A\"}" },
	{ "9007199254740993", "9007199254740992" },
	{ "true", "true" }, { "[]", "[]" }, { "{}", "{}" },
	{ "{\"__proto__\":{\"constructor\":1}}",
	"{\"__proto__\":{\"constructor\":1}}" },
	{ "{\"a\":1,\"a\":2}", "{\"a\":2}" },
	{ "", NULL }, { "{", NULL }, { "[1,]", NULL }, { "01", NULL },
	{ "NaN", NULL }, { "'a'", NULL }, { "\"\xff\"", NULL },
	{ "1 2", NULL }, { "{\"a\":1}x", NULL }, { "\"\\ud83", NULL },
	{ "\"\\ud83d", NULL }, { "\"\\ud83d\\", NULL }, { "\\", NULL },
};

START_TEST(json_is_written_shortest)
{
	json_t		*v;
	struct js_text	 t;
	const char	*why;

	v = js_parse(texts[_i].in, strlen(texts[_i].in), DEPTH, &why);
	if (texts[_i].out == NULL) {
		ck_assert_ptr_null(v);
		return;
	}
	ck_assert_ptr_nonnull(v);
	ck_assert_ptr_null(why);
	ck_assert_int_eq(js_begin(&t), 0);
	js_write(t.f, v);
	ck_assert_int_eq(js_end(&t), 0);
	ck_assert_str_eq(t.data, texts[_i].out);
	js_clear(&t);
	json_decref(v);
}
END_TEST

/* JSON, but more than we can carry: words say what. */
static const char *const	 refused[] = {
	"{\"a\\u0000b\":1}", "[1e999]", "{\"a\":{\"\\u0000\":[]}}",
};

START_TEST(what_cannot_be_carried_is_named)
{
	const char	*why = NULL;

	ck_assert_ptr_null(js_parse(refused[_i], strlen(refused[_i]), DEPTH,
	    &why));
	ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(the_deepest_can_be_read)
{
	static char	 text[20000];
	const char	*why;
	json_t		*v;

	memset(text, '[', JS_DEPTH_MAX);
	memset(text + JS_DEPTH_MAX, ']', JS_DEPTH_MAX);
	ck_assert_ptr_nonnull(v = js_parse(text, 2 * JS_DEPTH_MAX,
	    JS_DEPTH_MAX, &why));
	json_decref(v);
	memset(text, '[', 10000);
	memset(text + 10000, ']', 10000);
	ck_assert_ptr_null(js_parse(text, 20000, JS_DEPTH_MAX, &why));
	ck_assert_ptr_nonnull(why);
}
END_TEST

static const struct {
	const char	*in, *out;
} plains[] = {
	{ "\"a\"", "a" }, { "5", "5" }, { "1e21", "1e+21" }, { "null", "null" },
	{ "true", "true" }, { "{\"a\":1}", "[object Object]" }, { "[]", "" },
	{ "[1,[2,null,\"x\"],{}]", "1,2,,x,[object Object]" },
};

START_TEST(values_become_strings_as_javascript_does)
{
	json_t		*v;
	struct js_text	 t;
	const char	*why;

	v = js_parse(plains[_i].in, strlen(plains[_i].in), DEPTH, &why);
	ck_assert_ptr_nonnull(v);
	ck_assert_int_eq(js_begin(&t), 0);
	js_write_plain(t.f, v);
	ck_assert_int_eq(js_end(&t), 0);
	ck_assert_str_eq(t.data, plains[_i].out);
	js_clear(&t);
	json_decref(v);
}
END_TEST

START_TEST(texts_may_be_within_each_other_and_follow_longer_ones)
{
	static const size_t	 sizes[] = { 0, 5, 100000, 1, 70000, 3, 0, 9000 };
	struct js_text		 outer, inner;

	for (size_t k = 0; k < nitems(sizes); k++) {
		ck_assert_int_eq(js_begin(&outer), 0);
		for (size_t i = 0; i < sizes[k]; i++)
			putc('o', outer.f);
		ck_assert_int_eq(js_begin(&inner), 0);
		fputs("inner", inner.f);
		ck_assert_int_eq(js_end(&inner), 0);
		ck_assert_str_eq(inner.data, "inner");
		ck_assert_uint_eq(inner.len, 5);
		fwrite(inner.data, 1, inner.len, outer.f);
		js_clear(&inner);
		ck_assert_int_eq(js_end(&outer), 0);
		ck_assert_uint_eq(outer.len, sizes[k] + 5);
		ck_assert_uint_eq(strspn(outer.data, "o"), sizes[k]);
		ck_assert_str_eq(outer.data + sizes[k], "inner");
		js_clear(&outer);
		js_clear(&outer);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("js");
	TCase	*t = tcase_create("js");
	SRunner	*r;
	int	 failed;

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, numbers_are_printed_as_javascript_does, 0,
	    nitems(numbers));
	tcase_add_test(t, any_number_reads_back_and_no_shorter_one_does);
	tcase_add_test(t, any_number_is_printed_as_node_does);
	tcase_add_loop_test(t, strings_are_read_as_javascript_does, 0,
	    nitems(strings));
	tcase_add_test(t, a_nul_makes_it_no_number);
	tcase_add_test(t, depth_is_bounded);
	tcase_add_test(t, the_deepest_can_be_read);
	tcase_add_loop_test(t, what_cannot_be_carried_is_named, 0,
	    nitems(refused));
	tcase_add_test(t, texts_may_be_within_each_other_and_follow_longer_ones);
	tcase_add_loop_test(t, json_is_written_shortest, 0, nitems(texts));
	tcase_add_loop_test(t, values_become_strings_as_javascript_does, 0,
	    nitems(plains));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

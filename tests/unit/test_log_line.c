#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/log_line.h"

static char	line[4096];

/* What message looks like; terminated, its line's end checked. */
static const char *
written(enum log_format format, const char *message, size_t size)
{
	const struct log_event	 e = { .format = format,
		.level = LOG_LEVEL_WARN, .ident = "shardd/3", .pid = 812,
		.when = { 1764000000, 123456789 }, .message = message };
	size_t			 n = log_line_write(line, size, &e);

	ck_assert_uint_le(n, size);
	ck_assert_int_eq(line[n - 1], '\n');
	ck_assert_ptr_null(memchr(line, '\n', n - 1));
	line[n - 1] = '\0';
	return (line);
}

START_TEST(text_and_journald)
{
	ck_assert_str_eq(written(LOG_FORMAT_TEXT, "a=1", 512),
	    "2025-11-24T16:00:00.123Z warn shardd/3[812] a=1");
	ck_assert_str_eq(written(LOG_FORMAT_JOURNALD, "a=1", 512),
	    "<4>shardd/3[812] a=1");
}
END_TEST

START_TEST(json_has_the_pairs)
{
	json_t	*j = json_loads(written(LOG_FORMAT_JSON, "shard slot=3 why=\"a "
		    "\\\" b\" slot=4 http://x?y=z end=", sizeof(line)), 0, NULL);
	json_t	*f = json_object_get(j, "fields");

	ck_assert_ptr_nonnull(j);
	ck_assert_int_eq(json_integer_value(json_object_get(j, "pid")), 812);
	ck_assert_str_eq(json_string_value(json_object_get(j, "level")),
	    "warn");
	ck_assert_str_eq(json_string_value(json_object_get(j, "process")),
	    "shardd/3");
	ck_assert_str_eq(json_string_value(json_object_get(f, "slot")), "3");
	ck_assert_str_eq(json_string_value(json_object_get(f, "why")),
	    "a \\\" b");
	ck_assert_str_eq(json_string_value(json_object_get(f, "end")), "");
	ck_assert_uint_eq(json_object_size(f), 3);
	json_decref(j);
}
END_TEST

/* Whatever the bytes, and wherever it has to be cut, it is an object. */
START_TEST(json_whatever_comes)
{
	static const char	 some[] = "a=\"b= \\\x01\xff\" =x\t1";
	char			 text[2500];
	json_t			*j;

	srand((unsigned)_i);
	for (int round = 0; round < 2000; round++) {
		size_t	 n = (size_t)rand() % (sizeof(text) - 1);

		for (size_t i = 0; i < n; i++)
			text[i] = some[(size_t)rand() % (sizeof(some) - 1)];
		text[n] = '\0';
		j = json_loads(written(LOG_FORMAT_JSON, text, 512 +
		    (size_t)rand() % (sizeof(line) - 512)), 0, NULL);
		ck_assert_ptr_nonnull(j);
		ck_assert_ptr_nonnull(json_object_get(j, "fields"));
		json_decref(j);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("log_line");
	TCase	*tc = tcase_create("log_line");
	SRunner	*r;
	int	 failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, text_and_journald);
	tcase_add_test(tc, json_has_the_pairs);
	tcase_add_loop_test(tc, json_whatever_comes, 0, 4);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

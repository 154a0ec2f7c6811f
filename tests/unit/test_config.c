#include <check.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/config.h"

static char	 seen[4096];	/* what was called, one line each */

static int
note(void *arg, const char *label, const char *value, const char **why)
{
	size_t	 n = strlen(seen);

	ck_assert_ptr_eq(arg, seen);
	if (strcmp(value, "bad") == 0) {
		*why = "this one is bad";
		return (-1);
	}
	if (strcmp(value, "worse") == 0)
		return (-1);
	snprintf(seen + n, sizeof(seen) - n, "(%s) %s\n", label, value);
	return (0);
}

static int
note_any(void *arg, const char *label, const char *value, const char **why)
{
	size_t	 n = strlen(seen);

	(void)arg, (void)why;
	snprintf(seen + n, sizeof(seen) - n, "*%s=%s\n", label, value);
	return (0);
}

static int
note_section(void *arg, const char *section, const char *label,
    const char **why)
{
	size_t	 n = strlen(seen);

	ck_assert_ptr_eq(arg, seen);
	if (strcmp(label, "refused") == 0) {
		*why = "no such label, please";
		return (-1);
	}
	snprintf(seen + n, sizeof(seen) - n, "[%s|%s]\n", section, label);
	return (0);
}

static const struct config_option	 options[] = {
	{ "main", "key", note, "a key" },
	{ "main", "other", note, "another" },
	{ "route", "key", note, "a key" },
	{ "route", "app.*", note_any, "for the application" },
	{ "free", "*", note_any, "anything" },
};

static const struct {
	const char	*text, *seen, *err;	/* err NULL: accepted */
} cases[] = {
	{ "", "", NULL },
	{ "\n\n; c\n# c\n", "", NULL },
	{ "[main]\nkey=1", "[main|]\n() 1\n", NULL },
	{ "[main]\r\nkey = 1\r\n", "[main|]\n() 1\n", NULL },
	{ "\xef\xbb\xbf[main]\nkey = 1\n", "[main|]\n() 1\n", NULL },
	{ "  [ main ]  \n\tkey\t=\t1 2\t\n", "[main|]\n() 1 2\n", NULL },
	{ "[main]\nkey: 1\n", "[main|]\n() 1\n", NULL },
	{ "[main]\nkey =\n", "[main|]\n() \n", NULL },
	/* A comment follows a blank; else it is part of the value. */
	{ "[main]\nkey = a ; b # c\n", "[main|]\n() a\n", NULL },
	{ "[main]\nkey = a\t# b ; c\n", "[main|]\n() a\n", NULL },
	{ "[main]\nkey = a;b#c\n", "[main|]\n() a;b#c\n", NULL },
	{ "[main]\nkey =;a\n", "[main|]\n() ;a\n", NULL },
	{ "[main]\nkey = ; a\nother = #\n", "[main|]\n() \n() \n", NULL },
	{ "[main] ; a\n[route x]# b\n", "[main|]\n",
	    "t:2: a section is written [name] on a line" },
	{ "[main]\nkey = \"a ;b\" ; c\nother = 'd #' # 'e'\n",
	    "[main|]\n() a ;b\n() d #\n", NULL },
	{ "[main]\nkey = \"a\" b \"c\"\n", "[main|]\n() a\" b \"c\n", NULL },
	{ "[main]\nkey = \"a ; b\n", "[main|]\n() \"a\n", NULL },
	{ "[main]\nkey = \" a ;b \"\n", "[main|]\n()  a ;b \n", NULL },
	{ "[main]\nkey = 'x'\n", "[main|]\n() x\n", NULL },
	{ "[main]\nkey = \"x'\n", "[main|]\n() \"x'\n", NULL },
	{ "[main]\nkey = \"\n", "[main|]\n() \"\n", NULL },
	{ "[main]\nkey = a \"b\"\n", "[main|]\n() a \"b\"\n", NULL },
	{ "[main]\nkey = a=b:c\n", "[main|]\n() a=b:c\n", NULL },
	{ "[main]\nkey = 1\n  other = 2\n", "[main|]\n() 1\n() 2\n", NULL },
	/* Sections: labels, repeated ones, ones without keys. */
	{ "[route a b]\nkey=1\n[route\tc]\n[route a b]\n",
	    "[route|a b]\n(a b) 1\n[route|c]\n[route|a b]\n", NULL },
	{ "[route a-very-long-label-that-is-longer-than-what-others-keep]\n"
	    "key=1\n",
	    "[route|a-very-long-label-that-is-longer-than-what-others-keep]\n"
	    "(a-very-long-label-that-is-longer-than-what-others-keep) 1\n",
	    NULL },
	/* Keys that no table lists. */
	{ "[route a]\napp.x=1\napp.=2\n[free]\nanything=3\n",
	    "[route|a]\n*app.x=1\n*app.=2\n[free|]\n*anything=3\n", NULL },
	{ "[route a]\nap=1\n", "[route|a]\n",
	    "t:2: [route a] ap: there is no such key" },
	/* Errors: each by its line; the rest is read. */
	{ "[main]\nkey=bad\nkey=1\n", "[main|]\n() 1\n",
	    "t:2: [main] key: this one is bad" },
	{ "[main]\nkey=bad\nnokey=1\nkey=worse\n", "[main|]\n",
	    "t:2: [main] key: this one is bad\n"
	    "t:3: [main] nokey: there is no such key\n"
	    "t:4: [main] key: not a valid value" },
	{ "[main]\nkey=worse\n", "[main|]\n",
	    "t:2: [main] key: not a valid value" },
	{ "[route x]\n\n; c\nkey=bad\n", "[route|x]\n",
	    "t:4: [route x] key: this one is bad" },
	{ "[main]\nKEY=1\n", "[main|]\n",
	    "t:2: [main] KEY: there is no such key" },
	{ "[nosuch]\n", "", "t:1: [nosuch]: there is no such section" },
	{ "[]\n", "", "t:1: []: there is no such section" },
	{ "[main\nkey=1\n[main]\nkey=2\n", "[main|]\n() 2\n",
	    "t:1: a section is written [name] on a line" },
	{ "[main] key=1\n", "", "t:1: a section is written [name] on a line" },
	{ "[route refused]\n", "",
	    "t:1: [route refused]: no such label, please" },
	{ "key=1\n[main]\n", "[main|]\n",
	    "t:1: key: stands before the first [section]" },
	{ "[main]\njunk\nkey=bad\n", "[main|]\n",
	    "t:2: neither [section] nor key = value\n"
	    "t:3: [main] key: this one is bad" },
	{ "[main]\nkey=1\n\njunk\n", "[main|]\n() 1\n",
	    "t:4: neither [section] nor key = value" },
	/* One error for a section that is refused, none for its keys. */
	{ "[main]\nkey=1\n[nosuch]\nkey=2\nkey=bad\n[main]\nkey=3\n",
	    "[main|]\n() 1\n[main|]\n() 3\n",
	    "t:3: [nosuch]: there is no such section" },
	{ "[route refused]\nkey=1\n[route x]\n", "[route|x]\n",
	    "t:1: [route refused]: no such label, please" },
};

START_TEST(text_is_read_by_the_table)
{
	struct config_error	 err = { "" };
	int			 r;

	*seen = '\0';
	r = config_text("t", cases[_i].text, options, nitems(options),
	    note_section, seen, &err);
	ck_assert_str_eq(seen, cases[_i].seen);
	ck_assert_str_eq(err.text, cases[_i].err == NULL ? "" : cases[_i].err);
	ck_assert_int_eq(r, cases[_i].err == NULL ? 0 : -1);
}
END_TEST

START_TEST(sections_need_no_notice)
{
	struct config_error	 err = { "" };

	ck_assert_int_eq(config_text("t", "[route x]\nkey=1\n", options,
	    nitems(options), NULL, seen, &err), 0);
	ck_assert_str_eq(seen, "(x) 1\n");
}
END_TEST

START_TEST(lines_of_1023_bytes_are_read_and_longer_ones_refused)
{
	struct config_error	 err = { "" };
	char			 text[1100] = "[main]\nkey=";

	memset(text + 11, 'v', 1023 - 4);
	ck_assert_int_eq(config_text("t", text, options, nitems(options), NULL,
	    seen, &err), 0);
	ck_assert_uint_eq(strlen(seen), 1023 - 4 + 4);
	text[11 + 1023 - 4] = 'v';
	ck_assert_int_eq(config_text("t", text, options, nitems(options), NULL,
	    seen, &err), -1);
	ck_assert_str_eq(err.text, "t:2: the line is longer than 1023 bytes");
}
END_TEST

START_TEST(long_names_and_reasons_are_cut_in_errors)
{
	struct config_error	 err = { "" };
	static char		 name[2000], text[1024];

	memset(name, 'n', sizeof(name) - 1);
	ck_assert_int_eq(config_text(name, "junk\n", options, nitems(options),
	    NULL, seen, &err), -1);
	ck_assert_uint_lt(strlen(err.text), sizeof(err.text));
	memset(text, 's', 1000);
	*text = '[';
	text[999] = ']';
	ck_assert_int_eq(config_text("t", text, options, nitems(options), NULL,
	    seen, &err), -1);
	ck_assert_uint_lt(strlen(err.text), sizeof(err.text));
}
END_TEST

START_TEST(more_errors_than_fit_are_counted)
{
	struct config_error	 err;
	struct buf		 b = { 0 };
	const char		*last;
	unsigned		 lines = 0, more = 0;

	for (int i = 0; i < 1000; i++)
		buf_adds(&b, "junk\n");
	buf_add(&b, "", 1);
	ck_assert_int_eq(config_text("t", b.data, options, nitems(options),
	    NULL, seen, &err), -1);
	for (const char *p = err.text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	ck_assert_ptr_nonnull(last = strrchr(err.text, '\n'));
	ck_assert_int_eq(sscanf(last, "\nand %u more", &more), 1);
	ck_assert_uint_eq(lines + more, 1000);
	ck_assert_uint_gt(lines, 50);
	buf_clear(&b);
}
END_TEST

/* config_file() on a file with these bytes; its error. */
static const char *
file_error(const void *data, size_t len)
{
	static struct config_error	 err;
	char				 path[] = "/tmp/kennel-test-XXXXXX";
	const char			*at;
	int				 fd = mkstemp(path), r;

	ck_assert_int_eq(write(fd, data, len), (ssize_t)len);
	close(fd);
	err.text[0] = '\0';
	*seen = '\0';
	r = config_file(path, options, nitems(options), NULL, seen, &err);
	unlink(path);
	ck_assert_int_eq(r, *err.text == '\0' ? 0 : -1);
	at = strstr(err.text, path);
	return (at == NULL ? err.text : at + strlen(path));
}

START_TEST(files_are_read_and_named_in_errors)
{
	static char		 huge[(1 << 20) + 1];
	struct config_error	 err;

	ck_assert_str_eq(file_error("[main]\nkey=1\n", 13), "");
	ck_assert_str_eq(seen, "() 1\n");
	ck_assert_str_eq(file_error("", 0), "");
	ck_assert_str_eq(file_error("\n\nx\n", 4),
	    ":3: neither [section] nor key = value");
	ck_assert_str_eq(file_error("[main]\n\0", 8),
	    ": this is not a text file");
	memset(huge, '\n', sizeof(huge));
	ck_assert_str_eq(file_error(huge, sizeof(huge)),
	    ": larger than 1 MiB");
	ck_assert_int_eq(config_file("/nonexistent", options, nitems(options),
	    NULL, seen, &err), -1);
	ck_assert_str_eq(err.text, "/nonexistent: No such file or directory");
	ck_assert_int_eq(config_file("/", options, nitems(options), NULL, seen,
	    &err), -1);
	ck_assert_str_eq(err.text, "/: Is a directory");
}
END_TEST

START_TEST(yes_and_no_have_four_spellings)
{
	static const char *const	 yes[] = { "yes", "TRUE", "on", "1" };
	static const char *const	 no[] = { "no", "False", "off", "0" };
	static const char *const	 bad[] = { "", "y", "2", "yes ",
					    "nope" };
	const char			*why = NULL;
	int				 v;

	for (size_t i = 0; i < nitems(yes); i++) {
		ck_assert_int_eq(config_bool(yes[i], &v, &why), 0);
		ck_assert_int_eq(v, 1);
		ck_assert_int_eq(config_bool(no[i], &v, &why), 0);
		ck_assert_int_eq(v, 0);
	}
	for (size_t i = 0; i < nitems(bad); i++) {
		why = NULL;
		ck_assert_int_eq(config_bool(bad[i], &v, &why), -1);
		ck_assert_ptr_nonnull(why);
	}
}
END_TEST

static const struct {
	const char	*text;
	size_t		 min, max, value;
	int		 ok;
} sizes[] = {
	{ "0", 0, 10, 0, 1 },
	{ "10", 0, 10, 10, 1 },
	{ "11", 0, 10, 0, 0 },
	{ "1", 2, 10, 0, 0 },
	{ "4k", 0, 4096, 4096, 1 },
	{ "4K", 0, 4096, 4096, 1 },
	{ "16M", 0, SIZE_MAX, 16 << 20, 1 },
	{ "1g", 0, SIZE_MAX, 1 << 30, 1 },
	{ "", 0, 10, 0, 0 },
	{ "k", 0, 10, 0, 0 },
	{ "4kk", 0, SIZE_MAX, 0, 0 },
	{ "4T", 0, SIZE_MAX, 0, 0 },
	{ "4 k", 0, SIZE_MAX, 0, 0 },
	{ "-1", 0, SIZE_MAX, 0, 0 },
	{ "1.5k", 0, SIZE_MAX, 0, 0 },
	{ "18446744073709551616", 0, SIZE_MAX, 0, 0 },
	{ "18446744073709551615G", 0, SIZE_MAX, 0, 0 },
	{ "17179869184G", 0, SIZE_MAX, 0, 0 },
};

START_TEST(sizes_are_powers_of_1024_within_a_range)
{
	const char	*why = NULL;
	size_t		 v = 77;
	int		 r;

	r = config_size(sizes[_i].text, sizes[_i].min, sizes[_i].max, &v, &why);
	ck_assert_msg(r == (sizes[_i].ok ? 0 : -1), "%s", sizes[_i].text);
	ck_assert_uint_eq(v, sizes[_i].ok ? sizes[_i].value : 77);
	ck_assert((why != NULL) == (r == -1));
}
END_TEST

static const struct {
	const char	*text;
	unsigned	 min, max, value;
	int		 ok;
} durations[] = {
	{ "500ms", 0, 1000, 500, 1 },
	{ "10s", 0, 10000, 10000, 1 },
	{ "10", 0, 10000, 10000, 1 },
	{ "2m", 0, UINT_MAX, 120000, 1 },
	{ "1h", 0, UINT_MAX, 3600000, 1 },
	{ "0", 0, 1, 0, 1 },
	{ "0", 1, 2, 0, 0 },
	{ "10001ms", 0, 10000, 0, 0 },
	{ "", 0, 10, 0, 0 },
	{ "s", 0, 10, 0, 0 },
	{ "10 s", 0, UINT_MAX, 0, 0 },
	{ "10S", 0, UINT_MAX, 0, 0 },
	{ "1d", 0, UINT_MAX, 0, 0 },
	{ "-1s", 0, UINT_MAX, 0, 0 },
	{ "4294967296", 0, UINT_MAX, 0, 0 },
	{ "5124095576030h", 0, UINT_MAX, 0, 0 },
};

START_TEST(lifetimes_have_units_and_a_range)
{
	static const struct {
		const char	*text;
		int		 ok;
		unsigned	 s;
	} rows[] = {
		{ "30d", 1, 30 * 86400 }, { "12h", 1, 12 * 3600 },
		{ "10m", 1, 600 }, { "20s", 1, 20 }, { "7", 1, 7 },
		{ "500ms", 0, 0 }, { "0", 0, 0 }, { "31d", 0, 0 },
		{ "-1", 0, 0 }, { "", 0, 0 }, { "d", 0, 0 }, { "1dd", 0, 0 },
		{ "99999999999999999999d", 0, 0 },
		{ "213503982334602d", 0, 0 },
	};
	const char	*why = NULL;
	unsigned	 v = 77;

	for (size_t i = 0; i < nitems(rows); i++) {
		v = 77;
		ck_assert_int_eq(config_lifetime(rows[i].text, 1, 30 * 86400,
		    &v, &why), rows[i].ok ? 0 : -1);
		ck_assert_uint_eq(v, rows[i].ok ? rows[i].s : 77);
	}
	ck_assert_ptr_nonnull(why);
}
END_TEST

START_TEST(durations_have_units_and_a_range)
{
	const char	*why = NULL;
	unsigned	 v = 77;
	int		 r;

	r = config_duration(durations[_i].text, durations[_i].min,
	    durations[_i].max, &v, &why);
	ck_assert_msg(r == (durations[_i].ok ? 0 : -1), "%s",
	    durations[_i].text);
	ck_assert_uint_eq(v, durations[_i].ok ? durations[_i].value : 77);
	ck_assert((why != NULL) == (r == -1));
}
END_TEST

START_TEST(numbers_are_plain_and_within_a_range)
{
	const char	*why = NULL;
	unsigned	 v = 77;

	ck_assert_int_eq(config_uint("4294967295", 0, UINT_MAX, &v, &why), 0);
	ck_assert_uint_eq(v, UINT_MAX);
	ck_assert_int_eq(config_uint("4294967296", 0, UINT_MAX, &v, &why), -1);
	ck_assert_int_eq(config_uint("9", 10, 20, &v, &why), -1);
	ck_assert_str_eq(why, "must be from 10 to 20");
	ck_assert_int_eq(config_uint("21", 10, 20, &v, &why), -1);
	ck_assert_int_eq(config_uint("10k", 10, 20, &v, &why), -1);
	ck_assert_str_eq(why, "must be a number");
	ck_assert_int_eq(config_uint("", 0, 20, &v, &why), -1);
	ck_assert_uint_eq(v, UINT_MAX);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("config");
	TCase	*t = tcase_create("config");
	SRunner	*r;
	int	 failed;

	tcase_add_loop_test(t, text_is_read_by_the_table, 0,
	    (int)nitems(cases));
	tcase_add_test(t, sections_need_no_notice);
	tcase_add_test(t,
	    lines_of_1023_bytes_are_read_and_longer_ones_refused);
	tcase_add_test(t, long_names_and_reasons_are_cut_in_errors);
	tcase_add_test(t, more_errors_than_fit_are_counted);
	tcase_add_test(t, files_are_read_and_named_in_errors);
	tcase_add_test(t, yes_and_no_have_four_spellings);
	tcase_add_loop_test(t, sizes_are_powers_of_1024_within_a_range, 0,
	    (int)nitems(sizes));
	tcase_add_test(t, lifetimes_have_units_and_a_range);
	tcase_add_loop_test(t, durations_have_units_and_a_range, 0,
	    (int)nitems(durations));
	tcase_add_test(t, numbers_are_plain_and_within_a_range);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

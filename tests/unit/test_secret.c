/* Secrets in the environment, the arguments and files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "common/bytes.h"
#include "common/secret.h"

START_TEST(what_is_taken_is_nowhere_any_more)
{
	static char	 entry[] = "KENNEL_TEST_SECRET=woof";
	char		*got;

	ck_assert_int_eq(putenv(entry), 0);
	got = secret_take("KENNEL_TEST_SECRET");
	ck_assert_str_eq(got, "woof");
	free(got);
	ck_assert_ptr_null(getenv("KENNEL_TEST_SECRET"));
	ck_assert_ptr_null(memmem(entry, sizeof(entry), "woof", 4));
}
END_TEST

START_TEST(what_is_not_there_or_empty_is_none)
{
	ck_assert_ptr_null(secret_take("KENNEL_TEST_NONE"));
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(setenv("KENNEL_TEST_SECRET", "", 1), 0);
	ck_assert_ptr_null(secret_take("KENNEL_TEST_SECRET"));
	ck_assert_int_eq(errno, 0);
	ck_assert_ptr_null(getenv("KENNEL_TEST_SECRET"));
}
END_TEST

static const struct {
	const char	*text;
	size_t		 len;
	const char	*secret, *why;
} files[] = {
	{ "woof", 4, "woof", NULL },
	{ "woof\n", 5, "woof", NULL },
	{ "woof\r\n", 6, "woof", NULL },
	{ " wo of ", 7, " wo of ", NULL },
	{ "", 0, NULL, "is empty" },
	{ "\n", 1, NULL, "is empty" },
	{ "woof\nwoof\n", 10, NULL, "has more than one line" },
	{ "wo\0of", 5, NULL, "has a zero byte" },
};

/* A file with this in it: what is read of it, or NULL with *why. */
static char *
read_file(const void *text, size_t len, const char **why)
{
	char	 path[] = "/tmp/kennel-test-XXXXXX", *got;
	int	 fd = mkstemp(path);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
	got = secret_read(path, why);
	unlink(path);
	return (got);
}

START_TEST(a_file_has_one_line)
{
	const char	*why = NULL;
	char		*got = read_file(files[_i].text, files[_i].len, &why);

	if (files[_i].secret != NULL)
		ck_assert_str_eq(got, files[_i].secret);
	else {
		ck_assert_ptr_null(got);
		ck_assert_str_eq(why, files[_i].why);
	}
	free(got);
}
END_TEST

START_TEST(a_file_is_a_file_and_has_an_end)
{
	static char	 text[SECRET_FILE_MAX + 100];
	const char	*why = NULL;
	char		*got;

	memset(text, 'x', sizeof(text));
	got = read_file(text, SECRET_FILE_MAX, &why);
	ck_assert_uint_eq(strlen(got), SECRET_FILE_MAX);
	free(got);
	ck_assert_ptr_null(read_file(text, SECRET_FILE_MAX + 1, &why));
	ck_assert_str_eq(why, "is longer than 4096 bytes");
	ck_assert_ptr_null(secret_read("/dev/zero", &why));
	ck_assert_str_eq(why, "is not a file");
	ck_assert_ptr_null(secret_read("/", &why));
	ck_assert_str_eq(why, "is not a file");
	ck_assert_ptr_null(secret_read("/nowhere", &why));
	ck_assert_str_eq(why, "No such file or directory");
}
END_TEST

static const struct {
	const char	*url, *shown, *hidden;
} urls[] = {
	{ "redis://:woofwoof@host:1/2", "redis://***@host:1/2", NULL },
	{ "redis://me:woof@host", "redis://***@host", NULL },
	{ "redis://me:wo@of@host", "redis://***@host", NULL },
	{ "redis://me:wo/of@host", "redis://***@host", NULL },
	{ "redis://:w@host", "redis://***@host", "redis://**@host" },
	{ "rediss://:woof@host", "rediss://***@host", NULL },
	{ ":woof@host", "***@host", NULL },
	{ "--redis=redis://:woof@host", "--redis=redis://***@host", NULL },
	{ "redis://host:1", "redis://host:1", NULL },
	{ "unix:/run/a@b", "unix:/run/a@b", NULL },
	{ "auto", "auto", NULL },
	{ "", "", NULL },
};

START_TEST(a_url_is_shown_without_who_asks)
{
	char	 shown[64], arg[64];
	size_t	 len = strlen(urls[_i].url);

	ck_assert_str_eq(secret_shown(shown, sizeof(shown), urls[_i].url),
	    urls[_i].shown);
	memset(arg, 0, sizeof(arg));
	memcpy(arg, urls[_i].url, len);
	secret_hide(arg);
	ck_assert_str_eq(arg, urls[_i].hidden != NULL ? urls[_i].hidden :
	    urls[_i].shown);
	for (size_t i = strlen(arg); i < len; i++)
		ck_assert_int_eq(arg[i], '\0');
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("secret");
	TCase	*tc = tcase_create("secret");
	SRunner	*sr;
	int	 failed;

	tcase_add_test(tc, what_is_taken_is_nowhere_any_more);
	tcase_add_test(tc, what_is_not_there_or_empty_is_none);
	tcase_add_loop_test(tc, a_file_has_one_line, 0, nitems(files));
	tcase_add_test(tc, a_file_is_a_file_and_has_an_end);
	tcase_add_loop_test(tc, a_url_is_shown_without_who_asks, 0,
	    nitems(urls));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_NORMAL);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

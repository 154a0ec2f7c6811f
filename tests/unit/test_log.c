#include <sys/socket.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/log.h"

static int	 out;		/* read end of what is stderr now */

static void
setup(void)
{
	int	 fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	out = fds[0];
}

static void
teardown(void)
{
	close(out);
}

/* All that was logged so far; "" if nothing. */
static const char *
logged(void)
{
	static char	 text[8192];
	ssize_t		 n;

	fcntl(out, F_SETFL, O_NONBLOCK);
	n = read(out, text, sizeof(text) - 1);
	ck_assert(n >= 0 || errno == EAGAIN);
	text[n > 0 ? n : 0] = '\0';
	return (text);
}

/* ---- nobody reads ---- */

enum reader { READS_PIPE, READS_SOCKET, READS_TERMINAL, NREADERS };

/* stderr is one of these now, which others write to by the same description. */
static int
stderr_to(enum reader what)
{
	int	 fds[2], slave;

	close(out);
	if (what == READS_PIPE)
		ck_assert_int_eq(pipe(fds), 0);
	else if (what == READS_SOCKET)
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	else {
		ck_assert_int_eq(openpty(&fds[0], &slave, NULL, NULL, NULL),
		    0);
		fds[1] = slave;
	}
	out = fds[0];
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	return (fcntl(STDERR_FILENO, F_GETFL));
}

/* Everything up to the line that has want in it, into text. */
static void
read_until(struct buf *text, const char *want)
{
	char	 part[65536];
	ssize_t	 n;

	fcntl(out, F_SETFL, O_NONBLOCK);
	do {
		n = read(out, part, sizeof(part));
		ck_assert(n > 0 || errno == EAGAIN);
		if (n > 0)
			ck_assert_int_eq(buf_add(text, part, (size_t)n), 0);
		else
			log_catch_up();
		ck_assert_int_eq(buf_add(text, "", 1), 0);
		text->len--;
	} while (strstr(text->data, want) == NULL);
}

/* Lines that came, and those that are said to be missing. */
static unsigned long
accounted(const char *text, unsigned long *dropped)
{
	static const char	 said[] = "log dropped=";
	unsigned long		 lines = 0;

	*dropped = 0;
	for (const char *p = text; (p = strstr(p, "enough")) != NULL; p++)
		lines++;
	for (const char *p = text; (p = strstr(p, said)) != NULL; p++)
		*dropped += strtoul(p + strlen(said), NULL, 10);
	return (lines + *dropped);
}

START_TEST(a_full_reader_costs_lines_and_no_time)
{
	struct buf	 text = { 0 };
	unsigned long	 n, dropped;
	int		 flags = stderr_to((enum reader)_i);

	log_init("x", LOG_LEVEL_INFO);
	for (int i = 0; i < 20000; i++) {	/* waits for ever, or goes on */
		errno = EXDEV;
		log_info("line=%d of some length, so that there are enough", i);
		ck_assert_int_eq(errno, EXDEV);
	}
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL), flags);
	/* A terminal's own buffers may move meanwhile, and let some through.
	 * Each time a line may be cut in the middle. */
	do {
		read_until(&text, "\n");
		log_catch_up();
		n = accounted(text.data, &dropped);
	} while (n < 19990 || dropped == 0);
	ck_assert_uint_le(n, 20000);
	ck_assert_uint_lt(dropped, 19995);
	log_info("line=last");
	read_until(&text, "line=last");
	buf_clear(&text);
}
END_TEST

START_TEST(stderr_may_become_another_at_any_time)
{
	struct buf	 text = { 0 };
	int		 again;

	stderr_to(READS_TERMINAL);
	log_init("x", LOG_LEVEL_INFO);
	log_info("one");
	read_until(&text, "one");
	/* Somebody closes what is not theirs, and opens something else. */
	for (again = 3; again < 20; again++)
		if (again != out)
			close(again);
	again = socket(AF_INET, SOCK_DGRAM, 0);
	log_info("two");
	read_until(&text, "two");
	stderr_to(READS_PIPE);
	log_info("three");
	read_until(&text, "three");
	close(again);
	buf_clear(&text);
}
END_TEST

START_TEST(a_line_has_time_level_process_id_and_text)
{
	regex_t	 re;
	char	 pattern[256];

	snprintf(pattern, sizeof(pattern), "^[0-9]{4}-[0-9]{2}-[0-9]{2}T"
	    "[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z info shardd/3\\[%ld\\] "
	    "shard slot=3 state=ready\n$", (long)getpid());
	ck_assert_int_eq(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
	log_init("shardd/3", LOG_LEVEL_INFO);
	log_info("shard slot=%d state=%s", 3, "ready");
	ck_assert_int_eq(regexec(&re, logged(), 0, NULL, 0), 0);
	regfree(&re);
}
END_TEST

START_TEST(the_level_silences_what_is_below_it)
{
	const char	*text;

	log_init("x", LOG_LEVEL_WARN);
	ck_assert_int_eq(log_level_get(), LOG_LEVEL_WARN);
	log_debug("one");
	log_info("two");
	log_warn("three");
	log_init("x", LOG_LEVEL_DEBUG);
	log_debug("four");
	text = logged();
	ck_assert_ptr_null(strstr(text, "one"));
	ck_assert_ptr_null(strstr(text, "two"));
	ck_assert_ptr_nonnull(strstr(text, " warn x["));
	ck_assert_ptr_nonnull(strstr(text, "three\n"));
	ck_assert_ptr_nonnull(strstr(text, "four\n"));
}
END_TEST

START_TEST(errno_is_kept_even_when_nobody_reads)
{
	close(STDERR_FILENO);
	log_init("x", LOG_LEVEL_DEBUG);
	errno = EXDEV;
	log_warn("a");
	log_info("b");
	log_debug("c");
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

START_TEST(a_long_line_is_cut_and_still_ends)
{
	static char	 huge[10000];
	const char	*text;

	memset(huge, 'a', sizeof(huge) - 1);
	log_init("x", LOG_LEVEL_INFO);
	log_warn("%s", huge);
	text = logged();
	ck_assert_uint_le(strlen(text), 2048);
	ck_assert_uint_ge(strlen(text), 2000);
	ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
}
END_TEST

START_TEST(names_of_levels_are_parsed)
{
	enum log_level	 level = LOG_LEVEL_WARN;

	ck_assert_int_eq(log_level_parse("debug", &level), 0);
	ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
	ck_assert_int_eq(log_level_parse("warn", &level), 0);
	ck_assert_int_eq(level, LOG_LEVEL_WARN);
	ck_assert_int_eq(log_level_parse("info", &level), 0);
	ck_assert_int_eq(level, LOG_LEVEL_INFO);
	errno = 0;
	ck_assert_int_eq(log_level_parse("INFO", &level), -1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

/* Runs at exit of the processes that fatal() ends. */
static void
expect_reason(void)
{
	if (strstr(logged(), ": cannot start: No such file or directory\n") ==
	    NULL)
		_exit(99);
}

static void
expect_no_reason(void)
{
	if (strstr(logged(), ": cannot start") != NULL)
		_exit(99);
}

START_TEST(fatal_exits_with_1_and_says_why)
{
	log_init("x", LOG_LEVEL_WARN);
	atexit(expect_reason);
	errno = ENOENT;
	fatal("x: cannot start");
}
END_TEST

START_TEST(fatalx_exits_with_1_and_leaves_errno_out)
{
	log_init("x", LOG_LEVEL_WARN);
	atexit(expect_no_reason);
	errno = ENOENT;
	fatalx("cannot start");
}
END_TEST

static const struct {
	const char	*in;
	size_t		 len, size;
	const char	*out;
} escapes[] = {
	{ "plain", 5, 32, "plain" },
	{ "", 0, 8, "" },
	{ "a\"b\\c", 5, 32, "a\\\"b\\\\c" },
	{ "\r\n\0\x7f\xff", 5, 32, "\\x0d\\x0a\\x00\\x7f\\xff" },
	{ "~ ", 2, 8, "~ " },
	{ "abcdefghij", 10, 8, "abcd..." },
	{ "\n\n\n", 3, 8, "\\x0a..." },
	{ "abc\n", 4, 8, "abc\\x0a" },
};

START_TEST(foreign_bytes_are_printable_and_fit)
{
	char	 dst[64];

	memset(dst, '!', sizeof(dst));
	ck_assert_ptr_eq(log_escape(dst, escapes[_i].size, escapes[_i].in,
	    escapes[_i].len), dst);
	ck_assert_str_eq(dst, escapes[_i].out);
	ck_assert_int_eq(dst[escapes[_i].size], '!');
}
END_TEST

START_TEST(every_size_is_respected)
{
	char	 in[40], dst[200];

	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = i % 3 == 0 ? '\x01' : i % 3 == 1 ? '"' : 'a';
	for (size_t size = 8; size < sizeof(dst); size++)
		for (size_t len = 0; len <= sizeof(in); len++) {
			memset(dst, '!', sizeof(dst));
			log_escape(dst, size, in, len);
			ck_assert_uint_lt(strlen(dst), size);
			for (size_t i = size; i < sizeof(dst); i++)
				ck_assert_int_eq(dst[i], '!');
		}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("log");
	TCase	*t = tcase_create("log");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);	/* sanitized it takes three seconds */
	tcase_add_test(t, a_line_has_time_level_process_id_and_text);
	tcase_add_loop_test(t, a_full_reader_costs_lines_and_no_time, 0,
	    NREADERS);
	tcase_add_test(t, stderr_may_become_another_at_any_time);
	tcase_add_test(t, the_level_silences_what_is_below_it);
	tcase_add_test(t, errno_is_kept_even_when_nobody_reads);
	tcase_add_test(t, a_long_line_is_cut_and_still_ends);
	tcase_add_test(t, names_of_levels_are_parsed);
	tcase_add_exit_test(t, fatal_exits_with_1_and_says_why, 1);
	tcase_add_exit_test(t, fatalx_exits_with_1_and_leaves_errno_out, 1);
	tcase_add_loop_test(t, foreign_bytes_are_printable_and_fit, 0,
	    (int)nitems(escapes));
	tcase_add_test(t, every_size_is_respected);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <check.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log_journal.h"

static char	path[64];
static int	journald, fd;

/* Somebody who listens as journald does. */
static void
journal_setup(void)
{
	struct sockaddr_un	 at = { .sun_family = AF_UNIX };
	char			 dir[] = "/tmp/kt.journal.XXXXXX";

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/socket", dir);
	strcpy(at.sun_path, path);
	journald = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(journald, (struct sockaddr *)&at, sizeof(at)), 0);
	fd = log_journal_open(path);
	ck_assert_int_ne(fd, -1);
}

static void
journal_teardown(void)
{
	close(fd);
	close(journald);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

/* What an entry of message looks like. */
static const char *
entry(const char *message)
{
	static char		 got[16384];
	const struct log_event	 e = { .format = LOG_FORMAT_JOURNALD,
		.level = LOG_LEVEL_WARN, .ident = "shardd/3", .pid = 812,
		.message = message };
	ssize_t			 n;

	ck_assert_int_eq(log_journal_send(fd, &e), 0);
	n = recv(journald, got, sizeof(got) - 1, 0);
	ck_assert_int_gt(n, 0);
	got[n] = '\0';
	return (got);
}

START_TEST(pairs_are_fields)
{
	ck_assert_str_eq(entry("closed slot=3 why=\"a \\\" b\" end="),
	    "PRIORITY=4\nSYSLOG_IDENTIFIER=shardd/3\nSYSLOG_PID=812\n"
	    "MESSAGE=closed slot=3 why=\"a \\\" b\" end=\n"
	    "KENNEL_SLOT=3\nKENNEL_WHY=a \\\" b\nKENNEL_END=\n");
}
END_TEST

/* However long it is, each line of it is a field, and whole. */
START_TEST(long_ones_are_cut)
{
	char		 message[9000] = "", pair[300];
	const char	*s;

	for (int i = 0; i < 40; i++) {
		snprintf(pair, sizeof(pair), "k%d=%0150d ", i, i);
		strcat(message, pair);
	}
	memset(pair, 'a', 100);
	strcpy(pair + 100, "=1");
	memmove(message + 103, message, strlen(message) + 1);
	memcpy(message, pair, 102);
	message[102] = ' ';
	s = entry(message);
	ck_assert_uint_le(strlen(s), 8192);
	ck_assert_ptr_null(strstr(s, "KENNEL_AAAA"));
	ck_assert_ptr_nonnull(strstr(s, "\nKENNEL_K0=0000"));
	for (; *s != '\0'; s = strchr(s, '\n') + 1) {
		ck_assert_ptr_nonnull(strchr(s, '\n'));
		ck_assert_uint_lt(strcspn(s, "="), strcspn(s, "\n"));
	}
}
END_TEST

/* A journal that does not read costs nobody time. */
START_TEST(never_waits)
{
	const struct log_event	 e = { .ident = "x", .message = "m" };
	int			 i;

	for (i = 0; i < 100000 && log_journal_send(fd, &e) == 0; i++)
		continue;
	ck_assert_int_lt(i, 100000);
	ck_assert_int_eq(errno, EAGAIN);
	close(journald);
	ck_assert_int_eq(log_journal_send(fd, &e), -1);
	ck_assert_int_ne(errno, EAGAIN);
}
END_TEST

START_TEST(is_stderr_its)
{
	struct stat	 st;
	char		 own[64];

	ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	unsetenv("JOURNAL_STREAM");
	ck_assert_int_eq(log_journal_is_stderr(), 0);
	setenv("JOURNAL_STREAM", "8:1", 1);
	ck_assert_int_eq(log_journal_is_stderr(), 0);
	setenv("JOURNAL_STREAM", own, 1);
	ck_assert_int_eq(log_journal_is_stderr(), 1);
	unsetenv("JOURNAL_STREAM");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("log_journal");
	TCase	*tc = tcase_create("log_journal");
	SRunner	*r;
	int	 failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, journal_setup, journal_teardown);
	tcase_add_test(tc, pairs_are_fields);
	tcase_add_test(tc, long_ones_are_cut);
	tcase_add_test(tc, never_waits);
	tcase_add_test(tc, is_stderr_its);
	suite_add_tcase(s, tc);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

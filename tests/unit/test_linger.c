/* Clients that were answered for the last time. */
#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>
#include <event2/event.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "gatewayd/linger.h"
#include "gatewayd/totals.h"

static struct event_base	*base;
static struct totals		 totals;
static struct lingerers		*all;

static void
setup(void)
{
	memset(&totals, 0, sizeof(totals));
	base = event_base_new();
	all = linger_new(base, 2, &totals);
	ck_assert_ptr_nonnull(all);
}

static void
teardown(void)
{
	linger_free(all);
	event_base_free(base);
}

/* The client's end of a connection that is refused; *fd: ours, if it stays open. */
static int
refused(int *fd)
{
	int	 fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	*fd = fds[0];
	linger_refuse(all, fds[0], REFUSED_FULL, 0, "no room", 0);
	return (fds[1]);
}

static int
is_open(int fd)
{
	return (fcntl(fd, F_GETFD) != -1);
}

START_TEST(the_answer_is_there_and_then_the_end)
{
	char	 text[1024];
	int	 fd, client = refused(&fd);
	ssize_t	 n;

	n = read(client, text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_int_eq(strncmp(text, "HTTP/1.1 503 ", 13), 0);
	ck_assert_ptr_nonnull(strstr(text, "Retry-After: 1\r\n"));
	ck_assert_int_eq(read(client, text, sizeof(text)), 0);
	ck_assert(is_open(fd));
	ck_assert_uint_eq(totals.refused, 1);
	close(client);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert(!is_open(fd));
}
END_TEST

START_TEST(what_the_kernel_has_is_read_though_no_answer_fits)
{
	static char	 junk[64 << 10];
	struct buf	 out = { .max = 100 };
	int		 fds[2];
	size_t		 had = 0, got = 0;
	ssize_t		 n;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	while ((n = send(fds[0], junk, sizeof(junk), MSG_DONTWAIT)) > 0)
		had += (size_t)n;
	ck_assert_int_eq(write(fds[1], "unread", 6), 6);
	ck_assert_int_eq(buf_add(&out, "why", 3), 0);
	linger_answer(all, fds[0], &out);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert(is_open(fds[0]));
	while ((n = read(fds[1], junk, sizeof(junk))) > 0)
		got += (size_t)n;
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(got, had);
	close(fds[1]);
}
END_TEST

START_TEST(more_than_may_linger_are_closed_at_once)
{
	int	 fd[3], client[3];

	for (int i = 0; i < 3; i++)
		client[i] = refused(&fd[i]);
	ck_assert(is_open(fd[0]) && is_open(fd[1]) && !is_open(fd[2]));
	/* Room again, once one has gone. */
	close(client[0]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	close(client[2]);
	client[2] = refused(&fd[2]);
	ck_assert(is_open(fd[2]));
	close(client[1]);
	close(client[2]);
}
END_TEST

START_TEST(nobody_lingers_for_ever)
{
	static const char	 junk[16 << 10];
	uint64_t		 from = clock_ms();
	int			 fd, client = refused(&fd);

	while (is_open(fd)) {
		ck_assert_uint_lt(clock_ms() - from, 10000);
		event_base_loop(base, EVLOOP_ONCE);
	}
	ck_assert_uint_ge(clock_ms() - from, 900);
	close(client);
	/* Nor for more than so many bytes. */
	from = clock_ms();
	client = refused(&fd);
	for (int i = 0; i < 100 && is_open(fd); i++) {
		(void)!write(client, junk, sizeof(junk));
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	ck_assert(!is_open(fd));
	close(client);
}
END_TEST

START_TEST(of_one_who_was_served_much_more_is_read_but_not_for_ever)
{
	static char	 junk[16 << 10];
	struct buf	 out = { .max = 100 };
	int		 fds[2];
	size_t		 said = 0;
	ssize_t		 n;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	while ((n = write(fds[1], junk, sizeof(junk))) > 0)
		said += (size_t)n;
	ck_assert_uint_gt(said, 64 << 10);
	ck_assert_int_eq(buf_add(&out, "why", 3), 0);
	linger_served(all, fds[0], &out);
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert(is_open(fds[0]));
	ck_assert_int_eq(recv(fds[0], junk, 1, MSG_PEEK), -1);
	ck_assert_int_eq(read(fds[1], junk, sizeof(junk)), 3);
	ck_assert_int_eq(read(fds[1], junk, sizeof(junk)), 0);
	for (int i = 0; i < 4096 && is_open(fds[0]); i++) {
		(void)!write(fds[1], junk, sizeof(junk));
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	ck_assert(!is_open(fds[0]));
	close(fds[1]);
}
END_TEST

START_TEST(who_was_served_stays_while_it_reads_the_rest)
{
	static char	 piece[2048];
	struct buf	 out = { .max = 100 };
	uint64_t	 from = clock_ms();
	int		 fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	while (write(fds[0], piece, sizeof(piece)) > 0)
		;
	linger_served(all, fds[0], &out);
	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(read(fds[1], piece, sizeof(piece)),
		    sizeof(piece));
		poll(NULL, 0, 160);
		event_base_loop(base, EVLOOP_NONBLOCK);
		ck_assert(is_open(fds[0]));
	}
	ck_assert_uint_ge(clock_ms() - from, 6000);
	/* It reads no more, and there is more. */
	from = clock_ms();
	while (is_open(fds[0])) {
		ck_assert_uint_lt(clock_ms() - from, 20000);
		event_base_loop(base, EVLOOP_ONCE);
	}
	ck_assert_uint_ge(clock_ms() - from, 3000);
	ck_assert_int_eq(read(fds[1], piece, sizeof(piece)), sizeof(piece));
	close(fds[1]);
}
END_TEST

START_TEST(who_reads_slowly_leaves_half_of_the_places_to_others)
{
	static char	 piece[2048];
	struct buf	 out = { .max = 100 };
	uint64_t	 from = clock_ms();
	int		 fds[2][2], fd, client;

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM |
		    SOCK_NONBLOCK, 0, fds[i]), 0);
		while (write(fds[i][0], piece, sizeof(piece)) > 0)
			;
		linger_served(all, fds[i][0], &out);
	}
	while (clock_ms() - from < 2000)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(is_open(fds[0][0]) + is_open(fds[1][0]), 1);
	client = refused(&fd);
	ck_assert(is_open(fd));
	close(client);
	close(fds[0][1]);
	close(fds[1][1]);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("linger");
	TCase	*t = tcase_create("linger");
	SRunner	*sr;
	int	 failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	tcase_add_test(t, the_answer_is_there_and_then_the_end);
	tcase_add_test(t,
	    what_the_kernel_has_is_read_though_no_answer_fits);
	tcase_add_test(t, more_than_may_linger_are_closed_at_once);
	tcase_add_test(t, nobody_lingers_for_ever);
	tcase_add_test(t, who_was_served_stays_while_it_reads_the_rest);
	tcase_add_test(t, who_reads_slowly_leaves_half_of_the_places_to_others);
	tcase_add_test(t,
	    of_one_who_was_served_much_more_is_read_but_not_for_ever);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

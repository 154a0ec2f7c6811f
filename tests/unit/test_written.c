#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/written.h"

static int	 ours, theirs;		/* accepted, connected */

/* A connection over loopback, whose client takes little at once. */
static void
setup(void)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t		 len = sizeof(sin);
	int			 fd = socket(AF_INET, SOCK_STREAM, 0), small = 8192;

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sin, len), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	theirs = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(setsockopt(theirs, SOL_SOCKET, SO_RCVBUF, &small,
	    sizeof(small)), 0);
	ck_assert_int_eq(connect(theirs, (struct sockaddr *)&sin, len), 0);
	ck_assert_int_ge(ours = accept(fd, NULL, NULL), 0);
	close(fd);
}

static void
teardown(void)
{
	close(ours);
	if (theirs != -1)
		close(theirs);
}

/* What the kernel says of fd; acknowledgements may be under way. */
static uint32_t
total(int fd)
{
	uint32_t	 n;

	while (written_total(fd, &n) == -1)
		ck_assert_int_eq(errno, EAGAIN);
	return (n);
}

START_TEST(it_is_what_was_written_however_much_is_read)
{
	static char	 data[300000];
	struct pollfd	 p[2] = { { .events = POLLOUT }, { .fd = theirs,
			    .events = POLLIN } };
	uint32_t	 sum = 0;
	ssize_t		 n;
	int		 full = 0, part = 0, other;

	ck_assert_uint_eq(total(ours), 0);
	ck_assert_int_ge(p[0].fd = other = dup(ours), 0);
	srandom(1);
	while (full < 20) {
		size_t	 len = 1 + (size_t)random() % sizeof(data);

		n = send(ours, data, len, MSG_DONTWAIT);
		if (n > 0)
			sum += (uint32_t)n;
		part += n > 0 && (size_t)n < len;
		ck_assert_uint_eq(total(ours), sum);
		ck_assert_uint_eq(total(other), sum);
		if (n != -1)
			continue;
		ck_assert_int_eq(errno, EAGAIN);
		full++;
		do {
			ck_assert_int_gt(poll(p, 2, -1), 0);
			if (p[1].revents & POLLIN)
				ck_assert_int_gt(read(theirs, data, 30000), 0);
		} while ((p[0].revents & POLLOUT) == 0);
	}
	ck_assert_int_gt(part, 0);
	ck_assert_uint_eq(total(ours), sum);
	shutdown(theirs, SHUT_RDWR);
	close(other);
}
END_TEST

/* Its client reads meanwhile, and acknowledges at any moment. */
START_TEST(acknowledgements_between_two_looks_make_no_difference)
{
	static char	 data[20000];
	uint32_t	 sum = 0, n;
	ssize_t		 sent;
	pid_t		 pid;

	if ((pid = fork()) == 0) {
		close(ours);
		while (read(theirs, data, sizeof(data)) > 0)
			;
		_exit(0);
	}
	close(theirs);
	theirs = -1;
	for (int i = 0; i < 20000; i++) {
		sent = send(ours, data, 1 + (size_t)i % sizeof(data),
		    MSG_DONTWAIT);
		sum += sent > 0 ? (uint32_t)sent : 0;
		if (written_total(ours, &n) == 0)
			ck_assert_uint_eq(n, sum);
		else
			ck_assert_int_eq(errno, EAGAIN);
	}
	shutdown(ours, SHUT_RDWR);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

START_TEST(who_connects_and_who_ends_has_one_more)
{
	ck_assert_uint_eq(total(theirs), 1);
	ck_assert_int_eq(send(theirs, "abc", 3, 0), 3);
	ck_assert_uint_eq(total(theirs), 4);
	shutdown(theirs, SHUT_WR);
	ck_assert_uint_eq(total(theirs), 5);
	ck_assert_uint_eq(total(ours), 0);
}
END_TEST

START_TEST(what_is_no_tcp_is_not_known)
{
	uint32_t	 n = 7;
	int		 fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	ck_assert_int_eq(written_total(fds[0], &n), -1);
	ck_assert_int_eq(written_total(-1, &n), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_uint_eq(n, 7);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("written");
	TCase	*t = tcase_create("written");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, it_is_what_was_written_however_much_is_read);
	tcase_add_test(t, acknowledgements_between_two_looks_make_no_difference);
	tcase_add_test(t, who_connects_and_who_ends_has_one_more);
	tcase_add_test(t, what_is_no_tcp_is_not_known);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

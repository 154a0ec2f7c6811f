/* Connections to other servers: whom they reach, and what is said of those they do not. */
#include <sys/socket.h>
#include <sys/un.h>

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/dial.h"

static struct event_base	*base;
static int			 got_fd, got_err, calls;
static char			 got_peer[128], path[64];

static void
setup(void)
{
	base = event_base_new();
	got_fd = -1;
	got_err = calls = 0;
	got_peer[0] = '\0';
	snprintf(path, sizeof(path), "/tmp/test-dial-%d", (int)getpid());
}

static void
teardown(void)
{
	if (got_fd != -1)
		close(got_fd);
	unlink(path);
	event_base_free(base);
}

static void
done(int fd, const char *peer, int err, void *arg)
{
	ck_assert_ptr_eq(arg, &calls);
	calls++;
	got_fd = fd;
	got_err = err;
	snprintf(got_peer, sizeof(got_peer), "%s", peer);
	event_base_loopbreak(base);
}

/* Dial, and wait for what comes of it. */
static void
dial(const char *address, unsigned ms)
{
	ck_assert_ptr_nonnull(dial_new(base, address, ms, done, &calls));
	ck_assert_int_eq(calls, 0);	/* never from within */
	event_base_dispatch(base);
	ck_assert_int_eq(calls, 1);
}

/* Somebody listens at 127.0.0.1, or ::1: its port. */
static int
listening(int family, int *fd)
{
	struct sockaddr_in6	 in6 = { .sin6_family = AF_INET6,
				    .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in	 in = { .sin_family = AF_INET };
	struct sockaddr		*sa = family == AF_INET ? (void *)&in :
				    (void *)&in6;
	socklen_t		 len = family == AF_INET ? sizeof(in) :
				    sizeof(in6);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(*fd, sa, len) == -1 || listen(*fd, 8) == -1)
		return (-1);
	ck_assert_int_eq(getsockname(*fd, sa, &len), 0);
	return (ntohs(family == AF_INET ? in.sin_port : in6.sin6_port));
}

START_TEST(an_address_and_a_name_are_reached)
{
	static const struct {
		int		 family;
		const char	*format;
	} rows[] = {
		{ AF_INET, "127.0.0.1:%d" }, { AF_INET, "localhost:%d" },
		{ AF_INET6, "[::1]:%d" },
	};
	char	 address[64];
	int	 fd, port = listening(rows[_i].family, &fd), there;

	if (port == -1)
		return;			/* no IPv6 here */
	snprintf(address, sizeof(address), rows[_i].format, port);
	dial(address, 10000);
	ck_assert_int_eq(got_err, 0);
	ck_assert_int_ne(got_fd, -1);
	ck_assert_ptr_nonnull(strchr(got_peer, ':'));
	there = accept(fd, NULL, NULL);
	ck_assert_int_eq(write(got_fd, "x", 1), 1);
	ck_assert_int_eq(read(there, address, sizeof(address)), 1);
	ck_assert_int_ne(fcntl(got_fd, F_GETFL) & O_NONBLOCK, 0);
	ck_assert_int_ne(fcntl(got_fd, F_GETFD) & FD_CLOEXEC, 0);
	close(there);
	close(fd);
}
END_TEST

START_TEST(a_path_is_reached)
{
	struct sockaddr_un	 un = { .sun_family = AF_UNIX };
	char			 address[80];
	int			 fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address, sizeof(address), "unix:%s", path);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", path);
	dial(address, 10000);
	ck_assert_int_eq(got_err, ENOENT);
	ck_assert_int_eq(got_fd, -1);
	calls = 0;
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	dial(address, 10000);
	ck_assert_int_eq(got_err, ECONNREFUSED);
	calls = 0;
	ck_assert_int_eq(listen(fd, 8), 0);
	dial(address, 10000);
	ck_assert_int_eq(got_err, 0);
	ck_assert_int_eq(strncmp(got_peer, "unix:", 5), 0);
	close(fd);
}
END_TEST

START_TEST(nobody_is_there)
{
	char	 address[64];
	int	 fd, port = listening(AF_INET, &fd);

	close(fd);
	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	dial(address, 10000);
	ck_assert_int_eq(got_err, ECONNREFUSED);
	ck_assert_int_eq(got_fd, -1);
	ck_assert_str_eq(got_peer, "");
	calls = 0;
	dial("no-such-name.invalid:5", 20000);
	ck_assert(got_err == EHOSTUNREACH || got_err == ETIMEDOUT);
}
END_TEST

START_TEST(who_does_not_answer_is_given_up)
{
	struct sockaddr_in	 in = { .sin_family = AF_INET };
	char			 address[64];
	int			 fd, full[64], port = listening(AF_INET, &fd);

	/* Its queue is full: who comes now hears nothing. */
	ck_assert_int_eq(listen(fd, 0), 0);
	in.sin_port = htons((uint16_t)port);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (size_t i = 0; i < 64; i++) {
		full[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(full[i], (struct sockaddr *)&in, sizeof(in));
	}
	snprintf(address, sizeof(address), "127.0.0.1:%d", port);
	dial(address, 200);
	ck_assert_int_eq(got_err, ETIMEDOUT);
	ck_assert_int_eq(got_fd, -1);
	for (size_t i = 0; i < 64; i++)
		close(full[i]);
	close(fd);
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	static const char *const rows[] = {
		"", ":", "host", "host:", "host:0", "host:65536", "host:x",
		":80", "host:80x", "unix:", "unix:/"
		"0123456789012345678901234567890123456789012345678901234567890"
		"0123456789012345678901234567890123456789012345678901234567890",
	};
	char	 name[400];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		errno = 0;
		ck_assert_msg(dial_new(base, rows[i], 1, done, &calls) == NULL,
		    "%s", rows[i]);
		ck_assert_int_eq(errno, EINVAL);
	}
	memset(name, 'x', sizeof(name));
	strcpy(name + sizeof(name) - 4, ":80");
	ck_assert_ptr_null(dial_new(base, name, 1, done, &calls));
	ck_assert_int_eq(event_base_loop(base, EVLOOP_NONBLOCK), 1);
}
END_TEST

START_TEST(what_is_cancelled_does_not_come)
{
	static const char *const rows[] = { "127.0.0.1:9", "unix:/nowhere",
	    "localhost:9", "no-such-name.invalid:9" };
	struct dial	*d;

	dial_cancel(NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		d = dial_new(base, rows[i], 10000, done, &calls);
		ck_assert_ptr_nonnull(d);
		dial_cancel(d);
	}
	event_base_loop(base, EVLOOP_NONBLOCK);
	ck_assert_int_eq(calls, 0);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("dial");
	TCase	*t = tcase_create("dial");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, an_address_and_a_name_are_reached, 0, 3);
	tcase_add_test(t, a_path_is_reached);
	tcase_add_test(t, nobody_is_there);
	tcase_add_test(t, who_does_not_answer_is_given_up);
	tcase_add_test(t, what_is_no_address_is_refused);
	tcase_add_test(t, what_is_cancelled_does_not_come);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

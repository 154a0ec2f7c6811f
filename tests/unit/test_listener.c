#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/listener.h"
#include "common/sock.h"

static struct event_base *base;
static struct listener	*l;
static char		 dir[] = "/tmp/kennel-test-XXXXXX", path[64];
static int		 accepted[512], naccepted, nrefused, pause_after;

static void
accept_cb(int fd, const struct sockaddr *peer, socklen_t len, void *arg)
{
	ck_assert_ptr_eq(arg, &base);
	ck_assert_int_eq(peer->sa_family, AF_UNIX);
	ck_assert_uint_ge(len, sizeof(sa_family_t));
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	accepted[naccepted++] = fd;
	if (naccepted == pause_after)
		listener_pause(l, 2);
}

static void
refuse_cb(int fd, void *arg)
{
	ck_assert_ptr_eq(arg, &base);
	ck_assert((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	nrefused++;
	ck_assert_int_eq(send(fd, "503", 3, 0), 3);
	close(fd);
}

static void
setup(void)
{
	struct sock_addr	 a;
	const char		*why;
	char			 address[80];

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	snprintf(address, sizeof(address), "unix:%s", path);
	ck_assert_int_eq(sock_parse(address, &a, &why), 0);
	base = event_base_new();
	l = listener_new(base, sock_listen(&a, SOCK_STREAM, 512), accept_cb,
	    refuse_cb, &base);
	ck_assert_ptr_nonnull(l);
}

static void
teardown(void)
{
	listener_free(l);
	event_base_free(base);
	while (naccepted > 0)
		close(accepted[--naccepted]);
	unlink(path);
	rmdir(dir);
}

static int
dial(void)
{
	int	 fd = sock_connect_unix(path, SOCK_STREAM);

	ck_assert_int_ne(fd, -1);
	return (fd);
}

static void
turn(void)
{
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

START_TEST(at_most_64_are_accepted_in_a_turn)
{
	int	 c[100];

	for (size_t i = 0; i < nitems(c); i++)
		c[i] = dial();
	turn();
	ck_assert_int_eq(naccepted, 64);
	turn();
	ck_assert_int_eq(naccepted, 100);
	for (size_t i = 0; i < nitems(c); i++)
		close(c[i]);
}
END_TEST

START_TEST(two_reasons_to_pause_do_not_undo_each_other)
{
	int	 c = dial();

	listener_pause(l, 2);
	listener_pause(l, 4);
	listener_pause(l, 4);
	turn();
	listener_resume(l, 4);
	turn();
	ck_assert_int_eq(naccepted, 0);
	listener_resume(l, 8);
	turn();
	ck_assert_int_eq(naccepted, 0);
	listener_resume(l, 2);
	turn();
	ck_assert_int_eq(naccepted, 1);
	close(c);
}
END_TEST

START_TEST(a_pause_inside_the_callback_holds_at_once)
{
	int	 c[3];

	pause_after = 2;
	for (size_t i = 0; i < nitems(c); i++)
		c[i] = dial();
	turn();
	turn();
	ck_assert_int_eq(naccepted, 2);
	listener_resume(l, 2);
	turn();
	ck_assert_int_eq(naccepted, 3);
	for (size_t i = 0; i < nitems(c); i++)
		close(c[i]);
}
END_TEST

START_TEST(out_of_descriptors_one_is_refused_and_accepting_rests)
{
	struct rlimit	 r, all;
	uint64_t	 before;
	int		 c[3], top;
	char		 buf[4];

	for (size_t i = 0; i < nitems(c); i++)
		c[i] = dial();
	top = dup(c[0]);
	close(top);
	getrlimit(RLIMIT_NOFILE, &all);
	r = all;
	r.rlim_cur = (rlim_t)top;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
	before = clock_ms();
	turn();
	ck_assert_int_eq(naccepted, 0);
	ck_assert_int_eq(nrefused, 1);
	ck_assert_int_eq(recv(c[0], buf, sizeof(buf), 0), 3);
	ck_assert_mem_eq(buf, "503", 3);
	ck_assert_int_eq(recv(c[0], buf, sizeof(buf), 0), 0);
	/* It rests: the others wait, and no turn is busy with them. */
	turn();
	ck_assert_int_eq(nrefused, 1);
	/* Still out after the rest: the next one is refused as well. */
	while (nrefused == 1)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_uint_ge(clock_ms() - before, 190);
	ck_assert_int_eq(naccepted, 0);
	/* Descriptors are back: so is accepting. */
	setrlimit(RLIMIT_NOFILE, &all);
	while (naccepted == 0)
		event_base_loop(base, EVLOOP_ONCE);
	ck_assert_int_eq(nrefused, 2);
	for (size_t i = 0; i < nitems(c); i++)
		close(c[i]);
}
END_TEST

START_TEST(its_own_rest_ends_no_other_pause)
{
	struct rlimit	 r, all;
	struct timeval	 tv = { 0, 300000 };
	int		 c[2], top;

	for (size_t i = 0; i < nitems(c); i++)
		c[i] = dial();
	top = dup(c[0]);
	close(top);
	getrlimit(RLIMIT_NOFILE, &all);
	r = all;
	r.rlim_cur = (rlim_t)top;
	setrlimit(RLIMIT_NOFILE, &r);
	turn();
	ck_assert_int_eq(nrefused, 1);
	setrlimit(RLIMIT_NOFILE, &all);
	listener_pause(l, 2);
	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
	ck_assert_int_eq(naccepted, 0);
	listener_resume(l, 2);
	turn();
	ck_assert_int_eq(naccepted, 1);
	for (size_t i = 0; i < nitems(c); i++)
		close(c[i]);
}
END_TEST

START_TEST(freeing_closes_the_socket_and_refuses_who_waits)
{
	int	 c = dial(), fd = listener_fd(l);
	char	 buf[4];

	listener_free(l);
	l = NULL;
	ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
	ck_assert_int_le(recv(c, buf, sizeof(buf), 0), 0);
	ck_assert_int_eq(sock_connect_unix(path, SOCK_STREAM), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	close(c);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("listener");
	TCase	*t = tcase_create("listener");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, at_most_64_are_accepted_in_a_turn);
	tcase_add_test(t, two_reasons_to_pause_do_not_undo_each_other);
	tcase_add_test(t, a_pause_inside_the_callback_holds_at_once);
	tcase_add_test(t,
	    out_of_descriptors_one_is_refused_and_accepting_rests);
	tcase_add_test(t, its_own_rest_ends_no_other_pause);
	tcase_add_test(t, freeing_closes_the_socket_and_refuses_who_waits);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/fdpass.h"
#include "tests/unit/descriptors.h"

static int	 a, b;		/* blocking: fdpass must not rely on the flag */
static int	 files[FDPASS_MAX];
static char	 big[1 << 20];

static void
setup(void)
{
	int	 sv[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
	    sv), 0);
	a = sv[0];
	b = sv[1];
	for (size_t i = 0; i < FDPASS_MAX; i++)
		files[i] = open("/dev/null", O_RDWR);
}

static void
teardown(void)
{
	close(a);
	close(b);
	for (size_t i = 0; i < FDPASS_MAX; i++)
		close(files[i]);
}

/* One packet, as the tests expect it. */
static void
expect(const char *text, size_t nfds)
{
	int	 fds[FDPASS_MAX], cut;
	char	 buf[64];
	size_t	 n;
	ssize_t	 r;

	r = fdpass_recv(b, fds, &n, buf, sizeof(buf), &cut);
	ck_assert_int_eq(r, (ssize_t)strlen(text));
	ck_assert_mem_eq(buf, text, strlen(text));
	ck_assert_uint_eq(n, nfds);
	ck_assert_int_eq(cut, 0);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

START_TEST(any_number_of_descriptors_arrives_in_order_close_on_exec)
{
	int		 fds[FDPASS_MAX], cut, r;
	struct stat	 st;
	ino_t		 inodes[FDPASS_MAX];
	size_t		 n;
	char		 buf[64];

	for (size_t i = 0; i < FDPASS_MAX; i++) {
		close(files[i]);
		files[i] = socket(AF_UNIX, SOCK_DGRAM, 0);
		fstat(files[i], &st);
		inodes[i] = st.st_ino;
	}
	for (size_t k = 0; k <= FDPASS_MAX; k++) {
		ck_assert_int_eq(fdpass_send(a, files, k, "text", 4), 0);
		r = (int)fdpass_recv(b, fds, &n, buf, sizeof(buf), &cut);
		ck_assert_int_eq(r, 4);
		ck_assert_int_eq(cut, 0);
		ck_assert_uint_eq(n, k);
		for (size_t i = 0; i < n; i++) {
			ck_assert_int_eq(fcntl(fds[i], F_GETFD), FD_CLOEXEC);
			fstat(fds[i], &st);
			ck_assert_uint_eq(st.st_ino, inodes[i]);
			close(fds[i]);
		}
	}
}
END_TEST

START_TEST(packets_keep_their_borders_and_their_descriptors)
{
	fdpass_send(a, NULL, 0, "one", 3);
	fdpass_send(a, files, 2, "two", 3);
	fdpass_send(a, files, 1, "three", 5);
	fdpass_send(a, NULL, 0, "four", 4);
	expect("one", 0);
	expect("two", 2);
	expect("three", 1);
	expect("four", 0);
}
END_TEST

START_TEST(what_is_sent_is_borrowed)
{
	ck_assert_int_eq(fdpass_send(a, files, FDPASS_MAX, "x", 1), 0);
	for (size_t i = 0; i < FDPASS_MAX; i++)
		ck_assert_int_ne(fcntl(files[i], F_GETFD), -1);
}
END_TEST

START_TEST(an_empty_packet_and_too_many_descriptors_are_einval)
{
	int	 fds[FDPASS_MAX + 1] = { 0 };

	errno = 0;
	ck_assert_int_eq(fdpass_send(a, NULL, 0, "", 0), -1);
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_int_eq(fdpass_send(a, fds, FDPASS_MAX + 1, "x", 1), -1);
	ck_assert_int_eq(errno, EINVAL);
	fdpass_send(a, NULL, 0, "next", 4);
	expect("next", 0);
}
END_TEST

START_TEST(a_receiver_behind_is_eagain_and_loses_nothing)
{
	int	 fds[FDPASS_MAX], cut, sent = 0, got = 0;
	char	 buf[1024];
	size_t	 n;
	ssize_t	 r;

	while (fdpass_send(a, files, 1, big, sizeof(buf)) == 0)
		ck_assert_int_lt(++sent, 100000);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_gt(sent, 0);
	while ((r = fdpass_recv(b, fds, &n, buf, sizeof(buf), &cut)) > 0) {
		ck_assert_uint_eq(n, 1);
		close(fds[0]);
		got++;
	}
	ck_assert_int_eq(r, -1);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(got, sent);
	ck_assert_int_eq(fdpass_send(a, files, 1, big, sizeof(buf)), 0);
}
END_TEST

START_TEST(larger_than_the_send_buffer_is_emsgsize)
{
	ck_assert_int_eq(fdpass_send(a, files, 1, big, sizeof(big)), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	fdpass_send(a, files, 1, "next", 4);
	expect("next", 1);
}
END_TEST

START_TEST(sixty_four_kib_fit_into_default_buffers)
{
	static char	 buf[1 << 16];
	int		 fds[FDPASS_MAX], cut;
	size_t		 n;

	ck_assert_int_eq(fdpass_send(a, files, FDPASS_MAX, big, sizeof(buf)),
	    0);
	ck_assert_int_eq(fdpass_recv(b, fds, &n, buf, sizeof(buf), &cut),
	    sizeof(buf));
	ck_assert_uint_eq(n, FDPASS_MAX);
}
END_TEST

START_TEST(a_receiver_gone_is_epipe_without_a_signal)
{
	signal(SIGPIPE, SIG_DFL);
	close(b);
	b = -1;
	ck_assert_int_eq(fdpass_send(a, files, 1, "x", 1), -1);
	ck_assert_int_eq(errno, EPIPE);
}
END_TEST

START_TEST(a_receiver_gone_with_unread_packets_is_a_reset_then_the_end)
{
	int	 fds[FDPASS_MAX], cut;
	char	 buf[16];
	size_t	 n;

	/* A packet from a that b never read, and one from b behind it. */
	fdpass_send(a, NULL, 0, "lost", 4);
	fdpass_send(b, files, 1, "last", 4);
	close(b);
	b = -1;
	ck_assert_int_eq(fdpass_recv(a, fds, &n, buf, sizeof(buf), &cut), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	ck_assert_uint_eq(n, 0);
	/* The reset is not the end: what was queued comes behind it. */
	ck_assert_int_eq(fdpass_recv(a, fds, &n, buf, sizeof(buf), &cut), 4);
	ck_assert_uint_eq(n, 1);
	close(fds[0]);
	ck_assert_int_eq(fdpass_recv(a, fds, &n, buf, sizeof(buf), &cut), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(fdpass_send(a, NULL, 0, "x", 1), -1);
	ck_assert(errno == EPIPE || errno == ECONNRESET);
}
END_TEST

START_TEST(a_closed_sender_is_the_end_again_and_again)
{
	int	 fds[FDPASS_MAX], cut;
	char	 buf[16];
	size_t	 n;

	fdpass_send(a, NULL, 0, "x", 1);
	close(a);
	a = -1;
	expect("x", 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(fdpass_recv(b, fds, &n, buf, sizeof(buf),
		    &cut), 0);
}
END_TEST

START_TEST(an_empty_packet_from_elsewhere_leaves_no_descriptor)
{
	union {
		struct cmsghdr	 align;
		char		 buf[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr	 m = { .msg_control = control.buf,
			    .msg_controllen = sizeof(control.buf) };
	struct cmsghdr	*c;
	size_t		 before = open_descriptors();
	int		 fds[FDPASS_MAX], cut;
	char		 buf[16];
	size_t		 n;

	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), files, sizeof(int));
	ck_assert_int_eq(sendmsg(a, &m, 0), 0);
	ck_assert_int_eq(fdpass_recv(b, fds, &n, buf, sizeof(buf), &cut), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

START_TEST(larger_than_the_callers_room_is_dropped_with_its_descriptors)
{
	size_t	 before = open_descriptors();
	int	 fds[FDPASS_MAX], cut;
	char	 buf[16];
	size_t	 n;

	fdpass_send(a, files, 3, big, sizeof(buf) + 1);
	fdpass_send(a, files, 1, "next", 4);
	ck_assert_int_eq(fdpass_recv(b, fds, &n, buf, sizeof(buf), &cut), -1);
	ck_assert_int_eq(errno, EMSGSIZE);
	ck_assert_uint_eq(n, 0);
	ck_assert_uint_eq(open_descriptors(), before);
	expect("next", 1);
}
END_TEST

/*
 * All n of them or none: with room for fewer the kernel cuts, and what did
 * arrive is closed again.
 */
START_TEST(out_of_descriptors_is_cut_and_keeps_none)
{
	struct rlimit	 r;
	size_t		 before;
	int		 fds[FDPASS_MAX], cut = 0, top;
	char		 buf[16];
	size_t		 n = 77;

	ck_assert_int_eq(fdpass_send(a, files, 8, "text", 4), 0);
	fdpass_send(a, files, 8, "more", 4);
	before = open_descriptors();
	top = dup(a);
	close(top);
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = (rlim_t)top + (rlim_t)_i;	/* room for _i */
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
	ck_assert_int_eq(fdpass_recv(b, fds, &n, buf, sizeof(buf), &cut), 4);
	ck_assert_mem_eq(buf, "text", 4);
	ck_assert_int_eq(cut, 1);
	ck_assert_uint_eq(n, 0);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	ck_assert_uint_eq(open_descriptors(), before);
	/* The next packet is whole again. */
	expect("more", 8);
}
END_TEST

START_TEST(too_many_in_flight_is_etoomanyrefs)
{
	struct rlimit	 r;
	uid_t		 euid = geteuid();
	int		 i, sv[2];

	/* Root is exempt from this limit of unix(7). */
	if (euid == 0 && seteuid(65534) == -1)
		return;
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = 64;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv), 0);
	for (i = 0; i < 100; i++)
		if (fdpass_send(sv[0], files, FDPASS_MAX, "x", 1) == -1)
			break;
	ck_assert_int_lt(i, 100);
	ck_assert_int_eq(errno, ETOOMANYREFS);
	/* Leak checkers trace us, which a changed id forbids. */
	ck_assert_int_eq(seteuid(euid), 0);
	prctl(PR_SET_DUMPABLE, 1);
}
END_TEST

START_TEST(a_descriptor_that_is_none_is_refused_and_nothing_sent)
{
	int	 bad[2] = { files[0], 9999 }, fds[FDPASS_MAX], cut;
	char	 buf[16];
	size_t	 n;

	ck_assert_int_eq(fdpass_send(a, bad, 2, "x", 1), -1);
	ck_assert_int_eq(errno, EBADF);
	ck_assert_int_eq(fdpass_recv(b, fds, &n, buf, sizeof(buf), &cut), -1);
	ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("fdpass");
	TCase	*t = tcase_create("fdpass");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t,
	    any_number_of_descriptors_arrives_in_order_close_on_exec);
	tcase_add_test(t, packets_keep_their_borders_and_their_descriptors);
	tcase_add_test(t, what_is_sent_is_borrowed);
	tcase_add_test(t,
	    an_empty_packet_and_too_many_descriptors_are_einval);
	tcase_add_test(t, a_receiver_behind_is_eagain_and_loses_nothing);
	tcase_add_test(t, larger_than_the_send_buffer_is_emsgsize);
	tcase_add_test(t, sixty_four_kib_fit_into_default_buffers);
	tcase_add_test(t, a_receiver_gone_is_epipe_without_a_signal);
	tcase_add_test(t,
	    a_receiver_gone_with_unread_packets_is_a_reset_then_the_end);
	tcase_add_test(t, a_closed_sender_is_the_end_again_and_again);
	tcase_add_test(t,
	    an_empty_packet_from_elsewhere_leaves_no_descriptor);
	tcase_add_test(t,
	    larger_than_the_callers_room_is_dropped_with_its_descriptors);
	tcase_add_loop_test(t, out_of_descriptors_is_cut_and_keeps_none, 0, 8);
	tcase_add_test(t, too_many_in_flight_is_etoomanyrefs);
	tcase_add_test(t,
	    a_descriptor_that_is_none_is_refused_and_nothing_sent);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

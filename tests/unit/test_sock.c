#include <sys/stat.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/sock.h"

static char	 dir[] = "/tmp/kennel-test-XXXXXX", path[64], text[200];

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
}

static void
teardown(void)
{
	unlink(path);
	rmdir(dir);
}

static const struct {
	const char	*in, *out;	/* NULL: refused */
	int		 dual;
} addresses[] = {
	{ "8080", "[::]:8080", 1 },
	{ ":8080", "[::]:8080", 1 },
	{ "*:8080", "[::]:8080", 1 },
	{ "127.0.0.1:8080", "127.0.0.1:8080", 0 },
	{ "localhost:65535", "127.0.0.1:65535", 0 },
	{ "[::1]:1", "[::1]:1", 0 },
	{ "[::ffff:10.0.0.1]:80", "10.0.0.1:80", 0 },
	{ "unix:/run/x", "unix:/run/x", 0 },
	{ "unix:relative", "unix:relative", 0 },
	{ "", NULL, 0 },
	{ ":", NULL, 0 },
	{ "0", NULL, 0 },
	{ "65536", NULL, 0 },
	{ "-1", NULL, 0 },
	{ "80x", NULL, 0 },
	{ "127.0.0.1", NULL, 0 },
	{ "127.0.0.1:", NULL, 0 },
	{ "::1:80", NULL, 0 },
	{ "[::1]", NULL, 0 },
	{ "[::1]80", NULL, 0 },
	{ "[::1:80", NULL, 0 },
	{ "unix:/a b/c", "unix:/a b/c", 0 },
	{ "unix:/run/x mode=0660", "unix:/run/x", 0 },
	{ "unix:/run/x  owner=0  group=root mode=7", "unix:/run/x", 0 },
	{ "unix:/run/x mode=", NULL, 0 },
	{ "unix:/run/x mode=0", NULL, 0 },
	{ "unix:/run/x mode=8", NULL, 0 },
	{ "unix:/run/x mode=-1", NULL, 0 },
	{ "unix:/run/x mode=1777", NULL, 0 },
	{ "unix:/run/x mode=660,", NULL, 0 },
	{ "unix:/run/x owner=", NULL, 0 },
	{ "unix:/run/x owner=no-such-user", NULL, 0 },
	{ "unix:/run/x group=no-such-group", NULL, 0 },
	{ "unix:/run/x group=4294967295", NULL, 0 },
	{ "unix: mode=0660", NULL, 0 },
	{ "unix:", NULL, 0 },
	{ "300.1.1.1.:80", NULL, 0 },
};

START_TEST(addresses_are_parsed_and_shown_again)
{
	struct sock_addr	 a;
	const char		*why = NULL;
	int			 r;

	errno = 0;
	r = sock_parse(addresses[_i].in, &a, &why);
	if (addresses[_i].out == NULL) {
		ck_assert_int_eq(r, -1);
		ck_assert_int_eq(errno, EINVAL);
		ck_assert_ptr_nonnull(why);
		return;
	}
	ck_assert_msg(r == 0, "%s: %s", addresses[_i].in, why);
	ck_assert_str_eq(sock_format(text, sizeof(text),
	    (struct sockaddr *)&a.ss, a.len), addresses[_i].out);
	ck_assert_int_eq(a.v6_and_v4, addresses[_i].dual);
}
END_TEST

START_TEST(a_unix_path_has_at_most_107_bytes)
{
	struct sock_addr	 a;
	const char		*why = NULL;
	char			 long_path[120];

	memset(long_path, 'a', sizeof(long_path));
	memcpy(long_path, "unix:/", 6);
	long_path[5 + 107] = '\0';
	ck_assert_int_eq(sock_parse(long_path, &a, &why), 0);
	sock_format(text, sizeof(text), (struct sockaddr *)&a.ss, a.len);
	ck_assert_str_eq(text, long_path);
	errno = 0;
	ck_assert_int_eq(sock_connect_unix(long_path + 5, SOCK_STREAM), -1);
	ck_assert_int_eq(errno, ENOENT);
	long_path[5 + 107] = 'a';
	long_path[5 + 108] = '\0';
	ck_assert_int_eq(sock_parse(long_path, &a, &why), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(sock_connect_unix(long_path + 5, SOCK_STREAM), -1);
	ck_assert_int_eq(errno, ENAMETOOLONG);
}
END_TEST

START_TEST(unnamed_and_foreign_addresses_are_shown_too)
{
	struct sockaddr_un	 un = { .sun_family = AF_UNIX };
	struct sockaddr		 none = { .sa_family = AF_UNSPEC };

	sock_format(text, sizeof(text), (struct sockaddr *)&un,
	    sizeof(sa_family_t));
	ck_assert_str_eq(text, "unix:");
	/* A path without its end. */
	memset(un.sun_path, 'p', sizeof(un.sun_path));
	sock_format(text, sizeof(text), (struct sockaddr *)&un, sizeof(un));
	ck_assert_uint_eq(strlen(text), 5 + sizeof(un.sun_path));
	ck_assert_str_eq(sock_format(text, 8, (struct sockaddr *)&un,
	    sizeof(un)), "unix:pp");
	sock_format(text, sizeof(text), &none, sizeof(none));
	ck_assert_str_eq(text, "family 0");
}
END_TEST

static int
listen_on(const char *address, int type)
{
	struct sock_addr	 a;
	const char		*why;

	ck_assert_int_eq(sock_parse(address, &a, &why), 0);
	return (sock_listen(&a, type, 4));
}

static void
check_flags(int fd)
{
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
}

static int
listen_unix(int type)
{
	char	 address[80];

	snprintf(address, sizeof(address), "unix:%s", path);
	return (listen_on(address, type));
}

START_TEST(what_is_made_is_non_blocking_and_close_on_exec)
{
	int	 l = listen_unix(SOCK_SEQPACKET), c, s;
	pid_t	 pid;
	uid_t	 uid;

	check_flags(l);
	c = sock_connect_unix(path, SOCK_SEQPACKET);
	check_flags(c);
	s = accept(l, NULL, NULL);
	ck_assert_int_ne(s, -1);
	ck_assert_int_eq(sock_peer(s, &pid, &uid), 0);
	ck_assert_int_eq(pid, getpid());
	ck_assert_uint_eq(uid, getuid());
	ck_assert_int_eq(sock_peer(s, NULL, NULL), 0);
	ck_assert_int_eq(sock_peer(-1, &pid, &uid), -1);
	close(s);
	close(c);
	close(l);
}
END_TEST

START_TEST(a_unix_socket_has_its_mode_before_it_listens)
{
	struct sock_addr	 a;
	struct stat		 st;
	const char		*why;
	char			 address[128];
	mode_t			 before = umask(0077);
	int			 fd;

	snprintf(address, sizeof(address), "unix:%s mode=0666 group=%u", path,
	    (unsigned)getegid());
	ck_assert_int_eq(sock_parse(address, &a, &why), 0);
	ck_assert_int_ge(fd = sock_listen(&a, SOCK_STREAM, 5), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0666);
	close(fd);
	umask(before);
}
END_TEST

START_TEST(a_stale_socket_file_is_replaced)
{
	int	 l = listen_unix(SOCK_STREAM);

	close(l);
	l = listen_unix(SOCK_STREAM);
	ck_assert_int_ne(l, -1);
	close(l);
}
END_TEST

START_TEST(one_that_answers_is_eaddrinuse_and_stays)
{
	int	 l = listen_unix(SOCK_STREAM), c;

	ck_assert_int_eq(listen_unix(SOCK_STREAM), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	/* Nor does one of another type go away. */
	ck_assert_int_eq(listen_unix(SOCK_SEQPACKET), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	c = sock_connect_unix(path, SOCK_STREAM);
	ck_assert_int_ne(c, -1);
	close(c);
	close(l);
}
END_TEST

START_TEST(a_busy_one_is_eagain_and_not_stale)
{
	int	 l = listen_unix(SOCK_STREAM), c[16], n = 0;

	while (n < 16 && (c[n] = sock_connect_unix(path, SOCK_STREAM)) != -1)
		n++;
	ck_assert_int_lt(n, 16);
	ck_assert_int_eq(errno, EAGAIN);
	ck_assert_int_eq(listen_unix(SOCK_STREAM), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	while (n > 0)
		close(c[--n]);
	close(l);
}
END_TEST

START_TEST(a_file_in_the_way_is_never_removed)
{
	struct stat	 st;
	int		 fd = open(path, O_CREAT | O_WRONLY, 0600);

	close(fd);
	ck_assert_int_eq(listen_unix(SOCK_STREAM), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_int_eq(stat(path, &st), 0);
}
END_TEST

static in_port_t
port_of(int fd)
{
	struct sockaddr_in6	 in6;
	socklen_t		 len = sizeof(in6);

	getsockname(fd, (struct sockaddr *)&in6, &len);
	return (in6.sin6_port);		/* at the same place in v4 */
}

static int
dial(int family, in_port_t port)
{
	struct sockaddr_in	 in = { .sin_family = AF_INET,
				    .sin_port = port };
	struct sockaddr_in6	 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = port };
	int			 fd = socket(family, SOCK_STREAM, 0), r;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	in6.sin6_addr = in6addr_loopback;
	if (family == AF_INET)
		r = connect(fd, (struct sockaddr *)&in, sizeof(in));
	else
		r = connect(fd, (struct sockaddr *)&in6, sizeof(in6));
	if (r == -1) {
		close(fd);
		return (-1);
	}
	return (fd);
}

/* Listen as text says, but on a port that the kernel chooses. */
static int
listen_inet(const char *address)
{
	struct sock_addr	 a;
	const char		*why;
	int			 fd;

	ck_assert_int_eq(sock_parse(address, &a, &why), 0);
	((struct sockaddr_in6 *)(void *)&a.ss)->sin6_port = 0;
	fd = sock_listen(&a, SOCK_STREAM, 4);
	ck_assert_int_ne(fd, -1);
	check_flags(fd);
	return (fd);
}

START_TEST(a_bare_port_takes_v4_and_v6)
{
	int	 l = listen_inet("1"), c;

	c = dial(AF_INET, port_of(l));
	ck_assert_int_ne(c, -1);
	close(c);
	c = dial(AF_INET6, port_of(l));
	/* Without IPv6 in the kernel the bare port means v4. */
	ck_assert(c != -1 || access("/proc/net/if_inet6", F_OK) == -1 ||
	    errno == EADDRNOTAVAIL);
	if (c != -1)
		close(c);
	close(l);
}
END_TEST

START_TEST(what_tcp_accepts_sends_at_once)
{
	int		 l = listen_inet("127.0.0.1:1"), c, s, on = 0;
	socklen_t	 len = sizeof(on);

	c = dial(AF_INET, port_of(l));
	ck_assert_int_ne(c, -1);
	s = accept(l, NULL, NULL);
	ck_assert_int_eq(getsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, &len),
	    0);
	ck_assert_int_ne(on, 0);
	close(s);
	close(c);
	close(l);
}
END_TEST

START_TEST(a_used_port_is_eaddrinuse_and_reused_after_closing)
{
	int			 l = listen_inet("127.0.0.1:1"), c, s;
	struct sock_addr	 a;
	const char		*why;
	char			 address[32];

	snprintf(address, sizeof(address), "127.0.0.1:%u", ntohs(port_of(l)));
	ck_assert_int_eq(sock_parse(address, &a, &why), 0);
	ck_assert_int_eq(sock_listen(&a, SOCK_STREAM, 4), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	c = dial(AF_INET, port_of(l));
	s = accept(l, NULL, NULL);
	close(s);		/* our side is in TIME_WAIT now */
	close(c);
	close(l);
	ck_assert_int_ne(l = sock_listen(&a, SOCK_STREAM, 4), -1);
	close(l);
}
END_TEST

/* What the peer reads of a connection that we ended, though it is open twice:
 * 0, or -1 with errno. */
static ssize_t
read_ended(int reset)
{
	int		 l = listen_inet("127.0.0.1:1"), c, s, other;
	struct pollfd	 p;
	char		 buf[8];
	ssize_t		 r;

	c = dial(AF_INET, port_of(l));
	s = accept(l, NULL, NULL);
	other = dup(s);
	sock_end(s, reset);
	ck_assert_int_eq(fcntl(s, F_GETFD), -1);
	p.fd = c;
	p.events = POLLIN;
	ck_assert_int_eq(poll(&p, 1, 5000), 1);
	r = recv(c, buf, sizeof(buf), MSG_DONTWAIT);
	close(other);
	close(l);
	return (r);
}

START_TEST(an_ended_connection_ends_though_it_is_open_elsewhere)
{
	ck_assert_int_eq(read_ended(0), 0);
}
END_TEST

START_TEST(a_reset_resets_though_it_is_open_elsewhere)
{
	ck_assert_int_eq(read_ended(1), -1);
	ck_assert_int_eq(errno, ECONNRESET);
}
END_TEST

START_TEST(unix_sockets_end_too_and_none_is_harmless)
{
	int	 sv[2], other;
	char	 c;

	for (int reset = 0; reset < 2; reset++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sv), 0);
		other = dup(sv[0]);
		sock_end(sv[0], reset);
		ck_assert_int_eq(recv(sv[1], &c, 1, MSG_DONTWAIT), 0);
		close(sv[1]);
		close(other);
	}
	sock_end(-1, 0);
	sock_end(-1, 1);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("sock");
	TCase	*t = tcase_create("sock");
	SRunner	*r;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, addresses_are_parsed_and_shown_again, 0,
	    (int)nitems(addresses));
	tcase_add_test(t, a_unix_path_has_at_most_107_bytes);
	tcase_add_test(t, unnamed_and_foreign_addresses_are_shown_too);
	tcase_add_test(t, what_is_made_is_non_blocking_and_close_on_exec);
	tcase_add_test(t, a_unix_socket_has_its_mode_before_it_listens);
	tcase_add_test(t, a_stale_socket_file_is_replaced);
	tcase_add_test(t, one_that_answers_is_eaddrinuse_and_stays);
	tcase_add_test(t, a_busy_one_is_eagain_and_not_stale);
	tcase_add_test(t, a_file_in_the_way_is_never_removed);
	tcase_add_test(t, a_bare_port_takes_v4_and_v6);
	tcase_add_test(t, what_tcp_accepts_sends_at_once);
	tcase_add_test(t, a_used_port_is_eaddrinuse_and_reused_after_closing);
	tcase_add_test(t,
	    an_ended_connection_ends_though_it_is_open_elsewhere);
	tcase_add_test(t, a_reset_resets_though_it_is_open_elsewhere);
	tcase_add_test(t, unix_sockets_end_too_and_none_is_harmless);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

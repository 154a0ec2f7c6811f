#include <sys/ioctl.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include <linux/sockios.h>

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/limits.h"
#include "shardd/client/conn.h"
#include "shardd/client/pace.h"

#define FULL	(64 << 10)	/* bytes that a client is behind, and more */
#define PIECE	2048

static struct conn	 c;
static int		 client;
static uint32_t		 now;

/* For pace.c. */
uint32_t
conn_tick(void)
{
	return (now);
}

/* A client of that family who is owed more than its machine takes. */
static void
begin(int family)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t		 len = sizeof(sin);
	int			 fds[2], l, small = 4096;
	static char		 data[PIECE];

	memset(&c, 0, sizeof(c));
	now = 1000;
	if (family == AF_UNIX) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		c.fd = fds[0];
		client = fds[1];
	} else {
		l = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(bind(l, (void *)&sin, len), 0);
		ck_assert_int_eq(listen(l, 1), 0);
		ck_assert_int_eq(getsockname(l, (void *)&sin, &len), 0);
		client = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(client, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		ck_assert_int_eq(connect(client, (void *)&sin, len), 0);
		c.fd = accept(l, NULL, NULL);
		close(l);
	}
	/* In pieces: that is how those of a Unix socket are taken. */
	for (int i = 0; i < FULL / PIECE; i++)
		ck_assert_int_eq(send(c.fd, data, PIECE, MSG_DONTWAIT), PIECE);
	c.since = now;
}

static void
end(void)
{
	close(c.fd);
	close(client);
	free(c.rare);
}

/* Bytes that the kernel is owed. */
static uint32_t
owed(void)
{
	int	 n;

	ck_assert_int_eq(ioctl(c.fd, SIOCOUTQ, &n), 0);
	return ((uint32_t)n);
}

/* Read n bytes, and until the kernel says that some were taken: how many. */
static uint32_t
take(size_t n)
{
	uint32_t	 was = owed(), is = was;
	char		*data = malloc(n);

	ck_assert_int_eq(recv(client, data, n, MSG_WAITALL), (ssize_t)n);
	free(data);
	for (int i = 0; i < 2000 && (is = owed()) == was; i++)
		poll(NULL, 0, 1);
	ck_assert_uint_lt(is, was);
	for (uint32_t last = was; last != is; is = owed()) {
		last = is;
		poll(NULL, 0, 20);		/* and all of that */
	}
	return (was - is);
}

/* Read all. */
static void
drain(void)
{
	char	 data[4096];

	for (int i = 0; i < 20000 && owed() > 0; i++)
		if (recv(client, data, sizeof(data), MSG_DONTWAIT) <= 0)
			poll(NULL, 0, 1);
	ck_assert_uint_eq(owed(), 0);
}

START_TEST(what_is_taken_is_time)
{
	uint32_t	 n;

	begin(_i ? AF_UNIX : AF_INET);
	now += 50;				/* first seen late: it has moved */
	ck_assert_uint_eq(pace_follow(&c), owed());
	ck_assert_uint_eq(now - c.since, 10);
	now += 100;
	n = take(8 << 10);
	ck_assert_uint_eq(pace_follow(&c), owed());
	n /= PACE_LEAST / 10;
	ck_assert_uint_eq(now - c.since, n < 110 ? 110 - n : 0);
	end();
}
END_TEST

START_TEST(what_is_not_enough_is_little_time)
{
	uint32_t	 n;

	begin(AF_INET);
	now += 10;
	pace_follow(&c);
	n = take(8 << 10);
	now += 2 * n / (PACE_LEAST / 10);	/* half of the least pace */
	pace_follow(&c);
	ck_assert_uint_ge(now - c.since, n / (PACE_LEAST / 10));
	end();
}
END_TEST

START_TEST(what_was_taken_in_advance_is_none)
{
	begin(AF_INET);
	now += 10;
	pace_follow(&c);
	take(32 << 10);
	now += 10;
	pace_follow(&c);
	ck_assert_uint_eq(c.since, now);
	now += 600;				/* nothing more, for a minute */
	pace_follow(&c);
	ck_assert_uint_eq(now - c.since, 600);
	end();
}
END_TEST

START_TEST(what_was_taken_before_that_is_not_counted)
{
	begin(AF_INET);
	now += 10;
	pace_follow(&c);
	take(8 << 10);
	c.since = now += 100;			/* it could be written to */
	now += 10;
	pace_follow(&c);
	ck_assert_uint_eq(now - c.since, 10);
	end();
}
END_TEST

START_TEST(what_was_marked)
{
	begin(_i ? AF_UNIX : AF_INET);
	ck_assert_int_eq(pace_since_mark(&c), PACE_SLOW);	/* there is none */
	pace_mark(&c);
	now += 10;
	ck_assert_int_eq(pace_since_mark(&c), PACE_SLOW);
	take(8 << 10);
	now += 10;
	ck_assert_int_eq(pace_since_mark(&c), PACE_GOOD);
	now += 10;
	ck_assert_int_eq(pace_since_mark(&c), PACE_SLOW);	/* since then */
	drain();
	ck_assert_int_eq(pace_since_mark(&c), PACE_ALL);
	pace_mark(&c);				/* nothing: that is not remembered */
	ck_assert_int_eq(pace_since_mark(&c), PACE_ALL);
	end();
}
END_TEST

/* More was said meanwhile: that it is taken is another question. */
START_TEST(the_mark_stays_where_it_is)
{
	static char	 more[8 << 10];

	begin(AF_INET);
	pace_mark(&c);
	now += 1000;
	ck_assert_int_eq(pace_since_mark(&c), PACE_SLOW);
	drain();
	ck_assert_int_eq(send(c.fd, more, sizeof(more), MSG_DONTWAIT),
	    sizeof(more));
	ck_assert_int_eq(pace_since_mark(&c), PACE_ALL);
	end();
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("pace");
	TCase	*t = tcase_create("pace");
	SRunner	*r;
	int	 failed;

	tcase_add_loop_test(t, what_is_taken_is_time, 0, 2);
	tcase_add_test(t, what_is_not_enough_is_little_time);
	tcase_add_test(t, what_was_taken_in_advance_is_none);
	tcase_add_test(t, what_was_taken_before_that_is_not_counted);
	tcase_add_loop_test(t, what_was_marked, 0, 2);
	tcase_add_test(t, the_mark_stays_where_it_is);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return (failed != 0);
}

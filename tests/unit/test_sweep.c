/* Who is idle, of clients of streams: the third look asks, too.  Time is the test's. */
#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <check.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/turn.h"
#include "shardd/client/clients.h"
#include "shardd/client/conn.h"
#include "shardd/client/stream.h"
#include "shardd/client/sweep.h"
#include "shardd/gate.h"
#include "shardd/kennel.h"
#include "shardd/options.h"

#define LOOK_MS	2000			/* from look to look at those that are open */
#define OWED	(4 << 20)

static uint64_t		 now = 1000 * LOOK_MS;
static struct event_base *base;
static int		 why;
static struct options	 options;
static struct clients	 clients;
static struct gate	 gate;
static struct sweep	 sweep;

uint64_t
clock_ns(void)
{
	return (now * 1000000);
}

uint64_t
clock_ms(void)
{
	return (now);
}

uint64_t
clock_wall_ms(void)
{
	return (now);
}

static void
tick(void *arg)
{
	(void)arg;
	turn_stop();
}

static void
departed(struct conn *c)
{
	why = c->why;
}

static void
freed(struct conn *c)
{
	(void)c;
}

static const struct kennel_app	 app = { .name = "sweep" };
static const struct conn_ops ops = { .departed = departed, .freed = freed };

/* Time is at the next look, which is done with when this returns. */
static void
look(void)
{
	now += LOOK_MS;
	ck_assert_int_eq(turn_loop(base), 0);
}

/* Some of what has come, and so little that the other end is not writable for it: how many
 * bytes. */
static size_t
sip(int fd)
{
	static char	 data[64 << 10];
	ssize_t		 n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

	return (n == -1 ? 0 : (size_t)n);
}

/* A stream to fd's other end, which is owed more than the kernel takes. */
static struct conn *
begin(int *fd)
{
	static char		 text[OWED];
	const struct capsule	 cap = { .protocol = CAPSULE_HTTP, .id = 1,
				    .uid = slice_str("u"),
				    .peer = slice_str("client") };
	struct buf		 rest = { 0 };
	struct conn		*c;
	int			 fds[2];

	signal(SIGPIPE, SIG_IGN);
	options_init(&options);
	options.ping_ms = 1000;
	ck_assert_ptr_nonnull(base = event_base_new());
	ck_assert_int_eq(clients_init(&clients, base, &options, &gate, &ops), 0);
	ck_assert_int_eq(sweep_start(&sweep, base, &clients, tick, NULL), 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	*fd = fds[1];
	ck_assert_ptr_nonnull(c = conn_new(&clients, &cap, NULL, fds[0]));
	ck_assert_int_eq(stream_start(c, &rest), 0);
	c->app = &app;
	c->flags |= CONN_F_BEGUN;
	conn_set_state(c, CONN_OPEN);
	c->since = conn_tick();
	c->last = (uint32_t)turn_ms();
	memset(text, 'x', sizeof(text));
	ck_assert_int_eq(conn_queue_bytes(c, slice_of(text, sizeof(text))), 0);
	ck_assert_int_eq(turn_loop(base), 0);
	ck_assert_uint_gt(outbox_queued(&c->out), 0);
	return (c);
}

static void
end(int fd)
{
	sweep_stop(&sweep);
	clients_end(&clients);
	turn_end();
	clients_clear(&clients);
	options_clear(&options);
	event_base_free(base);
	close(fd);
}

/* Nothing was heard of it at two looks: the next one is the last, unless it asks. */
static struct conn *
until_the_third(int *fd)
{
	struct conn	*c = begin(fd);

	for (int pings = 1; pings <= 2; pings++) {
		look();
		ck_assert_int_eq(c->pings, pings);
	}
	ck_assert_int_eq(why, CLOSE_NONE);
	return (c);
}

START_TEST(who_reads_nothing_is_closed)
{
	int	 fd;

	until_the_third(&fd);
	look();
	ck_assert_int_eq(why, CLOSE_IDLE);
	end(fd);
}
END_TEST

START_TEST(who_reads_before_the_third_look_is_there)
{
	struct conn	*c;
	int		 fd;

	c = until_the_third(&fd);
	ck_assert_uint_gt(sip(fd), 0);
	look();
	ck_assert_int_eq(why, CLOSE_NONE);
	ck_assert_int_eq(c->pings, 0);
	/* And has all its time again. */
	look();
	look();
	ck_assert_int_eq(why, CLOSE_NONE);
	while (why == CLOSE_NONE)
		look();
	ck_assert_int_eq(why, CLOSE_IDLE);
	end(fd);
}
END_TEST

int
main(void)
{
	const TTest	*const nothing = who_reads_nothing_is_closed;
	const TTest	*const some = who_reads_before_the_third_look_is_there;
	Suite	*s = suite_create("sweep");
	TCase	*t = tcase_create("sweep");
	SRunner	*sr;
	int	 failed;

	tcase_set_timeout(t, 50);
	tcase_add_test(t, nothing);
	tcase_add_test(t, some);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

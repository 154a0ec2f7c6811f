/*
 * Who has a connection when both sides of a ferry settle it at the same moment?  Two
 * processes with real sessions, and clients that see who serves them: the old side
 * loses patience while the new one says ADOPTED, or ends while that reads.
 *
 * FERRY_ROUNDS: ferries that are contested; 5 000, or what the environment says.
 */
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/budget.h"
#include "common/fdpass.h"
#include "common/log.h"
#include "proto/channel.h"
#include "shardd/client/clients.h"
#include "shardd/gate.h"
#include "shardd/group/groups.h"
#include "shardd/journey/inside.h"
#include "shardd/journey/journeys.h"
#include "shardd/kennel.h"
#include "shardd/options.h"
#include "shardd/session/passage.h"
#include "shardd/session/session.h"
#include "shardd/session/sessions.h"
#include "loop.h"
#include "tests/unit/descriptors.h"

#define ROUNDS		5000
#define DEATHS		25
#define CROWD		3		/* connections of a ferry, at most */
#define WAIT_MS		20000

/* A ferry, as the receiver is told of it; its end comes with it. */
struct begun {
	uint64_t	 journey;
	uint32_t	 pid;		/* of the sender */
	uint32_t	 delay;		/* ns that each thaw takes */
};

/* And what it says when that is over. */
struct ended {
	uint64_t	 owned;		/* a bit for each that it has */
	uint64_t	 files;		/* open ones */
};

static uint64_t		 skew;		/* ms by which this process is ahead */
static struct sessions	 sessions;
static struct options	 options;
static struct groups	 groups;
static struct gate	 gate;
static struct journeys	 js;
static char		 who;		/* 'A' sends, 'B' receives */
static uint32_t		 thaw_delay;
static struct begun	 begun;		/* what B is at */
static int		 go[2] = { -1, -1 };	/* the test's end, B's end */
static pid_t		 receiver = -1;

/* ---- time, which the old side is ahead of when it loses patience ---- */

uint64_t
clock_ns(void)
{
	struct timespec	 t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
}

uint64_t
clock_ms(void)
{
	return (clock_ns() / 1000000 + skew);
}

uint64_t
clock_wall_ms(void)
{
	return (clock_ms());
}

/* So long, exactly. */
static void
spin(uint64_t ns)
{
	uint64_t	 end = clock_ns() + ns;

	while (clock_ns() < end)
		continue;
}

static uint32_t
draw(uint32_t n)
{
	return ((uint32_t)random() % n);
}

/* ---- a process with sessions ---- */

static void
side_message(struct kennel_socket *s, const struct kennel_message *m)
{
	(void)m;
	ck_assert_int_eq(kennel_send(s, &who, 1, 0), 0);
}

static int
side_thaw(struct kennel_socket *s, const char *data, size_t len, int how)
{
	(void)s, (void)data, (void)len, (void)how;
	spin(thaw_delay);
	return (0);
}

static const struct kennel_app	 app = {
	.name = "ferry", .onmessage = side_message, .moves = 1,
	.thaw = side_thaw,
};

static void
side_begin(char name)
{
	who = name;
	log_init("ferry", LOG_LEVEL_WARN);
	srandom((unsigned)getpid());
	signal(SIGPIPE, SIG_IGN);
	options_init(&options);
	ck_assert_ptr_nonnull(base = event_base_new());
	sessions.apps = (struct applications){ .at = &app, .n = 1 };
	ck_assert_int_eq(session_init(&sessions, base, &options, &gate), 0);
	ck_assert_int_eq(applications_limit(&sessions.apps, &options), 0);
	ck_assert_int_eq(journeys_init(&js, base, &sessions, &groups, &gate),
	    0);
}

static void
side_end(void)
{
	journeys_clear(&js);
	clients_end(&sessions.clients);
	turn_end();
	session_clear(&sessions);
	options_clear(&options);
	event_base_free(base);
}

/* Is it this process's, to be read and written? */
static int
owned(uint64_t id)
{
	struct list	*e, *tmp;
	struct conn	*c;

	list_each(e, tmp, &sessions.clients.conns) {
		c = list_entry(e, struct conn, at);
		if (c->id == id)
			return (c->state == CONN_OPEN &&
			    (c->flags & CONN_F_BEGUN) &&
			    (c->pauses & PAUSE_MOVE) == 0);
	}
	return (0);
}

/* The i-th of a journey. */
static uint64_t
id_of(uint64_t journey, uint32_t i)
{
	return (journey * CROWD + i);
}

/* ---- the new side ---- */

static void
receiver_go_cb(evutil_socket_t fd, short what, void *arg)
{
	struct ctl	 m = { .type = CTL_FERRY };
	int		 fds[FDPASS_MAX], cut;
	size_t		 n;

	(void)what, (void)arg;
	if (fdpass_recv(fd, fds, &n, &begun, sizeof(begun), &cut) == 0)
		_exit(0);		/* the test is over */
	ck_assert_uint_eq(n, 1);
	m.journey = begun.journey;
	m.pid = begun.pid;
	thaw_delay = begun.delay;
	ck_assert_int_eq(journeys_ferry(&js, &m, fds[0]), 0);
}

static void
receiver_run(int fd)
{
	struct event	*ev;
	struct ended	 e;

	side_begin('B');
	ev = event_new(base, fd, EV_READ | EV_PERSIST, receiver_go_cb, NULL);
	event_add(ev, NULL);
	for (;;) {
		turn();
		if (begun.journey == 0 || !list_empty(&js.landings))
			continue;
		e.owned = 0;
		for (uint32_t i = 0; i < CROWD; i++)
			if (owned(id_of(begun.journey, i)))
				e.owned |= 1u << i;
		e.files = open_descriptors();
		begun.journey = 0;
		ck_assert_int_eq(fdpass_send(fd, NULL, 0, &e, sizeof(e)), 0);
	}
}

/* The receiver gets its end of a ferry, which is taken. */
static void
receiver_begin(uint64_t journey, pid_t sender, uint32_t delay, int fd)
{
	const struct begun	 b = { journey, (uint32_t)sender, delay };

	ck_assert_int_eq(fdpass_send(go[0], &fd, 1, &b, sizeof(b)), 0);
	close(fd);
}

/* Something is to be read from fd. */
static void
wait_for(int fd)
{
	struct pollfd	 p = { .fd = fd, .events = POLLIN };

	ck_assert_int_eq(poll(&p, 1, WAIT_MS), 1);
}

/* Wait until it is over there. */
static struct ended
receiver_ended(void)
{
	struct ended	 e = { 0, 0 };

	wait_for(go[0]);
	ck_assert_int_eq(recv(go[0], &e, sizeof(e), 0), sizeof(e));
	return (e);
}

static void
setup(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, go), 0);
	if ((receiver = fork()) == 0) {
		close(go[0]);
		receiver_run(go[1]);
	}
	close(go[1]);
}

static void
teardown(void)
{
	int	 status;

	close(go[0]);
	ck_assert_int_eq(waitpid(receiver, &status, 0), receiver);
	ck_assert_int_eq(status, 0);
}

/* ---- the old side, and the clients ---- */

/* n clients, whose other ends are those connections here. */
static void
connect_all(uint64_t journey, uint32_t n, int *clients)
{
	struct capsule	 cap = { .protocol = CAPSULE_WS,
			    .uid = slice_str("u"), .app = slice_str("ferry"),
			    .peer = slice_str("client"), .blob_version = 1 };
	struct conn	*c;
	int		 fds[2];

	for (uint32_t i = 0; i < n; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM |
		    SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
		cap.id = id_of(journey, i);
		c = passage_unpack(&sessions, &cap, &app, NULL, fds[0]);
		ck_assert_ptr_nonnull(c);
		passage_begin(c, &cap, NULL);
		clients[i] = fds[1];
	}
}

/* They go, and have been sent when this returns. */
static void
depart(uint64_t journey, uint32_t n, int ferry)
{
	struct ctl	 m = { .type = CTL_FERRY, .journey = journey,
			    .flags = CTL_F_SENDER, .slot = 1 };

	ck_assert_int_eq(journeys_ferry(&js, &m, ferry), 0);
	m = (struct ctl){ .type = CTL_MOVE, .journey = journey };
	for (uint32_t i = 0; i < n; i++) {
		m.id = id_of(journey, i);
		journeys_move(&js, &m);
	}
	m = (struct ctl){ .type = CTL_JOURNEY_END, .journey = journey };
	journeys_no_more(&js, &m);
	until(list_empty(&js.departures) || list_entry(js.departures.next,
	    struct departure, at)->sent != 0, WAIT_MS);
}

/* Each client says something, and is answered once, by that side; then it leaves. */
static void
all_are_served(const int *clients, uint32_t n, uint64_t by_b)
{
	static const char	 frame[] = "\x81\x81\0\0\0\0?";
	char			 answer[8];
	ssize_t			 got;

	for (uint32_t i = 0; i < n; i++)
		ck_assert_int_eq(send(clients[i], frame, sizeof(frame) - 1,
		    MSG_NOSIGNAL), sizeof(frame) - 1);
	for (uint32_t i = 0; i < n; i++) {
		if (base != NULL)
			until((got = recv(clients[i], answer, sizeof(answer),
			    MSG_DONTWAIT)) != -1, WAIT_MS);
		else {
			wait_for(clients[i]);
			got = recv(clients[i], answer, sizeof(answer), 0);
		}
		ck_assert_int_eq(got, 3);
		ck_assert_int_eq(answer[2], by_b >> i & 1 ? 'B' : 'A');
		close(clients[i]);
	}
	if (base != NULL)
		until(clients_none(&sessions.clients), WAIT_MS);
}

/* A loses patience after a while: who has them, a bit for each that B has. */
static uint64_t
contest(uint64_t journey, uint32_t n, uint64_t wait_ns)
{
	uint64_t	 by_a = 0;
	struct ended	 e;

	spin(wait_ns);
	if (!list_empty(&js.departures)) {
		skew += JOURNEY_ADOPT_MS + 1;
		turn_add(&js.work, TURN_LAST);
		turn_end();
		skew -= JOURNEY_ADOPT_MS + 1;
	}
	until(list_empty(&js.departures), WAIT_MS);
	e = receiver_ended();
	for (uint32_t i = 0; i < n; i++)
		if (owned(id_of(journey, i)))
			by_a |= 1u << i;
	ck_assert_msg((by_a & e.owned) == 0, "journey %llu: both have %llx",
	    (unsigned long long)journey,
	    (unsigned long long)(by_a & e.owned));
	ck_assert_msg((by_a | e.owned) == (1u << n) - 1,
	    "journey %llu: nobody has all but %llx", (unsigned long long)
	    journey, (unsigned long long)(by_a | e.owned));
	return (e.owned);
}

static uint64_t
rounds(void)
{
	const char	*n = getenv("FERRY_ROUNDS");

	return (n == NULL ? ROUNDS : strtoull(n, NULL, 10));
}

/* 5: * 5: A's patience follows what came of it, so that it ends where ADOPTED is said: half of
 * all are A's again.
 */
START_TEST(exactly_one_has_it_when_patience_ends)
{
	uint64_t	 patience = 50000, files = 0, by_b, n_a = 0, n_b = 0;
	uint64_t	 n_mixed = 0, all = rounds();
	int		 clients[CROWD], ferry[2];
	uint32_t	 n;

	side_begin('A');
	for (uint64_t i = 1; i <= all; i++) {
		n = 1 + draw(CROWD);
		connect_all(i, n, clients);
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET |
		    SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ferry), 0);
		receiver_begin(i, getpid(), draw(20000), ferry[1]);
		depart(i, n, ferry[0]);
		by_b = contest(i, n, patience / 2 + draw((uint32_t)patience));
		all_are_served(clients, n, by_b);
		if (by_b == 0) {
			n_a++;
			patience += patience / 50;
		} else {
			n_b++;
			patience -= patience / 50;
		}
		n_mixed += by_b != 0 && by_b != (1u << n) - 1;
		if (patience < 1000)
			patience = 1000;
		if (i == 1)
			files = open_descriptors();
	}
	ck_assert_uint_le(open_descriptors(), files);
	printf("contested %llu: the old side's %llu, the new one's %llu, of "
	    "both %llu\n", (unsigned long long)all, (unsigned long long)n_a,
	    (unsigned long long)n_b, (unsigned long long)n_mixed);
	/* They were contested. */
	ck_assert_uint_gt(n_a, all / 10);
	ck_assert_uint_gt(n_b, all / 10);
	side_end();
}
END_TEST

/* ---- the old side ends ---- */

enum death { KILLED, LEAVES, NDEATHS };

/* A process that sends n connections, whose clients it does not keep, and ends. */
static void
sender_run(uint64_t journey, uint32_t n, int ferry, int given, enum death how)
{
	int	 clients[CROWD];
	char	 byte;

	side_begin('A');
	connect_all(journey, n, clients);
	ck_assert_int_eq(fdpass_send(given, clients, n, "c", 1), 0);
	for (uint32_t i = 0; i < n; i++)
		close(clients[i]);
	ck_assert_int_eq(read(given, &byte, 1), 1);
	depart(journey, n, ferry);
	if (how == KILLED) {
		spin(draw(60000));
		kill(getpid(), SIGKILL);
	}
	/* As a worker ends, with much to do behind it. */
	journeys_clear(&js);
	usleep(draw(200000));
	_exit(0);
}

/* 5: All that was sent is the other one's: nobody else has it. */
START_TEST(what_was_sent_by_the_dead_is_the_others)
{
	int		 clients[FDPASS_MAX], ferry[2], give[2], cut, status;
	uint64_t	 journey = (uint64_t)_i * 1000000 + 1;
	struct ended	 e;
	uint32_t	 n;
	size_t		 nfds;
	pid_t		 pid;
	char		 c;

	for (int i = 0; i < DEATHS; i++, journey++) {
		n = 1 + draw(CROWD);
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET |
		    SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ferry), 0);
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET |
		    SOCK_CLOEXEC, 0, give), 0);
		if ((pid = fork()) == 0) {
			close(ferry[1]);
			close(give[0]);
			close(go[0]);
			sender_run(journey, n, ferry[0], give[1], _i);
		}
		close(ferry[0]);
		close(give[1]);
		wait_for(give[0]);
		ck_assert_int_eq(fdpass_recv(give[0], clients, &nfds, &c, 1,
		    &cut), 1);
		ck_assert_uint_eq(nfds, n);
		receiver_begin(journey, pid, draw(100000), ferry[1]);
		ck_assert_int_eq(write(give[0], "g", 1), 1);
		e = receiver_ended();
		ck_assert_uint_eq(e.owned, (1u << n) - 1);
		all_are_served(clients, n, e.owned);
		close(give[0]);
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert_int_eq(status, _i == KILLED ? SIGKILL : 0);
	}
}
END_TEST

/* ---- the other side hangs ---- */

static struct ctl	 told;		/* the last STAYED */

static int
gate_message_cb(struct control *c, const struct ctl *m, int *fds, size_t nfds,
    int cut, void *arg)
{
	(void)c, (void)fds, (void)nfds, (void)cut, (void)arg;
	if (m->type == CTL_STAYED)
		told = *m;
	return (0);
}

static void
gate_end_cb(struct control *c, const char *why, void *arg)
{
	(void)c, (void)arg;
	ck_abort_msg("%s", why);
}

/* A connected pair of packets. */
static void
pair(int fds[2])
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0, fds), 0);
}

/* So much later, the journeys look again. */
static void
later(uint64_t ms)
{
	skew += ms;
	turn_end();
	turn_add(&js.work, TURN_LAST);
	turn_end();
}

/*
 * It says nothing to EXPECT: the gateway hears that this is why it stays, also when that
 * is asked between two attempts; else nobody would wait for the other side.
 */
START_TEST(who_is_not_expected_waits_for_the_other_side)
{
	struct ctl	 m = { .type = CTL_FERRY, .journey = 1,
			    .flags = CTL_F_SENDER, .slot = 1 };
	struct control	*gateway;
	struct departure *d;
	int		 client, ferry[2], channel[2];

	side_begin('A');
	pair(channel);
	pair(ferry);
	gate.control = control_new(base, channel[0], "gateway",
	    gate_message_cb, NULL, gate_end_cb, NULL);
	gateway = control_new(base, channel[1], "shard", gate_message_cb,
	    NULL, gate_end_cb, NULL);
	connect_all(1, 1, &client);
	ck_assert_int_eq(journeys_ferry(&js, &m, ferry[0]), 0);
	m = (struct ctl){ .type = CTL_MOVE, .journey = 1, .id = id_of(1, 0) };
	journeys_move(&js, &m);
	d = list_entry(js.departures.next, struct departure, at);
	until(d->nexpected == 1, WAIT_MS);
	later(JOURNEY_EXPECT_MS + 1);
	ck_assert_uint_eq(d->nexpected, 0);
	ck_assert(!list_empty(&d->later));
	m = (struct ctl){ .type = CTL_JOURNEY_END, .journey = 1,
	    .flags = CTL_F_STOP };
	journeys_no_more(&js, &m);
	until(told.type == CTL_STAYED, WAIT_MS);
	ck_assert_uint_eq(told.id, id_of(1, 0));
	ck_assert_uint_eq(told.flags & (CTL_F_AWAITS | CTL_F_NEVER),
	    CTL_F_AWAITS);
	/* It goes on here. */
	until(list_empty(&js.departures), WAIT_MS);
	all_are_served(&client, 1, 0);
	control_free(gate.control);
	control_free(gateway);
	gate.control = NULL;
	close(ferry[1]);
	side_end();
}
END_TEST

int
main(void)
{
	const TTest	*const hangs =
			    who_is_not_expected_waits_for_the_other_side;
	const TTest	*const contested =
			    exactly_one_has_it_when_patience_ends;
	const TTest	*const dead = what_was_sent_by_the_dead_is_the_others;
	Suite	*s = suite_create("ferry");
	TCase	*t = tcase_create("ferry");
	SRunner	*sr;
	int	 failed;

	tcase_set_timeout(t, 50 + (double)rounds() / 200);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, hangs);
	tcase_add_test(t, contested);
	tcase_add_loop_test(t, dead, 0, NDEATHS);
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

/* An accepted socket until it has an owner. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <check.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/networks.h"
#include "common/sock.h"
#include "gatewayd/address.h"
#include "gatewayd/arrival.h"
#include "gatewayd/complaint.h"
#include "gatewayd/handoff.h"
#include "gatewayd/inlet.h"
#include "gatewayd/linger.h"
#include "gatewayd/placement.h"
#include "gatewayd/routes.h"
#include "gatewayd/settings.h"
#include "gatewayd/totals.h"
#include "proto/capsule.h"

static struct {
	struct event_base *base;
	struct settings	 settings;
	struct totals	 totals;
	struct placement *placement;
	struct lingerers *linger;
	struct arrivals	*arrivals;
} g;
static int		 client = -1;
static struct inlet	 inlet;

/* ---- what follows an arrival: here it is written down ---- */

static struct {
	int	 n, fd;
	uint64_t id;
	char	 group[64], uid[64], app[64], route[64], peer[128], via[128];
	char	 early[70000];
	size_t	 early_len, nheaders;
	struct address *address;
	uint32_t limit, flags;
	int	 has_group, http, head_only;
} handed;

static void
copy(char *dst, size_t size, struct slice s)
{
	ck_assert_uint_lt(s.len, size);
	if (s.len > 0)
		memcpy(dst, s.data, s.len);
	dst[s.len] = '\0';
}

void
handoff_start(struct handoffs *hs, const struct handoff_ask *ask, int fd)
{
	ck_assert_ptr_null(hs);
	if (handed.fd != -1)
		close(handed.fd);
	handed.n++;
	handed.fd = fd;
	address_unref(handed.address);
	handed.address = ask->address;
	handed.id = ask->id;
	handed.has_group = ask->group.data != NULL;
	copy(handed.group, sizeof(handed.group), ask->group);
	copy(handed.uid, sizeof(handed.uid), ask->uid);
	copy(handed.app, sizeof(handed.app), ask->app);
	copy(handed.route, sizeof(handed.route), ask->route);
	copy(handed.peer, sizeof(handed.peer), ask->peer);
	copy(handed.via, sizeof(handed.via), ask->via);
	copy(handed.early, sizeof(handed.early), ask->early);
	handed.early_len = ask->early.len;
	handed.limit = ask->limit;
	handed.flags = ask->flags;
	handed.http = ask->http;
	handed.head_only = ask->head_only;
	handed.nheaders = ask->nheaders;
}

/* ---- fixtures ---- */

static void
option(const char *key, const char *value)
{
	const char	*why;

	ck_assert_int_eq(routes_option(g.settings.routes, key, value, &why), 0);
}

static void
setup(void)
{
	const char	*why;

	memset(&g, 0, sizeof(g));
	memset(&handed, 0, sizeof(handed));
	memset(&inlet, 0, sizeof(inlet));
	handed.fd = -1;
	g.base = event_base_new();
	g.settings.head_ms = 10000;
	g.settings.home_ms = 10000;
	g.settings.line_max = 1000;
	g.settings.head_max = 6000;
	g.settings.headers_max = 20;
	g.settings.keep_max = 4096;
	g.settings.handshakes_max = 100;
	g.settings.home_max = 100;
	g.settings.linger_max = 100;
	g.settings.routes = routes_new();
	ck_assert_int_eq(routes_section(g.settings.routes, "room", &why), 0);
	option("path", "/room/{g}");
	option("app", "chat");
	option("group", "path:g");
	option("uid", "query:u const:anon");
	option("limit", "2");
	option("keep", "X-Keep");
	ck_assert_int_eq(routes_section(g.settings.routes, "who", &why), 0);
	option("path", "/who");
	option("app", "chat");
	option("group", "query:g");
	ck_assert_int_eq(routes_section(g.settings.routes, "front", &why), 0);
	option("path", "/");
	option("app", "front");
	g.placement = placement_new(0, NULL, NULL);
	g.linger = linger_new(g.base, g.settings.linger_max, &g.totals);
	g.arrivals = arrivals_new(g.base, &g.settings, &g.totals, g.placement,
	    g.linger, NULL);
	ck_assert_ptr_nonnull(g.arrivals);
	client = -1;
}

static void
teardown(void)
{
	address_unref(handed.address);
	arrivals_free(g.arrivals);
	linger_free(g.linger);
	placement_free(g.placement);
	routes_free(g.settings.routes);
	networks_free(g.settings.proxies);
	networks_free(inlet.trusted);
	if (handed.fd != -1)
		close(handed.fd);
	if (client != -1)
		close(client);
	event_base_free(g.base);
}

/* A client that has sent data when it is accepted; returns its end. */
static int
arrive(const void *data, size_t len)
{
	struct sockaddr	 sa = { .sa_family = AF_UNIX };
	int		 fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	if (len > 0)
		ck_assert_int_eq(write(fds[1], data, len), (ssize_t)len);
	arrival_accept_cb(fds[0], &sa, sizeof(sa.sa_family), &inlet,
	    g.arrivals);
	return (fds[1]);
}

static int
arrives(const char *text)
{
	return (arrive(text, strlen(text)));
}

static void
spin(void)
{
	for (int i = 0; i < 3; i++)
		event_base_loop(g.base, EVLOOP_NONBLOCK);
}

/* Run the loop until fd has something to read, which is then read to its end or
 * to what is there.  "" at the end of file. */
static const char *
reads(int fd)
{
	static char	 buf[8192];
	struct pollfd	 pfd = { .fd = fd, .events = POLLIN };
	uint64_t	 give_up = clock_ms() + 5000;
	ssize_t		 n;

	while (poll(&pfd, 1, 5) == 0) {
		event_base_loop(g.base, EVLOOP_NONBLOCK);
		ck_assert_uint_lt(clock_ms(), give_up);
	}
	n = read(fd, buf, sizeof(buf) - 1);
	ck_assert_msg(n >= 0, "%s", strerror(errno));
	buf[n] = '\0';
	return (buf);
}

static void
answered(int fd, int status, const char *word)
{
	char		 first[32];
	const char	*text = reads(fd);

	snprintf(first, sizeof(first), "HTTP/1.1 %d ", status);
	ck_assert_msg(strncmp(text, first, strlen(first)) == 0, "%s", text);
	ck_assert_msg(strstr(text, word) != NULL, "%s", text);
	ck_assert_ptr_nonnull(strstr(text, "Connection: close\r\n"));
	ck_assert_str_eq(reads(fd), "");
}

#define ROOM	"GET /room/a%20b?u=bob HTTP/1.1\r\nHost: h\r\nX-Keep: 1\r\n\r\n"
#define UPGRADE								\
	"Connection: Upgrade\r\nUpgrade: websocket\r\n"				\
	"Sec-WebSocket-Version: 13\r\n"						\
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

START_TEST(a_request_that_is_there_is_handed_over_at_once)
{
	client = arrives(ROOM "body and more");
	ck_assert_int_eq(handed.n, 1);
	ck_assert_uint_eq(handed.id, 1);
	ck_assert_str_eq(handed.group, "a b");
	ck_assert_str_eq(handed.uid, "bob");
	ck_assert_str_eq(handed.app, "chat");
	ck_assert_str_eq(handed.route, "room");
	ck_assert_str_eq(handed.peer, "unix:");
	ck_assert_str_eq(handed.early, ROOM "body and more");
	ck_assert_uint_eq(handed.limit, 2);
	ck_assert_uint_eq(handed.flags, 0);
	ck_assert_uint_eq(handed.nheaders, 1);
	ck_assert_int_eq(handed.http, 1);
	ck_assert_int_eq(handed.head_only, 0);
	ck_assert_uint_eq(arrivals_count(g.arrivals), 0);
	ck_assert_uint_eq(g.totals.accepted, 1);
	ck_assert_uint_eq(g.totals.requests, 1);
	ck_assert_uint_eq(g.totals.refused, 0);
	/* It is ours no more: what comes now stays in the socket. */
	ck_assert_int_eq(write(client, "x", 1), 1);
	spin();
	ck_assert_int_eq(read(handed.fd, handed.early, 9), 1);
}
END_TEST

START_TEST(a_head_may_come_a_byte_at_a_time)
{
	static const char	 text[] = ROOM;

	client = arrives("");
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		ck_assert_int_eq(handed.n, 0);
		ck_assert_uint_eq(arrivals_count(g.arrivals), 1);
		ck_assert_int_eq(write(client, text + i, 1), 1);
		spin();
	}
	ck_assert_int_eq(handed.n, 1);
	ck_assert_str_eq(handed.early, ROOM);
	ck_assert_uint_eq(arrivals_count(g.arrivals), 0);
}
END_TEST

START_TEST(a_head_larger_than_one_read_is_read_on)
{
	char	 text[8192];
	int	 n;

	n = snprintf(text, sizeof(text),
	    "GET / HTTP/1.1\r\nHost: h\r\nA: %05000d\r\n\r\n%02000d", 1, 2);
	client = arrive(text, (size_t)n);
	ck_assert_int_eq(handed.n, 0);
	spin();
	ck_assert_int_eq(handed.n, 1);
	ck_assert_int_eq(memcmp(handed.early, text, handed.early_len), 0);
	ck_assert_str_eq(handed.app, "front");
	ck_assert_int_eq(handed.has_group, 0);
}
END_TEST

START_TEST(a_right_handshake_is_an_upgrade_a_wrong_one_is_not)
{
	client = arrives("GET /room/x HTTP/1.1\r\nHost: h\r\n" UPGRADE "\r\n"
	    "\x81\x80mask");
	ck_assert_int_eq(handed.n, 1);
	ck_assert_uint_eq(handed.flags, CAPSULE_F_UPGRADE);
	ck_assert_int_eq(handed.http, 0);
	ck_assert_str_eq(handed.uid, "anon");
	close(client);
	client = arrives("GET /room/x HTTP/1.1\r\nHost: h\r\n"
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
	ck_assert_int_eq(handed.n, 2);
	ck_assert_uint_eq(handed.flags, 0);
	ck_assert_int_eq(handed.http, 1);
	close(client);
	client = arrives("HEAD /room/x HTTP/1.1\r\nHost: h\r\n" UPGRADE "\r\n");
	ck_assert_int_eq(handed.n, 3);
	ck_assert_int_eq(handed.http, 1);
	ck_assert_int_eq(handed.head_only, 1);
	close(client);
	client = arrives("GET /who?g=1 HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_uint_eq(handed.flags, CAPSULE_F_UID_MADE);
}
END_TEST

START_TEST(what_cannot_be_served_is_refused_with_a_reason)
{
	static const struct { const char *text; int status; const char *word; }
	    rows[] = {
		{ "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 404, "Not Found" },
		{ "GET /who HTTP/1.1\r\nHost: h\r\n\r\n", 400, "which group" },
		{ "GET / HTTP/1.1\r\n\r\n", 400, "" },
		{ "\x16\x03\x01\x02", 400, "" },
		{ "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505, "" },
		{ "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400,
		  "" },
		{ "CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n", 501, "" },
		{ "HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 404, "\r\n\r\n" },
	};
	char	 text[4096];

	for (size_t i = 0; i < nitems(rows); i++) {
		client = arrives(rows[i].text);
		answered(client, rows[i].status, rows[i].word);
		ck_assert_uint_eq(g.totals.refused, i + 1);
		close(client);
	}
	snprintf(text, sizeof(text), "GET /%01000d HTTP/1.1\r\n", 0);
	client = arrives(text);
	answered(client, 414, "");
	close(client);
	client = arrives("GET / HTTP/1.1\r\nHost: h\r\n");
	snprintf(text, sizeof(text), "A: %02000d\r\n", 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_gt(write(client, text, strlen(text)), 0);
	answered(client, 431, "");
	ck_assert_int_eq(handed.n, 0);
	ck_assert_uint_eq(arrivals_count(g.arrivals), 0);
}
END_TEST

START_TEST(a_slow_head_is_told_and_a_silent_client_closed)
{
	uint64_t	 from = clock_ms();
	int		 silent;

	g.settings.head_ms = 200;
	silent = arrives("");
	client = arrives("GET /");
	answered(client, 408, "");
	ck_assert_str_eq(reads(silent), "");
	ck_assert_uint_ge(clock_ms() - from, 200);
	ck_assert_uint_lt(clock_ms() - from, 2000);
	ck_assert_uint_eq(g.totals.refused, 1);
	ck_assert_uint_eq(arrivals_count(g.arrivals), 0);
	close(silent);
}
END_TEST

START_TEST(a_client_that_leaves_amid_its_head_leaves_nothing)
{
	client = arrives("GET /");
	ck_assert_uint_eq(arrivals_count(g.arrivals), 1);
	ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
	ck_assert_str_eq(reads(client), "");
	ck_assert_uint_eq(arrivals_count(g.arrivals), 0);
	ck_assert_uint_eq(g.totals.refused, 0);
}
END_TEST

START_TEST(too_many_handshakes_are_refused)
{
	int	 first;

	g.settings.handshakes_max = 1;
	first = arrives("GET /");
	client = arrives("");
	answered(client, 503, "Retry-After: ");
	close(client);
	ck_assert_int_eq(write(first, " HTTP/1.1\r\nHost: h\r\n\r\n", 22), 22);
	spin();
	ck_assert_int_eq(handed.n, 1);
	client = arrives("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
	ck_assert_int_eq(handed.n, 2);
	close(first);
}
END_TEST

/* A connection at home; the client's end. */
static int
at_home(const char *early)
{
	struct capsule	 c = { .protocol = CAPSULE_HTTP };
	int		 fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	c.peer = slice_str("10.0.0.1:99");
	c.early = slice_str(early);
	c.flags = CAPSULE_F_TLS | CAPSULE_F_UPGRADE | CAPSULE_F_UID_MADE;
	arrival_home(g.arrivals, &c, fds[0]);
	return (fds[1]);
}

START_TEST(at_home_the_next_request_is_a_new_connection)
{
	client = at_home("");
	ck_assert_uint_eq(arrivals_home(g.arrivals), 1);
	ck_assert_uint_eq(arrivals_count(g.arrivals), 0);
	ck_assert_int_eq(write(client, ROOM, 10), 10);
	spin();
	ck_assert_uint_eq(arrivals_home(g.arrivals), 0);
	ck_assert_uint_eq(arrivals_count(g.arrivals), 1);
	ck_assert_int_eq(write(client, &ROOM[10], sizeof(ROOM) - 11),
	    (ssize_t)sizeof(ROOM) - 11);
	spin();
	ck_assert_int_eq(handed.n, 1);
	ck_assert_uint_eq(handed.id, 1);
	ck_assert_str_eq(handed.peer, "10.0.0.1:99");
	ck_assert_str_eq(handed.early, ROOM);
	ck_assert_uint_eq(handed.flags, CAPSULE_F_TLS |
	    CAPSULE_F_SECURE);
	ck_assert_uint_eq(g.totals.accepted, 0);
	ck_assert_uint_eq(g.totals.requests, 1);
}
END_TEST

START_TEST(a_request_that_comes_home_too_is_taken_from_the_loop)
{
	int	 second;

	client = at_home(ROOM ROOM);
	second = at_home("GET / HT");
	ck_assert_int_eq(handed.n, 0);
	ck_assert_uint_eq(arrivals_home(g.arrivals), 0);
	ck_assert_uint_eq(arrivals_count(g.arrivals), 2);
	ck_assert_int_eq(write(second, "TP/1.1\r\nHost: h\r\n\r\n", 19), 19);
	event_base_loop(g.base, EVLOOP_NONBLOCK);
	spin();
	ck_assert_int_eq(handed.n, 2);
	ck_assert_uint_eq(handed.id, 2);
	close(second);
	second = at_home("nonsense\r\n\r\n");
	answered(second, 400, "");
	close(second);
}
END_TEST

START_TEST(at_home_the_oldest_makes_room)
{
	int	 a, b;

	g.settings.home_max = 2;
	a = at_home("");
	b = at_home("");
	client = at_home("");
	ck_assert_uint_eq(arrivals_home(g.arrivals), 2);
	ck_assert_str_eq(reads(a), "");
	ck_assert_int_eq(write(b, ROOM, sizeof(ROOM) - 1), sizeof(ROOM) - 1);
	spin();
	ck_assert_int_eq(handed.n, 1);
	close(a);
	close(b);
	g.settings.home_max = 0;
	a = at_home("");
	ck_assert_str_eq(reads(a), "");
	close(a);
	g.settings.home_max = 2;
	arrivals_leave(g.arrivals);
	a = at_home("");
	ck_assert_str_eq(reads(a), "");
	close(a);
}
END_TEST

START_TEST(at_home_nobody_stays_for_ever)
{
	g.settings.home_ms = 150;
	client = at_home("");
	ck_assert_str_eq(reads(client), "");
	ck_assert_uint_eq(arrivals_home(g.arrivals), 0);
	ck_assert_uint_eq(g.totals.refused, 0);
}
END_TEST

START_TEST(a_refused_client_reads_why_whatever_it_still_sends)
{
	struct sockaddr_in	 sa = { .sin_family = AF_INET };
	struct sockaddr_storage	 peer;
	socklen_t		 len = sizeof(sa), peer_len = sizeof(peer);
	static char		 junk[40000];
	struct pollfd		 pfd;
	char			 text[1024];
	ssize_t			 n;
	int			 listener, fd;

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(client, (struct sockaddr *)&sa, len), 0);
	fd = accept4(listener, (struct sockaddr *)&peer, &peer_len,
	    SOCK_NONBLOCK);
	memset(junk, '\x80', sizeof(junk));
	ck_assert_int_eq(write(client, junk, 20000), 20000);
	arrival_accept_cb(fd, (struct sockaddr *)&peer, peer_len, &inlet,
	    g.arrivals);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(write(client, junk, 10000), 10000);
		spin();
	}
	pfd.fd = client, pfd.events = POLLIN;
	ck_assert_int_eq(poll(&pfd, 1, 2000), 1);
	n = read(client, text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(strncmp(text, "HTTP/1.1 400 ", 13), 0);
	ck_assert_int_eq(read(client, text, sizeof(text)), 0);
	/* But not for ever. */
	for (int i = 0; i < 20 && (n = write(client, junk,
	    sizeof(junk))) > 0; i++)
		spin();
	ck_assert_int_eq(n, -1);
	close(listener);
}
END_TEST

START_TEST(lingering_ends_after_a_second)
{
	uint64_t	 from = clock_ms();

	client = arrives("nonsense\r\n\r\n");
	answered(client, 400, "");
	while (write(client, "x", 1) == 1) {
		ck_assert_uint_lt(clock_ms() - from, 4000);
		event_base_loop(g.base, EVLOOP_ONCE);
		poll(NULL, 0, 5);	/* or it ends by bytes */
	}
	ck_assert_uint_ge(clock_ms() - from, 900);
}
END_TEST

START_TEST(out_of_descriptors_one_is_refused_at_once)
{
	int	 fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	ck_assert_int_eq(write(fds[1], ROOM, 20), 20);
	arrival_refuse_cb(fds[0], &inlet, g.arrivals);
	client = fds[1];
	answered(client, 503, "Retry-After: ");
	ck_assert_int_eq(fcntl(fds[0], F_GETFD), -1);
	ck_assert_uint_eq(g.totals.refused, 1);
}
END_TEST

/* ---- behind proxies ---- */

/* The listener wants a PROXY head, from those. */
static void
behind(const char *trusted)
{
	static char	 label[] = "web";

	inlet.label = label;
	inlet.proxy_protocol = 1;
	ck_assert_ptr_nonnull(inlet.trusted = networks_new(trusted));
}

#define LINE	"PROXY TCP4 192.0.2.7 10.0.0.1 4711 80\r\n"

/* LINE, in version 2, with an extension that says TLS. */
static const char	 binary[] =
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14"
    "\xc0\0\x02\x07\x0a\0\0\x01\x12\x67\0\x50" "\x20\0\x05\x01\0\0\0\0";
#define BINARY	(sizeof(binary) - 1)

static const struct {
	const char	*head;
	size_t		 len;
	const char	*peer;
	uint32_t	 flags;
} heads[] = {
	{ LINE, sizeof(LINE) - 1, "192.0.2.7:4711", 0 },
	{ binary, BINARY, "192.0.2.7:4711", CAPSULE_F_TLS | CAPSULE_F_SECURE },
	{ "PROXY UNKNOWN\r\n", 15, "unix:", 0 },
	{ "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16, "unix:", 0 },
};

START_TEST(a_proxys_head_says_who_the_client_is)
{
	char	 all[512];
	size_t	 len = heads[_i].len + sizeof(ROOM) - 1;

	behind("unix");
	memcpy(all, heads[_i].head, heads[_i].len);
	memcpy(all + heads[_i].len, ROOM, sizeof(ROOM));
	client = arrive(all, len);		/* in one piece */
	ck_assert_int_eq(handed.n, 1);
	ck_assert_str_eq(handed.peer, heads[_i].peer);
	ck_assert_str_eq(handed.via, "");
	ck_assert_str_eq(handed.early, ROOM);
	ck_assert_uint_eq(handed.flags & (CAPSULE_F_TLS | CAPSULE_F_SECURE),
	    heads[_i].flags);
	close(client);
	client = arrive(all, 0);		/* and byte by byte */
	for (size_t i = 0; i < len; i++) {
		ck_assert_int_eq(handed.n, 1);
		ck_assert_int_eq(write(client, all + i, 1), 1);
		spin();
	}
	ck_assert_int_eq(handed.n, 2);
	ck_assert_str_eq(handed.peer, heads[_i].peer);
	ck_assert_str_eq(handed.early, ROOM);
	ck_assert_uint_eq(g.totals.refusals[REFUSED_PROXY], 0);
}
END_TEST

static const char *const	 misleading[] = { ROOM, "PROXY X\r\n" ROOM,
    "PROXY TCP4 192.0.2.7 10.0.0.1 4711 99999\r\n" ROOM, "\r\n\r\nGET / " };

START_TEST(what_is_no_proxys_head_is_closed_and_counted)
{
	char	 c;

	behind("unix");
	client = arrives(misleading[_i]);
	spin();
	ck_assert_int_eq(read(client, &c, 1), 0);
	ck_assert_int_eq(handed.n, 0);
	ck_assert_uint_eq(g.totals.refusals[REFUSED_PROXY], 1);
	ck_assert_uint_eq(arrivals_count(g.arrivals), 0);
}
END_TEST

START_TEST(a_head_of_a_stranger_is_not_read)
{
	char	 c;

	behind("10.0.0.1");
	client = arrives(LINE ROOM);
	/* What the client has sent is unread. */
	ck_assert_int_eq(read(client, &c, 1), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	ck_assert_int_eq(handed.n, 0);
	ck_assert_uint_eq(g.totals.refusals[REFUSED_PROXY], 1);
}
END_TEST

START_TEST(complaints_are_said_now_and_then)
{
	struct complaint c = { 0 };
	uint64_t	 unsaid = 9;

	ck_assert(complaint_due(&c, 5, &unsaid));
	ck_assert_uint_eq(unsaid, 0);
	for (int i = 0; i < 7; i++)
		ck_assert(!complaint_due(&c, 4 + COMPLAINT_MS, &unsaid));
	ck_assert(complaint_due(&c, 5 + COMPLAINT_MS, &unsaid));
	ck_assert_uint_eq(unsaid, 7);
	ck_assert(complaint_due(&c, 5 + 2 * COMPLAINT_MS, &unsaid));
	ck_assert_uint_eq(unsaid, 0);
}
END_TEST

START_TEST(a_head_that_is_cut_or_late_is_counted_and_none_is_not)
{
	char	 c;

	behind("unix");
	close(arrives("PROXY TCP4"));
	spin();
	ck_assert_uint_eq(g.totals.refusals[REFUSED_PROXY], 1);
	close(arrives(""));			/* a check of health */
	spin();
	ck_assert_uint_eq(g.totals.refusals[REFUSED_PROXY], 1);
	g.settings.head_ms = 100;
	client = arrives("PROXY TCP4");
	while (read(client, &c, 1) == -1)
		event_base_loop(g.base, EVLOOP_ONCE);
	ck_assert_uint_eq(g.totals.refusals[REFUSED_PROXY], 2);
}
END_TEST

START_TEST(clients_of_one_address_are_counted_behind_a_proxy_too)
{
	int	 other;

	behind("unix");
	g.settings.per_address = 1;
	other = arrives(LINE "GET /");
	client = arrives(LINE "GET /");
	answered(client, 503, "too many connections from your address");
	close(client);
	close(other);
	spin();
	client = arrives(LINE ROOM);
	ck_assert_int_eq(handed.n, 1);
}
END_TEST

#define FORWARDED(who)	"GET /room/r?u=me HTTP/1.1\r\nHost: x\r\n" who "\r\n"

START_TEST(trusted_proxies_say_who_each_request_is_of)
{
	struct capsule	 c = { .protocol = CAPSULE_HTTP };
	const char	*next = FORWARDED("X-Forwarded-For: 192.0.2.9\r\n");
	int		 fds[2];

	g.settings.proxies = networks_new("unix 10.0.0.0/8");
	g.settings.per_address = 1;
	client = arrives(FORWARDED("X-Forwarded-For: 192.0.2.8, 10.0.0.2\r\n"
	    "X-Forwarded-Proto: https\r\n"));
	ck_assert_int_eq(handed.n, 1);
	ck_assert_str_eq(handed.peer, "192.0.2.8:0");
	ck_assert_str_eq(handed.via, "unix:");
	ck_assert_uint_eq(handed.flags & (CAPSULE_F_PROXIED | CAPSULE_F_SECURE |
	    CAPSULE_F_TLS), CAPSULE_F_PROXIED | CAPSULE_F_SECURE);
	/* The shard has it now, and that is one. */
	answered(arrives(FORWARDED("X-Forwarded-For: 192.0.2.8\r\n")), 503,
	    "too many");
	/* Home again, the next request is another client's, and not over TLS. */
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
	    fds), 0);
	c.peer = slice_str(handed.peer);
	c.via = slice_str(handed.via);
	c.flags = handed.flags;
	arrival_home(g.arrivals, &c, fds[0]);
	ck_assert_int_eq(write(fds[1], next, strlen(next)),
	    (ssize_t)strlen(next));
	spin();
	ck_assert_int_eq(handed.n, 2);
	ck_assert_str_eq(handed.peer, "192.0.2.9:0");
	ck_assert_str_eq(handed.via, "unix:");
	ck_assert_uint_eq(handed.flags & (CAPSULE_F_PROXIED |
	    CAPSULE_F_SECURE), CAPSULE_F_PROXIED);
	close(fds[1]);
}
END_TEST

START_TEST(who_is_no_proxy_is_not_believed)
{
	g.settings.proxies = networks_new("10.0.0.0/8");
	client = arrives(FORWARDED("X-Forwarded-For: 192.0.2.8\r\n"
	    "X-Forwarded-Proto: https\r\n"));
	ck_assert_int_eq(handed.n, 1);
	ck_assert_str_eq(handed.peer, "unix:");
	ck_assert_str_eq(handed.via, "");
	ck_assert_uint_eq(handed.flags & (CAPSULE_F_PROXIED | CAPSULE_F_SECURE |
	    CAPSULE_F_TLS), 0);
}
END_TEST

START_TEST(leaving_refuses_handshakes_and_closes_the_rest)
{
	int	 home = at_home(""), shake = arrives("GET /");

	client = arrives("nonsense\r\n\r\n");
	arrivals_leave(g.arrivals);
	answered(shake, 503, "shutting down");
	ck_assert_str_eq(reads(home), "");
	answered(client, 400, "");
	close(home);
	close(shake);
	shake = arrives(ROOM);
	answered(shake, 503, "shutting down");
	close(shake);
}
END_TEST

int
main(void)
{
	const TTest	*const tests[] = {
		a_request_that_is_there_is_handed_over_at_once,
		a_head_may_come_a_byte_at_a_time,
		a_head_larger_than_one_read_is_read_on,
		a_right_handshake_is_an_upgrade_a_wrong_one_is_not,
		what_cannot_be_served_is_refused_with_a_reason,
		a_slow_head_is_told_and_a_silent_client_closed,
		a_client_that_leaves_amid_its_head_leaves_nothing,
		too_many_handshakes_are_refused,
		at_home_the_next_request_is_a_new_connection,
		a_request_that_comes_home_too_is_taken_from_the_loop,
		at_home_the_oldest_makes_room,
		at_home_nobody_stays_for_ever,
		a_refused_client_reads_why_whatever_it_still_sends,
		lingering_ends_after_a_second,
		out_of_descriptors_one_is_refused_at_once,
		a_head_of_a_stranger_is_not_read,
		complaints_are_said_now_and_then,
		a_head_that_is_cut_or_late_is_counted_and_none_is_not,
		clients_of_one_address_are_counted_behind_a_proxy_too,
		trusted_proxies_say_who_each_request_is_of,
		who_is_no_proxy_is_not_believed,
		leaving_refuses_handshakes_and_closes_the_rest,
	};
	Suite	*s = suite_create("arrival");
	TCase	*t = tcase_create("arrival");
	SRunner	*sr;
	int	 failed;

	signal(SIGPIPE, SIG_IGN);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 20);
	for (size_t i = 0; i < nitems(tests); i++)
		tcase_add_test(t, tests[i]);
	tcase_add_loop_test(t, a_proxys_head_says_who_the_client_is, 0,
	    nitems(heads));
	tcase_add_loop_test(t, what_is_no_proxys_head_is_closed_and_counted, 0,
	    nitems(misleading));
	suite_add_tcase(s, t);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

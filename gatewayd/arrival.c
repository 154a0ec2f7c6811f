/* An accepted socket until it has an owner. */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/networks.h"
#include "common/sock.h"
#include "common/spare.h"
#include "gatewayd/address.h"
#include "gatewayd/arrival.h"
#include "gatewayd/gateway.h"
#include "gatewayd/handoff.h"
#include "gatewayd/kept.h"
#include "gatewayd/missing.h"
#include "gatewayd/route.h"
#include "proto/http_head.h"
#include "proto/http_reply.h"

/* One read.  Small: what comes with a head travels inline in its capsule. */
#define ARRIVAL_READ	4096
#define LINGER_MS	1000
#define LINGER_BYTES	(64 << 10)
#define PEER_MAX	128		/* bytes of "unix:/path" */
#define EARLY_MAX	(1 << 20)	/* bytes that come home with a connection */

enum arrival_state {
	ARRIVAL_HEAD,		/* a handshake: its head is awaited */
	ARRIVAL_HOME,		/* waits for its next request */
	ARRIVAL_LINGER,		/* answered with an error: until it has read it */
	ARRIVAL_NSTATES
};

struct arrival {
	struct list	 at;		/* of its state, earliest deadline first */
	struct event	 ev;
	struct gateway	*g;
	int		 fd;
	enum arrival_state state;
	uint64_t	 deadline;	/* clock_ms */
	uint32_t	 flags;		/* CAPSULE_F_SECURE */
	uint32_t	 discarded;	/* LINGER: bytes */
	struct address	*address;	/* a reference, or NULL */
	struct buf	 in;		/* what came of an incomplete head */
	size_t		 scanned;
	char		 peer[];
};

struct arrivals {
	struct gateway	*g;
	struct event	*timer;
	struct {
		struct list	 list;
		size_t		 count;
	} states[ARRIVAL_NSTATES];
	int		 leaving;
};

static void	 arrival_event_cb(evutil_socket_t, short, void *);
static void	 arrival_sweep_cb(evutil_socket_t, short, void *);
static void	 arrivals_arm(struct arrivals *);
static struct arrival *arrival_new(struct gateway *, int, struct slice,
	    uint32_t);
static void	 arrival_enter(struct arrival *, enum arrival_state);
static int	 arrival_detach(struct arrival *);
static void	 arrival_close(struct arrival *);
static void	 arrival_turn_away(struct arrival *, int, const char *,
	    unsigned, int);
static void	 arrival_answer(struct gateway *, int, struct buf *);
static void	 arrival_read(struct arrival *);
static void	 arrival_input(struct arrival *, const char *, size_t);
static void	 arrival_discard(struct arrival *);
static void	 arrival_hand_over(struct arrival *, const struct http_head *,
	    struct slice);

struct arrivals *
arrivals_new(struct gateway *g)
{
	struct arrivals	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	a->g = g;
	for (size_t i = 0; i < ARRIVAL_NSTATES; i++)
		list_init(&a->states[i].list);
	a->timer = evtimer_new(g->base, arrival_sweep_cb, a);
	if (a->timer == NULL) {
		free(a);
		return (NULL);
	}
	return (a);
}

void
arrivals_free(struct arrivals *a)
{
	struct list	*head, *e, *tmp;

	if (a == NULL)
		return;
	a->leaving = 1;
	head = &a->states[ARRIVAL_HEAD].list;
	list_each(e, tmp, head)
		arrival_turn_away(list_entry(e, struct arrival, at), 503,
		    "Service Unavailable: shutting down", 1, 0);
	for (size_t i = 0; i < ARRIVAL_NSTATES; i++) {
		head = &a->states[i].list;
		list_each(e, tmp, head)
			arrival_close(list_entry(e, struct arrival, at));
	}
	event_free(a->timer);
	free(a);
}

size_t
arrivals_count(const struct arrivals *a)
{
	return (a->states[ARRIVAL_HEAD].count);
}

size_t
arrivals_home(const struct arrivals *a)
{
	return (a->states[ARRIVAL_HOME].count);
}

void
arrival_accept_cb(int fd, const struct sockaddr *sa, socklen_t len,
    void *gateway)
{
	struct gateway	*g = gateway;
	const struct settings *s = &g->settings;
	struct arrival	*a;
	char		 peer[PEER_MAX];

	if (s->accept_rate > 0 && !bucket_take(&g->accepts, clock_ms(),
	    s->accept_rate, s->accept_rate, 1)) {
		arrival_refuse_cb(fd, g);	/* costs next to nothing */
		return;
	}
	g->totals.accepted++;
	if (arrivals_count(g->arrivals) >= s->handshakes_max) {
		arrival_refuse(g, fd, 503,
		    "Service Unavailable: too many handshakes in progress", 1,
		    0);
		return;
	}
	sock_format(peer, sizeof(peer), sa, len);
	if ((a = arrival_new(g, fd, slice_str(peer), 0)) == NULL) {
		arrival_refuse(g, fd, 503, NULL, 1, 0);
		return;
	}
	if (address_count(a->address) > s->per_address) {
		arrival_turn_away(a, 503, "Service Unavailable: too many "
		    "connections from your address", 1, 0);
		return;
	}
	arrival_read(a);		/* often the request is there */
}

void
arrival_refuse_cb(int fd, void *gateway)
{
	static const char	 answer[] =
	    "HTTP/1.1 503 Service Unavailable\r\n"
	    "Content-Type: text/plain\r\n"
	    "Content-Length: 20\r\n"
	    "Retry-After: 2\r\n"
	    "Connection: close\r\n"
	    "\r\n"
	    "Service Unavailable\n";
	struct gateway		*g = gateway;
	char			 unread[ARRIVAL_READ];

	g->totals.accepted++;
	g->totals.refused++;
	/* Closing with the request unread would reset the answer away. */
	for (int i = 0; i < 16; i++)
		if (recv(fd, unread, sizeof(unread), MSG_DONTWAIT) <= 0)
			break;
	(void)send(fd, answer, sizeof(answer) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	sock_end(fd, 0);
}

void
arrival_home(struct gateway *g, const struct capsule *c, int fd)
{
	struct arrivals	*as = g->arrivals;
	struct arrival	*a;

	if (g->leaving || as->leaving || g->settings.home_max == 0 ||
	    c->early.len > EARLY_MAX ||
	    (a = arrival_new(g, fd, c->peer,
	    c->flags & CAPSULE_F_SECURE)) == NULL) {
		sock_end(fd, 0);
		return;
	}
	if (c->early.len > 0) {
		if (buf_add(&a->in, c->early.data, c->early.len) == -1) {
			arrival_close(a);
			return;
		}
		/* Not from within the caller, who is amid a packet. */
		arrival_enter(a, ARRIVAL_HEAD);
		event_active(&a->ev, EV_TIMEOUT, 1);
		return;
	}
	if (arrivals_home(as) >= g->settings.home_max)
		arrival_close(list_entry(as->states[ARRIVAL_HOME].list.next,
		    struct arrival, at));
	arrival_enter(a, ARRIVAL_HOME);
}

void
arrival_refuse(struct gateway *g, int fd, int status, const char *why,
    unsigned retry_after_s, int head_only)
{
	struct buf	 out = { .max = 4096 };

	g->totals.refused++;
	http_reply_error(&out, status, why, retry_after_s, head_only);
	arrival_answer(g, fd, &out);
}

/* The whole answer and the end: it is to be read.  Takes fd, and what is in out. */
static void
arrival_answer(struct gateway *g, int fd, struct buf *out)
{
	struct arrivals	*as = g->arrivals;
	struct arrival	*a;
	int		 sent;

	sent = !out->failed && send(fd, out->data, out->len,
	    MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)out->len;
	buf_clear(out);
	(void)shutdown(fd, SHUT_WR);
	if (!sent || as->leaving ||
	    as->states[ARRIVAL_LINGER].count >=
	    g->settings.linger_max ||
	    (a = arrival_new(g, fd, slice_of(NULL, 0), 0)) == NULL) {
		sock_end(fd, 0);
		return;
	}
	arrival_enter(a, ARRIVAL_LINGER);
}

/* ---- records ---- */

static void
arrival_free(struct arrival *a)
{
	spare_put(a, sizeof(*a) + strlen(a->peer) + 1);
}

/* In no state yet.  fd is taken only on success. */
static struct arrival *
arrival_new(struct gateway *g, int fd, struct slice peer, uint32_t flags)
{
	struct arrival	*a;
	size_t		 len = peer.len < PEER_MAX ? peer.len : PEER_MAX - 1;

	if ((a = spare_zero(sizeof(*a) + len + 1)) == NULL)
		return (NULL);
	if (len > 0)
		memcpy(a->peer, peer.data, len);
	if (event_assign(&a->ev, g->base, fd, EV_READ | EV_PERSIST,
	    arrival_event_cb, a) == -1) {
		arrival_free(a);
		return (NULL);
	}
	if (g->settings.per_address > 0)
		a->address = address_ref(&g->addresses, slice_str(a->peer));
	list_init(&a->at);
	a->g = g;
	a->fd = fd;
	a->flags = flags;
	a->state = ARRIVAL_NSTATES;
	return (a);
}

static void
arrival_leave(struct arrival *a)
{
	if (a->state == ARRIVAL_NSTATES)
		return;
	list_remove(&a->at);
	a->g->arrivals->states[a->state].count--;
	a->state = ARRIVAL_NSTATES;
}

/* Its deadline runs from now; all of one state wait equally long. */
static void
arrival_enter(struct arrival *a, enum arrival_state state)
{
	struct arrivals	*as = a->g->arrivals;

	/* If the loop does not take it, its deadline will end it. */
	if (a->state == ARRIVAL_NSTATES)
		(void)event_add(&a->ev, NULL);
	arrival_leave(a);
	a->state = state;
	a->deadline = clock_ms() + (state == ARRIVAL_HEAD ?
	    a->g->settings.head_ms : state == ARRIVAL_HOME ?
	    a->g->settings.home_ms : LINGER_MS);
	list_push(&as->states[state].list, &a->at);
	as->states[state].count++;
	if (!evtimer_pending(as->timer, NULL))
		arrivals_arm(as);
}

/* Frees a; its descriptor is the caller's, and known to no loop. */
static int
arrival_detach(struct arrival *a)
{
	int	 fd = a->fd;

	event_del(&a->ev);
	arrival_leave(a);
	address_unref(a->address);
	buf_clear(&a->in);
	arrival_free(a);
	return (fd);
}

static void
arrival_close(struct arrival *a)
{
	sock_end(arrival_detach(a), 0);
}

static void
arrival_turn_away(struct arrival *a, int status, const char *why,
    unsigned retry_after_s, int head_only)
{
	struct gateway	*g = a->g;

	log_debug("arrival peer=%s refused status=%d", a->peer, status);
	arrival_refuse(g, arrival_detach(a), status, why, retry_after_s,
	    head_only);
}

/* ---- time ---- */

static void
arrivals_arm(struct arrivals *as)
{
	const struct arrival	*a;
	struct timeval		 tv;
	uint64_t		 now = clock_ms(), first = UINT64_MAX, ms;

	for (size_t i = 0; i < ARRIVAL_NSTATES; i++) {
		if (list_empty(&as->states[i].list))
			continue;
		a = list_entry(as->states[i].list.next, struct arrival, at);
		if (a->deadline < first)
			first = a->deadline;
	}
	if (first == UINT64_MAX)
		return;
	/* Never more often than this, nor later than a new lingerer needs. */
	ms = first <= now + 100 ? 100 : first - now;
	ms = ms > LINGER_MS ? LINGER_MS : ms;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	evtimer_add(as->timer, &tv);
}

static void
arrival_sweep_cb(evutil_socket_t fd, short what, void *arg)
{
	struct arrivals	*as = arg;
	struct list	*head;
	struct arrival	*a;
	uint64_t	 now = clock_ms();

	(void)fd, (void)what;
	for (size_t i = 0; i < ARRIVAL_NSTATES; i++) {
		head = &as->states[i].list;
		while (!list_empty(head)) {
			a = list_entry(head->next, struct arrival, at);
			if (a->deadline > now)
				break;
			if (a->state == ARRIVAL_HEAD && a->in.len > 0)
				arrival_turn_away(a, 408, "Request Timeout: "
				    "the request's head took too long", 0, 0);
			else
				arrival_close(a);
		}
	}
	arrivals_arm(as);
}

/* ---- input ---- */

static void
arrival_event_cb(evutil_socket_t fd, short what, void *arg)
{
	struct arrival	*a = arg;

	(void)fd;
	if (a->state == ARRIVAL_LINGER)
		arrival_discard(a);			/* may free a */
	else if (what & EV_TIMEOUT)
		arrival_input(a, NULL, 0);		/* may free a */
	else
		arrival_read(a);			/* may free a */
}

static void
arrival_read(struct arrival *a)
{
	static char	 buf[ARRIVAL_READ];
	ssize_t		 n;

	n = recv(a->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > 0)
		arrival_input(a, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		arrival_close(a);
	else if (a->state == ARRIVAL_NSTATES)
		arrival_enter(a, ARRIVAL_HEAD);
}

/* More of a head, or (len 0) what came home with it; may free a. */
static void
arrival_input(struct arrival *a, const char *data, size_t len)
{
	const struct settings	*s = &a->g->settings;
	const struct http_limits limits = { s->line_max, s->head_max,
	    s->headers_max };
	static struct http_head	 h;
	struct slice		 all = slice_of(data, len);

	if (a->in.len > 0 || len == 0) {
		if (len > 0 && buf_add(&a->in, data, len) == -1)
			goto no_memory;
		all = slice_of(a->in.data, a->in.len);
	}
	switch (http_head_parse(&h, all.data, all.len, &a->scanned, &limits)) {
	case PARSE_MORE:
		if (a->in.len == 0 && buf_add(&a->in, data, len) == -1)
			goto no_memory;
		if (a->state != ARRIVAL_HEAD)
			arrival_enter(a, ARRIVAL_HEAD);
		return;
	case PARSE_BAD:
		arrival_turn_away(a, h.status, h.why, 0, 0);
		return;
	case PARSE_DONE:
		arrival_hand_over(a, &h, all);
		return;
	}
no_memory:
	arrival_turn_away(a, 503, NULL, 1, 0);
}

/* "OPTIONS *" is about the server, whatever its routes.  Frees a. */
static void
arrival_options(struct arrival *a, const struct http_head *h)
{
	struct gateway		*g = a->g;
	struct buf		 out = { .max = 4096 };
	struct http_reply	 r = {
		.status = 204, .close = 1, .minor = h->minor,
		.extra = slice_str("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, "
		    "OPTIONS\r\n"),
	};

	http_reply_write(&out, &r);
	arrival_answer(g, arrival_detach(a), &out);
}

/*
 * No route has the path, but one has it with a '/' more or less at its end: that is
 * what the client is told.  Returns 1, and a is freed; else 0.
 */
static int
arrival_slash(struct arrival *a, const struct http_head *h, int head_only)
{
	struct gateway		*g = a->g;
	struct buf		 to = { .max = 8192 }, out = { .max = 16384 };
	struct buf		 field = { .max = 8192 };
	struct http_reply	 r = {
		.status = 308, .type = "text/plain", .close = 1,
		.minor = h->minor, .head_only = head_only,
		.body = slice_str("Permanent Redirect\n"),
	};
	int			 found;

	if ((found = routes_slash(g->settings.routes, h, &to) == 0)) {
		buf_addf(&field, "Location: %.*s\r\n", (int)to.len, to.data);
		r.extra = slice_of(field.data, field.len);
		http_reply_write(&out, &r);
		found = !field.failed && !out.failed;
	}
	if (found)
		arrival_answer(g, arrival_detach(a), &out);
	buf_clear(&to);
	buf_clear(&field);
	buf_clear(&out);
	return (found);
}

/* No route has what a browser asks for.  Frees a. */
static void
arrival_missing(struct arrival *a, const struct http_head *h)
{
	struct gateway	*g = a->g;
	struct buf	 out = { .max = 8192 };

	log_debug("arrival peer=%s refused status=404", a->peer);
	g->totals.refused++;
	missing_page(&out, h);
	arrival_answer(g, arrival_detach(a), &out);
}

/* all: every byte read, the head at its start.  Frees a. */
static void
arrival_hand_over(struct arrival *a, const struct http_head *h,
    struct slice all)
{
	static struct route_match m;
	struct gateway		*g = a->g;
	struct handoff_ask	 ask;
	const char		*why;
	struct buf		 in = a->in;
	int			 head_only = slice_is(h->method, "HEAD");
	int			 trusted, missing;

	g->totals.requests++;
	if (slice_is(h->path, "*")) {
		arrival_options(a, h);
		return;
	}
	if (route_find(g->settings.routes, h, &m, &why) == -1) {
		missing = errno == ENOENT;
		if (missing && arrival_slash(a, h, head_only))
			return;
		if (missing && missing_wants_page(h))
			arrival_missing(a, h);
		else
			arrival_turn_away(a, missing ? 404 : 400, why, 0,
			    head_only);
		return;
	}
	trusted = networks_have(g->settings.proxies, slice_str(a->peer));
	if (!route_allows(m.route, h, trusted)) {
		arrival_turn_away(a, 403, "Forbidden: pages of this origin may "
		    "not use it", 0, head_only);
		return;
	}
	if (m.nheaders > 0 && kept_check(m.headers, &m.nheaders,
	    trusted,
	    settings_find(&g->settings, "pact_details"),
	    g->settings.keep_max) == -1) {
		arrival_turn_away(a, 431, "Request Header Fields Too Large: "
		    "those that the connection keeps", 0, head_only);
		return;
	}
	if (g->leaving) {
		arrival_turn_away(a, 503, "Service Unavailable: shutting down",
		    1, head_only);
		return;
	}
	memset(&ask, 0, sizeof(ask));
	ask.id = gateway_next_id(g);
	ask.group = m.has_group ? m.group : slice_of(NULL, 0);
	ask.uid = m.uid;
	ask.app = slice_str(m.app);
	ask.route = slice_str(m.label);
	ask.peer = slice_str(a->peer);
	ask.early = all;
	ask.limit = m.limit;
	ask.flags = a->flags | (m.uid_made ? CAPSULE_F_UID_MADE : 0) |
	    (m.cors ? CAPSULE_F_CORS : 0) |
	    (m.protocol ? CAPSULE_F_PROTOCOL : 0);
	if (http_head_websocket(h, &why) == 0)
		ask.flags |= CAPSULE_F_UPGRADE;
	else
		ask.http = 1;
	ask.head_only = head_only;
	ask.address = a->address;
	ask.headers = m.headers;
	ask.nheaders = m.nheaders;
	/* The bytes and the peer's name outlive the record for the call. */
	memset(&a->in, 0, sizeof(a->in));
	event_del(&a->ev);
	arrival_leave(a);
	handoff_start(g, &ask, a->fd);
	buf_clear(&in);
	arrival_free(a);
}

/* A lingerer sent more, or has gone.  May free a. */
static void
arrival_discard(struct arrival *a)
{
	static char	 buf[16 << 10];
	ssize_t		 n;

	n = recv(a->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > 0)
		a->discarded += (uint32_t)n;
	if (n == 0 || a->discarded > LINGER_BYTES ||
	    (n == -1 && errno != EAGAIN && errno != EINTR))
		arrival_close(a);
}

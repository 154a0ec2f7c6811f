/* An accepted socket until it has an owner. */
#include <sys/socket.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/bucket.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/networks.h"
#include "common/sock.h"
#include "common/spare.h"
#include "gatewayd/address.h"
#include "gatewayd/answer.h"
#include "gatewayd/arrival.h"
#include "gatewayd/arrival_in.h"
#include "gatewayd/ask.h"
#include "gatewayd/brush.h"
#include "gatewayd/complaint.h"
#include "gatewayd/forwarded.h"
#include "gatewayd/handoff.h"
#include "gatewayd/inlet.h"
#include "gatewayd/kept.h"
#include "gatewayd/linger.h"
#include "gatewayd/missing.h"
#include "gatewayd/placement.h"
#include "gatewayd/route.h"
#include "gatewayd/routes.h"
#include "gatewayd/settings.h"
#include "gatewayd/totals.h"
#include "proto/http_head.h"
#include "proto/http_reply.h"
#include "proto/proxy_head.h"

/* One read.  Small: what comes with a head travels inline in its capsule. */
#define ARRIVAL_READ	4096
#define ARRIVAL_LOOK_MS	1000		/* from look to look at the time, at most */
#define EARLY_MAX	(1 << 20)	/* bytes that come home with a connection */

static void	 arrival_event_cb(evutil_socket_t, short, void *);
static void	 arrival_sweep_cb(evutil_socket_t, short, void *);
static void	 arrivals_arm(struct arrivals *);
static int	 arrival_detach(struct arrival *);
static void	 arrival_turn_away(struct arrival *, enum refusal, int,
	    const char *, int);
static void	 arrivals_misled(struct arrivals *, int, const struct inlet *,
		    const char *, const char *);
static void	 arrival_misled(struct arrival *, const char *);
static void	 arrival_read(struct arrival *);
static void	 arrival_input(struct arrival *, const char *, size_t);
static void	 arrival_hand_over(struct arrival *, const struct http_head *,
	    struct slice);
static void	 arrival_hand_over_raw(struct arrival *, struct slice);

struct arrivals *
arrivals_new(struct event_base *base, const struct settings *settings,
    struct totals *totals, struct placement *placement, struct lingerers *linger,
    struct handoffs *handoffs)
{
	struct arrivals	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	a->base = base;
	a->settings = settings;
	a->totals = totals;
	a->placement = placement;
	a->linger = linger;
	a->handoffs = handoffs;
	for (size_t i = 0; i < ARRIVAL_NSTATES; i++)
		list_init(&a->states[i].list);
	a->timer = evtimer_new(base, arrival_sweep_cb, a);
	if (a->timer == NULL) {
		free(a);
		return (NULL);
	}
	return (a);
}

void
arrivals_leave(struct arrivals *as)
{
	struct list	*e, *tmp;

	as->leaving = 1;
	list_each(e, tmp, &as->states[ARRIVAL_HEAD].list)
		arrival_turn_away(list_entry(e, struct arrival, at),
		    REFUSED_LEAVING, 0, NULL, 0);
	list_each(e, tmp, &as->states[ARRIVAL_HOME].list)
		arrival_close(list_entry(e, struct arrival, at));
}

void
arrivals_free(struct arrivals *as)
{
	struct list	*e, *tmp;

	if (as == NULL)
		return;
	for (size_t i = 0; i < ARRIVAL_NSTATES; i++)
		list_each(e, tmp, &as->states[i].list)
			arrival_close(list_entry(e, struct arrival, at));
	map_clear(&as->addresses);
	event_free(as->timer);
	free(as);
}

size_t
arrivals_count(const struct arrivals *a)
{
	return (a == NULL ? 0 : a->states[ARRIVAL_HEAD].count);
}

size_t
arrivals_home(const struct arrivals *a)
{
	return (a == NULL ? 0 : a->states[ARRIVAL_HOME].count);
}

void
arrival_accept_cb(int fd, const struct sockaddr *sa, socklen_t len,
    const struct inlet *inlet, void *arrivals)
{
	struct arrivals	*as = arrivals;
	const struct settings *s = as->settings;
	struct arrival	*a;
	char		 peer[PEER_MAX];

	if (s->accept_rate > 0 && !bucket_take(&as->accepts, clock_ms(),
	    s->accept_rate, s->accept_rate, 1)) {
		brush_off(as->totals, fd, inlet, REFUSED_ACCEPT_RATE);
		return;
	}
	as->totals->accepted++;
	if (arrivals_count(as) >= s->handshakes_max &&
	    (inlet->route == NULL || inlet->proxy_protocol)) {
		linger_turn_away(as->linger, fd, inlet->route != NULL,
		    REFUSED_HANDSHAKES, 0);
		return;
	}
	sock_format(peer, sizeof(peer), sa, len);
	if (inlet->proxy_protocol &&
	    !networks_have(inlet->trusted, slice_str(peer))) {
		arrivals_misled(as, fd, inlet, peer, "not one of proxy_trusted");
		return;
	}
	if ((a = arrival_new(as, fd, slice_str(peer), inlet->proxy_protocol ?
	    PEER_MAX : 0, 0)) == NULL) {
		linger_turn_away(as->linger, fd, inlet->route != NULL,
		    REFUSED_MEMORY, 0);
		return;
	}
	a->raw = inlet->route == NULL ? NULL : inlet;
	if (inlet->proxy_protocol)
		a->inlet = inlet;
	else if (arrival_count(a, a->peer) == -1) {
		arrival_turn_away(a, REFUSED_ADDRESS, 0, NULL, 0);
		return;
	}
	if (a->raw != NULL && a->inlet == NULL)
		arrival_hand_over_raw(a, slice_of(NULL, 0));
	else
		arrival_read(a);	/* often the request is there */
}

void
arrival_refuse_cb(int fd, const struct inlet *inlet, void *arrivals)
{
	struct arrivals	*as = arrivals;

	brush_off(as->totals, fd, inlet, REFUSED_DESCRIPTORS);
}

void
arrival_colleague(struct arrivals *as, int fd, const char *peer,
    const struct http_head *h, struct slice all)
{
	struct arrival	*a;

	if ((a = arrival_new(as, fd, slice_str(peer), 0, 0)) == NULL)
		linger_turn_away(as->linger, fd, 0, REFUSED_MEMORY, 0);
	else
		arrival_hand_over(a, h, all);
}

void
arrival_home(struct arrivals *as, const struct capsule *c, int fd)
{
	struct arrival	*a;

	if (as->leaving || as->settings->home_max == 0 ||
	    c->early.len > EARLY_MAX ||
	    (a = arrival_new(as, fd, c->via.len > 0 ? c->via : c->peer, 0,
	    c->flags & CAPSULE_F_TLS)) == NULL) {
		sock_end(fd, 0);
		return;
	}
	(void)arrival_count(a, a->peer);	/* it was let in before */
	if (c->early.len > 0) {
		if (buf_add(&a->in, c->early.data, c->early.len) == -1) {
			arrival_close(a);
			return;
		}
		/* Later, for the caller is amid a packet. */
		arrival_enter(a, ARRIVAL_HEAD);
		event_active(&a->ev, EV_TIMEOUT, 1);
		return;
	}
	if (arrivals_home(as) >= as->settings->home_max)
		arrival_close(list_entry(as->states[ARRIVAL_HOME].list.next,
		    struct arrival, at));
	arrival_enter(a, ARRIVAL_HOME);
}

/* ---- records ---- */

/* Free the record only. */
static void
arrival_free(struct arrival *a)
{
	spare_put(a, a->size);
}

struct arrival *
arrival_new(struct arrivals *as, int fd, struct slice peer, size_t room,
    uint32_t flags)
{
	struct arrival	*a;
	size_t		 len = peer.len < PEER_MAX ? peer.len : PEER_MAX - 1;
	size_t		 size = sizeof(*a) + (room > len ? room : len + 1);

	if ((a = spare_zero(size)) == NULL)
		return (NULL);
	a->size = size;
	a->client = a->peer;
	if (len > 0)
		memcpy(a->peer, peer.data, len);
	if (event_assign(&a->ev, as->base, fd, EV_READ | EV_PERSIST,
	    arrival_event_cb, a) == -1) {
		arrival_free(a);
		return (NULL);
	}
	list_init(&a->at);
	a->all = as;
	a->fd = fd;
	a->flags = flags;
	a->state = ARRIVAL_NSTATES;
	return (a);
}

int
arrival_count(struct arrival *a, const char *peer)
{
	const struct settings	*s = a->all->settings;

	if (s->per_address == 0 || networks_have(s->proxies, slice_str(peer)))
		return (0);
	a->address = address_ref(&a->all->addresses, slice_str(peer));
	return (address_count(a->address) > s->per_address ? -1 : 0);
}

/* Take a record off the list of its state. */
static void
arrival_leave(struct arrival *a)
{
	if (a->state == ARRIVAL_NSTATES)
		return;
	list_remove(&a->at);
	a->all->states[a->state].count--;
	a->state = ARRIVAL_NSTATES;
}

void
arrival_enter(struct arrival *a, enum arrival_state state)
{
	struct arrivals	*as = a->all;

	/* If the loop does not take it, its deadline will end it. */
	if (a->state == ARRIVAL_NSTATES)
		(void)event_add(&a->ev, NULL);
	arrival_leave(a);
	a->state = state;
	a->deadline = clock_ms() + (state == ARRIVAL_HEAD ?
	    as->settings->head_ms : as->settings->home_ms);
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

void
arrival_close(struct arrival *a)
{
	sock_end(arrival_detach(a), 0);
}

/* End a connection with an error.  Frees a. */
static void
arrival_turn_away(struct arrival *a, enum refusal why, int status,
    const char *text, int head_only)
{
	struct arrivals	*as = a->all;

	log_debug("arrival peer=%s refused why=%s", a->client,
	    refusal_label(why));
	if (a->raw != NULL)
		linger_turn_away(as->linger, arrival_detach(a), 1, why, 0);
	else
		linger_refuse(as->linger, arrival_detach(a), why, status, text,
		    head_only);
}

/* ---- time ---- */

/* Wake when the first deadline is over. */
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
	/* Never more often than this, nor later than a newcomer may need. */
	ms = first <= now + 100 ? 100 : first - now;
	ms = ms > ARRIVAL_LOOK_MS ? ARRIVAL_LOOK_MS : ms;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	evtimer_add(as->timer, &tv);
}

/* End those whose deadline is over. */
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
			if (a->inlet != NULL)
				arrival_misled(a, "it did not come within "
				    "head_timeout");
			else if (a->state == ARRIVAL_HEAD && a->in.len > 0)
				arrival_turn_away(a, REFUSED_SLOW, 0, NULL,
				    0);
			else
				arrival_close(a);
		}
	}
	arrivals_arm(as);
}

/* ---- input ---- */

/* There is something to read, or early bytes came home with a connection. */
static void
arrival_event_cb(evutil_socket_t fd, short what, void *arg)
{
	struct arrival	*a = arg;

	(void)fd;
	if (what & EV_TIMEOUT)
		arrival_input(a, NULL, 0);		/* may free a */
	else
		arrival_read(a);			/* may free a */
}

/* Read once.  May free a. */
static void
arrival_read(struct arrival *a)
{
	static char	 buf[ARRIVAL_READ];
	ssize_t		 n;

	n = recv(a->fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > 0)
		arrival_input(a, buf, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		if (a->inlet != NULL && a->in.len > 0)
			arrival_misled(a, "it is cut");
		else
			arrival_close(a);
	} else if (a->state == ARRIVAL_NSTATES)
		arrival_enter(a, ARRIVAL_HEAD);
}

/* ---- the proxy's head ---- */

/* Close a connection to in that no proxy vouches for, and say so, but not each time;
 * fd is taken. */
static void
arrivals_misled(struct arrivals *as, int fd, const struct inlet *in,
    const char *peer, const char *why)
{
	uint64_t	 unsaid;

	totals_refuse(as->totals, REFUSED_PROXY);
	if (complaint_due(&as->proxy, clock_ms(), &unsaid))
		log_warn("listener name=%s peer=%s closed, for the head of the "
		    "PROXY protocol is refused: %s; others since the last such "
		    "line: %" PRIu64, in->label, peer, why, unsaid);
	sock_end(fd, 0);
}

/* Likewise; frees a. */
static void
arrival_misled(struct arrival *a, const char *why)
{
	struct arrivals		*as = a->all;
	const struct inlet	*in = a->inlet;
	char			 peer[PEER_MAX];

	memcpy(peer, a->peer, strlen(a->peer) + 1);
	arrivals_misled(as, arrival_detach(a), in, peer, why);
}

/*
 * The proxy's head is at the start of *all, all that came: learn from it who the
 * client is, and leave what follows in *all.  1; or 0, more of it is awaited; or -1, a
 * is no more.
 */
static int
arrival_introduce(struct arrival *a, struct slice *all)
{
	struct proxy_head	 h;

	switch (proxy_head(all->data, all->len, &h)) {
	case PROXY_MORE:
		return (0);
	case PROXY_BAD:
		arrival_misled(a, h.why);
		return (-1);
	case PROXY_DONE:
		break;
	}
	a->inlet = NULL;
	if (h.peer[0] != '\0')
		memcpy(a->peer, h.peer, strlen(h.peer) + 1);
	if (h.tls)
		a->flags |= CAPSULE_F_TLS;
	*all = slice_of(all->data + h.len, all->len - h.len);
	if (a->in.len > 0) {
		buf_drain(&a->in, h.len);
		*all = slice_of(a->in.data, a->in.len);
	}
	if (arrival_count(a, a->peer) == 0)
		return (1);
	arrival_turn_away(a, REFUSED_ADDRESS, 0, NULL, 0);
	return (-1);
}

/* ---- the request's head ---- */

/* More of a head, or (len 0) what came home with it; may free a. */
static void
arrival_input(struct arrival *a, const char *data, size_t len)
{
	const struct settings	*s = a->all->settings;
	const struct http_limits limits = { s->line_max, s->head_max,
	    s->headers_max };
	static struct http_head	 h;
	struct slice		 all = slice_of(data, len);
	int			 known = 1;

	if (a->in.len > 0 || len == 0) {
		if (len > 0 && buf_add(&a->in, data, len) == -1)
			goto no_memory;
		all = slice_of(a->in.data, a->in.len);
	}
	if (a->inlet != NULL && (known = arrival_introduce(a, &all)) == -1)
		return;
	if (known && a->raw != NULL) {
		arrival_hand_over_raw(a, all);
		return;
	}
	switch (!known ? PARSE_MORE : http_head_parse(&h, all.data, all.len,
	    &a->scanned, &limits)) {
	case PARSE_MORE:
		if (a->in.len == 0 && buf_add(&a->in, all.data, all.len) == -1)
			goto no_memory;
		if (a->state != ARRIVAL_HEAD)
			arrival_enter(a, ARRIVAL_HEAD);
		return;
	case PARSE_BAD:
		arrival_turn_away(a, REFUSED_MALFORMED, h.status, h.why, 0);
		return;
	case PARSE_DONE:
		arrival_hand_over(a, &h, all);
		return;
	}
no_memory:
	arrival_turn_away(a, REFUSED_MEMORY, 0, NULL, 0);
}

/* Answered for good.  Frees a. */
static void
arrival_answer(struct arrival *a, struct buf *out)
{
	struct arrivals	*as = a->all;

	linger_answer(as->linger, arrival_detach(a), out);
}

/* No route has what a browser asks for.  Frees a. */
static void
arrival_missing(struct arrival *a, const struct http_head *h)
{
	struct arrivals	*as = a->all;
	struct buf	 out = { .max = 8192 };

	log_debug("arrival peer=%s refused why=%s", a->client,
	    refusal_label(REFUSED_NO_ROUTE));
	totals_refuse(as->totals, REFUSED_NO_ROUTE);
	missing_page(&out, h);
	arrival_answer(a, &out);
}

/* Place a, whose bytes are early.  Frees a, but what ask borrows outlives the call. */
static void
arrival_go(struct arrival *a, struct handoff_ask *ask, struct slice early)
{
	struct arrivals	*as = a->all;
	struct buf	 in = a->in;

	ask->id = placement_next_id(as->placement);
	ask->early = early;
	ask->address = a->address;
	memset(&a->in, 0, sizeof(a->in));
	event_del(&a->ev);
	arrival_leave(a);
	handoff_start(as->handoffs, ask, a->fd);
	buf_clear(&in);
	arrival_free(a);
}

/* all: every byte read, the head at its start.  Frees a. */
static void
arrival_hand_over(struct arrival *a, const struct http_head *h,
    struct slice all)
{
	static struct route_match m;
	struct arrivals		*as = a->all;
	const struct settings	*s = as->settings;
	struct handoff_ask	 ask;
	struct forwarded	 from;
	struct origin_here	 here;
	const char		*why;
	struct buf		 out = { .max = 16384 };
	int			 head_only = slice_is(h->method, "HEAD");
	int			 missing;

	as->totals->requests++;
	if (slice_is(h->path, "*")) {
		answer_options(&out, h);
		arrival_answer(a, &out);
		return;
	}
	forwarded_find(&from, h, slice_str(a->peer), s->proxies);
	a->client = from.peer;
	if (from.trusted && arrival_count(a, from.peer) == -1) {
		arrival_turn_away(a, REFUSED_ADDRESS, 0, NULL, head_only);
		return;
	}
	if (routes_find(s->routes, h, &m, &why) == -1) {
		missing = errno == ENOENT;
		if (errno == EMSGSIZE) {
			arrival_turn_away(a, REFUSED_FIELDS, 0, NULL, head_only);
			return;
		}
		if (missing && answer_slash(&out, s->routes, h))
			arrival_answer(a, &out);
		else if (missing && missing_wants_page(h))
			arrival_missing(a, h);
		else
			arrival_turn_away(a, missing ? REFUSED_NO_ROUTE :
			    REFUSED_BAD_NAME, 0, why, head_only);
		return;
	}
	here.host = from.host.data != NULL ? from.host : h->host;
	here.scheme = from.proto.data == NULL && a->flags & CAPSULE_F_TLS ?
	    slice_str("https") : from.proto;
	if (!route_allows(m.route, h, &here)) {
		arrival_turn_away(a, REFUSED_ORIGIN, 0, NULL, head_only);
		return;
	}
	if (m.nheaders > 0 && kept_check(m.headers, &m.nheaders,
	    from.trusted, settings_find(s, "pact_details"), s->keep_max) == -1) {
		arrival_turn_away(a, REFUSED_FIELDS, 0, NULL, head_only);
		return;
	}
	if (as->leaving) {
		arrival_turn_away(a, REFUSED_LEAVING, 0, NULL, head_only);
		return;
	}
	ask_request(&ask, h, &m, &from, &here, a->flags);
	if (strcmp(from.peer, a->peer) != 0)
		ask.via = slice_str(a->peer);
	arrival_go(a, &ask, all);
}

/* As its listener says.  early: what came behind the proxy's head.  Frees a. */
static void
arrival_hand_over_raw(struct arrival *a, struct slice early)
{
	struct arrivals		*as = a->all;
	struct handoff_ask	 ask;

	as->totals->raw++;
	if (as->leaving || ask_raw(&ask, a->raw, slice_str(a->peer),
	    a->flags) == -1) {
		arrival_turn_away(a, as->leaving ? REFUSED_LEAVING :
		    REFUSED_BAD_NAME, 0, NULL, 0);
		return;
	}
	arrival_go(a, &ask, early);
}

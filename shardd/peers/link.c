/*
 * Links to the other shards of this node.
 *
 * A link is the lasting part: who, and what waits for it.  A wire is one
 * connection: it belongs to a link as soon as its HELLO says which one.  A link
 * outlives its wires until the gateway says that the shard is dead; whenever it
 * has none, the dialer dials again.
 *
 * A wire is given only as much as keeps it busy.  What is more stays in the link's
 * backlog: there each group waits for itself, and a new wire finds it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/backoff.h"
#include "common/budget.h"
#include "common/clock.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/sock.h"
#include "proto/channel.h"
#include "shardd/group/ask.h"
#include "shardd/peers/backlog.h"
#include "shardd/peers/link.h"
#include "shardd/group/lookup.h"
#include "shardd/group/neighbours.h"
#include "shardd/worker.h"

#define LINK_HELLO_MS	2000		/* for the other side's HELLO */
#define LINK_RETRY_MS	100		/* without memory */
#define LINK_GIVE_UP_MS	10000		/* without a wire */
#define LINK_CALLERS	SLOTS_MAX
#define LINK_FEED	(256 << 10)	/* bytes in a wire's queue: no more yet */

struct wire {
	struct list	 at;		/* wires, until it belongs to a link */
	struct worker	*worker;
	struct link	*link;		/* NULL: its caller is not known yet */
	struct frames	*frames;
	struct event	*timer;		/* for its HELLO */
};

struct link {
	struct list	 at;		/* worker->links */
	struct worker	*worker;
	uint32_t	 slot;
	uint64_t	 incarnation;
	char		*path;		/* NULL: not known, we do not dial */
	struct wire	*wire;
	int		 up;		/* wire has said HELLO */
	int		 given_up;	/* since it was up: only notes wait */
	int		 lossy;		/* a wire was lost since it was up */
	int		 full;		/* something did not fit, and some waits */
	int		 askme;
	uint64_t	 since;		/* clock_ms: not up from then on */
	struct backlog	 backlog;
	size_t		 dropped;	/* messages that did not fit, not logged */
	struct turn_work feed;
	struct backoff	 backoff;
	struct event	*timer;		/* dial again, give up */
};

static struct list	 wires = { &wires, &wires };

static void	 link_dial(struct link *l);
static enum backlog_fate link_drop(void *arg, struct gossip *m, int many);
static void	 link_eased(void *arg, uint64_t replica);
static void	 link_feed(void *arg);
static void	 link_free(struct link *l);
static void	 link_lost(struct link *l, const char *why);
static void	 link_timer_cb(evutil_socket_t fd, short what, void *arg);
static void	 link_up(struct link *l, struct wire *wire);
static struct wire *wire_new(struct worker *w, struct link *l, int fd);
static void	 wire_free(struct wire *wire);
static int	 wire_say_hello(struct wire *wire);

static const struct backlog_ops link_backlog_ops = { link_drop, link_eased };

/* ---- links ---- */

/* The lower slot dials; of two incarnations of one slot, the lower. */
static int
link_dials(const struct link *l)
{
	const struct worker	*w = l->worker;

	if (l->path == NULL)
		return (0);
	if (w->slot != l->slot)
		return (w->slot < l->slot);
	return (w->incarnation < l->incarnation);
}

struct link *
link_find(struct worker *w, uint32_t slot, uint64_t incarnation)
{
	struct list	*e, *tmp;
	struct link	*l;

	list_each(e, tmp, &w->links) {
		l = list_entry(e, struct link, at);
		if (l->slot == slot && l->incarnation == incarnation)
			return (l);
	}
	return (NULL);
}

struct link *
link_get(struct worker *w, uint32_t slot, uint64_t incarnation,
    const char *path)
{
	struct link	*l = link_find(w, slot, incarnation);

	if (l != NULL) {
		if (l->path == NULL && path != NULL)
			l->path = strdup(path);	/* ENOMEM: next time */
		return (l);
	}
	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	list_init(&l->at);
	l->worker = w;
	l->slot = slot;
	l->incarnation = incarnation;
	l->since = clock_ms();
	backoff_init(&l->backoff, 20, 500);
	backlog_init(&l->backlog, &link_backlog_ops, l);
	turn_work_init(&l->feed, link_feed, l);
	if ((path != NULL && (l->path = strdup(path)) == NULL) ||
	    (l->timer = evtimer_new(w->base, link_timer_cb, l)) == NULL) {
		link_free(l);
		errno = ENOMEM;
		return (NULL);
	}
	list_push(&w->links, &l->at);
	link_dial(l);
	return (l);
}

static void
link_free(struct link *l)
{
	list_remove(&l->at);
	if (l->wire != NULL)
		wire_free(l->wire);
	if (l->timer != NULL)
		event_free(l->timer);
	turn_cancel(&l->feed);
	backlog_clear(&l->backlog);
	free(l->path);
	free(l);
}

/* Come back to it soon: to dial, or to see how long it takes. */
static void
link_again(struct link *l)
{
	uint32_t	 ms = backoff_next(&l->backoff);
	struct timeval	 tv = { ms / 1000, (ms % 1000) * 1000 };

	evtimer_add(l->timer, &tv);
}

static void
link_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct link	*l = arg;

	(void)fd, (void)what;
	if (l->up)
		link_feed(l);
	else if (!l->given_up && clock_ms() - l->since >= LINK_GIVE_UP_MS)
		link_lost(l, "no link within 10 s");
	else
		link_dial(l);
}

/* If it is ours to dial: a wire, or another try later. */
static void
link_dial(struct link *l)
{
	int	 fd;

	if (!link_dials(l) || l->wire != NULL) {
		link_again(l);
		return;
	}
	if ((fd = sock_connect_unix(l->path, SOCK_STREAM)) == -1) {
		log_debug("link slot=%u dial failed: %s", l->slot,
		    strerror(errno));
		link_again(l);
		return;
	}
	if ((l->wire = wire_new(l->worker, l, fd)) == NULL)
		close(fd);
	else if (wire_say_hello(l->wire) == -1) {
		wire_free(l->wire);
		l->wire = NULL;
	}
	link_again(l);
}

/* wire's HELLO came: what waited goes out in order. */
static void
link_up(struct link *l, struct wire *wire)
{
	log_info("link slot=%u incarnation=%016" PRIx64 " up", l->slot,
	    l->incarnation);
	l->wire = wire;
	l->up = 1;
	l->given_up = l->backlog.closed = 0;
	backoff_reset(&l->backoff);
	event_del(l->timer);
	if (l->worker->lookup != NULL)
		lookup_link_up(l->worker->lookup, l);
	link_feed(l);
	if (l->lossy)
		neighbours_link_back(l);
	l->lossy = 0;
}

/* Its wire ended, or none came in time. */
static void
link_lost(struct link *l, const char *why)
{
	struct worker	*w = l->worker;
	struct ctl	 m = { .type = CTL_LINK_LOST, .slot = l->slot,
			    .incarnation = l->incarnation };
	size_t		 queued = 0;
	int		 was_up = l->up, late, report;

	late = !was_up && clock_ms() - l->since >= LINK_GIVE_UP_MS;
	report = was_up || (!l->given_up && late);
	if (l->wire != NULL) {
		queued = frames_queued(l->wire->frames);
		wire_free(l->wire);
	}
	l->wire = NULL;
	l->up = l->askme = 0;
	if (was_up)
		l->since = clock_ms();
	if (report) {
		/* One that leaves, as we or the other, loses nothing; of one
		 * that died the gateway warns. */
		if (w->draining || queued == 0)
			log_info("link slot=%u incarnation=%016" PRIx64
			    " ended why=\"%s\"", l->slot, l->incarnation, why);
		else
			log_warn("link slot=%u incarnation=%016" PRIx64
			    " lost_bytes=%zu waiting_bytes=%zu why=\"%s\"",
			    l->slot, l->incarnation, queued,
			    backlog_bytes(&l->backlog), why);
		l->lossy = 1;
		m.text = slice_str(why);
		worker_tell(w, &m);
		if (late) {
			l->given_up = l->backlog.closed = 1;
			backlog_drop(&l->backlog);
		}
		neighbours_link_lost(l);
		neighbours_link_mark(l);
	} else
		log_debug("link slot=%u failed: %s", l->slot, why);
	link_again(l);
}

/* ---- sending ---- */

/* Something does not fit any more: somebody there does not read.  Whether it hangs,
 * the gateway's watchdog finds out. */
static void
link_is_full(struct link *l)
{
	if (l->full || l->given_up)
		return;
	l->full = 1;
	log_warn("link slot=%u incarnation=%016" PRIx64 " full: 64 MiB are "
	    "queued, the groups with the most lose messages", l->slot,
	    l->incarnation);
}

/* Of the backlog: m does not fit. */
static enum backlog_fate
link_drop(void *arg, struct gossip *m, int many)
{
	struct link		*l = arg;
	enum backlog_fate	 fate = neighbours_drop(l, m, many);

	if (fate != BACKLOG_KEEP) {
		l->dropped++;
		link_is_full(l);
	}
	return (fate);
}

/* Of the backlog: that replica's group may go on. */
static void
link_eased(void *arg, uint64_t replica)
{
	struct link	*l = arg;

	neighbours_link_eased(l, replica);
}

/* All of m but its payload, as it is sent; valid until the next.  Its data is NULL
 * when m is no message that could be sent. */
static struct slice
link_encode(const struct gossip *m)
{
	static struct buf	 head;

	head.len = 0;
	gossip_encode(&head, m);
	if (!head.failed && m->payload.len <= LINK_FRAME_MAX - head.len)
		return (slice_of(head.data, head.len));
	head.failed = 0;
	return (slice_of(NULL, 0));
}

/* The wire has room: what waits goes there, the groups in turns. */
static void
link_feed(void *arg)
{
	struct timeval		 tv = { 0, LINK_RETRY_MS * 1000 };
	const struct gossip	*m;
	struct link		*l = arg;
	struct slice		 head;

	while (l->up && frames_queued(l->wire->frames) <= LINK_FEED &&
	    (m = backlog_next(&l->backlog)) != NULL) {
		head = link_encode(m);
		if (head.data == NULL || frames_send(l->wire->frames, head,
		    m->payload) == -1) {
			evtimer_add(l->timer, &tv);	/* no memory */
			return;
		}
		backlog_sent(&l->backlog);
	}
	if (l->dropped == 0 || !backlog_is_empty(&l->backlog))
		return;
	log_warn("link slot=%u incarnation=%016" PRIx64
	    " has sent what waited, lost_messages=%zu", l->slot,
	    l->incarnation, l->dropped);
	l->dropped = 0;
	l->full = 0;
}

int
link_send(struct link *l, const struct gossip *m)
{
	struct slice	head = link_encode(m);
	int		rv = -1;

	budget_charge(BUDGET_RECEIVER);
	budget_bytes(head.len + m->payload.len);
	/* Of no group: it is short, and nothing need be before it. */
	if (head.data != NULL && l->up && (m->from == 0 ||
	    (backlog_is_empty(&l->backlog) &&
	    frames_queued(l->wire->frames) <= LINK_FEED)) &&
	    frames_send(l->wire->frames, head, m->payload) == 0)
		return (0);
	if (head.data != NULL)
		rv = backlog_add(&l->backlog, m->from, m);
	else
		backlog_refuse(&l->backlog, m->from, m);
	if (l->up && frames_queued(l->wire->frames) <= LINK_FEED)
		turn_add(&l->feed, TURN_LINKS);
	if (rv == -1)
		errno = l->given_up ? EPIPE : ENOBUFS;
	return (rv);
}

int
link_is_over(const struct link *l, uint64_t replica)
{
	return (backlog_is_over(&l->backlog, replica));
}

int
link_any_waits(const struct worker *w)
{
	const struct link	*l;
	struct list		*e;

	for (e = w->links.next; e != &w->links; e = e->next) {
		l = list_entry(e, struct link, at);
		if (l->up && (!backlog_is_empty(&l->backlog) ||
		    frames_queued(l->wire->frames) > 0))
			return (1);
	}
	return (0);
}

int
link_is_up(const struct link *l)
{
	return (l->up);
}

struct worker *
link_worker(const struct link *l)
{
	return (l->worker);
}

uint32_t
link_slot(const struct link *l)
{
	return (l->slot);
}

uint64_t
link_incarnation(const struct link *l)
{
	return (l->incarnation);
}

void
link_dead(struct worker *w, uint32_t slot, uint64_t incarnation)
{
	struct link	*l = link_find(w, slot, incarnation);

	if (l == NULL)
		return;
	list_remove(&l->at);		/* nobody finds it any more */
	ask_link_lost(l, 1);
	neighbours_link_lost(l);
	worker_links_eased(w);
	link_free(l);
}

void
link_each(struct worker *w, void (*cb)(struct link *, void *), void *arg)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &w->links)
		cb(list_entry(e, struct link, at), arg);
}

int
link_askme(const struct link *l)
{
	return (l->askme);
}

void
link_set_askme(struct link *l, int on)
{
	l->askme = on;
}

/* ---- wires ---- */

static void
wire_free(struct wire *wire)
{
	list_remove(&wire->at);
	if (wire->timer != NULL)
		event_free(wire->timer);
	frames_free(wire->frames);
	free(wire);
}

static void
wire_end(struct wire *wire, const char *why)
{
	if (wire->link != NULL)
		link_lost(wire->link, why);	/* frees wire */
	else {
		log_debug("link caller ended: %s", why);
		wire_free(wire);
	}
}

static void
wire_end_cb(struct frames *f, const char *why, void *arg)
{
	(void)f;
	wire_end(arg, why);
}

static void
wire_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	wire_end(arg, "no hello");
}

static void
wire_drained_cb(struct frames *f, void *arg)
{
	struct wire	*wire = arg;

	(void)f;
	if (wire->link != NULL && wire->link->up)
		link_feed(wire->link);
}

static int
wire_say_hello(struct wire *wire)
{
	struct gossip	 m = { .type = GOSSIP_HELLO,
			    .slot = wire->worker->slot,
			    .incarnation = wire->worker->incarnation,
			    .low = WIRE_VERSION, .high = WIRE_VERSION };
	struct buf	 b = { 0 };
	int		 rv = -1;

	gossip_encode(&b, &m);
	if (!b.failed)
		rv = frames_send(wire->frames, slice_of(b.data, b.len),
		    slice_of(NULL, 0));
	buf_clear(&b);
	return (rv);
}

/* NULL: it may go on; else why it may not. */
static const char *
wire_hello(struct wire *wire, const struct gossip *m)
{
	struct worker	*w = wire->worker;
	struct link	*l = wire->link;

	if (m->type != GOSSIP_HELLO)
		return ("it did not say hello");
	if (m->low > WIRE_VERSION || m->high < WIRE_VERSION)
		return ("no version in common");
	if (m->incarnation == w->incarnation)
		return ("it says that it is us");
	if (l == NULL) {
		if (m->slot > w->slot)
			return ("the lower slot dials");
		l = link_get(w, m->slot, m->incarnation, NULL);
		if (l == NULL)
			return ("no memory");
		if (l->wire != NULL)
			return ("there is a link already");
		if (wire_say_hello(wire) == -1)
			return ("no memory");
		list_remove(&wire->at);
		wire->link = l;
	} else if (m->slot != l->slot || m->incarnation != l->incarnation)
		return ("somebody else answered");
	event_free(wire->timer);
	wire->timer = NULL;
	link_up(l, wire);
	return (NULL);
}

static int
wire_message_cb(struct frames *f, const char *data, size_t len, void *arg)
{
	struct wire	*wire = arg;
	struct gossip	 m;
	const char	*why;

	(void)f;
	if (gossip_decode(&m, data, len) == -1) {
		log_warn("link peer=%d error=\"not a message\"",
		    wire->link == NULL ? -1 : (int)wire->link->slot);
		return (-1);
	}
	if (wire->timer == NULL)
		return (neighbours_message(wire->link, &m));
	if ((why = wire_hello(wire, &m)) != NULL) {
		log_warn("link slot=%u refused: %s", m.slot, why);
		return (-1);
	}
	return (0);
}

/* fd is taken, unless NULL with errno. */
static struct wire *
wire_new(struct worker *w, struct link *l, int fd)
{
	struct timeval	 tv = { LINK_HELLO_MS / 1000, 0 };
	struct wire	*wire;
	char		 name[32];
	uid_t		 uid;

	if (sock_peer(fd, NULL, &uid) == -1)
		return (NULL);
	if (uid != geteuid()) {
		log_warn("link uid=%u refused: not ours", (unsigned)uid);
		errno = EPERM;
		return (NULL);
	}
	if (l != NULL)
		snprintf(name, sizeof(name), "shard/%u", l->slot);
	else
		snprintf(name, sizeof(name), "shard/caller");
	if ((wire = calloc(1, sizeof(*wire))) == NULL)
		return (NULL);
	list_init(&wire->at);
	wire->worker = w;
	wire->link = l;
	if ((wire->timer = evtimer_new(w->base, wire_timer_cb, wire)) == NULL ||
	    evtimer_add(wire->timer, &tv) == -1)
		goto fail;
	wire->frames = frames_new(w->base, fd, name, wire_message_cb,
	    wire_end_cb, wire_drained_cb, LINK_FEED, wire);
	if (wire->frames == NULL)
		goto fail;
	if (l == NULL)
		list_push(&wires, &wire->at);
	return (wire);
fail:
	if (wire->timer != NULL)
		event_free(wire->timer);
	free(wire);
	errno = ENOMEM;
	return (NULL);
}

/* ---- listening ---- */

static void
link_accept_cb(int fd, const struct sockaddr *peer, socklen_t len, void *arg)
{
	(void)peer, (void)len;
	if (wire_new(arg, NULL, fd) == NULL)
		close(fd);		/* it dials again */
}

static void
link_refuse_cb(int fd, void *arg)
{
	(void)arg;
	close(fd);
}

int
link_listen(struct worker *w)
{
	struct sock_addr	 a;
	struct buf		 text = { 0 };
	const char		*why;
	int			 fd, rv;

	if (buf_addf(&text, "unix:%s", w->link_path) == -1)
		return (-1);
	rv = sock_parse(text.data, &a, &why);
	buf_clear(&text);
	if (rv == -1 ||
	    (fd = sock_listen(&a, SOCK_STREAM, LINK_CALLERS)) == -1)
		return (-1);
	w->link_listener = listener_new(w->base, fd, link_accept_cb,
	    link_refuse_cb, w);
	if (w->link_listener == NULL) {
		close(fd);
		errno = ENOMEM;
		return (-1);
	}
	return (0);
}

void
link_shutdown(struct worker *w)
{
	struct list	*e, *tmp;
	struct wire	*wire;
	struct link	*l;

	if (w->link_listener != NULL) {
		listener_free(w->link_listener);
		w->link_listener = NULL;
		unlink(w->link_path);
	}
	list_each(e, tmp, &wires) {
		wire = list_entry(e, struct wire, at);
		if (wire->worker == w)
			wire_free(wire);
	}
	while (!list_empty(&w->links)) {
		l = list_entry(w->links.next, struct link, at);
		if (l->up)
			frames_flush(l->wire->frames);
		list_remove(&l->at);
		neighbours_link_lost(l);
		link_free(l);
	}
}

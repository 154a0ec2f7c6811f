/*
 * Links to other shards: who, what waits, and the carrier of the moment.
 *
 * A link outlives its carriers until the gateway says that the shard is dead;
 * whenever it has none, it dials again.  A carrier is given only as much as keeps
 * it busy.  What is more stays in the link's backlog: there each group waits for
 * itself, and a new carrier finds it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <event2/event.h>

#include "common/backoff.h"
#include "common/budget.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/turn.h"
#include "proto/counters.h"
#include "shardd/peers/link.h"

#define LINK_RETRY_MS	100		/* without memory */
#define LINK_GIVE_UP_MS	10000		/* without a carrier */

struct links {
	struct event_base *base;
	struct peer_id	 self;
	const struct link_ops *ops;
	void		*arg;
	struct {
		links_dial_cb	*dial;	/* NULL: nobody dials */
		void		*arg;
	} ways[LINKS_NWAYS];
	struct list	 all;		/* struct link */
	int		 leaving;
	unsigned	 version;	/* the highest that we speak */
};

struct link {
	struct list	 at;		/* links->all */
	struct links	*links;
	struct peer_id	 peer;
	char		*path;		/* NULL: not known, we do not dial */
	struct carrier	*carrier;
	unsigned	 version;	/* spoken with that peer */
	int		 up;		/* the carrier has said so */
	int		 given_up;	/* since it was up: only notes wait */
	int		 stranger;	/* nobody here has asked for it yet */
	int		 lossy;		/* a carrier was lost since it was up */
	int		 full;		/* something did not fit, and some waits */
	int		 askme;
	uint64_t	 since;		/* clock_ms: not up from then on */
	struct backlog	 backlog;
	size_t		 dropped;	/* messages that did not fit, not logged */
	struct turn_work feed;
	struct backoff	 backoff;
	struct event	*timer;		/* dial again, give up */
};

static void	 link_dial(struct link *l);
static enum backlog_fate link_drop(void *arg, struct gossip *m, int many);
static void	 link_eased(void *arg, uint64_t replica);
static void	 link_feed(void *arg);
static void	 link_free(struct link *l);
static void	 link_timer_cb(evutil_socket_t fd, short what, void *arg);

static const struct backlog_ops link_backlog_ops = { link_drop, link_eased };

int
peer_same(const struct peer_id *a, const struct peer_id *b)
{
	return (a->slot == b->slot && a->incarnation == b->incarnation &&
	    (a->node == b->node || (a->node != NULL && b->node != NULL &&
	    strcmp(a->node, b->node) == 0)));
}

/* ---- all of them ---- */

struct links *
links_new(struct event_base *base, const struct peer_id *self,
    const struct link_ops *ops, void *arg)
{
	struct links	*ls;

	if ((ls = calloc(1, sizeof(*ls))) == NULL)
		return (NULL);
	ls->base = base;
	ls->version = WIRE_VERSION;
	ls->self = *self;
	ls->ops = ops;
	ls->arg = arg;
	list_init(&ls->all);
	return (ls);
}

void
links_free(struct links *ls)
{
	struct link	*l;

	if (ls == NULL)
		return;
	while (!list_empty(&ls->all)) {
		l = list_entry(ls->all.next, struct link, at);
		if (l->up)
			l->carrier->ops->flush(l->carrier);
		list_remove(&l->at);
		ls->ops->ended(ls->arg, l, 0);
		link_free(l);
	}
	free(ls);
}

void
links_set_dial(struct links *ls, enum links_way way, links_dial_cb *dial,
    void *arg)
{
	ls->ways[way].dial = dial;
	ls->ways[way].arg = arg;
}

const struct peer_id *
links_self(const struct links *ls)
{
	return (&ls->self);
}

struct event_base *
links_base(const struct links *ls)
{
	return (ls->base);
}

unsigned
links_version(const struct links *ls)
{
	return (ls->version);
}

void
links_set_version(struct links *ls, unsigned version)
{
	ls->version = version;
}

void
links_leave(struct links *ls)
{
	ls->leaving = 1;
}

/* Bytes that l's carrier has, and has not sent. */
static size_t
link_queued(const struct link *l)
{
	return (l->carrier->ops->queued(l->carrier));
}

/* Has l's carrier, which is up, room for more? */
static int
link_has_room(const struct link *l)
{
	return (link_queued(l) <= l->carrier->room);
}

int
links_any_wait(const struct links *ls)
{
	const struct link	*l;
	struct list		*e;

	for (e = ls->all.next; e != &ls->all; e = e->next) {
		l = list_entry(e, struct link, at);
		if (l->up && (!backlog_is_empty(&l->backlog) ||
		    link_queued(l) > 0))
			return (1);
	}
	return (0);
}

size_t
links_queued(const struct links *ls, size_t *up)
{
	const struct link	*l;
	struct list		*e;
	size_t			 n = 0;

	*up = 0;
	for (e = ls->all.next; e != &ls->all; e = e->next) {
		l = list_entry(e, struct link, at);
		n += backlog_bytes(&l->backlog);
		if (l->up)
			n += link_queued(l);
		*up += (size_t)l->up;
	}
	return (n);
}

void
links_each(struct links *ls, void (*cb)(struct link *, void *), void *arg)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &ls->all)
		cb(list_entry(e, struct link, at), arg);
}

/* ---- one ---- */

/* The node of l's peer, for the log: nothing, if that is our own. */
static const char *
link_node(const struct link *l)
{
	return (l->peer.node == NULL ? "" : l->peer.node);
}

struct link *
link_find(const struct links *ls, const struct peer_id *peer)
{
	struct list	*e;
	struct link	*l;

	for (e = ls->all.next; e != &ls->all; e = e->next) {
		l = list_entry(e, struct link, at);
		if (peer_same(&l->peer, peer))
			return (l);
	}
	return (NULL);
}

struct link *
link_get(struct links *ls, const struct peer_id *peer, const char *path)
{
	struct link	*l = link_find(ls, peer);

	if (l != NULL) {
		l->stranger = 0;
		if (l->path == NULL && path != NULL)
			l->path = strdup(path);	/* ENOMEM: next time */
		return (l);
	}
	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	list_init(&l->at);
	l->links = ls;
	l->peer = *peer;
	l->version = WIRE_OLDEST;
	l->since = clock_ms();
	backoff_init(&l->backoff, 20, 500);
	backlog_init(&l->backlog, &link_backlog_ops, l);
	turn_work_init(&l->feed, link_feed, l);
	if ((path != NULL && (l->path = strdup(path)) == NULL) ||
	    (l->timer = evtimer_new(ls->base, link_timer_cb, l)) == NULL) {
		link_free(l);
		errno = ENOMEM;
		return (NULL);
	}
	list_push(&ls->all, &l->at);
	link_dial(l);
	return (l);
}

struct link *
link_get_stranger(struct links *ls, const struct peer_id *peer)
{
	struct link	*l = link_find(ls, peer);

	if (l == NULL && (l = link_get(ls, peer, NULL)) != NULL)
		l->stranger = 1;
	return (l);
}

/* The link, its carrier and all that waits. */
static void
link_free(struct link *l)
{
	list_remove(&l->at);
	if (l->carrier != NULL)
		l->carrier->ops->free(l->carrier);
	if (l->timer != NULL)
		event_free(l->timer);
	turn_cancel(&l->feed);
	backlog_clear(&l->backlog);
	free(l->path);
	free(l);
}

/* Come back to l soon: to dial, or to see how long it takes. */
static void
link_again(struct link *l)
{
	uint32_t	 ms = backoff_next(&l->backoff);
	struct timeval	 tv = { ms / 1000, (ms % 1000) * 1000 };

	evtimer_add(l->timer, &tv);
}

/* Whoever said to be l's peer does not answer: it was somebody else, who said again what the
 * peer had said when it lived. */
static void
link_refuse(struct link *l)
{
	struct peer_id	 peer = l->peer;

	log_info("link slot=%u incarnation=%016" PRIx64 " node=%s is refused: "
	    "nobody answers", peer.slot, peer.incarnation, link_node(l));
	counter_add(COUNTER_BUS_BAD, 1);
	link_dead(l->links, &peer);
}

/* Time to feed a link, to dial again, or to give up. */
static void
link_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct link	*l = arg;

	(void)fd, (void)what;
	if (l->up)
		link_feed(l);
	else if (l->stranger && clock_ms() - l->since >= LINK_GIVE_UP_MS)
		link_refuse(l);
	else if (!l->given_up && clock_ms() - l->since >= LINK_GIVE_UP_MS)
		link_down(l, "no link within 10 s");
	else
		link_dial(l);
}

/* A carrier, or another try later. */
static void
link_dial(struct link *l)
{
	enum links_way	 way = l->peer.node == NULL ? LINKS_NODE : LINKS_BUS;
	struct links	*ls = l->links;

	if (l->carrier == NULL && ls->ways[way].dial != NULL)
		l->carrier = ls->ways[way].dial(ls->ways[way].arg, l, l->path);
	link_again(l);
}

struct carrier *
link_carrier(const struct link *l)
{
	return (l->carrier);
}

void
link_up(struct link *l, struct carrier *c, unsigned version)
{
	struct links	*ls = l->links;

	log_info("link slot=%u incarnation=%016" PRIx64 " version=%u up%s%s",
	    l->peer.slot, l->peer.incarnation, version,
	    l->peer.node == NULL ? "" : " node=", link_node(l));
	l->carrier = c;
	l->version = version;
	l->up = 1;
	l->stranger = 0;
	l->given_up = l->backlog.closed = 0;
	backoff_reset(&l->backoff);
	event_del(l->timer);
	ls->ops->up(ls->arg, l);
	link_feed(l);
	if (l->lossy)
		ls->ops->back(ls->arg, l);
	l->lossy = 0;
}

void
link_down(struct link *l, const char *why)
{
	struct links	*ls = l->links;
	size_t		 queued = 0;
	int		 was_up = l->up, late, report;

	late = !was_up && clock_ms() - l->since >= LINK_GIVE_UP_MS;
	report = was_up || (!l->given_up && late);
	if (l->carrier != NULL) {
		queued = link_queued(l);
		l->carrier->ops->free(l->carrier);
	}
	l->carrier = NULL;
	l->up = l->askme = 0;
	if (was_up) {
		l->since = clock_ms();
		counter_add(COUNTER_LINK_ENDED, 1);
	}
	if (report) {
		/* A shard that leaves, ours or the other, loses nothing; of one
		 * that died the gateway warns. */
		if (ls->leaving || queued == 0)
			log_info("link slot=%u incarnation=%016" PRIx64
			    " ended why=\"%s\"", l->peer.slot,
			    l->peer.incarnation, why);
		else
			log_warn("link slot=%u incarnation=%016" PRIx64
			    " lost_bytes=%zu waiting_bytes=%zu why=\"%s\"",
			    l->peer.slot, l->peer.incarnation, queued,
			    backlog_bytes(&l->backlog), why);
		l->lossy = 1;
		if (late) {
			l->given_up = l->backlog.closed = 1;
			backlog_drop(&l->backlog);
		}
		ls->ops->lost(ls->arg, l, why);
	} else
		log_debug("link slot=%u failed: %s", l->peer.slot, why);
	link_again(l);
}

int
link_message(struct link *l, const struct gossip *m)
{
	return (l->links->ops->message(l->links->arg, l, m));
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
	    "queued, the groups with the most lose messages", l->peer.slot,
	    l->peer.incarnation);
}

/* Of the backlog: m does not fit. */
static enum backlog_fate
link_drop(void *arg, struct gossip *m, int many)
{
	struct link		*l = arg;
	enum backlog_fate	 fate = l->links->ops->drop(l->links->arg,
				    l, m, many);

	if (fate != BACKLOG_KEEP) {
		l->dropped++;
		counter_add(COUNTER_LINK_LOST, 1);
		link_is_full(l);
	}
	return (fate);
}

/* Of the backlog: that replica's group may go on. */
static void
link_eased(void *arg, uint64_t replica)
{
	struct link	*l = arg;

	l->links->ops->eased(l->links->arg, l, replica);
}

/* All of m but its payload, as it is sent over l; valid until the next.  Its data is NULL
 * when m is no message that could be sent. */
static struct slice
link_encode(const struct link *l, const struct gossip *m)
{
	static struct buf	 head;

	head.len = 0;
	gossip_encode(&head, m, l->version);
	if (!head.failed && m->payload.len <= LINK_FRAME_MAX - head.len)
		return (slice_of(head.data, head.len));
	head.failed = 0;
	return (slice_of(NULL, 0));
}

/* The carrier has room: what waits goes there, the groups in turns. */
static void
link_feed(void *arg)
{
	struct timeval		 tv = { 0, LINK_RETRY_MS * 1000 };
	const struct gossip	*m;
	struct link		*l = arg;
	struct slice		 head;

	while (l->up && link_has_room(l) &&
	    (m = backlog_next(&l->backlog)) != NULL) {
		head = link_encode(l, m);
		if (head.data == NULL || l->carrier->ops->send(
		    l->carrier, head, m->payload) == -1) {
			evtimer_add(l->timer, &tv);	/* no memory */
			return;
		}
		backlog_sent(&l->backlog);
	}
	if (l->dropped == 0 || !backlog_is_empty(&l->backlog))
		return;
	log_warn("link slot=%u incarnation=%016" PRIx64
	    " has sent what waited, lost_messages=%zu", l->peer.slot,
	    l->peer.incarnation, l->dropped);
	l->dropped = 0;
	l->full = 0;
}

int
link_send(struct link *l, const struct gossip *m)
{
	struct slice	head = link_encode(l, m);
	int		rv = -1;

	budget_charge(BUDGET_RECEIVER);
	budget_bytes(head.len + m->payload.len);
	/* Of no group: it is short, and nothing need be before it. */
	if (head.data != NULL && l->up && (m->from == 0 ||
	    (backlog_is_empty(&l->backlog) &&
	    link_has_room(l))) &&
	    l->carrier->ops->send(l->carrier, head, m->payload) == 0)
		return (0);
	if (head.data != NULL)
		rv = backlog_add(&l->backlog, m->from, m);
	else
		backlog_refuse(&l->backlog, m->from, m);
	if (l->up && link_has_room(l))
		turn_add(&l->feed, TURN_LINKS);
	if (rv == -1)
		errno = l->given_up ? EPIPE : ENOBUFS;
	return (rv);
}

int
link_is_clear(const struct link *l)
{
	return (l->up && backlog_is_empty(&l->backlog) && link_has_room(l));
}

int
link_is_over(const struct link *l, uint64_t replica)
{
	return (backlog_is_over(&l->backlog, replica));
}

void
link_drained(struct link *l)
{
	if (l->up)
		link_feed(l);
}

int
link_is_up(const struct link *l)
{
	return (l->up);
}

unsigned
link_version(const struct link *l)
{
	return (l->version);
}

struct links *
link_links(const struct link *l)
{
	return (l->links);
}

const struct peer_id *
link_peer(const struct link *l)
{
	return (&l->peer);
}

uint32_t
link_slot(const struct link *l)
{
	return (l->peer.slot);
}

void
link_dead(struct links *ls, const struct peer_id *peer)
{
	struct link	*l = link_find(ls, peer);

	if (l == NULL)
		return;
	list_remove(&l->at);		/* nobody finds it any more */
	ls->ops->ended(ls->arg, l, 1);
	link_free(l);
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

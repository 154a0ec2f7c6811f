/* Capsules on their way. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/turn.h"
#include "gatewayd/address.h"
#include "gatewayd/covers.h"
#include "gatewayd/handoff.h"
#include "gatewayd/linger.h"
#include "gatewayd/placement.h"
#include "gatewayd/quota.h"
#include "gatewayd/rest.h"
#include "gatewayd/roster.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "gatewayd/totals.h"
#include "proto/channel.h"

#define HANDOFF_WAIT_MS		2000	/* for a shard to start */
#define HANDOFF_LATE_MS		2000	/* that a shard may adopt it */
#define HANDOFF_GRACE_MS	200	/* more, until it is somebody else's */
#define HANDOFF_MANY		1024	/* unanswered: accept more slowly */
#define HANDOFF_PAUSE_MS	10

struct handoff {
	struct map_node	 by_id;
	struct list	 at;		/* of its shard, or of again */
	struct list	 at_wait;	/* not sent: by deadline, and in order */
	struct list	 at_sent;	/* sent: likewise */
	struct shard	*shard;		/* NULL: no place */
	uint64_t	 deadline;	/* clock_ms; sent: to be taken back */
	uint64_t	 number;	/* of ADOPT on the channel */
	uint64_t	 began;		/* clock_ns */
	unsigned	 tries;
	struct quota_wait quota;
	int		 sent;
	int		 fd;
	struct handoff_ask ask;		/* slices into what follows */
	struct capsule_header headers[];	/* then the bytes */
};

struct handoffs {
	const struct settings *settings;
	struct totals	*totals;
	struct placement *placement;
	struct quotas	*quotas;
	struct roster	*roster;
	struct lingerers *linger;
	const struct handoff_ops *ops;
	void		*arg;
	int		 leaving;
	struct map	 by_id;
	struct list	 waiting;	/* at_wait */
	size_t		 nwaiting;
	struct list	 again;		/* to be placed afresh, this turn */
	struct list	 sent;		/* at_sent */
	struct list	 rests;		/* rest.h */
	struct event	*timer;
	struct event	*late;		/* for the first that was sent */
	struct event	*pause;		/* pending: accepting rests */
	struct turn_work work;
};

static struct handoff *handoff_new(struct handoffs *,
	    const struct handoff_ask *, int);
static void	 handoff_place(struct handoffs *, struct handoff *);
static void	 handoff_send(struct handoffs *, struct handoff *);
static int	 handoff_wait(struct handoffs *, struct handoff *);
static void	 handoff_unwait(struct handoffs *, struct handoff *);
static void	 handoff_again(struct handoffs *, struct handoff *);
static void	 handoff_refuse(struct handoffs *, struct handoff *,
	    enum refusal);
static int	 handoff_detach(struct handoffs *, struct handoff *);
static struct handoff *handoff_find(struct handoffs *, const struct shard *,
	    uint64_t);
static int	 handoff_disown(struct handoffs *, struct handoff *);
static void	 handoff_late_cb(evutil_socket_t, short, void *);
static void	 handoff_arm_late(struct handoffs *, uint64_t);
static void	 handoff_again_work(void *);
static void	 handoff_timer_cb(evutil_socket_t, short, void *);
static void	 handoff_arm(struct handoffs *);
static void	 handoff_ease(struct handoffs *);
static void	 handoff_pause_cb(evutil_socket_t, short, void *);

struct handoffs *
handoffs_new(struct event_base *base, const struct settings *settings,
    struct totals *totals, struct placement *placement, struct quotas *quotas,
    struct roster *roster, struct lingerers *linger, const struct handoff_ops *ops, void *arg)
{
	struct handoffs	*hs;

	if ((hs = calloc(1, sizeof(*hs))) == NULL)
		return (NULL);
	hs->settings = settings;
	hs->totals = totals;
	hs->placement = placement;
	hs->quotas = quotas;
	hs->roster = roster;
	hs->linger = linger;
	hs->ops = ops;
	hs->arg = arg;
	list_init(&hs->waiting);
	list_init(&hs->again);
	list_init(&hs->sent);
	list_init(&hs->rests);
	turn_work_init(&hs->work, handoff_again_work, hs);
	hs->timer = evtimer_new(base, handoff_timer_cb, hs);
	hs->pause = evtimer_new(base, handoff_pause_cb, hs);
	hs->late = evtimer_new(base, handoff_late_cb, hs);
	if (hs->timer == NULL || hs->pause == NULL || hs->late == NULL) {
		handoffs_free(hs);
		errno = ENOMEM;
		return (NULL);
	}
	return (hs);
}

void
handoffs_free(struct handoffs *hs)
{
	struct map_node	*n;

	if (hs == NULL)
		return;
	while ((n = map_first(&hs->by_id)) != NULL)
		close(handoff_detach(hs, container_of(n,
		    struct handoff, by_id)));
	rest_clear(&hs->rests);
	map_clear(&hs->by_id);
	turn_cancel(&hs->work);
	if (hs->late != NULL)
		event_free(hs->late);
	if (hs->timer != NULL)
		event_free(hs->timer);
	if (hs->pause != NULL)
		event_free(hs->pause);
	free(hs);
}

void
handoff_start(struct handoffs *hs, const struct handoff_ask *ask, int fd)
{
	struct handoff	*h;

	if ((h = handoff_new(hs, ask, fd)) == NULL) {
		address_unref(ask->address);
		linger_turn_away(hs->linger, fd, ask->raw, REFUSED_MEMORY,
		    ask->head_only);
		return;
	}
	handoff_place(hs, h);
	handoff_ease(hs);
}

void
handoff_shard_ready(struct handoffs *hs, struct shard *s)
{
	struct list	*l, *tmp;
	struct handoff	*h;

	list_each(l, tmp, &s->handoffs) {
		h = list_entry(l, struct handoff, at);
		if (!h->sent)
			handoff_send(hs, h);
	}
	handoff_retry(hs);		/* one more may start now */
}

void
handoff_retry(struct handoffs *hs)
{
	struct list	*l, *tmp;
	struct handoff	*h;

	list_each(l, tmp, &hs->waiting) {
		h = list_entry(l, struct handoff, at_wait);
		if (h->shard == NULL && list_empty(&h->at)) {
			list_push(&hs->again, &h->at);
			turn_add(&hs->work, TURN_LINKS);
		}
	}
}

void
handoff_shard_dead(struct handoffs *hs, struct shard *s)
{
	struct list	*l, *tmp;

	list_each(l, tmp, &s->handoffs)
		handoff_again(hs, list_entry(l, struct handoff, at));
	rest_wake(&hs->rests, s, 1, hs->ops->home, hs->arg);
}

void
handoff_adopted(struct handoffs *hs, struct shard *s, uint64_t id)
{
	struct handoff	*h = handoff_find(hs, s, id);
	struct place	*place = placement_find(hs->placement, id);

	if (h == NULL)
		return;
	hs->totals->handed++;
	histogram_add(hs->totals->handover, clock_ns() - h->began);
	if (place != NULL) {
		place->address = h->ask.address;
		h->ask.address = NULL;
	}
	log_debug("handoff id=%016" PRIx64 " slot=%" PRIu32 " adopted", id,
	    s->slot);
	if (place != NULL)
		(void)covers_keep(hs->placement, place, handoff_detach(hs, h));
	else
		close(handoff_detach(hs, h));
}

void
handoff_refused(struct handoffs *hs, struct shard *s, uint64_t id,
    struct slice why, int leaving)
{
	struct handoff	*h = handoff_find(hs, s, id);
	struct place	*place;
	char		 text[128], app[128];

	if (h == NULL) {
		/* The shard said ADOPTED, and then saw that it was too late. */
		place = placement_find(hs->placement, id);
		if (place != NULL && place_site(place) == s->site) {
			hs->totals->gone[CLOSE_LOST]++;
			placement_release(hs->placement, id, NULL);
		}
		return;
	}
	log_info("shard slot=%" PRIu32 " id=%016" PRIx64 " app=%s refused: %s",
	    s->slot, id, log_escape(app, sizeof(app), h->ask.app.data,
	    h->ask.app.len), log_escape(text, sizeof(text), why.data, why.len));
	if (leaving)
		h->tries--;
	handoff_again(hs, h);
}

void
handoff_home(struct handoffs *hs, struct shard *s, const struct capsule *c,
    int fd)
{
	struct ctl	 m = { .type = CTL_ADOPTED, .id = c->id,
			    .replica = c->replica };
	struct place	*place = placement_find(hs->placement, c->id);
	struct rest	*rest = rest_new(c);

	if (rest == NULL || shard_tell(s, &m, NULL) == -1) {
		/* Without an answer, the connection stays the shard's. */
		rest_free(rest);
		close(fd);
		return;
	}
	/* A connection on its way home when a gateway died has no place. */
	if (place != NULL && place_site(place) == s->site)
		placement_release(hs->placement, c->id, NULL);
	hs->totals->home++;
	rest_put(&hs->rests, rest, s, control_queued(s->control), fd);
}

void
handoff_packet(struct handoffs *hs, struct shard *s)
{
	if (list_empty(&hs->rests))
		return;
	control_flush(s->control);
	rest_wake(&hs->rests, s, 0, hs->ops->home, hs->arg);
}

void
handoff_sent(struct handoffs *hs, struct shard *s)
{
	rest_wake(&hs->rests, s, 0, hs->ops->home, hs->arg);
}

void
handoff_leave(struct handoffs *hs)
{

	hs->leaving = 1;
	/* What is sent may have been adopted: that is for the shard to say. */
	while (!list_empty(&hs->waiting))
		handoff_refuse(hs, list_entry(hs->waiting.next, struct handoff,
		    at_wait), REFUSED_LEAVING);
}

size_t
handoff_count(const struct handoffs *hs)
{
	return (hs == NULL ? 0 : hs->by_id.count);
}

/* ---- one ---- */

/* Keeps all of ask.  fd is taken only on success. */
static struct handoff *
handoff_new(struct handoffs *hs, const struct handoff_ask *ask, int fd)
{
	struct handoff	*h;

	if ((h = malloc(sizeof(*h) + handoff_ask_size(ask))) == NULL)
		return (NULL);
	handoff_ask_copy(&h->ask, ask, h->headers);
	h->shard = NULL;
	h->deadline = h->number = 0;
	h->began = clock_ns();
	h->tries = 0;
	h->sent = 0;
	h->fd = fd;
	list_init(&h->at);
	list_init(&h->at_wait);
	list_init(&h->at_sent);
	list_init(&h->quota.at);
	h->quota.asked = 0;
	if (map_insert(&hs->by_id, &h->by_id, &h->ask.id,
	    sizeof(h->ask.id)) == -1) {
		free(h);
		return (NULL);
	}
	return (h);
}

/* Is there room in the group of h, over all nodes?  Else h waits for an answer, or is
 * refused, which frees it. */
static int
handoff_may_come(struct handoffs *hs, struct handoff *h)
{
	if (h->ask.limit_group == 0 || h->ask.http || h->ask.group.data == NULL)
		return (1);
	switch (quota_ask(hs->quotas, h->ask.app, h->ask.group,
	    h->ask.limit_group, &h->quota)) {
	case QUOTA_GRANTED:
		return (1);
	case QUOTA_ASKED:
		break;
	case QUOTA_FULL:
		handoff_refuse(hs, h, REFUSED_GROUP);
		break;
	case QUOTA_UNKNOWN:
		handoff_refuse(hs, h, REFUSED_UNCOUNTED);
		break;
	}
	return (0);
}

void
handoff_counted(struct handoffs *hs, struct quota_wait *w)
{
	struct handoff	*h = container_of(w, struct handoff, quota);

	list_remove(&h->at);		/* it may be due anyway */
	handoff_place(hs, h);
}

/* h has no place: find one, or wait for one, or refuse.  May free h. */
static void
handoff_place(struct handoffs *hs, struct handoff *h)
{
	const struct placement_ask	 ask = {
		.id = h->ask.id, .group = h->ask.group, .uid = h->ask.uid,
		.app = h->ask.app, .limit = h->ask.limit,
		.place = h->ask.place, .http = h->ask.http
	};
	enum placement_answer		 answer;
	struct place			*place;

	if (hs->leaving) {
		handoff_refuse(hs, h, REFUSED_LEAVING);
		return;
	}
	if (h->tries == HANDOFF_TRIES) {
		handoff_refuse(hs, h, REFUSED_LOST);
		return;
	}
	if (!handoff_may_come(hs, h))
		return;
	answer = placement_take(hs->placement, &ask, &place);
	/* A plain request needs none of its own, but some. */
	if ((answer == PLACEMENT_NEED_SHARD || (answer == PLACEMENT_FULL &&
	    roster_serving(hs->roster) == 0)) && roster_grow(hs->roster) == 0)
		answer = placement_take(hs->placement, &ask, &place);
	if (answer == PLACED) {
		h->tries++;
		h->shard = place_site(place)->owner;
		list_push(&h->shard->handoffs, &h->at);
		if (h->shard->state == SHARD_READY)
			handoff_send(hs, h);
		else if (handoff_wait(hs, h) == -1)
			handoff_refuse(hs, h, REFUSED_WAITING);
	} else if (!roster_starting(hs->roster) || handoff_wait(hs, h) == -1)
		handoff_refuse(hs, h, REFUSED_FULL);
}

/* May free h. */
static void
handoff_send(struct handoffs *hs, struct handoff *h)
{
	static struct buf	 record;	/* kept from one to the next */
	const struct place	*place = placement_find(hs->placement,
				    h->ask.id);
	const struct handoff_ask *ask = &h->ask;
	struct capsule		 c;
	struct ctl		 m = { .type = CTL_ADOPT, .id = ask->id,
				    .time = clock_ms() + HANDOFF_LATE_MS };
	int			 fds[2] = { h->fd, -1 };

	handoff_unwait(hs, h);
	memset(&c, 0, sizeof(c));
	c.id = ask->id;
	c.protocol = ask->raw ? CAPSULE_RAW : CAPSULE_HTTP;
	c.flags = ask->flags;
	c.replica = place->replica == NULL ? 0 : place->replica->id;
	c.group = ask->group;
	c.uid = ask->uid;
	c.app = ask->app;
	c.route = ask->route;
	c.peer = ask->peer;
	c.via = ask->via;
	c.early = ask->early;
	memcpy(c.headers, h->headers, ask->nheaders * sizeof(c.headers[0]));
	c.nheaders = ask->nheaders;
	buf_reset(&record);
	if (capsule_encode(&record, &c) == -1)
		goto fail;
	m.replica = c.replica;
	if (record.len > CAPSULE_INLINE) {
		m.flags = CTL_F_MEMFD;
		if ((fds[1] = capsule_memfd(record.data, record.len)) == -1)
			goto fail;
	} else
		m.value = slice_of(record.data, record.len);
	if (shard_tell(h->shard, &m, fds) == -1)
		goto fail;
	h->sent = h->shard->asked = 1;
	h->number = control_queued(h->shard->control);
	h->deadline = m.time + HANDOFF_GRACE_MS;
	list_push(&hs->sent, &h->at_sent);
	if (!evtimer_pending(hs->late, NULL))
		handoff_arm_late(hs, HANDOFF_LATE_MS +
		    HANDOFF_GRACE_MS);
	return;
fail:
	log_warn("handoff id=%016" PRIx64 " slot=%" PRIu32 " error=\"%s\"",
	    ask->id, h->shard->slot, strerror(errno));
	if (fds[1] != -1)
		close(fds[1]);
	handoff_refuse(hs, h, REFUSED_MEMORY);
}

/* For a shard to get ready.  0, or -1: too many do. */
static int
handoff_wait(struct handoffs *hs, struct handoff *h)
{

	if (!list_empty(&h->at_wait))
		return (0);
	if (hs->nwaiting >= hs->settings->waiting_max)
		return (-1);
	h->deadline = clock_ms() + HANDOFF_WAIT_MS;
	list_push(&hs->waiting, &h->at_wait);
	hs->nwaiting++;
	if (!evtimer_pending(hs->timer, NULL))
		handoff_arm(hs);
	return (0);
}

/* A handoff waits no more. */
static void
handoff_unwait(struct handoffs *hs, struct handoff *h)
{
	if (list_empty(&h->at_wait))
		return;
	list_remove(&h->at_wait);
	hs->nwaiting--;
}

/* The place of h is given up; at the end of this turn h gets another. */
static void
handoff_again(struct handoffs *hs, struct handoff *h)
{

	placement_release(hs->placement, h->ask.id, NULL);
	h->shard = NULL;
	h->sent = 0;
	list_remove(&h->at_sent);
	list_remove(&h->at);
	list_push(&hs->again, &h->at);
	turn_add(&hs->work, TURN_LINKS);
}

/* Place those afresh that lost their places in this turn. */
static void
handoff_again_work(void *arg)
{
	struct handoffs	*hs = arg;
	struct list	*l, *tmp, now;
	struct handoff	*h;

	list_init(&now);
	list_each(l, tmp, &hs->again) {
		list_remove(l);
		list_push(&now, l);
	}
	while (!list_empty(&now)) {
		h = list_entry(now.next, struct handoff, at);
		list_remove(&h->at);
		handoff_place(hs, h);
	}
}

/* Frees h. */
static void
handoff_refuse(struct handoffs *hs, struct handoff *h, enum refusal why)
{
	int	 raw = h->ask.raw, head_only = h->ask.head_only;

	if (h->shard != NULL)
		placement_release(hs->placement, h->ask.id, NULL);
	linger_turn_away(hs->linger, handoff_detach(hs, h), raw, why,
	    head_only);
}

/* Frees h; its descriptor is the caller's. */
static int
handoff_detach(struct handoffs *hs, struct handoff *h)
{
	int	 fd = h->fd;

	handoff_unwait(hs, h);
	quota_cancel(&h->quota);
	list_remove(&h->at_sent);
	list_remove(&h->at);
	map_remove(&hs->by_id, &h->by_id);
	address_unref(h->ask.address);
	free(h);
	return (fd);
}

/* A handoff that was sent to s, or NULL. */
static struct handoff *
handoff_find(struct handoffs *hs, const struct shard *s, uint64_t id)
{
	struct map_node	*n = map_find(&hs->by_id, &id, sizeof(id));
	struct handoff	*h;

	h = n == NULL ? NULL : container_of(n, struct handoff, by_id);
	if (h != NULL && h->shard == s && h->sent)
		return (h);
	log_debug("shard slot=%" PRIu32 " id=%016" PRIx64
	    " answered too late", s->slot, id);
	return (NULL);
}

/* ---- time ---- */

/* Wake when the first of those who wait has waited long enough. */
static void
handoff_arm(struct handoffs *hs)
{
	const struct handoff	*h;
	struct timeval		 tv;
	uint64_t		 now = clock_ms(), ms;

	if (list_empty(&hs->waiting))
		return;
	h = list_entry(hs->waiting.next, struct handoff, at_wait);
	ms = h->deadline <= now ? 1 : h->deadline - now;
	tv = clock_tv(ms);
	evtimer_add(hs->timer, &tv);
}

/* Refuse those who have waited long enough. */
static void
handoff_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct handoffs	*hs = arg;
	struct handoff	*h;
	uint64_t	 now = clock_ms();

	(void)fd, (void)what;
	while (!list_empty(&hs->waiting)) {
		h = list_entry(hs->waiting.next, struct handoff, at_wait);
		if (h->deadline > now)
			break;
		handoff_refuse(hs, h, REFUSED_NO_SHARD);
	}
	handoff_arm(hs);
}

/* In ms. */
static void
handoff_arm_late(struct handoffs *hs, uint64_t ms)
{
	struct timeval	 tv = clock_tv(ms);

	evtimer_add(hs->late, &tv);
}

/*
 * Those that a shard neither adopted nor refused in time are placed afresh.  What it
 * said in time is there to be read, and is read first: reading a channel has the
 * loop's highest priority.
 */
static void
handoff_late_cb(evutil_socket_t fd, short what, void *arg)
{
	struct handoffs	*hs = arg;
	struct handoff	*h;
	struct pollfd	 p = { .events = POLLIN };
	uint64_t	 now = clock_ms();

	(void)fd, (void)what;
	while (!list_empty(&hs->sent)) {
		h = list_entry(hs->sent.next, struct handoff, at_sent);
		if (h->deadline > now) {
			handoff_arm_late(hs, h->deadline - now);
			return;
		}
		p.fd = control_fd(h->shard->control);
		if (poll(&p, 1, 0) != 0 || handoff_disown(hs, h) == -1) {
			/* Behind the others, whose shards may be silent. */
			list_remove(&h->at_sent);
			h->deadline = now + HANDOFF_GRACE_MS;
			list_push(&hs->sent, &h->at_sent);
			continue;
		}
		log_info("shard slot=%" PRIu32 " id=%016" PRIx64
		    " did not adopt it in time", h->shard->slot, h->ask.id);
		roster_suspect(hs->roster, h->shard);
		handoff_again(hs, h);
	}
}

/*
 * The shard shall not have h.  If the kernel has its ADOPT, the shard will see that
 * it is too late; else the descriptor stays as it is until then.  0, or -1.
 */
static int
handoff_disown(struct handoffs *hs, struct handoff *h)
{
	struct rest	*rest;
	int		 fd;

	if (h->number <= control_sent(h->shard->control))
		return (0);
	if ((rest = rest_new(NULL)) == NULL)
		return (-1);
	if ((fd = fcntl(h->fd, F_DUPFD_CLOEXEC, 0)) == -1) {
		rest_free(rest);
		return (-1);
	}
	rest_put(&hs->rests, rest, h->shard, h->number, h->fd);
	h->fd = fd;
	return (0);
}

/* ---- overload ---- */

/*
 * Accept no faster than the shards adopt, but never for long: the one that many
 * wait for may hang, and the others are not to suffer.
 */
static void
handoff_ease(struct handoffs *hs)
{
	const struct timeval	 tv = { 0, HANDOFF_PAUSE_MS * 1000 };

	if (hs->by_id.count - hs->nwaiting < HANDOFF_MANY ||
	    evtimer_pending(hs->pause, NULL))
		return;
	hs->ops->pause(1, hs->arg);
	evtimer_add(hs->pause, &tv);
}

/* The pause is over: accept. */
static void
handoff_pause_cb(evutil_socket_t fd, short what, void *arg)
{
	struct handoffs	*hs = arg;

	(void)fd, (void)what;
	hs->ops->pause(0, hs->arg);
}

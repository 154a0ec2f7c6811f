/* Connections that outlive their shards, on their way to others. */
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
#include "common/sock.h"
#include "common/turn.h"
#include "gatewayd/address.h"
#include "gatewayd/covers.h"
#include "gatewayd/election.h"
#include "gatewayd/linger.h"
#include "gatewayd/placement.h"
#include "gatewayd/quota.h"
#include "gatewayd/rescue.h"
#include "gatewayd/rest.h"
#include "gatewayd/route.h"
#include "gatewayd/routes.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "gatewayd/totals.h"
#include "gatewayd/wreck.h"
#include "proto/capsule.h"
#include "proto/channel.h"
#include "proto/ws_frame.h"

#define RESCUE_CODE	1012	/* for whoever is to come back */
#define RESCUE_TURN	1024	/* get places at one go */
#define RESCUE_LATE_MS	2000	/* that a shard may adopt one */
#define RESCUE_GRACE_MS	200	/* more, until it is somebody else's */

struct rescue {
	struct map_node	 by_id;
	struct list	 at;		/* rs->due or waiting, or one of its shard's */
	struct list	 at_sent;	/* rs->sent: by deadline */
	uint64_t	 deadline;	/* clock_ms; sent: to be taken back */
	uint64_t	 number;	/* of its packet in the channel of its shard */
	struct wreck	*wreck;
	struct shard	*shard;		/* where its place is; NULL: none yet */
	struct address	*address;	/* a reference, or NULL */
	uint64_t	 id;
	uint64_t	 replica;	/* that ended with the dead shard; 0: none */
	uint32_t	 limit;
	unsigned	 tries;
	int		 sent;
	int		 held;		/* room in its group, over all nodes */
	int		 fd;
	size_t		 len;
	char		 record[];
};

struct rescues {
	const struct settings *settings;
	struct totals	*totals;
	struct placement *placement;
	struct quotas	*quotas;
	struct lingerers *linger;
	const struct rescue_ops *ops;
	struct roster	*roster;
	int		 leaving;
	struct map	 by_id;
	struct list	 due;		/* without a place: one is to be found */
	struct list	 waiting;	/* there was none */
	struct list	 sent;		/* not answered yet */
	struct list	 rests;		/* in the way of shards that hang */
	struct list	 wrecks;	/* oldest first */
	struct event	*timer;		/* for the first that waits too long */
	struct event	*late;		/* for the first that is not answered */
	struct turn_work work;
};

static void	 rescue_place(struct rescues *, struct rescue *);
static void	 rescue_unplace(struct rescues *, struct rescue *);
static void	 rescue_go_on(struct rescues *, struct shard *);
static void	 rescue_lose(struct rescues *, struct rescue *, enum wreck_end);
static int	 rescue_free(struct rescues *, struct rescue *);
static void	 rescue_work(void *);
static void	 rescue_timer_cb(evutil_socket_t, short, void *);
static void	 rescue_late_cb(evutil_socket_t, short, void *);

struct rescues *
rescues_new(struct event_base *base, const struct settings *settings,
    struct totals *totals, struct placement *placement,
    struct quotas *quotas, struct lingerers *linger,
    const struct rescue_ops *ops, struct roster *roster)
{
	struct rescues	*rs;

	if ((rs = calloc(1, sizeof(*rs))) == NULL)
		return (NULL);
	rs->settings = settings;
	rs->totals = totals;
	rs->placement = placement;
	rs->quotas = quotas;
	rs->linger = linger;
	rs->ops = ops;
	rs->roster = roster;
	list_init(&rs->due);
	list_init(&rs->waiting);
	list_init(&rs->sent);
	list_init(&rs->rests);
	list_init(&rs->wrecks);
	turn_work_init(&rs->work, rescue_work, rs);
	rs->timer = evtimer_new(base, rescue_timer_cb, rs);
	rs->late = evtimer_new(base, rescue_late_cb, rs);
	if (rs->timer != NULL && rs->late != NULL)
		return (rs);
	rescues_free(rs);
	errno = ENOMEM;
	return (NULL);
}

void
rescues_free(struct rescues *rs)
{
	struct map_node	*n;

	if (rs == NULL)
		return;
	while ((n = map_first(&rs->by_id)) != NULL)
		close(rescue_free(rs, container_of(n, struct rescue, by_id)));
	while (!list_empty(&rs->wrecks))
		wreck_free(list_entry(rs->wrecks.next, struct wreck, at));
	map_clear(&rs->by_id);
	rest_clear(&rs->rests);
	turn_cancel(&rs->work);
	if (rs->timer != NULL)
		event_free(rs->timer);
	if (rs->late != NULL)
		event_free(rs->late);
	free(rs);
}

/* ---- a shard has died ---- */

/* The client of fd (taken) hears why nobody goes on with it, if it can, unless that would
 * stand within a message; and it reads to the end what it was sent, whatever it has said
 * since. */
static void
rescue_close(struct rescues *rs, int fd, enum capsule_protocol protocol,
    enum wreck_end end)
{
	enum close_why	 why = end == WRECK_POISON ? CLOSE_POISON :
			    CLOSE_SHARD_DIED;
	struct buf	 out = { .max = 256 };
	uint8_t		 head[WS_HEAD_MAX], text[125];
	size_t		 n;

	if (protocol == CAPSULE_WS && end != WRECK_AMID_OUT) {
		n = ws_close_payload(text, RESCUE_CODE, close_sentence(why));
		(void)buf_add(&out, head, ws_head(head, WS_CLOSE, n, 0));
		(void)buf_add(&out, text, n);
	}
	linger_served(rs->linger, fd, &out);
}

/* Give up the place of r, who is to have another one in that group. */
static void
rescue_release(struct rescues *rs, struct rescue *r, const struct capsule *c)
{
	if (r->replica != 0)
		r->held = quota_hold(rs->quotas, c->app, c->group);
	(void)placement_release(rs->placement, r->id, NULL);
}

/* r has a place, or none any more. */
static void
rescue_let(struct rescues *rs, struct rescue *r, const struct capsule *c)
{
	if (r->held)
		quota_let(rs->quotas, c->app, c->group);
	r->held = 0;
}

/* It can go on: what is needed for that.  Its place goes.  NULL: no memory, and it
 * keeps its place. */
static struct rescue *
rescue_new(struct rescues *rs, struct wreck *w, struct place *place,
    struct capsule *c)
{
	static struct buf	 record;	/* kept from one to the next */
	const struct replica	*replica = place->replica;
	struct rescue		*r;

	c->bits |= CAPSULE_B_RESUMED;
	c->paused = clock_ns();
	buf_reset(&record);
	if (capsule_encode(&record, c) == -1 ||
	    (r = calloc(1, sizeof(*r) + record.len)) == NULL)
		return (NULL);
	r->wreck = w;
	r->id = place->id;
	r->len = record.len;
	memcpy(r->record, record.data, record.len);
	if (replica != NULL) {
		r->replica = replica->id;
		r->limit = replica->group->limit;
	}
	if (map_insert(&rs->by_id, &r->by_id, &r->id, sizeof(r->id)) == -1) {
		free(r);
		return (NULL);
	}
	r->address = place->address;
	place->address = NULL;
	r->fd = covers_take(rs->placement, place);
	list_init(&r->at_sent);
	list_push(&rs->due, &r->at);
	w->left++;
	rescue_release(rs, r, c);
	return (r);
}

/* What becomes of one place of the dead shard?  Whoever cannot go on keeps it. */
static enum wreck_end
rescue_judge(struct rescues *rs, struct wreck *w, struct place *place)
{
	struct covered	 c;
	enum wreck_end	 end = wreck_judge(w, place, &c);

	if (end == WRECK_GOES_ON) {
		if (rescue_new(rs, w, place, &c.cap) != NULL)
			return (WRECK_GOES_ON);
		end = WRECK_REFUSED;
	}
	w->ends[end]++;
	if (end == WRECK_AMID_IN || end == WRECK_AMID_OUT ||
	    end == WRECK_POISON || end == WRECK_REFUSED ||
	    end == WRECK_UNKNOWN)
		rescue_close(rs, covers_take(rs->placement, place),
		    c.cap.protocol, end);
	else
		sock_end(covers_take(rs->placement, place), 0);
	return (end);
}

size_t
rescue_begin(struct rescues *rs, struct shard *s)
{
	struct wreck	*w;
	struct place	*place;
	size_t		 at = 0;

	if (rs->leaving || s->site == NULL || s->site->count == 0 ||
	    (w = wreck_new(s)) == NULL)
		return (0);
	list_push(&rs->wrecks, &w->at);
	while (s->site->count > 0 &&
	    (place = placement_next(rs->placement, &at)) != NULL)
		if (place_site(place) == s->site &&
		    rescue_judge(rs, w, place) == WRECK_GOES_ON)
			at--;		/* another one may stand there now */
	wreck_read(w);
	rs->totals->gone[CLOSE_POISON] += w->ends[WRECK_POISON];
	turn_add(&rs->work, TURN_LINKS);
	return (w->ends[WRECK_POISON]);
}

/* ---- places ---- */

struct rescue_rule { struct slice label; enum spot_rule rule; };

/* Is this the route of that label? */
static void
rescue_rule_cb(const struct route *route, void *arg)
{
	struct rescue_rule	*rule = arg;

	if (slice_is(rule->label, route->label))
		rule->rule = route->place;
}

/* Find a place for one that has none and stands in no list, or let it wait. */
static void
rescue_place(struct rescues *rs, struct rescue *r)
{
	struct rescue_rule	 rule = { .rule = SPOT_LEAST };
	struct placement_ask	 ask = { .id = r->id, .limit = r->limit };
	enum placement_answer	 answer;
	struct place		*place;
	struct capsule		 c;

	if (capsule_decode(&c, r->record, r->len) == -1) {
		rescue_lose(rs, r, WRECK_UNKNOWN);
		return;
	}
	rule.label = c.route;
	routes_each(rs->settings->routes, rescue_rule_cb, &rule);
	ask.place = rule.rule;
	ask.app = c.app;
	ask.uid = c.uid;
	if (r->replica != 0)
		ask.group = c.group;
	answer = placement_take(rs->placement, &ask, &place);
	if (answer == PLACEMENT_NEED_SHARD && rs->ops->grow(rs->roster) == 0)
		answer = placement_take(rs->placement, &ask, &place);
	if (answer != PLACED) {
		list_push(&rs->waiting, &r->at);
		return;
	}
	rescue_let(rs, r, &c);
	r->shard = place_site(place)->owner;
	list_push(&r->shard->rescues, &r->at);
	rescue_go_on(rs, r->shard);
}

/* One is given up by its shard: it waits for another place. */
static void
rescue_unplace(struct rescues *rs, struct rescue *r)
{
	struct capsule	 c;

	if (capsule_decode(&c, r->record, r->len) == 0)
		rescue_release(rs, r, &c);
	if (r->sent)
		r->shard->rescuing--;
	r->sent = 0;
	r->shard = NULL;
	list_remove(&r->at_sent);
	list_remove(&r->at);
	list_push(&rs->due, &r->at);
	turn_add(&rs->work, TURN_LINKS);
}

/* Hand one over to its shard.  0, or -1: it cannot be. */
static int
rescue_send(struct rescues *rs, struct rescue *r)
{
	static struct buf	 record;	/* kept from one to the next */
	const struct place	*place = placement_find(rs->placement, r->id);
	struct ctl		 m = { .type = CTL_ADOPT, .id = r->id,
				    .time = clock_ms() + RESCUE_LATE_MS };
	struct capsule		 c;
	int			 fds[2] = { r->fd, -1 };

	if (r->shard->capsule < CAPSULE_RESUMES ||
	    capsule_decode(&c, r->record, r->len) == -1)
		return (-1);
	c.replica = place->replica == NULL ? 0 : place->replica->id;
	m.replica = c.replica;
	buf_reset(&record);
	if (capsule_encode(&record, &c) == -1)
		return (-1);
	if (record.len > CAPSULE_INLINE) {
		m.flags = CTL_F_MEMFD;
		if ((fds[1] = capsule_memfd(record.data, record.len)) == -1)
			return (-1);
	} else
		m.value = slice_of(record.data, record.len);
	if (shard_tell(r->shard, &m, fds) == -1) {
		if (fds[1] != -1)
			close(fds[1]);
		return (-1);
	}
	r->number = control_queued(r->shard->control);
	r->deadline = m.time + RESCUE_GRACE_MS;
	return (0);
}

/* Wake when the first of those that are sent is to be answered. */
static void
rescue_arm_late(struct rescues *rs)
{
	const struct rescue	*r;
	struct timeval		 tv;
	uint64_t		 now = clock_ms();

	if (list_empty(&rs->sent) || evtimer_pending(rs->late, NULL))
		return;
	r = list_entry(rs->sent.next, struct rescue, at_sent);
	tv = clock_tv(r->deadline > now ? r->deadline - now : 1);
	evtimer_add(rs->late, &tv);
}

/* Send s as many as it may have unanswered. */
static void
rescue_go_on(struct rescues *rs, struct shard *s)
{
	struct rescue	*r;

	while (!list_empty(&s->rescues) && s->rescuing < RESCUE_WINDOW) {
		r = list_entry(s->rescues.next, struct rescue, at);
		if (s->state == SHARD_STARTING)
			return;
		if (s->state != SHARD_READY || !shard_open(s)) {
			rescue_unplace(rs, r);
			continue;
		}
		if (rescue_send(rs, r) == -1) {
			rescue_lose(rs, r, WRECK_REFUSED);
			continue;
		}
		r->sent = s->asked = 1;
		s->rescuing++;
		list_remove(&r->at);
		list_push(&s->rescued, &r->at);
		list_push(&rs->sent, &r->at_sent);
	}
	rescue_arm_late(rs);
}

/*
 * The shard shall not have r.  If the kernel has its ADOPT, the shard will see that
 * it is too late; else the descriptor stays as it is until then.  0, or -1.
 */
static int
rescue_disown(struct rescues *rs, struct rescue *r)
{
	struct rest	*rest;
	int		 fd;

	if (r->number <= control_sent(r->shard->control))
		return (0);
	if ((rest = rest_new(NULL)) == NULL)
		return (-1);
	if ((fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0)) == -1) {
		rest_free(rest);
		return (-1);
	}
	rest_put(&rs->rests, rest, r->shard, r->number, r->fd);
	r->fd = fd;
	return (0);
}

/* s does not answer: whoever is to go there, and was not sent, gets another place. */
static void
rescue_turn_back(struct rescues *rs, struct shard *s)
{
	struct list	*l, *tmp;

	rs->ops->suspect(rs->roster, s);
	list_each(l, tmp, &s->rescues)
		rescue_unplace(rs, list_entry(l, struct rescue, at));
}

/*
 * Those that a shard neither adopted nor refused in time are placed afresh, and those
 * that stand behind them.  What it said in time is there to be read, and is read first:
 * reading a channel has the loop's highest priority.
 */
static void
rescue_late_cb(evutil_socket_t fd, short what, void *arg)
{
	struct rescues	*rs = arg;
	struct rescue	*r;
	struct shard	*s;
	struct pollfd	 p = { .events = POLLIN };
	uint64_t	 now = clock_ms();

	(void)fd, (void)what;
	while (!list_empty(&rs->sent)) {
		r = list_entry(rs->sent.next, struct rescue, at_sent);
		if (r->deadline > now)
			break;
		s = r->shard;
		p.fd = control_fd(s->control);
		if (poll(&p, 1, 0) != 0 || rescue_disown(rs, r) == -1) {
			/* Behind the others, whose shards may be silent. */
			list_remove(&r->at_sent);
			r->deadline = now + RESCUE_GRACE_MS;
			list_push(&rs->sent, &r->at_sent);
			continue;
		}
		log_info("shard slot=%" PRIu32 " id=%016" PRIx64 " of a dead "
		    "shard was not adopted in time", s->slot, r->id);
		rescue_unplace(rs, r);
		rescue_turn_back(rs, s);
	}
	rescue_arm_late(rs);
}

/* The work of a turn: those without a place get one, if there is one. */
static void
rescue_work(void *arg)
{
	struct rescues	*rs = arg;
	struct list	*l, *tmp;
	struct rescue	*r;
	struct wreck	*w;
	struct timeval	 tv;
	uint64_t	 now = clock_ms(), due;

	for (int i = 0; i < RESCUE_TURN && !list_empty(&rs->due); i++) {
		r = list_entry(rs->due.next, struct rescue, at);
		list_remove(&r->at);
		if (r->tries >= RESCUE_TRIES)
			rescue_lose(rs, r, WRECK_REFUSED);
		else if (rs->leaving ||
		    now - r->wreck->began >= RESCUE_WAIT_MS)
			rescue_lose(rs, r, WRECK_LATE);
		else
			rescue_place(rs, r);
	}
	list_each(l, tmp, &rs->wrecks) {
		w = list_entry(l, struct wreck, at);
		if (w->left > 0)
			continue;
		wreck_say(w);
		wreck_free(w);
	}
	if (!list_empty(&rs->due))
		turn_later(&rs->work);
	if (list_empty(&rs->waiting) || list_empty(&rs->wrecks))
		return;
	w = list_entry(rs->wrecks.next, struct wreck, at);
	due = w->began + RESCUE_WAIT_MS;
	tv = clock_tv(due > now ? due - now : 1);
	evtimer_add(rs->timer, &tv);
}

/* Something has changed for those who wait. */
static void
rescue_wake(struct rescues *rs)
{
	struct list	*l, *tmp;

	list_each(l, tmp, &rs->waiting) {
		list_remove(l);
		list_push(&rs->due, l);
	}
	if (!list_empty(&rs->due))
		turn_add(&rs->work, TURN_LINKS);
}

/* Some may have waited long enough. */
static void
rescue_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	rescue_wake(arg);
}

/* ---- what shards say ---- */

void
rescue_shard_ready(struct rescues *rs, struct shard *s)
{
	rescue_go_on(rs, s);
	rescue_wake(rs);
}

void
rescue_retry(struct rescues *rs)
{
	if (rs != NULL)
		rescue_wake(rs);
}

void
rescue_shard_sent(struct rescues *rs, struct shard *s)
{
	rest_wake(&rs->rests, s, 0, NULL, NULL);
}

void
rescue_shard_dead(struct rescues *rs, struct shard *s)
{
	struct list	*lists[] = { &s->rescued, &s->rescues }, *l, *tmp;
	struct rescue	*r;

	for (size_t i = 0; i < nitems(lists); i++)
		list_each(l, tmp, lists[i]) {
			r = list_entry(l, struct rescue, at);
			r->tries += r->sent != 0;
			rescue_unplace(rs, r);
		}
	rest_wake(&rs->rests, s, 1, NULL, NULL);
}

/* One that was sent to s, or NULL. */
static struct rescue *
rescue_find(struct rescues *rs, const struct shard *s, uint64_t id)
{
	struct map_node	*n = map_find(&rs->by_id, &id, sizeof(id));
	struct rescue	*r;

	r = n == NULL ? NULL : container_of(n, struct rescue, by_id);
	return (r != NULL && r->shard == s && r->sent ? r : NULL);
}

int
rescue_adopted(struct rescues *rs, struct shard *s, uint64_t id)
{
	struct rescue	*r = rescue_find(rs, s, id);
	struct place	*place = placement_find(rs->placement, id);

	if (r == NULL)
		return (-1);
	s->rescuing--;
	rs->totals->survived++;
	r->wreck->ends[WRECK_GOES_ON]++;
	if (place != NULL) {
		place->address = r->address;
		r->address = NULL;
		(void)covers_keep(rs->placement, place, rescue_free(rs, r));
	} else
		close(rescue_free(rs, r));
	rescue_go_on(rs, s);
	return (0);
}

int
rescue_refused(struct rescues *rs, struct shard *s, uint64_t id,
    struct slice why, int leaving)
{
	struct rescue	*r = rescue_find(rs, s, id);

	if (r == NULL)
		return (-1);
	log_escape(r->wreck->refused, sizeof(r->wreck->refused), why.data,
	    why.len);
	log_debug("shard slot=%" PRIu32 " id=%016" PRIx64 " of a dead shard "
	    "refused: %s", s->slot, id, r->wreck->refused);
	r->tries += !leaving;
	rescue_unplace(rs, r);
	rescue_go_on(rs, s);
	return (0);
}

/* ---- ends ---- */

/* Nobody goes on with it: its client hears so, and the rest of its group. */
static void
rescue_lose(struct rescues *rs, struct rescue *r, enum wreck_end why)
{
	struct capsule	 c = { .protocol = 0 };

	if (r->shard != NULL)
		rescue_unplace(rs, r);
	rs->totals->gone[CLOSE_SHARD_DIED]++;
	rs->totals->lost_by_death++;
	r->wreck->ends[why]++;
	if (capsule_decode(&c, r->record, r->len) == 0 && r->replica != 0) {
		rescue_let(rs, r, &c);
		election_lost(rs->placement, c.app, c.group, r->replica,
		    c.uid);
	}
	rescue_close(rs, rescue_free(rs, r), c.protocol, why);
}

/* Frees r; its descriptor is the caller's. */
static int
rescue_free(struct rescues *rs, struct rescue *r)
{
	int	 fd = r->fd;

	if (--r->wreck->left == 0)
		turn_add(&rs->work, TURN_LINKS);
	list_remove(&r->at_sent);
	list_remove(&r->at);
	map_remove(&rs->by_id, &r->by_id);
	address_unref(r->address);
	free(r);
	return (fd);
}

void
rescue_leave(struct rescues *rs)
{
	rs->leaving = 1;
	rescue_wake(rs);
}

size_t
rescue_count(const struct rescues *rs)
{
	return (rs == NULL ? 0 : rs->by_id.count);
}

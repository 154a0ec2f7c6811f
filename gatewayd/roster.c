/*
 * All shards of this node.
 *
 * A shard is dead when two things have happened, in either order: its process is
 * gone, and its channel has been read to the end.  Only then is its slot free.
 */
#include <sys/socket.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/proc.h"
#include "gatewayd/child.h"
#include "gatewayd/gateway.h"
#include "gatewayd/handoff.h"
#include "gatewayd/paths.h"
#include "gatewayd/placement.h"
#include "gatewayd/postmortem.h"
#include "gatewayd/registry.h"
#include "gatewayd/roster.h"
#include "proto/capsule.h"
#include "proto/channel.h"
#include "proto/keys.h"
#include "proto/page.h"

#define ROSTER_FOUND_MS		2000	/* a found shard's hello, at start */
#define ROSTER_LOOK_MS		250	/* is the start over? */
#define ROSTER_WATCH		25	/* looks in the watchdog's time: so it is
					   exact to less than a tenth */
#define ROSTER_START_MS		10000	/* from fork to READY */
#define ROSTER_ACCUSED_MS	1000	/* its PONG, when a link to it is lost */
#define ROSTER_PROVEN_MS	30000	/* up that long: it is no crash loop */
#define ROSTER_USEFUL_MS	1000	/* nor if it leaves after that long */
#define ROSTER_LEAVE_MS		2000	/* beyond the drain's deadline */
#define ROSTER_BACKOFF_MIN_MS	100
#define ROSTER_BACKOFF_MAX_MS	10000
#define ROSTER_GROW_MIN_MS	100	/* from a crash to the next that grows */
#define ROSTER_GROW_MAX_MS	1000	/* shorter than newcomers wait */
#define ROSTER_SHRINK_MS	1000	/* from look to look, at most */
#define ROSTER_RESERVE		256	/* descriptors of a shard, not clients */
#define LINK_PATH_MAX		107	/* bytes of a Unix socket's path */

struct roster {
	struct gateway	*gateway;
	struct shard	 slots[SLOTS_MAX];
	size_t		 nslots;	/* used at some time */
	void		(*ready_cb)(struct gateway *);
	int		 settled;	/* ready_cb has been called */
	int		 unnamed;	/* then, somebody was silent: see resolve */
	struct event	*timer;		/* to settle; later, to leave */
	uint64_t	 deadline;	/* clock_ms, of the timer */
	struct backoff	 grow_backoff;
	struct event	*grow_timer;	/* pending: none is started on demand */
	struct event	*shrink_timer;
	struct event	*watch;
	uint64_t	 watched;	/* clock_ms of the last tick */
	struct list	*holding;	/* where orders wait, or NULL */
	struct postmortem postmortem;
	int		 leaving;	/* 1: draining, 2: killed */
	void		(*left_cb)(struct gateway *);
};

/* An order that waits until something else has been said. */
struct order {
	struct list	 at;
	struct shard	*to;
	uint64_t	 incarnation;
	struct ctl	 m;		/* without slices */
};

struct known {				/* a replica that a shard told of */
	struct map_node	 by_id;
	uint64_t	 id;
};

static int	 shard_find(struct shard *);
static void	 shard_start(struct shard *);
static void	 shard_wait(struct shard *);
static void	 shard_again(struct shard *, int);
static void	 shard_leave(struct shard *);
static void	 roster_drain(struct shard *, unsigned);
static int	 shard_serves(const struct shard *);
static int	 shard_ended_well(const struct shard *);
static void	 shard_kill(struct shard *, const char *);
static void	 shard_dead(struct shard *);
static void	 shard_move(struct shard *, enum shard_state);
static void	 shard_free(struct shard *);
static void	 shard_timer_cb(evutil_socket_t, short, void *);
static void	 shard_exit_cb(evutil_socket_t, short, void *);
static int	 shard_watch(struct shard *);
static void	 shard_ping(struct shard *);
static void	 shard_welcome(struct shard *);
static void	 shard_introduce(struct shard *, struct replica *);
static void	 shard_neighbour(struct replica *, struct replica *);
static int	 shard_has(const struct shard *, uint64_t);
static int	 roster_elect(struct group *);
static void	 roster_name(struct roster *, struct group *, struct replica *);
static void	 roster_doubt(struct roster *, struct shard *);
static void	 shard_examine(struct shard *, const char *);
static void	 roster_warn_of(struct group *, struct replica *,
		    const struct suspect *);
static void	 shard_forget(struct shard *);
static int	 shard_open(const struct shard *);
static char	*shard_lock_path(const struct shard *);
static void	 shard_unlink_lock(const struct shard *);
static void	 roster_check(struct roster *);
static void	 roster_clean(struct roster *);
static void	 roster_resolve(struct roster *);
static size_t	 roster_active(const struct roster *);
static void	 roster_grow_cb(evutil_socket_t, short, void *);
static void	 roster_slow_growth(struct roster *);
static void	 roster_shrink_cb(evutil_socket_t, short, void *);
static void	 roster_timer_cb(evutil_socket_t, short, void *);
static void	 roster_watch_cb(evutil_socket_t, short, void *);
static void	 roster_order(struct roster *, struct shard *,
		    const struct ctl *);
static void	 roster_pay(struct list *, const struct shard *);
static struct timeval roster_tv(uint64_t);

const char *
shard_state_name(enum shard_state s)
{
	static const char *const	 names[] = {
		[SHARD_EMPTY]	= "empty",
		[SHARD_STARTING] = "starting",
		[SHARD_READY]	= "ready",
		[SHARD_SILENT]	= "silent",
		[SHARD_LEAVING]	= "leaving",
		[SHARD_WAITING]	= "waiting",
	};

	return (names[s]);
}

struct roster *
roster_new(struct gateway *g, void (*ready_cb)(struct gateway *))
{
	struct roster	*r;
	struct shard	*s;
	struct timeval	 tv;
	unsigned	 tick = g->settings.watchdog_ms / ROSTER_WATCH, look;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->gateway = g;
	r->ready_cb = ready_cb;
	postmortem_init(&r->postmortem);
	for (uint32_t i = 0; i < SLOTS_MAX; i++) {
		s = &r->slots[i];
		s->gateway = g;
		s->slot = i;
		s->pidfd = -1;
		pulse_init(&s->pulse);
		list_init(&s->handoffs);
		list_init(&s->owed);
		backoff_init(&s->backoff, ROSTER_BACKOFF_MIN_MS,
		    ROSTER_BACKOFF_MAX_MS);
		s->timer = evtimer_new(g->base, shard_timer_cb, s);
		if (s->timer == NULL)
			goto fail;
	}
	r->timer = evtimer_new(g->base, roster_timer_cb, r);
	r->watch = event_new(g->base, -1, EV_PERSIST, roster_watch_cb, r);
	r->grow_timer = evtimer_new(g->base, roster_grow_cb, r);
	backoff_init(&r->grow_backoff, ROSTER_GROW_MIN_MS, ROSTER_GROW_MAX_MS);
	r->shrink_timer = event_new(g->base, -1, EV_PERSIST, roster_shrink_cb,
	    r);
	if (r->timer == NULL || r->watch == NULL || r->grow_timer == NULL ||
	    r->shrink_timer == NULL)
		goto fail;
	look = g->settings.idle_shard_ms / 4;
	tv = roster_tv(look < ROSTER_SHRINK_MS ? look : ROSTER_SHRINK_MS);
	event_add(r->shrink_timer, &tv);
	r->watched = clock_ms();
	tv = roster_tv(tick < 25 ? 25 : tick);
	event_add(r->watch, &tv);
	tv = roster_tv(ROSTER_LOOK_MS);
	evtimer_add(r->timer, &tv);
	r->deadline = clock_ms() + ROSTER_START_MS;

	g->roster = r;
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		shard_find(&r->slots[i]);
	for (uint32_t i = 0; i < g->settings.shards; i++)
		if (r->slots[i].state == SHARD_EMPTY)
			shard_start(&r->slots[i]);
	return (r);
fail:
	roster_free(r);
	errno = ENOMEM;
	return (NULL);
}

void
roster_free(struct roster *r)
{
	if (r == NULL)
		return;
	for (size_t i = 0; i < SLOTS_MAX; i++)
		shard_free(&r->slots[i]);
	if (r->timer != NULL)
		event_free(r->timer);
	if (r->watch != NULL)
		event_free(r->watch);
	postmortem_clear(&r->postmortem);
	if (r->grow_timer != NULL)
		event_free(r->grow_timer);
	if (r->shrink_timer != NULL)
		event_free(r->shrink_timer);
	free(r);
}

int
roster_grow(struct roster *r)
{
	struct shard	*s, *empty = NULL;

	if (r->leaving)
		goto full;
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		s = &r->slots[i];
		if (s->state == SHARD_STARTING)
			return (0);
		if (s->state == SHARD_EMPTY && empty == NULL)
			empty = s;
	}
	/* Who waits out a back-off, or leaves, is in nobody's way. */
	if (roster_active(r) >= r->gateway->settings.max_shards ||
	    empty == NULL || evtimer_pending(r->grow_timer, NULL))
		goto full;
	shard_start(empty);
	if (empty->state == SHARD_STARTING)
		return (0);
full:
	errno = ENOSPC;
	return (-1);
}

size_t
roster_serving(const struct roster *r)
{
	size_t	 n = 0;

	for (size_t i = 0; i < r->nslots; i++)
		n += r->slots[i].state == SHARD_STARTING ||
		    r->slots[i].state == SHARD_READY;
	return (n);
}

int
roster_starting(const struct roster *r)
{
	/* A silent one says hello again, or another is started for it. */
	for (size_t i = 0; i < r->nslots; i++)
		if (r->slots[i].state == SHARD_STARTING ||
		    r->slots[i].state == SHARD_SILENT)
			return (1);
	return (evtimer_pending(r->grow_timer, NULL) &&
	    roster_active(r) < r->gateway->settings.max_shards);
}

int
roster_knows(const struct roster *r, uint64_t incarnation)
{
	for (size_t i = 0; i < r->nslots; i++)
		if (r->slots[i].pid != 0 &&
		    (r->slots[i].incarnation == incarnation ||
		    r->slots[i].incarnation == 0))
			return (1);
	return (0);
}

size_t
roster_nslots(const struct roster *r)
{
	return (r->nslots);
}

struct shard *
roster_slot(struct roster *r, size_t i)
{
	return (&r->slots[i]);
}

int
roster_tell(struct shard *s, const struct ctl *m, const int *fds)
{
	if (s->control == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if (control_send(s->control, m, fds) == 0)
		return (0);
	log_warn("shard slot=%" PRIu32 " message=%s error=\"%s\"", s->slot,
	    ctl_name(m->type), strerror(errno));
	return (-1);
}

/* Tell it to leave. */
static void
roster_drain(struct shard *s, unsigned deadline_ms)
{
	struct ctl	 m = { .type = CTL_DRAIN, .flags = CTL_F_LEAVE,
			    .why = CLOSE_GOING, .ms = deadline_ms,
			    .slot = s->slot };

	roster_tell(s, &m, NULL);
}

void
roster_leave(struct roster *r, unsigned deadline_ms,
    void (*done_cb)(struct gateway *))
{
	struct timeval	 tv = roster_tv(deadline_ms + ROSTER_LEAVE_MS);
	struct shard	*s;

	r->leaving = 1;
	r->left_cb = done_cb;
	evtimer_add(r->timer, &tv);
	r->deadline = clock_ms() + deadline_ms + ROSTER_LEAVE_MS;
	for (size_t i = 0; i < r->nslots; i++) {
		s = &r->slots[i];
		evtimer_del(s->timer);
		if (s->site != NULL)
			s->site->leaving = 1;
		switch (s->state) {
		case SHARD_READY:
			shard_move(s, SHARD_LEAVING);
			roster_drain(s, deadline_ms);
			break;
		case SHARD_STARTING:
			/* It has served nobody, or it is not to be reached. */
		case SHARD_SILENT:
			shard_move(s, SHARD_LEAVING);
			child_kill(s->pidfd, SIGTERM);
			break;
		case SHARD_WAITING:
			shard_move(s, SHARD_EMPTY);
			break;
		case SHARD_EMPTY:
		case SHARD_LEAVING:
			break;
		}
	}
	roster_check(r);
}

void
roster_kill(struct roster *r)
{
	for (size_t i = 0; i < r->nslots; i++) {
		child_kill(r->slots[i].pidfd, SIGKILL);
		r->slots[i].pid = 0;
		shard_unlink_lock(&r->slots[i]);
	}
	roster_clean(r);
}

void
roster_suspect(struct shard *s)
{
	if (!shard_open(s) || s->site == NULL || s->hopeless)
		return;
	/* Its answer comes after those to all that was sent before. */
	if (s->asked)
		shard_ping(s);
	if (s->site->usable) {
		/* The next one who decides gets what this one hangs in. */
		if (!pulse_moved(&s->pulse, s->pulse.asked, clock_ms()))
			shard_examine(s, "hangs");
		roster_doubt(s->gateway->roster, s);
	}
}

/* ---- what placement does ---- */

void
roster_replica_made(struct replica *rep, void *gateway)
{
	struct shard	*s = rep->site->owner;

	(void)gateway;
	if (s->state == SHARD_READY)
		shard_introduce(s, rep);
}

void
roster_replica_ended(struct replica *rep, void *gateway)
{
	struct gateway	*g = gateway;
	struct ctl	 m = { .type = CTL_FAREWELL, .neighbour = rep->id };
	struct list	*l, *tmp;
	struct replica	*other;

	list_each(l, tmp, &rep->group->replicas) {
		other = list_entry(l, struct replica, at);
		m.replica = other->id;
		if (shard_has(other->site->owner, other->id))
			roster_order(g->roster, other->site->owner, &m);
	}
	m = (struct ctl){ .type = CTL_DISMISS, .replica = rep->id };
	if (shard_has(rep->site->owner, rep->id))
		roster_order(g->roster, rep->site->owner, &m);
	if (roster_elect(rep->group))
		roster_name(g->roster, rep->group, NULL);
}

/* ---- what shards say ---- */

struct shard *
roster_hello(struct roster *r, struct control *c, const struct ctl *m,
    int *page, pid_t peer)
{
	struct gateway	*g = r->gateway;
	struct shard	*s = &r->slots[m->slot];
	const char	*why;
	char		*path;
	size_t		 capacity;
	struct timeval	 tv = roster_tv(ROSTER_START_MS);

	why = "its process is not the one in this slot (does the worker "
	    "fork?)";
	if (s->pid == 0 || s->pid != peer || s->exited)
		goto refuse;
	why = "another incarnation is in this slot";
	if (m->incarnation == 0 || (s->incarnation != 0 &&
	    s->incarnation != m->incarnation))
		goto refuse;
	why = "no protocol version in common";
	if (m->low > WIRE_VERSION || m->high < WIRE_VERSION)
		goto refuse;
	why = "its earlier channel has not ended, or it is leaving";
	if (s->control != NULL || s->hopeless ||
	    (s->state != SHARD_STARTING && s->state != SHARD_SILENT &&
	    (s->state != SHARD_LEAVING || g->roster->leaving)))
		goto refuse;
	why = "no path of its link";
	if (m->text.len == 0 || m->text.len > LINK_PATH_MAX ||
	    memchr(m->text.data, '\0', m->text.len) != NULL)
		goto refuse;
	why = strerror(ENOMEM);
	if ((path = slice_dup(m->text)) == NULL)
		goto refuse;
	free(s->link_path);
	s->link_path = path;
	s->incarnation = m->incarnation;
	s->started = m->time;
	keys_address(s->address, sizeof(s->address), g->settings.node, s->slot,
	    s->incarnation);

	capacity = g->settings.capacity != 0 &&
	    g->settings.capacity < m->limit ? g->settings.capacity : m->limit;
	if (s->state != SHARD_STARTING && s->site != NULL) {
		/* What it will say is all that it has.  Farewells wait until
		 * that is known. */
		r->holding = &s->owed;
		placement_site_remove(g->placement, s->site);
		r->holding = NULL;
		s->site = NULL;
	}
	if (s->site == NULL) {
		s->site = placement_site_add(g->placement, s->slot,
		    s->incarnation, capacity, s);
		if (s->site == NULL)
			goto refuse;
		s->site->usable = 0;
	}
	s->site->capacity = capacity;
	s->site->leaving = (m->flags & CTL_F_LEAVE) != 0;
	s->control = c;
	s->hello = 1;
	if (pulse_begin(&s->pulse, page == NULL ? -1 : *page,
	    m->incarnation) == -1)
		log_warn("shard slot=%" PRIu32 " has no page that can be read: "
		    "%s", s->slot, strerror(errno));
	if (page != NULL)
		*page = -1;
	shard_move(s, SHARD_STARTING);
	evtimer_add(s->timer, &tv);
	return (s);
refuse:
	/* A shard that was just started knows not yet that all leave. */
	if (r->leaving)
		log_debug("shard slot=%" PRIu32 " peer=%d hello refused: the "
		    "gateway leaves", m->slot, (int)peer);
	else
		log_warn("shard slot=%" PRIu32 " peer=%d hello refused: %s",
		    m->slot, (int)peer, why);
	return (NULL);
}

/* 0, or -1: it is not to be spoken with any more. */
static int
shard_have_replica(struct shard *s, const struct ctl *m, int *fds, int cut)
{
	struct known	*k;
	struct group	*group;

	(void)fds, (void)cut;
	if (placement_have_replica(s->gateway->placement, s->site, m->replica,
	    m->group, m->app, m->limit) == -1 ||
	    (k = calloc(1, sizeof(*k))) == NULL)
		goto bad;
	/* Who decides goes on, unless one replica knows of a later one. */
	group = placement_replica(s->gateway->placement, m->replica)->group;
	if (m->time > group->term) {
		group->authority = 0;
		group->term = m->time;
	}
	if ((m->flags & CTL_F_AUTHORITY) != 0 && m->time == group->term)
		group->authority = m->replica;
	k->id = m->replica;
	if (map_insert(&s->has, &k->by_id, &k->id, sizeof(k->id)) == -1) {
		free(k);
		goto bad;
	}
	return (0);
bad:
	shard_kill(s, "a replica that it has is not possible");
	return (-1);
}

static int
shard_have_conn(struct shard *s, const struct ctl *m, int *fds, int cut)
{
	(void)fds, (void)cut;
	if (placement_have_place(s->gateway->placement, s->site, m->id,
	    m->replica, m->uid, m->flags & CTL_F_HTTP,
	    m->flags & CTL_F_OVER) == 0)
		return (0);
	shard_kill(s, "a connection that it has is not possible");
	return (-1);
}

static int
shard_held(struct shard *s, const struct ctl *m, int *fds, int cut)
{
	struct list	*l, *tmp;
	struct order	*o;

	(void)m, (void)fds, (void)cut;
	s->hello = 0;
	/* Replicas that it still has were not ended after all. */
	list_each(l, tmp, &s->owed) {
		o = list_entry(l, struct order, at);
		if (o->to == s || map_find(&s->has, &o->m.neighbour,
		    sizeof(o->m.neighbour)) != NULL) {
			list_remove(l);
			free(o);
		}
	}
	roster_pay(&s->owed, NULL);
	shard_welcome(s);
	s->site->usable = 1;
	placement_have_end(s->gateway->placement, s->site);
	return (0);
}

static int
shard_ready(struct shard *s, const struct ctl *m, int *fds, int cut)
{
	struct list	*l, *tmp;

	(void)m, (void)fds, (void)cut;
	if (s->state != SHARD_STARTING)
		return (s->state == SHARD_LEAVING ? 0 : -1);
	evtimer_del(s->timer);
	s->served = 1;
	s->idle_since = clock_ms();
	shard_move(s, SHARD_READY);
	list_each(l, tmp, &s->site->replicas)
		shard_introduce(s, list_entry(l, struct replica, at_site));
	shard_forget(s);
	roster_resolve(s->gateway->roster);
	handoff_shard_ready(s->gateway, s);
	if (s->site->leaving)
		shard_leave(s);
	return (0);
}

/* It was told to leave, by us or by somebody else. */
static int
shard_leaving(struct shard *s, const struct ctl *m, int *fds, int cut)
{
	(void)m, (void)fds, (void)cut;
	s->site->leaving = 1;
	if (s->state == SHARD_READY)
		shard_leave(s);
	return (0);
}

static int
shard_adopt(struct shard *s, const struct ctl *m, int *fds, int cut)
{
	struct gateway	*g = s->gateway;
	struct ctl	 refused = { .type = CTL_REFUSED, .id = m->id,
			    .replica = m->replica, .why = CLOSE_LOST };
	struct capsule	 c;
	void		*record = NULL;
	size_t		 len = m->value.len;
	int		 fd, rc;

	if (cut) {
		refused.text = slice_str("out of descriptors");
		return (roster_tell(s, &refused, NULL));
	}
	if (m->flags & CTL_F_MEMFD) {
		if ((record = capsule_map(fds[1], &len)) == NULL)
			goto refuse;
	}
	rc = capsule_decode(&c, record != NULL ? record : m->value.data, len);
	if (rc == -1 || c.id != m->id || c.protocol != CAPSULE_HTTP) {
		if (rc == 0)
			errno = EPROTO;
		goto refuse;
	}
	fd = fds[0];
	fds[0] = -1;
	handoff_home(g, s, &c, fd);
	free(record);
	return (0);
refuse:
	refused.text = slice_str(strerror(errno));
	log_warn("shard slot=%" PRIu32 " id=%016" PRIx64 " home refused: %s",
	    s->slot, m->id, strerror(errno));
	free(record);
	return (roster_tell(s, &refused, NULL));
}

static int
shard_adopted(struct shard *s, const struct ctl *m, int *fds, int cut)
{
	(void)fds, (void)cut;
	handoff_adopted(s->gateway, s, m->id);
	return (0);
}

static int
shard_refused(struct shard *s, const struct ctl *m, int *fds, int cut)
{
	(void)fds, (void)cut;
	/* Full of something: others first, until its next PONG. */
	if (m->why == CLOSE_NO_MEMORY)
		s->site->usable = 0;
	if (m->why == CLOSE_GOING)
		s->site->leaving = 1;
	handoff_refused(s->gateway, s, m->id, m->text, m->why == CLOSE_GOING);
	return (0);
}

/*
 * PARTED goes before what the end of the replica, if this was its last place, makes
 * the shards forget: the shard may have something to say about the parting.
 */
static int
shard_gone(struct shard *s, const struct ctl *m, int *fds, int cut)
{
	struct gateway	*g = s->gateway;
	struct place	*place = placement_find(g->placement, m->id);
	struct ctl	 parted = { .type = CTL_PARTED, .id = m->id,
			    .replica = m->replica, .why = m->why,
			    .uid = m->uid };
	struct list	 orders;
	int		 last = 1;

	(void)fds, (void)cut;
	list_init(&orders);
	if (place != NULL && place_site(place) == s->site) {
		g->totals.gone[m->why < CLOSE_NWHYS ? m->why : CLOSE_ERROR]++;
		g->roster->holding = &orders;
		placement_release(g->placement, m->id, &last);
		g->roster->holding = NULL;
	} else {
		g->totals.second_release++;
		log_warn("shard slot=%" PRIu32 " id=%016" PRIx64
		    " gone: it has no place here", s->slot, m->id);
	}
	parted.flags = last ? CTL_F_LAST : 0;
	/* Only a socket of a group is waiting to hear whether it was the last. */
	if ((m->flags & CTL_F_OPENED) && m->replica != 0)
		roster_tell(s, &parted, NULL);
	roster_pay(&orders, NULL);
	return (0);
}

static int
shard_pong(struct shard *s, const struct ctl *m, int *fds, int cut)
{
	(void)fds, (void)cut;
	if (!pulse_heard(&s->pulse, m->id, clock_ms()))
		return (0);
	postmortem_absolve(&s->gateway->roster->postmortem, s->incarnation);
	if (!shard_serves(s) || s->hopeless)
		return (0);
	s->site->usable = 1;
	if (s->state == SHARD_READY)
		evtimer_del(s->timer);		/* no accusation stands */
	return (0);
}

static int
shard_link_lost(struct shard *s, const struct ctl *m, int *fds, int cut)
{
	struct shard	*accused = &s->gateway->roster->slots[m->slot];
	struct ctl	 dead = { .type = CTL_DEAD, .slot = m->slot,
			    .incarnation = m->incarnation };
	char		 text[128];
	struct timeval	 tv = roster_tv(ROSTER_ACCUSED_MS);

	(void)fds, (void)cut;
	log_info("shard slot=%" PRIu32 " lost its link to slot=%" PRIu32 ": %s",
	    s->slot, m->slot, log_escape(text, sizeof(text), m->text.data,
	    m->text.len));
	if (accused->pid == 0 || accused->incarnation != m->incarnation) {
		roster_tell(s, &dead, NULL);
		return (0);
	}
	if (accused->state != SHARD_READY ||
	    evtimer_pending(accused->timer, NULL))
		return (0);
	shard_ping(accused);
	evtimer_add(accused->timer, &tv);
	return (0);
}

static const struct {
	int	(*run)(struct shard *, const struct ctl *, int *, int);
	int	 hello;			/* belongs between HELLO and HELD */
} roster_rows[CTL_NTYPES] = {
	[CTL_HAVE_REPLICA] = { shard_have_replica, 1 },
	[CTL_HAVE_CONN]	= { shard_have_conn, 1 },
	[CTL_HELD]	= { shard_held, 1 },
	[CTL_READY]	= { shard_ready, 0 },
	[CTL_ADOPT]	= { shard_adopt, 0 },
	[CTL_ADOPTED]	= { shard_adopted, 0 },
	[CTL_REFUSED]	= { shard_refused, 0 },
	[CTL_GONE]	= { shard_gone, 0 },
	[CTL_PONG]	= { shard_pong, 0 },
	[CTL_LINK_LOST]	= { shard_link_lost, 0 },
	[CTL_LEAVING]	= { shard_leaving, 0 },
};

int
roster_message(struct shard *s, const struct ctl *m, int *fds, size_t nfds,
    int cut)
{
	(void)nfds;
	if (s->hopeless && (s->hello || m->type == CTL_READY))
		return (0);
	if (roster_rows[m->type].run == NULL ||
	    roster_rows[m->type].hello != s->hello) {
		log_warn("shard slot=%" PRIu32 " message=%s out of place",
		    s->slot, ctl_name(m->type));
		return (-1);
	}
	return (roster_rows[m->type].run(s, m, fds, cut));
}

void
roster_packet(struct shard *s)
{
	handoff_packet(s->gateway, s);
}

void
roster_sent(struct shard *s)
{
	handoff_sent(s->gateway, s);
}

void
roster_channel_end(struct shard *s, const char *why)
{
	struct timeval	 tv = roster_tv(s->gateway->settings.watchdog_ms);

	s->control = NULL;
	s->hello = 0;
	if (s->site != NULL)
		s->site->usable = 0;
	handoff_shard_dead(s->gateway, s);
	if (s->exited) {
		shard_dead(s);
		return;
	}
	log_debug("shard slot=%" PRIu32 " channel ended: %s", s->slot, why);
	if (s->state == SHARD_LEAVING)
		return;
	shard_move(s, SHARD_SILENT);
	evtimer_add(s->timer, &tv);
}

/* ---- one shard ---- */

/* Is somebody in this slot already?  Then wait for its hello. */
static int
shard_find(struct shard *s)
{
	char		*path = shard_lock_path(s);
	struct timeval	 tv = roster_tv(s->gateway->settings.watchdog_ms);
	pid_t		 pid = 0;
	int		 pidfd = -1;

	if (path != NULL && (pid = proc_lock_holder(path)) > 0) {
		/* Not another one that has this pid by now. */
		if ((pidfd = child_watch(pid)) != -1 &&
		    proc_lock_holder(path) != pid) {
			close(pidfd);
			pidfd = -1;
		}
	} else if (path != NULL && pid == 0)
		unlink(path);		/* of one that was killed */
	free(path);
	if (pidfd == -1)
		return (0);
	s->pid = pid;
	s->pidfd = pidfd;
	s->ours = 0;
	s->incarnation = 0;
	s->address[0] = '\0';
	s->since = clock_ms();
	s->served = 0;
	if (shard_watch(s) == -1)
		fatal("shard slot=%" PRIu32, s->slot);
	shard_move(s, SHARD_SILENT);
	evtimer_add(s->timer, &tv);
	return (1);
}

static void
shard_start(struct shard *s)
{
	struct gateway	*g = s->gateway;
	const struct settings *set = &g->settings;
	char		 slot[16], incarnation[20], *control, *lock;
	static const char *const levels[] = { "warn", "info", "debug" };
	const char	*argv[] = { set->worker, "--control", NULL, "--slot",
			    slot, "--incarnation", incarnation, "--run-dir",
			    set->run_dir, "--log-level",
			    levels[set->log_level],
			    set->core ? "--core" : NULL, NULL };
	struct timeval	 tv = roster_tv(ROSTER_START_MS);
	size_t		 nofile = proc_nofile();
	pid_t		 holder = 0;

	if (shard_find(s))
		return;
	s->incarnation = bytes_random64();
	s->ours = 1;
	s->served = 0;
	s->since = clock_ms();
	s->started = clock_wall_ms();
	keys_address(s->address, sizeof(s->address), set->node, s->slot,
	    s->incarnation);
	snprintf(slot, sizeof(slot), "%" PRIu32, s->slot);
	snprintf(incarnation, sizeof(incarnation), "%016" PRIx64,
	    s->incarnation);
	lock = shard_lock_path(s);
	control = paths_in(set->run_dir, "control.sock");
	argv[2] = control;
	s->site = placement_site_add(g->placement, s->slot, s->incarnation,
	    set->capacity != 0 ? set->capacity :
	    nofile > ROSTER_RESERVE ? nofile - ROSTER_RESERVE : 1, s);
	s->pid = -1;
	if (lock != NULL && control != NULL && s->site != NULL)
		s->pid = child_spawn(set->worker, (char *const *)
		    (uintptr_t)argv, lock, g->filter, &s->pidfd, &holder);
	if (s->pid == -1 || shard_watch(s) == -1) {
		if (holder > 0)
			log_warn("shard slot=%" PRIu32 " its lock is held by "
			    "pid=%d", s->slot, (int)holder);
		else
			log_warn("shard slot=%" PRIu32 " worker=%s did not "
			    "start: %s", s->slot, set->worker,
			    strerror(errno));
		child_kill(s->pidfd, SIGKILL);
		if (s->pidfd != -1)
			close(s->pidfd);
		s->pidfd = -1;
		s->pid = 0;
		if (s->site != NULL)
			placement_site_remove(g->placement, s->site);
		s->site = NULL;
		s->crashes_in_row++;
		roster_slow_growth(g->roster);
		shard_again(s, 0);
	} else {
		shard_move(s, SHARD_STARTING);
		evtimer_add(s->timer, &tv);
	}
	free(lock);
	free(control);
}

/* It is leaving: whom it has it keeps until then, and it decides for them. */
static void
shard_leave(struct shard *s)
{
	struct timeval	 tv = roster_tv((uint64_t)s->gateway->settings.drain_ms +
			    ROSTER_LEAVE_MS);

	shard_move(s, SHARD_LEAVING);
	evtimer_add(s->timer, &tv);
}

/*
 * Its slot is free.  Those up to `shards` are filled again, as long as max_shards
 * allows it; others only as far as there are fewer than `shards` without them.
 */
static void
shard_again(struct shard *s, int now)
{
	const struct settings	*set = &s->gateway->settings;
	size_t			 others;

	shard_move(s, SHARD_EMPTY);
	others = roster_active(s->gateway->roster);
	if (others >= set->max_shards ||
	    (s->slot >= set->shards && others >= set->shards))
		return;
	if (now)
		shard_start(s);
	else
		shard_wait(s);
}

/* Until its back-off is over. */
static void
shard_wait(struct shard *s)
{
	struct timeval	 tv = roster_tv(backoff_next(&s->backoff));

	shard_move(s, SHARD_WAITING);
	evtimer_add(s->timer, &tv);
}

static void
shard_kill(struct shard *s, const char *why)
{
	log_warn("shard slot=%" PRIu32 " pid=%d killed: %s", s->slot,
	    (int)s->pid, why);
	s->hopeless = 1;
	if (s->site != NULL)
		s->site->usable = 0;
	evtimer_del(s->timer);
	child_kill(s->pidfd, SIGKILL);
}

/* Its process is gone and all that it said has been heard. */
static void
shard_dead(struct shard *s)
{
	struct gateway	*g = s->gateway;
	struct roster	*r = g->roster;
	struct ctl	 dead = { .type = CTL_DEAD, .slot = s->slot,
			    .incarnation = s->incarnation };
	size_t		 lost = 0;
	int		 left, well;

	handoff_shard_dead(g, s);
	shard_examine(s, "died");
	if (s->site != NULL)
		lost = placement_site_remove(g->placement, s->site);
	s->site = NULL;
	roster_pay(&s->owed, s);
	shard_forget(s);
	g->totals.gone[CLOSE_SHARD_DIED] += lost;
	for (size_t i = 0; i < r->nslots; i++)
		if (shard_open(&r->slots[i]))
			roster_tell(&r->slots[i], &dead, NULL);
	if (g->registry != NULL && s->link_path != NULL)
		registry_sweep(g->registry, s->address);
	if (s->link_path != NULL)
		unlink(s->link_path);
	shard_unlink_lock(s);
	left = r->leaving || shard_ended_well(s);
	if (left)
		log_info("shard slot=%" PRIu32 " pid=%d left %s lost=%zu",
		    s->slot, (int)s->pid, s->ended, lost);
	else
		log_warn("shard slot=%" PRIu32 " pid=%d died%s %s lost=%zu",
		    s->slot, (int)s->pid, s->link_path != NULL ? "" :
		    " before it said hello", s->ended, lost);
	free(s->link_path);
	s->link_path = NULL;
	pulse_end(&s->pulse);
	close(s->pidfd);
	s->pidfd = -1;
	s->pid = 0;
	s->exited = s->hopeless = s->ours = 0;
	s->incarnation = 0;
	evtimer_del(s->timer);
	roster_resolve(r);
	if (r->leaving) {
		shard_move(s, SHARD_EMPTY);
		return;
	}

	well = left && clock_ms() - s->since >= ROSTER_USEFUL_MS;
	if (clock_ms() - s->since >= ROSTER_PROVEN_MS || well) {
		s->crashes_in_row = 0;
		backoff_reset(&s->backoff);
		backoff_reset(&r->grow_backoff);
	} else if (s->slot >= g->settings.shards)
		roster_slow_growth(r);
	s->crashes_in_row += !well;
	s->restarts++;
	shard_again(s, s->crashes_in_row < 2);
}

static void
shard_move(struct shard *s, enum shard_state state)
{
	struct roster	*r = s->gateway->roster;

	if (s->slot >= r->nslots)
		r->nslots = s->slot + 1;
	if (s->state == state)
		return;
	s->state = state;
	log_info("shard slot=%" PRIu32 " pid=%d state=%s", s->slot,
	    (int)s->pid, shard_state_name(state));
	roster_check(r);
}

static void
shard_free(struct shard *s)
{
	struct list	*l, *tmp;

	list_each(l, tmp, &s->owed)
		free(list_entry(l, struct order, at));
	shard_forget(s);
	if (s->timer != NULL)
		event_free(s->timer);
	if (s->pid_event != NULL)
		event_free(s->pid_event);
	if (s->pidfd != -1)
		close(s->pidfd);
	pulse_end(&s->pulse);
	free(s->link_path);
}

static void
shard_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct shard	*s = arg;
	struct timeval	 tv = roster_tv(ROSTER_ACCUSED_MS);
	uint64_t	 now = clock_ms();

	(void)fd, (void)what;
	switch (s->state) {
	case SHARD_STARTING:
		shard_kill(s, "it did not get ready in time");
		break;
	case SHARD_SILENT:
		shard_kill(s, "it did not say hello in time");
		break;
	case SHARD_READY:
		if (pulse_moved(&s->pulse, now - ROSTER_ACCUSED_MS, now))
			evtimer_add(s->timer, &tv);	/* it is busy */
		else
			shard_kill(s, "a link to it was lost and it does not "
			    "answer");
		break;
	case SHARD_WAITING:
		shard_again(s, 1);
		break;
	case SHARD_LEAVING:
		shard_kill(s, "it did not leave in time");
		break;
	case SHARD_EMPTY:
		break;
	}
}

static void
shard_exit_cb(evutil_socket_t fd, short what, void *arg)
{
	struct shard	*s = arg;

	(void)fd, (void)what;
	event_free(s->pid_event);
	s->pid_event = NULL;
	s->exited = 1;
	child_ended(s->ended, sizeof(s->ended), s->pid);
	/* What it sent is still read, then the end, also when another process
	 * has inherited its side. */
	if (s->control != NULL)
		shutdown(control_fd(s->control), SHUT_RDWR);
	else
		shard_dead(s);
}

static int
shard_watch(struct shard *s)
{
	s->pid_event = event_new(s->gateway->base, s->pidfd, EV_READ,
	    shard_exit_cb, s);
	if (s->pid_event != NULL && event_add(s->pid_event, NULL) == 0)
		return (0);
	if (s->pid_event != NULL)
		event_free(s->pid_event);
	s->pid_event = NULL;
	errno = ENOMEM;
	return (-1);
}

static void
shard_ping(struct shard *s)
{
	struct ctl	 m = { .type = CTL_PING,
			    .id = pulse_ask(&s->pulse, clock_ms()) };

	s->asked = 0;
	roster_tell(s, &m, NULL);
}

/* All that workers are told of the configuration, or what may change meanwhile. */
static void
shard_tell_options(struct shard *s, int live)
{
	const struct settings	*set = &s->gateway->settings;
	struct ctl		 m = { .type = CTL_OPTION };

	for (size_t i = 0; i < set->noptions; i++) {
		if (live && !set->options[i].live)
			continue;
		m.text = slice_str(set->options[i].key);
		m.value = slice_str(set->options[i].value);
		roster_tell(s, &m, NULL);
	}
}

void
roster_tell_options(struct roster *r)
{
	for (size_t i = 0; i < r->nslots; i++)
		if (r->slots[i].state == SHARD_READY)
			shard_tell_options(&r->slots[i], 1);
}

static void
shard_welcome(struct shard *s)
{
	struct gateway		*g = s->gateway;
	const struct settings	*set = &g->settings;
	struct ctl		 m = { .type = CTL_WELCOME,
				    .high = WIRE_VERSION,
				    .incarnation = g->incarnation,
				    .text = slice_str(set->node),
				    .value = slice_str(g->redis_url) };

	roster_tell(s, &m, NULL);
	m = (struct ctl){ .type = CTL_OPTION,
	    .text = slice_str("redis_prefix"),
	    .value = slice_str(set->redis_prefix) };
	roster_tell(s, &m, NULL);
	shard_tell_options(s, 0);
	m = (struct ctl){ .type = CTL_START };
	roster_tell(s, &m, NULL);
}

/* s is READY and is to have rep: tell it, and the neighbours of each other. */
static void
shard_introduce(struct shard *s, struct replica *rep)
{
	struct group	*group = rep->group;
	struct ctl	 m = { .type = CTL_REPLICA, .replica = rep->id,
			    .limit = group->limit,
			    .group = slice_of(group->name, group->name_len),
			    .app = slice_str(group->app) };
	const struct suspect *step = NULL;
	struct list	*l, *tmp;
	struct replica	*other;

	if (map_find(&s->has, &rep->id, sizeof(rep->id)) == NULL)
		roster_tell(s, &m, NULL);
	while ((step = postmortem_next(&s->gateway->roster->postmortem, m.app,
	    m.group, step)) != NULL)
		roster_warn_of(group, rep, step);
	list_each(l, tmp, &group->replicas) {
		other = list_entry(l, struct replica, at);
		if (other == rep || !shard_serves(other->site->owner))
			continue;
		shard_neighbour(rep, other);
		shard_neighbour(other, rep);
	}
	roster_name(s->gateway->roster, group,
	    roster_elect(group) ? NULL : rep);
}

/* Tell `of` about `other`. */
static void
shard_neighbour(struct replica *of, struct replica *other)
{
	struct shard	*s = other->site->owner;
	struct ctl	 m = { .type = CTL_NEIGHBOUR, .replica = of->id,
			    .neighbour = other->id, .slot = s->slot,
			    .incarnation = s->incarnation,
			    .text = slice_str(s->link_path) };

	roster_tell(of->site->owner, &m, NULL);
}

/* Has it heard of this replica of its own? */
static int
shard_has(const struct shard *s, uint64_t replica)
{
	if (s->control == NULL)
		return (0);
	return (shard_serves(s) || map_find(&s->has, &replica, sizeof(replica)) != NULL);
}

static void
shard_forget(struct shard *s)
{
	struct map_node	*n;

	while ((n = map_first(&s->has)) != NULL) {
		map_remove(&s->has, n);
		free(container_of(n, struct known, by_id));
	}
	map_clear(&s->has);
}

/* Does it serve clients whom others are to be told of? */
static int
shard_serves(const struct shard *s)
{
	return ((s->state == SHARD_READY || s->state == SHARD_LEAVING) &&
	    s->control != NULL);
}

/* Of one that has ended: had it been told to leave, and did it? */
static int
shard_ended_well(const struct shard *s)
{
	return (s->state == SHARD_LEAVING && !s->hopeless &&
	    /* Of one that is not our child nothing is known. */
	    (strcmp(s->ended, "status=0") == 0 || !s->ours));
}

/* May it be sent more than what its hello is answered with? */
static int
shard_open(const struct shard *s)
{
	return (s->control != NULL && !s->hello);
}

static char *
shard_lock_path(const struct shard *s)
{
	char	 name[32];

	snprintf(name, sizeof(name), "shard-%" PRIu32 ".lock", s->slot);
	return (paths_in(s->gateway->settings.run_dir, name));
}

static void
shard_unlink_lock(const struct shard *s)
{
	char	*path = shard_lock_path(s);

	if (path != NULL)
		unlink(path);
	free(path);
}

/* ---- all of them ---- */

/* Processes that serve, will, or may; leaving ones do not. */
static size_t
roster_active(const struct roster *r)
{
	size_t	 n = 0;

	for (size_t i = 0; i < r->nslots; i++)
		n += r->slots[i].state == SHARD_STARTING ||
		    r->slots[i].state == SHARD_READY ||
		    r->slots[i].state == SHARD_SILENT;
	return (n);
}

/*
 * Those above `shards` were started when all were full.  The newest of them that
 * nobody has used for a while leaves; the next one when it has left.
 */
static void
roster_shrink_cb(evutil_socket_t fd, short what, void *arg)
{
	struct roster		*r = arg;
	const struct settings	*set = &r->gateway->settings;
	struct shard		*s, *newest = NULL;
	uint64_t		 now = clock_ms();
	int			 busy = r->leaving ||
				    roster_active(r) <= set->shards;

	(void)fd, (void)what;
	for (size_t i = set->shards; i < r->nslots; i++) {
		s = &r->slots[i];
		busy |= s->state == SHARD_LEAVING;
		if (s->state != SHARD_READY || s->site->count > 0 ||
		    s->site->taken != s->taken) {
			s->idle_since = now;
			s->taken = s->site == NULL ? 0 : s->site->taken;
		} else if (now - s->idle_since >= set->idle_shard_ms &&
		    (newest == NULL || s->since >= newest->since))
			newest = s;
	}
	if (busy || newest == NULL)
		return;
	log_info("shard slot=%" PRIu32 " served nobody for %u ms and leaves",
	    newest->slot, set->idle_shard_ms);
	newest->site->leaving = 1;
	shard_leave(newest);
	roster_drain(newest, set->drain_ms);
}

/* One that was started on demand came to nothing: not too fast. */
static void
roster_slow_growth(struct roster *r)
{
	struct timeval	 tv = roster_tv(backoff_next(&r->grow_backoff));

	evtimer_add(r->grow_timer, &tv);
}

static void
roster_grow_cb(evutil_socket_t fd, short what, void *arg)
{
	struct roster	*r = arg;

	(void)fd, (void)what;
	handoff_retry(r->gateway);
}

/* Have all come up, or all left? */
static int
roster_pending(const struct roster *r)
{
	const struct shard	*s;

	for (size_t i = 0; i < r->nslots; i++) {
		s = &r->slots[i];
		if (r->leaving ? s->state != SHARD_EMPTY :
		    /* The second failure is enough to go on without. */
		    (s->state == SHARD_STARTING || (s->state == SHARD_SILENT &&
		    clock_ms() - s->since < ROSTER_FOUND_MS)) &&
		    s->crashes_in_row < 2)
			return (1);
	}
	return (0);
}

/* The rest is done from the loop, for the callers are amid something. */
static void
roster_check(struct roster *r)
{
	if ((!r->settled || r->leaving) && !roster_pending(r))
		event_active(r->timer, EV_TIMEOUT, 1);
}

/* Is there one that we found and whose incarnation we do not know? */
static int
roster_unnamed(const struct roster *r)
{
	for (size_t i = 0; i < r->nslots; i++)
		if (r->slots[i].pid != 0 && r->slots[i].incarnation == 0)
			return (1);
	return (0);
}

/*
 * As long as one that we found was silent, anything could have been its own.  Now
 * one of those has spoken, or died: what else is left by the dead goes.
 */
static void
roster_resolve(struct roster *r)
{
	if (!r->unnamed || r->leaving)
		return;
	r->unnamed = roster_unnamed(r);
	roster_clean(r);
	if (r->gateway->registry != NULL)
		registry_start(r->gateway->registry);
}

static void
roster_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct roster	*r = arg;
	struct timeval	 tv = roster_tv(ROSTER_LEAVE_MS);
	uint64_t	 now = clock_ms();
	int		 pending = roster_pending(r);

	(void)fd, (void)what;
	if (pending && now < r->deadline) {
		/* The loop's clock may be a little ahead of ours. */
		tv = roster_tv(r->leaving || r->deadline - now < ROSTER_LOOK_MS ?
		    r->deadline - now : ROSTER_LOOK_MS);
		evtimer_add(r->timer, &tv);
		return;
	}
	evtimer_del(r->timer);
	if (!r->leaving) {
		if (!r->settled) {
			roster_clean(r);
			r->unnamed = roster_unnamed(r);
			r->ready_cb(r->gateway);
		}
		r->settled = 1;
	} else if (pending && r->leaving == 1) {
		r->leaving = 2;
		for (size_t i = 0; i < r->nslots; i++)
			if (r->slots[i].pid != 0)
				shard_kill(&r->slots[i],
				    "it did not leave in time");
		r->deadline = now + ROSTER_LEAVE_MS;
		evtimer_add(r->timer, &tv);
	} else if (r->left_cb != NULL) {
		event_del(r->watch);
		roster_clean(r);
		for (size_t i = 0; i < r->nslots; i++)
			shard_unlink_lock(&r->slots[i]);
		r->left_cb(r->gateway);
		r->left_cb = NULL;
	}
}

/*
 * Sockets of links whose shards are gone, "link-<slot>-<incarnation>.sock": those
 * who died while there was no gateway, too, and the others are told now.
 */
static void
roster_clean(struct roster *r)
{
	const char	*run_dir = r->gateway->settings.run_dir;
	struct ctl	 dead = { .type = CTL_DEAD };
	DIR		*dir = NULL;
	struct dirent	*d;
	int		 end, fd = proc_dir_open(run_dir);

	if (fd == -1 || (dir = fdopendir(fd)) == NULL) {
		log_warn("run directory %s: %s", run_dir, strerror(errno));
		if (fd != -1)
			close(fd);
	}

	while (dir != NULL && (d = readdir(dir)) != NULL) {
		end = 0;
		if (sscanf(d->d_name, "link-%3" SCNu32 "-%16" SCNx64 ".sock%n",
		    &dead.slot, &dead.incarnation, &end) != 2 || end == 0 ||
		    d->d_name[end] != '\0' || dead.slot >= SLOTS_MAX ||
		    roster_knows(r, dead.incarnation))
			continue;
		unlinkat(fd, d->d_name, 0);
		for (size_t i = 0; i < r->nslots; i++)
			if (shard_open(&r->slots[i]))
				roster_tell(&r->slots[i], &dead, NULL);
	}
	if (dir != NULL)
		closedir(dir);
}

static void
roster_watch_cb(evutil_socket_t fd, short what, void *arg)
{
	struct roster	*r = arg;
	struct shard	*s;
	uint64_t	 now = clock_ms(), late = r->gateway->settings.watchdog_ms;
	enum pulse_state state;
	/* When it is us who slept, their answers may not have been read yet. */
	int		 fair = now - r->watched < late / 2 + 1000;

	(void)fd, (void)what;
	r->watched = now;
	memory_tidy(now);
	for (size_t i = 0; i < r->nslots; i++) {
		s = &r->slots[i];
		if (!shard_open(s) || s->hopeless)
			continue;
		state = pulse_feel(&s->pulse, now, late);
		if (state == PULSE_ANSWERED)
			shard_ping(s);
		else if (!fair)
			pulse_excuse(&s->pulse, now);
		else if (state == PULSE_HUNG)
			shard_kill(s, "it does not answer");
		else if (state == PULSE_ENDLESS)
			shard_kill(s, "it was busy for too long and did not "
			    "answer");
		else if (state == PULSE_DOUBTFUL && s->site != NULL &&
		    s->site->usable) {
			/* The next one who decides gets what it hangs in. */
			if (!pulse_moved(&s->pulse, s->pulse.asked, now))
				shard_examine(s, "hangs");
			roster_doubt(r, s);	/* nobody is to wait for it */
		}
	}
}

/*
 * Who decides in this group?  Whoever does, while its shard answers, leaving or
 * not; else the oldest replica that can be spoken with, rather of a shard that
 * stays.  Returns whether it is another one.
 */
static int
roster_elect(struct group *group)
{
	struct list	*l, *tmp;
	struct replica	*rep, *best = NULL;
	struct timespec	 ts;
	uint64_t	 now;
	int		 rank, most = 0;

	list_each(l, tmp, &group->replicas) {
		rep = list_entry(l, struct replica, at);
		if (!shard_serves(rep->site->owner))
			continue;
		if (rep->site->usable && rep->id == group->authority)
			return (0);
		rank = !rep->site->usable ? 1 : rep->site->leaving ? 2 : 3;
		if (rank > most) {
			most = rank;
			best = rep;
		}
	}
	rep = best;
	if (rep == NULL || rep->id == group->authority)
		return (0);
	/* Terms rise over restarts of the gateway, too: microseconds do. */
	clock_gettime(CLOCK_REALTIME, &ts);
	now = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	group->term = now > group->term ? now : group->term + 1;
	group->authority = rep->id;
	return (1);
}

/* Tell this replica, or all (NULL), who decides. */
static void
roster_name(struct roster *r, struct group *group, struct replica *only)
{
	struct ctl	 m = { .type = CTL_AUTHORITY, .time = group->term,
			    .neighbour = group->authority };
	struct list	*l, *tmp;
	struct replica	*rep;

	if (group->authority == 0)
		return;
	list_each(l, tmp, &group->replicas) {
		rep = list_entry(l, struct replica, at);
		if ((only != NULL && rep != only) ||
		    !shard_serves(rep->site->owner))
			continue;
		m.replica = rep->id;
		roster_order(r, rep->site->owner, &m);
	}
}

/* Tell this replica, or all (NULL), of a step that shards do not survive. */
static void
roster_warn_of(struct group *group, struct replica *only,
    const struct suspect *step)
{
	struct ctl	 m = { .type = CTL_POISON, .neighbour = step->origin,
			    .id = step->number };
	struct list	*l, *tmp;
	struct replica	*rep;

	list_each(l, tmp, &group->replicas) {
		rep = list_entry(l, struct replica, at);
		if ((only != NULL && rep != only) ||
		    ((struct shard *)rep->site->owner)->state != SHARD_READY)
			continue;
		m.replica = rep->id;
		roster_tell(rep->site->owner, &m, NULL);
	}
}

/*
 * It died or hangs: amid what?  Before its successors are named, for they will be
 * given the same.  A page that accuses a group that is not there is not believed.
 */
static void
shard_examine(struct shard *s, const char *how)
{
	struct postmortem	*p = &s->gateway->roster->postmortem;
	const struct suspect	*step = NULL;
	struct page_work	 w;
	struct replica		*rep;
	struct slice		 app, group;
	char			 name[256];
	unsigned		 deaths;

	if (pulse_work(&s->pulse, &w) == -1 || w.what == PAGE_NOTHING ||
	    (rep = placement_replica(s->gateway->placement, w.replica)) ==
	    NULL || rep->site != s->site)
		return;
	app = slice_str(rep->group->app);
	group = slice_of(rep->group->name, rep->group->name_len);
	log_warn("shard slot=%" PRIu32 " %s amid=%s group=%s origin=%" PRIu64
	    " number=%" PRIu64, s->slot, how, page_what_name(w.what),
	    log_escape(name, sizeof(name), group.data, group.len), w.origin,
	    w.number);
	deaths = postmortem_blame(p, app, group, w.origin, w.number,
	    s->incarnation);
	if (deaths < POSTMORTEM_DEATHS)
		return;
	log_warn("group=%s origin=%" PRIu64 " number=%" PRIu64 " shards=%u "
	    "died or hung of this, it is refused from now on", name,
	    w.origin, w.number, deaths);
	while ((step = postmortem_next(p, app, group, step)) != NULL)
		roster_warn_of(rep->group, NULL, step);
}

/* Its groups need not wait for it. */
static void
roster_doubt(struct roster *r, struct shard *s)
{
	struct list	*l, *tmp;
	struct group	*group;

	s->site->usable = 0;
	list_each(l, tmp, &s->site->replicas) {
		group = list_entry(l, struct replica, at_site)->group;
		if (roster_elect(group))
			roster_name(r, group, NULL);
	}
}

/* Say it, or, when it has to wait for something else, write it down. */
static void
roster_order(struct roster *r, struct shard *to, const struct ctl *m)
{
	struct order	*o;

	if (r->holding == NULL || (o = malloc(sizeof(*o))) == NULL) {
		roster_tell(to, m, NULL);
		return;
	}
	o->to = to;
	o->incarnation = to->incarnation;
	o->m = *m;
	list_push(r->holding, &o->at);
}

/* Say what waited, but not to this one (may be NULL). */
static void
roster_pay(struct list *orders, const struct shard *but)
{
	struct list	*l, *tmp;
	struct order	*o;

	list_each(l, tmp, orders) {
		o = list_entry(l, struct order, at);
		list_remove(l);
		if (o->to != but && o->to->incarnation == o->incarnation &&
		    shard_open(o->to))
			roster_tell(o->to, &o->m, NULL);
		free(o);
	}
}

static struct timeval
roster_tv(uint64_t ms)
{
	return ((struct timeval){ (time_t)(ms / 1000),
	    (suseconds_t)(ms % 1000 * 1000) });
}

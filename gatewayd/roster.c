/* All shards of this node: how many, and what follows when one ends. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "gatewayd/child.h"
#include "gatewayd/crew.h"
#include "gatewayd/dialogue.h"
#include "gatewayd/election.h"
#include "gatewayd/journey.h"
#include "gatewayd/ledger.h"
#include "gatewayd/order.h"
#include "gatewayd/placement.h"
#include "gatewayd/roster.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "gatewayd/totals.h"
#include "gatewayd/watchdog.h"
#include "proto/capsule.h"
#include "proto/control.h"

#define ROSTER_FOUND_MS		2000	/* a found shard's hello, at start */
#define ROSTER_LOOK_MS		250	/* is the start over? */
#define ROSTER_PROVEN_MS	30000	/* up that long: it is no crash loop */
#define ROSTER_USEFUL_MS	1000	/* nor if it leaves after that long */
#define ROSTER_GROW_MIN_MS	100	/* from a crash to the next that grows */
#define ROSTER_GROW_MAX_MS	1000	/* shorter than newcomers wait */
#define ROSTER_SHRINK_MS	1000	/* from look to look, at most */

struct roster {
	struct shards	 all;
	struct election	 election;
	struct journeys	*journeys;
	struct dialogue	 dialogue;
	const struct settings *settings;
	struct placement *placement;
	struct totals	*totals;
	const struct roster_ops *ops;
	void		*arg;
	int		 settled;	/* ops->settled has been called */
	int		 unnamed;	/* then, somebody was silent: see resolve */
	int		 left;		/* ops->left has been called */
	struct event	*timer;		/* to settle; later, to leave */
	uint64_t	 deadline;	/* clock_ms, of the timer */
	struct backoff	 grow_backoff;
	struct event	*grow_timer;	/* pending: none is started on demand */
	struct event	*shrink_timer;
	struct watchdog	*watchdog;
};

static void	 roster_start(struct roster *, struct shard *);
static void	 roster_again(struct roster *, struct shard *, int);
static void	 roster_moved(void *);
static void	 roster_due(struct shard *, void *);
static void	 roster_dead(struct shard *, void *);
static void	 roster_buried(struct shard *, void *);
static void	 roster_bury(struct roster *, struct shard *);
static void	 roster_ready(struct shard *, void *);
static void	 roster_usable(void *);
static void	 roster_adopted(struct shard *, uint64_t, void *);
static void	 roster_refused(struct shard *, uint64_t, struct slice, int,
		    void *);
static void	 roster_home(struct shard *, const struct capsule *, int,
		    void *);
static void	 roster_listening(int, void *);
static void	 roster_resolve(struct roster *);
static void	 roster_grow_cb(evutil_socket_t, short, void *);
static void	 roster_slow_growth(struct roster *);
static void	 roster_shrink_cb(evutil_socket_t, short, void *);
static void	 roster_timer_cb(evutil_socket_t, short, void *);

static const struct shard_ops roster_shard_ops = {
	.moved = roster_moved,
	.due = roster_due,
	.dead = roster_dead,
};
static const struct dialogue_ops roster_dialogue_ops = {
	.ready = roster_ready,
	.again = roster_usable,
	.adopted = roster_adopted,
	.refused = roster_refused,
	.home = roster_home,
	.listening = roster_listening,
};

struct roster *
roster_new(struct event_base *base, const struct settings *settings,
    struct placement *placement, struct totals *totals,
    const struct sock_fprog *filter, const char *redis_url,
    uint64_t incarnation, const struct roster_ops *ops, void *arg)
{
	struct roster	*r;
	struct timeval	 tv;
	unsigned	 look;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->settings = settings;
	r->placement = placement;
	r->totals = totals;
	r->ops = ops;
	r->arg = arg;
	election_init(&r->election, placement, ops->shared, arg);
	r->dialogue = (struct dialogue){ .shards = &r->all,
	    .election = &r->election, .totals = totals,
	    .redis_url = redis_url, .incarnation = incarnation,
	    .ops = &roster_dialogue_ops, .arg = r };
	if (shards_init(&r->all, base, settings, placement, filter,
	    &roster_shard_ops, r) == -1)
		goto fail;
	r->journeys = journeys_new(base, placement, totals, roster_buried, r);
	if (r->journeys == NULL)
		goto fail;
	r->dialogue.journeys = r->journeys;
	r->timer = evtimer_new(base, roster_timer_cb, r);
	r->watchdog = watchdog_new(base, settings->watchdog_ms, &r->all,
	    &r->election, totals);
	r->grow_timer = evtimer_new(base, roster_grow_cb, r);
	backoff_init(&r->grow_backoff, ROSTER_GROW_MIN_MS, ROSTER_GROW_MAX_MS);
	r->shrink_timer = event_new(base, -1, EV_PERSIST, roster_shrink_cb,
	    r);
	if (r->timer == NULL || r->watchdog == NULL || r->grow_timer == NULL ||
	    r->shrink_timer == NULL)
		goto fail;
	look = settings->idle_shard_ms / 4;
	tv = clock_tv(look < ROSTER_SHRINK_MS ? look : ROSTER_SHRINK_MS);
	event_add(r->shrink_timer, &tv);
	tv = clock_tv(ROSTER_LOOK_MS);
	evtimer_add(r->timer, &tv);
	r->deadline = clock_ms() + SHARD_START_MS;

	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		shard_find(&r->all.slots[i]);
	crew_keep(&r->all);
	for (size_t i = 0; crew_kept(&r->all) < settings->shards &&
	    i < SLOTS_MAX; i++)
		if (r->all.slots[i].state == SHARD_EMPTY) {
			r->all.slots[i].kept = 1;
			roster_start(r, &r->all.slots[i]);
		}
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
		order_drop(&r->all.slots[i].owed);
	journeys_free(r->journeys);
	shards_clear(&r->all);
	if (r->timer != NULL)
		event_free(r->timer);
	watchdog_free(r->watchdog);
	election_clear(&r->election);
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

	if (r->all.leaving)
		goto full;
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		s = &r->all.slots[i];
		if (s->state == SHARD_STARTING)
			return (0);
		if (s->state == SHARD_EMPTY && !s->vacant && empty == NULL)
			empty = s;
	}
	/* A shard that waits out a back-off, or leaves, is in nobody's way. */
	if (crew_active(&r->all) >= r->settings->max_shards ||
	    empty == NULL || evtimer_pending(r->grow_timer, NULL))
		goto full;
	empty->kept = crew_kept(&r->all) < r->settings->shards;
	roster_start(r, empty);
	if (empty->state == SHARD_STARTING)
		return (0);
full:
	errno = ENOSPC;
	return (-1);
}

struct shard *
roster_spare(struct roster *r, struct generation *g)
{
	struct shard	*s;

	for (size_t i = 0; i < SLOTS_MAX && !r->all.leaving; i++) {
		s = &r->all.slots[i];
		if (s->state != SHARD_EMPTY || s->vacant)
			continue;
		generation_set(&r->all.generations, &s->generation, g);
		if (shard_start(s) == 0)
			return (s);
		shard_vacate(s);
		return (NULL);
	}
	errno = ENOSPC;
	return (NULL);
}

int
roster_replace(struct roster *r, const struct shard *s, struct generation *g,
    int now)
{
	return (crew_staying(&r->all, s) >= r->settings->max_shards ||
	    (!now && evtimer_pending(r->grow_timer, NULL)) ||
	    roster_spare(r, g) == NULL ? -1 : 0);
}

int
roster_leaving(const struct roster *r)
{
	return (r->all.leaving != 0);
}

size_t
roster_serving(const struct roster *r)
{
	return (crew_serving(&r->all));
}

int
roster_starting(const struct roster *r)
{
	/* A silent one says hello again, or another is started for it. */
	for (size_t i = 0; i < r->all.nslots; i++)
		if (r->all.slots[i].state == SHARD_STARTING ||
		    r->all.slots[i].state == SHARD_SILENT)
			return (1);
	return (evtimer_pending(r->grow_timer, NULL) &&
	    crew_active(&r->all) < r->settings->max_shards);
}

int
roster_knows(const struct roster *r, uint64_t incarnation)
{
	return (shards_know(&r->all, incarnation));
}

size_t
roster_nslots(const struct roster *r)
{
	return (r->all.nslots);
}

struct journeys *
roster_journeys(struct roster *r)
{
	return (r->journeys);
}

struct shards *
roster_shards(struct roster *r)
{
	return (&r->all);
}

struct shard *
roster_slot(struct roster *r, size_t i)
{
	return (&r->all.slots[i]);
}

void
roster_leave(struct roster *r, unsigned deadline_ms)
{
	struct timeval	 tv = clock_tv(deadline_ms + SHARD_LEAVE_MS);
	struct shard	*s;

	r->all.leaving = 1;
	evtimer_add(r->timer, &tv);
	r->deadline = clock_ms() + deadline_ms + SHARD_LEAVE_MS;
	for (size_t i = 0; i < r->all.nslots; i++) {
		s = &r->all.slots[i];
		evtimer_del(s->timer);
		if (s->site != NULL)
			s->site->leaving = 1;
		switch (s->state) {
		case SHARD_READY:
			shard_move(s, SHARD_LEAVING);
			shard_drain(s, deadline_ms, CLOSE_GOING);
			break;
		case SHARD_STARTING:
			/* The shard has served nobody, or is not to be reached. */
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
	roster_moved(r);
}

void
roster_kill(struct roster *r)
{
	for (size_t i = 0; i < r->all.nslots; i++) {
		child_kill(r->all.slots[i].pidfd, SIGKILL);
		r->all.slots[i].pid = 0;
		shard_unlink_lock(&r->all.slots[i]);
	}
	shards_clean(&r->all);
}

/* ---- what others say ---- */

void
roster_replica_made(struct roster *r, struct replica *rep)
{
	election_replica_made(&r->election, rep);
}

void
roster_replica_ended(struct roster *r, struct replica *rep)
{
	election_replica_ended(&r->election, rep);
}

void
roster_suspect(struct roster *r, struct shard *s)
{
	election_suspect(&r->election, s);
}

void
roster_tell_options(struct roster *r)
{
	dialogue_tell_options(&r->dialogue);
}

struct shard *
roster_hello(struct roster *r, struct control *c, const struct ctl *m,
    int *page, pid_t peer)
{
	return (dialogue_hello(&r->dialogue, c, m, page, peer));
}

int
roster_message(struct roster *r, struct shard *s, const struct ctl *m, int *fds,
    size_t nfds, int cut)
{
	return (dialogue_message(&r->dialogue, s, m, fds, nfds, cut));
}
void
roster_channel_end(struct roster *r, struct shard *s, const char *why)
{
	struct timeval	 tv = clock_tv(r->settings->watchdog_ms);

	s->control = NULL;
	s->hello = 0;
	if (s->site != NULL)
		s->site->usable = 0;
	r->ops->dead(s, r->arg);
	if (s->exited) {
		roster_dead(s, r);
		return;
	}
	log_debug("shard slot=%" PRIu32 " channel ended: %s", s->slot, why);
	if (s->state == SHARD_LEAVING)
		return;
	shard_move(s, SHARD_SILENT);
	evtimer_add(s->timer, &tv);
}

/* A shard takes connections. */
static void
roster_ready(struct shard *s, void *arg)
{
	struct roster	*r = arg;

	roster_resolve(r);
	r->ops->ready(s, r->arg);
}

/* A shard that had been silent takes connections again. */
static void
roster_usable(void *arg)
{
	struct roster	*r = arg;

	r->ops->room(r->arg);
}

/* A shard has a connection. */
static void
roster_adopted(struct shard *s, uint64_t id, void *arg)
{
	struct roster	*r = arg;

	r->ops->adopted(s, id, r->arg);
}

/* A shard does not take a connection. */
static void
roster_refused(struct shard *s, uint64_t id, struct slice why, int leaving,
    void *arg)
{
	struct roster	*r = arg;

	r->ops->refused(s, id, why, leaving, r->arg);
}

/* A shard sends a connection home. */
static void
roster_home(struct shard *s, const struct capsule *c, int fd, void *arg)
{
	struct roster	*r = arg;

	r->ops->home(s, c, fd, r->arg);
}

/* A shard held a socket that clients connect to. */
static void
roster_listening(int fd, void *arg)
{
	struct roster	*r = arg;

	r->ops->listening(fd, r->arg);
}

/* ---- one shard ---- */

/* Start a process in an empty slot; what does not start is tried again later. */
static void
roster_start(struct roster *r, struct shard *s)
{
	if (shard_start(s) == 0)
		return;
	roster_slow_growth(r);
	roster_again(r, s, 0);
}

/*
 * The slot is free.  Those that are kept are filled again, with the program that they had,
 * as long as max_shards allows it; others only as far as there are fewer than `shards`
 * without them and those that the operator keeps empty, and with the current program: they
 * may have left because theirs is none any more.
 */
static void
roster_again(struct roster *r, struct shard *s, int now)
{
	const struct settings	*set = r->settings;
	size_t			 others;

	shard_move(s, SHARD_EMPTY);
	others = crew_active(&r->all);
	if (s->vacant) {
		/* Filled again, it is of the current generation. */
		generation_set(&r->all.generations, &s->generation, NULL);
		return;
	}
	if (others >= set->max_shards || (!s->kept &&
	    others + crew_vacant(&r->all) >= set->shards)) {
		shard_vacate(s);
		crew_keep(&r->all);
		return;
	}
	if (!s->kept)
		generation_set(&r->all.generations, &s->generation, NULL);
	if (now)
		roster_start(r, s);
	else
		shard_wait(s);
}

/* The back-off of a slot is over. */
static void
roster_due(struct shard *s, void *arg)
{
	roster_again(arg, s, 1);
}

/* The process of a shard is gone and all that it said has been heard. */
static void
roster_dead(struct shard *s, void *arg)
{
	struct roster	*r = arg;

	r->ops->dead(s, r->arg);
	evtimer_del(s->timer);
	/* Others may have been given what it had, and not have said so yet. */
	if (!journeys_dead(r->journeys, s))
		roster_bury(r, s);
}

/* The others have said what they have of a dead shard. */
static void
roster_buried(struct shard *s, void *arg)
{
	roster_bury(arg, s);
}

/* What follows when a shard is dead. */
static void
roster_bury(struct roster *r, struct shard *s)
{
	struct ctl	 dead = { .type = CTL_DEAD, .slot = s->slot,
			    .incarnation = s->incarnation };
	size_t		 lost = 0, others = 0;
	int		 left, well;

	election_examine(&r->election, s, "died");
	if (s->site != NULL) {
		s->site->dead = 1;
		others = r->ops->dying(s, r->arg);
		lost = placement_site_remove(r->placement, s->site);
	}
	s->site = NULL;
	order_pay(&s->owed, s);
	shard_forget(s);
	r->totals->gone[CLOSE_SHARD_DIED] += lost - others;
	r->totals->lost_by_death += lost;
	for (size_t i = 0; i < r->all.nslots; i++)
		if (shard_open(&r->all.slots[i]))
			shard_tell(&r->all.slots[i], &dead, NULL);
	if (s->link_path != NULL) {
		r->ops->buried(s->address, r->arg);
		unlink(s->link_path);
	}
	shard_unlink_lock(s);
	left = r->all.leaving || shard_ended_well(s);
	if (left)
		log_info("shard slot=%" PRIu32 " pid=%d left %s lost=%zu",
		    s->slot, (int)s->pid, s->ended, lost);
	else
		log_warn("shard slot=%" PRIu32 " pid=%d died%s %s lost=%zu",
		    s->slot, (int)s->pid, s->link_path != NULL ? "" :
		    " before it said hello", s->ended, lost);
	ledger_end(r->totals->ledger, s->slot, &s->pulse);
	shard_bury(s);
	roster_resolve(r);
	if (r->all.leaving) {
		shard_move(s, SHARD_EMPTY);
		return;
	}
	well = left && clock_ms() - s->since >= ROSTER_USEFUL_MS;
	if (clock_ms() - s->since >= ROSTER_PROVEN_MS || well) {
		s->crashes_in_row = 0;
		backoff_reset(&s->backoff);
		backoff_reset(&r->grow_backoff);
	} else if (!s->kept)
		roster_slow_growth(r);
	s->crashes_in_row += !well;
	shard_doubt(s);
	s->restarts++;
	roster_again(r, s, s->crashes_in_row < 2);
}

/* ---- all of them ---- */

/* The newest shard that is not kept and that nobody has used for a while leaves; the
 * next one when it has left. */
static void
roster_shrink_cb(evutil_socket_t fd, short what, void *arg)
{
	struct roster	*r = arg;
	struct shard	*s;

	(void)fd, (void)what;
	if (r->all.leaving || (s = crew_idle(&r->all)) == NULL)
		return;
	log_info("shard slot=%" PRIu32 " served nobody for %u ms and leaves",
	    s->slot, r->settings->idle_shard_ms);
	s->site->leaving = 1;
	shard_leave(s, r->settings->drain_ms);
	shard_drain(s, r->settings->drain_ms, CLOSE_GOING);
}

/* A shard that was started on demand came to nothing: the next not too fast. */
static void
roster_slow_growth(struct roster *r)
{
	struct timeval	 tv = clock_tv(backoff_next(&r->grow_backoff));

	evtimer_add(r->grow_timer, &tv);
}

/* One more shard may be started now. */
static void
roster_grow_cb(evutil_socket_t fd, short what, void *arg)
{
	struct roster	*r = arg;

	(void)fd, (void)what;
	r->ops->room(r->arg);
}

/* Have all come up, or all left? */
static int
roster_pending(const struct roster *r)
{
	const struct shard	*s;

	for (size_t i = 0; i < r->all.nslots; i++) {
		s = &r->all.slots[i];
		if (r->all.leaving ? s->state != SHARD_EMPTY :
		    /* The second failure is enough to go on without. */
		    (s->state == SHARD_STARTING || (s->state == SHARD_SILENT &&
		    clock_ms() - s->since < ROSTER_FOUND_MS)) &&
		    s->crashes_in_row < 2)
			return (1);
	}
	return (0);
}

/* A state has changed: is the start, or the end, over?  Then from the loop, later. */
static void
roster_moved(void *arg)
{
	struct roster	*r = arg;

	if ((!r->settled || r->all.leaving) && !roster_pending(r))
		event_active(r->timer, EV_TIMEOUT, 1);
}

/*
 * As long as one that we found was silent, anything could have been its own.  Now
 * one of those has spoken, or died: what else is left by the dead goes.
 */
static void
roster_resolve(struct roster *r)
{
	if (!r->unnamed || r->all.leaving)
		return;
	r->unnamed = crew_unnamed(&r->all);
	shards_clean(&r->all);
	r->ops->resolved(r->arg);
}

/* Is the start, or the end, over; or is its time? */
static void
roster_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct roster	*r = arg;
	struct timeval	 tv = clock_tv(SHARD_LEAVE_MS);
	uint64_t	 now = clock_ms();
	int		 pending = roster_pending(r);

	(void)fd, (void)what;
	if (pending && now < r->deadline) {
		/* The loop's clock may be a little ahead of ours. */
		tv = clock_tv(r->all.leaving ||
		    r->deadline - now < ROSTER_LOOK_MS ?
		    r->deadline - now : ROSTER_LOOK_MS);
		evtimer_add(r->timer, &tv);
		return;
	}
	evtimer_del(r->timer);
	if (!r->all.leaving) {
		if (!r->settled) {
			shards_clean(&r->all);
			r->unnamed = crew_unnamed(&r->all);
			r->ops->settled(r->arg);
		}
		r->settled = 1;
	} else if (pending && r->all.leaving == 1) {
		r->all.leaving = 2;
		for (size_t i = 0; i < r->all.nslots; i++)
			if (r->all.slots[i].pid != 0)
				shard_kill(&r->all.slots[i],
				    "it did not leave in time");
		r->deadline = now + SHARD_LEAVE_MS;
		evtimer_add(r->timer, &tv);
	} else if (!r->left) {
		r->left = 1;
		watchdog_free(r->watchdog);
		r->watchdog = NULL;
		shards_clean(&r->all);
		for (size_t i = 0; i < r->all.nslots; i++)
			shard_unlink_lock(&r->all.slots[i]);
		r->ops->left(r->arg);
	}
}

/* Connections of one shard that go to others. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "gatewayd/group.h"
#include "gatewayd/journey.h"
#include "gatewayd/placement.h"
#include "gatewayd/shard.h"
#include "gatewayd/transfer.h"
#include "proto/control.h"

#define TRANSFER_LOOK_MS	20
#define TRANSFER_AGAIN_MS	500	/* for those that are busy */
#define TRANSFER_IDLE_MS	10000	/* nobody has moved: it is of no use */
#define TRANSFER_WINDOW		512	/* unanswered, of a journey */

struct transfer {
	struct event_base *base;
	struct journeys	*journeys;
	struct placement *placement;
	struct shards	*shards;
	struct transfer_plan plan;
	uint64_t	 incarnation;	/* of plan.from */
	struct transfer_count count;
	struct journey	*by_slot[SLOTS_MAX];
	size_t		 njourneys;
	uint64_t	*ids;		/* of this round */
	size_t		 nids, at;
	size_t		 asked;		/* in this round */
	size_t		 awaits;	/* in this round: stay for another shard */
	size_t		 lack;		/* in this round: find no place yet */
	int		 room;		/* plan.room's word, of this round; -1: unasked */
	int		 ending;	/* journeys were told so */
	int		 late;		/* for time was over: it may go on again */
	uint64_t	 began, looked, moved;	/* clock_ms */
	double		 allowed;	/* that may be asked for now */
	struct event	*timer;
};

static void	 transfer_timer_cb(evutil_socket_t, short, void *);
static void	 transfer_moved(struct journey *, void *);
static void	 transfer_stayed(struct journey *, uint64_t, uint32_t, struct slice,
		    void *);
static void	 transfer_journey_done(struct journey *, void *);

static const struct journey_ops transfer_journey_ops = {
	.moved = transfer_moved,
	.stayed = transfer_stayed,
	.done = transfer_journey_done,
};

/* ---- who, and where to ---- */

/* Is it one of those that are to move? */
static int
transfer_meant(const struct transfer *t, const struct place *place)
{
	return (place_site(place) == t->plan.from->site && !place->http &&
	    !place->moving && !place->stays && (t->plan.replica == 0 ||
	    (place->replica != NULL &&
	    place->replica->id == t->plan.replica)));
}

/* Cheap ones first: without a group, then small replicas; a replica together. */
static int
transfer_order(const void *a, const void *b)
{
	const struct replica	*x = (*(struct place *const *)a)->replica;
	const struct replica	*y = (*(struct place *const *)b)->replica;

	if (x == y)
		return (0);
	if (x == NULL || y == NULL)
		return (x == NULL ? -1 : 1);
	if (x->count != y->count)
		return (x->count < y->count ? -1 : 1);
	return (x->id < y->id ? -1 : 1);
}

/* Who is to move in this round: 0, or -1 (no memory). */
static int
transfer_collect(struct transfer *t)
{
	struct place	**places, *place;
	size_t		 at = 0, n = 0, max = t->plan.from->site->count;

	free(t->ids);
	t->ids = NULL;
	t->nids = t->at = t->asked = t->awaits = t->lack = 0;
	t->room = -1;
	if (max == 0)
		return (0);
	if ((places = calloc(max, sizeof(*places))) == NULL)
		return (-1);
	while (n < max && (place = placement_next(t->placement, &at)) != NULL)
		if (transfer_meant(t, place))
			places[n++] = place;
	qsort(places, n, sizeof(*places), transfer_order);
	/* Ids take no more room than pointers. */
	if ((t->ids = calloc(n == 0 ? 1 : n, sizeof(*t->ids))) == NULL) {
		free(places);
		return (-1);
	}
	for (size_t i = 0; i < n; i++)
		t->ids[i] = places[i]->id;
	t->nids = n;
	free(places);
	return (0);
}

enum transfer_hope {
	TRANSFER_NOBODY,		/* is there who may take it */
	TRANSFER_NEVER, TRANSFER_LATER, TRANSFER_ANSWERED
};

/*
 * Where a connection goes: where its group has most already, else where there are
 * fewest connections.  NULL: nowhere now; *hope: later perhaps, or when a shard answers
 * again.
 */
static struct shard *
transfer_target(const struct transfer *t, const struct place *place,
    enum transfer_hope *hope)
{
	const struct group	*g = place->replica == NULL ? NULL :
				    place->replica->group;
	const struct replica	*r;
	struct shard		*s, *best = NULL;
	size_t			 most = 0;

	*hope = TRANSFER_NOBODY;
	for (size_t i = 0; i < t->shards->nslots; i++) {
		s = &t->shards->slots[i];
		if (s->site == NULL || s == t->plan.from ||
		    !t->plan.may(s, t->plan.arg))
			continue;
		if (*hope == TRANSFER_NOBODY)
			*hope = TRANSFER_NEVER;
		if (!journey_possible(t->plan.from, s,
		    g == NULL ? NULL : g->app))
			continue;
		r = g == NULL ? NULL : group_at(g, s->site);
		if (!s->site->usable && s->site->count < s->site->capacity &&
		    (r == NULL || r->count < g->limit))
			*hope = TRANSFER_ANSWERED;
		else if (*hope == TRANSFER_NEVER)
			*hope = TRANSFER_LATER;
		if (!site_room(s->site))
			continue;
		if (r != NULL && !replica_room(r))
			continue;
		if (r != NULL ? best == NULL || r->count > most :
		    most == 0 && (best == NULL ||
		    s->site->count < best->site->count)) {
			best = s;
			most = r == NULL ? 0 : r->count;
		}
	}
	return (best);
}

/* The journey to s, which may begin now, or NULL. */
static struct journey *
transfer_journey(struct transfer *t, struct shard *s)
{
	struct journey	**j = &t->by_slot[s->slot];

	if (*j != NULL && journey_to(*j) != s)
		return (NULL);		/* it is over, and will say so */
	if (*j == NULL && (*j = journey_begin(t->journeys, t->plan.from, s,
	    &transfer_journey_ops, t)) != NULL)
		t->njourneys++;
	return (*j);
}

/* Nobody can take it: it stays.  Refused, if its own program would have let it go. */
static void
transfer_unwanted(struct transfer *t, struct place *place)
{
	const char	*app = place->replica == NULL ? NULL :
			    place->replica->group->app;

	place->stays = 1;
	t->count.never++;
	if (app == NULL || shard_blob(t->plan.from, app) == 0)
		return;
	t->count.refused++;
	snprintf(t->count.why, sizeof(t->count.why), "the other program has no "
	    "application \"%s\" that can read what this one's has", app);
}

/* Nobody can take it now: may it stay until somebody can, for there is time? */
static int
transfer_lacks(struct transfer *t, const struct place *place,
    enum transfer_hope hope)
{
	if (t->plan.room == NULL || hope == TRANSFER_NEVER ||
	    hope == TRANSFER_ANSWERED || (place->replica != NULL &&
	    shard_blob(t->plan.from, place->replica->group->app) == 0))
		return (0);
	if (t->room == -1)
		t->room = t->plan.room(t->plan.arg);
	if (hope == TRANSFER_NOBODY && !t->room)
		return (0);
	t->lack++;
	return (1);
}

/* Have one moved: 1, or 0: it stays for now; -1: too many are unanswered. */
static int
transfer_ask(struct transfer *t, struct place *place)
{
	struct journey	*j;
	struct shard	*s;
	enum transfer_hope hope;

	if ((s = transfer_target(t, place, &hope)) == NULL) {
		if (!transfer_lacks(t, place, hope) && hope <= TRANSFER_NEVER)
			transfer_unwanted(t, place);
		t->awaits += hope == TRANSFER_ANSWERED;
		return (0);
	}
	if ((j = transfer_journey(t, s)) == NULL)
		return (0);
	if (journey_unanswered(j) >= TRANSFER_WINDOW)
		return (-1);
	return (journey_send(j, place) == 0);
}

/* Those who wait for a shard that does not answer may go to another, if there is one. */
static void
transfer_avoid(struct transfer *t)
{
	const struct shard	*s;
	size_t			 others = 0;

	for (size_t i = 0; i < t->shards->nslots; i++) {
		s = &t->shards->slots[i];
		others += s->site != NULL && site_room(s->site) &&
		    t->plan.may(s, t->plan.arg) &&
		    journey_possible(t->plan.from, s, NULL);
	}
	for (size_t i = 0; others > 0 && i < t->shards->nslots; i++) {
		s = t->by_slot[i] == NULL ? NULL : journey_to(t->by_slot[i]);
		if (s != NULL && s->site != NULL && !s->site->usable)
			journey_stop(t->by_slot[i]);
	}
}

/* ---- the transfer ---- */

int
transfer_possible(const struct shards *shards, const struct transfer_plan *plan)
{
	const struct shard	*s;

	for (size_t i = 0; i < shards->nslots; i++) {
		s = &shards->slots[i];
		if (s->site != NULL && plan->may(s, plan->arg) &&
		    journey_possible(plan->from, s, NULL))
			return (1);
	}
	return (0);
}

struct transfer *
transfer_begin(struct event_base *base, struct journeys *journeys,
    struct placement *placement, struct shards *shards,
    const struct transfer_plan *plan)
{
	struct transfer	*t;
	struct place	*place;
	size_t		 at = 0;

	if (!transfer_possible(shards, plan)) {
		errno = ENOTSUP;
		return (NULL);
	}
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return (NULL);
	t->base = base;
	t->journeys = journeys;
	t->placement = placement;
	t->shards = shards;
	t->plan = *plan;
	t->incarnation = plan->from->incarnation;
	t->began = t->looked = t->moved = clock_ms();
	/* What could not move to others may move to these. */
	while ((place = placement_next(placement, &at)) != NULL)
		if (place_site(place) == plan->from->site)
			place->stays = 0;
	t->timer = evtimer_new(base, transfer_timer_cb, t);
	if (t->timer == NULL || transfer_collect(t) == -1) {
		transfer_free(t);
		errno = ENOMEM;
		return (NULL);
	}
	t->count.total = t->nids < plan->most ? t->nids : plan->most;
	event_active(t->timer, EV_TIMEOUT, 1);
	return (t);
}

void
transfer_free(struct transfer *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < SLOTS_MAX; i++)
		if (t->by_slot[i] != NULL)
			journey_abandon(t->by_slot[i]);
	if (t->timer != NULL)
		event_free(t->timer);
	free(t->ids);
	free(t);
}

/* Nothing new is begun. */
static void
transfer_end(struct transfer *t, int stop)
{
	if (t->ending)
		return;
	t->ending = 1;
	for (size_t i = 0; i < SLOTS_MAX; i++)
		if (t->by_slot[i] != NULL)
			journey_end(t->by_slot[i], stop);
	event_active(t->timer, EV_TIMEOUT, 1);
}

void
transfer_stop(struct transfer *t)
{
	t->late = 0;
	transfer_end(t, 1);
}

const struct transfer_count *
transfer_count(const struct transfer *t)
{
	return (&t->count);
}

/* How many of its journeys' moves have no answer yet. */
static size_t
transfer_unanswered(const struct transfer *t)
{
	size_t	 n = 0;

	for (size_t i = 0; i < SLOTS_MAX; i++)
		if (t->by_slot[i] != NULL)
			n += journey_unanswered(t->by_slot[i]);
	return (n);
}

/* Ask for as many as the pace allows. */
static void
transfer_go(struct transfer *t, uint64_t now)
{
	struct place	*place;
	int		 rc;

	t->allowed += (double)(now - t->looked) * t->plan.rate / 1000;
	if (t->allowed > t->plan.rate / 5 + 1)
		t->allowed = t->plan.rate / 5 + 1;
	while (t->allowed >= 1 && t->at < t->nids &&
	    t->count.moved + transfer_unanswered(t) < t->plan.most) {
		place = placement_find(t->placement, t->ids[t->at]);
		if (place == NULL || !transfer_meant(t, place)) {
			t->at++;
			continue;
		}
		if ((rc = transfer_ask(t, place)) == -1)
			return;
		t->at++;
		t->asked += (size_t)rc;
		t->allowed -= rc;
	}
}

/* Is it time, which began at `since`?  Those who wait for another shard have longer. */
static int
transfer_late(const struct transfer *t, uint64_t now, uint64_t since, uint64_t ms)
{
	return (now - since >= ms + (t->awaits > 0 || t->count.awaits > 0 ?
	    t->plan.await_ms : 0));
}

/* Time is over, and all have answered: those who wait for another shard have longer. */
static int
transfer_goes_on(struct transfer *t, uint64_t now)
{
	if (!t->late || t->awaits == 0 ||
	    transfer_late(t, now, t->began, t->plan.ms))
		return (0);
	t->count.awaits = t->awaits;
	if (transfer_collect(t) == -1 || t->nids == 0)
		return (0);
	t->ending = t->late = 0;
	return (1);
}

/* A round is over: how many find no room?  The log has it when it is the first time. */
static void
transfer_say_lack(struct transfer *t)
{
	if (t->lack > 0 && t->count.lacks == 0)
		log_info("shard slot=%" PRIu32 " connections=%zu wait until "
		    "others have room", t->plan.from->slot, t->lack);
	t->count.lacks = t->lack;
}

/*
 * A round is over when all have been asked for and are answered.  Another one is worth
 * while as long as it brings anything, or somebody was busy.
 */
static void
transfer_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct transfer	*t = arg;
	struct timeval	 tv = clock_tv(TRANSFER_LOOK_MS);
	struct timeval	 again = clock_tv(TRANSFER_AGAIN_MS);
	uint64_t	 now = clock_ms();
	int		 gone = t->plan.from->incarnation != t->incarnation ||
			    t->plan.from->state != SHARD_READY;

	(void)fd, (void)what;
	if (t->ending) {
		if (t->njourneys > 0)
			return;		/* the last one that is done wakes us */
		if (!gone && transfer_goes_on(t, now)) {
			t->looked = now;
			evtimer_add(t->timer, &again);
			return;
		}
		t->plan.done(t, t->plan.arg);
		transfer_free(t);
		return;
	}
	if (gone || transfer_late(t, now, t->began, t->plan.ms)) {
		t->late = !gone;
		transfer_end(t, 1);
		return;
	}
	transfer_avoid(t);
	transfer_go(t, now);
	t->looked = now;
	if (t->count.moved >= t->plan.most) {
		transfer_end(t, 0);
		return;
	}
	if (t->at == t->nids && transfer_unanswered(t) == 0) {
		t->count.awaits = t->awaits;
		transfer_say_lack(t);
		if (t->asked + t->awaits + t->lack == 0 || (!t->plan.patient &&
		    transfer_late(t, now, t->moved, TRANSFER_IDLE_MS)) ||
		    transfer_collect(t) == -1 ||
		    t->nids == 0) {
			transfer_end(t, 0);
			return;
		}
		tv = again;
	}
	evtimer_add(t->timer, &tv);
}

/* ---- what the journeys tell ---- */

static void
transfer_moved(struct journey *j, void *arg)
{
	struct transfer	*t = arg;

	(void)j;
	t->count.moved++;
	t->moved = t->looked;
}

static void
transfer_stayed(struct journey *j, uint64_t id, uint32_t how, struct slice why,
    void *arg)
{
	struct transfer	*t = arg;
	struct place	*place = placement_find(t->placement, id);
	int		 never = (how & CTL_F_NEVER) != 0;

	(void)j;
	log_escape(t->count.why, sizeof(t->count.why), why.data, why.len);
	log_debug("transfer from=%" PRIu32 " id=%016" PRIx64 " stays%s: %s",
	    t->plan.from->slot, id, never ? " for good" : "", t->count.why);
	if (!never) {
		t->count.failed++;
		t->awaits += (how & CTL_F_AWAITS) != 0;
		return;
	}
	t->count.never++;
	if (place == NULL)
		return;
	place->stays = 1;
	t->count.refused += (how & CTL_F_DECLINED) != 0;
}

/* A journey is over, perhaps before it was told to be. */
static void
transfer_journey_done(struct journey *j, void *arg)
{
	struct transfer	*t = arg;

	for (size_t i = 0; i < SLOTS_MAX; i++)
		if (t->by_slot[i] == j) {
			t->by_slot[i] = NULL;
			t->njourneys--;
		}
	if (t->ending && t->njourneys == 0)
		event_active(t->timer, EV_TIMEOUT, 1);
}

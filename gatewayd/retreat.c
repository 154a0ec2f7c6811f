/* Which shards give their few connections away and leave. */
#include <stdlib.h>

#include "common/list.h"
#include "gatewayd/crew.h"
#include "gatewayd/group.h"
#include "gatewayd/journey.h"
#include "gatewayd/places.h"
#include "gatewayd/retreat.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"

struct retreat {
	struct {			/* by slot */
		uint64_t	 incarnation;	/* of which this is true */
		uint64_t	 taken;		/* places, ever */
		uint64_t	 since;		/* clock_ms: nobody has come */
		uint64_t	 again;		/* clock_ms: not before */
	}		 slots[SLOTS_MAX];
};

struct retreat *
retreat_new(void)
{
	return (calloc(1, sizeof(struct retreat)));
}

void
retreat_free(struct retreat *r)
{
	free(r);
}

/* May connections of s go to `to`? */
static int
retreat_takes(const struct shard *s, const struct shard *to, const char *app)
{
	return (to->state == SHARD_READY && to->site->usable &&
	    !to->site->leaving && !to->retires &&
	    journey_possible(s, to, app));
}

/* So many that the others take of a group, and have a quarter left. */
static size_t
retreat_room(const struct shards *all, const struct shard *s,
    const struct group *g)
{
	const struct shard	*to;
	const struct replica	*r;
	size_t			 most = g->limit - g->limit / 4, room = 0, n;

	for (size_t i = 0; i < all->nslots; i++) {
		to = &all->slots[i];
		if (!retreat_takes(s, to, g->app) || !site_room(to->site))
			continue;
		r = group_at(g, to->site);
		n = r == NULL ? 0 : r->count;
		room += n < most ? most - n : 0;
	}
	return (room);
}

/* Can all of s go elsewhere, for good? */
static int
retreat_fits(const struct shards *all, const struct shard *s)
{
	const struct replica	*r;
	const struct shard	*to;
	struct list		*l, *tmp;
	size_t			 room = 0;

	for (size_t i = 0; i < all->nslots; i++) {
		to = &all->slots[i];
		if (retreat_takes(s, to, NULL) &&
		    to->site->count < to->site->capacity -
		    to->site->capacity / 4)
			room += to->site->capacity - to->site->capacity / 4 -
			    to->site->count;
	}
	if (room < s->site->count)
		return (0);
	list_each(l, tmp, &s->site->replicas) {
		r = list_entry(l, struct replica, at_site);
		if (r->over > 0 || (r->count > 0 &&
		    r->count > retreat_room(all, s, r->group)))
			return (0);
	}
	return (1);
}

/* Has nobody come to s for long enough, and could the few there go? */
static int
retreat_idle(struct retreat *r, const struct shards *all, struct shard *s,
    uint64_t now)
{
	const uint64_t	 ms = all->settings->idle_shard_ms;
	int		 same = r->slots[s->slot].incarnation == s->incarnation;

	if (!same || s->site->taken != r->slots[s->slot].taken ||
	    s->site->count > RETREAT_FEW || s->site->expected > 0 ||
	    !retreat_fits(all, s)) {
		r->slots[s->slot].incarnation = s->incarnation;
		r->slots[s->slot].taken = s->site->taken;
		r->slots[s->slot].since = now;
		if (!same)
			r->slots[s->slot].again = 0;
	}
	return (now - r->slots[s->slot].since >= ms &&
	    now >= r->slots[s->slot].again);
}

struct shard *
retreat_due(struct retreat *r, struct shards *all, uint64_t now)
{
	struct shard	*s, *best = NULL;
	int		 calm = crew_active(all) > all->settings->shards;

	for (size_t i = 0; i < all->nslots; i++) {
		s = &all->slots[i];
		calm &= s->state != SHARD_STARTING &&
		    s->state != SHARD_LEAVING && s->state != SHARD_SILENT;
		/* One that is empty leaves by itself. */
		if (s->kept || s->retires || s->state != SHARD_READY ||
		    s->site->leaving || !s->site->usable ||
		    s->site->count == 0 || !retreat_idle(r, all, s, now))
			continue;
		if (best == NULL || s->site->count < best->site->count ||
		    (s->site->count == best->site->count &&
		    s->since > best->since))
			best = s;
	}
	return (calm ? best : NULL);
}

void
retreat_failed(struct retreat *r, const struct shard *s, uint64_t now)
{
	r->slots[s->slot].again = now + (uint64_t)RETREAT_AGAIN *
	    s->all->settings->idle_shard_ms;
}

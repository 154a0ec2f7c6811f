/* (group, uid) to a shard, and the exact counts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gatewayd/address.h"
#include "gatewayd/covers.h"
#include "gatewayd/group.h"
#include "gatewayd/member.h"
#include "gatewayd/placement.h"
#include "gatewayd/placement_in.h"
#include "gatewayd/reserve.h"
#include "gatewayd/spot.h"
#include "proto/uids.h"

static struct replica *placement_choose(const struct group *,
	    struct slice, int, enum placement_why *);
static struct site *placement_decide(struct placement *,
	    const struct placement_ask *, struct group *, struct replica **,
	    enum placement_why *);
static struct place *placement_seat(struct placement *, struct site *,
	    struct replica *, uint64_t, struct slice, int, int);
static void	 placement_drop(struct placement *, struct place *, int *);
static void	 placement_mourn(struct place *);
static void	 placement_end_replicas(struct placement *, struct site *);
static uint32_t	 place_hash(const void *);

struct placement *
placement_new(uint64_t incarnation, const struct placement_ops *ops, void *arg)
{
	static const struct placement_ops	 deaf;
	struct placement			*p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	list_init(&p->sites);
	list_init(&p->groups);
	p->places.hash = place_hash;
	reserve_init(p);
	p->ops = ops == NULL ? &deaf : ops;
	p->arg = arg;
	p->incarnation = incarnation;
	/* Counted up from a random point: not reused after a restart either. */
	p->next_replica = bytes_random64() >> 1;
	return (p);
}

void
placement_free(struct placement *p)
{
	static const struct placement_ops	 deaf;

	if (p == NULL)
		return;
	p->ops = &deaf;
	while (!list_empty(&p->sites))
		placement_site_remove(p, list_entry(p->sites.next, struct site,
		    at));
	set_clear(&p->moving);
	set_clear(&p->places);
	map_clear(&p->replicas);
	map_clear(&p->by_name);
	free(p);
}

uint64_t
placement_next_id(struct placement *p)
{
	uint64_t	 high = p->incarnation << 32;

	/* 0 is nobody's. */
	do
		p->counter++;
	while ((high | (p->counter & UINT32_MAX)) == 0);
	return (high | (p->counter & UINT32_MAX));
}

struct site *
placement_site_add(struct placement *p, uint32_t slot, uint64_t incarnation,
    size_t capacity, void *owner)
{
	struct site	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	s->slot = slot;
	s->incarnation = incarnation;
	s->capacity = capacity;
	s->usable = 1;
	s->owner = owner;
	list_init(&s->replicas);
	list_push(&p->sites, &s->at);
	return (s);
}

size_t
placement_site_remove(struct placement *p, struct site *s)
{
	struct place	*place;
	size_t		 n, at = 0;

	s->usable = 0;
	reserve_site_ends(p, s);
	n = s->count;
	while (s->count > 0 && (place = set_next(&p->places, &at)) != NULL)
		if (place_site(place) == s) {
			if (s->dead)
				placement_mourn(place);
			placement_drop(p, place, NULL);
			at--;
		}
	placement_end_replicas(p, s);
	list_remove(&s->at);
	free(s);
	return (n);
}

enum placement_answer
placement_take(struct placement *p, const struct placement_ask *ask,
    struct place **out)
{
	struct group	*g = NULL;
	struct replica	*r = NULL;
	struct site	*s;
	struct place	*place;
	uint32_t	 limit = ask->limit == 0 ? 1 : ask->limit;
	enum placement_why why;
	int		 made = 0;

	if (placement_find(p, ask->id) != NULL)
		return (PLACEMENT_FULL);
	if (ask->group.data != NULL &&
	    (g = group_named(p, ask->app, ask->group)) != NULL)
		g->limit = limit;
	if ((s = placement_decide(p, ask, g, &r, &why)) == NULL)
		return (ask->http ? PLACEMENT_FULL : PLACEMENT_NEED_SHARD);
	if (ask->group.data != NULL && r == NULL) {
		if (g == NULL &&
		    (g = group_begin(p, ask->app, ask->group, limit)) == NULL)
			return (PLACEMENT_FULL);
		if ((r = replica_new(p, g, s, 0)) == NULL) {
			group_free(p, g);
			return (PLACEMENT_FULL);
		}
		made = 1;
	}
	place = placement_seat(p, s, r, ask->id, ask->uid, ask->http,
	    why == PLACEMENT_OVER);
	if (place == NULL) {
		if (made)
			replica_free(p, r, 0);
		return (PLACEMENT_FULL);
	}
	place->coming = !ask->http;
	p->coming += place->coming;
	if (r != NULL && !ask->http)
		g->current = replica_room(r) ? r : NULL;
	if (made && p->ops->replica_made != NULL)
		p->ops->replica_made(r, p->arg);
	*out = place;
	return (PLACED);
}

void
placement_foresee(struct placement *p, const struct placement_ask *ask,
    struct placement_forecast *f)
{
	struct group	*g = NULL;
	struct replica	*r;

	if (ask->group.data != NULL)
		g = group_named(p, ask->app, ask->group);
	f->site = placement_decide(p, ask, g, &r, &f->why);
	f->answer = f->site != NULL ? PLACED : ask->http ? PLACEMENT_FULL :
	    PLACEMENT_NEED_SHARD;
}

struct place *
placement_next(const struct placement *p, size_t *at)
{
	return (set_next(&p->places, at));
}

struct place *
placement_find(const struct placement *p, uint64_t id)
{
	struct place	*place;
	size_t		 at;

	for (place = set_find(&p->places, bag_hash_id(id), &at);
	    place != NULL; place = set_again(&p->places, &at))
		if (place->id == id)
			return (place);
	return (NULL);
}

/* For set.h. */
static uint32_t
place_hash(const void *place)
{
	const struct place	*p = place;

	return (bag_hash_id(p->id));
}

struct replica *
placement_replica(const struct placement *p, uint64_t id)
{
	struct map_node	*n = map_find(&p->replicas, &id, sizeof(id));

	return (n == NULL ? NULL : container_of(n, struct replica, by_id));
}

int
placement_release(struct placement *p, uint64_t id, int *last)
{
	struct place	*place = placement_find(p, id);
	struct replica	*r;
	int		 http;

	if (place == NULL) {
		errno = ENOENT;
		return (-1);
	}
	if (place->moving)
		reserve_place_ends(p, reserve_find(p, id));
	r = place->replica;
	http = place->http;
	placement_drop(p, place, last);
	if (r == NULL)
		return (0);
	if (replica_idle(r))
		replica_free(p, r, 1);
	else if (!http)
		group_refresh(r->group);
	return (0);
}

int
placement_stay(struct placement *p, struct place *place, struct slice uid)
{
	struct replica	*r = place->replica;

	if (r != NULL && place->http) {
		place->member = member_sit(&r->group->members, uid, r);
		if (place->member == NULL) {
			errno = ENOMEM;
			return (-1);
		}
		if (place->over && r->count < r->group->limit) {
			place->over = 0;
			r->over--;
			r->count++;
		}
		r->group->current = replica_room(r) ? r : NULL;
		r->group->open++;
	}
	p->open += place->http;
	place->http = 0;
	return (0);
}

int
placement_become(struct place *place, struct slice uid)
{
	struct replica	*r = place->replica;
	struct member	*m;

	if (r == NULL || place->http)
		return (0);		/* nobody's uid is kept */
	if ((m = member_sit(&r->group->members, uid, r)) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	member_rise(&r->group->members, place->member, r);
	place->member = m;
	return (0);
}

int
placement_have_replica(struct placement *p, struct site *s, uint64_t id,
    struct slice group, struct slice app, uint32_t limit)
{
	struct group	*g;

	if (id == 0 || group.len > GROUP_MAX || app.len > APP_MAX) {
		errno = EINVAL;
		return (-1);
	}
	if (map_find(&p->replicas, &id, sizeof(id)) != NULL) {
		errno = EEXIST;
		return (-1);
	}
	limit = limit == 0 ? 1 : limit;
	if ((g = group_named(p, app, group)) == NULL &&
	    (g = group_begin(p, app, group, limit)) == NULL)
		return (-1);
	if (group_at(g, s) != NULL) {
		errno = EEXIST;
		return (-1);
	}
	if (replica_new(p, g, s, id) == NULL) {
		group_free(p, g);
		errno = ENOMEM;
		return (-1);
	}
	/* Ours are younger, and none that has ended has their number. */
	if (p->next_replica <= id)
		p->next_replica = id + (UINT64_C(1) << 40) +
		    (bytes_random64() >> 32);
	return (0);
}

int
placement_have_place(struct placement *p, struct site *s, uint64_t id,
    uint64_t replica, struct slice uid, int http, int over, int leaves)
{
	struct place	*place = placement_find(p, id);
	struct replica	*r;

	r = replica == 0 ? NULL : placement_replica(p, replica);
	if ((replica != 0 && (r == NULL || r->site != s)) ||
	    uid.len > UID_MAX || (over && !http)) {
		errno = EINVAL;
		return (-1);
	}
	if (place != NULL)
		return (reserve_pair(p, place, s, r, uid, leaves));
	place = placement_seat(p, s, r, id, uid, http, over);
	if (place == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	place->leaves = leaves != 0;
	return (0);
}

void
placement_have_end(struct placement *p, struct site *s)
{
	struct list	*e, *tmp;
	struct replica	*r;

	list_each(e, tmp, &s->replicas) {
		r = list_entry(e, struct replica, at_site);
		r->anchor = r->count + r->over == 0 &&
		    p->ops->keeps != NULL && p->ops->keeps(r->group, p->arg);
		if (replica_idle(r))
			replica_free(p, r, 1);
		else
			group_refresh(r->group);
	}
}

struct list *
placement_groups(struct placement *p)
{
	return (&p->groups);
}

size_t
placement_count(const struct placement *p)
{
	return (p->places.count);
}

size_t
placement_moving(const struct placement *p)
{
	return (p->moving.count);
}

/* The site where it goes, or NULL; *r: the replica, NULL if it is to be made. */
static struct site *
placement_decide(struct placement *p, const struct placement_ask *ask,
    struct group *g, struct replica **r, enum placement_why *why)
{
	int		 eager = g != NULL && !ask->http &&
			    spot_eager(ask->place);
	struct site	*s;

	*r = g == NULL ? NULL : placement_choose(g, ask->uid, !eager, why);
	if (eager && *why != PLACEMENT_AGAIN && (s = spot_find(p, g, ask->place,
	    ask->group)) != NULL) {
		*r = NULL;
		*why = PLACEMENT_SITE;
		return (s);
	}
	if (*r == NULL && g != NULL && ask->http) {
		*r = group_least(g, 0);
		*why = PLACEMENT_OVER;
	}
	if (*r != NULL)
		return ((*r)->site);
	s = spot_find(p, g, ask->place, ask->group.data != NULL ? ask->group :
	    ask->uid);
	*why = s != NULL ? PLACEMENT_SITE : PLACEMENT_NOWHERE;
	return (s);
}

/* A replica that is there and has room, and why this one; or NULL.  fill: the one that is
 * being filled goes before the least used one. */
static struct replica *
placement_choose(const struct group *g, struct slice uid, int fill,
    enum placement_why *why)
{
	struct member	*m = member_find(&g->members, uid);
	struct seat	*seat;

	*why = PLACEMENT_AGAIN;
	for (seat = m == NULL ? NULL : &m->seats; seat != NULL;
	    seat = seat->next)
		if (replica_room(seat->replica))
			return (seat->replica);
	*why = PLACEMENT_CURRENT;
	if (fill && g->current != NULL && replica_room(g->current))
		return (g->current);
	*why = PLACEMENT_LEAST;
	return (group_least(g, 1));
}

/* Count a place in s and r (NULL: no group).  NULL: no memory, nothing done. */
static struct place *
placement_seat(struct placement *p, struct site *s, struct replica *r,
    uint64_t id, struct slice uid, int http, int over)
{
	struct place	*place;

	if ((place = calloc(1, sizeof(*place))) == NULL)
		return (NULL);
	place->id = id;
	place->fd = -1;
	place->replica = r;
	if (r == NULL)
		place->site = s;
	place->http = http != 0;
	place->over = over != 0;
	if (set_insert(&p->places, place) == -1) {
		free(place);
		return (NULL);
	}
	if (r != NULL && !http &&
	    (place->member = member_sit(&r->group->members, uid, r)) == NULL) {
		set_remove(&p->places, place);
		free(place);
		return (NULL);
	}
	s->count++;
	s->taken++;
	p->open += !http;
	if (r != NULL && over)
		r->over++;
	else if (r != NULL)
		r->count++;
	if (r != NULL && !http)
		r->group->open++;
	return (place);
}

/* The other way.  The replica stays, also when it is empty now. */
static void
placement_drop(struct placement *p, struct place *place, int *last)
{
	struct replica	*r = place->replica;
	int		 gone = 0;

	if (r != NULL && place->member != NULL) {
		struct set	*members = &r->group->members;
		size_t		 before = members->count;

		member_rise(&r->group->members, place->member, r);
		gone = members->count < before;
	}
	if (last != NULL)
		*last = gone;
	set_remove(&p->places, place);
	place_site(place)->count--;
	p->open -= !place->http;
	if (r != NULL && place->over)
		r->over--;
	else if (r != NULL)
		r->count--;
	if (r != NULL && !place->http) {
		r->group->open--;
		if (p->ops->left != NULL)
			p->ops->left(r->group, p->arg);
	}
	address_unref(place->address);
	covers_drop(p, place);
	free(place);
}

/* The replicas at s, which have no places any more, end. */
static void
placement_end_replicas(struct placement *p, struct site *s)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &s->replicas)
		replica_free(p, list_entry(e, struct replica, at_site), 1);
}

/* Before a place is dropped with its shard: was it the last of its uid here? */
static void
placement_mourn(struct place *place)
{
	const struct member	*m = place->member;

	if (place->replica == NULL || m == NULL || m->seats.next != NULL ||
	    m->seats.count > 1)
		return;
	/* Without memory the list ends here: replica_free says so. */
	uids_add(&place->replica->lost, slice_of(m->uid, m->uid_len));
}

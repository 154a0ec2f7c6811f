/* Second seats of connections that move. */
#include <errno.h>
#include <stdlib.h>

#include "common/bag.h"
#include "common/set.h"
#include "gatewayd/group.h"
#include "gatewayd/member.h"
#include "gatewayd/placement_in.h"
#include "gatewayd/places.h"
#include "gatewayd/reserve.h"

/* For set.h. */
static uint32_t
reserve_hash(const void *reserve)
{
	return (bag_hash_id(((const struct reserve *)reserve)->id));
}

void
reserve_init(struct placement *p)
{
	p->moving.hash = reserve_hash;
}

/* Count a second seat.  NULL: no memory, nothing done. */
static struct reserve *
reserve_sit(struct placement *p, struct place *place, struct site *s,
    struct replica *r)
{
	const struct member	*m = place->member;
	struct reserve		*v;

	if ((v = calloc(1, sizeof(*v))) == NULL)
		return (NULL);
	v->id = place->id;
	v->place = place;
	v->site = s;
	v->replica = r;
	if (set_insert(&p->moving, v) == -1) {
		free(v);
		return (NULL);
	}
	if (r != NULL && member_sit(&r->group->members,
	    slice_of(m->uid, m->uid_len), r) == NULL) {
		set_remove(&p->moving, v);
		free(v);
		return (NULL);
	}
	place->moving = 1;
	s->count++;
	s->taken++;
	s->expected++;
	if (r != NULL)
		r->count++;
	return (v);
}

struct reserve *
reserve_take(struct placement *p, struct place *place, struct site *to)
{
	struct replica	*r = NULL;
	struct group	*g = place->replica == NULL ? NULL :
			    place->replica->group;
	struct reserve	*v;
	int		 made = 0;

	errno = EINVAL;
	if (place->http || place_site(place) == to)
		return (NULL);
	errno = EBUSY;
	if (place->moving)
		return (NULL);
	errno = ENOSPC;
	if (!site_room(to))
		return (NULL);
	if (g != NULL && (r = group_at(g, to)) != NULL && !replica_room(r))
		return (NULL);
	errno = ENOMEM;
	if (g != NULL && r == NULL) {
		if ((r = replica_new(p, g, to, 0)) == NULL)
			return (NULL);
		made = 1;
	}
	if ((v = reserve_sit(p, place, to, r)) == NULL) {
		if (made)
			replica_free(p, r, 0);
		errno = ENOMEM;
		return (NULL);
	}
	if (r != NULL && r->group->current == r && !replica_room(r))
		group_refresh(r->group);
	if (made && p->ops->replica_made != NULL)
		p->ops->replica_made(r, p->arg);
	return (v);
}

struct reserve *
reserve_find(const struct placement *p, uint64_t id)
{
	struct reserve	*v;
	size_t		 at;

	for (v = set_find(&p->moving, bag_hash_id(id), &at); v != NULL;
	    v = set_again(&p->moving, &at))
		if (v->id == id)
			return (v);
	return (NULL);
}

void
reserve_arrived(struct reserve *v)
{
	struct site	*s = place_site(v->place);
	struct replica	*r = v->place->replica;

	if (v->arrived)
		return;
	v->arrived = 1;
	v->site->expected--;
	if (r != NULL)
		v->place->replica = v->replica;
	else
		v->place->site = v->site;
	v->place->leaves = 0;
	v->site = s;
	v->replica = r;
}

/* Take the second seat away.  Frees v; its replica stays, also when it is empty. */
static void
reserve_rise(struct placement *p, struct reserve *v)
{
	struct replica	*r = v->replica;

	if (!v->arrived)
		v->site->expected--;
	v->site->count--;
	if (r != NULL)
		r->count--;
	if (v->place != NULL) {
		v->place->moving = 0;
		if (r != NULL)
			member_rise(&r->group->members, v->place->member, r);
	}
	set_remove(&p->moving, v);
	free(v);
}

void
reserve_cancel(struct placement *p, struct reserve *v)
{
	struct replica	*r = v->replica;

	reserve_rise(p, v);
	if (r == NULL)
		return;
	if (replica_idle(r))
		replica_free(p, r, 1);
	else
		group_refresh(r->group);
}

int
reserve_left(const struct placement *p, uint64_t id, const struct site *s)
{
	const struct reserve	*v = reserve_find(p, id);

	return (v != NULL && v->arrived && v->site == s);
}

void
reserve_place_ends(struct placement *p, struct reserve *v)
{
	if (!v->arrived) {
		reserve_cancel(p, v);
		return;
	}
	v->place->moving = 0;
	if (v->replica != NULL)
		member_rise(&v->replica->group->members, v->place->member,
		    v->replica);
	v->place = NULL;
}

void
reserve_settle(struct placement *p, struct reserve *v)
{
	if (v->place != NULL)
		reserve_arrived(v);
	reserve_cancel(p, v);
}

/* Is a connection in the same group, under the same uid, in r? */
static int
reserve_fits(const struct place *place, const struct replica *r,
    struct slice uid)
{
	if (place->replica == NULL || r == NULL)
		return (place->replica == NULL && r == NULL);
	return (place->replica->group == r->group && place->member != NULL &&
	    slice_eq(slice_of(place->member->uid, place->member->uid_len),
	    uid));
}

int
reserve_pair(struct placement *p, struct place *place, struct site *s,
    struct replica *r, struct slice uid, int leaves)
{
	struct reserve	*v;

	errno = EEXIST;
	if (place->moving || place->http || place_site(place) == s ||
	    place->leaves == (leaves != 0) || !reserve_fits(place, r, uid))
		return (-1);
	if ((v = reserve_sit(p, place, s, r)) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	/* Who does not give it away has it. */
	if (!leaves)
		reserve_arrived(v);
	else {
		v->arrived = 1;
		s->expected--;
	}
	return (0);
}

struct reserve *
reserve_force(struct placement *p, struct place *place, struct site *s,
    struct replica *r)
{
	const struct member	*m = place->replica == NULL ? NULL :
				    place->member;

	errno = EEXIST;
	if (place->moving || place->http || place_site(place) == s ||
	    !reserve_fits(place, r, m == NULL ? slice_of(NULL, 0) :
	    slice_of(m->uid, m->uid_len)))
		return (NULL);
	errno = ENOMEM;
	return (reserve_sit(p, place, s, r));
}

void
reserve_site_ends(struct placement *p, struct site *s)
{
	struct reserve	*v;
	size_t		 at = 0;

	while ((v = set_next(&p->moving, &at)) != NULL) {
		if (v->site == s)
			reserve_rise(p, v);
		else if (v->place != NULL && place_site(v->place) == s)
			reserve_place_ends(p, v);
		else
			continue;
		at--;
	}
}

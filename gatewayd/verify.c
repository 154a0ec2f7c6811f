/* The books of the placement counted the slow way. */
#include "common/log.h"
#include "gatewayd/member.h"
#include "gatewayd/placement.h"
#include "gatewayd/placement_in.h"
#include "gatewayd/reserve.h"
#include "gatewayd/verify.h"

/* Count every place where it says that it is. */
static int
verify_places(struct placement *p, size_t *places)
{
	struct place	*place;
	struct seat	*seat;
	size_t		 at = 0;

	while ((place = set_next(&p->places, &at)) != NULL) {
		++*places;
		place_site(place)->tally++;
		if (placement_find(p, place->id) != place)
			return (-1);
		if (place->replica == NULL)
			continue;
		if (place->over)
			place->replica->tally_over++;
		else
			place->replica->tally++;
		if (place->http)
			continue;
		seat = member_seat(place->member, place->replica);
		if (seat == NULL)
			return (-1);
		seat->tally++;
	}
	return (0);
}

/* Count the second seats of those that move. */
static int
verify_moving(struct placement *p)
{
	struct reserve	*v;
	struct seat	*seat;
	struct place	*place;
	size_t		 at = 0, n = 0;

	while ((place = set_next(&p->places, &at)) != NULL)
		n += place->moving;
	at = 0;
	while ((v = set_next(&p->moving, &at)) != NULL) {
		v->site->tally++;
		v->site->tally_expected += !v->arrived;
		if (v->replica != NULL)
			v->replica->tally++;
		if (reserve_find(p, v->id) != v ||
		    placement_find(p, v->id) != v->place)
			return (-1);
		if (v->place == NULL)
			continue;
		n--;
		if (!v->place->moving || v->site == place_site(v->place) ||
		    (v->replica == NULL) != (v->place->replica == NULL))
			return (-1);
		if (v->replica == NULL)
			continue;
		if (v->replica->site != v->site ||
		    v->replica->group != v->place->replica->group ||
		    (seat = member_seat(v->place->member, v->replica)) == NULL)
			return (-1);
		seat->tally++;
	}
	return (n == 0 ? 0 : -1);
}

/* Compare what was counted at each site, and forget it. */
static int
verify_sites(struct placement *p, int check)
{
	struct list	*e, *tmp;
	struct site	*s;

	list_each(e, tmp, &p->sites) {
		s = list_entry(e, struct site, at);
		if (check && (s->count != s->tally ||
		    s->expected != s->tally_expected))
			return (-1);
		s->tally = s->tally_expected = 0;
	}
	return (0);
}

/* The same of a group: its replicas, its members. */
static int
verify_group(struct placement *p, struct group *g, size_t *replicas, int check)
{
	struct list	*e, *tmp;
	struct member	*m;
	struct replica	*r;
	struct seat	*seat;
	size_t		 count = 0, at = 0;
	int		 current = g->current == NULL;

	p->mark++;
	list_each(e, tmp, &g->replicas) {
		r = list_entry(e, struct replica, at);
		count++;
		if (check && (r->group != g || r->count != r->tally ||
		    r->over != r->tally_over || r->site->mark == p->mark))
			return (-1);
		r->site->mark = p->mark;	/* one replica a site */
		r->tally = r->tally_over = 0;
		current |= r == g->current;
	}
	while ((m = set_next(&g->members, &at)) != NULL)
		for (seat = &m->seats; seat != NULL; seat = seat->next) {
			if (check && (seat->count == 0 ||
			    seat->count != seat->tally))
				return (-1);
			seat->tally = 0;
		}
	*replicas += count;
	return (count > 0 && count == g->nreplicas && current ? 0 : -1);
}

int
verify_placement(struct placement *p)
{
	struct list	*e, *tmp;
	size_t		 places = 0, replicas = 0, unused = 0, groups = 0,
			 covers = 0, open = 0, coming = 0, at = 0;
	const struct place *place;

	list_each(e, tmp, &p->groups) {
		groups++;
		if (verify_group(p, list_entry(e, struct group, at), &unused,
		    0) == -1)
			goto bad;
	}
	if (verify_sites(p, 0) == -1 || verify_places(p, &places) == -1 ||
	    verify_moving(p) == -1 || verify_sites(p, 1) == -1)
		goto bad;
	list_each(e, tmp, &p->groups)
		if (verify_group(p, list_entry(e, struct group, at), &replicas,
		    1) == -1)
			goto bad;
	while ((place = set_next(&p->places, &at)) != NULL) {
		covers += place->fd != -1;
		open += !place->http;
		coming += place->coming;
	}
	if (covers != p->covers || open != p->open || coming != p->coming ||
	    places != p->places.count || replicas != p->replicas.count ||
	    groups != p->by_name.count)
		goto bad;
	return (0);
bad:
	log_warn("placement counts=wrong places=%zu counted=%zu replicas=%zu "
	    "counted=%zu", p->places.count, places, p->replicas.count, replicas);
	return (-1);
}

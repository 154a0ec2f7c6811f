/* Replicas that stay though nobody is connected to them. */
#include <stdlib.h>

#include <event2/event.h>

#include "common/clock.h"
#include "gatewayd/anchor.h"
#include "gatewayd/group.h"
#include "gatewayd/inlet.h"
#include "gatewayd/placement_in.h"
#include "gatewayd/places.h"
#include "gatewayd/route.h"
#include "gatewayd/settings.h"
#include "gatewayd/spot.h"

#define ANCHORS_LOOK_MS	100

struct anchors {
	const struct settings *settings;
	struct placement *placement;
	struct event	*timer;
};

int
anchors_keep(const struct settings *s, struct slice app, struct slice group)
{
	const struct inlet	*in;

	for (size_t i = 0; i < s->inlets.n; i++) {
		in = &s->inlets.list[i];
		if (inlet_is_always(in, s->uplinks.n > 0) &&
		    slice_is(app, in->route->app) &&
		    slice_is(group, sources_constant(&in->route->group)))
			return (1);
	}
	return (0);
}

/* The replica of g that is the anchor, or is to be: the oldest one of those that stay.
 * NULL: there is none. */
static struct replica *
anchors_best(const struct group *g)
{
	struct list	*e, *tmp;
	struct replica	*r, *best = NULL;

	list_each(e, tmp, &g->replicas) {
		r = list_entry(e, struct replica, at);
		if (r->site->usable && !r->site->leaving && (best == NULL ||
		    (r->anchor && !best->anchor)))
			best = r;
	}
	return (best);
}

/* All anchors of g but this one (NULL: all) are none any more.  May free g. */
static void
anchors_lift(struct placement *p, struct group *g, const struct replica *but)
{
	struct list	*e, *tmp;
	struct replica	*r;
	size_t		 left = g->nreplicas;

	list_each(e, tmp, &g->replicas) {
		r = list_entry(e, struct replica, at);
		left--;
		if (r != but && r->anchor) {
			r->anchor = 0;
			if (replica_idle(r))
				replica_free(p, r, 1);
		}
		if (left == 0)
			return;		/* g may be gone */
	}
}

/* A new replica for the group of route, g (NULL: there is none yet). */
static struct replica *
anchors_make(struct placement *p, struct group *g, const struct route *route)
{
	const struct slice	 name = slice_str(sources_constant(&route->group));
	struct site		*s = spot_find(p, g, route->place, name);
	struct replica		*r;

	if (s == NULL || (g == NULL && (g = group_begin(p,
	    slice_str(route->app), name, route->limit)) == NULL))
		return (NULL);
	if ((r = replica_new(p, g, s, 0)) == NULL) {
		group_free(p, g);
		return (NULL);
	}
	group_refresh(g);
	r->anchor = 1;
	if (p->ops->replica_made != NULL)
		p->ops->replica_made(r, p->arg);
	return (r);
}

/* The group of route has its anchor, or none. */
static void
anchors_see(const struct anchors *a, const struct route *route)
{
	struct placement	*p = a->placement;
	struct group		*g = group_named(p, slice_str(route->app),
				    slice_str(sources_constant(&route->group)));
	struct replica		*r = g == NULL ? NULL : anchors_best(g);

	if (!anchors_keep(a->settings, slice_str(route->app), slice_str(
	    sources_constant(&route->group)))) {
		if (g != NULL)
			anchors_lift(p, g, NULL);
		return;
	}
	if (r == NULL && (r = anchors_make(p, g, route)) == NULL)
		return;
	r->anchor = 1;
	anchors_lift(p, r->group, r);
}

/* Look after all of them. */
static void
anchors_cb(evutil_socket_t fd, short what, void *arg)
{
	struct anchors		*a = arg;
	const struct route	*route;

	(void)fd, (void)what;
	for (size_t i = 0; i < a->settings->inlets.n; i++) {
		route = a->settings->inlets.list[i].route;
		if (route != NULL && sources_constant(&route->group) != NULL)
			anchors_see(a, route);
	}
}

struct anchors *
anchors_new(struct event_base *base, const struct settings *settings,
    struct placement *placement)
{
	struct timeval	 tv = clock_tv(ANCHORS_LOOK_MS);
	struct anchors	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	a->settings = settings;
	a->placement = placement;
	a->timer = event_new(base, -1, EV_PERSIST, anchors_cb, a);
	if (a->timer == NULL || event_add(a->timer, &tv) == -1) {
		anchors_free(a);
		return (NULL);
	}
	return (a);
}

void
anchors_free(struct anchors *a)
{
	if (a == NULL)
		return;
	if (a->timer != NULL)
		event_free(a->timer);
	free(a);
}

/* Which applications serve groups. */
#include <stdio.h>
#include <string.h>

#include "gatewayd/inlet.h"
#include "gatewayd/route.h"
#include "gatewayd/routes.h"
#include "gatewayd/serving.h"
#include "gatewayd/settings.h"

/* What raw listener number i has, or NULL. */
static struct route *
serving_at(const struct settings *s, size_t i)
{
	return (s->inlets.list[i].route);
}

/* The first of the first n raw listeners with groups of app, or NULL. */
static const struct route *
serving_raw(const struct settings *s, size_t n, struct slice app)
{
	const struct route	*r;

	for (size_t i = 0; i < n; i++) {
		r = serving_at(s, i);
		if (r != NULL && r->group.n > 0 && slice_is(app, r->app))
			return (r);
	}
	return (NULL);
}

const struct route *
serving_of(const struct settings *s, struct slice app)
{
	const struct route	*r = routes_of(s->routes, app);

	return (r != NULL ? r : serving_raw(s, s->inlets.n, app));
}

void
serving_apps(const struct settings *s, void (*cb)(const char *, void *),
    void *arg)
{
	const struct route	*r;

	routes_apps(s->routes, cb, arg);
	for (size_t i = 0; i < s->inlets.n; i++) {
		r = serving_at(s, i);
		if (r != NULL && r->group.n > 0 && routes_of(s->routes,
		    slice_str(r->app)) == NULL && serving_raw(s, i,
		    slice_str(r->app)) == NULL)
			cb(r->app, arg);
	}
}

void
serving_set_limit(struct settings *s, uint32_t limit)
{
	routes_set_limit(s->routes, limit);
	for (size_t i = 0; i < s->inlets.n; i++)
		if (serving_at(s, i) != NULL)
			serving_at(s, i)->limit = limit;
}

void
serving_listeners(const struct settings *s,
    void (*cb)(const struct route *, void *), void *arg)
{
	for (size_t i = 0; i < s->inlets.n; i++)
		if (serving_at(s, i) != NULL)
			cb(serving_at(s, i), arg);
}

/* A raw listener, and who is not of its mind. */
struct serving_dissent {
	const struct route *raw, *other;
};

/* Is this one? */
static void
serving_compare_cb(const struct route *route, void *arg)
{
	struct serving_dissent	*d = arg;

	if (d->other == NULL && route != d->raw &&
	    route_disagree(d->raw, route))
		d->other = route;
}

int
serving_check(const struct settings *s, char *err, size_t size)
{
	struct serving_dissent	 d;
	const char		*kind;

	for (size_t i = 0; i < s->inlets.n; i++) {
		d = (struct serving_dissent){ serving_at(s, i), NULL };
		if (d.raw == NULL)
			continue;
		routes_each(s->routes, serving_compare_cb, &d);
		kind = d.other != NULL ? "route" : "listener";
		serving_listeners(s, serving_compare_cb, &d);
		if (d.other == NULL)
			continue;
		snprintf(err, size, "[listener %s] and [%s %s] can meet in one "
		    "group of %s but differ in limit (%u and %u)",
		    d.raw->label, kind, d.other->label, d.raw->app,
		    (unsigned)d.raw->limit, (unsigned)d.other->limit);
		return (-1);
	}
	return (0);
}

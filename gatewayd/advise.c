/* What a configuration that is right by itself leads to. */
#include <sys/resource.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/bytes.h"
#include "common/list.h"
#include "gatewayd/advise.h"
#include "gatewayd/repertoire.h"
#include "gatewayd/route.h"
#include "gatewayd/routes.h"
#include "gatewayd/serving.h"
#include "gatewayd/settings.h"
#include "gatewayd/settings_in.h"

#define ADVISE_RESERVE	256	/* descriptors of a shard, not clients */

struct advice {
	struct settings	*s;
	const char	*kind;		/* of section */
	struct repertoire apps;
	int		 known;		/* apps is what the worker has */
	size_t		 nofile;	/* 0: any number */
};

/* Headers that only a proxy should say; '*': whatever follows. */
static const char *const advise_proxied[] = { "X-Forwarded-*", "Forwarded",
    "X-Real-IP", "X-SSL-*", "SSL-*", "X-Client-*", "X-TLS-*" };

static void	 advise_warn(const char *fmt, ...)
		    __attribute__((format(printf, 1, 2)));

static void
advise_warn(const char *fmt, ...)
{
	va_list	 ap;

	fputs("gatewayd: warning: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

/* Is it a header that only a proxy should say? */
static int
advise_is_proxied(const char *name)
{
	size_t	 n;

	for (size_t i = 0; i < nitems(advise_proxied); i++) {
		n = strlen(advise_proxied[i]);
		if (advise_proxied[i][n - 1] == '*' ?
		    strncasecmp(name, advise_proxied[i], n - 1) == 0 :
		    strcasecmp(name, advise_proxied[i]) == 0)
			return (1);
	}
	return (0);
}

/* One route, or raw listener. */
static void
advise_route_cb(const struct route *route, void *arg)
{
	struct advice	*a = arg;
	size_t		 room;

	if (a->known && route->app[0] != '\0' &&
	    !repertoire_has(&a->apps, route->app))
		settings_fault(a->s, "[%s %s] app = %s: the worker %s has "
		    "no such application; it has: %s", a->kind,
		    route->label, route->app, a->s->worker, a->apps.text);
	room = a->nofile > ADVISE_RESERVE ? a->nofile - ADVISE_RESERVE : 1;
	if (a->s->capacity != 0 && a->s->capacity < room)
		room = a->s->capacity;
	if (a->nofile != 0 && route->limit > room)
		advise_warn("[%s %s] limit = %u: a shard has room for %zu "
		    "connections in all (by %s), so no group ever has so many "
		    "there", a->kind, route->label, route->limit, room,
		    room == a->s->capacity ? "capacity" :
		    "the limit of descriptors, ulimit -Hn");
	for (size_t i = 0; i < route->nkeep && a->s->proxies == NULL; i++)
		if (advise_is_proxied(route->keep[i]))
			advise_warn("[route %s] keep = %s: without "
			    "trusted_proxies anybody may send it, and it says "
			    "what the client wants", route->label,
			    route->keep[i]);
}

void
advise(struct settings *s)
{
	struct advice	 a = { .s = s, .kind = "route" };
	struct rlimit	 rl;

	a.known = s->worker != NULL && s->faults == 0 &&
	    repertoire_ask(&a.apps, s->worker) == 0;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 &&
	    rl.rlim_max != RLIM_INFINITY)
		a.nofile = (size_t)rl.rlim_max;
	routes_each(s->routes, advise_route_cb, &a);
	a.kind = "listener";
	serving_listeners(s, advise_route_cb, &a);
}

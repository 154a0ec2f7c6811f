/*
 * Request head to application, group and uid.
 *
 *	[route lobby]
 *	path = /lobby/{group}/ws
 *	app = chat
 *	group = path:group
 *	uid = query:u const:anon
 *	limit = 2
 *	keep = User-Agent
 *
 * path: segments; {name} takes one segment, percent-decoded; a last segment "*"
 * takes the rest, also nothing.  First match in order of the file wins.
 */
#ifndef GATEWAYD_ROUTE_H
#define GATEWAYD_ROUTE_H

#include <stdint.h>

#include "common/bytes.h"
#include "proto/capsule.h"
#include "proto/http_head.h"

struct route;
struct routes;

struct routes *routes_new(void);
void	 routes_free(struct routes *r);
/* For config.h: sections "route", keys path app group uid limit keep link about.
 * arg is the struct routes. */
extern const struct config_option route_options[];
extern const size_t route_noptions;
int	 route_section(struct routes *r, const char *label, const char **why);
/* All complete and of one mind (path and app given; two routes of the same app
 * and group source may differ in limit only where the group cannot be the same)?
 * 0, or -1 with a sentence in err. */
int	 routes_check(const struct routes *r, char *err, size_t size);
/* --limit: for every route. */
void	 routes_set_limit(struct routes *r, uint32_t limit);

struct route_match {
	const struct route *route;
	const char	*app, *label;
	uint32_t	 limit;
	int		 has_group;
	struct slice	 group, uid;	/* in `text`, or static */
	int		 uid_made;	/* drawn here (uuid, random20) */
	struct capsule_header headers[CAPSULE_HEADERS_MAX];	/* kept */
	size_t		 nheaders;
	struct buf	 text;		/* holds what was decoded */
};

/*
 * 0 and *m filled (route_match_clear it), or -1 with errno ENOENT (no route:
 * 404), EBADMSG (a required source is missing or too long: 400; *why a sentence),
 * ENOMEM.
 */
int	 route_find(const struct routes *r, const struct http_head *h,
	    struct route_match *m, const char **why);
void	 route_match_clear(struct route_match *m);
/* The front page's links: calls cb for each route with a `link`. */
void	 routes_links(const struct routes *r, void (*cb)(const char *link,
	    const char *about, void *arg), void *arg);

#endif

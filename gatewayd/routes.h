/*
 * The routes of a configuration, in its order: a request head to application,
 * group and uid.  The first route that matches wins.
 */
#ifndef GATEWAYD_ROUTES_H
#define GATEWAYD_ROUTES_H

#include <stdint.h>

#include "common/bytes.h"
#include "proto/capsule.h"
#include "proto/http_head.h"
#include "proto/limits.h"

struct route;
struct routes;

struct routes *routes_new(void);	/* NULL without memory */
void	 routes_free(struct routes *r);
/* For config.h's sections "route": key is one of route.h's, and belongs to the
 * section that began last.  0, or -1 with *why. */
int	 routes_section(struct routes *r, const char *label, const char **why);
int	 routes_option(struct routes *r, const char *key, const char *value,
	    const char **why);
/* All complete and of one mind (two routes of the same app and group source may
 * differ in limit only where the group cannot be the same)?  0, or -1 with a
 * sentence in err. */
int	 routes_check(const struct routes *r, char *err, size_t size);
/* --limit: for every route. */
void	 routes_set_limit(struct routes *r, uint32_t limit);

#define ROUTES_KEPT_MAX	(16 << 10)	/* of path, query and cookies */

struct route_match {
	const struct route *route;
	const char	*app, *label;
	uint32_t	 limit;
	int		 has_group;
	struct slice	 group, uid;	/* in `text` */
	int		 uid_made;	/* drawn here (uuid, random20) */
	int		 cors;		/* its origin was checked */
	int		 protocol;	/* headers[0] is the one chosen */
	struct capsule_header headers[CAPSULE_HEADERS_MAX];	/* kept; they
					   borrow from the head */
	size_t		 nheaders;
	char		 text[GROUP_MAX + UID_MAX];
	char		 kept[ROUTES_KEPT_MAX];	/* values of headers that were
					   decoded */
};

/*
 * 0 and *m filled, or -1 with errno ENOENT (no route: 404), EBADMSG (no source
 * gave a value, or it is too long: 400) or EMSGSIZE (what it keeps is too long: 431),
 * and *why a sentence.
 */
int	 routes_find(const struct routes *r, const struct http_head *h,
	    struct route_match *m, const char **why);
/* The same for who comes by a raw listener, without a request: -1 if a name is too
 * long. */
int	 routes_raw(const struct route *route, struct route_match *m,
	    const char **why);
/*
 * Where no route was found: would there be one with a '/' more at the path's end, or
 * one less?  Then 0, and that path and the query in location; else -1.
 */
int	 routes_slash(const struct routes *r, const struct http_head *h,
	    struct buf *location);
/* The front page's links: calls cb for each route with a `link`. */
void	 routes_links(const struct routes *r, void (*cb)(const char *link,
	    const char *about, void *arg), void *arg);
/* In words, as the file has them: calls cb for each route. */
void	 routes_describe(const struct routes *r, void (*cb)(const char *label,
	    const char *text, void *arg), void *arg);
/* Calls cb for each application that routes with a group name, once. */
void	 routes_apps(const struct routes *r, void (*cb)(const char *app,
	    void *arg), void *arg);
/* Calls cb for each route. */
void	 routes_each(const struct routes *r, void (*cb)(const struct route *route,
	    void *arg), void *arg);
/* The first route that has app and groups, or NULL. */
const struct route *routes_of(const struct routes *r, struct slice app);
/* For the workers: calls cb for each key of each route that they are to know. */
void	 routes_policies(const struct routes *r, void (*cb)(const char *label,
	    const char *key, const char *value, void *arg), void *arg);

#endif

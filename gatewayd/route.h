/*
 * A route says which application serves which paths, and who its clients are.
 *
 *	[route lobby]
 *	path = /lobby/{group}/ws
 *	app = chat
 *	group = path:group
 *	uid = query:u const:anon
 *	limit = 2
 *	keep = User-Agent query:lang
 *	origin = self https://other.example
 *	protocols = chat.v2 chat
 *
 * path: one or more patterns (pattern.h).  group, uid: sources (source.h).
 * "group = none", the default: any shard.  uid by default: uuid in a group, else
 * nothing.  A key is one row of route.c, or of proto/policy.c if it is what the
 * clients of a route are allowed.
 */
#ifndef GATEWAYD_ROUTE_H
#define GATEWAYD_ROUTE_H

#include <stdint.h>

#include "common/list.h"
#include "gatewayd/origin.h"
#include "gatewayd/protocols.h"
#include "gatewayd/source.h"
#include "gatewayd/spot.h"
#include "proto/capsule.h"
#include "proto/limits.h"
#include "proto/policy.h"

#define ROUTE_LIMIT	1000		/* connections per replica, by default */
#define ROUTE_LIMIT_MAX	10000000
#define ROUTE_PATHS	16

struct http_head;

struct route {
	struct list	 at;		/* of routes, in order of the file */
	char		*label;
	char		*paths[ROUTE_PATHS];
	size_t		 npaths;
	char		 app[APP_MAX + 1];
	struct sources	 group, uid;	/* group.n 0: none */
	uint32_t	 limit;
	uint32_t	 limit_group;	/* over all nodes; 0: none */
	enum spot_rule	 place;	/* where its replicas begin */
	char		*keep[CAPSULE_HEADERS_MAX];
	size_t		 nkeep;
	struct sources	 kept;			/* path:NAME and its like: as */
	char		*kept_words[SOURCES_MAX];	/* the file has them */
	struct origins	 origins;		/* none: any */
	struct protocols protocols;
	char		*link, *about;
	int		 stream;	/* its GETs are answered by streams */
	struct policy_values allows;
};

struct route *route_new(const char *label);	/* NULL: no memory */
void	 route_free(struct route *route);
/* A key of its section: 0, or -1 with *why. */
int	 route_set(struct route *route, const char *key, const char *value,
	    const char **why);
/* Has it all that it needs?  0, or -1 with a sentence in err. */
int	 route_check(const struct route *route, char *err, size_t size);
/* Two limits for what may be one group? */
int	 route_disagree(const struct route *a, const struct route *b);
/* Is the path one of the route's?  Then *taken is filled. */
int	 route_matches(const struct route *route, struct slice path,
	    struct taken *taken);
/*
 * May a page of this request's origin use the route?  Without the key `origin`
 * all may; a request without the header is not from a page of another site.
 * here: where it came to.
 */
int	 route_allows(const struct route *route, const struct http_head *h,
	    const struct origin_here *here);
/*
 * Is the request to be placed like a WebSocket, for its answer is going to be a
 * stream?  EventSource says so; of others the key `stream`.
 */
int	 route_lasts(const struct route *route, const struct http_head *h);

#endif

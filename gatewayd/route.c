/* Which application serves which paths, and who its clients are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"
#include "gatewayd/route.h"
#include "proto/http_head.h"

/* ---- its keys ---- */

/* The next word of *at, which moves behind it; len 0 at the end. */
static struct slice
word_next(const char **at)
{
	struct slice	 w;

	*at += strspn(*at, " \t");
	w = slice_of(*at, strcspn(*at, " \t"));
	*at += w.len;
	return (w);
}

/* Does path:NAME name what is in the route's paths?  0, or -1 with *why. */
static int
route_check_names(const struct route *route, const struct sources *s,
    const char **why)
{
	for (size_t i = 0; i < route->npaths; i++)
		if (sources_check(s, route->paths[i], why) == -1)
			return (-1);
	return (0);
}

/* All sources of a value.  0, or -1 with *why. */
static int
route_sources(struct sources *s, const char *value, size_t max,
    const char **why)
{
	struct slice	 w;

	while ((w = word_next(&value)).len > 0)
		if (sources_add(s, w, max, why) == -1)
			return (-1);
	if (s->n > 0)
		return (0);
	*why = "needs at least one source";
	return (-1);
}

/* Each of these reads the value of one key: 0, or -1 with *why. */

static int
route_set_path(struct route *route, const char *value, const char **why)
{
	struct slice	 w;

	while ((w = word_next(&value)).len > 0) {
		if ((*why = pattern_fault(w)) != NULL)
			return (-1);
		if (route->npaths == ROUTE_PATHS) {
			*why = "too many paths for one route";
			return (-1);
		}
		if ((route->paths[route->npaths] = slice_dup(w)) == NULL) {
			*why = "out of memory";
			return (-1);
		}
		route->npaths++;
	}
	if (route_check_names(route, &route->group, why) == -1 ||
	    route_check_names(route, &route->kept, why) == -1)
		return (-1);
	return (route_check_names(route, &route->uid, why));
}

static int
route_set_app(struct route *route, const char *value, const char **why)
{
	size_t	 len = strlen(value);

	if (len == 0 || len > APP_MAX || strspn(value, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != len) {
		*why = "the name of an application: 1 to 32 letters, digits, "
		    "'.', '_' or '-'";
		return (-1);
	}
	memcpy(route->app, value, len + 1);
	return (0);
}

static int
route_set_group(struct route *route, const char *value, const char **why)
{
	sources_clear(&route->group);
	if (strcmp(value, "none") == 0)
		return (0);
	if (strstr(value, "{group") != NULL) {
		*why = "{group} and {group_id} stand only in uid";
		return (-1);
	}
	if (route_sources(&route->group, value, GROUP_MAX, why) == -1)
		return (-1);
	return (route_check_names(route, &route->group, why));
}

static int
route_set_uid(struct route *route, const char *value, const char **why)
{
	sources_clear(&route->uid);
	if (route_sources(&route->uid, value, UID_MAX, why) == -1)
		return (-1);
	return (route_check_names(route, &route->uid, why));
}

static int
route_set_limit(struct route *route, const char *value, const char **why)
{
	unsigned	 limit;

	if (config_uint(value, 1, ROUTE_LIMIT_MAX, &limit, why) == -1)
		return (-1);
	route->limit = limit;
	return (0);
}

static int
route_set_limit_group(struct route *route, const char *value, const char **why)
{
	unsigned	 limit;

	if (config_limit(value, ROUTE_LIMIT_MAX, &limit, why) == -1)
		return (-1);
	route->limit_group = limit;
	return (0);
}

/* A word of keep that is no header field: path:NAME, query:NAME, cookie:NAME. */
static int
route_keep_source(struct route *route, struct slice word, const char **why)
{
	char	*copy;

	if (!source_may_keep(word)) {
		*why = "what is kept is a header field, path:NAME, query:NAME or "
		    "cookie:NAME";
		return (-1);
	}
	if (route->kept.n == SOURCES_MAX) {
		*why = "too many of path:NAME, query:NAME and cookie:NAME to keep";
		return (-1);
	}
	if ((copy = slice_dup(word)) == NULL) {
		*why = "out of memory";
		return (-1);
	}
	if (sources_add(&route->kept, word, SIZE_MAX, why) == -1) {
		free(copy);
		return (-1);
	}
	route->kept_words[route->kept.n - 1] = copy;
	return (0);
}

static int
route_set_place(struct route *route, const char *value, const char **why)
{
	if (spot_parse(value, &route->place) == 0)
		return (0);
	*why = "is not one of least, spread, pack, hash, even";
	return (-1);
}

static int
route_set_keep(struct route *route, const char *value, const char **why)
{
	struct slice	 w;

	while ((w = word_next(&value)).len > 0) {
		if (memchr(w.data, ':', w.len) != NULL) {
			if (route_keep_source(route, w, why) == -1)
				return (-1);
			continue;
		}
		if (route->nkeep == CAPSULE_HEADERS_MAX) {
			*why = "too many header fields to keep";
			return (-1);
		}
		if ((route->keep[route->nkeep] = slice_dup(w)) == NULL) {
			*why = "out of memory";
			return (-1);
		}
		route->nkeep++;
	}
	return (route_check_names(route, &route->kept, why));
}

static int
route_set_origin(struct route *route, const char *value, const char **why)
{
	size_t		 before = route->origins.n;
	struct slice	 w;

	while ((w = word_next(&value)).len > 0)
		if (origins_add(&route->origins, w, why) == -1)
			return (-1);
	if (route->origins.n > before)
		return (0);
	*why = "needs at least one origin";
	return (-1);
}

static int
route_set_protocols(struct route *route, const char *value, const char **why)
{
	size_t		 before = route->protocols.n;
	struct slice	 w;

	while ((w = word_next(&value)).len > 0)
		if (protocols_add(&route->protocols, w, why) == -1)
			return (-1);
	if (route->protocols.n > before)
		return (0);
	*why = "needs at least one subprotocol";
	return (-1);
}

static int
route_set_stream(struct route *route, const char *value, const char **why)
{
	return (config_bool(value, &route->stream, why));
}

static int
route_set_link(struct route *route, const char *value, const char **why)
{
	if (value[strcspn(value, " \t")] != '\0') {
		*why = "a link has no spaces";
		return (-1);
	}
	free(route->link);
	if ((route->link = strdup(value)) == NULL) {
		*why = "out of memory";
		return (-1);
	}
	return (0);
}

static int
route_set_about(struct route *route, const char *value, const char **why)
{
	free(route->about);
	if ((route->about = strdup(value)) == NULL) {
		*why = "out of memory";
		return (-1);
	}
	return (0);
}

/* Has the route a path? */
static int
route_has_path(const struct route *route)
{
	return (route->npaths > 0);
}

/* Has the route an application? */
static int
route_has_app(const struct route *route)
{
	return (route->app[0] != '\0');
}

static const struct {
	const char	*key;
	int		(*set)(struct route *, const char *, const char **);
	int		(*has)(const struct route *);	/* NULL: needs not */
} route_keys[] = {
	{ "path",	route_set_path,		route_has_path },
	{ "app",	route_set_app,		route_has_app },
	{ "group",	route_set_group,	NULL },
	{ "uid",	route_set_uid,		NULL },
	{ "limit",	route_set_limit,	NULL },
	{ "limit_group", route_set_limit_group,	NULL },
	{ "place",	route_set_place,	NULL },
	{ "keep",	route_set_keep,		NULL },
	{ "origin",	route_set_origin,	NULL },
	{ "protocols",	route_set_protocols,	NULL },
	{ "stream",	route_set_stream,	NULL },
	{ "link",	route_set_link,		NULL },
	{ "about",	route_set_about,	NULL },
};

/* A key of what the clients of a route may do.  0, or -1 with *why. */
static int
route_set_policy(struct route *route, const struct policy_key *k,
    const char *value, const char **why)
{
	uint32_t	*at = policy_at(&route->allows, k);
	size_t		 size;

	switch (k->kind) {
	case POLICY_SLOW:
		if (policy_slow_parse(slice_str(value), at) == 0)
			return (0);
		*why = "is not one of close, drop-new, drop-old";
		return (-1);
	case POLICY_NUMBER:
		return (config_uint(value, 1, k->max, at, why));
	case POLICY_LIMIT:
		return (config_limit(value, k->max, at, why));
	case POLICY_SIZE:
		if (config_limit_size(value, k->max, &size, why) == -1)
			return (-1);
		*at = (uint32_t)size;
		return (0);
	}
	return (-1);
}

/* ---- a route ---- */

struct route *
route_new(const char *label)
{
	struct route	*route;

	if ((route = calloc(1, sizeof(*route))) == NULL ||
	    (route->label = strdup(label)) == NULL) {
		free(route);
		return (NULL);
	}
	list_init(&route->at);
	route->limit = ROUTE_LIMIT;
	return (route);
}

void
route_free(struct route *route)
{
	for (size_t i = 0; i < route->npaths; i++)
		free(route->paths[i]);
	for (size_t i = 0; i < route->nkeep; i++)
		free(route->keep[i]);
	for (size_t i = 0; i < route->kept.n; i++)
		free(route->kept_words[i]);
	sources_clear(&route->kept);
	origins_clear(&route->origins);
	protocols_clear(&route->protocols);
	sources_clear(&route->group);
	sources_clear(&route->uid);
	free(route->label);
	free(route->link);
	free(route->about);
	free(route);
}

int
route_set(struct route *route, const char *key, const char *value,
    const char **why)
{
	const struct policy_key	*k;

	for (size_t i = 0; i < nitems(route_keys); i++)
		if (strcmp(route_keys[i].key, key) == 0)
			return (route_keys[i].set(route, value, why));
	if ((k = policy_key(slice_str(key))) != NULL)
		return (route_set_policy(route, k, value, why));
	*why = "unknown key";
	return (-1);
}

int
route_check(const struct route *route, char *err, size_t size)
{
	for (size_t i = 0; i < nitems(route_keys); i++) {
		if (route_keys[i].has == NULL || route_keys[i].has(route))
			continue;
		snprintf(err, size, "[route %s] needs the key \"%s\"",
		    route->label, route_keys[i].key);
		return (-1);
	}
	return (0);
}

int
route_disagree(const struct route *a, const struct route *b)
{
	return ((a->limit != b->limit || a->limit_group != b->limit_group) &&
	    strcmp(a->app, b->app) == 0 &&
	    a->group.n > 0 && b->group.n > 0 &&
	    !sources_apart(&a->group, &b->group));
}

int
route_matches(const struct route *route, struct slice path,
    struct taken *taken)
{
	for (size_t i = 0; i < route->npaths; i++)
		if (pattern_match(route->paths[i], path, taken))
			return (1);
	return (0);
}

int
route_allows(const struct route *route, const struct http_head *h,
    const struct origin_here *here)
{
	const struct http_header	*field;

	if (route->origins.n == 0)
		return (1);
	for (size_t i = 0; i < h->nheaders; i++) {
		field = &h->headers[i];
		if (slice_caseis(field->name, "Origin") &&
		    !origins_have(&route->origins, field->value, here))
			return (0);
	}
	return (1);
}

int
route_lasts(const struct route *route, const struct http_head *h)
{
	return (slice_is(h->method, "GET") && (route->stream ||
	    http_head_lists(h, "Accept", "text/event-stream")));
}

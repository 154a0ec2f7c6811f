/* Request head to application, group and uid. */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config.h"
#include "common/list.h"
#include "gatewayd/origin.h"
#include "gatewayd/protocols.h"
#include "gatewayd/route.h"
#include "proto/digest.h"
#include "proto/ws_accept.h"

#define PATHS_MAX	16		/* of a route */
#define SOURCES_MAX	8		/* of a group or a uid */
#define SEGMENT_MAX	256		/* bytes of a segment in the configuration */
#define VARS_MAX	8		/* {name}s in a path */

enum source_kind {
	SOURCE_PATH, SOURCE_QUERY, SOURCE_COOKIE, SOURCE_HEADER, SOURCE_BEARER,
	SOURCE_CONST, SOURCE_UUID, SOURCE_RANDOM20
};

static const struct source_row {
	const char	*word;
	int		 named;		/* ":NAME" follows */
	int		 sent;		/* by the client */
} source_rows[] = {
	[SOURCE_PATH]		= { "path", 1, 1 },
	[SOURCE_QUERY]		= { "query", 1, 1 },
	[SOURCE_COOKIE]		= { "cookie", 1, 1 },
	[SOURCE_HEADER]		= { "header", 1, 1 },
	[SOURCE_BEARER]		= { "bearer", 0, 1 },
	[SOURCE_CONST]		= { "const", 1, 0 },
	[SOURCE_UUID]		= { "uuid", 0, 0 },
	[SOURCE_RANDOM20]	= { "random20", 0, 0 },
};

struct source {
	enum source_kind kind;
	int		 digest;	/* its value is a credential */
	char		*name;
};

struct sources {
	struct source	 list[SOURCES_MAX];
	size_t		 n;
};

struct route {
	struct list	 at;
	char		*label;
	char		*paths[PATHS_MAX];
	size_t		 npaths;
	char		 app[APP_MAX + 1];
	struct sources	 group, uid;	/* group.n 0: none */
	uint32_t	 limit;
	char		*keep[CAPSULE_HEADERS_MAX];
	size_t		 nkeep;
	struct origins	 origins;		/* none: any */
	struct protocols protocols;
	char		*link, *about;
	const char	*slow;			/* one of route_slows */
	unsigned	 message_rate;		/* 0: any */
	unsigned	 message_burst;		/* 0: two seconds' worth */
	size_t		 byte_rate;		/* 0: any */
};

struct routes {
	struct list	 list;
	struct route	*current;	/* whose section is being read */
};

/* A head that met a path: what its {name}s took, raw. */
struct taken {
	struct slice	 name[VARS_MAX], value[VARS_MAX];
	size_t		 n;
};

/* One attempt to get values out of one head. */
struct lookup {
	const struct http_head *head;
	struct taken	 taken;
	struct slice	 group;		/* data NULL: not known yet */
	int		 made;		/* the last value was drawn here */
};

static void	 route_free(struct route *);
static int	 route_set_path(struct route *, const char *, const char **);
static int	 route_set_app(struct route *, const char *, const char **);
static int	 route_set_group(struct route *, const char *, const char **);
static int	 route_set_uid(struct route *, const char *, const char **);
static int	 route_set_limit(struct route *, const char *, const char **);
static int	 route_set_keep(struct route *, const char *, const char **);
static int	 route_set_origin(struct route *, const char *, const char **);
static int	 route_set_protocols(struct route *, const char *,
	    const char **);
static int	 route_set_link(struct route *, const char *, const char **);
static int	 route_set_about(struct route *, const char *, const char **);
static int	 route_set_slow(struct route *, const char *, const char **);
static int	 route_set_message_rate(struct route *, const char *,
	    const char **);
static int	 route_set_message_burst(struct route *, const char *,
	    const char **);
static int	 route_set_byte_rate(struct route *, const char *, const char **);
static int	 route_check(const struct route *, char *, size_t);
static int	 route_disagree(const struct route *, const struct route *);
static int	 path_match(const char *, struct slice, struct taken *);
static int	 sources_parse(struct sources *, const char *, int,
	    const char **);
static void	 sources_clear(struct sources *);
static int	 sources_get(const struct sources *, struct lookup *, char *,
	    size_t, struct slice *);

static const struct {
	const char	*key;
	int		(*set)(struct route *, const char *, const char **);
} route_keys[] = {
	{ "path",	route_set_path },
	{ "app",	route_set_app },
	{ "group",	route_set_group },
	{ "uid",	route_set_uid },
	{ "limit",	route_set_limit },
	{ "keep",	route_set_keep },
	{ "origin",	route_set_origin },
	{ "protocols",	route_set_protocols },
	{ "link",	route_set_link },
	{ "about",	route_set_about },
	{ "slow",	route_set_slow },
	{ "message_rate",	route_set_message_rate },
	{ "message_burst",	route_set_message_burst },
	{ "byte_rate",	route_set_byte_rate },
};

static const char	*const route_slows[] = { "close", "drop-new",
			    "drop-old" };

struct routes *
routes_new(void)
{
	struct routes	*r;

	if ((r = calloc(1, sizeof(*r))) != NULL)
		list_init(&r->list);
	return (r);
}

void
routes_free(struct routes *r)
{
	struct list	*e, *tmp;

	if (r == NULL)
		return;
	list_each(e, tmp, &r->list)
		route_free(list_entry(e, struct route, at));
	free(r);
}

int
route_section(struct routes *r, const char *label, const char **why)
{
	struct route	*route;
	struct list	*e, *tmp;

	if (label[0] == '\0') {
		*why = "a route needs a name: [route NAME]";
		return (-1);
	}
	list_each(e, tmp, &r->list) {
		if (strcmp(list_entry(e, struct route, at)->label, label) == 0) {
			*why = "another route has this name";
			return (-1);
		}
	}
	if ((route = calloc(1, sizeof(*route))) == NULL ||
	    (route->label = strdup(label)) == NULL) {
		free(route);
		*why = "out of memory";
		return (-1);
	}
	route->limit = ROUTE_LIMIT;
	route->slow = route_slows[0];
	list_push(&r->list, &route->at);
	r->current = route;
	return (0);
}

int
route_option(struct routes *r, const char *key, const char *value,
    const char **why)
{
	if (r->current == NULL) {
		*why = "stands before the first [route NAME]";
		return (-1);
	}
	for (size_t i = 0; i < nitems(route_keys); i++)
		if (strcmp(route_keys[i].key, key) == 0)
			return (route_keys[i].set(r->current, value, why));
	*why = "unknown key";
	return (-1);
}

int
routes_check(const struct routes *r, char *err, size_t size)
{
	const struct route	*a, *b;
	struct list		*e, *f;

	if (list_empty(&r->list)) {
		snprintf(err, size, "no routes: add a section [route NAME]");
		return (-1);
	}
	for (e = r->list.next; e != &r->list; e = e->next) {
		a = list_entry(e, struct route, at);
		if (route_check(a, err, size) == -1)
			return (-1);
		for (f = e->next; f != &r->list; f = f->next) {
			b = list_entry(f, struct route, at);
			if (!route_disagree(a, b))
				continue;
			snprintf(err, size, "[route %s] and [route %s] can meet "
			    "in one group of %s but differ in limit (%u and "
			    "%u)", a->label, b->label, a->app, a->limit,
			    b->limit);
			return (-1);
		}
	}
	return (0);
}

void
routes_set_limit(struct routes *r, uint32_t limit)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &r->list)
		list_entry(e, struct route, at)->limit = limit;
}

int
route_find(const struct routes *r, const struct http_head *h,
    struct route_match *m, const char **why)
{
	static char		 no_name[1];
	static const struct sources uid_default = {
		.list = { { SOURCE_UUID, 0, no_name } }, .n = 1
	};
	const struct sources	*uid;
	const struct route	*route;
	struct list		*e;
	struct lookup		 lookup = { .head = h };
	struct slice		 protocol_field =
				    slice_str("Sec-WebSocket-Protocol");

	for (e = r->list.next; e != &r->list; e = e->next) {
		route = list_entry(e, struct route, at);
		for (size_t i = 0; i < route->npaths; i++)
			if (path_match(route->paths[i], h->path, &lookup.taken))
				goto found;
	}
	*why = "Not Found";
	errno = ENOENT;
	return (-1);
found:
	m->route = route;
	m->app = route->app;
	m->label = route->label;
	m->limit = route->limit;
	m->has_group = route->group.n > 0;
	m->group = m->uid = slice_of(NULL, 0);
	m->nheaders = 0;
	m->cors = route->origins.n > 0;
	m->protocol = protocols_choose(&route->protocols, h).data != NULL;
	if (m->has_group && sources_get(&route->group, &lookup, m->text,
	    GROUP_MAX, &m->group) == -1) {
		*why = errno == EMSGSIZE ?
		    "Bad Request: the name of the group is too long" :
		    "Bad Request: the request does not say which group";
		goto bad;
	}
	lookup.group = m->group;
	lookup.made = 0;
	uid = route->uid.n == 0 && m->has_group ? &uid_default : &route->uid;
	if (uid->n > 0 && sources_get(uid, &lookup, m->text + GROUP_MAX,
	    UID_MAX, &m->uid) == -1) {
		*why = errno == EMSGSIZE ?
		    "Bad Request: the client's id is too long" :
		    "Bad Request: the request does not say who the client is";
		goto bad;
	}
	m->uid_made = lookup.made;
	/* The one that was chosen stands for all that were offered. */
	if (m->protocol) {
		m->headers[0].name = protocol_field;
		m->headers[m->nheaders++].value =
		    protocols_choose(&route->protocols, h);
	}
	for (size_t i = 0; i < h->nheaders; i++) {
		if (m->protocol && slice_iseq(h->headers[i].name,
		    protocol_field))
			continue;
		for (size_t k = 0; k < route->nkeep; k++) {
			if (m->nheaders == CAPSULE_HEADERS_MAX ||
			    !slice_isis(h->headers[i].name, route->keep[k]))
				continue;
			m->headers[m->nheaders].name = h->headers[i].name;
			m->headers[m->nheaders++].value = h->headers[i].value;
			break;
		}
	}
	return (0);
bad:
	errno = EBADMSG;
	return (-1);
}

/* The last of a field's comma list: what the nearest proxy has added. */
static struct slice
field_last(const struct http_head *h, const char *name)
{
	const struct http_header	*field = http_head_find(h, name);
	const char			*comma;
	struct slice			 s = { NULL, 0 };

	if (field != NULL) {
		s = field->value;
		if ((comma = memrchr(s.data, ',', s.len)) != NULL)
			s = slice_of(comma + 1, (size_t)(s.data + s.len -
			    comma - 1));
		s = slice_trim(s);
	}
	return (s);
}

int
route_allows(const struct route *route, const struct http_head *h,
    int trusted)
{
	const struct http_header	*field;
	struct origin_here		 here = { .host = h->host };

	if (route->origins.n == 0)
		return (1);
	if (trusted) {
		here.scheme = field_last(h, "X-Forwarded-Proto");
		if (field_last(h, "X-Forwarded-Host").len > 0)
			here.host = field_last(h, "X-Forwarded-Host");
	}
	for (size_t i = 0; i < h->nheaders; i++) {
		field = &h->headers[i];
		if (slice_isis(field->name, "Origin") &&
		    !origins_have(&route->origins, field->value, &here))
			return (0);
	}
	return (1);
}

int
routes_slash(const struct routes *r, const struct http_head *h,
    struct buf *location)
{
	struct slice	 path = h->path;
	struct taken	 taken;
	struct list	*e;
	const struct route *route;

	/* "//host" and "/\\host" are other sites to a browser. */
	if (path.len < 2 || path.data[0] != '/' || path.data[1] == '/' ||
	    path.data[1] == '\\')
		return (-1);
	buf_add(location, path.data, path.len);
	if (path.data[path.len - 1] == '/')
		location->len--;
	else
		buf_adds(location, "/");
	path = slice_of(location->data, location->failed ? 0 : location->len);
	for (e = r->list.next; e != &r->list; e = e->next) {
		route = list_entry(e, struct route, at);
		for (size_t i = 0; i < route->npaths; i++)
			if (path_match(route->paths[i], path, &taken))
				goto found;
	}
	return (-1);
found:
	if (h->query.data != NULL) {
		buf_adds(location, "?");
		buf_add(location, h->query.data, h->query.len);
	}
	return (location->failed ? -1 : 0);
}

void
routes_links(const struct routes *r, void (*cb)(const char *, const char *,
    void *), void *arg)
{
	struct list		*e;
	const struct route	*route;

	for (e = r->list.next; e != &r->list; e = e->next) {
		route = list_entry(e, struct route, at);
		if (route->link != NULL)
			cb(route->link, route->about == NULL ? route->label :
			    route->about, arg);
	}
}

/* " key=source source", or nothing without sources. */
static void
sources_describe(struct buf *b, const char *key, const struct sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		buf_addf(b, "%s%s%s%s", i == 0 ? key : " ",
		    source_rows[s->list[i].kind].word,
		    source_rows[s->list[i].kind].named ? ":" : "",
		    s->list[i].name);
	if (s->n > 0)
		buf_adds(b, "\"");
}

void
routes_describe(const struct routes *r, void (*cb)(const char *, const char *,
    void *), void *arg)
{
	struct list		*e;
	const struct route	*route;
	struct buf		 b = { 0 };

	for (e = r->list.next; e != &r->list; e = e->next) {
		route = list_entry(e, struct route, at);
		buf_reset(&b);
		for (size_t i = 0; i < route->npaths; i++)
			buf_addf(&b, "%s%s", i == 0 ? "path=\"" : " ",
			    route->paths[i]);
		buf_addf(&b, "\" app=%s", route->app);
		sources_describe(&b, " group=\"", &route->group);
		sources_describe(&b, " uid=\"", &route->uid);
		if (buf_add(&b, "", 1) == 0)
			cb(route->label, b.data, arg);
	}
	buf_clear(&b);
}

/* Does a route before this one, with a group, name the same application? */
static int
routes_named_app(const struct routes *r, const struct route *route)
{
	const struct route	*before;

	for (struct list *e = r->list.next; e != &route->at; e = e->next) {
		before = list_entry(e, struct route, at);
		if (before->group.n > 0 && strcmp(before->app, route->app) == 0)
			return (1);
	}
	return (0);
}

void
routes_apps(const struct routes *r, void (*cb)(const char *, void *),
    void *arg)
{
	const struct route	*route;

	for (struct list *e = r->list.next; e != &r->list; e = e->next) {
		route = list_entry(e, struct route, at);
		if (route->group.n > 0 && !routes_named_app(r, route))
			cb(route->app, arg);
	}
}

void
routes_policies(const struct routes *r, void (*cb)(const char *, const char *,
    const char *, void *), void *arg)
{
	struct list		*e;
	const struct route	*route;
	char			 text[32];

	for (e = r->list.next; e != &r->list; e = e->next) {
		route = list_entry(e, struct route, at);
		cb(route->label, "slow", route->slow, arg);
		snprintf(text, sizeof(text), "%u", route->message_rate);
		cb(route->label, "message_rate", text, arg);
		snprintf(text, sizeof(text), "%u", route->message_burst);
		cb(route->label, "message_burst", text, arg);
		snprintf(text, sizeof(text), "%zu", route->byte_rate);
		cb(route->label, "byte_rate", text, arg);
	}
}

static void
route_free(struct route *route)
{
	for (size_t i = 0; i < route->npaths; i++)
		free(route->paths[i]);
	for (size_t i = 0; i < route->nkeep; i++)
		free(route->keep[i]);
	origins_clear(&route->origins);
	protocols_clear(&route->protocols);
	sources_clear(&route->group);
	sources_clear(&route->uid);
	free(route->label);
	free(route->link);
	free(route->about);
	free(route);
}

/* ---- keys ---- */

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

/* Segments of a path behind its first '/', one a call; data NULL at the end. */
static struct slice
segment_next(struct slice *rest)
{
	struct slice	 s = *rest;
	const char	*slash;

	if (s.data == NULL)
		return (s);
	slash = s.len == 0 ? NULL : memchr(s.data, '/', s.len);
	if (slash == NULL) {
		*rest = slice_of(NULL, 0);
		return (s);
	}
	s.len = (size_t)(slash - s.data);
	rest->data += s.len + 1;
	rest->len -= s.len + 1;
	return (s);
}

static int
segment_is_var(struct slice s)
{
	return (s.len > 2 && s.data[0] == '{' && s.data[s.len - 1] == '}');
}

static const char *
path_fault(struct slice path)
{
	struct slice	 rest, s;
	size_t		 vars = 0;

	if (path.data[0] != '/')
		return ("a path begins with '/'");
	rest = slice_of(path.data + 1, path.len - 1);
	while ((s = segment_next(&rest)).data != NULL) {
		if (s.len > SEGMENT_MAX)
			return ("a segment of the path is too long");
		if (segment_is_var(s)) {
			if (++vars > VARS_MAX)
				return ("too many {name}s in the path");
		} else if (slice_is(s, "*")) {
			if (rest.data != NULL)
				return ("'*' must be the last segment");
		} else if (s.len > 0 && strcspn(s.data, "{}*?#") < s.len)
			return ("a segment is text, {name}, or a last '*'");
	}
	return (NULL);
}

static int
path_has_var(const char *path, const char *name)
{
	struct slice	 rest = slice_str(path + 1), s;

	while ((s = segment_next(&rest)).data != NULL)
		if (segment_is_var(s) &&
		    slice_is(slice_of(s.data + 1, s.len - 2), name))
			return (1);
	return (0);
}

/* Does path:NAME name what is in the route's paths?  0, or -1 with *why. */
static int
route_check_names(const struct route *route, const struct sources *s,
    const char **why)
{
	static char	 text[2 * SEGMENT_MAX];

	for (size_t i = 0; i < s->n; i++) {
		for (size_t k = 0; k < route->npaths; k++) {
			if (s->list[i].kind != SOURCE_PATH ||
			    path_has_var(route->paths[k], s->list[i].name))
				continue;
			snprintf(text, sizeof(text), "path:%s, but there is no "
			    "{%s} in the path %s", s->list[i].name,
			    s->list[i].name, route->paths[k]);
			*why = text;
			return (-1);
		}
	}
	return (0);
}

static int
route_set_path(struct route *route, const char *value, const char **why)
{
	struct slice	 w;

	while ((w = word_next(&value)).len > 0) {
		if ((*why = path_fault(w)) != NULL)
			return (-1);
		if (route->npaths == PATHS_MAX) {
			*why = "too many paths for one route";
			return (-1);
		}
		if ((route->paths[route->npaths] = slice_dup(w)) == NULL) {
			*why = "out of memory";
			return (-1);
		}
		route->npaths++;
	}
	if (route_check_names(route, &route->group, why) == -1)
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
	if (sources_parse(&route->group, value, GROUP_MAX, why) == -1)
		return (-1);
	return (route_check_names(route, &route->group, why));
}

static int
route_set_uid(struct route *route, const char *value, const char **why)
{
	sources_clear(&route->uid);
	if (sources_parse(&route->uid, value, UID_MAX, why) == -1)
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
route_set_keep(struct route *route, const char *value, const char **why)
{
	struct slice	 w;

	while ((w = word_next(&value)).len > 0) {
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
	return (0);
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

/* ---- what its clients may do ---- */

static int
route_set_slow(struct route *route, const char *value, const char **why)
{
	for (size_t i = 0; i < nitems(route_slows); i++)
		if (strcmp(value, route_slows[i]) == 0) {
			route->slow = route_slows[i];
			return (0);
		}
	*why = "is not one of close, drop-new, drop-old";
	return (-1);
}

static int
route_set_message_rate(struct route *route, const char *value,
    const char **why)
{
	return (config_limit(value, ROUTE_RATE_MAX, &route->message_rate,
	    why));
}

static int
route_set_message_burst(struct route *route, const char *value,
    const char **why)
{
	return (config_uint(value, 1, ROUTE_RATE_MAX, &route->message_burst,
	    why));
}

static int
route_set_byte_rate(struct route *route, const char *value, const char **why)
{
	return (config_limit_size(value, 1 << 30, &route->byte_rate, why));
}

/* ---- is it complete ---- */

static int
route_check(const struct route *route, char *err, size_t size)
{
	const char	*missing;

	missing = route->npaths == 0 ? "path" :
	    route->app[0] == '\0' ? "app" : NULL;
	if (missing != NULL) {
		snprintf(err, size, "[route %s] needs the key \"%s\"",
		    route->label, missing);
		return (-1);
	}
	return (0);
}

/* Two limits for what may be one group? */
static int
route_disagree(const struct route *a, const struct route *b)
{
	const struct source	*x = &a->group.list[0], *y = &b->group.list[0];

	if (a->limit == b->limit || strcmp(a->app, b->app) != 0 ||
	    a->group.n == 0 || b->group.n == 0)
		return (0);
	return (!(a->group.n == 1 && x->kind == SOURCE_CONST &&
	    b->group.n == 1 && y->kind == SOURCE_CONST &&
	    strcmp(x->name, y->name) != 0));
}

/* ---- paths ---- */

/* Decode raw into dst, n bytes; its length, or -1: too long. */
static ssize_t
segment_decode(char *dst, size_t n, struct slice raw)
{
	char	 buf[3 * UID_MAX];
	size_t	 len;

	_Static_assert(UID_MAX >= GROUP_MAX && UID_MAX >= SEGMENT_MAX, "buf");
	if (raw.len > sizeof(buf))
		return (-1);
	len = bytes_unpercent(buf, raw, 0);
	if (len > n)
		return (-1);
	memcpy(dst, buf, len);
	return ((ssize_t)len);
}

static int
segment_match(struct slice want, struct slice raw)
{
	char	 text[SEGMENT_MAX];
	ssize_t	 len;

	if (raw.len == 0 || memchr(raw.data, '%', raw.len) == NULL)
		return (slice_eq(want, raw));
	len = segment_decode(text, sizeof(text), raw);
	return (len >= 0 && slice_eq(want, slice_of(text, (size_t)len)));
}

static int
path_match(const char *pattern, struct slice path, struct taken *taken)
{
	struct slice	 want_rest = slice_str(pattern + 1), rest, want, s;

	taken->n = 0;
	if (path.len == 0 || path.data[0] != '/')
		return (0);		/* "OPTIONS *" */
	rest = slice_of(path.data + 1, path.len - 1);
	for (;;) {
		want = segment_next(&want_rest);
		if (slice_is(want, "*"))
			return (rest.data != NULL);
		s = segment_next(&rest);
		if (want.data == NULL || s.data == NULL)
			return (want.data == s.data);
		if (segment_is_var(want)) {
			if (s.len == 0)
				return (0);
			taken->name[taken->n] = slice_of(want.data + 1,
			    want.len - 2);
			taken->value[taken->n++] = s;
		} else if (!segment_match(want, s))
			return (0);
	}
}

/* ---- sources ---- */

static int
source_parse(struct source *src, struct slice word, const char **why)
{
	static const char	 digest[] = "digest:";
	const size_t		 skip = sizeof(digest) - 1;
	const char		*colon;
	struct slice		 kind, name = slice_of(NULL, 0);
	size_t			 i;

	src->digest = word.len > skip && memcmp(word.data, digest, skip) == 0;
	if (src->digest)
		word = slice_of(word.data + skip, word.len - skip);
	kind = word;
	if ((colon = memchr(word.data, ':', word.len)) != NULL) {
		kind.len = (size_t)(colon - word.data);
		name = slice_of(colon + 1, word.len - kind.len - 1);
	}
	for (i = 0; i < nitems(source_rows); i++)
		if (slice_is(kind, source_rows[i].word))
			break;
	if (i == nitems(source_rows)) {
		*why = "a source is one of path:NAME query:NAME cookie:NAME "
		    "header:NAME bearer const:TEXT uuid random20, or digest: "
		    "and one of the first five";
		return (-1);
	}
	if (source_rows[i].named != (name.len > 0) ||
	    (!source_rows[i].named && colon != NULL)) {
		*why = source_rows[i].named ?
		    "path, query, cookie, header and const are followed by "
		    "':' and a name" : "bearer, uuid and random20 have no name";
		return (-1);
	}
	src->kind = (enum source_kind)i;
	if (src->digest && !source_rows[i].sent) {
		*why = "digest: stands before path, query, cookie, header and "
		    "bearer";
		return (-1);
	}
	src->digest |= src->kind == SOURCE_BEARER ||
	    (src->kind == SOURCE_HEADER && digest_is_secret(name));
	if ((src->name = slice_dup(name)) == NULL) {
		*why = "out of memory";
		return (-1);
	}
	return (0);
}

static int
sources_parse(struct sources *s, const char *value, int max, const char **why)
{
	struct slice	 w;

	while ((w = word_next(&value)).len > 0) {
		if (s->n == SOURCES_MAX) {
			*why = "too many sources";
			return (-1);
		}
		if (source_parse(&s->list[s->n], w, why) == -1)
			return (-1);
		s->n++;
		if (s->list[s->n - 1].kind == SOURCE_CONST &&
		    strlen(s->list[s->n - 1].name) > (size_t)max) {
			*why = "the text behind const: is too long";
			return (-1);
		}
	}
	if (s->n == 0) {
		*why = "needs at least one source";
		return (-1);
	}
	return (0);
}

static void
sources_clear(struct sources *s)
{
	while (s->n > 0)
		free(s->list[--s->n].name);
}

/*
 * The name of a source with {group} and {group_id} put in.  0, or -1: there is
 * no such name (no group, a NUL in it, too long).
 */
static int
source_name(char *dst, size_t size, const char *name, struct slice group)
{
	char	 id[17];
	size_t	 len = 0, n;
	const char *part;

	while (*name != '\0') {
		if (strncmp(name, "{group}", 7) == 0) {
			part = group.data, n = group.len;
			name += 7;
		} else if (strncmp(name, "{group_id}", 10) == 0) {
			if (ws_group_id(id, group) == -1)
				return (-1);
			part = id, n = 16;
			name += 10;
		} else {
			part = name++, n = 1;
		}
		if (part == NULL || n > size - 1 - len ||
		    memchr(part, '\0', n) != NULL)
			return (-1);
		memcpy(dst + len, part, n);
		len += n;
	}
	dst[len] = '\0';
	return (0);
}

static void
source_random(char dst[20])
{
	static const char	 digits[33] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint64_t		 bits[2] = { bytes_random64(), bytes_random64() };

	for (int i = 0; i < 20; i++) {
		dst[i] = digits[bits[i / 10] & 31];
		bits[i / 10] >>= 5;
	}
}

/* RFC 9562, version 4. */
static void
source_uuid(char dst[36])
{
	uint64_t	 a = bytes_random64(), b = bytes_random64();
	char		 text[37];

	snprintf(text, sizeof(text), "%08x-%04x-4%03x-%04x-%012llx",
	    (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
	    (unsigned)(a & 0xfff), (unsigned)(b >> 48 & 0x3fff) | 0x8000,
	    (unsigned long long)(b & 0xffffffffffff));
	memcpy(dst, text, 36);
}

/*
 * What the client sent there, raw, in v; *query is to be freed.  Percent signs are
 * still to be decoded in a path and a cookie: encodeURIComponent() is how pages
 * write both.  Returns whether they are.
 */
static int
source_sent(const struct source *src, const struct lookup *l, const char *name,
    struct slice *v, char **query)
{
	const struct http_header	*field;

	switch (src->kind) {
	case SOURCE_PATH:
		for (size_t i = 0; i < l->taken.n; i++)
			if (slice_is(l->taken.name[i], name)) {
				*v = l->taken.value[i];
				break;
			}
		return (1);
	case SOURCE_QUERY:
		*query = http_query_get(l->head->query, name, &v->len);
		v->data = *query;
		return (0);
	case SOURCE_COOKIE:
		*v = http_cookie_get(l->head, name);
		return (1);
	case SOURCE_HEADER:
		if ((field = http_head_find(l->head, name)) != NULL)
			*v = field->value;
		return (0);
	case SOURCE_BEARER:
		*v = http_bearer_get(l->head);
		return (0);
	default:
		return (0);
	}
}

/*
 * Length of the value that a client sent, put into dst of max bytes; 0: none; -1:
 * too long.  A name that says that it is a digest is none: it would be that of
 * whoever has the credential.
 */
static ssize_t
source_client(const struct source *src, const struct lookup *l,
    const char *name, char *dst, size_t max)
{
	char		 digest[DIGEST_LEN + 1];
	struct slice	 v = { NULL, 0 };
	char		*query = NULL;
	ssize_t		 n = 0;
	int		 escaped = source_sent(src, l, name, &v, &query);

	if (v.data == NULL || v.len == 0)
		goto out;
	if (src->digest) {
		n = -1;
		if (max >= DIGEST_LEN && digest_name(digest, v) == 0) {
			memcpy(dst, digest, DIGEST_LEN);
			n = DIGEST_LEN;
		}
		goto out;
	}
	if (escaped)
		n = segment_decode(dst, max, v);
	else if (v.len > max)
		n = -1;
	else {
		memcpy(dst, v.data, v.len);
		n = (ssize_t)v.len;
	}
	if (n > 0 && digest_is_one(slice_of(dst, (size_t)n)))
		n = 0;
out:
	free(query);
	return (n);
}

/* Length of src's value, put into dst of max bytes; 0: none; -1: too long. */
static ssize_t
source_get(const struct source *src, struct lookup *l, char *dst, size_t max)
{
	char	 name[GROUP_MAX + SEGMENT_MAX];
	size_t	 n;

	if (source_name(name, sizeof(name), src->name, l->group) == -1)
		return (0);
	switch (src->kind) {
	case SOURCE_CONST:
		if ((n = strlen(name)) > max)
			return (-1);
		memcpy(dst, name, n);
		return ((ssize_t)n);
	case SOURCE_UUID:
		source_uuid(dst);
		l->made = 1;
		return (36);
	case SOURCE_RANDOM20:
		source_random(dst);
		l->made = 1;
		return (20);
	default:
		return (source_client(src, l, name, dst, max));
	}
}

/* The first that has a value.  0, or -1 with errno ENOENT or EMSGSIZE. */
static int
sources_get(const struct sources *s, struct lookup *l, char *dst, size_t max,
    struct slice *out)
{
	ssize_t	 n;

	for (size_t i = 0; i < s->n; i++) {
		if ((n = source_get(&s->list[i], l, dst, max)) == 0)
			continue;
		if (n == -1) {
			errno = EMSGSIZE;
			return (-1);
		}
		*out = slice_of(dst, (size_t)n);
		return (0);
	}
	errno = ENOENT;
	return (-1);
}

/* Request head to application, group and uid. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/list.h"
#include "gatewayd/route.h"
#include "gatewayd/routes.h"

struct routes {
	struct list	 list;
	struct route	*current;	/* whose section is being read */
};

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
routes_section(struct routes *r, const char *label, const char **why)
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
	if ((route = route_new(label)) == NULL) {
		*why = "out of memory";
		return (-1);
	}
	list_push(&r->list, &route->at);
	r->current = route;
	return (0);
}

int
routes_option(struct routes *r, const char *key, const char *value,
    const char **why)
{
	if (r->current != NULL)
		return (route_set(r->current, key, value, why));
	*why = "stands before the first [route NAME]";
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
			    "in one group of %s but differ in %s (%u and %u)",
			    a->label, b->label, a->app,
			    a->limit != b->limit ? "limit" : "limit_group",
			    a->limit != b->limit ? a->limit : a->limit_group,
			    a->limit != b->limit ? b->limit : b->limit_group);
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

/* Keep what the route names of path, query and cookies.  0, or -1: too long. */
static int
routes_keep_sources(const struct route *route, struct source_ask *ask,
    struct route_match *m)
{
	size_t	 used = 0;
	ssize_t	 n;

	for (size_t i = 0; i < route->kept.n; i++) {
		n = sources_value(&route->kept, i, ask, m->kept + used,
		    sizeof(m->kept) - used);
		if (n == -1)
			return (-1);
		/* What has a NUL in it is no text that could be kept. */
		if (n == 0 || memchr(m->kept + used, '\0', (size_t)n) != NULL ||
		    m->nheaders == CAPSULE_HEADERS_MAX)
			continue;
		m->headers[m->nheaders].name = slice_str(route->kept_words[i]);
		m->headers[m->nheaders++].value = slice_of(m->kept + used,
		    (size_t)n);
		used += (size_t)n;
	}
	return (0);
}

/* Keep the header fields that the route names. */
static void
routes_keep_fields(const struct route *route, const struct http_head *h,
    struct route_match *m)
{
	struct slice	 protocol = slice_str("Sec-WebSocket-Protocol");

	for (size_t i = 0; i < h->nheaders; i++) {
		if (m->protocol && slice_caseeq(h->headers[i].name, protocol))
			continue;
		for (size_t k = 0; k < route->nkeep; k++) {
			if (m->nheaders == CAPSULE_HEADERS_MAX ||
			    !slice_caseis(h->headers[i].name, route->keep[k]))
				continue;
			m->headers[m->nheaders].name = h->headers[i].name;
			m->headers[m->nheaders++].value = h->headers[i].value;
			break;
		}
	}
}

/* What a route itself says of a match. */
static void
routes_matched(const struct route *route, struct route_match *m)
{
	m->route = route;
	m->app = route->app;
	m->label = route->label;
	m->limit = route->limit;
	m->nheaders = 0;
	m->cors = route->origins.n > 0;
	m->protocol = 0;
}

/* Group and uid: 0, or -1 with errno EBADMSG and *why. */
static int
routes_names(const struct route *route, struct source_ask *ask,
    struct route_match *m, const char **why)
{
	static char		 no_name[1];
	static const struct sources uid_default = {
		.list = { { SOURCE_UUID, 0, no_name } }, .n = 1
	};
	const struct sources	*uid;

	m->has_group = route->group.n > 0;
	m->group = m->uid = slice_of(NULL, 0);
	if (m->has_group && sources_get(&route->group, ask, m->text,
	    GROUP_MAX, &m->group) == -1) {
		*why = errno == EMSGSIZE ?
		    "Bad Request: the name of the group is too long" :
		    "Bad Request: the request does not say which group";
		errno = EBADMSG;
		return (-1);
	}
	ask->group = m->group;
	ask->made = 0;
	uid = route->uid.n == 0 && m->has_group ? &uid_default : &route->uid;
	if (uid->n > 0 && sources_get(uid, ask, m->text + GROUP_MAX,
	    UID_MAX, &m->uid) == -1) {
		*why = errno == EMSGSIZE ?
		    "Bad Request: the client's id is too long" :
		    "Bad Request: the request does not say who the client is";
		errno = EBADMSG;
		return (-1);
	}
	m->uid_made = ask->made;
	return (0);
}

int
routes_raw(const struct route *route, struct route_match *m, const char **why)
{
	struct source_ask	 ask = { .head = NULL };

	routes_matched(route, m);
	return (routes_names(route, &ask, m, why));
}

int
routes_find(const struct routes *r, const struct http_head *h,
    struct route_match *m, const char **why)
{
	const struct route	*route;
	struct list		*e;
	struct source_ask	 ask = { .head = h };
	struct slice		 protocol_field =
				    slice_str("Sec-WebSocket-Protocol");

	for (e = r->list.next; e != &r->list; e = e->next) {
		route = list_entry(e, struct route, at);
		if (route_matches(route, h->path, &ask.taken))
			goto found;
	}
	*why = "Not Found";
	errno = ENOENT;
	return (-1);
found:
	routes_matched(route, m);
	m->protocol = protocols_choose(&route->protocols, h).data != NULL;
	if (routes_names(route, &ask, m, why) == -1)
		return (-1);
	/* The one that was chosen stands for all that were offered. */
	if (m->protocol) {
		m->headers[0].name = protocol_field;
		m->headers[m->nheaders++].value =
		    protocols_choose(&route->protocols, h);
	}
	if (routes_keep_sources(route, &ask, m) == -1) {
		*why = "Request Header Fields Too Large";
		errno = EMSGSIZE;
		return (-1);
	}
	routes_keep_fields(route, h, m);
	return (0);
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
		if (route_matches(route, path, &taken))
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
		if (route->place != SPOT_LEAST)
			buf_addf(&b, " place=%s", spot_name(route->place));
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
routes_each(const struct routes *r, void (*cb)(const struct route *, void *),
    void *arg)
{
	for (struct list *e = r->list.next; e != &r->list; e = e->next)
		cb(list_entry(e, struct route, at), arg);
}

const struct route *
routes_of(const struct routes *r, struct slice app)
{
	const struct route	*route;

	for (struct list *e = r->list.next; e != &r->list; e = e->next) {
		route = list_entry(e, struct route, at);
		if (route->group.n > 0 && slice_is(app, route->app))
			return (route);
	}
	return (NULL);
}

void
routes_policies(const struct routes *r, void (*cb)(const char *, const char *,
    const char *, void *), void *arg)
{
	const struct policy_key	*k;
	const struct route	*route;
	struct buf		 paths = { 0 };
	char			 text[32];

	for (struct list *e = r->list.next; e != &r->list; e = e->next) {
		route = list_entry(e, struct route, at);
		for (k = policy_keys; k->key != NULL; k++) {
			policy_write(text, sizeof(text), &route->allows, k);
			cb(route->label, k->key, text, arg);
		}
		buf_reset(&paths);
		for (size_t i = 0; i < route->npaths; i++)
			buf_addf(&paths, "%s%s", i == 0 ? "" : " ",
			    route->paths[i]);
		if (buf_add(&paths, "", 1) == 0)
			cb(route->label, POLICY_PATHS, paths.data, arg);
	}
	buf_clear(&paths);
}

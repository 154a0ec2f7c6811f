/* The paths below a mount of api-ape. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "shardd/ape/http.h"
#include "shardd/ape/origin.h"
#include "shardd/ape/poll.h"
#include "shardd/ape/refuse.h"
#include "shardd/ape/cookie.h"
#include "shardd/ape/data.h"

static void	 http_connect(struct kennel_request *, const char *);
static void	 http_data(struct kennel_request *, const char *);
static void	 http_map(struct kennel_request *, const char *);
static void	 http_module(struct kennel_request *, const char *);
static void	 http_ping(struct kennel_request *, const char *);
static void	 http_poll(struct kennel_request *, const char *);
static void	 http_script(struct kennel_request *, const char *);
static void	 http_types(struct kennel_request *, const char *);

/* What is behind the mount's own name; a row that ends with '/' has more behind it. */
static const struct http_row {
	const char	*path;
	const char	*methods;
	int		 anybody;	/* pages of any origin may read it */
	void		(*run)(struct kennel_request *, const char *rest);
} http_rows[] = {
	{ "",		"GET",		0, http_connect },
	{ "/ping",	"GET, HEAD",	0, http_ping },
	{ "/poll",	"GET, POST",	0, http_poll },
	{ "/data/",	"GET, HEAD, PUT", 0, http_data },
	{ ".js",	"GET, HEAD",	1, http_script },
	{ ".mjs",	"GET, HEAD",	1, http_module },
	{ ".d.ts",	"GET, HEAD",	1, http_types },
	{ ".js.map",	"GET, HEAD",	1, http_map },
};

/* Upgrade to WebSocket. */
static void
http_connect(struct kennel_request *q, const char *rest)
{
	(void)rest;
	if (kennel_request_replica(q) == NULL) {
		refuse(q, 404, "The route of this path has no group");
		return;
	}
	cookie_keep(q);
	kennel_connect(q);
}

/* Is there a server? */
static void
http_ping(struct kennel_request *q, const char *rest)
{
	char	 text[64];
	int	 n;

	(void)rest;
	cookie_keep(q);
	kennel_header(q, "Cache-Control", "no-store");
	n = snprintf(text, sizeof(text), "{\"ok\":true,\"ts\":%" PRIu64 "}",
	    kennel_time());
	kennel_respond(q, 200, "application/json", text, (size_t)n);
}

/* A stream, or a call. */
static void
http_poll(struct kennel_request *q, const char *rest)
{
	(void)rest;
	poll_receive(q);
}

/* A file. */
static void
http_data(struct kennel_request *q, const char *rest)
{
	data_receive(q, rest);
}

/* The client's script. */
static void
http_script(struct kennel_request *q, const char *rest)
{
	(void)rest;
	kennel_header(q, "Content-Type", "application/javascript");
	kennel_respond_page(q, "ape.js");
}

/* The same as a module. */
static void
http_module(struct kennel_request *q, const char *rest)
{
	(void)rest;
	kennel_header(q, "Content-Type", "application/javascript");
	kennel_respond_page(q, "ape.mjs");
}

/* And its types. */
static void
http_types(struct kennel_request *q, const char *rest)
{
	(void)rest;
	kennel_header(q, "Content-Type", "text/plain;charset=utf-8");
	kennel_respond_page(q, "ape.d.ts");
}

/* It is served as it was written. */
static void
http_map(struct kennel_request *q, const char *rest)
{
	(void)rest;
	refuse(q, 404, "Source map not found");
}

/* Behind the last "/ape" of a path, which is the mount; NULL: there is none. */
static const char *
http_rest(const char *path)
{
	const char	*at, *found = NULL;

	for (at = path; (at = strstr(at, "/ape")) != NULL; at++)
		if (found == NULL && (at[4] == '\0' || at[4] == '/' ||
		    at[4] == '.'))
			found = at + 4;
	return (found);
}

/* The row of a path.  NULL: none. */
static const struct http_row *
http_find(const char **rest)
{
	for (size_t i = 0; *rest != NULL && i < nitems(http_rows); i++) {
		const char	*path = http_rows[i].path;
		size_t		 n = strlen(path);

		if (n > 1 && path[n - 1] == '/' ? strncmp(*rest, path, n) == 0 :
		    strcmp(*rest, path) == 0) {
			*rest += n;
			return (&http_rows[i]);
		}
	}
	return (NULL);
}

/*
 * May the page that asks do so?  One of another port of ours is told that it may read the
 * answer.  Else q is answered, and so is a browser's question beforehand: 0.
 */
static int
http_may(struct kennel_request *q, const struct http_row *row)
{
	const char	*origin = kennel_request_header(q, "Origin");
	const char	*headers;

	if (origin == NULL)
		return (1);
	kennel_header(q, "Vary", "Origin");
	if (!row->anybody && !origin_may(origin, kennel_request_header(q,
	    "Host"))) {
		refuse(q, 403, "Pages of this origin may not use it");
		return (0);
	}
	kennel_header(q, "Access-Control-Allow-Origin", origin);
	kennel_header(q, "Access-Control-Allow-Credentials", "true");
	if (strcmp(kennel_request_method(q), "OPTIONS") != 0)
		return (1);
	kennel_header(q, "Access-Control-Allow-Methods", row->methods);
	headers = kennel_request_header(q, "Access-Control-Request-Headers");
	if (headers != NULL)
		kennel_header(q, "Access-Control-Allow-Headers", headers);
	kennel_header(q, "Access-Control-Max-Age", "600");
	kennel_respond(q, 204, NULL, NULL, 0);
	return (0);
}

/* The row of q's path, if its method is one of the row's and its page may.  NULL: q is
 * answered. */
static const struct http_row *
http_row(struct kennel_request *q, const char **rest)
{
	const char		*method = kennel_request_method(q), *at;
	const struct http_row	*row;

	*rest = http_rest(kennel_request_path(q));
	if ((row = http_find(rest)) == NULL) {
		refuse(q, 404, "Not found");
		return (NULL);
	}
	if (!http_may(q, row))
		return (NULL);
	at = strstr(row->methods, method);
	if (at != NULL && strchr(method, ',') == NULL &&
	    (at[strlen(method)] == '\0' || at[strlen(method)] == ','))
		return (row);
	kennel_header(q, "Allow", row->methods);
	refuse(q, 405, "Method not allowed");
	return (NULL);
}

void
http_head(struct kennel_request *q)
{
	const char		*rest = http_rest(kennel_request_path(q));
	const struct http_row	*row;

	/* Others are seen to when they are whole. */
	if (strcmp(kennel_request_method(q), "PUT") == 0 &&
	    (row = http_row(q, &rest)) != NULL && row->run == http_data)
		data_head(q, rest);
}

void
http_receive(struct kennel_request *q)
{
	const struct http_row	*row;
	const char		*rest;

	/* The head has been through this. */
	if (kennel_request_attached(q) != NULL) {
		rest = http_rest(kennel_request_path(q));
		if ((row = http_find(&rest)) != NULL)
			row->run(q, rest);
	} else if ((row = http_row(q, &rest)) != NULL)
		row->run(q, rest);
}

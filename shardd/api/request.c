/* kennel.h: requests, and their answers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "proto/control.h"
#include "proto/http_reply.h"
#include "proto/pattern.h"
#include "shardd/api/api.h"
#include "shardd/api/entity.h"
#include "shardd/api/surroundings.h"
#include "shardd/client/conn.h"
#include "shardd/client/http.h"
#include "shardd/client/policy.h"
#include "shardd/client/request.h"
#include "shardd/client/who.h"
#include "shardd/gate.h"
#include "shardd/group/group.h"
#include "shardd/kennel.h"

/* A terminated copy that lives as long as q. */
static const char *
request_text_or_empty(const struct kennel_request *q, struct slice s)
{
	const char	*t;

	t = request_text((struct kennel_request *)(uintptr_t)q, s);
	return (t == NULL ? "" : t);
}

const char *
kennel_request_method(const struct kennel_request *q)
{
	return (q == NULL ? "" : request_text_or_empty(q, q->h.method));
}

const char *
kennel_request_path(const struct kennel_request *q)
{
	return (q == NULL ? "" : request_text_or_empty(q, q->h.path));
}

const char *
kennel_request_query(struct kennel_request *q, const char *key, size_t *len)
{
	struct request_text	*t;
	size_t			 n;
	char			*value;

	if (q == NULL || key == NULL ||
	    (value = http_query_get(q->h.query, key, &n)) == NULL)
		return (NULL);
	if ((t = malloc(sizeof(*t) + n + 1)) == NULL) {
		free(value);
		return (NULL);
	}
	memcpy(t->s, value, n + 1);
	free(value);
	t->next = q->texts;
	q->texts = t;
	if (len != NULL)
		*len = n;
	return (t->s);
}

/* What was sent in raw, percent-decoded; as long as q lives. */
static const char *
request_decoded(struct kennel_request *q, struct slice raw, size_t *len)
{
	struct request_text	*t;
	size_t			 n;

	if (raw.data == NULL ||
	    (t = malloc(sizeof(*t) + raw.len + 1)) == NULL)
		return (NULL);
	n = bytes_unpercent(t->s, raw, 0);
	t->s[n] = '\0';
	t->next = q->texts;
	q->texts = t;
	if (len != NULL)
		*len = n;
	return (t->s);
}

const char *
kennel_request_param(struct kennel_request *q, const char *name, size_t *len)
{
	struct taken	 taken;

	if (q == NULL || name == NULL || q->route == NULL ||
	    q->route->paths == NULL ||
	    !patterns_match(q->route->paths, q->h.path, &taken))
		return (NULL);
	for (size_t i = 0; i < taken.n; i++)
		if (slice_is(taken.name[i], name))
			return (request_decoded(q, taken.value[i], len));
	return (NULL);
}

const char *
kennel_request_cookie(struct kennel_request *q, const char *name, size_t *len)
{
	return (q == NULL || name == NULL ? NULL :
	    request_decoded(q, http_cookie_get(&q->h, name), len));
}

const char *
kennel_request_header(struct kennel_request *q, const char *name)
{
	const struct http_header	*h = NULL;

	if (q != NULL && name != NULL)
		h = http_head_find(&q->h, name);
	return (h == NULL ? NULL : request_text(q, h->value));
}

const char *
kennel_request_header_at(struct kennel_request *q, size_t i,
    const char **value)
{
	const char	*text;

	if (q == NULL || i >= q->h.nheaders ||
	    (text = request_text(q, q->h.headers[i].value)) == NULL)
		return (NULL);
	if (value != NULL)
		*value = text;
	return (request_text(q, q->h.headers[i].name));
}

const char *
kennel_request_uid(const struct kennel_request *q, size_t *len)
{
	return (api_slice(q == NULL ? slice_str("") : q->uid, len));
}

const char *
kennel_request_group(const struct kennel_request *q, size_t *len)
{
	return (api_slice(q == NULL ? slice_str("") : q->group, len));
}

const char *
kennel_request_peer(const struct kennel_request *q)
{
	return (q == NULL ? "" : q->peer.data);
}

int
kennel_request_proxied(const struct kennel_request *q)
{
	return (q != NULL && (q->told & CAPSULE_F_PROXIED) != 0);
}

int
kennel_request_secure(const struct kennel_request *q)
{
	return (q != NULL && (q->told & CAPSULE_F_SECURE) != 0);
}

struct kennel_replica *
kennel_request_replica(const struct kennel_request *q)
{
	if (q == NULL || q->replica == 0)
		return (NULL);
	return ((struct kennel_replica *)group_find(surroundings->groups,
	    q->replica));
}

int
kennel_request_upgrades(const struct kennel_request *q)
{
	return (q != NULL && http_head_lists(&q->h, "Upgrade", "websocket"));
}

int
kennel_header(struct kennel_request *q, const char *name, const char *value)
{
	if (q == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	/* The route has said it. */
	if (q->conn != NULL && name != NULL &&
	    ((strcasecmp(name, "Access-Control-Allow-Origin") == 0 &&
	    (q->conn->told & CAPSULE_F_CORS)) ||
	    (strcasecmp(name, "Sec-WebSocket-Protocol") == 0 &&
	    (q->conn->told & CAPSULE_F_PROTOCOL))))
		return (0);
	if (name == NULL || value == NULL ||
	    !http_field_ok(slice_str(name), slice_str(value)) ||
	    http_field_ours(slice_str(name))) {
		errno = EINVAL;
		return (-1);
	}
	return (buf_addf(&q->extra, "%s: %s\r\n", name, value));
}

void
kennel_respond(struct kennel_request *q, int status, const char *type,
    const char *body, size_t len)
{
	char	 text[64];

	if (q == NULL)
		return;
	if (body == NULL)
		len = 0;
	if (status < 200 || status > 599 ||
	    (type != NULL && !http_field_ok(slice_str("t"), slice_str(type)))) {
		log_warn("respond status=%d is not a response", status);
		status = 500;
		type = NULL;
		len = 0;
	}
	if (status == 200 && (slice_is(q->h.method, "GET") ||
	    slice_is(q->h.method, "HEAD")) && (request_says(q, "ETag") ||
	    request_says(q, "Last-Modified")) &&
	    entity_ask(q, NULL, 0, len, NULL) != 200)
		return;
	/* An error without words says at least which. */
	if (status >= 400 && len == 0 && type == NULL) {
		type = "text/plain";
		len = (size_t)snprintf(text, sizeof(text), "%s\n",
		    http_status_text(status));
		body = text;
	}
	http_answer(q, status, type, slice_of(body, len));
}

int
kennel_request_become(struct kennel_request *q, const char *uid, size_t len)
{
	struct ctl	 m = { .type = CTL_BECOME };

	if (q == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if (uid == NULL || len == 0 || len > UID_MAX) {
		errno = EINVAL;
		return (-1);
	}
	if (q->conn == NULL)
		return (0);		/* nobody is there who could be it */
	if (who_become(q->conn, slice_of(uid, len)) == -1)
		return (-1);
	m.id = q->conn->id;
	m.uid = conn_uid(q->conn);
	/* With no gateway now: the next one is told when it asks what we have. */
	gate_tell(q->conn->clients->gate, &m);
	return (0);
}

int
kennel_request_set_data(struct kennel_request *q, void *data,
    kennel_drop_cb *drop)
{
	if (q == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if (q->conn != NULL)
		return (rare_give(&q->conn->rare, &q->conn->data, data, drop));
	if (drop != NULL)
		drop(data);
	return (0);
}

int
kennel_connect_as(struct kennel_request *q, const char *uid, size_t len)
{
	if (kennel_request_become(q, uid, len) == -1)
		return (-1);
	kennel_connect(q);
	return (0);
}

int
kennel_connect_data(struct kennel_request *q, void *data,
    kennel_drop_cb *drop)
{
	if (kennel_request_set_data(q, data, drop) == -1)
		return (-1);
	kennel_connect(q);
	return (0);
}

void
kennel_connect(struct kennel_request *q)
{
	if (q != NULL)
		http_upgrade(q);
}

/* A connection that speaks HTTP: one request, its answer, and home. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/spare.h"
#include "proto/channel.h"
#include "proto/http_body.h"
#include "proto/http_reply.h"
#include "proto/ws_accept.h"
#include "proto/ws_deflate.h"
#include "shardd/client/conn.h"
#include "shardd/client/http.h"
#include "shardd/client/payload.h"
#include "shardd/client/request.h"
#include "shardd/client/who.h"
#include "shardd/client/ws.h"
#include "shardd/gate.h"
#include "shardd/kennel.h"
#include "shardd/options.h"

/* A response up to this size is promised to the gateway as done before it is
 * written, so that a client that has read it finds its place free. */
#define HTTP_PROMPT	(64 << 10)

enum http_phase { HTTP_HEAD, HTTP_BODY, HTTP_ANSWERING, HTTP_FLUSHING };

/* The gateway has read this head within its own, configured limits. */
static const struct http_limits	 http_widest = {
	.line_max = SIZE_MAX / 2, .head_max = SIZE_MAX / 2,
	.headers_max = HTTP_HEADERS_MAX,
};

struct http {
	struct buf	 in;		/* read, not consumed */
	size_t		 scanned;
	enum http_phase	 phase;
	struct http_body body;
	int		 continued;	/* 100 was sent */
	int		 keep;
	struct unfinished_part *part;	/* in and the body, until it is whole */
	struct kennel_request *q;	/* NULL once answered */
};

static const struct protocol http_protocol;

/* Free what HTTP keeps of c; a request that the application has stays its. */
static void
http_clear(struct conn *c)
{
	struct http	*http = c->proto;

	c->proto = NULL;
	if (http->q != NULL && http->q->received)
		http->q->conn = NULL;	/* the application frees it */
	else if (http->q != NULL)
		request_free(http->q);
	conn_hold(c, &http->part, 0);
	buf_clear(&http->in);
	spare_put(http, sizeof(*http));
}

/* ---- answers ---- */

/* The answer is queued.  A short one counts as read already. */
static void
http_done(struct conn *c)
{
	struct http	*http = c->proto;

	http->phase = HTTP_FLUSHING;
	if (outbox_queued(&c->out) <= HTTP_PROMPT) {
		conn_depart(c, http->keep ? CLOSE_HOME : CLOSE_DONE, 1000);
		conn_late(c);
	}
}

/* Refuse with an error response, and end for that reason. */
static void
http_refuse_as(struct conn *c, enum close_why as, int status,
    const char *why)
{
	struct http	*http = c->proto;
	struct buf	 b = { 0 };
	int		 head = 0;

	if (http->q != NULL)
		head = slice_is(http->q->h.method, "HEAD");
	if (http_reply_error(&b, status, why, status == 503 ? 1 : 0, head) ==
	    -1 || conn_queue_bytes(c, slice_of(b.data, b.len)) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
	else {
		http->keep = 0;
		conn_depart(c, as, 1002);
		conn_late(c);
		conn_linger(c);
	}
	buf_clear(&b);
}

/* Refuse what the client sent. */
static void
http_refuse(struct conn *c, int status, const char *why)
{
	http_refuse_as(c, CLOSE_REFUSED, status, why);
}

/* Only a request that is not whole, where there are too many, is told. */
static int
http_farewell(struct conn *c, enum close_why why)
{
	struct http	*http = c->proto;

	if (c->state != CONN_HTTP || why != CLOSE_CROWDED || http == NULL ||
	    (http->phase != HTTP_HEAD && http->phase != HTTP_BODY))
		return (0);
	http_refuse_as(c, CLOSE_CROWDED, 503,
	    close_sentence(CLOSE_CROWDED));
	return (1);
}

/* May its next request be routed afresh?  Not behind a handshake's body: that
 * was not read, and would be taken for the request. */
static int
http_may_keep(const struct conn *c, const struct kennel_request *q)
{
	if (http_head_lists(&q->h, "Upgrade", "websocket") &&
	    (q->h.chunked || q->h.length > 0))
		return (0);
	return (q->h.keep_alive && c->clients->gate->control != NULL &&
	    !c->clients->gate->leaving);
}

/* Does a browser ask, before a page of another origin may use the route? */
static int
http_preflight(const struct conn *c, const struct kennel_request *q)
{
	return ((c->told & CAPSULE_F_CORS) && slice_is(q->h.method, "OPTIONS") &&
	    http_head_find(&q->h, "Origin") != NULL &&
	    http_head_find(&q->h, "Access-Control-Request-Method") != NULL);
}

/* q is answered: c forgets it. */
static struct conn *
http_take(struct kennel_request *q)
{
	struct conn	*c = q->conn;

	if (c != NULL)
		((struct http *)c->proto)->q = NULL;
	return (c);
}

/* What pages of other origins must be told, where the route says which may. */
static void
http_cors(const struct conn *c, struct kennel_request *q)
{
	const struct http_header	*origin, *wanted;

	if ((c->told & CAPSULE_F_CORS) == 0)
		return;
	buf_adds(&q->extra, "Vary: Origin\r\n");
	if ((origin = http_head_find(&q->h, "Origin")) == NULL)
		return;
	buf_adds(&q->extra, "Access-Control-Allow-Origin: ");
	buf_add(&q->extra, origin->value.data, origin->value.len);
	buf_adds(&q->extra, "\r\n");
	if (!http_preflight(c, q))
		return;
	wanted = http_head_find(&q->h, "Access-Control-Request-Method");
	buf_adds(&q->extra, "Access-Control-Allow-Methods: ");
	buf_add(&q->extra, wanted->value.data, wanted->value.len);
	wanted = http_head_find(&q->h, "Access-Control-Request-Headers");
	if (wanted != NULL) {
		buf_adds(&q->extra, "\r\nAccess-Control-Allow-Headers: ");
		buf_add(&q->extra, wanted->value.data, wanted->value.len);
	}
	buf_adds(&q->extra, "\r\nAccess-Control-Max-Age: 600\r\n");
}

void
http_answer(struct kennel_request *q, int status, const char *type,
    struct slice body)
{
	struct conn		*c = http_take(q);
	struct http		*http;
	struct http_reply	 r = {
		.status = status, .type = type, .body = body,
		.head_only = slice_is(q->h.method, "HEAD"),
		.minor = q->h.minor,
	};
	struct buf		 b = { 0 };

	if (c == NULL)
		goto out;
	http_cors(c, q);
	r.extra = slice_of(q->extra.data, q->extra.len);
	http = c->proto;
	http->keep = http_may_keep(c, q);
	r.close = !http->keep;
	if (http_reply_write(&b, &r) == -1 ||
	    conn_queue_bytes(c, slice_of(b.data, b.len)) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
	else
		http_done(c);
	buf_clear(&b);
out:
	request_free(q);
}

/* The 101, or NULL.  What it agrees to is in q->conn. */
static struct payload *
http_hello(const struct kennel_request *q)
{
	static struct buf	 b;	/* kept from one to the next */
	const struct http_header *key;
	char			 accept[WS_ACCEPT_LEN + 1];

	buf_reset(&b);
	key = http_head_find(&q->h, "Sec-WebSocket-Key");
	if (ws_accept(accept, key->value) == -1)
		return (NULL);
	buf_adds(&b, "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: ");
	buf_add(&b, accept, WS_ACCEPT_LEN);
	buf_adds(&b, "\r\n");
	if (q->conn->clients->opt->deflate)
		q->conn->deflate = (uint8_t)ws_deflate_answer(&q->h, &b);
	if (q->conn->told & CAPSULE_F_PROTOCOL)
		buf_addf(&b, "Sec-WebSocket-Protocol: %s\r\n",
		    who_header(q->conn, "Sec-WebSocket-Protocol"));
	buf_add(&b, q->extra.data, q->extra.len);
	buf_adds(&b, "\r\n");
	return (b.failed ? NULL : payload_raw(slice_of(b.data, b.len)));
}

/* q is answered with hello (taken), and what follows is start's. */
static void
http_become(struct kennel_request *q, struct payload *hello,
    conn_start *start)
{
	struct conn	*c = http_take(q);
	struct http	*http = c->proto;
	struct buf	 rest = http->in;

	request_free(q);
	memset(&http->in, 0, sizeof(http->in));
	http_clear(c);
	c->clients->ops->upgraded(c, hello, &rest, start);
}

/* The head of a response that goes on.  NULL without memory. */
static struct payload *
http_stream_head(const struct kennel_request *q, int status, const char *type)
{
	const struct http_reply	 r = {
		.status = status, .type = type, .close = 1,
		.minor = q->h.minor, .framing = q->h.minor == 0 ?
		    HTTP_UNTIL_END : HTTP_CHUNKED,
		.extra = slice_of(q->extra.data, q->extra.len),
	};
	struct buf		 b = { 0 };
	struct payload		*p = NULL;

	if (http_reply_write(&b, &r) == 0)
		p = payload_raw(slice_of(b.data, b.len));
	buf_clear(&b);
	return (p);
}

void
http_stream(struct kennel_request *q, int status, const char *type,
    conn_start *start)
{
	struct conn	*c = q->conn;
	struct ctl	 m = { .type = CTL_STAY };
	struct payload	*hello;

	if (c == NULL) {
		request_free(q);
		return;
	}
	http_cors(c, q);
	if ((hello = http_stream_head(q, status, type)) == NULL) {
		q->received = 0;	/* http_clear frees it */
		http_refuse(c, 503, NULL);
		return;
	}
	if (slice_is(q->h.method, "HEAD")) {
		http_take(q);
		request_free(q);
		((struct http *)c->proto)->keep = 0;
		conn_queue(c, hello);
		payload_unref(hello);
		http_done(c);
		return;
	}
	m.id = c->id;
	m.uid = conn_uid(c);
	gate_tell(c->clients->gate, &m);
	http_become(q, hello, start);
}

void
http_upgrade(struct kennel_request *q)
{
	struct conn	*c = q->conn;
	struct payload	*hello;
	const char	*why;
	int		 status;

	if (c == NULL) {
		request_free(q);
		return;
	}
	if (slice_is(q->h.method, "OPTIONS")) {
		buf_adds(&q->extra, "Allow: GET, OPTIONS\r\n");
		http_answer(q, 204, NULL, slice_of(NULL, 0));
		return;
	}
	if ((status = http_head_websocket(&q->h, &why)) != 0) {
		q->received = 0;	/* http_clear frees it */
		http_refuse(c, status, why);
		return;
	}
	if ((hello = http_hello(q)) == NULL) {
		q->received = 0;
		http_refuse(c, 503, NULL);
		return;
	}
	http_become(q, hello, ws_start);
}

/* ---- going home ---- */

/* Send the connection to the gateway, which will read its next request. */
static void
http_go_home(struct conn *c)
{
	struct http	*http = c->proto;
	struct capsule	 cap = {
		.id = c->id, .protocol = CAPSULE_HTTP,
		.flags = c->told & CAPSULE_F_TLS,
		.peer = slice_str(who_peer(c)),
		.via = slice_str(who_via(c)),
		.early = slice_of(http->in.data, http->in.len),
	};
	struct ctl	 m = { .type = CTL_ADOPT, .id = c->id };
	struct buf	 b = { 0 };
	int		 fds[2] = { c->fd, -1 };

	if (capsule_encode(&b, &cap) == -1)
		goto fail;
	if (b.len > CAPSULE_INLINE) {
		m.flags |= CTL_F_MEMFD;
		if ((fds[1] = capsule_memfd(b.data, b.len)) == -1)
			goto fail;
	} else
		m.value = slice_of(b.data, b.len);
	if (gate_send(c->clients->gate, &m, fds) == -1) {
		if (fds[1] != -1)
			close(fds[1]);
		goto fail;
	}
	buf_clear(&b);
	return;
fail:
	buf_clear(&b);
	conn_doom(c, CLOSE_LOST);
}

/* Everything is written: go home, linger, or wait. */
static void
http_flushed(struct conn *c)
{
	struct http	*http = c->proto;

	if (c->state != CONN_HTTP || http->phase != HTTP_FLUSHING)
		return;			/* it was the 100 */
	conn_depart(c, http->keep ? CLOSE_HOME : CLOSE_DONE, 1000);
	if (!http->keep || c->clients->gate->control == NULL) {
		conn_linger(c);
		return;
	}
	conn_set_state(c, CONN_HOMING);
	conn_arm(c);			/* not at all: the gateway will read */
	http_go_home(c);
}

void
http_homed(struct clients *all, uint64_t id, int adopted)
{
	struct conn	*c;
	struct list	*e, *tmp;

	list_each(e, tmp, &all->homing) {
		c = list_entry(e, struct conn, at);
		if (c->id != id)
			continue;
		if (adopted) {
			close(c->fd);	/* the gateway's now: no shutdown */
			c->fd = -1;
		}
		conn_end(c);
		return;
	}
}

void
http_rehome(struct clients *all)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &all->homing)
		http_go_home(list_entry(e, struct conn, at));
}

/* ---- input ---- */

/* The head is whole: it stays with the request, the rest with us. */
static int
http_split(struct http *http)
{
	struct kennel_request	*q = http->q;
	struct buf		 rest = { 0 };
	size_t			 n = q->h.head_len;

	if (http->in.len > n &&
	    buf_add(&rest, http->in.data + n, http->in.len - n) == -1)
		return (-1);
	q->bytes = http->in;
	http->in = rest;
	return (0);
}

/* The request is whole: the application's, unless we answer ourselves. */
static void
http_receive(struct conn *c)
{
	struct http	*http = c->proto;

	http->phase = HTTP_ANSWERING;
	conn_hold(c, &http->part, 0);
	c->pauses |= PAUSE_BUSY;
	c->since = conn_tick();
	http->q->received = 1;
	conn_counts(c)[COUNTER_APP_REQUESTS]++;
	/* May free http: nothing follows. */
	if (http_preflight(c, http->q))
		http_answer(http->q, 204, NULL, slice_of(NULL, 0));
	else
		c->clients->ops->request(http->q);
}

/* Take what has come of the body. */
static void
http_take_body(struct conn *c)
{
	struct http	*http = c->proto;
	size_t		 used = 0;

	switch (http_body_feed(&http->body, http->in.data, http->in.len, &used,
	    &http->q->body)) {
	case PARSE_BAD:
		http_refuse(c, http->body.status, http->body.why);
		return;
	case PARSE_DONE:
		buf_drain(&http->in, used);
		http_receive(c);
		return;
	case PARSE_MORE:
		buf_drain(&http->in, used);
		conn_hold(c, &http->part, http->in.cap + http->q->body.cap);
		if (http->q->h.expect_continue && !http->continued &&
		    used == 0) {
			http->continued = 1;
			conn_queue_bytes(c,
			    slice_str("HTTP/1.1 100 Continue\r\n\r\n"));
		}
		return;
	}
}

/* Take what has come: the head, then the body. */
static void
http_process(struct conn *c)
{
	struct http		*http = c->proto;
	struct kennel_request	*q = http->q;

	if (http->phase == HTTP_HEAD) {
		switch (http_head_parse(&q->h, http->in.data, http->in.len,
		    &http->scanned, &http_widest)) {
		case PARSE_MORE:
			conn_hold(c, &http->part, http->in.cap);
			return;
		case PARSE_BAD:
			http_refuse(c, q->h.status, q->h.why);
			return;
		case PARSE_DONE:
			break;
		}
		if (http_split(http) == -1) {
			conn_doom(c, CLOSE_NO_MEMORY);
			return;
		}
		http_body_init(&http->body, &q->h, c->clients->opt->body_max);
		http->phase = HTTP_BODY;
	}
	/* What follows a handshake is frames, whatever it says of a body: the
	 * handshake that has one is refused. */
	if (http_head_lists(&q->h, "Upgrade", "websocket"))
		http_receive(c);
	else
		http_take_body(c);
}

/* Bytes of the client's. */
static enum close_why
http_input(struct conn *c, char *data, size_t len)
{
	struct http	*http = c->proto;

	if (buf_add(&http->in, data, len) == -1)
		return (CLOSE_NO_MEMORY);
	if (http->phase == HTTP_HEAD || http->phase == HTTP_BODY)
		http_process(c);
	return (CLOSE_NONE);
}

enum close_why
http_start(struct conn *c, struct buf *early, struct slice group,
    uint64_t replica)
{
	struct http	*http;

	if ((http = spare_zero(sizeof(*http))) == NULL) {
		buf_clear(early);
		return (CLOSE_NO_MEMORY);
	}
	c->proto = http;
	c->protocol = &http_protocol;
	http->in = *early;
	if ((http->q = request_new(c, group, replica)) == NULL)
		return (CLOSE_NO_MEMORY);
	http_process(c);
	return (CLOSE_NONE);
}

/* The request's deadline passed. */
static void
http_timeout(struct conn *c)
{
	struct http	*http = c->proto;

	switch (http->phase) {
	case HTTP_HEAD:
	case HTTP_BODY:
		http_refuse(c, 408, "The request did not come in time");
		break;
	case HTTP_ANSWERING:
		log_warn("conn id=%llx app=%s did not answer in time",
		    (unsigned long long)c->id,
		    c->app->name == NULL ? "" : c->app->name);
		http_refuse(c, 503, "The application did not answer");
		break;
	case HTTP_FLUSHING:
		conn_doom(c, CLOSE_SLOW);
		break;
	}
}

/* Nothing of a request is kept during a pause. */
static enum close_why
http_resume(struct conn *c)
{
	(void)c;
	return (CLOSE_NONE);	/* one request at a time: it goes home first */
}

static const struct protocol http_protocol = {
	.input = http_input,
	.resume = http_resume,
	.flushed = http_flushed,
	.timeout = http_timeout,
	.farewell = http_farewell,
	.clear = http_clear,
};

/* A connection that speaks HTTP: one request, its answer, and home. */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/budget.h"
#include "common/log.h"
#include "common/spare.h"
#include "proto/channel.h"
#include "proto/http_body.h"
#include "proto/http_reply.h"
#include "shardd/client/conn.h"
#include "shardd/client/head.h"
#include "shardd/client/home.h"
#include "shardd/client/http.h"
#include "shardd/client/outfile.h"
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

/* So many bytes of a body give the client a tenth of a second more for it. */
#define HTTP_BODY_TICK	512

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
	size_t		 counted;	/* bytes of it, short of a tick */
	int		 continued;	/* 100 was sent */
	int		 keep;
	struct outfile	*file;		/* the answer's body, or NULL */
	struct unfinished_part *part;	/* in and the body, until it is whole */
	struct kennel_request *q;	/* NULL once answered */
};

static const struct protocol http_protocol;

static struct buf	 http_piece;	/* for the next piece of a body */

/*
 * The connection of q ends without its answer.  A request that the application has
 * stays its own; of one of which it only knows it hears.
 */
static void
http_abandon(struct conn *c, struct kennel_request *q)
{
	int	 received = q->received;

	q->conn = NULL;
	if (q->announced)
		c->clients->ops->left(q);	/* may answer it: it is gone then */
	if (!received)
		request_free(q);
}

/* Free what HTTP keeps of c. */
static void
http_clear(struct conn *c)
{
	struct http	*http = c->proto;

	c->proto = NULL;
	if (http->q != NULL)
		http_abandon(c, http->q);
	conn_hold(c, &http->part, 0);
	outfile_free(http->file);
	c->turns &= (uint8_t)~CONN_T_MORE;
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
	c->since = conn_tick();		/* the client's time, not the application's */
	if (http->file == NULL && outbox_queued(&c->out) <= HTTP_PROMPT) {
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

/* q, which the application has just answered so, is refused instead. */
static void
http_overrule(struct kennel_request *q, int status, const char *why)
{
	q->received = q->announced = 0;		/* http_clear frees it */
	http_refuse(q->conn, status, why);
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

/* q is answered: c forgets it. */
static struct conn *
http_take(struct kennel_request *q)
{
	struct conn	*c = q->conn;

	if (c != NULL)
		((struct http *)c->proto)->q = NULL;
	return (c);
}

/* The answer is r, and what file has. */
static void
http_reply(struct kennel_request *q, struct http_reply *r,
    struct outfile *file)
{
	struct conn	*c = http_take(q);
	struct http	*http;
	struct buf	 b = { 0 };

	if (c == NULL) {
		outfile_free(file);
		if (q->received)
			request_free(q);	/* else its connection does */
		return;
	}
	head_cors(c, q);
	r->extra = slice_of(q->extra.data, q->extra.len);
	r->minor = q->h.minor;
	r->head_only = slice_is(q->h.method, "HEAD");
	http = c->proto;
	if (r->head_only)
		outfile_free(file);
	else
		http->file = file;
	/* A body that was not read would be taken for the next request. */
	http->keep = http->phase == HTTP_ANSWERING && http_may_keep(c, q);
	c->pauses = PAUSE_BUSY;
	r->close = !http->keep;
	if (http_reply_write(&b, r) == -1 ||
	    conn_queue_bytes(c, slice_of(b.data, b.len)) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
	else
		http_done(c);
	buf_clear(&b);
	request_free(q);
}

void
http_answer(struct kennel_request *q, int status, const char *type,
    struct slice body)
{
	struct http_reply	 r = { .status = status, .type = type,
				    .body = body };

	http_reply(q, &r, NULL);
}

void
http_answer_file(struct kennel_request *q, int status, const char *type,
    struct outfile *file, uint64_t len)
{
	struct http_reply	 r = { .status = status, .type = type,
				    .framing = HTTP_LENGTH, .length = len };

	http_reply(q, &r, file);
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

/* May q's connection speak something else from now on?  If not, q is freed. */
static int
http_may_become(struct kennel_request *q)
{
	const struct http	*http;

	if (q->conn == NULL) {
		if (q->received)
			request_free(q);
		return (0);
	}
	http = q->conn->proto;
	if (http->phase == HTTP_ANSWERING)
		return (1);
	log_warn("conn id=%llx answered by a socket before its body was read",
	    (unsigned long long)q->conn->id);
	http_overrule(q, 500, NULL);
	return (0);
}

void
http_stream(struct kennel_request *q, int status, const char *type,
    conn_start *start)
{
	struct conn	*c = q->conn;
	struct ctl	 m = { .type = CTL_STAY };
	struct payload	*hello;

	if (!http_may_become(q))
		return;
	head_cors(c, q);
	if ((hello = head_stream(q, status, type)) == NULL) {
		http_overrule(q, 503, NULL);
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
	gate_cover(c->clients->gate, c->id, c->fd);
	http_become(q, hello, start);
}

void
http_upgrade(struct kennel_request *q)
{
	struct payload	*hello;
	const char	*why;
	int		 status;

	if (!http_may_become(q))
		return;
	if (slice_is(q->h.method, "OPTIONS")) {
		buf_adds(&q->extra, "Allow: GET, OPTIONS\r\n");
		http_answer(q, 204, NULL, slice_of(NULL, 0));
		return;
	}
	if ((status = http_head_websocket(&q->h, &why)) != 0) {
		http_overrule(q, status, why);
		return;
	}
	if ((hello = head_upgrade(q)) == NULL) {
		http_overrule(q, 503, NULL);
		return;
	}
	http_become(q, hello, ws_start);
}

/* ---- going home ---- */

/* The head is written: a part of the file.  Returns whether that was all. */
static int
http_send_file(struct conn *c)
{
	struct http	*http = c->proto;

	switch (outfile_send(http->file, c->fd)) {
	case 0:
		c->turns &= (uint8_t)~CONN_T_MORE;
		outfile_free(http->file);
		http->file = NULL;
		return (1);
	case 1:
		c->turns |= CONN_T_MORE;
		return (0);
	default:
		if (errno == ENODATA)
			log_warn("conn id=%llx a file is shorter than its "
			    "response", (unsigned long long)c->id);
		conn_doom(c, errno == ENODATA ? CLOSE_ERROR : CLOSE_RESET);
		return (0);
	}
}

/* Everything is written: go home, linger, or wait. */
static void
http_flushed(struct conn *c)
{
	struct http	*http = c->proto;

	if (c->state != CONN_HTTP || http->phase != HTTP_FLUSHING)
		return;			/* it was the 100 */
	if (http->file != NULL && !http_send_file(c))
		return;
	conn_depart(c, http->keep ? CLOSE_HOME : CLOSE_DONE, 1000);
	if (!http->keep || c->clients->gate->control == NULL) {
		conn_linger(c);
		return;
	}
	conn_set_state(c, CONN_HOMING);
	conn_arm(c);			/* not at all: the gateway will read */
	home_send(c, slice_of(http->in.data, http->in.len));
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
	struct list		*e, *tmp;
	struct conn		*c;
	const struct http	*http;

	list_each(e, tmp, &all->homing) {
		c = list_entry(e, struct conn, at);
		http = c->proto;
		home_send(c, slice_of(http->in.data, http->in.len));
	}
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
	if (c->app->onabort != NULL) {
		http->q->announced = 1;
		c->pauses |= PAUSE_WATCH;
	}
	conn_counts(c)[COUNTER_APP_REQUESTS]++;
	/* May free http: nothing follows. */
	if (head_preflight(c, http->q))
		http_answer(http->q, 204, NULL, slice_of(NULL, 0));
	else
		c->clients->ops->request(http->q);
}

/* Is q still to be answered by c?  Asked behind what the application was told. */
static int
http_waits(const struct conn *c, const struct kennel_request *q)
{
	return (c->state == CONN_HTTP && (c->flags & CONN_F_DOOMED) == 0 &&
	    c->proto != NULL && ((const struct http *)c->proto)->q == q);
}

/* Whoever sends a body has time for it: the more, the longer it is. */
static void
http_progress(struct conn *c, size_t n)
{
	struct http	*http = c->proto;
	uint32_t	 late = conn_tick() - c->since, credit;

	budget_bytes(n);
	http->counted += n;
	credit = (uint32_t)(http->counted / HTTP_BODY_TICK);
	http->counted %= HTTP_BODY_TICK;
	c->since += credit < late ? credit : late;
}

/* What has come of the body moves on: to the application, or to a file where it is
 * long.  Returns whether c goes on. */
static int
http_pass_body(struct conn *c)
{
	struct http		*http = c->proto;
	const struct options	*o = c->clients->opt;
	struct kennel_request	*q = http->q;
	struct buf		 piece = q->body;
	int			 waits = 1;

	if (q->streamed) {
		memset(&q->body, 0, sizeof(q->body));
		if (piece.len > 0) {
			c->clients->ops->body(q, piece.data, piece.len);
			waits = http_waits(c, q);
		}
		buf_give(&http_piece, &piece);
		return (waits);
	}
	if (request_spool(q, o) == 0)
		return (1);
	http_refuse(c, 507, "No room for the request body");
	return (0);
}

/* Take what has come of the body. */
static void
http_take_body(struct conn *c)
{
	struct http	*http = c->proto;
	size_t		 used = 0;
	enum parse	 v;

	if (http->q->streamed)
		http->q->body = buf_take(&http_piece);
	v = http_body_feed(&http->body, http->in.data, http->in.len, &used,
	    &http->q->body);
	buf_drain(&http->in, used);
	http_progress(c, used);
	if (v == PARSE_BAD) {
		http_refuse(c, http->body.status, http->body.why);
		return;
	}
	if (!http_pass_body(c) || (c->pauses & PAUSE_APP))
		return;
	if (v == PARSE_DONE) {
		http_receive(c);
		return;
	}
	conn_hold(c, &http->part, http->in.cap + http->q->body.cap);
	if (http->q->h.expect_continue && !http->continued && used == 0) {
		http->continued = 1;
		conn_queue_bytes(c, slice_str("HTTP/1.1 100 Continue\r\n\r\n"));
	}
}

/* The head is whole: does the application want to know before the body?  Returns
 * whether c goes on. */
static int
http_announce(struct conn *c, struct kennel_request *q)
{
	struct http	*http = c->proto;

	http->phase = HTTP_BODY;
	q->body_max = c->clients->opt->body_max;
	if (q->h.minor > 0 && !q->h.expect_continue &&
	    (q->h.chunked || q->h.length > 0) &&
	    http_head_find(&q->h, "Expect") != NULL) {
		http_refuse(c, 417, "Nothing but 100-continue can be expected");
		return (0);
	}
	if (c->app->onhead != NULL && (q->h.chunked || q->h.length > 0) &&
	    !http_head_lists(&q->h, "Upgrade", "websocket") &&
	    !head_preflight(c, q)) {
		q->announced = 1;
		c->clients->ops->head(q);
		if (!http_waits(c, q))
			return (0);
	}
	http_body_init(&http->body, &q->h, q->body_max);
	return (1);
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
		if (!http_announce(c, q))
			return;
	}
	if (c->pauses & PAUSE_APP)
		return;
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

/* The application takes more of a body.  Otherwise nothing is kept during a pause:
 * one request at a time, it goes home first. */
static enum close_why
http_resume(struct conn *c)
{
	const struct http	*http = c->proto;

	if (http != NULL && http->phase == HTTP_BODY) {
		c->since = conn_tick();
		http_process(c);
	}
	return (CLOSE_NONE);
}

/* The client has shut down its side, or reset the connection.  The former may still
 * read the answer. */
static void
http_left(struct conn *c)
{
	struct http	*http = c->proto;
	socklen_t	 len = sizeof(int);
	int		 err = 0;

	c->pauses &= (uint8_t)~PAUSE_WATCH;
	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1 ||
	    err != 0) {
		c->flags |= CONN_F_BROKEN;
		conn_doom(c, CLOSE_RESET);
	} else if (http->q != NULL) {
		http->q->announced = 0;		/* it hears of it once */
		c->clients->ops->left(http->q);
	}
	conn_arm(c);
}

static const struct protocol http_protocol = {
	.input = http_input,
	.resume = http_resume,
	.left = http_left,
	.flushed = http_flushed,
	.timeout = http_timeout,
	.farewell = http_farewell,
	.clear = http_clear,
};

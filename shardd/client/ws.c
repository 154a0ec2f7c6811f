/* A connection that speaks WebSocket. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/budget.h"
#include "common/log.h"
#include "common/spare.h"
#include "common/turn.h"
#include "proto/http_reply.h"
#include "proto/utf8.h"
#include "proto/ws_deflate.h"
#include "shardd/client/conn.h"
#include "shardd/group/lookup.h"
#include "shardd/client/payload.h"
#include "shardd/client/policy.h"
#include "shardd/group/replica.h"
#include "shardd/client/unfinished.h"

#define WS_PLAIN_KEEP	(64 << 10)	/* of the buffer to decompress into */
#define WS_PLAIN_STEP	(64 << 10)	/* decompressed without asking the budget */

/* A compressed message of which a part is decompressed: another turn's. */
struct inflating {
	struct ws_inflater *z;
	struct buf	 plain;
	struct buf	 bytes;		/* compressed */
	size_t		 used;		/* of them */
	enum ws_opcode	 opcode;
};

/* Kept only while there is something to keep: amid a message, held, opening. */
struct ws {
	struct ws_in	 in;
	struct buf	 rest;		/* read, not decoded: it is held */
	struct inflating *inflating;	/* before rest */
	struct opening	*opening;
	struct unfinished_part *part;	/* in and rest */
};

static void	 conn_ws_open(struct conn *c, struct payload *hello);

/* ---- what is kept ---- */

static struct ws *
conn_ws_keep(struct conn *c)
{
	if (c->proto == NULL)
		c->proto = spare_zero(sizeof(struct ws));
	return (c->proto);
}

/* c has n bytes that are no whole message. */
static void
conn_ws_hold(struct conn *c, struct ws *ws, size_t n)
{
	if (unfinished_set(c->worker->unfinished, &ws->part, c, n,
	    c->worker->opt.unfinished_max) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
}

static void
opening_free(struct opening *o)
{
	list_remove(&o->wait.at);
	if (o->ticket != NULL)
		lookup_cancel(o->ticket);
	if (o->hello != NULL)
		payload_unref(o->hello);
	spare_put(o, sizeof(*o));
}

static void
inflating_free(struct inflating *i)
{
	if (i == NULL)
		return;
	ws_inflater_put(i->z);
	buf_clear(&i->plain);
	buf_clear(&i->bytes);
	free(i);
}

/* Everything but the opening. */
static void
ws_clear(struct ws *ws)
{
	ws_in_clear(&ws->in);
	buf_clear(&ws->rest);
	inflating_free(ws->inflating);
	ws->inflating = NULL;
}

static void
conn_ws_clear(struct conn *c)
{
	struct ws	*ws = c->proto;

	c->proto = NULL;
	conn_ws_hold(c, ws, 0);
	ws_clear(ws);
	if (ws->opening != NULL)
		opening_free(ws->opening);
	spare_put(ws, sizeof(*ws));
}

/* ---- opening ---- */

static void	 conn_ws_try_open(struct opening *o);

static void
conn_ws_ready_cb(struct replica_waiter *w)
{
	conn_ws_try_open(container_of(w, struct opening, wait));
}

static void
conn_ws_gone_cb(struct replica_waiter *w)
{
	conn_doom(container_of(w, struct opening, wait)->conn,
	    CLOSE_GROUP_GONE);
}

static void
conn_ws_listed_cb(void *arg)
{
	struct opening	*o = arg;

	o->ticket = NULL;
	o->listed = 1;
	o->conn->flags |= CONN_F_LISTED;
	conn_ws_try_open(o);
}

void
conn_ws_begin(struct conn *c, struct payload *hello, struct buf *rest)
{
	struct ws	*ws;
	struct opening	*o = NULL;

	c->pauses = 0;
	conn_set_state(c, CONN_OPENING);
	if (rest->len == 0)
		buf_clear(rest);
	else if ((ws = conn_ws_keep(c)) != NULL) {
		ws->rest = *rest;
		conn_ws_hold(c, ws, rest->cap);
		if (c->flags & CONN_F_DOOMED) {
			payload_unref(hello);
			return;
		}
	} else {
		buf_clear(rest);
		goto no_memory;
	}
	if (c->replica == NULL) {
		conn_ws_open(c, hello);
		return;
	}
	if ((ws = conn_ws_keep(c)) == NULL ||
	    (o = spare_zero(sizeof(*o))) == NULL)
		goto no_memory;
	list_init(&o->wait.at);
	o->wait.ready = conn_ws_ready_cb;
	o->wait.gone = conn_ws_gone_cb;
	o->conn = c;
	o->hello = hello;
	ws->opening = o;
	conn_arm(c);
	if (!c->replica->ready)
		list_push(&c->replica->waiting, &o->wait.at);
	o->ticket = lookup_enter(c->worker->lookup, c->replica, conn_uid(c),
	    conn_ws_listed_cb, o);
	if (o->ticket == NULL)
		conn_doom(c, CLOSE_NO_MEMORY);
	return;
no_memory:
	payload_unref(hello);
	conn_doom(c, CLOSE_NO_MEMORY);
}

static void
conn_ws_try_open(struct opening *o)
{
	struct conn	*c = o->conn;
	struct payload	*hello = o->hello;

	if ((c->flags & CONN_F_DOOMED) || !o->listed || !c->replica->ready)
		return;
	o->hello = NULL;
	opening_free(o);
	((struct ws *)c->proto)->opening = NULL;
	conn_ws_open(c, hello);
}

void
conn_ws_come_again(struct conn *c)
{
	enum close_why	 why = CLOSE_NOT_READY;
	struct buf	 b = { 0 };

	log_debug("conn id=%llx refused: %s", (unsigned long long)c->id,
	    close_sentence(why));
	conn_depart(c, why, close_code(why));
	if (http_reply_error(&b, 503, close_sentence(why), 1, 0) == -1 ||
	    conn_queue_bytes(c, slice_of(b.data, b.len)) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
	else {
		conn_late(c);
		conn_linger(c);
	}
	buf_clear(&b);
}

/* onopen said no: nothing of it may be seen but the refusal. */
static void
conn_ws_refuse(struct conn *c)
{
	static const char	 refusal[] =
	    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
	    "Content-Length: 12\r\nConnection: close\r\n\r\nBad Request\n";

	outbox_clear(&c->out);
	conn_depart(c, CLOSE_REFUSED, 1008);
	conn_queue_bytes(c, slice_str(refusal));
	conn_late(c);
	conn_linger(c);
}

void
conn_ws_join(struct conn *c)
{
	c->flags &= (uint16_t)~CONN_F_JOINING;
	if (c->replica == NULL || (c->flags & (CONN_F_DOOMED | CONN_F_GONE)))
		return;
	if (replica_join(c->replica, c) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
	else
		c->flags |= CONN_F_MEMBER;
}

static void
conn_ws_open(struct conn *c, struct payload *hello)
{
	struct ws	*ws = c->proto;

	if (ws != NULL && ws->rest.len == 0)
		conn_ws_clear(c);	/* most clients wait for the 101 */
	conn_set_state(c, CONN_OPEN);
	conn_queue(c, hello);
	payload_unref(hello);
	/* Its first words stand behind the 101 in one write.  If onopen closes
	 * it, it was open: the client reads why, and onclose follows. */
	c->flags |= CONN_F_OPENED;
	if (c->app->onopen != NULL && c->app->onopen(conn_socket(c)) == -1 &&
	    (c->flags & CONN_F_GONE) == 0) {
		c->flags &= (uint16_t)~CONN_F_OPENED;
		busy_cancel(c);
		conn_ws_refuse(c);
		return;
	}
	if (c->flags & (CONN_F_DOOMED | CONN_F_GONE))
		return;
	if (c->busy != NULL)
		c->flags |= CONN_F_JOINING;
	else
		conn_ws_join(c);
	/* Frames that came behind the handshake, in this turn. */
	c->pauses |= PAUSE_BUSY;
	conn_resume(c, PAUSE_BUSY);
}

/* ---- closing ---- */

static void
conn_ws_queue_close(struct conn *c, uint16_t code, const char *reason)
{
	uint8_t		 text[125];
	size_t		 n = ws_close_payload(text, code, reason);
	struct payload	*p;

	if ((p = payload_frame(WS_CLOSE, slice_of(text, n))) == NULL) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return;
	}
	conn_queue(c, p);
	payload_unref(p);
}

/* Does this end leave anything to wait for from the client? */
static int
conn_ws_is_failure(enum close_why why)
{
	return (why == CLOSE_PROTOCOL || why == CLOSE_UTF8 ||
	    why == CLOSE_TOO_BIG || why == CLOSE_SLOW || why == CLOSE_IDLE ||
	    why == CLOSE_RATE || why == CLOSE_CROWDED);
}

void
conn_ws_close(struct conn *c, enum close_why why, uint16_t code,
    const char *reason)
{
	if (c->state != CONN_OPEN) {
		if (c->state == CONN_OPENING)
			conn_doom(c, why);
		return;
	}
	conn_depart(c, why, code);
	conn_late(c);
	if (why == CLOSE_SLOW)
		outbox_drop(&c->out, 0);	/* it should get to read this */
	conn_ws_queue_close(c, code, reason);
	if (conn_ws_is_failure(why))
		conn_linger(c);
	else {
		conn_set_state(c, CONN_CLOSING);
		c->pauses = PAUSE_BUSY;
		conn_resume(c, PAUSE_BUSY);
	}
}

/* Its words outlive the frame: onclose comes later.  Terminated. */
static void
conn_ws_keep_reason(struct conn *c, const struct ws_message *m)
{
	char	 text[126];

	if (m->len == 0)
		return;
	memcpy(text, m->data, m->len);
	text[m->len] = '\0';
	c->reason = payload_raw(slice_of(text, m->len + 1));
}

/* The client's close frame: echo it, and TCP is ours to close first. */
static void
conn_ws_closed(struct conn *c, const struct ws_message *m)
{
	if (c->state == CONN_OPEN) {
		conn_ws_keep_reason(c, m);
		conn_depart(c, CLOSE_CLIENT, m->code);
		conn_late(c);
		conn_ws_queue_close(c, m->code, NULL);
	}
	conn_linger(c);
}

/* ---- messages ---- */

static void
conn_ws_pong(struct conn *c, const struct ws_message *m)
{
	struct payload	*p;

	if ((p = payload_frame(WS_PONG, slice_of(m->data, m->len))) == NULL) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return;
	}
	conn_send(c, p);	/* bounded: a flood of pings is a slow reader */
	payload_unref(p);
}

void
conn_ws_ping(struct conn *c)
{
	static struct payload	*ping;

	if (ping == NULL && (ping = payload_frame(WS_PING,
	    slice_of(NULL, 0))) == NULL)
		return;
	c->pings++;
	conn_queue(c, ping);
}

static void
conn_ws_failed(struct conn *c, const struct ws_message *m)
{
	enum close_why	 why = m->code == 1007 ? CLOSE_UTF8 :
			    m->code == 1009 ? CLOSE_TOO_BIG : CLOSE_PROTOCOL;

	if (c->state == CONN_OPEN)
		conn_ws_close(c, why, m->code, m->why);
	else
		conn_linger(c);		/* it was closing anyway */
}

/* It sends more than its route allows. */
static void
conn_ws_rate(struct conn *c)
{
	conn_ws_close(c, CLOSE_RATE, close_code(CLOSE_RATE),
	    close_sentence(CLOSE_RATE));
}

/* Is there anything to be decoded of what it sends? */
static int
conn_ws_lives(const struct conn *c)
{
	return ((c->state == CONN_OPEN || c->state == CONN_CLOSING) &&
	    (c->flags & CONN_F_DOOMED) == 0);
}

/* A message of the client's: it is whole, and as its application reads it. */
static void
conn_ws_deliver(struct conn *c, enum ws_opcode opcode, const char *data,
    size_t len)
{
	struct kennel_message	 msg = { .data = data, .len = len,
				    .binary = opcode == WS_BINARY };

	turn_progress();
	if (c->state == CONN_OPEN && c->app->onmessage != NULL)
		c->app->onmessage(conn_socket(c), &msg);
}

/* The message is decompressed: it counts with what it has become. */
static void
conn_ws_inflated(struct conn *c, enum ws_opcode opcode,
    const struct buf *plain, size_t compressed)
{
	if (plain->len > compressed &&
	    !meter_bytes(&c->meter, plain->len - compressed))
		conn_ws_rate(c);
	else if (opcode == WS_TEXT && !utf8_valid(plain->data, plain->len))
		conn_ws_close(c, CLOSE_UTF8, 1007, "text is not UTF-8");
	else
		conn_ws_deliver(c, opcode, plain->data, plain->len);
}

/*
 * Decompress as much of in as the turn has time for: 0 when it is done, 1 when
 * there is more, or -1: the conversation ended.
 */
static int
conn_ws_inflate(struct conn *c, struct ws_inflater *z, struct buf *plain,
    struct slice *in)
{
	uint16_t	 code;
	size_t		 before;

	do {
		before = plain->len;
		code = ws_inflate_some(z, plain, worker_message_max(c->worker,
		    c->app), in, WS_PLAIN_STEP);
		budget_charge(2 * (plain->len - before));
	} while (code == WS_INFLATE_MORE && !budget_over());
	if (code == 0 || code == WS_INFLATE_MORE)
		return (code == WS_INFLATE_MORE);
	if (code == 1009)
		conn_ws_close(c, CLOSE_TOO_BIG, 1009, "message is too big");
	else
		conn_ws_close(c, CLOSE_PROTOCOL, 1007,
		    "compressed message is damaged");
	return (-1);
}

/* What is left of in, and of its inflater, for another turn: 0 or -1. */
static int
conn_ws_park(struct ws *ws, enum ws_opcode opcode, struct ws_inflater *z,
    struct buf *plain, struct slice in)
{
	struct inflating	*i;

	if ((i = calloc(1, sizeof(*i))) == NULL)
		return (-1);
	if (buf_add(&i->bytes, in.data, in.len) == -1) {
		buf_clear(&i->bytes);
		free(i);
		return (-1);
	}
	i->z = z;
	i->plain = *plain;
	memset(plain, 0, sizeof(*plain));
	i->opcode = opcode;
	ws->inflating = i;
	return (0);
}

static void
conn_ws_compressed(struct conn *c, struct ws *ws, const struct ws_message *m)
{
	static struct buf	 plain;		/* callbacks do not nest */
	struct slice		 in = slice_of(m->data, m->len);
	struct ws_inflater	*z;

	if ((z = ws_inflater_get()) == NULL) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return;
	}
	switch (conn_ws_inflate(c, z, &plain, &in)) {
	case 1:
		if (conn_ws_park(ws, m->opcode, z, &plain, in) == 0) {
			conn_wait(c);
			return;
		}
		conn_doom(c, CLOSE_NO_MEMORY);
		break;
	case 0:
		conn_ws_inflated(c, m->opcode, &plain, m->len);
		break;
	}
	ws_inflater_put(z);
	plain.len = 0;
	if (plain.cap > WS_PLAIN_KEEP || plain.failed)
		buf_clear(&plain);
}

/* Go on with the message that was left.  Returns whether it is done. */
static int
conn_ws_go_on(struct conn *c, struct ws *ws)
{
	struct inflating	*i = ws->inflating;
	struct slice		 in;
	int			 more = 0;

	in = slice_of(i->bytes.data + i->used, i->bytes.len - i->used);
	if (c->state == CONN_OPEN)
		more = conn_ws_inflate(c, i->z, &i->plain, &in);
	if (more == 1) {
		i->used = i->bytes.len - in.len;
		conn_wait(c);
		return (0);
	}
	ws->inflating = NULL;
	if (more == 0 && c->state == CONN_OPEN) {
		conn_ws_inflated(c, i->opcode, &i->plain, i->bytes.len);
		conn_throttle(c);
	}
	inflating_free(i);
	return (1);
}

/* One thing decoded; returns whether to go on. */
static int
conn_ws_got(struct conn *c, struct ws *ws, enum ws_verdict v,
    const struct ws_message *m)
{
	if (v == WS_BAD) {
		conn_ws_failed(c, m);
		return (0);
	}
	budget_charge(BUDGET_MESSAGE);
	if (c->state == CONN_OPEN && m->opcode != WS_CLOSE &&
	    !meter_message(&c->meter)) {
		conn_ws_rate(c);
		return (0);
	}
	switch (m->opcode) {
	case WS_TEXT:
	case WS_BINARY:
		budget_bytes(m->len);
		if (!m->compressed)
			conn_ws_deliver(c, m->opcode, m->data, m->len);
		else if (c->state == CONN_OPEN)
			conn_ws_compressed(c, ws, m);
		break;
	case WS_PING:
		if (c->state == CONN_OPEN)
			conn_ws_pong(c, m);
		break;
	case WS_CLOSE:
		conn_ws_closed(c, m);
		return (0);
	default:
		break;
	}
	conn_throttle(c);
	return (conn_ws_lives(c));
}

/* What came in now, or stands in ws->rest. */
struct ws_bytes {
	char		*data;
	size_t		 len;
};

/* Decode until it is used up, or c is to be heard no more for now. */
static int
conn_ws_decode(struct conn *c, struct ws *ws, struct ws_bytes *b)
{
	struct ws_limits	 limits = { .message_max =
				    worker_message_max(c->worker, c->app),
				    .allow_rsv1 = c->deflate != 0 };
	struct ws_message	 m;
	enum ws_verdict		 v;
	size_t			 used;
	int			 more = 1;

	while (b->len > 0 && more && (c->turns & CONN_T_QUEUED) == 0 &&
	    (c->pauses & (PAUSE_HELD | PAUSE_OUT | PAUSE_LINK)) == 0) {
		v = ws_in_next(&ws->in, &limits, b->data, b->len, &used, &m);
		b->data += used;
		b->len -= used;
		budget_bytes(used);
		if (c->state == CONN_OPEN &&
		    !meter_bytes(&c->meter, used)) {
			conn_ws_rate(c);
			more = 0;
		} else if (v != WS_MORE)
			more = conn_ws_got(c, ws, v, &m);
		if (b->len > 0 && more && budget_over())
			conn_wait(c);
	}
	return (more);
}

/*
 * The one way in: what is kept, then what came now.  The state is on the stack
 * while nothing is kept; afterwards it is kept if there is something.
 */
static enum close_why
conn_ws_input(struct conn *c, char *data, size_t len)
{
	struct ws		 now, *ws = c->proto;
	struct buf		 rest = { 0 };
	struct ws_bytes		 b = { data, len };
	int			 more = 1;

	c->since = conn_tick();
	c->last = (uint32_t)turn_ms();
	c->pings = 0;
	if (ws == NULL)
		memset(&now, 0, sizeof(now));
	else {
		if ((ws->opening != NULL || ws->rest.len > 0 ||
		    ws->inflating != NULL) && len > 0 &&
		    buf_add(&ws->rest, data, len) == -1)
			return (CLOSE_NO_MEMORY);
		if (ws->opening != NULL)
			return (CLOSE_NONE);
		/* Callbacks may end the conversation: c->proto is ours now. */
		now = *ws;
		spare_put(ws, sizeof(*ws));
		c->proto = NULL;
		if (now.rest.len > 0) {
			rest = now.rest;
			memset(&now.rest, 0, sizeof(now.rest));
			b = (struct ws_bytes){ rest.data, rest.len };
		}
	}
	if (now.inflating != NULL && conn_ws_go_on(c, &now))
		more = conn_ws_lives(c);
	if (now.inflating == NULL && more)
		more = conn_ws_decode(c, &now, &b);
	if (!more || (b.len == 0 && now.inflating == NULL &&
	    ws_in_idle(&now.in))) {
		conn_ws_hold(c, &now, 0);
		ws_clear(&now);
		buf_clear(&rest);
		return (CLOSE_NONE);
	}
	if (rest.len > 0) {
		buf_drain(&rest, rest.len - b.len);
		now.rest = rest;
		if (rest.len == 0)
			buf_clear(&now.rest);
	} else if (b.len > 0)
		buf_add(&now.rest, b.data, b.len);
	if (now.rest.failed || (ws = conn_ws_keep(c)) == NULL) {
		conn_ws_hold(c, &now, 0);
		ws_clear(&now);
		return (CLOSE_NO_MEMORY);
	}
	*ws = now;
	conn_ws_hold(c, ws, ws->in.part.cap + ws->rest.cap +
	    (ws->inflating == NULL ? 0 :
	    ws->inflating->bytes.cap + ws->inflating->plain.cap));
	return (CLOSE_NONE);
}

static enum close_why
conn_ws_resume(struct conn *c)
{
	struct ws	*ws = c->proto;

	if (ws == NULL || (ws->rest.len == 0 && ws->inflating == NULL))
		return (CLOSE_NONE);
	return (conn_ws_input(c, NULL, 0));	/* its caller arms it */
}

const struct conn_ops conn_ws_ops = {
	.input = conn_ws_input,
	.resume = conn_ws_resume,
	.clear = conn_ws_clear,
};

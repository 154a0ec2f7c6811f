/* A connection that speaks WebSocket. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/budget.h"
#include "common/spare.h"
#include "common/turn.h"
#include "proto/utf8.h"
#include "proto/ws_state.h"
#include "shardd/client/conn.h"
#include "shardd/client/inflating.h"
#include "shardd/client/pace.h"
#include "shardd/client/payload.h"
#include "shardd/client/policy.h"
#include "shardd/client/ws.h"
#include "shardd/kennel.h"
#include "shardd/options.h"

#define WS_PLAIN_KEEP	(64 << 10)	/* of the buffer to decompress into */

/* Kept only while there is something to keep: amid a message, held. */
struct ws {
	struct ws_in	 in;
	struct buf	 rest;		/* read, not decoded: it is held */
	struct inflating *inflating;	/* before rest */
	struct unfinished_part *part;	/* in and rest */
};

/* ---- what is kept ---- */

/* What c keeps, made if need be.  NULL without memory. */
static struct ws *
ws_keep(struct conn *c)
{
	if (c->proto == NULL)
		c->proto = spare_zero(sizeof(struct ws));
	return (c->proto);
}

/* Free what is in ws, but not ws. */
static void
ws_drop(struct ws *ws)
{
	ws_in_clear(&ws->in);
	buf_clear(&ws->rest);
	if (ws->inflating != NULL)
		inflating_free(ws->inflating);
	ws->inflating = NULL;
}

/* Free what c keeps. */
static void
ws_clear(struct conn *c)
{
	struct ws	*ws = c->proto;

	c->proto = NULL;
	conn_hold(c, &ws->part, 0);
	ws_drop(ws);
	spare_put(ws, sizeof(*ws));
}

/* ---- closing ---- */

/* Queue a close frame. */
static void
ws_queue_close(struct conn *c, uint16_t code, const char *reason)
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

/* Send a close frame and end the conversation. */
static void
ws_close(struct conn *c, enum close_why why, uint16_t code,
    const char *reason)
{
	if (c->state != CONN_OPEN)
		return;
	conn_depart(c, why, code);
	conn_late(c);
	if (why == CLOSE_SLOW)
		outbox_drop(&c->out, 0);	/* it should get to read this */
	ws_queue_close(c, code, reason);
	if (close_lingers(why))
		conn_linger(c);
	else {
		conn_set_state(c, CONN_CLOSING);
		c->pauses = PAUSE_BUSY;
		conn_resume(c, PAUSE_BUSY);
	}
}

/* The client's close frame: echo it, and TCP is ours to close first. */
static void
ws_closed(struct conn *c, const struct ws_message *m)
{
	if (c->state == CONN_OPEN) {
		if (m->len > 0)
			rare_set_reason(&c->rare, slice_of(m->data, m->len));
		conn_depart(c, CLOSE_CLIENT, m->code);
		conn_late(c);
		ws_queue_close(c, m->code, NULL);
	}
	conn_linger(c);
}

/* ---- messages ---- */

/* Answer a ping. */
static void
ws_pong(struct conn *c, const struct ws_message *m)
{
	struct payload	*p;

	if ((p = payload_frame(WS_PONG, slice_of(m->data, m->len))) == NULL) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return;
	}
	conn_send(c, p);	/* bounded: a flood of pings is a slow reader */
	payload_unref(p);
}

/*
 * Is the client there?  While the last ping stands behind what its machine has still to
 * take, and does take, nobody can have answered.
 */
static int
ws_ping(struct conn *c)
{
	static struct payload	*ping;

	if (c->pings > 0 && pace_since_mark(c) == PACE_GOOD) {
		c->since = conn_tick() - c->pings *
		    (c->clients->opt->ping_ms / 100);
		return (1);
	}
	if (c->pings >= PINGS_MAX)
		return (0);
	if (ping == NULL && (ping = payload_frame(WS_PING,
	    slice_of(NULL, 0))) == NULL)
		return (1);
	c->pings++;
	pace_mark(c);
	conn_queue(c, ping);
	return (1);
}

/* What the client sent is no WebSocket frame, or none that may come. */
static void
ws_failed(struct conn *c, const struct ws_message *m)
{
	enum close_why	 why = m->code == 1007 ? CLOSE_UTF8 :
			    m->code == 1009 ? CLOSE_TOO_BIG : CLOSE_PROTOCOL;

	if (c->state == CONN_OPEN)
		ws_close(c, why, m->code, m->why);
	else
		conn_linger(c);		/* it was closing anyway */
}

/* The client sends more than its route allows. */
static void
ws_rate(struct conn *c)
{
	ws_close(c, CLOSE_RATE, close_code(CLOSE_RATE),
	    close_sentence(CLOSE_RATE));
}

/* Is there anything to be decoded of what it sends? */
static int
ws_lives(const struct conn *c)
{
	return ((c->state == CONN_OPEN || c->state == CONN_CLOSING) &&
	    (c->flags & CONN_F_DOOMED) == 0);
}

/* A message of the client's: it is whole, and as its application reads it. */
static void
ws_deliver(struct conn *c, enum ws_opcode opcode, const char *data,
    size_t len)
{
	struct kennel_message	 msg = { .data = data, .len = len,
				    .binary = opcode == WS_BINARY };

	uint64_t		*n = conn_counts(c);

	turn_progress();
	n[COUNTER_APP_MESSAGES_IN]++;
	n[COUNTER_APP_BYTES_IN] += len;
	if (c->state == CONN_OPEN)
		c->clients->ops->message(c, &msg);
	if (c->strikes != 0)
		conn_survives(c);
}

/* The message is decompressed: it counts with what it has become. */
static void
ws_inflated(struct conn *c, enum ws_opcode opcode,
    const struct buf *plain, size_t compressed)
{
	if (plain->len > compressed &&
	    !meter_bytes(&c->meter, plain->len - compressed))
		ws_rate(c);
	else if (opcode == WS_TEXT && !utf8_valid(plain->data, plain->len))
		ws_close(c, CLOSE_UTF8, 1007, "text is not UTF-8");
	else
		ws_deliver(c, opcode, plain->data, plain->len);
}

/* Decompressing came to that close code: it is damaged, or too big. */
static void
ws_not_inflated(struct conn *c, uint16_t code)
{
	if (code == 1009)
		ws_close(c, CLOSE_TOO_BIG, 1009, "message is too big");
	else
		ws_close(c, CLOSE_PROTOCOL, 1007,
		    "compressed message is damaged");
}

/* A compressed message: as much of it as the turn has time for. */
static void
ws_compressed(struct conn *c, struct ws *ws, const struct ws_message *m)
{
	static struct buf	 plain;		/* callbacks do not nest */
	struct slice		 in = slice_of(m->data, m->len);
	struct ws_inflater	*z;
	uint16_t		 code;

	if ((z = ws_inflater_get()) == NULL) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return;
	}
	code = inflating_some(z, &plain, c->message_max, &in);
	if (code == WS_INFLATE_MORE) {
		ws->inflating = inflating_new(m->opcode, z, &plain, in);
		if (ws->inflating != NULL) {
			conn_wait(c);
			return;
		}
		conn_doom(c, CLOSE_NO_MEMORY);
	} else if (code != 0)
		ws_not_inflated(c, code);
	else
		ws_inflated(c, m->opcode, &plain, m->len);
	ws_inflater_put(z);
	plain.len = 0;
	if (plain.cap > WS_PLAIN_KEEP || plain.failed)
		buf_clear(&plain);
}

/* Go on with the message that was left.  Returns whether it is done. */
static int
ws_go_on(struct conn *c, struct ws *ws)
{
	struct inflating	*i = ws->inflating;
	uint16_t		 code = 0;

	if (c->state == CONN_OPEN)
		code = inflating_go_on(i, c->message_max);
	if (code == WS_INFLATE_MORE) {
		conn_wait(c);
		return (0);
	}
	ws->inflating = NULL;
	if (c->state == CONN_OPEN && code != 0)
		ws_not_inflated(c, code);
	else if (c->state == CONN_OPEN) {
		ws_inflated(c, i->opcode, &i->plain, i->bytes.len);
		conn_throttle(c);
	}
	inflating_free(i);
	return (1);
}

/* One frame or part of one, decoded; returns whether to go on. */
static int
ws_got(struct conn *c, struct ws *ws, enum ws_verdict v,
    const struct ws_message *m)
{
	if (v == WS_BAD) {
		ws_failed(c, m);
		return (0);
	}
	budget_charge(BUDGET_MESSAGE);
	if (c->state == CONN_OPEN && m->opcode != WS_CLOSE &&
	    !meter_message(&c->meter)) {
		ws_rate(c);
		return (0);
	}
	switch (m->opcode) {
	case WS_TEXT:
	case WS_BINARY:
		budget_bytes(m->len);
		if (!m->compressed)
			ws_deliver(c, m->opcode, m->data, m->len);
		else if (c->state == CONN_OPEN)
			ws_compressed(c, ws, m);
		break;
	case WS_PING:
		if (c->state == CONN_OPEN)
			ws_pong(c, m);
		break;
	case WS_CLOSE:
		ws_closed(c, m);
		return (0);
	default:
		break;
	}
	conn_throttle(c);
	return (ws_lives(c));
}

/* What came in now, or stands in ws->rest. */
struct ws_bytes {
	char		*data;
	size_t		 len;
};

/* Decode until it is used up, or c is to be heard no more for now. */
static int
ws_decode(struct conn *c, struct ws *ws, struct ws_bytes *b)
{
	struct ws_limits	 limits = { .message_max = c->message_max,
				    .allow_rsv1 = c->deflate != 0 };
	struct ws_message	 m;
	enum ws_verdict		 v;
	size_t			 used;
	int			 more = 1;

	while (b->len > 0 && more && (c->turns & CONN_T_QUEUED) == 0 &&
	    (c->pauses & (PAUSE_HELD | PAUSE_OUT | PAUSE_LINK |
	    PAUSE_APP)) == 0) {
		v = ws_in_next(&ws->in, &limits, b->data, b->len, &used, &m);
		b->data += used;
		b->len -= used;
		budget_bytes(used);
		if (c->state == CONN_OPEN &&
		    !meter_bytes(&c->meter, used)) {
			ws_rate(c);
			more = 0;
		} else if (v != WS_MORE) {
			cover_amid(b->len > 0 || !ws_in_idle(&ws->in));
			more = ws_got(c, ws, v, &m);
		}
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
ws_input(struct conn *c, char *data, size_t len)
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
		if ((ws->rest.len > 0 || ws->inflating != NULL) && len > 0 &&
		    buf_add(&ws->rest, data, len) == -1)
			return (CLOSE_NO_MEMORY);
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
	if (now.inflating != NULL && ws_go_on(c, &now))
		more = ws_lives(c);
	if (now.inflating == NULL && more)
		more = ws_decode(c, &now, &b);
	if (!more || (b.len == 0 && now.inflating == NULL &&
	    ws_in_idle(&now.in))) {
		conn_half(c, COVER_B_IN, 0);
		if (ws != NULL || now.inflating != NULL ||
		    now.in.part.data != NULL) {
			conn_hold(c, &now.part, 0);
			ws_drop(&now);
			buf_clear(&rest);
		}
		return (CLOSE_NONE);
	}
	if (rest.len > 0) {
		buf_drain(&rest, rest.len - b.len);
		now.rest = rest;
		if (rest.len == 0)
			buf_clear(&now.rest);
	} else if (b.len > 0)
		buf_add(&now.rest, b.data, b.len);
	if (now.rest.failed || (ws = ws_keep(c)) == NULL) {
		conn_hold(c, &now.part, 0);
		ws_drop(&now);
		return (CLOSE_NO_MEMORY);
	}
	*ws = now;
	conn_half(c, COVER_B_IN, 1);
	conn_hold(c, &ws->part, ws->in.part.cap + ws->rest.cap +
	    (ws->inflating == NULL ? 0 : inflating_size(ws->inflating)));
	return (CLOSE_NONE);
}

/* Go on with what was kept; the caller arms c. */
static enum close_why
ws_resume(struct conn *c)
{
	struct ws	*ws = c->proto;

	if (ws == NULL || (ws->rest.len == 0 && ws->inflating == NULL))
		return (CLOSE_NONE);
	return (ws_input(c, NULL, 0));	/* its caller arms it */
}

/* The close handshake took too long. */
static void
ws_timeout(struct conn *c)
{
	conn_doom(c, CLOSE_TIMEOUT);
}

/* An open client is told why with a close frame. */
static int
ws_farewell(struct conn *c, enum close_why why)
{
	if (c->state != CONN_OPEN)
		return (0);
	ws_close(c, why, close_code(why), close_sentence(why));
	return (1);
}

/* What is kept of its input. */
static int
ws_freeze(struct conn *c, struct buf *state, struct buf *early)
{
	struct ws	*ws = c->proto;

	if (ws == NULL)
		return (0);
	if (ws->inflating != NULL) {
		errno = EAGAIN;
		return (-1);
	}
	ws_state_pack(state, &ws->in);
	buf_add(early, ws->rest.data, ws->rest.len);
	errno = ENOMEM;
	return (state->failed || early->failed ? -1 : 0);
}

static const struct protocol ws_protocol = {
	.input = ws_input,
	.resume = ws_resume,
	.timeout = ws_timeout,
	.ping = ws_ping,
	.farewell = ws_farewell,
	.freeze = ws_freeze,
	.capsule = CAPSULE_WS,
	.close = ws_close,
	.clear = ws_clear,
};

int
ws_thaw(struct conn *c, struct slice state, struct slice early)
{
	struct ws	*ws;

	c->protocol = &ws_protocol;
	if (state.len == 0 && early.len == 0)
		return (0);
	if ((ws = ws_keep(c)) == NULL ||
	    ws_state_unpack(&ws->in, state, c->message_max) == -1 ||
	    buf_add(&ws->rest, early.data, early.len) == -1)
		return (-1);
	conn_half(c, COVER_B_IN, 1);
	conn_hold(c, &ws->part, ws->in.part.cap + ws->rest.cap);
	return (0);
}

int
ws_start(struct conn *c, struct buf *rest)
{
	struct ws	*ws;

	c->protocol = &ws_protocol;
	if (rest->len == 0) {		/* most clients wait for the 101 */
		buf_clear(rest);
		return (0);
	}
	if ((ws = ws_keep(c)) == NULL) {
		buf_clear(rest);
		return (-1);
	}
	ws->rest = *rest;
	conn_half(c, COVER_B_IN, 1);
	conn_hold(c, &ws->part, rest->cap);
	return (0);
}

/*
 * A connection whose HTTP response goes on: a stream of bytes, or of server-sent
 * events.  What it is sent is a chunk each, or stands as it is in an answer to
 * HTTP/1.0, which ends with the connection.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/spare.h"
#include "common/turn.h"
#include "proto/event.h"
#include "proto/limits.h"
#include "proto/pack.h"
#include "shardd/client/conn.h"
#include "shardd/client/pace.h"
#include "shardd/client/payload.h"
#include "shardd/client/shelter.h"
#include "shardd/client/stream.h"
#include "shardd/options.h"

#define STREAM_INPUT_MAX (64 << 10)	/* bytes that a client may say for nothing */

static const struct protocol	 stream_bytes, stream_events;

struct stream {
	int		 chunked;	/* else HTTP/1.0 */
	size_t		 heard;		/* bytes that were for nothing */
	struct payload	*beat;		/* for the idle, or NULL: nothing */
};

/* ---- forms ---- */

/* Append data as a chunk. */
static void
stream_chunk(struct buf *b, struct slice data)
{
	buf_addf(b, "%zx\r\n", data.len);
	buf_add(b, data.data, data.len);
	buf_adds(b, "\r\n");
}

static struct buf	 as_event, as_chunk;	/* of the message that is being encoded */

/* A long message is over: its buffers are not kept. */
static void
stream_tidy(struct buf *b)
{
	if (b->cap > BUF_KEEP || b->failed)
		buf_clear(b);
}

/* The bytes of a message, in the form that c has them, valid until the next call.
 * NULL data: no memory. */
static struct slice
stream_encode(const struct stream *st, const struct payload *p, int event)
{
	struct slice		 data = payload_data(p);

	if (event) {
		buf_reset(&as_event);
		if (p->opcode == WS_TEXT)
			event_encode(&as_event, &(struct event_out){
			    .data = data });
		else
			event_encode_binary(&as_event, data);
		data = slice_of(as_event.failed ? NULL : as_event.data,
		    as_event.len);
	}
	if (st->chunked && data.data != NULL && data.len > 0) {
		buf_reset(&as_chunk);
		stream_chunk(&as_chunk, data);
		data = slice_of(as_chunk.failed ? NULL : as_chunk.data,
		    as_chunk.len);
	}
	return (data);
}

/* The twin of p, made if need be.  NULL without memory. */
static struct payload *
stream_twin(const struct stream *st, struct payload *p, unsigned form,
    int event)
{
	struct payload	*z;
	struct slice	 data;

	if ((p->opcode != WS_TEXT && p->opcode != WS_BINARY) ||
	    p->form == form)
		return (p);		/* it is as it is to be */
	if ((z = payload_twin(p, form)) != NULL)
		return (z);
	data = stream_encode(st, p, event);
	if (data.data != NULL)
		z = payload_add_twin(p, form, data);
	stream_tidy(&as_event);
	stream_tidy(&as_chunk);
	return (z);
}

static struct payload *
stream_form(struct conn *c, struct payload *p)
{
	const struct stream	*st = c->proto;

	return (st == NULL ? p : stream_twin(st, p,
	    st->chunked ? FORM_CHUNK : FORM_PLAIN, 0));
}

static struct payload *
stream_form_event(struct conn *c, struct payload *p)
{
	const struct stream	*st = c->proto;

	return (st == NULL ? p : stream_twin(st, p,
	    st->chunked ? FORM_EVENT_CHUNK : FORM_EVENT, 1));
}

struct payload *
stream_event(const struct conn *c, struct slice lines)
{
	const struct stream	*st = c->proto;
	struct buf		 b = { 0 };
	struct payload		*p = NULL;

	if (!st->chunked)
		return (payload_formed(FORM_EVENT, WS_TEXT, lines));
	stream_chunk(&b, lines);
	if (!b.failed)
		p = payload_formed(FORM_EVENT_CHUNK, WS_TEXT,
		    slice_of(b.data, b.len));
	buf_clear(&b);
	return (p);
}

/* ---- the idle ---- */

int
stream_set_beat(struct conn *c, struct slice beat)
{
	struct stream	*st = c->proto;
	struct payload	*p = NULL;
	struct buf	 b = { 0 };

	if (beat.len > 0) {
		if (st->chunked)
			stream_chunk(&b, beat);
		else
			buf_add(&b, beat.data, beat.len);
		if (!b.failed)
			p = payload_raw(slice_of(b.data, b.len));
		buf_clear(&b);
		if (p == NULL) {
			errno = ENOMEM;
			return (-1);
		}
	}
	if (st->beat != NULL)
		payload_unref(st->beat);
	st->beat = p;
	shelter_state(c);
	return (0);
}

/* For how long nothing was said, in ticks. */
static uint32_t
stream_idle(const struct conn *c)
{
	return (((uint32_t)turn_ms() - c->last) / 100);
}

/*
 * Nothing was sent for a while: a heart-beat.  Nobody answers it, but the client's
 * machine acknowledges it, or enough of what stands before it: where it does neither,
 * that counts like a ping without an answer.
 */
static int
stream_ping(struct conn *c)
{
	const struct stream	*st = c->proto;
	uint32_t	 every = c->clients->opt->ping_ms / 100;
	uint32_t	 idle = stream_idle(c);

	if (idle < every) {
		c->pings = 0;
		c->since = conn_tick() - idle;
	} else {
		if (pace_since_mark(c) != PACE_SLOW)
			c->pings = 0;
		else if (c->pings++ >= PINGS_MAX)
			return (0);
		c->since = conn_tick() - c->pings * every;
	}
	pace_mark(c);
	if (idle >= every && (st->beat == NULL ||
	    conn_queue(c, st->beat) == -1))
		c->last = (uint32_t)turn_ms();
	return (1);
}

/* ---- the client ---- */

/* There is nothing to be said on a stream: a request behind this one is not answered. */
static enum close_why
stream_input(struct conn *c, char *data, size_t len)
{
	struct stream	*st = c->proto;

	(void)data;
	st->heard += len;
	return (st->heard > STREAM_INPUT_MAX ? CLOSE_PROTOCOL : CLOSE_NONE);
}

/* It had nothing to say, and now it has gone: this is how one leaves a stream. */
static enum close_why
stream_ended(struct conn *c)
{
	(void)c;
	return (CLOSE_CLIENT);
}

/* Nothing is kept. */
static enum close_why
stream_resume(struct conn *c)
{
	(void)c;
	return (CLOSE_NONE);
}

/* No state of a stream has a deadline but that of LINGER. */
static void
stream_timeout(struct conn *c)
{
	conn_doom(c, CLOSE_TIMEOUT);
}

/* ---- the end ---- */

/* What ends the response well. */
static void
stream_last_chunk(struct conn *c)
{
	const struct stream	*st = c->proto;

	if (st->chunked)
		conn_queue_bytes(c, slice_str("0\r\n\r\n"));
}

/* Over, in whatever way. */
static void
stream_depart(struct conn *c, enum close_why why, uint16_t code)
{
	conn_depart(c, why, code);
	conn_late(c);
	if (why == CLOSE_SLOW)
		outbox_drop(&c->out, 0);
}

/* Only what the application ends with 1000 ends well: the client of any other sees
 * that the response is not whole. */
static void
stream_close(struct conn *c, enum close_why why, uint16_t code,
    const char *reason)
{
	(void)reason;
	stream_depart(c, why, code);
	if (code == 1000)
		stream_last_chunk(c);
	conn_linger(c);
}

/* An event says why, and nothing is cut off. */
static void
stream_close_events(struct conn *c, enum close_why why, uint16_t code,
    const char *reason)
{
	struct buf	 b = { 0 };
	struct payload	*p;
	char		 text[160];

	stream_depart(c, why, code);
	snprintf(text, sizeof(text), "%u%s%s", code, reason == NULL ? "" : " ",
	    reason == NULL ? "" : reason);
	event_encode(&b, &(struct event_out){ .name = "close",
	    .data = slice_str(text), .retry = c->clients->come_back });
	if (!b.failed && (p = stream_event(c, slice_of(b.data, b.len))) !=
	    NULL) {
		conn_queue(c, p);
		payload_unref(p);
	}
	buf_clear(&b);
	stream_last_chunk(c);
	conn_linger(c);
}

/* The client, if it is there, is told. */
static int
stream_farewell(struct conn *c, enum close_why why)
{
	if (c->state != CONN_OPEN || why == CLOSE_CLIENT)
		return (0);
	conn_close(c, why, close_code(why), close_sentence(why));
	return (1);
}

/* Free what a stream keeps. */
static void
stream_clear(struct conn *c)
{
	struct stream	*st = c->proto;

	c->proto = NULL;
	if (st->beat != NULL)
		payload_unref(st->beat);
	spare_put(st, sizeof(*st));
}

/* In what form it is, what was heard for nothing, and the heart-beat. */
static int
stream_freeze(struct conn *c, struct buf *state, struct buf *early)
{
	const struct stream	*st = c->proto;

	(void)early;
	pack_array(state, 4);
	pack_u64(state, stream_kind(c));
	pack_u64(state, (uint64_t)st->chunked);
	pack_u64(state, st->heard);
	pack_str(state, st->beat == NULL ? slice_of(NULL, 0) :
	    payload_wire(st->beat));
	errno = ENOMEM;
	return (state->failed ? -1 : 0);
}

static const struct protocol stream_bytes = {
	.input = stream_input,
	.resume = stream_resume,
	.ended = stream_ended,
	.timeout = stream_timeout,
	.ping = stream_ping,
	.farewell = stream_farewell,
	.close = stream_close,
	.form = stream_form,
	.freeze = stream_freeze,
	.capsule = CAPSULE_STREAM,
	.clear = stream_clear,
};

static const struct protocol stream_events = {
	.input = stream_input,
	.resume = stream_resume,
	.ended = stream_ended,
	.timeout = stream_timeout,
	.ping = stream_ping,
	.farewell = stream_farewell,
	.close = stream_close_events,
	.form = stream_form_event,
	.freeze = stream_freeze,
	.capsule = CAPSULE_STREAM,
	.clear = stream_clear,
};

/* ---- the beginning ---- */

/* c speaks that protocol. */
static int
stream_begin(struct conn *c, struct buf *rest, const struct protocol *p,
    int chunked)
{
	struct stream	*st;

	buf_clear(rest);
	c->protocol = p;
	if ((st = spare_zero(sizeof(*st))) == NULL)
		return (-1);
	st->chunked = chunked;
	c->proto = st;
	return (p == &stream_events ? stream_set_beat(c,
	    slice_str(":\n\n")) : 0);
}

int
stream_start(struct conn *c, struct buf *rest)
{
	return (stream_begin(c, rest, &stream_bytes, 1));
}

int
stream_start_old(struct conn *c, struct buf *rest)
{
	return (stream_begin(c, rest, &stream_bytes, 0));
}

int
stream_start_events(struct conn *c, struct buf *rest)
{
	return (stream_begin(c, rest, &stream_events, 1));
}

int
stream_start_events_old(struct conn *c, struct buf *rest)
{
	return (stream_begin(c, rest, &stream_events, 0));
}

int
stream_thaw(struct conn *c, struct slice state, struct slice early)
{
	struct buf	 none = { 0 };
	struct pack_in	 in;
	struct stream	*st;
	struct slice	 beat;
	uint64_t	 kind, heard;
	int		 chunked;

	(void)early;
	if (pack_open(&in, state.data, state.len) == -1)
		return (-1);
	kind = pack_in_u64(&in, STREAM_EVENTS);
	chunked = (int)pack_in_u64(&in, 1);
	heard = pack_in_u64(&in, STREAM_INPUT_MAX);
	beat = pack_in_str(&in, CAPSULE_MAX);
	errno = EPROTO;
	if (in.bad || kind == STREAM_NONE)
		return (-1);
	errno = ENOMEM;
	if (stream_begin(c, &none, kind == STREAM_EVENTS ? &stream_events :
	    &stream_bytes, chunked) == -1)
		return (-1);
	st = c->proto;
	st->heard = (size_t)heard;
	if (st->beat != NULL)
		payload_unref(st->beat);
	st->beat = NULL;
	if (beat.len > 0 && (st->beat = payload_raw(beat)) == NULL)
		return (-1);
	return (0);
}

enum stream_kind
stream_kind(const struct conn *c)
{
	return (c->protocol == &stream_bytes ? STREAM_BYTES :
	    c->protocol == &stream_events ? STREAM_EVENTS : STREAM_NONE);
}

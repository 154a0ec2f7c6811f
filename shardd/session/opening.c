/* How a session begins: from the decision for a 101, or a stream, to onopen. */
#include <stdlib.h>

#include "common/log.h"
#include "common/spare.h"
#include "proto/http_reply.h"
#include "shardd/client/payload.h"
#include "shardd/group/entrance.h"
#include "shardd/kennel.h"
#include "shardd/session/member.h"
#include "shardd/session/opening.h"
#include "shardd/session/sessions.h"
#include "shardd/session/verbs.h"

/* What a connection in OPENING waits for, and what stands behind it. */
struct opening {
	struct entrance	 entrance;
	struct conn	*conn;
	struct payload	*hello;		/* the 101 */
	conn_start	*start;		/* of what c speaks then */
	struct buf	 rest;		/* read behind the handshake */
	struct unfinished_part *part;	/* rest */
	int		 request;	/* it is none yet: a request, in rest */
};

static const struct protocol	 opening_protocol;

/* Free what c waits for; its protocol's clear. */
static void
opening_clear(struct conn *c)
{
	struct opening	*o = c->proto;

	c->proto = NULL;
	conn_hold(c, &o->part, 0);
	entrance_end(&o->entrance);
	if (o->hello != NULL)
		payload_unref(o->hello);
	buf_clear(&o->rest);
	spare_put(o, sizeof(*o));
}

/* ---- open ---- */

/* onopen said no: nothing of it may be seen but the refusal. */
static void
opening_refuse(struct conn *c)
{
	static const char	 refusal[] =
	    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
	    "Content-Length: 12\r\nConnection: close\r\n\r\nBad Request\n";

	outbox_clear(&c->out);
	conn_depart(c, CLOSE_REFUSED, 1008);
	if ((c->flags & CONN_F_RAW) == 0)
		conn_queue_bytes(c, slice_str(refusal));
	conn_late(c);
	conn_linger(c);
}

/* Nothing is missing: hello (NULL: raw) and rest, both taken, then onopen. */
static void
opening_open(struct conn *c, struct payload *hello, struct buf *rest,
    conn_start *start)
{
	if (start(c, rest) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
	if (c->flags & CONN_F_DOOMED) {
		if (hello != NULL)
			payload_unref(hello);
		return;
	}
	conn_set_state(c, CONN_OPEN);
	if (hello != NULL) {
		conn_queue(c, hello);
		payload_unref(hello);
		conn_half(c, COVER_B_OUT, 1);	/* until that is written */
	}
	member_cover(c, slice_of(NULL, 0));
	/* c's first words stand behind the 101 in one write.  If onopen closes
	 * c, c was open: the client reads why, and onclose follows. */
	c->flags |= CONN_F_OPENED;
	rare_keep(c->rare);
	if (c->app->onopen != NULL && c->app->onopen(conn_socket(c)) == -1 &&
	    (c->flags & CONN_F_GONE) == 0) {
		c->flags &= (uint16_t)~CONN_F_OPENED;
		verbs_cancel(c);
		opening_refuse(c);
		return;
	}
	conn_counts(c)[COUNTER_APP_OPENED]++;
	if (c->flags & (CONN_F_DOOMED | CONN_F_GONE))
		return;
	if (c->verbs != NULL)
		c->flags |= CONN_F_JOINING;
	else
		member_join(c);
	/* Frames that came behind the handshake, in this turn. */
	c->pauses |= PAUSE_BUSY;
	conn_resume(c, PAUSE_BUSY);
}

/* ---- what is waited for ---- */

/* Open the connection if nothing is missing. */
static void
opening_nearer(struct entrance *e)
{
	struct opening	*o = container_of(e, struct opening, entrance);
	struct conn	*c = o->conn;
	struct payload	*hello = o->hello;
	conn_start	*start = o->start;
	struct buf	 rest = o->rest;
	int		 request = o->request;

	if (e->listed && !request)
		c->flags |= CONN_F_LISTED;
	if ((c->flags & CONN_F_DOOMED) || !entrance_is_open(e))
		return;
	o->hello = NULL;
	memset(&o->rest, 0, sizeof(o->rest));
	opening_clear(c);
	if (!request)
		opening_open(c, hello, &rest, start);
	else if (start(c, &rest) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
}

/* The replica was dismissed. */
static void
opening_gone(struct entrance *e)
{
	conn_doom(container_of(e, struct opening, entrance)->conn,
	    CLOSE_GROUP_GONE);
}

static const struct entrance_ops opening_ops = { opening_nearer, opening_gone };

/* c waits, with what has been read of it (taken).  NULL: it is doomed. */
static struct opening *
opening_new(struct conn *c, struct buf *rest, conn_start *start)
{
	struct opening	*o;

	if ((o = spare_zero(sizeof(*o))) == NULL) {
		buf_clear(rest);
		conn_doom(c, CLOSE_NO_MEMORY);
		return (NULL);
	}
	entrance_init(&o->entrance, c->replica, &opening_ops);
	o->conn = c;
	o->start = start;
	o->rest = *rest;
	c->proto = o;
	if (rest->len > 0)
		conn_hold(c, &o->part, rest->cap);
	conn_arm(c);
	return (o);
}

void
opening_begin(struct conn *c, struct payload *hello, struct buf *rest,
    conn_start *start)
{
	struct opening	*o;

	c->pauses = 0;
	conn_set_state(c, CONN_OPENING);
	c->protocol = &opening_protocol;
	if (c->replica == NULL) {
		opening_open(c, hello, rest, start);
		return;
	}
	if ((o = opening_new(c, rest, start)) == NULL) {
		if (hello != NULL)
			payload_unref(hello);
		return;
	}
	o->hello = hello;
	if (entrance_begin(&o->entrance, sessions_of(c)->lookup,
	    conn_uid(c)) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
}

void
opening_request(struct conn *c, struct buf *early, conn_start *start)
{
	struct opening	*o;

	conn_set_state(c, CONN_OPENING);
	c->protocol = &opening_protocol;
	if ((o = opening_new(c, early, start)) == NULL)
		return;
	o->request = 1;
	entrance_await(&o->entrance);
}

/* ---- the protocol of a connection in OPENING ---- */

/* More behind the handshake: later. */
static enum close_why
opening_input(struct conn *c, char *data, size_t len)
{
	struct opening	*o = c->proto;

	if (buf_add(&o->rest, data, len) == -1)
		return (CLOSE_NO_MEMORY);
	conn_hold(c, &o->part, o->rest.cap);
	return (CLOSE_NONE);
}

/* Nothing goes on before c is open. */
static enum close_why
opening_resume(struct conn *c)
{
	(void)c;
	return (CLOSE_NONE);
}

/* c is not opened: 503, the client is to come again. */
static void
opening_unready(struct conn *c, enum close_why why)
{
	struct buf	 b = { 0 };

	log_debug("conn id=%llx refused: %s", (unsigned long long)c->id,
	    close_sentence(why));
	conn_depart(c, why, close_code(why));
	if (c->flags & CONN_F_RAW) {
		conn_late(c);
		conn_linger(c);
		return;
	}
	if (http_reply_error(&b, 503, close_sentence(why), 1, 0) == -1 ||
	    conn_queue_bytes(c, slice_of(b.data, b.len)) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
	else {
		conn_late(c);
		conn_linger(c);
	}
	buf_clear(&b);
}

/* What c waits for has not come in time. */
static void
opening_timeout(struct conn *c)
{
	opening_unready(c, CLOSE_NOT_READY);
}

/* With an upgraded client nothing was agreed in which to say it. */
static int
opening_farewell(struct conn *c, enum close_why why)
{
	const struct opening	*o = c->proto;

	if (!o->request)
		return (0);
	opening_unready(c, why);
	return (1);
}

static const struct protocol opening_protocol = {
	.input = opening_input,
	.resume = opening_resume,
	.timeout = opening_timeout,
	.farewell = opening_farewell,
	.clear = opening_clear,
};

/* A connection that speaks its application's own protocol. */
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <string.h>

#include "common/budget.h"
#include "common/log.h"
#include "common/spare.h"
#include "common/turn.h"
#include "shardd/client/conn.h"
#include "shardd/client/payload.h"
#include "shardd/client/policy.h"
#include "shardd/client/tcp.h"
#include "shardd/client/unfinished.h"
#include "shardd/kennel.h"
#include "shardd/options.h"

/* How far the client's end has been told. */
enum tcp_end { TCP_OPEN, TCP_TOLD, TCP_HELD };

#define TCP_LEAST	256		/* bytes of room for what is kept */

/* Kept only while there is something to keep. */
struct tcp {
	char		*data;		/* read, not used yet, from at to len; or NULL */
	size_t		 at, len, cap;
	struct unfinished_part *part;	/* of cap bytes */
	enum tcp_end	 end;
};

/* Give back the room of t. */
static void
tcp_drop(struct tcp *t)
{
	if (t->data != NULL)
		spare_put(t->data, t->cap);
	t->data = NULL;
	t->at = t->len = t->cap = 0;
}

/* Room for n bytes behind those that are kept.  0, or -1 without memory. */
static int
tcp_room(struct tcp *t, size_t n)
{
	size_t	 kept = t->len - t->at, cap = TCP_LEAST;
	char	*data;

	if (t->cap - t->len >= n)
		return (0);
	while (cap < kept + n)
		cap *= 2;
	if (cap <= t->cap)
		memmove(t->data, t->data + t->at, kept);
	else {
		if ((data = spare_get(cap)) == NULL)
			return (-1);
		if (kept > 0)
			memcpy(data, t->data + t->at, kept);
		tcp_drop(t);
		t->data = data;
		t->cap = cap;
	}
	t->at = 0;
	t->len = kept;
	return (0);
}

/* Keep these bytes behind the others.  0, or -1 without memory. */
static int
tcp_add(struct tcp *t, const char *data, size_t len)
{
	if (tcp_room(t, len) == -1)
		return (-1);
	memcpy(t->data + t->len, data, len);
	t->len += len;
	return (0);
}

/* Free what c keeps. */
static void
tcp_clear(struct conn *c)
{
	struct tcp	*t = c->proto;

	c->proto = NULL;
	conn_hold(c, &t->part, 0);
	tcp_drop(t);
	spare_put(t, sizeof(*t));
}

/* Write what is owed, then our end; the client is told nothing else. */
static void
tcp_close(struct conn *c, enum close_why why, uint16_t code,
    const char *reason)
{
	(void)reason;
	conn_depart(c, why, code);
	conn_late(c);
	if (why == CLOSE_SLOW)
		outbox_drop(&c->out, 0);	/* but for a message that is begun */
	conn_linger(c);
}

/* An open client's end: what is owed, and no word about why. */
static int
tcp_farewell(struct conn *c, enum close_why why)
{
	if (c->state != CONN_OPEN)
		return (0);
	tcp_close(c, why, close_code(why), NULL);
	return (1);
}

/* Is what c sends to be given to its application? */
static int
tcp_lives(const struct conn *c)
{
	return (c->state == CONN_OPEN && (c->flags & CONN_F_DOOMED) == 0);
}

/* Now? */
static int
tcp_hears(const struct conn *c)
{
	return (tcp_lives(c) && c->pauses == 0 &&
	    (c->turns & CONN_T_QUEUED) == 0);
}

/* The application gets what there is: how much it used, 0 if it needs more or c has
 * ended. */
static size_t
tcp_give(struct conn *c, struct slice s)
{
	uint64_t	*n = conn_counts(c);
	ssize_t		 used;

	if (!meter_message(&c->meter)) {
		conn_doom(c, CLOSE_RATE);
		return (0);
	}
	budget_charge(BUDGET_MESSAGE);
	turn_progress();
	used = c->clients->ops->data(c, s.data, s.len);
	if (used < 0 || (size_t)used > s.len) {
		if (used >= 0)
			log_warn("app %s: ondata says that it used %zd of %zu "
			    "bytes", c->app->name == NULL ? "" : c->app->name,
			    used, s.len);
		conn_doom(c, used < 0 ? CLOSE_BAD_DATA : CLOSE_ERROR);
		return (0);
	}
	if (used == 0)
		return (0);
	budget_bytes((size_t)used);
	n[COUNTER_APP_MESSAGES_IN]++;
	n[COUNTER_APP_BYTES_IN] += (uint64_t)used;
	if (c->state == CONN_OPEN)
		conn_throttle(c);
	if (c->strikes != 0)
		conn_survives(c);
	return ((size_t)used);
}

/* Give *s until it is used up, needs more behind it, or c is to be heard no more for
 * now.  Returns whether it needs more. */
static int
tcp_give_all(struct conn *c, struct slice *s)
{
	size_t	 used;

	while (s->len > 0 && tcp_hears(c)) {
		if ((used = tcp_give(c, *s)) == 0)
			return (tcp_hears(c));
		*s = slice_of(s->data + used, s->len - used);
		if (s->len > 0 && tcp_hears(c) && budget_over())
			conn_wait(c);
	}
	return (0);
}

/* The client has ended, and all that it sent was given that could be: say so, once, and
 * end when nothing that came of it is outstanding. */
static void
tcp_finish(struct conn *c, enum tcp_end *end)
{
	if (*end == TCP_OPEN) {
		*end = c->clients->ops->ended(c) ? TCP_HELD : TCP_TOLD;
		if (!tcp_lives(c))
			return;
	}
	if (*end == TCP_TOLD && (c->pauses & PAUSE_HELD) == 0)
		tcp_close(c, CLOSE_CLIENT, close_code(CLOSE_CLIENT), NULL);
}

/* c keeps now, and of its bytes or, if it has none, of those that came, s. */
static enum close_why
tcp_keep(struct conn *c, struct tcp *now, struct slice s)
{
	struct tcp	*t = NULL;

	if (now->len > 0)
		now->at = now->len - s.len;
	if ((s.len > 0 && now->len == 0 && tcp_add(now, s.data, s.len) == -1) ||
	    (t = spare_get(sizeof(*t))) == NULL) {
		conn_hold(c, &now->part, 0);
		tcp_drop(now);
		return (CLOSE_NO_MEMORY);
	}
	*t = *now;
	c->proto = t;
	conn_half(c, COVER_B_IN, t->len > t->at);
	conn_hold(c, &t->part, t->cap);
	return (CLOSE_NONE);
}

/* What c has kept and what has come, as one: where there is least to copy.  0, or -1
 * without memory. */
static int
tcp_join(struct tcp *now, struct slice *s, char *data, size_t len)
{
	size_t	 kept = now->len - now->at;

	if (kept == 0)
		return (0);
	if (len > 0 && kept <= CONN_HEADROOM) {
		memcpy(data - kept, now->data + now->at, kept);
		*s = slice_of(data - kept, kept + len);
		now->at = now->len = 0;
		return (0);
	}
	if (len > 0 && tcp_add(now, data, len) == -1)
		return (-1);
	*s = slice_of(now->data + now->at, now->len - now->at);
	return (0);
}

/*
 * The one way in: what is kept, then what came now.  Callbacks may end the
 * conversation, so that what is kept is on the stack meanwhile.
 */
static enum close_why
tcp_input(struct conn *c, char *data, size_t len)
{
	struct tcp	 now = { .end = TCP_OPEN };
	struct slice	 s = slice_of(data, len);
	enum close_why	 why = CLOSE_NO_MEMORY;
	int		 more;

	if (len > 0) {
		c->since = conn_tick();
		c->last = (uint32_t)turn_ms();
		if (!meter_bytes(&c->meter, len))
			return (CLOSE_RATE);
	}
	if (c->proto != NULL) {
		now = *(struct tcp *)c->proto;
		spare_put(c->proto, sizeof(now));
		c->proto = NULL;
		if (tcp_join(&now, &s, data, len) == -1)
			goto drop;
	}
	more = tcp_give_all(c, &s);
	if (more && s.len >= c->message_max)
		conn_doom(c, CLOSE_TOO_BIG);
	if ((c->flags & CONN_F_ENDED) && (more || s.len == 0) && tcp_lives(c)) {
		s.len = 0;			/* a part of what does not come */
		tcp_finish(c, &now.end);
	}
	if (tcp_lives(c) && (s.len > 0 || now.end != TCP_OPEN)) {
		if (s.len == 0)
			tcp_drop(&now);
		return (tcp_keep(c, &now, s));
	}
	why = CLOSE_NONE;
	conn_half(c, COVER_B_IN, 0);
drop:
	conn_hold(c, &now.part, 0);
	tcp_drop(&now);
	return (why);
}

/* Go on with what was kept. */
static enum close_why
tcp_resume(struct conn *c)
{
	if (c->proto == NULL && (c->flags & CONN_F_ENDED) == 0)
		return (CLOSE_NONE);
	return (tcp_input(c, NULL, 0));
}

/* The client sends nothing more; what came before was given, or is kept. */
static enum close_why
tcp_ended(struct conn *c)
{
	return (tcp_input(c, NULL, 0));
}

/* No state of a raw connection has a time. */
static void
tcp_timeout(struct conn *c)
{
	conn_doom(c, CLOSE_TIMEOUT);
}

/* A message as it is. */
static struct payload *
tcp_form(struct conn *c, struct payload *p)
{
	(void)c;
	return (payload_plain(p));
}

/* What is read and not used, and how far the client's end has been told. */
static int
tcp_freeze(struct conn *c, struct buf *state, struct buf *early)
{
	const struct tcp	*t = c->proto;
	uint8_t			 end;

	if (t == NULL)
		return (0);
	end = (uint8_t)t->end;
	buf_add(state, &end, 1);
	if (t->len > t->at)
		buf_add(early, t->data + t->at, t->len - t->at);
	errno = ENOMEM;
	return (state->failed || early->failed ? -1 : 0);
}

static const struct protocol tcp_protocol = {
	.input = tcp_input,
	.resume = tcp_resume,
	.ended = tcp_ended,
	.timeout = tcp_timeout,
	.farewell = tcp_farewell,
	.close = tcp_close,
	.form = tcp_form,
	.freeze = tcp_freeze,
	.capsule = CAPSULE_RAW,
	.clear = tcp_clear,
};

/* Let the kernel find out whether the client's machine is still there: nothing else
 * asks. */
static void
tcp_keep_alive(const struct conn *c)
{
	int	 on = 1, times = 3;
	int	 s = (int)(c->clients->opt->ping_ms / 1000);

	if (s <= 0)
		return;
	(void)setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPIDLE, &s, sizeof(s));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPINTVL, &s, sizeof(s));
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPCNT, &times,
	    sizeof(times));
}

int
tcp_thaw(struct conn *c, struct slice state, struct slice early)
{
	struct tcp	 now = { .end = TCP_OPEN };

	c->protocol = &tcp_protocol;
	if (state.len > 1 || (state.len == 1 &&
	    (uint8_t)state.data[0] > TCP_HELD)) {
		errno = EPROTO;
		return (-1);
	}
	if (state.len == 1)
		now.end = (enum tcp_end)state.data[0];
	if (early.len == 0 && now.end == TCP_OPEN)
		return (0);
	errno = ENOMEM;
	return (tcp_keep(c, &now, early) == CLOSE_NONE ? 0 : -1);
}

int
tcp_start(struct conn *c, struct buf *rest)
{
	struct tcp		 now = { .end = TCP_OPEN };
	enum close_why		 why;

	c->protocol = &tcp_protocol;
	tcp_keep_alive(c);
	why = rest->len == 0 ? CLOSE_NONE :
	    tcp_keep(c, &now, slice_of(rest->data, rest->len));
	buf_clear(rest);
	return (why == CLOSE_NONE ? 0 : -1);
}

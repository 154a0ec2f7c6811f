/* What comes from a client is read. */
#include <sys/socket.h>

#include <errno.h>

#include "common/budget.h"
#include "proto/cover.h"
#include "shardd/client/conn.h"
#include "shardd/client/reading.h"

#define READING_TIMES	4		/* of READING_BUF, an event */
#define READING_BUF	(64 << 10)
/* Bytes read after the end: a message that is refused for
 * its size is on its way, and a reset would overtake the close frame. */
#define READING_LINGER_MAX	(32 << 20)

/* Its first bytes are left free, for what a protocol has kept. */
static char	 reading_room[CONN_HEADROOM + READING_BUF];
static char	*const reading_buf = reading_room + CONN_HEADROOM;

/* Read to the end and throw away: so that the client gets to read. */
static void
reading_discard(struct conn *c)
{
	ssize_t	 n;

	n = recv(c->fd, reading_buf, READING_BUF, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	/* A raw client that has said all may have something to read yet. */
	if (n == 0 && (c->flags & (CONN_F_RAW | CONN_F_SHUT)) == CONN_F_RAW) {
		c->flags |= CONN_F_ENDED;
		conn_arm(c);
		return;
	}
	/* mine counts them: c is no member any more. */
	if (n > 0 && (c->by_uid.mine += (uint32_t)n) <= READING_LINGER_MAX)
		return;
	conn_end(c);
}

int
reading_may(const struct conn *c)
{
	return (c->pauses == 0 &&
	    (c->flags & (CONN_F_DOOMED | CONN_F_RESUME)) == 0 &&
	    (c->turns & CONN_T_QUEUED) == 0 && c->state != CONN_LINGER &&
	    c->state != CONN_HOMING && c->state != CONN_OPENING);
}

/* The same, where the page says that c is read. */
static enum close_why
reading_all(struct conn *c)
{
	enum close_why	 why;
	ssize_t		 n;

	for (int i = 0; i < READING_TIMES && (c->flags & CONN_F_ENDED) == 0;
	    i++) {
		n = recv(c->fd, reading_buf, READING_BUF, MSG_DONTWAIT);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return (CLOSE_NONE);
		if (n == 0 && c->protocol->ended != NULL) {
			c->flags |= CONN_F_ENDED;
			cover_amid(0);		/* it can be heard again */
			return (c->protocol->ended(c));
		}
		if (n == -1)
			c->flags |= CONN_F_BROKEN;
		if (n <= 0)
			return (CLOSE_RESET);
		if ((why = c->protocol->input(c, reading_buf, (size_t)n)) !=
		    CLOSE_NONE)
			return (why);
		if ((size_t)n < READING_BUF || !reading_may(c) ||
		    budget_over())
			return (CLOSE_NONE);
		cover_amid(1);
	}
	return (CLOSE_NONE);
}

enum close_why
reading_run(struct conn *c)
{
	enum close_why	 why;

	cover_reading(c->slot);
	why = reading_all(c);
	cover_reading(0);
	return (why);
}

void
reading_ready(void *arg, short what)
{
	struct conn	*c = arg;
	enum close_why	 why;

	what &= c->armed;
	if (c->flags & CONN_F_DOOMED)
		return;
	if (what & EV_WRITE) {
		c->since = conn_tick();	/* the client reads: it is alive */
		conn_flush(c);
		/* c may have been doomed, or gone home; it is not freed. */
		if ((c->flags & CONN_F_DOOMED) || c->state == CONN_HOMING)
			return;
	}
	if ((what & EV_CLOSED) && (c->pauses & PAUSE_WATCH)) {
		c->protocol->left(c);
		return;
	}
	if ((what & EV_READ) == 0)
		return;
	if (c->state == CONN_LINGER) {
		reading_discard(c);	/* may free c */
		return;
	}
	budget_begin();
	/* Others come first where the turn is used up, or will be. */
	if ((c->turns & CONN_T_COSTLY) || budget_over()) {
		conn_queue_up(c, c->turns & CONN_T_COSTLY ? LINE_COSTLY :
		    LINE_FRESH);
		conn_arm(c);
		return;
	}
	if ((why = reading_run(c)) != CLOSE_NONE)
		conn_doom(c, why);
	else {
		if (budget_over())
			c->turns |= CONN_T_COSTLY;
		conn_arm(c);
	}
}

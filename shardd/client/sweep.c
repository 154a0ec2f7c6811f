/* Deadlines and pings. */
#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "shardd/client/conn.h"
#include "shardd/client/sweep.h"

#define SWEEP_MS	100
#define SWEEP_PINGS	2		/* unanswered, then it is idle */
#define SWEEP_OPENING	50		/* upgraded, and what it waits for has not come */
#define SWEEP_LINGER	10		/* ticks, of 100 ms */
#define SWEEP_HOMING	50
#define SWEEP_STALLED	100		/* over its bound, and reads nothing */
#define SWEEP_LINK	20		/* longest pause for a full link */

static void
sweep_timed(struct conn *c, uint32_t now)
{
	const struct options	*o = &c->worker->opt;
	uint32_t			 age = now - c->since;

	switch (c->state) {
	case CONN_HTTP:
		if (age > o->request_ms / 100)
			conn_http_timeout(c);
		break;
	case CONN_OPENING:
		if (age > SWEEP_OPENING)
			conn_ws_come_again(c);
		break;
	case CONN_CLOSING:
		if (age > o->closing_ms / 100)
			conn_doom(c, CLOSE_TIMEOUT);
		break;
	case CONN_LINGER:
		if (age > SWEEP_LINGER)
			conn_doom(c, CLOSE_TIMEOUT);
		break;
	default:
		break;
	}
}

static void
sweep_open(struct conn *c, uint32_t now)
{
	uint32_t	 every = c->worker->opt.ping_ms / 100;

	/* A link that stays full must not silence a client for ever. */
	if (c->pauses & PAUSE_LINK)
		conn_resume(c, PAUSE_LINK);
	if ((c->pauses & PAUSE_OUT) && now - c->since > SWEEP_STALLED) {
		conn_doom(c, CLOSE_SLOW);
		return;
	}
	if (every == 0 || now - c->since <= every * (1 + (uint32_t)c->pings) ||
	    (c->pauses & PAUSE_HELD))
		return;
	if (c->pings >= SWEEP_PINGS)
		conn_doom(c, CLOSE_IDLE);
	else
		conn_ws_ping(c);
}

static void
sweep_cb(evutil_socket_t fd, short what, void *arg)
{
	struct worker	*w = arg;
	struct list	*e, *tmp;
	uint32_t	 now;

	(void)fd, (void)what;
	conn_tick_set();
	now = conn_tick();
	list_each(e, tmp, &w->timed)
		sweep_timed(list_entry(e, struct conn, at), now);
	list_each(e, tmp, &w->homing)
		if (now - list_entry(e, struct conn, at)->since > SWEEP_HOMING)
			conn_doom(list_entry(e, struct conn, at), CLOSE_LOST);
	conn_parted_late(w);
	if (now % SWEEP_LINK == 0)
		list_each(e, tmp, &w->conns)
			sweep_open(list_entry(e, struct conn, at), now);
	worker_tick(w);
}

int
sweep_start(struct worker *w)
{
	struct timeval	 tv = { 0, SWEEP_MS * 1000 };

	conn_tick_set();
	w->sweep_timer = event_new(w->base, -1, EV_PERSIST, sweep_cb, w);
	if (w->sweep_timer == NULL)
		return (-1);
	return (event_add(w->sweep_timer, &tv));
}

/* Deadlines and pings. */
#include <event2/event.h>

#include "shardd/client/conn.h"
#include "shardd/client/pace.h"
#include "shardd/client/sweep.h"
#include "shardd/options.h"

#define SWEEP_MS	100
#define SWEEP_OPENING	50		/* upgraded, and what it waits for has not come */
#define SWEEP_LINGER	10		/* ticks, of 100 ms */
#define SWEEP_HOMING	50
#define SWEEP_STALLED	100		/* over its bound, and reads nothing */
#define SWEEP_PACE	10		/* waits for so long: it is looked how it reads */
#define SWEEP_LINK	20		/* longest pause for a full link */

/* For how many ticks c, that has to read, has not; *owed is how much it is behind. */
static uint32_t
sweep_age(struct conn *c, uint32_t now, uint32_t *owed)
{
	*owed = 0;
	if (now - c->since > SWEEP_PACE)
		*owed = pace_follow(c);
	return (now - c->since);
}

/*
 * c is to read the rest of what it is owed, and then its end.  If it does not, of a raw
 * client's only what is begun is still written: a message is not cut unless the client
 * stops reading amid it.
 */
static void
sweep_linger(struct conn *c, uint32_t now)
{
	uint32_t	 owed, age = sweep_age(c, now, &owed), most = SWEEP_LINGER;

	if (owed > 0 || !outbox_empty(&c->out))
		most = c->clients->opt->closing_ms / 100;
	if (age <= most)
		return;
	if ((c->flags & CONN_F_RAW) && outbox_drop(&c->out, 0) > 0)
		c->since = conn_tick();
	else
		conn_doom(c, CLOSE_TIMEOUT);
}

/* c is on its way from one state to the next: has it taken too long? */
static void
sweep_timed(struct conn *c, uint32_t now)
{
	const struct options	*o = c->clients->opt;
	uint32_t		 age = now - c->since, owed;

	switch (c->state) {
	case CONN_HTTP:
		if (!outbox_empty(&c->out) || (c->turns & CONN_T_MORE))
			age = sweep_age(c, now, &owed);
		if (age > o->request_ms / 100 && (c->pauses & PAUSE_APP) == 0)
			c->protocol->timeout(c);
		break;
	case CONN_OPENING:
		if (age > SWEEP_OPENING)
			c->protocol->timeout(c);
		break;
	case CONN_CLOSING:
		if (sweep_age(c, now, &owed) > o->closing_ms / 100)
			c->protocol->timeout(c);
		break;
	case CONN_LINGER:
		sweep_linger(c, now);
		break;
	default:
		break;
	}
}

/* c is open: is the client still there, and does it read? */
static void
sweep_open(struct conn *c, uint32_t now)
{
	uint32_t	 every = c->clients->opt->ping_ms / 100, owed;

	/* A link that stays full must not silence a client for ever. */
	if (c->pauses & PAUSE_LINK)
		conn_resume(c, PAUSE_LINK);
	if (c->pauses & PAUSE_OUT) {	/* it cannot answer a ping */
		if (sweep_age(c, now, &owed) > SWEEP_STALLED)
			conn_doom(c, CLOSE_SLOW);
		return;
	}
	if (every == 0 || now - c->since <= every * (1 + (uint32_t)c->pings) ||
	    (c->pauses & (PAUSE_HELD | PAUSE_APP)))
		return;
	if (c->protocol->ping != NULL && !c->protocol->ping(c))
		conn_doom(c, CLOSE_IDLE);
}

/* All that are open; what waits for them is counted in passing. */
static void
sweep_all_open(struct clients *all, uint32_t now)
{
	size_t		 max = all->opt->out_max, n, sum = 0, low = 0, high = 0;
	struct list	*e, *tmp;
	struct conn	*c;

	list_each(e, tmp, &all->conns) {
		c = list_entry(e, struct conn, at);
		n = outbox_queued(&c->out);
		sum += n;
		low += n > max / 2;
		high += n > max;
		sweep_open(c, now);
	}
	counter_set(COUNTER_QUEUED, sum);
	counter_set(COUNTER_BEHIND, low);
	counter_set(COUNTER_BEHIND + 1, high);
}

/* Ten times a second. */
static void
sweep_cb(evutil_socket_t fd, short what, void *arg)
{
	struct sweep	*s = arg;
	struct list	*e, *tmp;
	uint32_t	 now;

	(void)fd, (void)what;
	conn_tick_set();
	now = conn_tick();
	list_each(e, tmp, &s->clients->timed)
		sweep_timed(list_entry(e, struct conn, at), now);
	list_each(e, tmp, &s->clients->homing)
		if (now - list_entry(e, struct conn, at)->since > SWEEP_HOMING)
			conn_doom(list_entry(e, struct conn, at), CLOSE_LOST);
	if (now % SWEEP_LINK == 0)
		sweep_all_open(s->clients, now);
	s->tick(s->arg);
}

int
sweep_start(struct sweep *s, struct event_base *base, struct clients *clients,
    void (*tick)(void *arg), void *arg)
{
	struct timeval	 tv = { 0, SWEEP_MS * 1000 };

	conn_tick_set();
	s->clients = clients;
	s->tick = tick;
	s->arg = arg;
	s->timer = event_new(base, -1, EV_PERSIST, sweep_cb, s);
	if (s->timer == NULL)
		return (-1);
	return (event_add(s->timer, &tv));
}

void
sweep_stop(struct sweep *s)
{
	event_free(s->timer);
}

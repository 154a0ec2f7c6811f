/* Is the Redis that we have still the master? */
#include <errno.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/redis_doubt.h"
#include "common/redis_sentinel.h"
#include "common/redis_url.h"
#include "common/redis_where.h"

#define DOUBT_MS	10000		/* since there was reason to: two of a shard's beats */
#define DOUBT_AGAIN_MS	1000		/* between two questions */
#define DOUBT_UNSURE_MS	5000		/* likewise, if nothing is wrong */

static struct list	 doubts = { &doubts, &doubts };

static void	 redis_doubt_tick_cb(evutil_socket_t, short, void *);

int
redis_doubt_init(struct redis_doubt *d, struct event_base *base,
    const struct redis_url *url, struct redis_where *where,
    void (*cb)(void *arg), void *arg)
{
	d->base = base;
	d->url = url;
	d->where = where;
	d->cb = cb;
	d->arg = arg;
	if ((d->tick = evtimer_new(base, redis_doubt_tick_cb, d)) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	list_push(&doubts, &d->at);
	return (0);
}

void
redis_doubt_clear(struct redis_doubt *d)
{
	if (d->tick == NULL)
		return;
	redis_sentinel_free(d->asked);
	d->asked = NULL;
	event_free(d->tick);
	d->tick = NULL;
	list_remove(&d->at);
}

void
redis_doubt_settle(struct redis_doubt *d)
{
	redis_sentinel_free(d->asked);
	d->asked = NULL;
	d->until = 0;
	d->moved = 0;
	if (d->tick != NULL)
		evtimer_del(d->tick);
}

void
redis_doubt_raise(struct redis_doubt *d)
{
	if (d->url->master == NULL)
		return;
	d->until = clock_ms() + DOUBT_MS;
	if (d->asked == NULL && !evtimer_pending(d->tick, NULL))
		event_active(d->tick, EV_TIMEOUT, 0);
}

/* That is the master: all who ask the same Sentinels and have found another one are to
 * leave it, each from the loop.  What is not sure moves nobody, unless it was decided later than what is believed. */
static void
redis_doubt_spread(const struct redis_doubt *from,
    const struct redis_named *named)
{
	struct redis_doubt	*d;
	struct list		*e;

	for (e = doubts.next; e != &doubts; e = e->next) {
		d = list_entry(e, struct redis_doubt, at);
		if (!redis_where_same(d->where, from->where))
			continue;
		if (redis_where_was(d->where, named->host, named->port)) {
			if (named->sure)
				redis_where_settle(d->where, named->epoch);
			continue;
		}
		if (!named->sure && named->epoch <= redis_where_epoch(d->where))
			continue;
		d->moved = 1;
		event_active(d->tick, EV_TIMEOUT, 0);
	}
}

/* Sentinels named the master, or did not. */
static void
redis_doubt_named_cb(const struct redis_named *named, const char *why, void *arg)
{
	struct redis_doubt	*d = arg;
	struct timeval		 tv = { clock_ms() < d->until ? DOUBT_AGAIN_MS /
				    1000 : DOUBT_UNSURE_MS / 1000, 0 };

	(void)why;
	if (named != NULL)
		redis_doubt_spread(d, named);
	redis_sentinel_free(d->asked);
	d->asked = NULL;
	if (!d->moved)
		evtimer_add(d->tick, &tv);
}

/* Time to ask, or to leave. */
static void
redis_doubt_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct redis_doubt	*d = arg;

	(void)fd, (void)what;
	if (d->moved) {
		d->moved = 0;
		d->cb(d->arg);		/* may clear d */
		return;
	}
	if (d->asked != NULL || (clock_ms() >= d->until &&
	    !redis_where_unsure(d->where)))
		return;
	/* Without memory: when there is reason again. */
	d->asked = redis_where_doubt(d->where, redis_doubt_named_cb, d);
}

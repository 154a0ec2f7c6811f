/* All journeys of a shard. */
#include <errno.h>
#include <stdlib.h>

#include <event2/event.h>

#include "proto/control.h"
#include "shardd/journey/departure.h"
#include "shardd/journey/inside.h"
#include "shardd/journey/journeys.h"
#include "shardd/journey/landing.h"
#include "shardd/session/sessions.h"

#define JOURNEYS_TICK_MS	2

/* Whatever can go on does. */
static void
journeys_run(void *arg)
{
	struct journeys	*js = arg;
	struct timeval	 tv = { 0, JOURNEYS_TICK_MS * 1000 };
	struct list	*e, *tmp;
	int		 waits = 0;

	list_each(e, tmp, &js->landings)
		waits |= landing_run(list_entry(e, struct landing, at));
	list_each(e, tmp, &js->departures)
		waits |= departure_run(list_entry(e, struct departure, at));
	if (waits)
		event_add(js->tick, &tv);
}

/* Time has passed. */
static void
journeys_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct journeys	*js = arg;

	(void)fd, (void)what;
	turn_add(&js->work, TURN_LAST);
}

int
journeys_init(struct journeys *js, struct event_base *base,
    struct sessions *s, struct groups *gs, struct gate *gate)
{
	*js = (struct journeys){ .base = base, .sessions = s, .groups = gs,
	    .gate = gate };
	list_init(&js->departures);
	list_init(&js->landings);
	turn_work_init(&js->work, journeys_run, js);
	s->move_ended = departure_move_ended;
	if ((js->tick = evtimer_new(base, journeys_tick_cb, js)) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	return (0);
}

void
journeys_clear(struct journeys *js)
{
	while (!list_empty(&js->departures))
		departure_end(list_entry(js->departures.next, struct departure,
		    at));
	while (!list_empty(&js->landings))
		landing_end(list_entry(js->landings.next, struct landing, at));
	turn_cancel(&js->work);
	event_free(js->tick);
	map_clear(&js->sought);
}

uint64_t
journeys_neighbour(const struct move *m)
{
	return (m->neighbour);
}

int
journeys_ferry(struct journeys *js, const struct ctl *m, int fd)
{
	if (m->flags & CTL_F_SENDER)
		return (departure_new(js, m, fd) == NULL ? -1 : 0);
	return (landing_new(js, m, fd) == NULL ? -1 : 0);
}

void
journeys_move(struct journeys *js, const struct ctl *m)
{
	departure_move(js, m);
}

void
journeys_no_more(struct journeys *js, const struct ctl *m)
{
	departure_no_more(js, m);
}

unsigned
journeys_leaving(const struct journeys *js)
{
	return (js->leaving);
}

void
journeys_settle(struct journeys *js)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &js->landings)
		landing_settle(list_entry(e, struct landing, at));
}

void
journeys_greeted(struct journeys *js)
{
	js->leaving = 0;
	js->hellos++;
}

void
journeys_orphaned(struct journeys *js)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &js->departures)
		departure_stop(list_entry(e, struct departure, at));
	list_each(e, tmp, &js->landings)
		landing_stop(list_entry(e, struct landing, at));
}

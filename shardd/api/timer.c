/* kennel.h: timers. */
#include <errno.h>
#include <stdlib.h>

#include <event2/event.h>

#include "shardd/api/surroundings.h"
#include "shardd/kennel.h"

struct kennel_timer {
	struct event	*ev;
	kennel_timer_cb	*cb;
	void		*arg;
};

/* The time has come. */
static void
api_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct kennel_timer	*t = arg;

	(void)fd, (void)what;
	t->cb(t->arg);		/* may free t */
}

struct kennel_timer *
kennel_timer_new(unsigned ms, int repeat, kennel_timer_cb *cb, void *arg)
{
	struct timeval		 tv = { ms / 1000, (ms % 1000) * 1000 };
	struct kennel_timer	*t;

	if (cb == NULL) {
		errno = EINVAL;
		return (NULL);
	}
	if ((t = malloc(sizeof(*t))) == NULL)
		return (NULL);
	t->cb = cb;
	t->arg = arg;
	t->ev = event_new(surroundings->base, -1, repeat ? EV_PERSIST : 0,
	    api_timer_cb, t);
	if (t->ev == NULL || event_add(t->ev, &tv) == -1) {
		kennel_timer_free(t);
		errno = ENOMEM;
		return (NULL);
	}
	return (t);
}

void
kennel_timer_free(struct kennel_timer *t)
{
	if (t == NULL)
		return;
	if (t->ev != NULL)
		event_free(t->ev);
	free(t);
}

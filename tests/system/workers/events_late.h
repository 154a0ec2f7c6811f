/* An event that is answered later. */
#ifndef TESTS_EVENTS_LATE_H
#define TESTS_EVENTS_LATE_H

#include <stdlib.h>

#include <kennel-events.h>

struct late {
	struct events_ack *ack;
	struct kennel_timer *timer;
};

static void
late_cb(void *arg)
{
	struct late	*l = arg;

	events_answer(l->ack, events_integer(42));
	kennel_timer_free(l->timer);
	free(l);
}

/* Answered after so many milliseconds. */
static void
late(struct events_socket *s, const struct events_message *m, void *arg)
{
	struct late	*l = malloc(sizeof(*l));

	(void)s, (void)arg;
	if (l == NULL)
		abort();
	l->ack = events_ack_keep(m->ack);
	l->timer = kennel_timer_new((unsigned)m->value.u.integer, 0, late_cb,
	    l);
}

#endif

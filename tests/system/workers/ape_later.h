/* A controller that answers later what it was given. */
#ifndef TESTS_APE_LATER_H
#define TESTS_APE_LATER_H

#include <stdlib.h>

#include <kennel-ape.h>

struct late {
	struct ape_call		*c;
	struct kennel_timer	*timer;
};

static void
later_cb(void *arg)
{
	struct late	*l = arg;

	ape_reply(l->c, ape_argument(l->c));
	kennel_timer_free(l->timer);
	free(l);
}

/* Answered after so many milliseconds. */
static void
later(struct ape_call *c)
{
	struct late	*l = calloc(1, sizeof(*l));

	l->c = c;
	l->timer = kennel_timer_new((unsigned)ape_to_number(ape_argument(c)), 0,
	    later_cb, l);
}

#endif

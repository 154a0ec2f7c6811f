/*
 * events: clients of fast-tcp among themselves, by id, in rooms, to all, with streams;
 * and the event echo, which answers with what it got.
 */
#include <stdlib.h>

#include "shardd/apps/apps.h"
#include "shardd/kennel-events.h"

static void
events_echo(struct events_socket *s, const struct events_message *m, void *arg)
{
	(void)s, (void)arg;
	events_answer(m->ack, m->value);
}

struct kennel_app
app_events(void)
{
	static struct events	*e;	/* until the process ends, however it does */

	if ((e = events_new("events")) == NULL ||
	    events_on(e, "echo", events_echo, NULL) == -1)
		abort();		/* as it starts */
	return (events_app(e));
}

/*
 * Connections that an application opens itself, to other servers: raw clients from then
 * on, of no group, which the gateway knows nothing of.
 */
#ifndef SHARDD_OUTGOING_H
#define SHARDD_OUTGOING_H

#include "shardd/kennel.h"

struct event_base;
struct sessions;

/* 0, or -1 with errno. */
int	 outgoing_dial(struct sessions *s, struct event_base *base,
	    const struct kennel_app *app, const char *address, unsigned ms,
	    kennel_dial_cb *done, void *arg);
/* Those under way come to ECANCELED. */
void	 outgoing_end(struct sessions *s);

#endif

/*
 * Going to the peers that the configuration names: again after 1 s, and later after up to
 * 30 s, whenever a link has ended.
 */
#ifndef EVENTS_DIALLING_H
#define EVENTS_DIALLING_H

#include "common/list.h"

struct events_server;
struct kennel_socket;

/* Go to those that the option `uplinks` names now, and to no others: dials, empty at first,
 * has them from now on. */
void	 dialling_set(struct events_server *v, struct list *dials);
/* No more; links that there are are closed by somebody else. */
void	 dialling_stop(struct list *dials);
/* A connection is there, whose data is its dial: 0, or -1, it is not wanted any more. */
int	 dialling_opened(struct kennel_socket *ks);

#endif

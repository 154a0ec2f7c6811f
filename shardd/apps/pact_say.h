/* pact: what clients say. */
#ifndef SHARDD_APPS_PACT_SAY_H
#define SHARDD_APPS_PACT_SAY_H

#include "shardd/apps/pact_socket.h"

/* kennel_app's onmessage. */
void	 pact_message(struct kennel_socket *s,
	    const struct kennel_message *m);
/* All relays of the socket end, or the one with this topic. */
void	 pact_end_relays(struct pact_socket *ps, const char *only);

#endif

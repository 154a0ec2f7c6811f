/* pact: who is in a room. */
#ifndef SHARDD_APPS_PACT_USERS_H
#define SHARDD_APPS_PACT_USERS_H

#include "shardd/kennel.h"

/* Answers /users, when what was before it is known. */
void	 pact_users(struct kennel_request *q, struct kennel_replica *r);
void	 pact_gossip(struct kennel_replica *r, struct kennel_answer *a,
	    const char *msg, size_t len);

#endif

/*
 * pact: what a room's state becomes of each step.
 *
 * A room is a group.  Its state, in maps of the group (kennel.h, "shared
 * state"); names in keys are as pact_name() makes them:
 *
 *	room		config, increment
 *	counters	id -> number
 *	suffixes	session -> number
 *	profiles	session -> properties, JSON
 *	polls		id -> "", for each poll that has been voted in
 *	votes/<poll>	session -> answer
 *	tally/<poll>	answer -> votes
 *
 * and in memory, while anybody is there:
 *
 *	~room		sockets, connections, boot (ms since 1970)
 *	~sockets/<replica>	session -> sockets there
 *	~online		session -> sockets
 *	~relays/<replica>	type -> sockets that relay it there
 *	~relayed	type -> sockets
 *	~polls, ~votes/<poll>, ~tally/<poll>	ephemeral polls
 */
#ifndef SHARDD_APPS_PACT_ROOM_H
#define SHARDD_APPS_PACT_ROOM_H

#include "shardd/kennel.h"

/* kennel_app's decide and ongone.  Steps are words, each terminated. */
int	 pact_decide(struct kennel_replica *r, struct kennel_step *t,
	    const char *data, size_t len);
int	 pact_gone(struct kennel_replica *r, struct kennel_step *t,
	    uint64_t replica);
/* What a refusal means to the client that asked; never NULL. */
const char *pact_refusal(int err);

#endif

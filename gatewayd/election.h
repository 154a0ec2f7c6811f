/*
 * An election says which replica decides in a group: as long as its shard answers
 * it stays, else another one is named.  What follows when replicas come and go is
 * told to their shards here, too: introductions, farewells, and the steps that
 * shards did not survive.
 */
#ifndef GATEWAYD_ELECTION_H
#define GATEWAYD_ELECTION_H

#include "gatewayd/postmortem.h"

struct list;
struct placement;
struct replica;
struct shard;

struct election {		/* of all groups of this node */
	struct placement *placement;
	struct postmortem postmortem;
	struct list	*holding;	/* where orders wait (order.h), or NULL */
	/* Who else is there: who was lost is found over all nodes, in Redis.  1; 0, no
	 * other node can be; -1, Redis is away. */
	int		(*shared)(void *arg);
	void		*arg;
};

void	 election_init(struct election *e, struct placement *placement,
	    int (*shared)(void *arg), void *arg);
void	 election_clear(struct election *e);
/* Placement's news: REPLICA and NEIGHBOURs, FAREWELLs and DISMISS go out. */
void	 election_replica_made(struct election *e, struct replica *rep);
void	 election_replica_ended(struct election *e, struct replica *rep);
/* s is READY and is to have rep: tell it, and the neighbours of each other. */
void	 election_introduce(struct election *e, struct shard *s,
	    struct replica *rep);
/* s does not answer: its groups need not wait for it. */
void	 election_doubt(struct election *e, struct shard *s);
/* s has not answered for a while: ask it, and doubt it until it does. */
void	 election_suspect(struct election *e, struct shard *s);
/*
 * s died or hangs: amid what?  Before its successors are named, for they will be
 * given the same.  A page that accuses a group that is not there is not believed.
 */
void	 election_examine(struct election *e, struct shard *s,
	    const char *how);

#endif

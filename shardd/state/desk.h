/*
 * What the states of a shard share, and what each of them sees of its group.
 */
#ifndef SHARDD_DESK_H
#define SHARDD_DESK_H

#include <stddef.h>
#include <stdint.h>

#include "common/bucket.h"
#include "common/bytes.h"
#include "common/list.h"

struct event_base;
struct gossip;
struct kennel_app;
struct kennel_replica;
struct page;
struct store;

/* What the states of a shard share. */
struct authority_desk {
	struct event_base *base;
	struct page	*page;		/* what we are at, for the gateway */
	const size_t	*state_max;	/* bytes of a state */
	struct store	*store;		/* NULL: no Redis */
	char		*us;		/* key of our shard, where nodes share Redis; NULL:
					   they do not, and the gateway's word counts */
	char		*ours;		/* what those of our node begin with */
	uint64_t	 redis_time, redis_at;	/* what Redis' clock said last, in ms, and
					   clock_ms() then; 0: nothing */
	struct bucket	 given[2];	/* bytes of states, to those who come with nothing, of
					   this node; of others */
	struct list	 restless;	/* struct authority: to be ticked */
	struct list	 keeping;	/* the same: whose state in Redis is used,
					   the longest untouched first */
};

/* Whose state it is.  The strings are borrowed. */
struct authority_of {
	uint64_t	 id;		/* of the replica here */
	struct slice	 group, app_name;
	const struct kennel_app *app;
	struct kennel_replica *replica;	/* as the application knows it */
};

/* The rest of the group, as the authority sees it. */
struct authority_ops {
	/* Send m to a neighbour: 0, or -1 with errno (neighbours_tell()). */
	int	(*tell)(void *arg, uint64_t neighbour, struct gossip *m);
	/* The state is here (authority_ready()). */
	void	(*ready)(void *arg);
	size_t	(*count)(void *arg);	/* of the neighbours */
	uint64_t (*at)(void *arg, size_t i);
	int	(*has)(void *arg, uint64_t neighbour);
	/* Is it one of another node? */
	int	(*far)(void *arg, uint64_t neighbour);
	/* Is it one with whom we can speak now? */
	int	(*reaches)(void *arg, uint64_t neighbour);
	/* Do we know all who were in the group before us? */
	int	(*acquainted)(void *arg);
};

#endif

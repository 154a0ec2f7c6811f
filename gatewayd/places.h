/* What the placement counts: sites, groups, their replicas, places. */
#ifndef GATEWAYD_PLACES_H
#define GATEWAYD_PLACES_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/list.h"
#include "common/map.h"
#include "common/set.h"
#include "proto/limits.h"

struct address;
struct member;
struct group;

struct site {			/* a shard, as placement sees it */
	struct list	 at;		/* of all sites */
	uint32_t	 slot;
	uint64_t	 incarnation;
	size_t		 capacity;	/* connections */
	size_t		 count;		/* places here, groupless ones included */
	size_t		 expected;	/* of them, on their way from other shards */
	size_t		 early;		/* others of them: so says their old shard, and
					   this one has not said so yet */
	size_t		 nreplicas;
	uint64_t	 taken;		/* places, ever */
	int		 usable;	/* 0: takes nobody for now (hung, starting) */
	int		 leaving;	/* 1: takes nobody any more */
	int		 dead;		/* its replicas list whom they took along */
	void		*owner;		/* the roster's struct shard */
	struct list	 replicas;
	uint64_t	 mark;		/* placement's own */
	size_t		 tally, tally_expected;	/* verify.h's own */
};

struct replica {
	struct list	 at, at_site;	/* in its group, oldest first; in site */
	struct map_node	 by_id;
	uint64_t	 id;		/* never reused on this node */
	struct group	*group;
	struct site	*site;
	size_t		 count;		/* places within the limit */
	size_t		 over;		/* plain HTTP over the limit */
	int		 anchor;	/* it stays without places: anchor.h */
	struct buf	 lost;		/* proto/uids.h: see placement_site_remove */
	size_t		 tally, tally_over;	/* verify.h's own */
};

/* Groups of different applications are different, whatever their names. */
struct group {
	struct map_node	 by_name;	/* app, NUL, name */
	struct list	 at;
	char		*name;
	size_t		 name_len;
	char		 app[APP_MAX + 1];
	uint32_t	 limit;
	struct list	 replicas;
	struct replica	*current;
	struct set	 members;	/* uids with their open places */
	size_t		 nreplicas;
	size_t		 open;		/* places, but plain HTTP */
	uint64_t	 authority;	/* the roster's: replica that decides, or 0 */
	uint64_t	 term;		/* of its office; never falls */
};

struct place {			/* one connection */
	uint64_t	 id;
	struct replica	*replica;	/* NULL: no group */
	union {
		struct member	*member;	/* NULL: plain HTTP */
		struct site	*site;		/* without a group */
	};
	struct address	*address;	/* a reference, or NULL */
	int		 fd;		/* our copy (covers.h); -1: none */
	uint8_t		 http : 1;	/* plain HTTP */
	uint8_t		 over : 1;	/* counted apart */
	uint8_t		 moving : 1;	/* it has a second seat: reserve.h */
	uint8_t		 stays : 1;	/* it cannot move: transfer.h */
	uint8_t		 coming : 1;	/* open, and no shard has said that it has it */
	uint8_t		 leaves : 1;	/* its shard was giving it away when it was
					   named at hello */
};

/*
 * What the outside must do when replicas come and go: orders to the shards.
 * made: by placement_take, before it returns; its first place is counted.  Not
 * for what a shard says it has.  ended: it has left its group, whose list now
 * holds the neighbours that are to forget it; it is freed after the call.
 * Neither may call placement.  keeps: is the group to be there always?  A replica without
 * places that a shard says it has is an anchor then.  left: one of its places, no plain
 * HTTP, was given up.  NULL: nobody needs to know, no.
 */
struct placement_ops {
	void	(*replica_made)(struct replica *r, void *arg);
	void	(*replica_ended)(struct replica *r, void *arg);
	int	(*keeps)(const struct group *g, void *arg);
	void	(*left)(const struct group *g, void *arg);
};

/* Is a replica to end, for nobody is there? */
static inline int
replica_idle(const struct replica *r)
{
	return (r->count + r->over == 0 && !r->anchor);
}

/* Where a connection is. */
static inline struct site *
place_site(const struct place *place)
{
	return (place->replica != NULL ? place->replica->site : place->site);
}

#endif

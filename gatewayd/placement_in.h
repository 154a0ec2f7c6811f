/* The books of the placement, for those who keep them and who count them afresh. */
#ifndef GATEWAYD_PLACEMENT_IN_H
#define GATEWAYD_PLACEMENT_IN_H

#include <stdint.h>

#include "common/list.h"
#include "common/map.h"
#include "common/set.h"

struct placement_ops;

struct placement {
	struct list	 sites, groups;
	struct set	 places;
	struct set	 moving;	/* reserve.h */
	struct map	 replicas, by_name;
	const struct placement_ops *ops;
	void		*arg;
	uint64_t	 incarnation, counter;	/* ids of connections */
	uint64_t	 next_replica;
	uint64_t	 mark;
	size_t		 covers, covers_max;	/* covers.h */
	size_t		 open;		/* places, but plain HTTP */
	size_t		 coming;	/* of them, those whose shard has not answered */
};

#endif

/* How many clients of each other replica are in which room, as these have said. */
#ifndef EVENTS_TALLIES_H
#define EVENTS_TALLIES_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/map.h"

/* Zero-initialised is empty. */
struct tallies {
	struct map	 by_key;	/* struct tally */
	struct buf	 tellers;	/* the replicas that have some */
};

void	 tallies_clear(struct tallies *t);
/* So many of a replica's are in a room. */
void	 tallies_set(struct tallies *t, uint64_t replica, struct slice room,
	    uint64_t n);
/* All replicas' together. */
uint64_t tallies_sum(const struct tallies *t, struct slice room);
/* A replica (0: all) has none any more: cb for each room, in which there are less now. */
void	 tallies_forget(struct tallies *t, uint64_t replica,
	    void (*cb)(void *arg, struct slice room), void *arg);

#endif

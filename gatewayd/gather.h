/* The parts of a small group that are scattered over shards come to its largest one. */
#ifndef GATEWAYD_GATHER_H
#define GATEWAYD_GATHER_H

#include <stdint.h>

struct placement;
struct shard;

/* One group: it is nothing that is in a hurry.  The first one that begin takes (0), which
 * is to move that replica. */
void	 gather_one(struct placement *p, int (*begin)(struct shard *from,
	    struct shard *to, uint64_t replica, void *arg), void *arg);

#endif

/*
 * Mourning: a replica has lost a neighbour with its shard, and who went with that is found
 * over all nodes, in Redis; the application hears it in pieces, each uid once.
 */
#ifndef SHARDD_MOURNING_H
#define SHARDD_MOURNING_H

#include <stdint.h>

#include "common/bytes.h"

struct groups;
struct peer_id;
struct replica;

/* Neighbour was lost with that shard: the application hears so, and the uids follow. */
void	 mourning_begin(struct replica *r, const struct peer_id *peer,
	    uint64_t neighbour);
/* Nobody will say who: it is told that. */
void	 mourning_unknown(struct replica *r, uint64_t neighbour);
/* uids (proto/uids.h) were lost with that shard; empty: all have been named.  0, or -1
 * with errno EPROTO: that is no list. */
int	 mourning_hear(struct replica *r, const struct peer_id *peer,
	    struct slice uids);
/* 0, or -1 with errno EPROTO: that is no list. */
int	 mourning_check(struct slice uids);
/* Call onlost, as the list says.  0, or -1 as above. */
int	 mourning_tell(struct replica *r, uint64_t neighbour,
	    struct slice uids, int flags);
/* For those of whom nothing was heard for a minute nobody will say it. */
void	 mourning_late(struct replica *r);
void	 mourning_clear(struct replica *r);	/* r ends */

#endif

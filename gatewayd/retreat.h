/*
 * A retreat: a shard that was started on demand, and that only few use any more, gives
 * its connections to the others and leaves.  Here is decided which shard does, and when;
 * who moves whom is balance.h's.
 *
 * It is due when for idle_shard nobody has come to the shard, no more than RETREAT_FEW
 * are there, and the others have room for each of its groups and would still be a quarter
 * empty: so that the next who come do not have it started again.
 */
#ifndef GATEWAYD_RETREAT_H
#define GATEWAYD_RETREAT_H

#include <stdint.h>

struct retreat;
struct shard;
struct shards;

#define RETREAT_FEW	64	/* connections */
#define RETREAT_AGAIN	10	/* times idle_shard, after one that failed */

/* NULL without memory. */
struct retreat *retreat_new(void);
void	 retreat_free(struct retreat *r);	/* may be NULL */
/* Looked at each second: the shard whose retreat is due, or NULL. */
struct shard *retreat_due(struct retreat *r, struct shards *all, uint64_t now);
/* Not all of its connections could go. */
void	 retreat_failed(struct retreat *r, const struct shard *s, uint64_t now);

#endif

/*
 * Relief is a shard that takes the clients of one that is to be emptied: is one there, is
 * one to come, may one be started?
 */
#ifndef GATEWAYD_RELIEF_H
#define GATEWAYD_RELIEF_H

#include <stdint.h>

struct generation;
struct roster;
struct shard;

/* Does another shard than s serve that is not to be emptied itself? */
int	 relief_serves(struct roster *r, const struct shard *s);
/*
 * Is one more than s to come?  One is started, if max_shards allows it; others may be
 * starting, or start again when they have left, or leave room for one more.
 */
int	 relief_comes(struct roster *r, const struct shard *s);
/*
 * Start one in the place of s, which is to leave: of generation g, at once; or, if that is
 * NULL, of the current one, and not too soon after one that crashed.  1: it starts, or
 * another one is starting; 0: neither.  s and others that are to be emptied do not count
 * for max_shards, so for a while there are more, as in an upgrade.
 */
int	 relief_beside(struct roster *r, const struct shard *s,
	    struct generation *g);
/* Has another one than s started since then (clock_ms) that serves, or is one starting? */
int	 relief_came(struct roster *r, const struct shard *s, uint64_t since);

#endif

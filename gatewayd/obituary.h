/*
 * Obituaries: who was lost with a shard that died, on whatever node, as the sweeps of its
 * entries have found.  Whoever sweeps writes them into one log in Redis (sweep.h); every
 * gateway reads that each second, and hears of each uid once.  What was written since the
 * last look is told at the next one, and who has a connection again by then is left out.
 */
#ifndef GATEWAYD_OBITUARY_H
#define GATEWAYD_OBITUARY_H

#include "common/bytes.h"

struct obituaries;
struct redis;

/* Lasts during the call. */
struct obituary {
	struct slice	 address;	/* of the dead shard */
	struct slice	 group, uids;	/* proto/uids.h, at most a LOST's; empty: all
					   that were lost have been named */
};

/* redis and prefix are borrowed.  NULL with errno. */
struct obituaries *obituaries_new(struct redis *redis, const char *prefix,
	    void (*said)(const struct obituary *o, void *arg), void *arg);
void	 obituaries_free(struct obituaries *os);	/* after redis_free() */
void	 obituaries_tick(struct obituaries *os);	/* each second */

#endif

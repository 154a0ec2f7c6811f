/*
 * Ghosts are shards of nodes that have ended, whatever their names were: what
 * they left in Redis stays for ever, unless somebody who is alive looks for
 * shards without a heart-beat.  One node at a time does, every 10 s and when a node
 * has died, by a lock that expires; the first time through all keys, later through the list of
 * shards.
 */
#ifndef GATEWAYD_GHOSTS_H
#define GATEWAYD_GHOSTS_H

#include "common/bytes.h"

struct ghosts;
struct redis;

struct ghosts_ops {
	/* Is this address known to be alive, or somebody's business already? */
	int	(*knows)(struct slice address, void *arg);
	/* Is it of a node that is known to be dead, whatever its own heart-beat says? */
	int	(*dead)(struct slice address, void *arg);
	/* Nothing beats there any more. */
	void	(*found)(const char *address, void *arg);
	/* Is something that was found still being swept?  The lock stays. */
	int	(*busy)(void *arg);
};

/* redis, prefix and me (who has the lock, for those who look) are borrowed.
 * NULL with errno. */
struct ghosts *ghosts_new(struct redis *redis, const char *prefix,
	    const char *me, const struct ghosts_ops *ops, void *arg);
/* After redis_free(), which calls back what is outstanding. */
void	 ghosts_free(struct ghosts *g);
/* Redis is up: those who beat there have 10 s to say so before anybody looks. */
void	 ghosts_up(struct ghosts *g);
void	 ghosts_soon(struct ghosts *g);		/* look at the next tick */
void	 ghosts_tick(struct ghosts *g);		/* each second */
void	 ghosts_leave(struct ghosts *g);	/* somebody else may look */

#endif

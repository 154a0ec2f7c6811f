/*
 * Keys whose time ends.  When that is, is a part of the state itself, so that it is
 * where the state is, whoever decides: the map ".ttl" (for keys of maps in memory
 * "~.ttl") has of each such key, as its map's name, NUL and the key, the time in ms
 * since 1970, by the clock of who decided.  Whoever decides when that time has come
 * removes both, by a step of its own.
 */
#ifndef SHARDD_EXPIRY_H
#define SHARDD_EXPIRY_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

struct kennel_step;
struct maps;

/* Is it one of these two maps? */
int	 expiry_is_map(struct slice name);
/* decide_put(); the key's time ends in ms from now (0: never, and what was said before
 * is forgotten). */
int	 expiry_put(struct kennel_step *t, struct slice map, struct slice key,
	    struct slice value, uint64_t ms);
/* Has any key a time? */
int	 expiry_any(const struct maps *m);
/* When the first one ends, of how many; 0: never.  durable: those in Redis, too. */
uint64_t expiry_first(const struct maps *m, int durable, size_t *n);
/* Remove what has ended by now.  0, or EAGAIN: there is more than one step may do. */
int	 expiry_decide(struct kennel_step *t, uint64_t now, int durable);

#endif

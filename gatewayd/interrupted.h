/*
 * An upgrade that an earlier gateway began and did not end is known by what it has left:
 * shards of two programs.  The new one is the current one, which stands at the worker's
 * path, or else that of the shard which started last.
 */
#ifndef GATEWAYD_INTERRUPTED_H
#define GATEWAYD_INTERRUPTED_H

struct upgrade;

/* Are there shards of two programs?  1: u has them in pairs, old and new; 0. */
int	 interrupted_find(struct upgrade *u);

#endif

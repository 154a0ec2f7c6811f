/*
 * A rest is a descriptor that is not touched before the kernel has a packet that
 * waits in the channel of a shard: that of a connection that comes home, until the
 * shard is told that it is ours; or one that is in the way of a shard that hangs and
 * is to be closed.
 */
#ifndef GATEWAYD_REST_H
#define GATEWAYD_REST_H

#include <stdint.h>

#include "common/list.h"

struct capsule;
struct rest;
struct shard;

/* c: early bytes, peer, via and flags of one that comes home, copied; or NULL.  NULL: no
 * memory. */
struct rest *rest_new(const struct capsule *c);
void	 rest_free(struct rest *r);	/* one that was not put anywhere */
/* r and fd are taken; number: of the packet on the channel of s. */
void	 rest_put(struct list *rests, struct rest *r, struct shard *s,
	    uint64_t number, int fd);
/*
 * The rests of s whose packet the kernel has are done: home takes the descriptor of one
 * that comes home, others are closed.  ended: the channel of s is, and all of s are
 * closed.
 */
void	 rest_wake(struct list *rests, const struct shard *s, int ended,
	    void (*home)(const struct capsule *c, int fd, void *arg),
	    void *arg);
void	 rest_clear(struct list *rests);	/* close all */

#endif

/*
 * An order is a message to a shard that waits until something else has been said.
 */
#ifndef GATEWAYD_ORDER_H
#define GATEWAYD_ORDER_H

#include "common/list.h"

struct ctl;
struct shard;

/* Say m (without slices), or, if waiting is not NULL, write it down there. */
void	 order_give(struct list *waiting, struct shard *to,
	    const struct ctl *m);
/* Say what waited, but not to this one (may be NULL). */
void	 order_pay(struct list *waiting, const struct shard *but);
/* s has said what it has: orders to s count no more, nor do those that end a
 * replica which s still has. */
void	 order_revoke(struct list *waiting, const struct shard *s);
void	 order_drop(struct list *waiting);	/* all, unsaid */

#endif

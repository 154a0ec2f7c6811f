/*
 * Somebody's way into a group here: it is open when the replica is ready and the entry
 * in the lookup confirmed.  Embedded in who waits for that.
 */
#ifndef SHARDD_ENTRANCE_H
#define SHARDD_ENTRANCE_H

#include "shardd/group/replica.h"

struct entrance;
struct lookup;
struct lookup_ticket;

struct entrance_ops {
	/* The replica is ready, or the entry confirmed: it may be open now. */
	void	(*nearer)(struct entrance *e);
	/* The replica was dismissed: it will never be. */
	void	(*gone)(struct entrance *e);
};

struct entrance {
	struct replica_waiter wait;
	struct replica	*replica;	/* borrowed; NULL: no group, always open */
	const struct entrance_ops *ops;
	struct lookup_ticket *ticket;	/* NULL: listed, or not asked for yet */
	int		 listed;
};

void	 entrance_init(struct entrance *e, struct replica *r,
	    const struct entrance_ops *ops);
/* Go there: uid is listed.  Nothing is called from within.  0, or -1 with ENOMEM. */
int	 entrance_begin(struct entrance *e, struct lookup *l, struct slice uid);
/* The same for who is listed nowhere: only the replica is waited for. */
void	 entrance_await(struct entrance *e);
/* Is its uid listed, and its replica ready, where it has one? */
int	 entrance_is_open(const struct entrance *e);
/* Wait no more; who is not listed yet will not be. */
void	 entrance_end(struct entrance *e);

#endif

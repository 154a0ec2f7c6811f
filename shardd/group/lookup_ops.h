/* What the lookup asks the floor above, and tells it. */
#ifndef SHARDD_LOOKUP_OPS_H
#define SHARDD_LOOKUP_OPS_H

#include "common/bytes.h"

struct lookup_ops {
	/* Has a replica of this group, of whatever application, uid as a member? */
	int	(*has)(void *arg, struct slice group, struct slice uid);
	/* Of every member of every replica its group and uid, in any order. */
	void	(*each_uid)(void *arg, void (*cb)(void *cb_arg,
		    struct slice group, struct slice uid), void *cb_arg);
	/* Tell all neighbours "ask me" (on), or not any more.  told (NULL: nobody
	 * waits) comes once, not from within, when all have answered or had time
	 * to.  0, or -1 with errno and told does not come. */
	int	(*tell_all)(void *arg, int on, void (*told)(void *told_arg),
		    void *told_arg);
	void	(*listed)(void *arg);	/* all of ours is in Redis */
	/* All of ours was not there for a while, while Redis was: who looked has not
	 * found us. */
	void	(*forgotten)(void *arg);
	/* How much is here, for the heart-beat. */
	void	(*load)(void *arg, size_t *connections, size_t *groups);
};

#endif

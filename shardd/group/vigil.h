/*
 * A vigil: Redis' log names the dead, and this shard has a link to one of them.  What the
 * log says may be late, for a node that was cut off was swept and lives again; so it is kept
 * until the shard answers, or has had time to.
 */
#ifndef SHARDD_VIGIL_H
#define SHARDD_VIGIL_H

#include "common/bytes.h"
#include "common/list.h"

struct event;
struct neighbourhood;
struct peer_id;

struct vigil_ops {
	/* That shard is dead; calls vigil_over(). */
	void	(*dead)(void *arg, const struct peer_id *peer);
	/* What was kept: as groups_obituary() has it. */
	void	(*tell)(void *arg, const struct peer_id *peer,
		    struct slice group, struct slice uids);
};

struct vigils {				/* all of a shard */
	struct neighbourhood *hood;
	struct list	 all;		/* struct vigil */
	size_t		 bytes;		/* that are kept */
	struct event	*tick;		/* while there are any */
	const struct vigil_ops *ops;
	void		*arg;
};

/* hood is borrowed.  0, or -1 with errno ENOMEM. */
int	 vigils_init(struct vigils *vs, struct neighbourhood *hood,
	    const struct vigil_ops *ops, void *arg);
/* Nobody is told any more. */
void	 vigils_clear(struct vigils *vs);
/* That is said of the peer, of another node: 1, and it is kept (copied) and told in its order;
 * or 0, and there is no link to the peer, or not any more. */
int	 vigil_keep(struct vigils *vs, const struct peer_id *peer,
	    struct slice group, struct slice uids);
/* That shard is known to be dead, and all have heard so: what was kept is told. */
void	 vigil_over(struct vigils *vs, const struct peer_id *peer);

#endif

/*
 * One step being decided: reads see the state, what the batch has changed, and
 * what this step has; writes go to the last.
 */
#ifndef SHARDD_DECIDE_H
#define SHARDD_DECIDE_H

#include "common/bytes.h"
#include "shardd/state/maps.h"

struct kennel_step {
	const struct maps *state;
	const struct maps *batch;	/* values behind '+', or "-": removed; each
					   map's net is counted */
	struct maps	 own;		/* likewise */
	struct buf	 changes;	/* proto/news.h, nchanges of them */
	size_t		 nchanges;
	size_t		 max_changes, max_bytes;
	int		 durable;	/* something is to be written to Redis */
	int		 passing;	/* and that is worth no more than a visit */
	int		 err;		/* the first failure */
	uint64_t	 now;		/* ms, by the clock that ends the keys' times */
};

void	 decide_begin(struct kennel_step *t, const struct maps *state,
	    const struct maps *batch, size_t max_changes, size_t max_bytes);
void	 decide_end(struct kennel_step *t);
/* The step took effect: what it changed goes to the batch.  0, or -1 with ENOMEM. */
int	 decide_accept(struct kennel_step *t, struct maps *batch);

struct slice decide_get(const struct kennel_step *t, struct slice map,
	    struct slice key);
/* data NULL: remove.  0, or -1 with errno (EINVAL: not a name; EMSGSIZE; ENOSPC:
 * the group's bound; ENOMEM): the step is refused with it. */
int	 decide_put(struct kennel_step *t, struct slice map, struct slice key,
	    struct slice value);
/* The same of a map of the library's own, whose name begins with '.' or "~.". */
int	 decide_put_ours(struct kennel_step *t, struct slice map,
	    struct slice key, struct slice value);
/* The step is refused with that errno, if it was not before.  -1. */
int	 decide_refuse(struct kennel_step *t, int err);
size_t	 decide_left(const struct kennel_step *t);	/* changes */
/* How much the state may grow, in bytes; what is removed counts when the batch has
 * taken effect. */
size_t	 decide_room(const struct kennel_step *t);
size_t	 decide_count(const struct kennel_step *t, struct slice map);
/* cb may not write. */
void	 decide_each(const struct kennel_step *t, struct slice map,
	    void (*cb)(struct slice key, struct slice value, void *arg),
	    void *arg);
/* About max of them, as maps_some(); cb may not write. */
void	 decide_some(const struct kennel_step *t, struct slice map,
	    uint64_t *cursor, size_t max,
	    void (*cb)(struct slice key, struct slice value, void *arg),
	    void *arg);

#endif

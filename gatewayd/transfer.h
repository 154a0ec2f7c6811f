/*
 * A transfer moves the connections of one shard, or some of them, to others: whoever
 * can move, at a pace, again and again those that are busy, until nobody is left, the
 * time is over, or as many have moved as were to.
 */
#ifndef GATEWAYD_TRANSFER_H
#define GATEWAYD_TRANSFER_H

#include <stddef.h>
#include <stdint.h>

struct event_base;
struct journeys;
struct placement;
struct shard;
struct shards;
struct transfer;

struct transfer_plan {
	struct shard	*from;
	uint64_t	 replica;	/* only this one's; 0: all */
	size_t		 most;		/* connections; SIZE_MAX: all */
	unsigned	 rate;		/* connections a second */
	unsigned	 ms;		/* then it is over */
	int		 patient;	/* and not before, though nobody moves */
	unsigned	 await_ms;	/* so much longer, for those who could move if
					   another shard answered */
	/* May they go there?  Whether they can is another question. */
	int		(*may)(const struct shard *to, void *arg);
	/* Somebody finds no place, now: is one more shard to come?  Asked once in a
	 * round at most; then nobody is given up before ms.  NULL: none is. */
	int		(*room)(void *arg);
	/* It is over; it is freed after the call. */
	void		(*done)(struct transfer *t, void *arg);
	void		*arg;
};

struct transfer_count {
	size_t	 total;		/* were to move, at first */
	size_t	 moved;
	size_t	 failed;	/* answers of those that stayed: busy, refused */
	size_t	 never;		/* cannot move */
	size_t	 refused;	/* of them: by the other shard */
	size_t	 awaits;	/* stay, at last, for another shard does not answer */
	size_t	 lacks;		/* stay for now, until others have room */
	char	 why[128];	/* the last one did not */
};

/* All is borrowed.  NULL with errno: ENOTSUP, nobody can take anybody. */
struct transfer *transfer_begin(struct event_base *base,
	    struct journeys *journeys, struct placement *placement,
	    struct shards *shards, const struct transfer_plan *plan);
/* Nothing new is begun; done is called when what has begun is answered. */
void	 transfer_stop(struct transfer *t);
/* At once, without a word; t may be NULL. */
void	 transfer_free(struct transfer *t);
const struct transfer_count *transfer_count(const struct transfer *t);
/* Could connections of `from` move somewhere at all? */
int	 transfer_possible(const struct shards *shards,
	    const struct transfer_plan *plan);

#endif

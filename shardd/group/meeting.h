/*
 * How our replica meets those of other nodes: it is in its group's room first, then in
 * the group's set in Redis, which says who else is, and tells each of them (JOIN).  The
 * set is the truth; what is said is only faster.  All that follows is as between
 * neighbours of one node.
 */
#ifndef SHARDD_MEETING_H
#define SHARDD_MEETING_H

#include "common/bytes.h"
#include "common/list.h"
#include "proto/gossip.h"

struct bus;
struct event_base;
struct link;
struct meeting;
struct neighbours;

/* What the meetings of all groups of a shard share. */
struct meetings {
	struct bus	*bus;		/* NULL: this node is alone */
	const char	*prefix, *address;	/* ours; borrowed */
	struct list	 due;		/* struct meeting, of which Redis is to be asked */
	size_t		 asking;	/* how many ask Redis now */
	struct event	*again;		/* for those that Redis did not answer */
	uint64_t	 rests;		/* clock_ms: nobody asks until then */
	int		 refused;	/* Redis lists nobody */
	struct list	 patient;	/* struct meeting, whose clients wait for answers */
	struct event	*patience;	/* they have waited for a while */
};

/* bus NULL: there are no other nodes.  0, or -1 with errno. */
int	 meetings_init(struct meetings *ms, struct event_base *base,
	    struct bus *bus, const char *prefix, const char *address);
void	 meetings_clear(struct meetings *ms);

/* Our replica goes into its group's room.  The names are borrowed.  NULL with errno. */
struct meeting *meeting_new(struct meetings *ms, struct neighbours *n,
	    struct slice group, struct slice app);
/* All others are told that our replica has ended. */
void	 meeting_free(struct meeting *t);
/* Is nobody of another node being waited for?  NULL: there are none. */
int	 meeting_is_over(const struct meeting *t);
/* Has each answered that may know of the group, or had the time in which a dead one is
 * known to be? */
int	 meeting_knows_all(const struct meeting *t);
/* bus_ops: our replica is in its room, for the first time or again. */
void	 meeting_entered(struct meeting *t);
/* Redis had lost the set: our replica goes in again, and asks again who is there. */
void	 meeting_forgotten(struct meeting *t);
/* bus_ops: Redis is up, perhaps after it had said who is in a room. */
void	 meetings_up(struct meetings *ms);
struct neighbours *meeting_neighbours(const struct meeting *t);
/* JOIN came over l from a replica of the same group. */
void	 meeting_joined(struct meeting *t, struct link *l,
	    const struct gossip *m);
/* l is up: its peer may have forgotten our replica, if it knew that, or has not heard of
 * it, if it has not answered; and what it has may have ended. */
void	 meeting_link_up(struct meeting *t, struct link *l);

#endif

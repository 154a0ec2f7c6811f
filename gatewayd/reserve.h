/*
 * A reservation is the second seat of a connection that moves from one shard to
 * another: both are counted until it is known where it is.
 *
 *	take		the place is here, the second seat there
 *	arrived		the other way round: there, and counted here until the
 *			shard that it left has said so, too
 *	settled		one seat, there
 *	cancelled	one seat, where the place is
 *
 * So the replica that it leaves does not end before its shard knows, even when the
 * connection has ended meanwhile.
 */
#ifndef GATEWAYD_RESERVE_H
#define GATEWAYD_RESERVE_H

#include <stdint.h>

#include "common/bytes.h"

struct place;
struct placement;
struct replica;
struct site;

struct reserve {
	uint64_t	 id;		/* of the connection */
	struct place	*place;		/* NULL: it has ended since it arrived */
	struct site	*site;		/* where the second seat is */
	struct replica	*replica;	/* NULL: no group */
	int		 arrived;	/* the second seat is the one it has left */
};

void	 reserve_init(struct placement *p);
/*
 * A second seat at `to`, in its replica of the group, which is made if there is
 * none; a newcomer of the uid follows there.  NULL with errno, and nothing changed:
 * EINVAL (plain HTTP, or it is there already), EBUSY (it moves already), ENOSPC
 * (no room in the replica or the shard), ENOMEM.
 */
struct reserve *reserve_take(struct placement *p, struct place *place,
	    struct site *to);
struct reserve *reserve_find(const struct placement *p, uint64_t id);
/* The connection is where its second seat was. */
void	 reserve_arrived(struct reserve *v);
/* Both have said so, or who has left it: one seat.  Frees v. */
void	 reserve_settle(struct placement *p, struct reserve *v);
/* Only the seat that the place has is left.  Frees v. */
void	 reserve_cancel(struct placement *p, struct reserve *v);
/* The place is about to go.  What it has left stays counted, if it has arrived, until
 * the shard that it left knows; else as reserve_cancel(). */
void	 reserve_place_ends(struct placement *p, struct reserve *v);
/* Has s left this connection, and said so not yet? */
int	 reserve_left(const struct placement *p, uint64_t id,
	    const struct site *s);
/*
 * Two shards name one connection: place has it, and s says that it has it in r (NULL:
 * no group).  One of them gives it away, and the other one has it.  0, or -1 with errno
 * EEXIST: neither does, or both, or it is in another group or of another uid.
 */
int	 reserve_pair(struct placement *p, struct place *place, struct site *s,
	    struct replica *r, struct slice uid, int leaves);
/*
 * A connection is at s, in r (NULL: no group), though no seat was reserved there: an
 * earlier gateway had moved it.  As reserve_take(), whatever the room.
 */
struct reserve *reserve_force(struct placement *p, struct place *place,
	    struct site *s, struct replica *r);
/* s ends: what is reserved there is cancelled, and all of those that are there.  The
 * replicas of s stay, also when they are empty. */
void	 reserve_site_ends(struct placement *p, struct site *s);

#endif

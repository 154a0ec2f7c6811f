/*
 * Topics: named sets of sockets of a group.  Who has subscribed is known here
 * only: what is published goes to all neighbours, and each picks its own.
 */
#ifndef SHARDD_TOPICS_H
#define SHARDD_TOPICS_H

#include "common/bytes.h"

struct conn;
struct payload;
struct replica;

/* 0, or -1 with errno: EEXIST, ENOENT; EINVAL (not a name); ENOTCONN (no group);
 * ENOMEM. */
int	 topics_join(struct conn *c, const char *topic);
int	 topics_leave(struct conn *c, const char *topic);
void	 topics_leave_all(struct conn *c);
/* Number i of those c has joined, oldest first; NULL behind the last. */
const char *topics_at(const struct conn *c, size_t i);

/*
 * Names, terminated, one after another in dst, from a list that ends with NULL.
 * 0, or -1 with errno EINVAL (none, or too long).
 */
int	 topics_pack(struct buf *dst, const char *const *topics);
/*
 * Queue p to every member of r that has joined one of the topics, once, but those
 * of the uid `but` (data NULL: to all).
 */
void	 topics_emit(struct replica *r, struct slice topics, struct payload *p,
	    struct slice but);
/* A message to some topics did not get here: their members are closed, to come back.
 * Returns how many. */
size_t	 topics_missed(struct replica *r, struct slice topics,
	    struct slice but);

/* Append those of c to dst, packed, oldest first; a failure sticks in dst. */
void	 topics_of(const struct conn *c, struct buf *dst);
/* Has c joined at least one of those, as topics_pack() made them? */
int	 topics_has_any(const struct conn *c, struct slice topics);

#endif

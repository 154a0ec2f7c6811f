/*
 * A connection's pending output: references to payloads, and how far the first
 * one is written.  Two pointers while there is nothing or one payload.
 */
#ifndef SHARDD_OUTBOX_H
#define SHARDD_OUTBOX_H

#include <sys/types.h>

#include <stddef.h>

#include "common/bytes.h"
#include "shardd/client/payload.h"

struct outq;

struct outbox {
	struct payload	*one;		/* the only one, not begun */
	struct outq	*q;		/* more, or one begun */
};

/* Queue p (a reference is taken): 0, or -1 with errno ENOMEM. */
int	 outbox_add(struct outbox *o, struct payload *p);
/*
 * Write what the kernel takes: one send() of one payload, or of several
 * gathered.  Returns 0 when all is written, 1 when the kernel is full, -1 with
 * errno when the connection is broken.  So many bytes as were written are added to
 * *sent.
 */
int	 outbox_flush(struct outbox *o, int fd, size_t *sent);
/*
 * The same in two halves, for who sends otherwise.  What is to be sent next: a
 * payload itself, or several gathered into scratch, at most room bytes.  Then
 * what send(2) said of it: 0, 1, -1 as above, or 2: there is more.
 */
struct slice outbox_next(const struct outbox *o, char *scratch, size_t room);
int	 outbox_sent_some(struct outbox *o, ssize_t n, size_t len);
static inline int
outbox_sent(struct outbox *o, ssize_t n, size_t len)
{
	if (o->one == NULL || n != (ssize_t)len)
		return (outbox_sent_some(o, n, len));
	payload_unref(o->one);		/* as nearly always */
	o->one = NULL;
	return (0);
}
/*
 * Drop whole messages that are not begun, oldest first, until at most keep bytes
 * are queued; control frames and HTTP stay, and a message goes with all its parts.
 * Returns how many.
 */
size_t	 outbox_drop(struct outbox *o, size_t keep);
size_t	 outbox_queued(const struct outbox *o);		/* bytes */
/* The same if they end with a whole message, else 0. */
size_t	 outbox_whole(const struct outbox *o);
static inline int
outbox_empty(const struct outbox *o)
{
	return (o->one == NULL && (o->q == NULL || outbox_queued(o) == 0));
}
/* Is a part of a message written, and the rest not? */
int	 outbox_begun(const struct outbox *o);
void	 outbox_clear(struct outbox *o);
/* Append what is owed to b, for a capsule. */
int	 outbox_copy(const struct outbox *o, struct buf *b);

#endif

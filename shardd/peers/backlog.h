/*
 * What waits to be sent to another shard: a queue for each group, which take
 * turns, so that a group that floods makes only itself wait.
 *
 * A queue is named by the replica of ours whose messages are in it; 0 is for those of
 * no group.  All queues together have a bound.  When it is reached, the longest
 * queue pays, whoever brought the message that is too much: a group that has little
 * here loses nothing.  Nothing vanishes: of each message that is dropped its owner
 * says what stands in its place.
 */
#ifndef SHARDD_BACKLOG_H
#define SHARDD_BACKLOG_H

#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/map.h"
#include "proto/gossip.h"

#define BACKLOG_MARK	(8 << 20)	/* bytes of a queue: its senders pause */
#define BACKLOG_MAX	(64 << 20)	/* bytes of all queues */
#define BACKLOG_NOTES	64		/* in a queue, each of its own kind */
#define BACKLOG_SIZES	33

/* What becomes of a message that does not fit. */
enum backlog_fate {
	BACKLOG_GONE,			/* nothing stands in its place */
	BACKLOG_NOTE,			/* a note of its loss does */
	BACKLOG_KEEP			/* it is as small as a note, and stays */
};

struct backlog_ops {
	/*
	 * m does not fit; it may be made a note, which is small and never dropped.
	 * many: there are BACKLOG_NOTES already, this one must be a general one.
	 */
	enum backlog_fate (*drop)(void *arg, struct gossip *m, int many);
	/* That queue was over its mark, and is down to half of it. */
	void	(*eased)(void *arg, uint64_t replica);
};

struct backlog {
	const struct backlog_ops *ops;
	void		*arg;
	struct map	 queues;	/* struct queue, those not empty, by replica */
	struct list	 turns;		/* the same, whose turn it is first */
	struct list	 sizes[BACKLOG_SIZES];	/* by the bits of what can be dropped */
	size_t		 bytes;
	size_t		 max;
	int		 closed;	/* nothing but notes is kept */
};

void	 backlog_init(struct backlog *b, const struct backlog_ops *ops, void *arg);
/* Frees what waits; ops are not asked. */
void	 backlog_clear(struct backlog *b);
/* Copy m to the end of replica's queue.  0, or -1 with errno ENOBUFS or ENOMEM: it
 * does not fit, ops->drop() was called. */
int	 backlog_add(struct backlog *b, uint64_t replica, const struct gossip *m);
/* m cannot be sent at all: as if m did not fit. */
void	 backlog_refuse(struct backlog *b, uint64_t replica,
	    const struct gossip *m);
/* Drop all that may be dropped, of all queues. */
void	 backlog_drop(struct backlog *b);
/* Whose turn it is: the next message, valid until backlog_sent(); NULL: none. */
const struct gossip *backlog_next(struct backlog *b);
/* The message of backlog_next() was sent. */
void	 backlog_sent(struct backlog *b);
int	 backlog_is_over(const struct backlog *b, uint64_t replica);
int	 backlog_is_empty(const struct backlog *b);
size_t	 backlog_bytes(const struct backlog *b);

#endif

/*
 * A batch is what one turn says on one channel of the bus: messages that go together as
 * one frame, at the end of the turn or as soon as the frame is full.  Redis and whoever
 * reads pay for a frame much more than for a message in it.
 *
 * A shard hears both its own channel and those of rooms, and what was said first is to
 * come first: batches of one kind are sent before anything is said of the other.
 */
#ifndef SHARDD_BATCH_H
#define SHARDD_BATCH_H

#include <stddef.h>

#include "common/bytes.h"
#include "common/list.h"
#include "common/turn.h"

struct batch;

enum batch_kind { BATCH_SHARD, BATCH_ROOM, BATCH_NKINDS };

/* All batches of a shard. */
struct batches {
	struct list	 open[BATCH_NKINDS];	/* struct batch, those with messages */
	struct buf	 kept;		/* memory for the body of one */
	struct turn_work work;
	void		(*sent)(void *arg);	/* none is open any more */
	void		*arg;
};

/*
 * Publish head and payload, which are one message (flags 0) or a frame of several
 * (BUS_F_MANY).  0, or -1 with errno; then, if it is several, nothing was said.
 */
typedef int	 batch_send_cb(void *arg, unsigned flags, struct slice head,
		    struct slice payload);

struct batch {
	struct list	 at;
	struct batches	*all;
	enum batch_kind	 kind;
	batch_send_cb	*send;
	void		*arg;
	struct buf	 body;		/* messages, each behind its length (4) */
	size_t		 n;
};

void	 batches_init(struct batches *bs, void (*sent)(void *arg), void *arg);
void	 batches_end(struct batches *bs);	/* all batches were cleared */
/* Send all that can be sent; what cannot stays. */
void	 batches_flush(struct batches *bs);
/* Something was said on the bus in this turn: sent() is called at its end. */
void	 batches_touch(struct batches *bs);

void	 batch_init(struct batch *b, struct batches *all, enum batch_kind kind,
	    batch_send_cb *send, void *arg);
void	 batch_clear(struct batch *b);		/* what is in it is not sent */
/*
 * Say a message; together with others only if many.  0, or -1 with errno: it is not in
 * the batch, and not all of it was sent.
 */
int	 batch_add(struct batch *b, struct slice head, struct slice payload,
	    int many);
size_t	 batch_bytes(const struct batch *b);
/* Of a frame's body with several messages: the next, cut off its front; 0, 1 at the end,
 * or -1: that is none. */
int	 batch_next(struct slice *body, struct slice *message);

#endif

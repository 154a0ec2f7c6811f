/*
 * What our replica says to its neighbours: to all, to those who have the sockets of one
 * uid, or a question to each.  Local delivery is done by the caller first.
 */
#ifndef SHARDD_FAN_H
#define SHARDD_FAN_H

#include "common/bytes.h"

struct kennel_slot;
struct link;
struct neighbours;
struct payload;

/* err: 0, ETIMEDOUT (10 s), ECANCELED. */
typedef void	fan_done_cb(int err, void *arg);
typedef void	fan_gossip_cb(const struct kennel_slot *slots, size_t n,
		    void *arg);

/*
 * To all neighbours: p for all their members but uid `but` (data NULL: all).
 * done may be NULL; it is never called from within.  0, or -1 with errno ENOMEM.
 * Returns 1 if what waits of this group for a shard that it fed is over its mark
 * (8 MiB): the caller pauses the socket until replica_eased() or 2 s have passed.
 */
int	 fan_cast(struct neighbours *n, struct payload *p, struct slice but,
	    fan_done_cb *done, void *arg);
/* The same, to the subscribers of topics (topics_pack()) among them. */
int	 fan_publish(struct neighbours *n, struct slice topics,
	    struct payload *p, struct slice but, fan_done_cb *done, void *arg);
/*
 * To the sockets of uid of that group on neighbours.  With at most whisper_ask
 * (option, 8) neighbours, if it is short where some are on other nodes, or without Redis,
 * all are asked; else the shard is looked up in Redis.  *waiting is set when a lookup is
 * outstanding: then what the same sender does next must wait until settled() is called
 * (100 ms at most, then all are asked; over: as fan_cast() returns 1).  done as above.
 * settled is never called from within.
 */
typedef void	fan_settled_cb(int over, void *arg);
int	 fan_whisper(struct neighbours *n, struct slice group, struct slice uid,
	    struct payload *p, int *waiting, fan_settled_cb *settled,
	    void *settled_arg, fan_done_cb *done, void *arg);
/*
 * To the application of one neighbour, or of all (0): head and data, which are copied.
 * 0, 1 as above, or -1 with errno: ENOENT (no such neighbour), EMSGSIZE.
 */
int	 fan_tell(struct neighbours *n, uint64_t neighbour, struct slice head,
	    struct slice data);
/* Is what waits of this group over its mark?  A caller with no socket to be paused
 * must come again. */
int	 fan_is_over(struct neighbours *n);
/* A question to each neighbour.  cb comes once, never from within.  0, or -1 with
 * errno ENOMEM. */
int	 fan_gossip(struct neighbours *n, struct slice msg,
	    unsigned deadline_ms, fan_gossip_cb *cb, void *arg);
/*
 * All neighbours, or (not 0) only this one, have acted on what was said before, what they
 * were looking up then is said, too, and how much they have said is known here.  done
 * comes once, never from within, after ms at most; err as above, where one of version 1,
 * which does not know the question, counts as not answering.  0, or -1 with errno
 * ENOMEM.
 */
int	 fan_fence(struct neighbours *n, uint64_t only, unsigned ms,
	    fan_done_cb *done, void *arg);
/* A neighbour at l asks so: it is answered now, or when that is so. */
void	 fan_fenced(struct neighbours *n, struct link *l, uint64_t neighbour,
	    uint64_t ask);
/* Is a whisper to that uid being looked up? */
int	 fan_whispers_to(const struct neighbours *n, struct slice uid);
/* n ends: whispers that are being looked up are cancelled. */
void	 fan_cancel(struct neighbours *n);

#endif

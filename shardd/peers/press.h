/*
 * What this shard publishes on channels of Redis for other nodes: frames, in one order,
 * counted in bytes; messages that are too long for one are cut.
 */
#ifndef SHARDD_PRESS_H
#define SHARDD_PRESS_H

#include <stdint.h>

#include "common/bytes.h"
#include "proto/bus_frame.h"

struct redis;

struct press {
	struct redis	*redis;
	struct slice	 node;		/* who we are; borrowed */
	uint32_t	 slot;
	uint64_t	 incarnation;
	struct slice	 key;		/* of the cluster; may be empty */
	uint64_t	 pos;		/* bytes that were published */
	int		 stuck;		/* Redis' queue was full */
	void		(*drained)(void *arg);	/* it was, and has room again */
	void		*arg;
	uint64_t	 logged;	/* clock_ms */
	struct buf	 frame;		/* being published */
};

/*
 * One frame, of which kind, flags, session, n and ack are given.  0, or -1 with errno:
 * EAGAIN (drained will be called), ENOTCONN, ENOMEM.
 */
int	 press_frame(struct press *p, const char *channel,
	    struct bus_frame *f, struct slice head, struct slice payload);
/* A message in as many frames as it takes, with f's flags; *n is the number before the first, and of
 * the last then.  0, or -1 with errno and, unless *n has changed, nothing said. */
int	 press_message(struct press *p, const char *channel,
	    struct bus_frame *f, struct slice head, struct slice payload,
	    uint64_t *n);
/* Once in a while only: may something be logged now? */
int	 press_may_log(struct press *p);
void	 press_clear(struct press *p);

#endif

/*
 * A wreck is what a dead shard leaves: its page (proto/cover.h) says of each of its
 * connections whether another shard can go on with it, or why not.  What becomes of
 * them is counted, and said in one line when all are somewhere.
 */
#ifndef GATEWAYD_WRECK_H
#define GATEWAYD_WRECK_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "proto/cover_look.h"

struct place;
struct shard;

#define WRECK_STRIKES	2	/* shards in a row that died of one's message */

enum wreck_end {
	WRECK_GOES_ON,		/* it may; at last, it does */
	WRECK_REQUEST,		/* plain HTTP */
	WRECK_UNCOVERED,	/* we have no copy of its descriptor */
	WRECK_UNKNOWN,		/* the page says nothing of it that makes sense */
	WRECK_AMID_IN,		/* a part of what it sent was read, and is lost */
	WRECK_AMID_OUT,		/* a part of a message was written to it */
	WRECK_GOING,		/* on its way to another shard, which has said nothing */
	WRECK_POISON,		/* shards die of its messages */
	WRECK_REFUSED,		/* no other shard takes it */
	WRECK_LATE,		/* none was ready in time */
	WRECK_NENDS
};

struct wreck {
	struct list	 at;		/* its owner's */
	uint32_t	 slot;
	pid_t		 pid;
	uint64_t	 began;		/* clock_ms */
	int		 heard;		/* as shard.h's */
	size_t		 left;		/* connections on their way to other shards */
	size_t		 ends[WRECK_NENDS];
	size_t		 whole;		/* were written to, and may go on: all of that went
					   out, or none */
	char		 refused[96];	/* why, as it was said last */
	struct cover_look *look;	/* of its page, until wreck_read(); NULL: none */
};

/* Of a shard that has died and is not buried yet.  NULL: no memory. */
struct wreck *wreck_new(const struct shard *s);
void	 wreck_free(struct wreck *w);
/*
 * Can somebody else go on with the connection of this place?  WRECK_GOES_ON, and c is
 * what the page says of it, with its hops and strikes as they are from now on; slices
 * are valid until the next call.  Else why not, and c->cap.protocol is right if it is
 * not 0.
 */
enum wreck_end wreck_judge(struct wreck *w, const struct place *place,
	    struct covered *c);
/* All places of the shard have been judged. */
void	 wreck_read(struct wreck *w);
/* Who was lost, so far. */
size_t	 wreck_lost(const struct wreck *w);
/* Say what became of all. */
void	 wreck_say(const struct wreck *w);

#endif

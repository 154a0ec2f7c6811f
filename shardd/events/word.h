/*
 * What the replicas of a server tell each other: one msgpack array, type first,
 * and behind it the data as clients get it.
 *
 * A stream is named by the replica that it comes from, and that one's number for it.
 */
#ifndef EVENTS_WORD_H
#define EVENTS_WORD_H

#include <stdint.h>

#include "common/bytes.h"

enum word_type {
	WORD_SAY = 1,		/* whom names except data_type event number: to clients;
				   number: of the client that says so, or 0 */
	WORD_OPEN,		/* number whom names except data_type event flags: a
				   stream begins, data is its info (WORD_F_HOME: for
				   nobody at other hosts) */
	WORD_CHUNK,		/* number data_type: more of it */
	WORD_END,		/* number event: its end; event: why it was cut, or
				   empty */
	WORD_NOBODY,		/* number, of the receiver's: it has no receiver here
				   (any more) */
	WORD_PRESS,		/* number, of the receiver's, flags: a receiver is over
				   its mark (WORD_F_HIGH), or none is any more */
	WORD_ROOMS,		/* flags names event: the client with the id `event`
				   enters rooms (WORD_F_JOIN), leaves them, or
				   leaves all (WORD_F_ALL) */
	WORD_DELIVER,		/* as WORD_SAY, and it goes to nobody elsewhere */
	/* Of the network of hosts; number is the link's. */
	WORD_LINK_UP,		/* number names event: to the holder, a link to the
				   peer `names`, with the id `event` */
	WORD_LINK_SAYS,		/* number: to the holder, what the peer says, a frame */
	WORD_LINK_SEND,		/* number: of the holder, a frame for the peer */
	WORD_LINK_DOWN,		/* number: it has ended, or is to end */
	WORD_MEMBERS,		/* number event: to the holder, so many clients of the
				   sender are in the room `event` */
	WORD_HOLDER,		/* number: the sender holds the network */
	WORD_NOTICE,		/* flags number event: of the holder, the room `event` has
				   so many members, which are more (WORD_F_JOIN)
				   or less than it said last */
	WORD_LINK_PRESS,	/* number flags: to the holder, the link is over its mark
				   (WORD_F_HIGH), or is no more; of the holder, the
				   link is not to be read, or again */
	WORD_WAIT,		/* number: of the holder, that client of yours has filled
				   a link; 0: those that wait go on */
	WORD_LINK_KENNEL,	/* number: of the holder, the link's peer is a kennel */
	WORD_ASK,		/* number flags names data_type event: a question to the
				   client `names`, to be answered in `flags` ms */
	WORD_ANSWER,		/* number flags data_type: to your question of that
				   number, or why there is none (enum asking_why) */
	WORD_NTYPES
};

/* Whom something is for. */
enum word_whom { WHOM_ALL = 1, WHOM_ROOMS, WHOM_SOCKETS, WHOM_NKINDS };

#define WORD_F_HIGH	0x1
#define WORD_F_JOIN	0x2
#define WORD_F_ALL	0x4
#define WORD_F_HOME	0x8

struct word {
	enum word_type	 type;
	uint64_t	 number;
	uint32_t	 whom;		/* enum word_whom */
	uint32_t	 data_type;	/* enum fasttcp_data */
	uint32_t	 flags;
	struct slice	 names;		/* separated by commas */
	struct slice	 except;	/* ids, the same; data NULL: none */
	struct slice	 event;
};

/* Append w to b; check b->failed. */
void	 word_encode(struct buf *b, const struct word *w);
/* 0; 1: of a type that only a later version knows; or -1 with errno EPROTO. */
int	 word_decode(struct word *w, struct slice head);

#endif

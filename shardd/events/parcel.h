/*
 * A parcel is what kennels say to each other beyond the protocol of the original, which does
 * not know it: a letter whose data keeps its type, streams, questions and answers, and
 * that somebody is there.  Each says which host it comes from, its number among all that
 * come from there, and how many hosts it may still pass.  It is the data of a frame: a
 * length of 4 bytes, msgpack of so many bytes, and the letter's data.
 */
#ifndef EVENTS_PARCEL_H
#define EVENTS_PARCEL_H

#include "shardd/events/discovery.h"

#define PARCEL_HOPS	16		/* hosts that one passes, at most */
#define PARCEL_ANSWER_MS	3600000	/* the longest that is waited for an answer */

enum parcel_kind {
	PARCEL_LETTER = 1,		/* letter */
	PARCEL_OPEN,			/* number letter: a stream begins, data is its info */
	PARCEL_CHUNK,			/* number place, data_type and data: more of it */
	PARCEL_END,			/* number place: its end */
	PARCEL_NOBODY,			/* number event: the host `event` has no receivers (any
					   more) of that stream of yours */
	PARCEL_PRESS,			/* number flags: receivers of that stream of yours are
					   over their marks (PARCEL_F_HIGH), or none is */
	PARCEL_ASK,			/* number wait letter: a question to one client */
	PARCEL_ANSWER,			/* number flags, data_type and data: the answer, or
					   why there is none (enum asking_why) */
	PARCEL_BEAT,			/* we are there */
	PARCEL_NKINDS
};

#define PARCEL_F_HIGH	0x1

struct parcel {
	enum parcel_kind kind;
	uint32_t	 hops;		/* hosts that it may pass */
	struct slice	 origin;	/* the host that it comes from */
	uint64_t	 epoch;		/* of its numbers: another one when it starts afresh */
	uint64_t	 sequence;	/* its number, from 1 */
	uint64_t	 number;	/* of a stream or a question */
	uint64_t	 place;		/* in a stream: from 1 */
	uint32_t	 flags;
	uint32_t	 wait;		/* ms */
	struct letter	 letter;
};

/* Append p; check b->failed. */
void	 parcel_write(struct buf *b, const struct parcel *p);
/* Of f, from which p borrows.  0; -1: it is none, or not right. */
int	 parcel_read(struct parcel *p, const struct fasttcp_frame *f);

/* p does not arrive: what whoever sent it is to hear, in *back, but for its event, which is
 * the host that is not reached.  1; or 0: nothing. */
int	 parcel_back(const struct parcel *p, struct parcel *back);

#endif

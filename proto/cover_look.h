/*
 * What the page of a shard that has died says of its connections (cover.h).  None of it
 * is believed: all that is given is within its bounds, and is a copy.
 */
#ifndef PROTO_COVER_LOOK_H
#define PROTO_COVER_LOOK_H

#include <stddef.h>
#include <stdint.h>

#include "proto/capsule.h"

struct cover_look;

enum cover_rest {
	COVER_AT_REST,		/* every byte was read and written whole */
	COVER_AT_WORK,		/* the same, but for one message that was worked on */
	COVER_AMID_IN,		/* bytes that were read are lost */
	COVER_AMID_OUT,		/* a part of a message is written, for all that is known */
	COVER_GOING,		/* at rest, packed for another shard, which has it
				   or not */
	COVER_WRITING		/* it was written to: covered_written() says which of
				   these */
};

struct covered {
	uint64_t	 id;
	enum cover_rest	 rest;
	/*
	 * What it was when it was opened, with the topics of now: its blob is the
	 * checkpoint.  replica is 0, hops and strikes are the dead shard's, and
	 * bits are 0.  Slices are valid until the next call.
	 */
	struct capsule	 cap;
	/* COVER_WRITING: */
	uint32_t	 before;	/* written, but for this */
	uint64_t	 length;	/* of this, or 0: not known */
	enum cover_rest	 none, whole;	/* what it is if nothing of it, or all, is
					   written */
};

/* Read the page, which stays the caller's and open; NULL with errno: EPROTO (not the
 * page of this incarnation, or of a version that says nothing of this), ENOMEM. */
struct cover_look *cover_look_new(int fd, uint64_t incarnation);
void	 cover_look_free(struct cover_look *l);
/* The connection of that id.  0, or -1 with errno: ENOENT, EPROTO (what is said of it
 * makes no sense; rest is true to the page all the same), ENOMEM. */
int	 cover_look_find(struct cover_look *l, uint64_t id, struct covered *c);
/* How many there are, and number i of them. */
size_t	 cover_look_count(const struct cover_look *l);
int	 cover_look_at(struct cover_look *l, size_t i, struct covered *c);
/* How c was left, of which written_total() says so much; known is 0: it says nothing. */
enum cover_rest covered_written(const struct covered *c, int known,
	    uint32_t written);

#endif

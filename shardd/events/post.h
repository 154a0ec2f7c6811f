/*
 * What is on its way to other hosts, in the two forms that it may have: for whoever speaks
 * the original's protocol, which has letters alone, and for kennels, where their data keeps
 * its type.
 */
#ifndef EVENTS_POST_H
#define EVENTS_POST_H

#include "shardd/events/parcel.h"

struct post {
	struct fasttcp_frame plain;	/* type UNKNOWN: not made yet */
	struct fasttcp_frame frame;	/* the same, of parcel */
	const struct parcel *parcel;	/* what to make them of; NULL: there is plain */
	struct buf	 text, bytes;
};

/* Of p, which is borrowed; and of a frame that came so. */
struct post post_of(const struct parcel *p);
struct post post_of_frame(const struct fasttcp_frame *f);
void	 post_clear(struct post *p);
/* The frame for a kennel, or for another peer; without cells.  NULL: that one has no word
 * for it, or there is no memory. */
const struct fasttcp_frame *post_frame(struct post *p, int kennel);

#endif

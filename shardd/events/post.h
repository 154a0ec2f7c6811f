/*
 * A message on its way to other hosts, in the two forms that it may have: for whoever speaks
 * the original's protocol, and for kennels, where its data keeps its type.
 */
#ifndef EVENTS_POST_H
#define EVENTS_POST_H

#include "shardd/events/discovery.h"

struct post {
	struct fasttcp_frame plain;	/* type UNKNOWN: not made yet */
	struct fasttcp_frame parcel;	/* the same */
	const struct letter *letter;	/* what to make them of; NULL: there is plain */
	unsigned	 hops;		/* a parcel may pass so many hosts */
	struct buf	 text, bytes;
};

/* Of l, which is borrowed; and of a frame that came so. */
struct post post_of(const struct letter *l, unsigned hops);
struct post post_of_frame(const struct fasttcp_frame *f);
void	 post_clear(struct post *p);
/* The frame for a kennel, or for another peer; without cells.  NULL without memory. */
const struct fasttcp_frame *post_frame(struct post *p, int kennel);

#endif

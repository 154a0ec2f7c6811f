/*
 * A parcel is a letter as two kennels have it between them, for the original does not know it:
 * data of any type as it is, where JSON would make something else of it, and how many hosts
 * it may still pass.  It is the data of a frame: a length of 4 bytes, msgpack of so many
 * bytes, and the letter's data.
 */
#ifndef EVENTS_PARCEL_H
#define EVENTS_PARCEL_H

#include "shardd/events/discovery.h"

#define PARCEL_HOPS	16		/* hosts that one passes, at most */

/* Append l, which may pass so many hosts; check b->failed. */
void	 parcel_write(struct buf *b, const struct letter *l, unsigned hops);
/* Of f, from which l borrows.  0; -1: it is none, or not right. */
int	 parcel_read(struct letter *l, unsigned *hops,
	    const struct fasttcp_frame *f);

#endif

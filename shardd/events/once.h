/*
 * What has come from a host already: by the numbers that it gives to all that it says, so
 * that nothing is acted upon twice.  Of numbers of long ago nothing is known, and they are
 * taken.
 */
#ifndef EVENTS_ONCE_H
#define EVENTS_ONCE_H

#include <stdint.h>

#define ONCE_BITS	1024

struct once {
	struct once_window {
		uint64_t	 epoch;		/* 0: none */
		uint64_t	 top;		/* the highest number there was */
		uint64_t	 bits[ONCE_BITS / 64];	/* those below it, by number */
	}		 windows[2];	/* the latest one first */
};

/* Is that number new?  From now on it is not. */
int	 once(struct once *o, uint64_t epoch, uint64_t number);

#endif

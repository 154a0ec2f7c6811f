/*
 * A complaint is a line of the log that clients could bring about as often as they
 * like: it is said at most every COMPLAINT_MS; how many were not said is told with
 * the next one.  Zero-initialised, nothing has been said yet.
 */
#ifndef GATEWAYD_COMPLAINT_H
#define GATEWAYD_COMPLAINT_H

#include <stdint.h>

#define COMPLAINT_MS	10000

struct complaint {
	uint64_t	 next;		/* clock_ms: not before */
	uint64_t	 unsaid;
};

/* One more at now (clock_ms): is it to be said?  Then *unsaid is how many were not. */
int	 complaint_due(struct complaint *c, uint64_t now, uint64_t *unsaid);

#endif

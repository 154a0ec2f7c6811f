/*
 * The log of those whom the gateway refused: a line a reason, with how many, at
 * most every REFUSED_MS.  Zero-initialised, nothing was said.
 */
#ifndef GATEWAYD_REFUSED_H
#define GATEWAYD_REFUSED_H

#include "gatewayd/totals.h"

#define REFUSED_MS	10000

struct refused {
	uint64_t	 said[REFUSED_NWHYS];	/* of totals' refusals */
	uint64_t	 next[REFUSED_NWHYS];	/* clock_ms: not before */
};

/* Say what has come since; asked each second.  now is clock_ms. */
void	 refused_say(struct refused *r, const struct totals *t, uint64_t now);

#endif

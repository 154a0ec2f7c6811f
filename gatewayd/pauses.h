/* How long connections that moved were not read from: since a moment, and in all. */
#ifndef GATEWAYD_PAUSES_H
#define GATEWAYD_PAUSES_H

#include <stdint.h>

#include "common/histogram.h"

struct json_t;
struct totals;

struct pauses {				/* what there was at that moment */
	uint64_t	 before[HISTOGRAM_CELLS];
};

/* From now on; the longest one is forgotten. */
void	 pauses_begin(struct pauses *p, struct totals *t);
/* Half, and 99 of 100, are not longer than, in microseconds; and the longest one.  p
 * NULL: since the start.  The caller's; NULL: no memory. */
struct json_t *pauses_json(const struct pauses *p, const struct totals *t);

#endif

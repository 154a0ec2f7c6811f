/*
 * A histogram of durations: how many were as long as each of some bounds, and
 * their sum.  It is a row of 64-bit cells, which may stand anywhere: one thread
 * adds, others may read.
 */
#ifndef COMMON_HISTOGRAM_H
#define COMMON_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BOUNDS	16
/* For each bound those that are not longer, and longer than the bound before; the
 * longer ones; the sum, in nanoseconds. */
#define HISTOGRAM_SUM		(HISTOGRAM_BOUNDS + 1)
#define HISTOGRAM_CELLS		(HISTOGRAM_BOUNDS + 2)

/* The bounds, in nanoseconds, and as seconds in words. */
extern const uint64_t histogram_bounds[HISTOGRAM_BOUNDS];
extern const char *const histogram_texts[HISTOGRAM_BOUNDS];

/* One more duration, in nanoseconds. */
void	 histogram_add(uint64_t cells[HISTOGRAM_CELLS], uint64_t ns);

#endif

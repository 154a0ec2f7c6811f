/*
 * A growing delay with jitter: min, 2 min, 4 min ... up to max; what is
 * returned is drawn evenly from the upper half of each step, so that many
 * peers do not come back together.
 */
#ifndef COMMON_BACKOFF_H
#define COMMON_BACKOFF_H

#include <stdint.h>

struct backoff {
	uint32_t min_ms, max_ms;
	uint32_t step_ms;		/* 0: fresh */
};

void	 backoff_init(struct backoff *b, uint32_t min_ms, uint32_t max_ms);
uint32_t backoff_next(struct backoff *b);	/* milliseconds to wait now */
void	 backoff_reset(struct backoff *b);

#endif

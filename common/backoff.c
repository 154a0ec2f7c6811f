/* Growing delays with jitter. */
#include "common/backoff.h"
#include "common/bytes.h"

void
backoff_init(struct backoff *b, uint32_t min_ms, uint32_t max_ms)
{
	b->min_ms = min_ms;
	b->max_ms = max_ms;
	b->step_ms = 0;
}

uint32_t
backoff_next(struct backoff *b)
{
	uint32_t	 half;

	if (b->step_ms == 0)
		b->step_ms = b->min_ms;
	else
		b->step_ms = b->step_ms > b->max_ms / 2 ? b->max_ms :
		    b->step_ms * 2;
	half = b->step_ms / 2;
	return (b->step_ms - half +
	    (uint32_t)(bytes_random64() % ((uint64_t)half + 1)));
}

void
backoff_reset(struct backoff *b)
{
	b->step_ms = 0;
}

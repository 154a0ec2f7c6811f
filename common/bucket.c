/* A token bucket. */
#include "common/bucket.h"

int
bucket_take(struct bucket *b, uint64_t now, uint32_t rate, uint32_t burst,
    uint32_t n)
{
	uint64_t	 full = burst * UINT64_C(1000), want = n * UINT64_C(1000);

	/* Thousandths a millisecond are as many as tokens a second. */
	if (now - b->at >= full / rate + 1 ||
	    (b->tokens += rate * (now - b->at)) > full)
		b->tokens = full;
	b->at = now;
	if (b->tokens < want)
		return (0);
	b->tokens -= want;
	return (1);
}

int
bucket_lend(struct bucket *b, uint64_t now, uint32_t rate, uint32_t burst,
    uint32_t n)
{
	if (now < b->at)
		return (0);		/* that is when the last one is paid off */
	if (bucket_take(b, now, rate, burst, n))
		return (1);
	if (b->tokens == 0)
		return (0);
	b->at = now + (n * UINT64_C(1000) - b->tokens) / rate;
	b->tokens = 0;
	return (1);
}

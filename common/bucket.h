/*
 * A token bucket: so many things a second, and a burst at once.  Zeroed, it is
 * full the first time that it is asked.
 */
#ifndef COMMON_BUCKET_H
#define COMMON_BUCKET_H

#include <stdint.h>

struct bucket {
	uint64_t	 tokens;	/* thousandths */
	uint64_t	 at;		/* ms: when they were counted */
};

/*
 * Take n at now (ms, any clock that does not go back) out of a bucket that gets
 * rate a second (at least 1) and holds burst.  1, or 0 with nothing taken.
 */
int	 bucket_take(struct bucket *b, uint64_t now, uint32_t rate,
	    uint32_t burst, uint32_t n);
/*
 * The same for things of very different sizes: n may be more than there is, or than burst,
 * if there is anything at all; then nobody gets anything until it is paid off.  So a
 * large one's turn comes however many small ones ask.  One bucket is for this or for
 * bucket_take(), not both.
 */
int	 bucket_lend(struct bucket *b, uint64_t now, uint32_t rate,
	    uint32_t burst, uint32_t n);

#endif

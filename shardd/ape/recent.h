/* Which calls a client has made lately, so that none is made twice. */
#ifndef SHARDD_APE_RECENT_H
#define SHARDD_APE_RECENT_H

#include <stddef.h>
#include <stdint.h>

struct recent_row {
	uint64_t	 hash;
	uint32_t	 ms;		/* when; 0: free */
};

/* Zero-initialised is empty and valid. */
struct recent {
	struct recent_row *rows;
	uint32_t	 size, used;	/* size: 0, or a power of 2 */
};

/*
 * Remember a call made at ms.  hash: of its whole text, and with more bits than its name
 * has, for of some thousand calls two may have one name.  1: it was made within the window_ms before, already.
 * Of very many in so short a time the older ones are forgotten.
 */
int	 recent_add(struct recent *r, uint64_t hash, uint64_t ms,
	    uint32_t window_ms);
void	 recent_clear(struct recent *r);

#endif

/* Which calls a client has made lately, so that none is made twice. */
#ifndef SHARDD_APE_RECENT_H
#define SHARDD_APE_RECENT_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

struct recent_row {
	uint64_t	 hash;
	uint32_t	 ms;		/* when; 0: free */
};

/* Zero-initialised is empty and valid. */
struct recent {
	struct recent_row *rows;
	uint32_t	 size, used;	/* size: 0, or a power of 2 */
};

/* Of a call's text, the same in every process. */
uint64_t recent_hash(const char *text, size_t len);
/* It is asked for in a moment: many clients' rows are in no cache. */
void	 recent_expect(const struct recent *r, uint64_t hash);
/*
 * Remember a call made at ms.  hash: of its whole text, and with more bits than its name
 * has, for of some thousand calls two may have one name.  1: it was made within the window_ms before, already.
 * Of very many in so short a time the older ones are forgotten.
 */
int	 recent_add(struct recent *r, uint64_t hash, uint64_t ms,
	    uint32_t window_ms);
/* Append those of the last window_ms, for recent_load() of another process. */
void	 recent_save(const struct recent *r, struct buf *b, uint64_t ms,
	    uint32_t window_ms);
/* They are all that r has.  0, or -1: they are none, or there is no memory. */
int	 recent_load(struct recent *r, struct slice s);
void	 recent_clear(struct recent *r);

#endif

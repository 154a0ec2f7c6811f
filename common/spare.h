/*
 * Memory for what is made and ended again with each message.  What is put back
 * is kept for the next of about its size, so that once warm nothing of it is
 * asked of malloc.
 *
 * That saves no time: built without (-DSPARE_OFF) connecting, echoing and whispering
 * cost the same within the noise, for malloc's own caches are as near.  What it buys is that
 * a warm shard cannot run out of memory over a message of an ordinary size, and that
 * malloc's arenas are not fragmented by what lives for one turn beside what lives for
 * days.
 *
 * Sizes are rounded up by less than a quarter, the small ones to what malloc
 * would take as well.  Of each no more than SPARE_KEEP bytes are kept, at least
 * one piece; those above SPARE_LARGEST are malloc's.
 * With an address sanitizer nothing is kept: it is to see who uses what has ended.
 */
#ifndef COMMON_SPARE_H
#define COMMON_SPARE_H

#include <stddef.h>

#define SPARE_LARGEST	(64 << 10)
#define SPARE_KEEP	(64 << 10)

/* Not cleared.  NULL with errno ENOMEM. */
void	*spare_get(size_t size);
/* Cleared. */
void	*spare_zero(size_t size);
/* p may be NULL; else it is of spare_get(size), the same size. */
void	 spare_put(void *p, size_t size);

#endif

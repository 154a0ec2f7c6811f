/* How much memory this process may have, and giving back what it does not need. */
#ifndef COMMON_MEMORY_H
#define COMMON_MEMORY_H

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes: what the machine has, or less if a control group says so (memory.max of
 * version 2, memory.limit_in_bytes of 1, of this group or of one above).  root
 * stands before /proc and /sys; "" but in tests.  0: not known.
 */
size_t	 memory_allowed(const char *root);
/*
 * malloc()'s bounds stay where they are: large pieces are the kernel's, each by
 * itself, and go back to the kernel when they are freed.  Left alone the bounds grow with the
 * first large piece that is freed, and a burst's memory is kept for good.  Once, at
 * the start.
 */
void	 memory_steady(void);
/*
 * From time to time: small pieces that were freed amid others in use are given
 * back too, once they are many.  now is clock_ms(); looks every few seconds, and
 * costs next to nothing in between.
 */
void	 memory_tidy(uint64_t now);

#endif

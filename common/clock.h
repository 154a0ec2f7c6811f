/* Time, in milliseconds where nothing else is said. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <sys/time.h>

uint64_t clock_ms(void);	/* monotonic: deadlines and durations */
uint64_t clock_ns(void);	/* monotonic, nanoseconds: what work takes */
uint64_t clock_wall_ms(void);	/* since 1970: what people and clients read */

/* ms, as the event loop and the system want it. */
static inline struct timeval
clock_tv(uint64_t ms)
{
	return ((struct timeval){ (time_t)(ms / 1000),
	    (suseconds_t)(ms % 1000 * 1000) });
}

#endif

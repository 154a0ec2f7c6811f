/* Time, in milliseconds where nothing else is said. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

uint64_t clock_ms(void);	/* monotonic: deadlines and durations */
uint64_t clock_ns(void);	/* monotonic, nanoseconds: what work takes */
uint64_t clock_wall_ms(void);	/* since 1970: what people and clients read */

#endif

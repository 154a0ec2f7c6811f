/* Time in milliseconds. */
#include <time.h>

#include "common/clock.h"

static uint64_t
clock_read(clockid_t id)
{
	struct timespec	 t;

	clock_gettime(id, &t);
	return ((uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

uint64_t
clock_ms(void)
{
	return (clock_read(CLOCK_MONOTONIC));
}

uint64_t
clock_ns(void)
{
	struct timespec	 t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return ((uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec);
}

uint64_t
clock_wall_ms(void)
{
	return (clock_read(CLOCK_REALTIME));
}

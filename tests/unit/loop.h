/* A test's event loop, run a little at a time until something has happened. */
#ifndef TESTS_LOOP_H
#define TESTS_LOOP_H

#include <check.h>
#include <event2/event.h>

#include "common/clock.h"
#include "common/turn.h"

static struct event_base	*base;

/* As long as the condition does not hold, step() is called; not for longer than ms. */
#define until_by(step, cond, ms) do {					\
	uint64_t	 end_ = clock_ms() + (ms);			\
	while (!(cond)) {						\
		ck_assert_uint_lt(clock_ms(), end_);			\
		step();							\
	}								\
} while (0)
#define until(cond, ms)	until_by(turn, cond, ms)

/* What is ready, and the ends of turns before and behind it. */
static void
turn(void)
{
	struct timeval	 tv = { 0, 1000 };

	turn_end();
	event_base_loopexit(base, &tv);
	event_base_loop(base, EVLOOP_ONCE);
	turn_end();
}

#endif

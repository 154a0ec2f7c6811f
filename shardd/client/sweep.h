/*
 * Pings, deadlines and idle limits for all connections, without a timer each:
 * ten times a second those that are on their way, once a second the idle.
 */
#ifndef SHARDD_SWEEP_H
#define SHARDD_SWEEP_H

struct worker;

int	 sweep_start(struct worker *w);		/* 0 or -1 with errno */

#endif

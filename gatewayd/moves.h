/*
 * What has moved because the operator asked for it: of the last drain or restart of
 * each slot, and of the last rebalance.  An upgrade has its own (progress.h).
 */
#ifndef GATEWAYD_MOVES_H
#define GATEWAYD_MOVES_H

#include <stddef.h>
#include <stdint.h>

#include "gatewayd/pauses.h"
#include "proto/limits.h"

#define MOVES_REBALANCE	SLOTS_MAX	/* whose row is no slot's */

struct json_t;
struct totals;
struct transfer;

struct moves_row {
	const char	*what;		/* static; NULL: nothing was asked for */
	unsigned	 rate;		/* connections a second */
	size_t		 total;		/* of all its transfers, */
	size_t		 moved, skipped, failed;	/* and of those that are over */
	const struct transfer *now;	/* under way, or NULL */
	const struct shard *waits;	/* all of that one, until another one serves; or
					   NULL */
	int		 beside;	/* its successor is in another slot */
	int		 given_up;	/* nobody moved, and none is to any more */
	uint64_t	 began, ended;	/* clock_ms; ended 0: not over */
	struct pauses	 pauses;
};

struct moves {
	struct totals	*totals;	/* borrowed */
	struct moves_row rows[SLOTS_MAX + 1];
};

/* Begin anew: what, a constant, is done with a slot, or MOVES_REBALANCE. */
struct moves_row *moves_begin(struct moves *m, size_t row, const char *what,
	    unsigned rate);
/* A transfer begins for it; it is over, and about to be freed. */
void	 moves_transfer(struct moves_row *row, const struct transfer *t);
void	 moves_transferred(struct moves_row *row, const struct transfer *t);
/* No other transfer follows.  stayed: so many are there still, who could not move or found
 * no room, and are going to be closed. */
void	 moves_end(struct moves_row *row, size_t stayed);
/* All rows; uneven: what a rebalance still has to move.  The caller's; NULL: no
 * memory. */
struct json_t *moves_json(const struct moves *m, size_t uneven);

#endif

/*
 * What a shard counts in its page (page.h), from PAGE_ROOM_AT on, and what its
 * operator sees of that as metrics: one table for the shard that counts and the
 * gateway that reads.  The shard adds to a cell, in its own memory, and no more.
 *
 * Cells are found by their position.  A new row gets the cells behind the last one
 * of the table, so that a gateway and a shard of different versions, which meet
 * when one of them is replaced, mean the same cell; how many bytes the shard has
 * written, the page's head says, and all others read as 0.  Cells are never used
 * again for something else.
 */
#ifndef PROTO_COUNTERS_H
#define PROTO_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

#include "common/histogram.h"
#include "proto/limits.h"

#define COUNTERS_MAX	256	/* cells */
#define COUNTERS_APPS	16	/* applications of a worker; others share the last */
#define COUNTERS_APP_CELLS 8	/* of each */

enum counter {			/* the first cell of each row */
	COUNTER_QUEUED,
	COUNTER_BEHIND,				/* 2: above out_max / 2, out_max */
	COUNTER_UNFINISHED = COUNTER_BEHIND + 2,
	COUNTER_LINKS,
	COUNTER_LINK_QUEUED,
	COUNTER_LINK_LOST,
	COUNTER_LINK_ENDED,
	COUNTER_DROPPED,			/* 2: drop-new, drop-old */
	COUNTER_STEPS = COUNTER_DROPPED + 2,	/* enum counter_step */
	COUNTER_STEP_SECONDS = COUNTER_STEPS + 8,
	COUNTER_LOOKUPS = COUNTER_STEP_SECONDS + HISTOGRAM_CELLS,
						/* enum counter_lookup */
	COUNTER_LOOKUP_SECONDS = COUNTER_LOOKUPS + 4,
	COUNTER_REDIS = COUNTER_LOOKUP_SECONDS + HISTOGRAM_CELLS,
						/* struct redis_counts */
	COUNTER_REDIS_SECONDS = COUNTER_REDIS + 4,
	COUNTER_REDIS_UP = COUNTER_REDIS_SECONDS + HISTOGRAM_CELLS,
	COUNTER_LISTED,
	COUNTER_MISSED,
	COUNTER_BUS_PUBLISHED,
	COUNTER_BUS_HEARD,
	COUNTER_BUS_OWN,
	COUNTER_BUS_AFRESH,
	COUNTER_BUS_BAD,
	COUNTER_BUS_LOST,
	COUNTER_BUS_LAG,			/* microseconds, as of the last time */
	COUNTER_BUS_LAG_SECONDS,
	COUNTERS_N = COUNTER_BUS_LAG_SECONDS + HISTOGRAM_CELLS
};

enum counter_step { STEP_DONE, STEP_REFUSED, STEP_AWAY, STEP_LATE,
    STEP_CANCELED, STEP_NRESULTS };
enum counter_lookup { LOOKUP_FOUND, LOOKUP_NOBODY, LOOKUP_UNKNOWN,
    LOOKUP_NRESULTS };
enum counter_app {		/* cells of an application */
	COUNTER_APP_OPENED, COUNTER_APP_REQUESTS,
	COUNTER_APP_MESSAGES_IN, COUNTER_APP_BYTES_IN,
	COUNTER_APP_MESSAGES_OUT, COUNTER_APP_BYTES_OUT,
	COUNTER_APP_RESUMED,
	COUNTER_APP_N
};

struct counters {
	uint64_t	 cells[COUNTERS_MAX];
	struct {
		char		 name[APP_MAX];	/* ends with NUL if shorter; none:
						   not used */
		uint64_t	 cells[COUNTERS_APP_CELLS];
	}		 apps[COUNTERS_APPS];
};

/* ---- the shard ---- */

/* Of this process: its page's, or memory that nobody reads. */
extern struct counters *counters;

/* n more of cell c. */
static inline void
counter_add(unsigned c, uint64_t n)
{
	counters->cells[c] += n;
}

/* Cell c is v now. */
static inline void
counter_set(unsigned c, uint64_t v)
{
	counters->cells[c] = v;
}

/* The cells of the worker's application i. */
static inline uint64_t *
counter_app(size_t i)
{
	return (counters->apps[i < COUNTERS_APPS ? i : COUNTERS_APPS -
	    1].cells);
}

/* ---- the table ---- */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
const char *metric_type_name(enum metric_type type);

struct counter_row {
	const char	*name, *help;
	enum metric_type type;		/* COUNTER: never falls; a GAUGE is shown
					   for each shard */
	unsigned	 at;		/* enum counter, or enum counter_app */
	unsigned	 n;		/* cells */
	const char	*label;		/* what tells the cells apart, or NULL */
	const char	*values[8];	/* of each cell */
};

extern const struct counter_row counter_rows[];
extern const size_t counter_nrows;
/* Of an application: all are counters, with the label app. */
extern const struct counter_row counter_app_rows[];
extern const size_t counter_napp_rows;

#endif

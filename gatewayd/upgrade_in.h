/* An upgrade, for those who tell how far it is, and who find one. */
#ifndef GATEWAYD_UPGRADE_IN_H
#define GATEWAYD_UPGRADE_IN_H

#include <stddef.h>
#include <stdint.h>

#include "gatewayd/pauses.h"
#include "gatewayd/transfer.h"
#include "proto/limits.h"

struct event;
struct event_base;

enum upgrade_phase {
	UPGRADE_NONE,
	UPGRADE_STARTING,
	UPGRADE_MOVING,
	UPGRADE_HOLDING,
	UPGRADE_COMMITTING,
	UPGRADE_BACK,
	UPGRADE_LEAVING,	/* the new ones, after all have gone back */
	UPGRADE_INTERRUPTED,	/* by the end of an earlier gateway */
	UPGRADE_NPHASES
};
enum upgrade_end {
	UPGRADE_DONE,
	UPGRADE_UNDONE,		/* the operator wanted it back */
	UPGRADE_FAILED,		/* something was wrong with it */
	UPGRADE_NENDS
};
struct pair {			/* a shard, and the one that takes its place */
	struct shard	*old, *new;
	uint64_t	 was, is;	/* their incarnations */
	unsigned	 moved;		/* percent of its connections, or tried to */
};

struct upgrade {
	struct event_base *base;
	const struct settings *settings;
	struct placement *placement;
	struct roster	*roster;
	struct balance	*balance;
	struct totals	*totals;
	struct event	*timer;
	enum upgrade_phase phase;
	struct generation *old, *new;	/* new: held by the new shards, too */
	unsigned	 number;	/* of new, for when it is gone */
	unsigned	 percent;
	struct pair	 pairs[SLOTS_MAX];
	size_t		 npairs, at;	/* at: which of them is its turn */
	struct transfer	*transfer;	/* under way */
	struct transfer_count sum;	/* of those that are over */
	struct transfer_count last;	/* of them; of no use while it goes on */
	struct pauses	 pauses;
	uint64_t	 began, ended;	/* clock_ms */
	uint64_t	 began_wall, ended_wall;	/* ms since 1970; 0: never */
	uint64_t	 ends[UPGRADE_NENDS];	/* how many have ended so */
	enum upgrade_end end;		/* of this one, when it goes back */
	uint64_t	 asked;		/* clock_ms: starting, since when */
	uint64_t	 until;		/* clock_ms: holding, or starting */
	char		 worker[512];
	char		 result[256];	/* how it ended; "" while it goes on */
	int		 ok;
};

/* Is it the process that it was, and does it serve? */
int	 upgrade_lives(const struct shard *s, uint64_t incarnation);
/* How many pairs are this time's. */
size_t	 upgrade_turns(const struct upgrade *u);
/* How many of a shard's connections are this time's: all, or a part. */
size_t	 upgrade_part(const struct upgrade *u, const struct shard *s);
const char *upgrade_phase_name(enum upgrade_phase phase);
const char *upgrade_end_name(enum upgrade_end end);

#endif

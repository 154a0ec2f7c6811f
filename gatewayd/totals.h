/* What has happened since this gateway started, in numbers. */
#ifndef GATEWAYD_TOTALS_H
#define GATEWAYD_TOTALS_H

#include <stdint.h>

#include "common/histogram.h"
#include "gatewayd/refusal.h"
#include "proto/close_why.h"

struct ledger;

struct totals {
	uint64_t accepted;		/* connections */
	uint64_t requests;		/* heads read, at home too */
	uint64_t raw;			/* connections to raw listeners */
	uint64_t handed;		/* adopted by shards */
	uint64_t home;			/* came home */
	uint64_t refused;		/* answered with an error by the gateway */
	uint64_t refusals[REFUSED_NWHYS];	/* the same, by reason */
	uint64_t handover[HISTOGRAM_CELLS];	/* from head to adopted */
	uint64_t watchdog;		/* shards killed, as they hung */
	uint64_t gone[CLOSE_NWHYS];	/* as the shards say */
	uint64_t moved;			/* from one shard to another */
	uint64_t stayed;		/* were to move, and did not */
	uint64_t survived;		/* went on when their shards died */
	uint64_t lost_by_death;		/* did not */
	uint64_t pauses[HISTOGRAM_CELLS];	/* of those that moved */
	uint64_t pause_max;		/* us, since it was asked for anew */
	uint64_t second_release;	/* should be 0 */
	struct ledger *ledger;		/* what the shards count themselves */
};

/* Somebody is refused. */
static inline void
totals_refuse(struct totals *t, enum refusal why)
{
	t->refused++;
	t->refusals[why]++;
}

#endif

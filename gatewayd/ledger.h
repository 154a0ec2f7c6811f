/*
 * What all shards of this node have counted (proto/counters.h) since the gateway
 * started: what the living ones say, and what those said that are dead.  A shard
 * that is found counts from then on only.  No sum ever falls, whatever a shard
 * writes into its page.
 */
#ifndef GATEWAYD_LEDGER_H
#define GATEWAYD_LEDGER_H

#include <stddef.h>
#include <stdint.h>

struct ledger;
struct pulse;

#define LEDGER_APPS	64	/* names of applications; others share the last */

struct ledger *ledger_new(void);	/* NULL with errno */
void	 ledger_free(struct ledger *l);
/* The shard in this slot said hello, for the first time or again; ours: the gateway
 * has started it. */
void	 ledger_begin(struct ledger *l, uint32_t slot, const struct pulse *p,
	    int ours);
/* Read what it has counted by now. */
void	 ledger_look(struct ledger *l, uint32_t slot, const struct pulse *p);
/* It is dead; its page is still there. */
void	 ledger_end(struct ledger *l, uint32_t slot, const struct pulse *p);

/* Of all shards, as of the last look: a cell of a METRIC_COUNTER or a histogram. */
uint64_t ledger_sum(const struct ledger *l, unsigned cell);
/* Of one shard: a cell of a METRIC_GAUGE; 0 if none is there. */
uint64_t ledger_gauge(const struct ledger *l, uint32_t slot, unsigned cell);
/* Applications, i < ledger_napps(): names are printable, without '"' and '\'. */
size_t	 ledger_napps(const struct ledger *l);
const char *ledger_app(const struct ledger *l, size_t i);
uint64_t ledger_app_sum(const struct ledger *l, size_t i, unsigned cell);

#endif

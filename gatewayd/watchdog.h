/*
 * The watchdog feels the pulse of all shards, and kills those that hang.  Before, who
 * decides in a group is another one.
 */
#ifndef GATEWAYD_WATCHDOG_H
#define GATEWAYD_WATCHDOG_H

struct election;
struct event_base;
struct shards;
struct totals;
struct watchdog;

/* ms: how long a shard may say nothing.  All is borrowed.  NULL with errno. */
struct watchdog *watchdog_new(struct event_base *base, unsigned ms,
	    struct shards *shards, struct election *election,
	    struct totals *totals);
void	 watchdog_free(struct watchdog *w);	/* w may be NULL */

#endif

/*
 * Acts are what the operator has done by kennelctl, each at once: the answer says what
 * was, or begins to be.  ACT's text is the act's name:
 *
 *	who	uid, or value: 16 hexadecimal digits of an id	where it is
 *	close	the same				end its connections
 *	place	group, uid, app (may be empty)		where a newcomer would go
 *	drain	slot, ms (0: as configured)		empty a shard, for good
 *	restart	slot, ms				empty it, and start another
 *	rebalance					even out
 *	upgrade	value: a worker, or empty			another program
 *	canary	the same, and slot: percent			of a part
 *	back, commit					of it
 *	gateway						the same of the gateway
 *	reload						read the configuration
 *	log-level	value				of the gateway and its shards
 *
 * An answer is an object; with a member "error", nothing was done.
 */
#ifndef GATEWAYD_ACTS_H
#define GATEWAYD_ACTS_H

#include <stddef.h>

struct balance;
struct configuration_news;
struct ctl;
struct json_t;
struct placement;
struct ledger;
struct rollcall;
struct roster;
struct settings;
struct upgrade;

struct acts {
	struct settings	*settings;
	struct placement *placement;
	struct roster	*roster;
	struct balance	*balance;
	struct upgrade	*upgrade;
	const struct rollcall *rollcall;	/* NULL: this node is alone */
	struct ledger	*ledger;
	int		(*reload)(void *arg, struct configuration_news *news);
	int		(*succeed)(void *arg, char *why, size_t size);
	void		*arg;
};

/* Do what ACT says.  The answer, the caller's; NULL: no memory. */
struct json_t *acts_run(const struct acts *a, const struct ctl *act);

#endif

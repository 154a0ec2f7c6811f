/* The end of all parts of a gateway. */
#include <stdlib.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/proc.h"
#include "gatewayd/admin.h"
#include "gatewayd/anchor.h"
#include "gatewayd/arrival.h"
#include "gatewayd/balance.h"
#include "gatewayd/check.h"
#include "gatewayd/door.h"
#include "gatewayd/elsewhere.h"
#include "gatewayd/forget.h"
#include "gatewayd/handoff.h"
#include "gatewayd/jail.h"
#include "gatewayd/ledger.h"
#include "gatewayd/linger.h"
#include "gatewayd/parts.h"
#include "gatewayd/placement.h"
#include "gatewayd/quota.h"
#include "gatewayd/redisd.h"
#include "gatewayd/roster.h"
#include "gatewayd/succession.h"
#include "gatewayd/upgrade.h"

void
parts_free(struct gateway *g)
{
	admin_free(g->admin);
	anchors_free(g->anchors);
	succession_free(g->succession);
	upgrade_free(g->upgrade);
	balance_free(g->balance);
	door_free(g->door);
	checks_free(g->checks);
	forgets_free(g->forgets);
	elsewheres_free(g->elsewheres);
	handoffs_free(g->handoffs);
	placement_free(g->placement);
	quotas_free(g->quotas);
	roster_free(g->roster);
	ledger_free(g->totals.ledger);
	arrivals_free(g->arrivals);
	linger_free(g->linger);
	redisd_free(g->redisd);
	parts_unlink(g);
	jail_free(g->filter);
	free(g->redis_url);
}

void
parts_unlink(const struct gateway *g)
{
	static const char *const	 names[] = { "control.sock",
					    "redis.sock", "redis.pid" };
	int				 fd;

	if ((fd = proc_dir_open(g->settings.run_dir)) != -1) {
		for (size_t i = 0; i < nitems(names); i++)
			unlinkat(fd, names[i], 0);
		close(fd);
	}
	admin_unlink(&g->settings);
	sockets_unlink(&g->sockets);
}

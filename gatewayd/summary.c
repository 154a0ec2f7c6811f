/* The gateway in one line. */
#include <stdio.h>

#include "common/list.h"
#include "gatewayd/placement.h"
#include "gatewayd/roster.h"
#include "gatewayd/shard.h"
#include "gatewayd/status.h"
#include "gatewayd/summary.h"

/* "3 groups", "1 group" */
static const char *
summary_s(size_t n)
{
	return (n == 1 ? "" : "s");
}

void
summary_write(const struct status *st, char *dst, size_t size)
{
	const struct list	*groups = placement_groups(st->placement);
	size_t			 places = placement_count(st->placement);
	size_t			 ngroups = 0, ready = 0, slots = 0, total;

	for (struct list *e = groups->next; e != groups; e = e->next)
		ngroups++;
	total = st->roster == NULL ? 0 : roster_nslots(st->roster);
	for (size_t i = 0; i < total; i++) {
		ready += roster_slot(st->roster, i)->state == SHARD_READY;
		slots += roster_slot(st->roster, i)->state != SHARD_EMPTY;
	}
	snprintf(dst, size, "%s%zu connection%s in %zu group%s, %zu of %zu "
	    "shard%s ready, %s", st->leaving ? "leaving, " : "", places,
	    summary_s(places), ngroups, summary_s(ngroups), ready, slots,
	    summary_s(slots), st->redis_url == NULL ||
	    st->redis_url[0] == '\0' ? "no Redis" : st->redis_up ?
	    "Redis up" : "Redis down");
}

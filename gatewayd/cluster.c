/* This node among others. */
#include <inttypes.h>

#include "common/list.h"
#include "common/log.h"
#include "gatewayd/cluster.h"
#include "gatewayd/placement.h"
#include "gatewayd/rollcall.h"
#include "gatewayd/roster.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "proto/control.h"

void
cluster_say_alone(const struct settings *s)
{
	if (!settings_shared(s))
		log_info("node=%s is alone: its Redis is its own, if any; "
		    "several nodes share one that --redis names", s->node);
	else if (!s->cluster)
		log_warn("node=%s is alone: others could speak for nodes in "
		    "this Redis, which is neither on a Unix socket nor behind "
		    "TLS; give all nodes the same cluster_key_file", s->node);
}

size_t
cluster_living(struct roster *r, struct rollcall_shard *at, size_t max)
{
	struct shard	*s;
	size_t		 n = 0;

	for (size_t i = 0; r != NULL && n < max && i < roster_nslots(r); i++) {
		s = roster_slot(r, i);
		if (s->pid != 0 && s->incarnation != 0)
			at[n++] = (struct rollcall_shard){ s->slot,
			    s->incarnation };
	}
	return (n);
}

void
cluster_load(struct placement *p, size_t *connections, size_t *groups)
{
	*connections = placement_count(p);
	*groups = list_count(placement_groups(p));
}

void
cluster_tell_dead(struct roster *r, const char *node,
    const struct rollcall_shard *dead)
{
	struct ctl	 m = { .type = CTL_DEAD, .text = slice_str(node) };

	if (dead != NULL) {
		m.slot = dead->slot;
		m.incarnation = dead->incarnation;
		log_info("node=%s slot=%u incarnation=%016" PRIx64 " is dead",
		    node, (unsigned)dead->slot, dead->incarnation);
	}
	for (size_t i = 0; r != NULL && i < roster_nslots(r); i++)
		if (shard_open(roster_slot(r, i)))
			shard_tell(roster_slot(r, i), &m, NULL);
}

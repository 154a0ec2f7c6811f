/* This node among others. */
#include <inttypes.h>

#include "common/list.h"
#include "common/log.h"
#include "gatewayd/cluster.h"
#include "gatewayd/obituary.h"
#include "gatewayd/parts.h"
#include "gatewayd/placement.h"
#include "gatewayd/quota.h"
#include "gatewayd/registry.h"
#include "gatewayd/rollcall.h"
#include "gatewayd/roster.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "proto/control.h"
#include "proto/keys.h"

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

int
cluster_shared(void *arg)
{
	const struct gateway	*g = arg;

	if (!g->settings.cluster || g->registry == NULL)
		return (0);
	return (registry_up(g->registry) ? 1 : -1);
}

size_t
cluster_living(struct rollcall_shard *at, size_t max, void *arg)
{
	const struct gateway	*g = arg;
	struct shard		*s;
	size_t			 n = 0;

	for (size_t i = 0; g->roster != NULL && n < max &&
	    i < roster_nslots(g->roster); i++) {
		s = roster_slot(g->roster, i);
		if (s->pid != 0 && s->incarnation != 0)
			at[n++] = (struct rollcall_shard){ s->slot,
			    s->incarnation };
	}
	return (n);
}

void
cluster_load(size_t *connections, size_t *groups, void *arg)
{
	const struct gateway	*g = arg;

	*connections = placement_count(g->placement);
	*groups = list_count(placement_groups(g->placement));
}

/* Tell all shards here. */
static void
cluster_tell(const struct gateway *g, const struct ctl *m)
{
	for (size_t i = 0; g->roster != NULL && i < roster_nslots(g->roster);
	    i++)
		if (shard_open(roster_slot(g->roster, i)))
			shard_tell(roster_slot(g->roster, i), m, NULL);
}

void
cluster_dead(const char *node, const struct rollcall_shard *dead, void *arg)
{
	struct ctl	 m = { .type = CTL_DEAD, .text = slice_str(node) };

	if (dead != NULL) {
		m.slot = dead->slot;
		m.incarnation = dead->incarnation;
		log_info("node=%s slot=%u incarnation=%016" PRIx64 " is dead",
		    node, (unsigned)dead->slot, dead->incarnation);
	}
	cluster_tell(arg, &m);
}

void
cluster_lost(const struct obituary *o, void *arg)
{
	const struct gateway	*g = arg;
	struct ctl		 m = { .type = CTL_OBITUARY,
				    .group = o->group, .text = o->uids };
	size_t			 len;

	if (keys_address_parse(o->address, &len, &m.slot, &m.incarnation) == -1)
		return;
	m.value = slice_of(o->address.data, len);
	if (slice_is(m.value, g->settings.node)) {
		m.value.len = 0;
		if (g->roster != NULL && roster_knows(g->roster, m.incarnation))
			return;		/* it lives */
	}
	cluster_tell(g, &m);
}

void
cluster_news(enum registry_news news, const char *node, void *arg)
{
	const struct gateway	*g = arg;

	if (g->quotas == NULL)
		return;
	switch (news) {
	case REGISTRY_UP:
	case REGISTRY_BACK:
		quotas_up(g->quotas, news == REGISTRY_BACK);
		break;
	case REGISTRY_FORGOTTEN:
		quotas_forgotten(g->quotas);
		break;
	case REGISTRY_FOUND:
		quotas_found(g->quotas);
		break;
	case REGISTRY_DEAD:
		quotas_node_dead(g->quotas, node);
		break;
	case REGISTRY_TICK:
		quotas_tick(g->quotas);
		break;
	}
}

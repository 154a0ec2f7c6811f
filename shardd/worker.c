/* What a worker does as a whole: it gets ready, drains, and leaves. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdlib.h>
#include <string.h>

#include "common/budget.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "proto/page.h"
#include "shardd/client/clients.h"
#include "shardd/client/conn.h"
#include "shardd/client/unfinished.h"
#include "shardd/gauges.h"
#include "shardd/kennel.h"
#include "shardd/peers/wire.h"
#include "shardd/session/parting.h"
#include "shardd/state/authority.h"
#include "shardd/state/store.h"
#include "shardd/worker.h"

#define WORKER_REDIS_MS	500	/* that READY waits for Redis */

int
worker_tell(struct worker *w, const struct ctl *m)
{
	return (gate_tell(&w->gate, m));
}

/* ---- the gateway's START ---- */

/* If an application decides, there is a store.  0, or -1 with errno. */
static int
worker_open_store(struct worker *w, const char *url)
{
	const struct applications	*apps = &w->sessions.apps;

	for (size_t i = 0; i < apps->n; i++)
		if (apps->at[i].decide != NULL && w->desk.store == NULL &&
		    (w->desk.store = store_new(w->base, url, lookup_prefix(
		    w->groups.hood.lookup), w->opt.store_ttl,
		    w->opt.store_visit_ttl)) == NULL)
			return (-1);
	return (0);
}

/* Other nodes have the same store: who decides, its epochs say.  0, or -1 with errno. */
static int
worker_share_store(struct worker *w)
{
	const char	*prefix = lookup_prefix(w->groups.hood.lookup);
	char		 ours[NODE_MAX + 2];

	snprintf(ours, sizeof(ours), "%s/", w->node);
	w->desk.us = keys_shard(prefix, w->address);
	w->desk.ours = keys_shard(prefix, ours);
	store_set_replicas(w->desk.store, w->opt.store_replicas);
	return (w->desk.us == NULL || w->desk.ours == NULL ? -1 : 0);
}

/* If Redis is shared with other nodes, there is a bus.  0, or -1 with errno. */
static int
worker_open_bus(struct worker *w, const char *url, const char *prefix)
{
	const char	*cluster = options_get(&w->opt, "cluster");
	const char	*key = options_get(&w->opt, "cluster_key");
	struct bus_self	 self = { url, prefix, w->node, w->address,
			    slice_str(key) };

	if (cluster == NULL || url == NULL || *url == '\0' ||
	    w->groups.hood.bus != NULL)
		return (0);
	return (groups_start_bus(&w->groups, &self));
}

int
worker_start(struct worker *w)
{
	const char	*url = options_get(&w->opt, "redis");
	const char	*prefix = options_get(&w->opt, "redis_prefix");
	const struct lookup_self self = { w->node, w->address, w->started };

	if (w->started_up)
		return (0);
	if (groups_start(&w->groups, &self, url == NULL ? "" : url,
	    prefix == NULL || *prefix == '\0' ? KEYS_PREFIX : prefix) == -1 ||
	    applications_limit(&w->sessions.apps, &w->opt) == -1) {
		log_warn("lookup: %s", strerror(errno));
		return (-1);
	}
	w->sessions.lookup = w->groups.hood.lookup;
	if (worker_open_bus(w, url, lookup_prefix(w->groups.hood.lookup)) == -1) {
		log_warn("bus: %s", strerror(errno));
		return (-1);
	}
	if (url != NULL && *url != '\0' && worker_open_store(w, url) == -1) {
		log_warn("store: %s", strerror(errno));
		return (-1);
	}
	if (w->groups.hood.bus != NULL && w->desk.store != NULL &&
	    worker_share_store(w) == -1)
		return (-1);
	w->started_up = 1;
	budget_set(w->opt.turn_ms);
	if (applications_launch(&w->sessions.apps) == -1)
		exit(1);		/* gatewayd starts another one */
	return (0);
}

/* Say READY, if it is owed. */
static void
worker_say_ready(struct worker *w)
{
	const struct ctl	 m = { .type = CTL_READY };

	if (w->ready_since == 0)
		return;
	w->ready_since = 0;
	worker_tell(w, &m);
}

void
worker_get_ready(struct worker *w)
{
	w->ready_since = clock_ms();
	if (groups_are_connected(&w->groups))
		worker_say_ready(w);
}

/* ---- what the groups lead to ---- */

/* A link ended: the gateway is told. */
static void
worker_link_lost(void *arg, const struct peer_id *peer, const char *why)
{
	const struct ctl	 m = { .type = CTL_LINK_LOST,
				    .slot = peer->slot,
				    .incarnation = peer->incarnation,
				    .text = slice_str(why) };

	worker_tell(arg, &m);
}

/* A link is gone, with all that waited: whoever was paused for it goes on. */
static void
worker_links_eased(void *arg)
{
	struct worker	*w = arg;
	struct list	*e, *tmp;

	list_each(e, tmp, &w->sessions.clients.conns)
		conn_resume(list_entry(e, struct conn, at), PAUSE_LINK);
}

/* Our entries are listed, or other nodes heard: READY, where that is owed. */
static void
worker_connected(void *arg)
{
	struct worker	*w = arg;

	if (groups_are_connected(&w->groups))
		worker_say_ready(w);
}

/* How many connections there are. */
static size_t
worker_connections(void *arg)
{
	struct worker	*w = arg;

	return (w->sessions.clients.n);
}

static const struct groups_ops worker_groups_ops = {
	.link_lost = worker_link_lost,
	.links_eased = worker_links_eased,
	.connected = worker_connected,
	.connections = worker_connections,
};

/* ---- leaving ---- */

/* Our entries are gone, too. */
static void
worker_retired_cb(void *arg)
{
	(void)arg;
	turn_stop();
}

/* Everybody has gone: our entries too, then the end. */
static void
worker_retire(struct worker *w)
{
	w->draining = 2;
	groups_dismiss(&w->groups);
	if (w->groups.hood.lookup != NULL)
		lookup_retire(w->groups.hood.lookup, worker_retired_cb, NULL);
	else
		turn_stop();
}

void
worker_drain(struct worker *w, unsigned ms, enum close_why why)
{
	const struct ctl	 m = { .type = CTL_LEAVING };

	if (w->draining)
		return;
	log_info("draining connections=%zu within_ms=%u", w->sessions.clients.n, ms);
	w->draining = 1;
	w->gate.leaving = 1;
	w->drain_since = clock_ms();
	w->drain_total = w->sessions.clients.n;
	w->drain_ms = ms == 0 ? 1 : ms;
	w->drain_why = why;
	links_leave(w->groups.hood.links);
	worker_tell(w, &m);
}

/*
 * Close so many that all are told after half of the time: in random order, so
 * that a page of clients does not come back as one.
 */
static void
worker_drain_step(struct worker *w)
{
	struct clients	*all = &w->sessions.clients;
	uint64_t	 age = clock_ms() - w->drain_since;
	uint64_t	 half = w->drain_ms / 2;
	uint64_t	 pace = w->drain_total < half ? w->drain_total : half;
	size_t		 keep = 0;
	struct conn	*c;

	if (clients_none(all) && parting_none(&w->sessions) &&
	    (!links_any_wait(w->groups.hood.links) || age >= w->drain_ms)) {
		worker_retire(w);
		return;
	}
	if (age < pace)
		keep = (size_t)(w->drain_total - w->drain_total * age / pace);
	for (size_t n = list_count(&all->conns); n > keep; n--) {
		c = list_entry(bytes_random64() & 1 ? all->conns.next :
		    all->conns.prev, struct conn, at);
		conn_close(c, w->drain_why, close_code(w->drain_why),
		    close_sentence(w->drain_why));
	}
	if (age >= w->drain_ms) {
		log_info("draining is over: cut off connections=%zu",
		    all->n);
		worker_retire(w);
	}
}

/* At most once a second. */
static void
worker_say_dropped(struct worker *w)
{
	uint64_t	 now = clock_ms(), dropped = w->sessions.clients.dropped;

	if (dropped == w->dropped_said || now - w->dropped_at < 1000)
		return;
	log_info("slow clients: dropped messages=%llu total=%llu",
	    (unsigned long long)(dropped - w->dropped_said),
	    (unsigned long long)dropped);
	w->dropped_said = dropped;
	w->dropped_at = now;
}

/* What the gateway shows of us. */
static void
worker_gauges(const struct worker *w)
{
	const struct lookup	*lookup = w->groups.hood.lookup;
	struct gauges		 now = { .unfinished = unfinished_sum(
				    w->sessions.clients.unfinished) };

	now.link_queued = links_queued(w->groups.hood.links, &now.links);
	if (lookup != NULL) {
		now.redis_up = lookup_up(lookup);
		now.listed = lookup_listed(lookup);
	}
	gauges_set(&now);
}

void
worker_tick(void *arg)
{
	struct worker	*w = arg;

	parting_late(&w->sessions);
	/* Without Redis it goes, too: neighbours ask us. */
	if (w->ready_since != 0 &&
	    clock_ms() - w->ready_since > WORKER_REDIS_MS)
		worker_say_ready(w);
	worker_say_dropped(w);
	worker_gauges(w);
	log_catch_up();
	memory_tidy(clock_ms());
	authority_tick_all(&w->desk);
	groups_tick(&w->groups);
	/* Whoever connects is to wait, but not for ever. */
	if (w->orphan_since != 0 && clock_ms() - w->orphan_since > DOORWAYS_MS)
		doorways_close(&w->doorways);
	if (w->draining == 1)
		worker_drain_step(w);
	else if (!w->draining && w->orphan_since != 0 &&
	    clock_ms() - w->orphan_since > w->opt.orphan_ms) {
		log_warn("no gateway for %u ms, leaving", w->opt.orphan_ms);
		worker_drain(w, w->opt.drain_ms, CLOSE_GOING);
	}
}

/* ---- life of the groups ---- */

int
worker_init_groups(struct worker *w)
{
	const struct peer_id	 self = { NULL, w->slot, w->incarnation };

	authority_desk_init(&w->desk, w->base, w->page, &w->opt.store_max);
	if (groups_init(&w->groups, w->base, &self, w->node,
	    &w->opt.whisper_ask, &w->desk, &w->sessions.clients,
	    &worker_groups_ops, w) == -1)
		return (-1);
	links_set_version(w->groups.hood.links, w->version);
	w->wires = wires_new(w->groups.hood.links, w->link_path);
	return (w->wires == NULL ? -1 : 0);
}

void
worker_end_groups(struct worker *w)
{
	wires_free(w->wires);
	groups_end_links(&w->groups);
	groups_clear(&w->groups);
	w->sessions.lookup = NULL;
	store_free(w->desk.store);
	free(w->desk.us);
	free(w->desk.ours);
}

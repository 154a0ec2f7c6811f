/* What shards say of connections on their way. */
#include "gatewayd/handoff.h"
#include "gatewayd/parts.h"
#include "gatewayd/passages.h"
#include "gatewayd/rescue.h"
#include "gatewayd/successor.h"
#include "gatewayd/upgrade.h"

/* A shard takes connections: those who wait for it go there. */
void
passages_ready(struct shard *s, void *gateway)
{
	struct gateway	*g = gateway;

	handoff_shard_ready(g->handoffs, s);
	rescue_shard_ready(g->rescues, s);
	successor_lend(g, s);
}

/* The channel of a shard has ended: what was on its way is placed afresh. */
void
passages_dead(struct shard *s, void *gateway)
{
	struct gateway	*g = gateway;

	handoff_shard_dead(g->handoffs, s);
	rescue_shard_dead(g->rescues, s);
}

/* A shard has died: who can go on without it does, in one of the shards that an upgrade
 * leaves open. */
size_t
passages_dying(struct shard *s, void *gateway)
{
	struct gateway	*g = gateway;

	upgrade_dying(g->upgrade, s);
	return (rescue_begin(g->rescues, s));
}

/* A shard has a connection. */
void
passages_adopted(struct shard *s, uint64_t id, void *gateway)
{
	struct gateway	*g = gateway;

	if (rescue_adopted(g->rescues, s, id) == -1)
		handoff_adopted(g->handoffs, s, id);
}

/* A shard does not take a connection. */
void
passages_refused(struct shard *s, uint64_t id, struct slice why, int leaving,
    void *gateway)
{
	struct gateway	*g = gateway;

	if (rescue_refused(g->rescues, s, id, why, leaving) == -1)
		handoff_refused(g->handoffs, s, id, why, leaving);
}

/* A shard sends a connection home. */
void
passages_home(struct shard *s, const struct capsule *c, int fd, void *gateway)
{
	struct gateway	*g = gateway;

	handoff_home(g->handoffs, s, c, fd);
}

/* A packet of a shard is over. */
void
passages_packet(struct shard *s, void *gateway)
{
	struct gateway	*g = gateway;

	handoff_packet(g->handoffs, s);
	rescue_shard_sent(g->rescues, s);
}

/* The channel of a shard goes on. */
void
passages_sent(struct shard *s, void *gateway)
{
	struct gateway	*g = gateway;

	handoff_sent(g->handoffs, s);
	rescue_shard_sent(g->rescues, s);
}

/* Who takes the clients of a shard that is to be emptied. */
#include "gatewayd/crew.h"
#include "gatewayd/generation.h"
#include "gatewayd/placement.h"
#include "gatewayd/relief.h"
#include "gatewayd/roster.h"
#include "gatewayd/shard.h"

int
relief_serves(struct roster *r, const struct shard *s)
{
	const struct shard	*to;

	for (size_t i = 0; i < roster_nslots(r); i++) {
		to = roster_slot(r, i);
		if (to != s && to->state == SHARD_READY && !to->site->leaving)
			return (1);
	}
	return (0);
}

int
relief_comes(struct roster *r, const struct shard *s)
{
	const struct shard	*to;

	if (roster_grow(r) == 0 || roster_starting(r))
		return (1);
	for (size_t i = 0; i < roster_nslots(r); i++) {
		to = roster_slot(r, i);
		if (to != s && (to->state == SHARD_WAITING ||
		    to->state == SHARD_LEAVING ||
		    (to->state == SHARD_READY && to->site->leaving)))
			return (1);
	}
	return (0);
}

int
relief_beside(struct roster *r, const struct shard *s, struct generation *g)
{
	const struct generations	*gs = &roster_shards(r)->generations;

	if (roster_starting(r))
		return (1);
	if (g == NULL)
		return (roster_replace(r, s, gs->current, 0) == 0);
	return (roster_replace(r, s, g, 1) == 0);
}

int
relief_came(struct roster *r, const struct shard *s, uint64_t since)
{
	const struct shard	*to;

	for (size_t i = 0; i < roster_nslots(r); i++) {
		to = roster_slot(r, i);
		if (to != s && to->since >= since &&
		    (to->state == SHARD_STARTING || to->state == SHARD_READY))
			return (1);
	}
	return (0);
}

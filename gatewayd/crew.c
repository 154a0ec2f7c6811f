/* The shards that are always to run. */
#include "common/clock.h"
#include "gatewayd/crew.h"
#include "gatewayd/placement.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"

size_t
crew_active(const struct shards *all)
{
	size_t	 n = 0;

	for (size_t i = 0; i < all->nslots; i++)
		n += all->slots[i].state == SHARD_STARTING ||
		    all->slots[i].state == SHARD_READY ||
		    all->slots[i].state == SHARD_SILENT;
	return (n);
}

size_t
crew_staying(const struct shards *all, const struct shard *but)
{
	size_t	 n = crew_active(all);

	for (size_t i = 0; i < all->nslots; i++)
		n -= all->slots[i].state == SHARD_READY &&
		    (&all->slots[i] == but || all->slots[i].site->leaving);
	return (n);
}

size_t
crew_serving(const struct shards *all)
{
	size_t	 n = 0;

	for (size_t i = 0; i < all->nslots; i++)
		n += all->slots[i].state == SHARD_STARTING ||
		    all->slots[i].state == SHARD_READY;
	return (n);
}

int
crew_unnamed(const struct shards *all)
{
	for (size_t i = 0; i < all->nslots; i++)
		if (all->slots[i].pid != 0 && all->slots[i].incarnation == 0)
			return (1);
	return (0);
}

size_t
crew_kept(const struct shards *all)
{
	size_t	 n = 0;

	for (size_t i = 0; i < all->nslots; i++)
		n += all->slots[i].kept;
	return (n);
}

size_t
crew_vacant(const struct shards *all)
{
	size_t	 n = 0;

	for (size_t i = 0; i < all->nslots; i++)
		n += all->slots[i].kept && all->slots[i].vacant &&
		    all->slots[i].state == SHARD_EMPTY;
	return (n);
}

struct shard *
crew_idle(struct shards *all)
{
	struct shard	*s, *newest = NULL;
	uint64_t	 now = clock_ms();
	int		 busy = crew_active(all) <= all->settings->shards;

	for (size_t i = 0; i < all->nslots; i++) {
		s = &all->slots[i];
		if (s->kept)
			continue;
		busy |= s->state == SHARD_LEAVING;
		if (s->state != SHARD_READY || s->site->count > 0 ||
		    s->site->taken != s->taken) {
			s->idle_since = now;
			s->taken = s->site == NULL ? 0 : s->site->taken;
		} else if (now - s->idle_since >=
		    all->settings->idle_shard_ms &&
		    (newest == NULL || s->since >= newest->since))
			newest = s;
	}
	return (busy ? NULL : newest);
}

void
crew_keep(struct shards *all)
{
	size_t		 n = crew_kept(all);
	struct shard	*s;

	for (size_t i = 0; n < all->settings->shards && i < all->nslots; i++) {
		s = &all->slots[i];
		if (s->kept || s->state == SHARD_EMPTY ||
		    s->state == SHARD_LEAVING)
			continue;
		s->kept = 1;
		n++;
	}
}

/* The shards that are always to run. */
#include "gatewayd/crew.h"
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
crew_kept(const struct shards *all)
{
	size_t	 n = 0;

	for (size_t i = 0; i < all->nslots; i++)
		n += all->slots[i].kept;
	return (n);
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

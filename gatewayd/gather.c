/* Small groups that are scattered. */
#include "common/list.h"
#include "gatewayd/gather.h"
#include "gatewayd/group.h"
#include "gatewayd/journey.h"
#include "gatewayd/placement.h"
#include "gatewayd/shard.h"

#define GATHER_MAX	64		/* connections of a group, at most, that is
					   gathered in one shard */

void
gather_one(struct placement *p, int (*begin)(struct shard *from,
    struct shard *to, uint64_t replica, void *arg), void *arg)
{
	struct list		*l, *tmp, *e, *tmp2;
	const struct group	*g;
	struct replica		*r, *large, *small;
	size_t			 sum;

	list_each(l, tmp, placement_groups(p)) {
		g = list_entry(l, struct group, at);
		if (g->nreplicas < 2)
			continue;
		large = small = NULL;
		sum = 0;
		list_each(e, tmp2, &g->replicas) {
			r = list_entry(e, struct replica, at);
			sum += r->count;
			if (large == NULL || r->count > large->count)
				large = r;
			if (small == NULL || r->count <= small->count)
				small = r;
		}
		if (large == small || sum > GATHER_MAX ||
		    sum > g->limit / 2 || !site_room(large->site) ||
		    small->over > 0 || small->count == 0)
			continue;
		if (journey_possible(small->site->owner, large->site->owner,
		    g->app) && begin(small->site->owner, large->site->owner,
		    small->id, arg) == 0)
			return;
	}
}

/* Messages to shards that wait until something else has been said. */
#include <stdlib.h>

#include "gatewayd/order.h"
#include "gatewayd/shard.h"
#include "proto/control.h"

struct order {
	struct list	 at;
	struct shard	*to;
	uint64_t	 incarnation;
	struct ctl	 m;		/* without slices */
};

void
order_give(struct list *waiting, struct shard *to, const struct ctl *m)
{
	struct order	*o;

	if (waiting == NULL || (o = malloc(sizeof(*o))) == NULL) {
		shard_tell(to, m, NULL);
		return;
	}
	o->to = to;
	o->incarnation = to->incarnation;
	o->m = *m;
	list_push(waiting, &o->at);
}

void
order_pay(struct list *waiting, const struct shard *but)
{
	struct list	*l, *tmp;
	struct order	*o;

	list_each(l, tmp, waiting) {
		o = list_entry(l, struct order, at);
		list_remove(l);
		if (o->to != but && o->to->incarnation == o->incarnation &&
		    shard_open(o->to))
			shard_tell(o->to, &o->m, NULL);
		free(o);
	}
}

void
order_revoke(struct list *waiting, const struct shard *s)
{
	struct list	*l, *tmp;
	struct order	*o;

	list_each(l, tmp, waiting) {
		o = list_entry(l, struct order, at);
		if (o->to == s || shard_noted(s, o->m.neighbour)) {
			list_remove(l);
			free(o);
		}
	}
}

void
order_drop(struct list *waiting)
{
	struct list	*l, *tmp;

	list_each(l, tmp, waiting) {
		list_remove(l);
		free(list_entry(l, struct order, at));
	}
}

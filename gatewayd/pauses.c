/* How long connections that moved were not read from. */
#include <string.h>

#include <jansson.h>

#include "gatewayd/pauses.h"
#include "gatewayd/totals.h"

void
pauses_begin(struct pauses *p, struct totals *t)
{
	memcpy(p->before, t->pauses, sizeof(p->before));
	t->pause_max = 0;
}

/* The bound that `part` of 100 are not longer than, in us; never over the longest. */
static json_int_t
pauses_bound(const struct pauses *p, const struct totals *t, unsigned part)
{
	uint64_t	 cells[HISTOGRAM_SUM], all = 0, sum = 0, us;

	for (size_t i = 0; i < HISTOGRAM_SUM; i++) {
		cells[i] = t->pauses[i] - (p == NULL ? 0 : p->before[i]);
		all += cells[i];
	}
	if (all == 0)
		return (0);
	for (size_t i = 0; i < HISTOGRAM_BOUNDS; i++)
		if ((sum += cells[i]) * 100 >= all * part) {
			us = histogram_bounds[i] / 1000;
			return ((json_int_t)(us < t->pause_max ? us :
			    t->pause_max));
		}
	return ((json_int_t)t->pause_max);
}

json_t *
pauses_json(const struct pauses *p, const struct totals *t)
{
	return (json_pack("{s:I, s:I, s:I}", "p50", pauses_bound(p, t, 50),
	    "p99", pauses_bound(p, t, 99), "max", (json_int_t)t->pause_max));
}

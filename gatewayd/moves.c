/* What has moved because the operator asked for it. */
#include <string.h>

#include <jansson.h>

#include "common/clock.h"
#include "gatewayd/moves.h"
#include "gatewayd/placement.h"
#include "gatewayd/shard.h"
#include "gatewayd/transfer.h"

struct moves_row *
moves_begin(struct moves *m, size_t row, const char *what, unsigned rate)
{
	struct moves_row	*r = &m->rows[row];

	memset(r, 0, sizeof(*r));
	r->what = what;
	r->rate = rate;
	r->began = clock_ms();
	pauses_begin(&r->pauses, m->totals);
	return (r);
}

void
moves_transfer(struct moves_row *row, const struct transfer *t)
{
	row->now = t;
	row->total += transfer_count(t)->total;
}

void
moves_transferred(struct moves_row *row, const struct transfer *t)
{
	const struct transfer_count	*n = transfer_count(t);

	row->now = NULL;
	row->moved += n->moved;
	row->skipped += n->never;
	row->failed += n->failed;
}

void
moves_end(struct moves_row *row, size_t stayed)
{
	row->ended = clock_ms();
	if (stayed > row->skipped)
		row->skipped = stayed;
}

/* One row as it is now. */
static json_t *
moves_row_json(const struct moves *m, size_t i, size_t uneven)
{
	const struct moves_row	*r = &m->rows[i];
	struct moves_row	 now = *r;
	size_t			 done, left = 0, waiting = 0;

	if (r->now != NULL) {
		moves_transferred(&now, r->now);
		waiting = transfer_count(r->now)->lacks;
	} else if (r->waits != NULL && r->waits->site != NULL)
		waiting = left = r->waits->site->count;
	done = now.moved + now.skipped;
	if (r->ended == 0 && i == MOVES_REBALANCE)
		left = uneven;
	else if (r->ended == 0 && done < now.total && left == 0)
		left = now.total - done;
	return (json_pack("{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, "
	    "s:b, s:o}",
	    "what", r->what,
	    "slot", i == MOVES_REBALANCE ? json_null() :
	    json_integer((json_int_t)i),
	    "moved", (json_int_t)now.moved,
	    "skipped", (json_int_t)now.skipped,
	    "failed", (json_int_t)now.failed,
	    "left", (json_int_t)left,
	    "waiting", (json_int_t)waiting,
	    "ms", (json_int_t)((r->ended != 0 ? r->ended : clock_ms()) -
	    r->began),
	    "left_ms", (json_int_t)(left * 1000 / r->rate),
	    "over", r->ended != 0,
	    "beside", r->beside,
	    "given_up", r->given_up,
	    "pause_us", pauses_json(&r->pauses, m->totals)));
}

json_t *
moves_json(const struct moves *m, size_t uneven)
{
	json_t	*list = json_array();

	for (size_t i = 0; i <= MOVES_REBALANCE; i++)
		if (m->rows[i].what != NULL)
			json_array_append_new(list, moves_row_json(m, i,
			    uneven));
	return (list);
}

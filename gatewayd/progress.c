/* How far an upgrade is. */
#include <jansson.h>

#include "common/clock.h"
#include "gatewayd/balance.h"
#include "gatewayd/pauses.h"
#include "gatewayd/places.h"
#include "gatewayd/progress.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "gatewayd/upgrade_in.h"

size_t
progress_left(const struct upgrade *u)
{
	const struct transfer_count *now;
	const struct pair	*p;
	size_t			 n = 0, done;

	if (u->phase != UPGRADE_STARTING && u->phase != UPGRADE_MOVING)
		return (0);
	if (u->transfer != NULL) {
		now = transfer_count(u->transfer);
		done = now->moved + now->never;
		n += done < now->total ? now->total - done : 0;
	}
	for (size_t i = u->phase == UPGRADE_MOVING ? u->at : 0; i < u->npairs;
	    i++) {
		p = &u->pairs[i];
		if (!upgrade_lives(p->old, p->was) || p->old->retires)
			continue;
		n += u->percent >= 100 ? p->old->site->count :
		    p->moved == u->percent ? 0 : upgrade_part(u, p->old);
	}
	return (n);
}

/* How long until it goes on by itself, in ms; 0: it does not wait. */
static uint64_t
progress_hold(const struct upgrade *u)
{
	uint64_t	 now = clock_ms();

	return (u->phase == UPGRADE_HOLDING && u->until > now ?
	    u->until - now : 0);
}

struct transfer_count
progress_sum(const struct upgrade *u)
{
	struct transfer_count	 sum = u->sum;
	const struct transfer_count *now;

	if (u->transfer != NULL) {
		now = transfer_count(u->transfer);
		sum.moved += now->moved;
		sum.failed += now->failed;
		sum.never += now->never;
	}
	return (sum);
}

json_t *
progress_json(const struct upgrade *u)
{
	struct transfer_count	 sum = progress_sum(u);
	uint64_t		 end = u->phase == UPGRADE_NONE ? u->ended :
				    clock_ms();
	size_t			 left = progress_left(u);
	json_t			*json;

	json = json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
	    "s:I, s:I, s:I, s:I, s:s, s:b}",
	    "phase", upgrade_phase_name(u->phase),
	    "generation", (json_int_t)u->number,
	    "worker", u->worker,
	    "percent", (json_int_t)u->percent,
	    "shards", (json_int_t)(u->npairs == 0 ? 0 : upgrade_turns(u)),
	    "shards_done", (json_int_t)u->at,
	    "moved", (json_int_t)sum.moved,
	    "skipped", (json_int_t)sum.never,
	    "failed", (json_int_t)sum.failed,
	    "left", (json_int_t)left,
	    "waiting", (json_int_t)(u->phase == UPGRADE_NONE ? 0 :
	    balance_waiting(u->balance)),
	    "ms", (json_int_t)(end - u->began),
	    "left_ms", (json_int_t)(left * 1000 / u->settings->move_rate),
	    "hold_ms", (json_int_t)progress_hold(u),
	    "result", u->result,
	    "ok", u->ok);
	if (json != NULL)
		json_object_set_new(json, "pause_us",
		    pauses_json(&u->pauses, u->totals));
	return (json);
}

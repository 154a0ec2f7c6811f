/* Would this node take a connection now? */
#include <string.h>

#include <jansson.h>

#include "gatewayd/placement.h"
#include "gatewayd/ready.h"
#include "gatewayd/roster.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "gatewayd/status.h"

/* Why no shard would take it, or NULL. */
static const char *
ready_shards(const struct status *st)
{
	const struct shard	*s;
	size_t			 ready = 0, n;

	n = st->roster == NULL ? 0 : roster_nslots(st->roster);
	for (size_t i = 0; i < n; i++) {
		s = roster_slot(st->roster, i);
		if (s->state != SHARD_READY || s->site == NULL ||
		    !s->site->usable || s->site->leaving)
			continue;
		ready++;
		if (s->site->count < s->site->capacity)
			return (NULL);
	}
	if (ready == 0)
		return ("no shard is ready");
	return (roster_serving(st->roster) < st->settings->max_shards ? NULL :
	    "all shards are full");
}

size_t
ready_missing(const struct status *st, const char *why[READY_MAX])
{
	const char	*shards = ready_shards(st);
	size_t		 n = 0;

	if (st->leaving)
		why[n++] = "it is leaving";
	else if (!st->listening)
		why[n++] = "it does not listen yet";
	if (shards != NULL)
		why[n++] = shards;
	if (st->settings->ready_redis && !st->redis_up &&
	    strcmp(st->settings->redis, "none") != 0)
		why[n++] = "Redis is away";
	return (n);
}

int
ready_answer(const struct status *st, struct control *c, uint64_t id)
{
	const char	*why[READY_MAX];
	size_t		 n = ready_missing(st, why);
	json_t		*missing = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(missing, json_string(why[i]));
	return (status_send(c, id, json_pack("{s:b, s:o}", "ready", n == 0,
	    "missing", missing)));
}

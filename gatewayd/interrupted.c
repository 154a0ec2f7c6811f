/* An upgrade that an earlier gateway began. */
#include <stdio.h>

#include "gatewayd/generation.h"
#include "gatewayd/interrupted.h"
#include "gatewayd/roster.h"
#include "gatewayd/shard.h"
#include "gatewayd/upgrade_in.h"

/* The shards that serve: of g (on), or of others.  How many. */
static size_t
interrupted_list(const struct upgrade *u, const struct generation *g, int on,
    struct shard *list[SLOTS_MAX])
{
	struct shard	*s;
	size_t		 n = 0;

	for (size_t i = 0; i < roster_nslots(u->roster); i++) {
		s = roster_slot(u->roster, i);
		if (s->state == SHARD_READY && s->generation != NULL &&
		    (s->generation == g) == on)
			list[n++] = s;
	}
	return (n);
}

/* Since when the first of g's shards has been there, in ms since 1970. */
static uint64_t
interrupted_since(const struct upgrade *u, const struct generation *g)
{
	struct shard	*list[SLOTS_MAX];
	size_t		 n = interrupted_list(u, g, 1, list);
	uint64_t	 since = UINT64_MAX;

	for (size_t i = 0; i < n; i++)
		if (list[i]->started < since)
			since = list[i]->started;
	return (since);
}

/*
 * The program that was begun with last, or NULL.  It need not be the one that is configured:
 * the upgrade may have been to another path.  Nor is it that of the youngest shard: an old
 * one that died is started again of its own.
 */
static struct generation *
interrupted_last(const struct upgrade *u)
{
	struct shard		*list[SLOTS_MAX];
	struct generation	*last = NULL;
	size_t			 n = interrupted_list(u, NULL, 0, list);
	uint64_t		 since = 0, s;

	for (size_t i = 0; i < n; i++)
		if ((s = interrupted_since(u, list[i]->generation)) > since) {
			last = list[i]->generation;
			since = s;
		}
	return (last);
}

int
interrupted_find(struct upgrade *u)
{
	struct generations	*gs = &roster_shards(u->roster)->generations;
	struct generation	*new = u->new;
	struct shard		*olds[SLOTS_MAX], *news[SLOTS_MAX];
	size_t			 nold, nnew;

	if (new == NULL || interrupted_list(u, new, 1, news) == 0)
		new = interrupted_last(u);
	nnew = interrupted_list(u, new, 1, news);
	nold = interrupted_list(u, new, 0, olds);
	if (nnew == 0 || nold == 0)
		return (0);
	generation_set(gs, &u->new, new);
	generation_set(gs, &u->old, olds[0]->generation);
	u->number = new->number;
	u->npairs = nold > nnew ? nold : nnew;
	/* Those who are more than the others share one of them. */
	for (size_t i = 0; i < u->npairs; i++) {
		u->pairs[i] = (struct pair){
			.old = olds[i < nold ? i : nold - 1],
			.new = i < nnew ? news[i] : NULL,
		};
		u->pairs[i].was = u->pairs[i].old->incarnation;
		if (i < nnew)
			u->pairs[i].is = news[i]->incarnation;
	}
	snprintf(u->worker, sizeof(u->worker), "%s", new->path);
	snprintf(u->result, sizeof(u->result), "the gateway ended amid it, %zu "
	    "shards are of the old program and %zu of the new one: kennelctl "
	    "upgrade goes on with it, kennelctl back undoes it", nold, nnew);
	return (1);
}

/*
 * An upgrade puts another program in the place of the workers that run, without an end
 * for their clients: new shards beside the old ones, whose connections move.  The old
 * ones are kept until it is committed, so that all can go back.
 *
 *	starting	the next new shard
 *	moving		connections, from old ones to new ones
 *	holding		all (or the part that was asked for) have moved; it is watched
 *	committing	the old shards leave
 *	interrupted	an earlier gateway had begun it (interrupted.h); it goes on, or
 *			back, when the operator says so
 *	back		connections move to the old shards; the new ones leave then
 */
#ifndef GATEWAYD_UPGRADE_H
#define GATEWAYD_UPGRADE_H

#include "common/bytes.h"

struct balance;
struct event_base;
struct placement;
struct roster;
struct settings;
struct shard;
struct totals;
struct upgrade;

/* All is borrowed.  NULL with errno. */
struct upgrade *upgrade_new(struct event_base *base,
	    const struct settings *settings, struct placement *placement,
	    struct roster *roster, struct balance *balance,
	    struct totals *totals);
void	 upgrade_free(struct upgrade *u);	/* u may be NULL */

/*
 * Begin: worker is a path, empty for the configuration's.  percent of the shards, and
 * of their connections, 100: all.  0, or -1 with a sentence in why, and nothing has
 * changed.
 */
int	 upgrade_begin(struct upgrade *u, struct slice worker, unsigned percent,
	    char *why, size_t size);
/* Go back, or do not keep the old ones any longer.  Likewise. */
int	 upgrade_back(struct upgrade *u, char *why, size_t size);
int	 upgrade_commit(struct upgrade *u, char *why, size_t size);
/* Is one under way, also as long as the old shards are kept? */
int	 upgrade_busy(const struct upgrade *u);
/* To whom it is in the way: a sentence. */
const char *upgrade_advice(const struct upgrade *u);
/* A shard is about to be buried.  If it was a new one, the old ones are open again. */
void	 upgrade_dying(struct upgrade *u, const struct shard *s);	/* u: or NULL */
/* All shards that were found have said hello: has an earlier gateway begun one? */
void	 upgrade_look(struct upgrade *u);

#endif

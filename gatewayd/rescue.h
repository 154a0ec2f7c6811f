/*
 * A rescue is a connection that outlives its shard, on its way to another one: its
 * descriptor is our copy, its record what the dead shard's page says of it.  It is
 * placed as a newcomer of its group and uid would be, but for limit_group, within which it
 * keeps its room; handed over, and, when a shard refuses it, dies or does not answer,
 * placed afresh; after RESCUE_TRIES, or RESCUE_WAIT_MS without a shard, it is closed.
 */
#ifndef GATEWAYD_RESCUE_H
#define GATEWAYD_RESCUE_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

struct event_base;
struct lingerers;
struct placement;
struct quotas;
struct rescues;
struct roster;
struct settings;
struct shard;
struct totals;

#define RESCUE_TRIES	3
#define RESCUE_WINDOW	64	/* unanswered, of one shard */
#define RESCUE_WAIT_MS	10000

struct rescue_ops {			/* roster.h's */
	int	(*grow)(struct roster *r);
	void	(*suspect)(struct roster *r, struct shard *s);
};

/* All is borrowed, and outlives the rescues but for their shards.  NULL with errno. */
struct rescues *rescues_new(struct event_base *base,
	    const struct settings *settings, struct totals *totals,
	    struct placement *placement, struct quotas *quotas,
	    struct lingerers *linger,
	    const struct rescue_ops *ops, struct roster *roster);
void	 rescues_free(struct rescues *rs);	/* closes those that are left */
/*
 * A shard is dead, its site still has its places.  Those who can go on lose theirs,
 * and get others at the end of this turn.  Returns how many of those that stay were
 * counted as ended by something else than its death.
 */
size_t	 rescue_begin(struct rescues *rs, struct shard *s);
/* The roster's news: s takes connections; its channel has ended. */
void	 rescue_shard_ready(struct rescues *rs, struct shard *s);
void	 rescue_shard_dead(struct rescues *rs, struct shard *s);
/* There may be room where there was none; the channel of s goes on. */
void	 rescue_retry(struct rescues *rs);
void	 rescue_shard_sent(struct rescues *rs, struct shard *s);
/* s has taken a connection, or has not: 0, or -1: it is none of ours. */
int	 rescue_adopted(struct rescues *rs, struct shard *s, uint64_t id);
int	 rescue_refused(struct rescues *rs, struct shard *s, uint64_t id,
	    struct slice why, int leaving);
/* The gateway leaves: those who wait are closed. */
void	 rescue_leave(struct rescues *rs);
size_t	 rescue_count(const struct rescues *rs);	/* on their way */

#endif

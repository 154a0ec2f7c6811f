/*
 * A quota is how many places a group may have over all nodes (limit_group of its route), and
 * this node's share of them: as many as it has places there.  One more is asked of Redis,
 * where a script adds up what all nodes have; what is not needed any more is given back at
 * once.  Without Redis the share is what it was, and never more.  What a dead node had is
 * taken out by those who live.  Plain requests are not counted.
 */
#ifndef GATEWAYD_QUOTA_H
#define GATEWAYD_QUOTA_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/list.h"

struct group;
struct placement;
struct quotas;
struct redis;

enum quota_answer {
	QUOTA_GRANTED,
	QUOTA_ASKED,		/* told() comes, then it is to be asked again */
	QUOTA_FULL,		/* of all nodes together */
	QUOTA_UNKNOWN		/* Redis is away, and the share is used up */
};

/* Embedded in who waits; at is initialised. */
struct quota_wait {
	struct list	 at;
	int		 asked;		/* Redis was, for this one, too */
};

/* placement is borrowed.  told may ask again, at once.  NULL with errno. */
struct quotas *quotas_new(struct placement *placement,
	    void (*told)(struct quota_wait *w, void *arg), void *arg);
void	 quotas_free(struct quotas *qs);	/* after redis_free() */
/* There may be other nodes; redis is up, or will be.  The strings are borrowed. */
void	 quotas_share(struct quotas *qs, struct redis *redis,
	    const char *prefix, const char *node);

/* May the group have one place more?  Before it is taken. */
enum quota_answer quota_ask(struct quotas *qs, struct slice app,
	    struct slice group, uint32_t limit, struct quota_wait *w);
void	 quota_cancel(struct quota_wait *w);
/*
 * Somebody of that group is about to lose a place and gets another without asking: there
 * is room for it, as long as it is held.  Returns whether the group has a quota; then
 * quota_let(), when it has that place, or none any more.
 */
int	 quota_hold(struct quotas *qs, struct slice app, struct slice group);
void	 quota_let(struct quotas *qs, struct slice app, struct slice group);
/* A place of that group was given up. */
void	 quota_left(struct quotas *qs, const struct group *g);

/* Redis is there, for the first time or again; it has forgotten; the shards that were
 * found have said what they have; that node is dead. */
void	 quotas_up(struct quotas *qs, int again);
void	 quotas_forgotten(struct quotas *qs);
void	 quotas_found(struct quotas *qs);
void	 quotas_node_dead(struct quotas *qs, const char *node);
void	 quotas_tick(struct quotas *qs);	/* each second */

/* For status: the limit, 0: none; and how many all nodes have, as last heard. */
uint32_t quota_limit(const struct quotas *qs, const struct group *g,
	    uint64_t *all);

#endif

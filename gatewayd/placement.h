/*
 * (group, uid) to a shard, and the exact counts.  Pure: no sockets, no loop.
 *
 * A place is taken when the decision is made and released by the first of:
 * gone, coming home, refusal, death of its shard.  Exact = taken and not
 * released, at all times.  Only this module ends a replica: when its count is 0, and it
 * is no anchor (anchor.h).
 */
#ifndef GATEWAYD_PLACEMENT_H
#define GATEWAYD_PLACEMENT_H

#include <stdint.h>

#include "common/bytes.h"
#include "gatewayd/places.h"
#include "gatewayd/spot.h"

struct placement;

/* incarnation: of this gateway. */
struct placement *placement_new(uint64_t incarnation,
	    const struct placement_ops *ops, void *arg);
void	 placement_free(struct placement *p);

/* The id of a connection, unique on this node: 32 bits of the incarnation, 32 of a
 * counter; never 0. */
uint64_t placement_next_id(struct placement *p);

/* sites.  NULL with errno. */
struct site *placement_site_add(struct placement *p, uint32_t slot,
	    uint64_t incarnation, size_t capacity, void *owner);
/*
 * The shard is dead and its channel drained: releases every place, ends every
 * replica, frees it.  With s->dead, a replica that ends lists in `lost` the uids
 * whose last upgraded place in the group went with it.  Returns the number of places
 * released.
 */
size_t	 placement_site_remove(struct placement *p, struct site *s);

struct placement_ask {
	uint64_t	 id;		/* of the connection */
	struct slice	 group;		/* data NULL: none */
	struct slice	 uid, app;
	uint32_t	 limit;		/* per replica */
	enum spot_rule	 place;		/* where a new replica begins */
	int		 http;		/* plain: never moves stickiness or current,
					   never needs a new shard; over the limit
					   rather than refused */
};

enum placement_answer {
	PLACED,
	PLACEMENT_NEED_SHARD,	/* room would need a new shard */
	PLACEMENT_FULL		/* plain HTTP only: no shard at all has room */
};

/*
 * Where a newcomer goes, the first that has room: the replica that the uid was
 * placed in last; the current one of the group; the one with the fewest places; a
 * new one at a site without one, by the rule of its route.  On PLACED *out is set.  ENOMEM
 * reads as PLACEMENT_FULL.
 */
enum placement_answer placement_take(struct placement *p,
	    const struct placement_ask *ask, struct place **out);
/* Why it goes there. */
enum placement_why {
	PLACEMENT_AGAIN,	/* the uid was placed in this replica last */
	PLACEMENT_CURRENT,	/* the group's current replica */
	PLACEMENT_LEAST,	/* the replica with the fewest places */
	PLACEMENT_OVER,		/* the same, over the limit */
	PLACEMENT_SITE,		/* a new replica, at a shard by ask's place */
	PLACEMENT_NOWHERE	/* see the answer */
};
struct placement_forecast {
	enum placement_answer answer;
	enum placement_why why;
	const struct site *site;	/* NULL: nowhere */
};
/* What placement_take() would do now; nothing changes. */
void	 placement_foresee(struct placement *p, const struct placement_ask *ask,
	    struct placement_forecast *f);
/* Each connection, for status: those without a group, too. */
struct place *placement_next(const struct placement *p, size_t *at);
struct place *placement_find(const struct placement *p, uint64_t id);
struct replica *placement_replica(const struct placement *p, uint64_t id);
/*
 * Release.  *last (may be NULL) is set when it was upgraded and its uid has no
 * other upgraded place in the group.  0, or -1 with errno ENOENT: a second
 * release, which changes nothing.
 */
int	 placement_release(struct placement *p, uint64_t id, int *last);

/* The place is another uid's from now on.  0, or -1 with errno ENOMEM, and nothing has
 * changed. */
int	 placement_become(struct place *place, struct slice uid);

/*
 * The place of a plain request is an upgraded one from now on: it counts within the
 * limit where there is room.  0, also if it was one; or -1 with errno ENOMEM, and
 * nothing changed.
 */
int	 placement_stay(struct placement *p, struct place *place,
	    struct slice uid);

/* Taking over what a shard says it has.  0, or -1 with errno EEXIST (the id is
 * known, or the shard has a replica of this group), ENOMEM, EINVAL (no such
 * replica at this site; names over their bounds).  replica 0: no group.  leaves: the
 * shard has begun to give it to another one, which may name it, too. */
int	 placement_have_replica(struct placement *p, struct site *s,
	    uint64_t id, struct slice group, struct slice app,
	    uint32_t limit);
int	 placement_have_place(struct placement *p, struct site *s,
	    uint64_t id, uint64_t replica, struct slice uid, int http,
	    int over, int leaves);
/* End of a shard's list: replicas without places end, or are anchors. */
void	 placement_have_end(struct placement *p, struct site *s);

/* Walking, for status and tests. */
struct list *placement_groups(struct placement *p);	/* struct group.at */
size_t	 placement_count(const struct placement *p);	/* places taken */
size_t	 placement_moving(const struct placement *p);	/* reserve.h */

#endif

/*
 * The groups of a placement and their replicas: found, made, ended; where there is
 * room.  places.h has the structs.
 */
#ifndef GATEWAYD_GROUP_H
#define GATEWAYD_GROUP_H

#include <stdint.h>

#include "common/bytes.h"

struct group;
struct placement;
struct replica;
struct site;

/* The group of that name, or NULL. */
struct group *group_named(const struct placement *p, struct slice app,
	    struct slice name);
/* NULL: no memory, or names over their bounds. */
struct group *group_begin(struct placement *p, struct slice app,
	    struct slice name, uint32_t limit);
void	 group_free(struct placement *p, struct group *g);	/* if it is empty */
/* After a close the least used with room is the next to be filled. */
void	 group_refresh(struct group *g);
/*
 * The least used replica with room, oldest first on a tie.  With within 0, the
 * limit does not count, but what its shard can bear does.
 */
struct replica *group_least(const struct group *g, int within);
/* The replica that a group has at s, or NULL. */
struct replica *group_at(const struct group *g, const struct site *s);

/* id 0: a new one.  NULL: no memory. */
struct replica *replica_new(struct placement *p, struct group *g,
	    struct site *s, uint64_t id);
/* The last place of a replica has gone.  tell: others know the replica. */
void	 replica_free(struct placement *p, struct replica *r, int tell);
int	 replica_room(const struct replica *r);
int	 site_room(const struct site *s);	/* may it take one more? */

#endif

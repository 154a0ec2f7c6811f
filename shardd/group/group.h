/*
 * A group, as far as this shard has to do with it: its replica here, composed with the
 * neighbours, the topics and the state.  The gateway makes it and ends it.
 */
#ifndef SHARDD_GROUP_H
#define SHARDD_GROUP_H

#include <stdint.h>

#include "common/bag.h"
#include "common/bytes.h"
#include "common/map.h"
#include "shardd/group/meeting.h"
#include "shardd/group/neighbours.h"
#include "shardd/group/vigil.h"

struct authority_desk;
struct gossip;
struct kennel_app;
struct link;
struct payload;
struct replica;
struct clients;

struct groups_ops {
	/* The link to that shard ended. */
	void	(*link_lost)(void *arg, const struct peer_id *peer,
		    const char *why);
	/* A link is gone, with all that waited: whoever was paused for it goes on. */
	void	(*links_eased)(void *arg);
	void	(*connected)(void *arg);	/* perhaps: groups_are_connected() */
	size_t	(*connections)(void *arg);
};

/* All groups of this shard; groups.c. */
struct groups {
	struct neighbourhood hood;
	struct map	 replicas;	/* by id */
	struct bag	 by_group;	/* the same, until they are freed */
	struct meetings	 meetings;	/* with other nodes */
	struct vigils	 vigils;	/* for their shards */
	struct authority_desk *desk;	/* what their states share */
	struct clients	*clients;
	const struct groups_ops *ops;
	void		*arg;
	void		(*told)(void *arg);	/* lookup's, of tell_all */
	void		*told_arg;
	struct list	 asks;		/* struct ask: questions to all shards */
};

/* NULL with errno; calls the application's onstart. */
struct replica *group_new(struct groups *gs, uint64_t id, struct slice group,
	    struct slice app_name, const struct kennel_app *app);
/* The gateway's dismissal: members that are still there are doomed with
 * CLOSE_GROUP_GONE; frees when nobody refers to it any more. */
void	 group_dismiss(struct replica *r);
/*
 * What is said to the members of r and to no other replica: where a step makes all
 * replicas say it, each to its own, it is also for who is expected.  topics empty: to
 * all; but those of that uid (data NULL: nobody).
 */
void	 group_emitted(struct replica *r, struct slice topics,
	    struct payload *p, struct slice but);
struct replica *group_find(const struct groups *gs, uint64_t id);
/* A message for r came over l. */
void	 group_message(struct replica *r, struct link *l,
	    const struct gossip *m);

#endif

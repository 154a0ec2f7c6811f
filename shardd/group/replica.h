/*
 * A replica is the part of one group that lives in this shard: the members
 * that hear its emits.  The gateway makes it and ends it.
 */
#ifndef SHARDD_REPLICA_H
#define SHARDD_REPLICA_H

#include <stdint.h>

#include "common/bag.h"
#include "common/bytes.h"
#include "common/list.h"
#include "common/map.h"

struct authority;
struct clients;
struct conn;
struct kennel_app;
struct payload;
struct neighbours;
struct worker;

/* Somebody who waits until the replica is ready, embedded in what waits. */
struct replica_waiter {
	struct list	 at;		/* replica->waiting */
	void		(*ready)(struct replica_waiter *w);
	void		(*gone)(struct replica_waiter *w);	/* dismissed */
};

struct replica {
	struct worker	*worker;
	struct clients	*clients;
	uint64_t	 id;
	struct map_node	 by_id;		/* worker->replicas, key is id */
	const struct kennel_app *app;
	char		*group;		/* terminated copy, group_len bytes */
	size_t		 group_len;
	char		*app_name;	/* as the route says, whoever serves it */
	uint32_t	 limit;
	void		*data;		/* the application's */
	struct conn	**members;	/* dense; in order of joining, but for
					   the last taking a leaver's place */
	size_t		 nmembers, cap;
	struct bag	 uids;		/* the members, by uid */
	struct bag_node	 by_group;	/* lookup.c */
	struct neighbours *neighbours;	/* neighbours.c */
	struct authority *authority;	/* NULL: its application decides nothing */
	struct map	 topics;	/* topics.c */
	struct list	 waiting;	/* struct replica_waiter, while not ready */
	int		 ready;		/* introductions answered */
	int		 dismissed;
	size_t		 refs;		/* connections that belong to it */
};

/* NULL with errno; calls the application's onstart. */
struct replica *replica_new(struct worker *w, uint64_t id, struct slice group,
	    struct slice app_name, const struct kennel_app *app);
/* The gateway's dismissal: members that are still there are doomed with
 * CLOSE_GROUP_GONE; frees when nobody refers to it any more. */
void	 replica_dismiss(struct replica *r);
void	 replica_ref(struct replica *r);
void	 replica_unref(struct replica *r);
struct replica *replica_find(const struct worker *w, uint64_t id);

/*
 * Make c a member.  Returns 0, or -1 with errno and nothing changed: ENOMEM.
 */
int	 replica_join(struct replica *r, struct conn *c);
void	 replica_leave(struct replica *r, struct conn *c);
/*
 * Queue p to every member, but those of the uid `but` (data NULL: to all).
 * Takes a reference per member; the caller keeps its own.  A member over
 * its bound is doomed, not waited for.  Returns the number reached.
 */
size_t	 replica_emit(struct replica *r, struct payload *p, struct slice but);
/* The same to the members of one uid. */
size_t	 replica_whisper(struct replica *r, struct slice uid,
	    struct payload *p);
/* A message for all, but those of that uid (data NULL: for all), did not get here:
 * they are closed, to come back.  Returns how many. */
size_t	 replica_missed(struct replica *r, struct slice but);
/* The same of a message for one uid. */
size_t	 replica_missed_uid(struct replica *r, struct slice uid);
/* Members who were paused because too much of this group waited go on. */
void	 replica_eased(struct replica *r);
/* Is there a member with this uid? */
int	 replica_has(const struct replica *r, struct slice uid);
/* Of every member its uid, in any order. */
void	 replica_each_uid(const struct replica *r,
	    void (*cb)(const struct replica *r, struct slice uid, void *arg),
	    void *arg);
/* neighbours.c says: all have answered, or waited long enough.  Tells all who
 * wait. */
void	 replica_set_ready(struct replica *r);

#endif

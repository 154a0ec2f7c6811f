/*
 * A replica is the part of one group that lives in this shard: the members
 * that hear its emits.  What it has to do with the rest of its group is group.h's.
 */
#ifndef SHARDD_REPLICA_H
#define SHARDD_REPLICA_H

#include <stdint.h>

#include "common/bag.h"
#include "common/bytes.h"
#include "common/list.h"
#include "common/map.h"
#include "common/turn.h"

struct authority;
struct conn;
struct kennel_app;
struct meeting;
struct payload;
struct shelf;
struct groups;
struct neighbours;
struct clients;

/* Somebody who waits until the replica is ready, embedded in what waits. */
struct replica_waiter {
	struct list	 at;		/* replica->waiting */
	void		(*ready)(struct replica_waiter *w);
	void		(*gone)(struct replica_waiter *w);	/* dismissed */
};

struct replica {
	struct clients	*clients;	/* of the members */
	uint64_t	 id;
	const struct kennel_app *app;
	char		*group;		/* terminated copy, group_len bytes */
	size_t		 group_len;
	char		*app_name;	/* as the route says, whoever serves it */
	uint32_t	 limit;
	void		*data;		/* the application's */
	struct conn	**members;	/* dense; in order of joining, but for
					   the last taking a leaver's place */
	size_t		 nmembers, cap;
	uint64_t	 joins;		/* how many have joined; conn->joined */
	struct bag	 uids;		/* the members, by uid */
	struct map	 topics;	/* topics.c */
	size_t		 refs;		/* connections that belong to it */
	uint32_t	 place;		/* of cover_place(), or 0 */
	void		(*free)(struct replica *r);	/* without references */

	/* group.c's: the rest of the group, and what was decided in it. */
	struct groups	*groups;
	struct map_node	 by_id;		/* groups->replicas, key is id */
	struct bag_node	 by_group;	/* groups->by_group */
	struct neighbours *neighbours;	/* NULL: dismissed */
	struct meeting	*meeting;	/* NULL: there are no other nodes */
	struct authority *authority;	/* NULL: its application decides nothing */
	struct list	 answers;	/* struct kennel_answer: owed */
	struct list	 mourned;	/* struct mourning */
	struct list	 waiting;	/* struct replica_waiter, while not ready */
	struct shelf	*shelf;		/* NULL: nobody is expected */
	struct list	 abreast;	/* struct abreast_wait: until it has heard more */
	struct list	 behind;	/* neighbourhood->behind, while one is there */
	uint64_t	 asked;		/* clock_ns: then its neighbours were, for those;
					   0: they are not being asked */
	struct turn_work begin;		/* what came before it is to be heard */
	int		 ready;		/* introductions answered */
	int		 dismissed;
};

static inline struct slice
replica_group(const struct replica *r)
{
	return (slice_of(r->group, r->group_len));
}

void	 replica_ref(struct replica *r);
void	 replica_unref(struct replica *r);

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
/* The same, to all members but this one. */
size_t	 replica_emit_others(struct replica *r, struct payload *p,
	    const struct conn *but);
/* The same to the members of one uid, of those who joined after the first `since`
 * (0: to all). */
size_t	 replica_whisper(struct replica *r, struct slice uid,
	    struct payload *p, uint64_t since);
/* A message for all, but those of that uid (data NULL: for all), did not get here:
 * they are closed, to come back.  Returns how many. */
size_t	 replica_missed(struct replica *r, struct slice but);
/* The same of a message for one uid. */
size_t	 replica_missed_uid(struct replica *r, struct slice uid);
/* Members who were paused because too much of this group waited go on. */
void	 replica_eased(struct replica *r);
/* All members are doomed with CLOSE_GROUP_GONE. */
void	 replica_dismissed(struct replica *r);
/* Is there a member with this uid? */
int	 replica_has(const struct replica *r, struct slice uid);
/* Of every member its group and uid, in any order. */
void	 replica_each_uid(const struct replica *r,
	    void (*cb)(void *arg, struct slice group, struct slice uid),
	    void *arg);
#endif

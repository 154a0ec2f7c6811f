/*
 * This shard's entries in Redis: what is to be said there, and what is said.
 *
 * An entry is what we want Redis to say under one key: of a uid in a group, how many
 * connections it has here; of a group, that it is here.  An entry that cannot be
 * written makes the shard ask to be asked ("ask me"), which is in lookup.h.
 */
#ifndef SHARDD_ENTRIES_H
#define SHARDD_ENTRIES_H

#include "common/bytes.h"
#include "shardd/group/leave.h"
#include "shardd/group/lookup_ops.h"

struct entries;
struct entries_keys;
struct event_base;
struct lookup_ticket;
struct redis;

/* redis NULL: every ticket is confirmed at once.  NULL with errno. */
struct entries *entries_new(struct event_base *base, struct redis *redis,
	    const struct entries_keys *keys, const struct lookup_ops *ops,
	    void *arg);
void	 entries_free(struct entries *es);	/* after redis_free() */
/* Write nothing any more but that nothing is here; emptied comes when that is done. */
void	 entries_retire(struct entries *es, void (*emptied)(void *arg),
	    void *arg);

/* As lookup_enter() and the others of that name. */
struct lookup_ticket *entries_enter(struct entries *es, struct slice group,
	    struct slice uid, void (*confirmed)(void *arg), void *arg);
void	 entries_cancel(struct lookup_ticket *t);
enum leave_answer entries_leave(struct entries *es, struct slice group,
	    struct slice uid, struct leave *w);
void	 entries_group_enter(struct entries *es, struct slice group);
void	 entries_group_leave(struct entries *es, struct slice group);

/* Redis may have forgotten everything, or will. */
void	 entries_unlist(struct entries *es);
/* Redis is there: what our set of keys names and we do not hold goes, too. */
void	 entries_rewrite(struct entries *es);
/* Are the neighbours to ask us?  From the beginning, until all is written. */
int	 entries_are_asking(const struct entries *es);
size_t	 entries_count(const struct entries *es);	/* remembered; for tests */

#endif

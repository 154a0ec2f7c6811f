/*
 * Who is where: this shard's entries in Redis, and looking others up.
 *
 *	client:<group>:<uid>	hash: our address -> open connections here, set
 *				absolutely, by us alone
 *	shard:<us>:clients	set of those keys
 *	group:<group>		set of shard addresses
 *	shard:<us>		hash with TTL 30 s, our heart-beat every 5 s
 *
 * The table is exact: a connection is opened only when its entry is confirmed.
 * When an entry cannot be written (Redis slow, away, restarted empty) the
 * neighbours are told "ask me" and have answered, before a connection is opened
 * without one; when everything is listed again, they are told so.
 */
#ifndef SHARDD_LOOKUP_H
#define SHARDD_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "shardd/group/leave.h"
#include "shardd/group/lookup_ops.h"

struct event_base;
struct lookup;

/* Whose entries these are.  The strings are borrowed. */
struct lookup_self {
	const char	*node;
	const char	*address;
	uint64_t	 started;	/* ms since 1970 */
};

/* url "" for none: enter confirms at once, find always fails.  NULL with errno. */
struct lookup *lookup_new(struct event_base *base,
	    const struct lookup_self *self, const char *url,
	    const char *prefix, const struct lookup_ops *ops, void *arg);
void	 lookup_free(struct lookup *l);
const char *lookup_prefix(const struct lookup *l);	/* of all keys */
/* Remove everything of ours from Redis, then call cb (or after 1 s). */
void	 lookup_retire(struct lookup *l, void (*cb)(void *arg), void *arg);

/*
 * One more connection of uid in group is about to open.  confirmed(arg) is
 * called exactly once, never from within, unless cancelled: when its entry is
 * in Redis, or when all neighbours know that they must ask us, at most after 1 s.
 * Returns a ticket, or NULL with errno ENOMEM.  The connection counts from here
 * on until lookup_leave().  It becomes a member of its replica when it is
 * confirmed or later, and is none any more at lookup_leave().
 */
struct lookup_ticket;
struct lookup_ticket *lookup_enter(struct lookup *l, struct slice group,
	    struct slice uid, void (*confirmed)(void *arg), void *arg);
void	 lookup_cancel(struct lookup_ticket *t);	/* and lookup_leave() */
/* w (NULL: nobody) waits for who is left if this is ASKED. */
enum leave_answer lookup_leave(struct lookup *l, struct slice group,
	    struct slice uid, struct leave *w);
/* There are other nodes: who is the last of a uid is asked. */
void	 lookup_set_shared(struct lookup *l);
/* A replica of that group begins or ends here. */
void	 lookup_group_enter(struct lookup *l, struct slice group);
void	 lookup_group_leave(struct lookup *l, struct slice group);

/*
 * Where is uid of group?  cb comes once, never from within: n addresses of other shards,
 * or err (ETIMEDOUT after 100 ms, ENOTCONN, EAGAIN).  0, or -1 and cb is not called:
 * ENOTCONN, EAGAIN, ENOMEM.
 *
 * listed: shards that the group is known to have.  When Redis lists fewer, it has
 * forgotten some, who will find that out themselves: EAGAIN.  The same when it knows
 * nothing of uid at all, for it may have been told to evict keys.
 */
typedef void	lookup_found_cb(const struct slice *addresses, size_t n,
		    int err, void *arg);
int	 lookup_find(struct lookup *l, struct slice group, struct slice uid,
	    size_t listed, lookup_found_cb *cb, void *arg);
/* Is a shard that is new to us to be told "ask me", before all else? */
int	 lookup_is_asking(const struct lookup *l);
/* Is Redis usable for finding others at all? */
int	 lookup_usable(const struct lookup *l);
/* Is Redis there? */
int	 lookup_up(const struct lookup *l);
int	 lookup_listed(const struct lookup *l);	/* 0: ask me */
size_t	 lookup_entries(const struct lookup *l);	/* remembered; for tests */

#endif

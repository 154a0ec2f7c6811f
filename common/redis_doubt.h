/*
 * A doubt: is the Redis that we have still the master?  It may be cut off from its replicas and
 * from the Sentinels, and says no more than that it takes nothing.  Where the URL names
 * Sentinels they are asked (redis_sentinel.h), each second, while there is reason to;
 * if they name another master, all connections of this process to the former are to be left,
 * for what is heard there is not what is said here.  The same is asked each 5 s as long as
 * it is not sure that what was found is the master (redis_where.h).
 */
#ifndef COMMON_REDIS_DOUBT_H
#define COMMON_REDIS_DOUBT_H

#include <stdint.h>

#include "common/list.h"

struct event;
struct event_base;
struct redis_sentinel;
struct redis_url;
struct redis_where;

struct redis_doubt {			/* of one that is connected, or not */
	struct list	 at;		/* among all of this process */
	struct event_base *base;
	const struct redis_url *url;
	struct redis_where *where;
	struct redis_sentinel *asked;	/* the question, or NULL */
	struct event	*tick;
	uint64_t	 until;		/* clock_ms: no reason any more */
	int		 moved;		/* another one is the master */
	void		(*cb)(void *arg);
	void		*arg;
};

/* url and where (which says what was found, and outlives d) are borrowed.  cb: from the loop,
 * another one is the master; it may clear d.  0, or -1 with errno ENOMEM. */
int	 redis_doubt_init(struct redis_doubt *d, struct event_base *base,
	    const struct redis_url *url, struct redis_where *where,
	    void (*cb)(void *arg), void *arg);
void	 redis_doubt_clear(struct redis_doubt *d);
/* There is reason to ask, for 10 s.  Nothing, without Sentinels. */
void	 redis_doubt_raise(struct redis_doubt *d);
/* The connection is lost: where to go is asked anyway. */
void	 redis_doubt_settle(struct redis_doubt *d);

#endif

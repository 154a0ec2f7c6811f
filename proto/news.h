/*
 * News of a group: what its authority has decided, in order.  One message is a
 * batch of steps that took effect together; the same bytes go to the replicas
 * (GOSSIP_NEWS) and into the group's log in Redis.  A part of a state
 * (GOSSIP_STATE) is a batch with one step.
 *
 *	[durable, [origin, number, err, data, [[kind, map, key, value] ...]] ...]
 */
#ifndef PROTO_NEWS_H
#define PROTO_NEWS_H

#include <stdint.h>

#include "common/bytes.h"
#include "proto/pack.h"

#define NEWS_STEPS_MAX	64		/* steps of a batch */
#define NEWS_CHANGES_MAX 2000		/* changes of all steps of a batch */

enum news_kind { NEWS_REMOVE, NEWS_PUT };

struct news_change {
	enum news_kind	 kind;
	struct slice	 map, key, value;
};

struct news_step {
	uint64_t	 origin;	/* replica; 0: nobody's */
	uint64_t	 number;	/* its step; 0: the origin has ended */
	uint32_t	 err;		/* errno: refused, nothing was changed */
	struct slice	 data;		/* what the origin sent */
	size_t		 nchanges;
	struct pack_in	 changes;	/* news_change() */
};

struct news {
	uint64_t	 durable;	/* its number in the log; 0: not written */
	struct pack_in	 steps;		/* news_step() */
};

/* Writing: news_begin, then for each step news_add_step and its nchanges
 * changes.  Failures stick in b. */
void	 news_begin(struct buf *b, uint64_t durable, size_t nsteps);
void	 news_add_step(struct buf *b, uint64_t origin, uint64_t number,
	    uint32_t err, struct slice data, size_t nchanges);
void	 news_add_change(struct buf *b, const struct news_change *c);

/*
 * Reading checks everything first: 0, or -1 with errno EPROTO, ENOMEM.  Slices
 * borrow from data; cursors are valid until the next pack_open() or news_open().
 */
int	 news_open(struct news *n, const char *data, size_t len);
int	 news_step(struct news *n, struct news_step *s);	/* 0: no more */
int	 news_change(struct news_step *s, struct news_change *c);

#endif

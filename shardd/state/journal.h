/*
 * The journal of one group, as it is here: the state, the position and era that it has
 * reached, how far each origin's steps have come, and the latest news, for others who
 * missed them.  It asks nobody and tells nobody: messages go to a callback.
 */
#ifndef SHARDD_JOURNAL_H
#define SHARDD_JOURNAL_H

#include <stdint.h>

#include "common/list.h"
#include "common/map.h"
#include "proto/gossip.h"
#include "proto/news.h"
#include "shardd/state/maps.h"

#define JOURNAL_NEWS		256		/* batches kept for others */
#define JOURNAL_NEWS_BYTES	(2 << 20)	/* of them */
#define JOURNAL_PART		(256 << 10)	/* bytes of a part of a state */
#define JOURNAL_ENDED		64		/* origins that have ended, and may live */

struct journal {
	uint64_t	 id;		/* of our replica, for the log */
	struct maps	 maps;		/* the state */
	uint64_t	 pos, era;
	uint64_t	 durable;	/* last batch in Redis that maps have */
	struct map	 marks;		/* struct mark, by origin */
	struct list	 ended;		/* those of origins that have ended, oldest first */
	size_t		 nended;
	struct list	 news;		/* struct item, oldest first */
	size_t		 nnews, news_bytes;
	uint64_t	 base;		/* era of what stands before them */
};

struct mark {			/* how far an origin's steps have come */
	struct map_node	 by_origin;
	struct list	 at;		/* journal->ended, or nowhere */
	uint64_t	 origin;
	uint64_t	 done;		/* took effect, or were refused */
	uint64_t	 seen;		/* are being decided */
	uint64_t	 refused;	/* the last one that was; 0: none */
	uint32_t	 err;		/* why */
};

/* A state that comes in parts. */
struct incoming {
	uint64_t	 pos, era;
	uint64_t	 parts;		/* that have come */
	struct maps	 maps;
	struct map	 marks;
};

void	 journal_init(struct journal *j, uint64_t id, uint64_t durable);
void	 journal_clear(struct journal *j);
/* No news are kept any more: a replica that missed some gets all of the state. */
void	 journal_forget_news(struct journal *j);

/*
 * The next news: the position moves, and data is kept for others.  The steps in n are
 * for journal_take_step(), one after another.  0, or -1: data is none.
 */
int	 journal_open(struct journal *j, uint64_t era, const char *data,
	    size_t len, struct news *n);
/* What s changed, and how far its origin has come. */
void	 journal_take_step(struct journal *j, const struct news_step *s);

/* Is that where we are, or were, as far as it is remembered? */
int	 journal_passed(const struct journal *j, uint64_t pos, uint64_t era);
/* Is somebody who is there further than we are? */
int	 journal_is_behind(const struct journal *j, uint64_t pos,
	    uint64_t era);

/*
 * All origins but those that are there have ended.  The marks of the latest are kept: one
 * that was only taken for dead makes its steps again, of which some were done.
 */
void	 journal_end_others(struct journal *j,
	    int (*there)(void *arg, uint64_t origin), void *arg);
/* NULL without memory. */
struct mark *journal_mark(struct journal *j, uint64_t origin);
void	 marks_set(struct map *marks, uint64_t origin, uint64_t number,
	    uint32_t err);
void	 marks_forget(struct map *marks);

/* ---- for others ---- */

typedef void	journal_send_cb(void *arg, uint64_t to, struct gossip *m);
/* NEWS: what is behind pos, which we passed. */
void	 journal_send_since(const struct journal *j, uint64_t to,
	    uint64_t pos, journal_send_cb *send, void *arg);
/* STATE: all there is, in parts. */
void	 journal_send_state(struct journal *j, uint64_t to,
	    journal_send_cb *send, void *arg);

/* ---- from others ---- */

/* m is a part of a state (*in: what came before, or NULL).  1: it was the last, the
 * state is in *in, and *durable is the number of its last batch in Redis.  0: more
 * is to come, or *in is given up. */
int	 incoming_take(struct incoming **in, uint64_t id,
	    const struct gossip *m, uint64_t *durable);
void	 incoming_drop(struct incoming **in);
/* *in (freed) is the state from now on. */
void	 journal_become(struct journal *j, uint64_t durable,
	    struct incoming **in);

#endif

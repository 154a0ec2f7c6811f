/*
 * What the three files of the authority share; nobody else includes this.
 */
#ifndef SHARDD_AUTHORITY_IN_H
#define SHARDD_AUTHORITY_IN_H

#include "common/list.h"
#include "common/spare.h"
#include "common/turn.h"
#include "proto/limits.h"
#include "proto/news.h"
#include "shardd/state/authority.h"
#include "shardd/kennel.h"
#include "shardd/state/maps.h"
#include "shardd/state/store.h"

#define AUTHORITY_NEWS		STORE_LOG	/* batches kept for others */
#define AUTHORITY_ASK_MS	500	/* neighbours, where they are */
#define AUTHORITY_WAIT_MS	1000	/* for Redis, with steps unanswered */
#define AUTHORITY_STEP_MS	10000	/* an origin, for its answer */
#define AUTHORITY_SLOW_MS	1000	/* for a replica that does not say it knows */
#define AUTHORITY_LOST_MS	2000	/* for a part of a state, then it is asked for */
#define AUTHORITY_ONCE_MS	1000	/* who asks more than once is answered once */
#define AUTHORITY_AGAIN_MS	2000	/* it sends its steps again */
#define AUTHORITY_NEWS_BYTES	(2 << 20)	/* of them */
#define AUTHORITY_RETRY_MS	500	/* until Redis is asked again */
#define AUTHORITY_TAKE_MS	1000	/* for Redis' answer, twice as long if late */
#define AUTHORITY_TAKE_MAX_MS	8000
#define AUTHORITY_BATCH		(256 << 10)	/* bytes of steps */
#define AUTHORITY_INBOX		(16 << 20)	/* bytes of steps that wait */
#define AUTHORITY_POISONS	16	/* remembered */
#define AUTHORITY_DEPARTED	(2 * SLOTS_MAX)	/* remembered, not in the news */

enum office {
	OFFICE_NONE,		/* another one decides */
	OFFICE_ASKING,		/* the neighbours, where they are */
	OFFICE_TAKING,		/* Redis: what was written, the new epoch */
	OFFICE_RESTORING,	/* Redis came back with less than we know */
	OFFICE_READY,
	OFFICE_COMMITTING,	/* a batch is being written */
	OFFICE_WAITING		/* Redis went away with it */
};

struct step {			/* of ours */
	struct list	 at;		/* steps, or, when it took effect, applied */
	uint64_t	 number;
	uint64_t	 pos;		/* where it took effect */
	uint64_t	 since;		/* clock_ms */
	authority_done_cb *done;
	void		*arg;
	size_t		 len;
	char		 data[];
};

struct proposal {		/* to be decided */
	struct list	 at;
	uint64_t	 origin, number;	/* 0: the origin has ended */
	uint64_t	 after;		/* the step before it; 0: that is answered */
	int		 alone;		/* its batch was refused by Redis */
	int		 refused;	/* so was it, alone */
	size_t		 len;
	char		 data[];
};

struct item {			/* news that others may have missed */
	struct list	 at;
	uint64_t	 pos, era;
	size_t		 len;
	char		 data[];
};

struct mark {			/* how far an origin's steps have come */
	struct map_node	 by_origin;
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

struct member {			/* a neighbour, as the authority sees it */
	struct list	 at;
	uint64_t	 id;
	uint64_t	 pos, era;	/* has been sent; ASKING: has sent */
	uint64_t	 acked;		/* has said that it has */
	uint64_t	 asked;		/* wants to know that all have */
	uint64_t	 told;		/* was told */
	uint64_t	 since;		/* clock_ms: acked is behind, and says no
					   more; 0: it is not */
	uint64_t	 slow;		/* nobody waits for it until it has acked
					   that; 0: it is waited for */
	uint64_t	 stated;	/* clock_ms: it was sent the state */
	int		 heard;		/* it has said where it is, and gets news */
	int		 stale;		/* whatever it says, it gets the state */
	int		 urged;		/* it was asked for all of its state */
	struct incoming	*incoming;	/* its state; several may be on their way */
};

struct departed {		/* neighbours that ended, for the news or for us */
	struct list	 at;
	uint64_t	 id;
	int		 said;		/* in the news only: its farewell is to come */
};

struct poison {			/* a step that kills shards */
	uint64_t	 origin, number;
};

struct authority {
	struct authority_desk *desk;
	struct authority_of of;
	const struct authority_ops *ops;
	void		*arg;
	struct list	 restless;	/* desk->restless */
	uint64_t	 term, head;	/* who decides; 0: not known */

	struct maps	 maps;
	int		 synced;	/* maps, pos and marks are the group's */
	uint64_t	 pos, era;
	uint64_t	 durable;	/* last batch in Redis that maps have */
	struct map	 marks;
	struct list	 news;		/* struct item, oldest first */
	size_t		 nnews, news_bytes;
	uint64_t	 base;		/* era of what stands before them */
	struct list	 departed;
	struct incoming	*incoming;	/* the head's state */
	uint64_t	 asked;		/* clock_ms: told the head what is missing, or
					   a part of that came */

	struct poison	 poisons[AUTHORITY_POISONS];	/* the latest */
	size_t		 npoisons;	/* ever */

	struct list	 steps, applied;
	uint64_t	 number;	/* of our latest */
	uint64_t	 sent;		/* clock_ms */

	enum office	 office;
	uint64_t	 since;		/* clock_ms of office, if it is timed */
	struct list	 members;
	struct list	 inbox;
	size_t		 inbox_bytes;
	struct turn_work work;
	struct event	*later;		/* the rest of the work; or NULL */
	struct store_keys *keys;
	struct store_call *call;
	uint64_t	 epoch;
	unsigned	 take_ms;
	int		 away;		/* Redis is: what needs it is refused */
	struct list	 keeping;	/* desk->keeping, while it decides */
	uint64_t	 touched;	/* clock_ms: Redis heard that it is used */
	int		 passing;	/* all of the batch is */
	int		 unknown;	/* a batch may have been written or not */
	int		 refused;	/* it was refused since */
	struct list	 batch;		/* struct proposal, being committed */
	size_t		 nbatch;	/* steps in bytes */
	struct buf	 bytes;		/* it, as news */
};

/* Take all entries out of a list and free them. */
#define FREE_ALL(head, type)						\
	while (!list_empty(head)) {					\
		struct list *e_ = (head)->next;				\
		list_remove(e_);					\
		free(list_entry(e_, type, at));				\
	}

/* ---- authority_news.c ---- */
void	 authority_forget_news(struct authority *a);
void	 marks_forget(struct map *marks);
void	 incoming_drop(struct incoming **in);
struct mark *authority_mark(struct authority *a, uint64_t origin);
void	 marks_set(struct map *marks, uint64_t origin, uint64_t number,
	    uint32_t err);
int	 authority_apply(struct authority *a, uint64_t era, const char *data,
	    size_t len);
int	 authority_passed(const struct authority *a, uint64_t pos, uint64_t era);
struct departed *authority_departed(struct authority *a, uint64_t id);
int	 authority_is_poison(const struct authority *a, uint64_t origin,
	    uint64_t number);
void	 authority_remember(struct authority *a, uint64_t id, int said);
void	 authority_send_state(struct authority *a, uint64_t to);
void	 authority_send_since(struct authority *a, uint64_t to, uint64_t pos);
void	 authority_bring_up(struct authority *a, struct member *m);
int	 authority_later(const struct authority *a, const struct gossip *m);
void	 authority_got_state(struct authority *a, const struct gossip *m);

/* ---- authority_office.c ---- */
int	 authority_settle(struct authority *a);
void	 authority_heard_ack(struct authority *a, struct member *k, uint64_t pos);
struct member *authority_member(struct authority *a, uint64_t id);
void	 authority_unbatch(struct authority *a);
void	 proposals_free(struct list *proposals);
void	 authority_work(void *arg);
int	 authority_propose(struct authority *a, uint64_t origin, uint64_t number,
	    uint64_t after, struct slice data);
void	 authority_propose_end(struct authority *a, uint64_t origin);
void	 authority_inaugurate(struct authority *a);
void	 authority_reset(struct authority *a);
void	 authority_taken_cb(const struct store_answer *s, void *arg);
void	 authority_take(struct authority *a);
void	 authority_heard(struct authority *a, int late);
void	 authority_ask(struct authority *a, uint64_t neighbour);
void	 authority_begin(struct authority *a);

/* ---- authority.c ---- */
void	 authority_restless(struct authority *a);
void	 authority_get_ready(struct authority *a);
void	 authority_ask_state(struct authority *a);
int	 authority_tell(struct authority *a, uint64_t to, struct gossip *m);
void	 authority_answered(struct authority *a, uint64_t number, int err);
void	 authority_recalled(struct authority *a, const struct mark *k);
void	 authority_settled(struct authority *a, uint64_t pos);
void	 authority_acknowledge(struct authority *a);
void	 authority_resend(struct authority *a);

#endif

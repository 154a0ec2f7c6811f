/*
 * The inside of an authority, which the files of state/ share; each calls those below
 * it only:
 *
 *	authority	naming, messages, our own steps' way, time
 *	candidacy	claiming the epoch, where nodes share a Redis
 *	accession	taking office: the neighbours' state, then Redis'
 *	office		inbox, batches, who has what
 *	effect		what takes effect: the application hears, our steps end
 *	journal, steps	what was decided; our own steps
 */
#ifndef SHARDD_INSIDE_H
#define SHARDD_INSIDE_H

#include "common/list.h"
#include "common/spare.h"
#include "common/turn.h"
#include "proto/limits.h"
#include "proto/news.h"
#include "shardd/kennel.h"
#include "shardd/state/desk.h"
#include "shardd/state/journal.h"
#include "shardd/state/steps.h"
#include "shardd/state/store.h"

#define AUTHORITY_ASK_MS	500	/* neighbours, where they are */
#define AUTHORITY_WAIT_MS	1000	/* for Redis, with steps unanswered */
#define AUTHORITY_STEP_MS	10000	/* an origin, for its answer */
#define AUTHORITY_SLOW_MS	1000	/* for a replica that does not say it knows */
#define AUTHORITY_LOST_MS	2000	/* for a part of a state, then it is asked for */
#define AUTHORITY_ONCE_MS	1000	/* who asks more than once is answered once */
#define AUTHORITY_AGAIN_MS	2000	/* it sends its steps again */
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

struct proposal {		/* to be decided */
	struct list	 at;
	uint64_t	 origin, number;	/* 0: the origin has ended */
	uint64_t	 after;		/* the step before it; 0: that is answered */
	int		 alone;		/* its batch was refused by Redis */
	int		 refused;	/* so was it, alone */
	size_t		 len;
	char		 data[];
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
	uint64_t	 nominated, nominee;	/* the gateway's word, where nodes share
					   Redis: when, and who is to claim */
	uint64_t	 claim_at;	/* clock_ms; 0: at once */
	uint64_t	 dead;		/* the head that was, or the holder, is dead */
	uint64_t	 holder, held;	/* of the epoch; clock_ms since when we know */
	uint64_t	 cut_off;	/* clock_ms: Redis is away; 0: it is not */
	uint64_t	 outdone;	/* a later epoch, which a member remembers */
	int		 denied;	/* the last claim was answered with nonsense */

	struct journal	 j;
	int		 synced;	/* the journal is the group's */
	int		 announcing;	/* onstep is at work */
	struct list	 departed;
	struct incoming	*incoming;	/* the head's state */
	uint64_t	 asked;		/* clock_ms: told the head what is missing, or
					   a part of that came */

	struct poison	 poisons[AUTHORITY_POISONS];	/* the latest */
	size_t		 npoisons;	/* ever */

	struct steps	 own;

	enum office	 office;
	uint64_t	 since;		/* clock_ms of office, if it is timed */
	void		(*retake)(struct authority *a);	/* accession_take(), or
					   candidacy_claim() */
	struct list	 members;
	struct list	 inbox;
	size_t		 inbox_bytes;
	struct turn_work work;
	struct event	*later;		/* the rest of the work; or NULL */
	struct store_keys *keys;
	struct store_call *call;
	uint64_t	 epoch;
	uint64_t	 looks;		/* clock_ms: then for keys whose time ended */
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

#endif

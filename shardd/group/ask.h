/*
 * A question that went to one or more shards over their links, until all have
 * answered, a link was lost, or its deadline has passed.
 */
#ifndef SHARDD_ASK_H
#define SHARDD_ASK_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/list.h"
#include "common/map.h"

struct event_base;
struct link;

struct ask_part {			/* one that was asked */
	struct link	*link;		/* NULL: answered, or nobody is there */
	uint64_t	 neighbour;	/* its replica; 0: the shard itself */
	char		*data;		/* the answer, terminated, or NULL */
	size_t		 len;
	const char	*error;		/* NULL, "timeout", "gone", "overloaded", data */
};

struct ask {
	struct map_node	 by_id;
	struct list	 at;		/* with those of its deadline, or done */
	struct list	 of_owner;
	uint64_t	 id;		/* never 0, never used again */
	uint64_t	 deadline;	/* clock_ms */
	size_t		 pending;	/* parts that have not answered, and 1 for
					   the maker until ask_go() */
	struct ask_part	*parts;
	size_t		 nparts, cap;
	int		 err;		/* 0, or ETIMEDOUT: an answer is missing */
	void		(*done)(const struct ask *a, int err, void *arg);
	void		*arg;
	void		(*call)(int err, void *arg);	/* the owner's use */
};

/*
 * done comes once, at the end of a turn (ask_cancel: at once), after ask_go();
 * its ask is freed then.  err: 0, ETIMEDOUT, ECANCELED.  At most `max` are
 * asked.  owner: a list of the owner's, of all that it asks.  However many questions of
 * others are open, a new one takes no longer.  NULL with errno ENOMEM.
 */
struct ask *ask_new(struct event_base *base, struct list *owner,
	    unsigned deadline_ms, size_t max,
	    void (*done)(const struct ask *a, int err, void *arg), void *arg);
/* One more neighbour is asked; link NULL: nobody is there ("gone"). */
void	 ask_add(struct ask *a, struct link *link, uint64_t neighbour);
/* The question could not be sent to the part added last (harmless after
 * ask_missed()). */
void	 ask_unsent(struct ask *a);
/* All that are to be asked were added. */
void	 ask_go(struct ask *a);

/* An answer came over link (data NULL: DONE); unknown and late ones are
 * ignored. */
void	 ask_answer(uint64_t id, const struct link *link, struct slice data,
	    int is_error);
/* Does somebody still wait for that one? */
int	 ask_is_open(uint64_t id);
/* What was asked over link, or to be asked, did not get through. */
void	 ask_missed(uint64_t id, const struct link *link);
/* The link ended; its shard is dead: nobody is there who could have acted. */
void	 ask_link_lost(const struct link *link, int dead);
/* A neighbour of owner has ended. */
void	 ask_neighbour_gone(struct list *owner, uint64_t neighbour);
/* Owner ends: done(ECANCELED) for all it has, now. */
void	 ask_cancel(struct list *owner);

#endif

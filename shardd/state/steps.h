/*
 * Steps of our own replica, from their call until everybody knows what became of them.
 */
#ifndef SHARDD_STEPS_H
#define SHARDD_STEPS_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/list.h"

typedef void	steps_done_cb(int err, void *arg);

struct step {			/* of ours */
	struct list	 at;		/* steps->open, or, when it took effect,
					   ->applied */
	uint64_t	 number;
	uint64_t	 pos;		/* where it took effect */
	uint64_t	 head;		/* to whom it went; 0: to nobody yet */
	int		 before;	/* somebody else had it before head */
	uint64_t	 since;		/* clock_ms */
	uint64_t	 began;		/* clock_ns: when it was called */
	steps_done_cb	*done;
	void		*arg;
	size_t		 len;
	char		 data[];
};

struct steps {
	struct list	 open;		/* struct step: not answered */
	struct list	 applied;	/* not known by all replicas */
	uint64_t	 number;	/* of our latest */
	uint64_t	 sent;		/* clock_ms: the open ones, last */
};

void	 steps_init(struct steps *s);
/* Steps that took effect end well, the others with ECANCELED. */
void	 steps_end(struct steps *s);
/* The next one; data is copied.  NULL with errno ENOMEM. */
struct step *steps_add(struct steps *s, struct slice data,
	    steps_done_cb *done, void *arg);
/* st goes to head, who decides. */
void	 steps_sent(struct step *st, uint64_t head);
/* The number of the one that is open before st; 0: none. */
uint64_t steps_before(const struct steps *s, const struct step *st);
/*
 * Our steps up to number: the last one ended with err, those before must have
 * ended well, for else we had been told.  What took effect (at pos) is done when all
 * replicas know it.  EAGAIN of a step that somebody else had before is ETIMEDOUT: that
 * one may have written it, and Redis, which knows, is away.
 */
void	 steps_answered(struct steps *s, uint64_t number, int err,
	    uint64_t pos);
/*
 * How far our steps have come, as a state (at pos) tells it: up to `done`; of those
 * that were refused only the last one, with err.  What became of those before that
 * one is not known.
 */
void	 steps_recalled(struct steps *s, uint64_t refused, int err,
	    uint64_t done, uint64_t pos);
/* All replicas have what stands up to pos. */
void	 steps_settled(struct steps *s, uint64_t pos);
/* Steps beyond number took effect here only, when another replica decided already: they
 * are open again. */
void	 steps_unapply(struct steps *s, uint64_t number);
/* Open ones older than open_ms end with ETIMEDOUT; those that took effect are not
 * held back longer than applied_ms. */
void	 steps_expire(struct steps *s, uint64_t open_ms,
	    uint64_t applied_ms);
/* Is none up to number outstanding? */
int	 steps_settled_to(const struct steps *s, uint64_t number);
int	 steps_none(const struct steps *s);

#endif

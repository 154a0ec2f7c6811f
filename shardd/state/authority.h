/*
 * Who decides in a group, and what was decided.
 *
 * A group whose application has a `decide` keeps a state (maps.h) that changes
 * by steps.  Any replica proposes a step; one of them, the authority, whom the
 * gateway names, runs decide() on all steps one after another, makes what they
 * changed durable (store.h), and only then tells everybody: its news reach each
 * replica in one order, and every replica's copy of the state goes through the
 * same stages.
 *
 * Positions count the news since the group woke up.  Terms of office rise: news
 * of an earlier term are dropped.  One position may have been reached in two ways,
 * when somebody decided who was deposed meanwhile; it is the same one if it is of
 * the same era, the term in which the news there were decided, and then all before
 * it are the same.  Of two that differ, the later era's counts, and who has the
 * other one gets all of the state.
 *
 * There is one decider, and no compare-and-set by any replica, for three reasons.  A
 * decider runs any number of steps on the state in its memory and writes them as one
 * batch, so that a busy group costs Redis one script a batch, not a try a step and
 * another after each conflict.  decide() sees a state that nobody changes meanwhile, so
 * that applications need no retries, and steps of maps that are in no Redis work alike.
 * And all replicas get one order of news from one mouth, which a writer each could not
 * give without asking Redis for the order.
 *
 * A new authority first asks its neighbours where they are (REIGN, answered with
 * what it has missed, and AT), then takes office in Redis, where it finds what was
 * written and perhaps told to nobody; then it brings the others up to its
 * position, and goes on.  Origins send steps
 * that were not answered again, to whoever decides; numbers tell repeats.
 */
#ifndef SHARDD_AUTHORITY_H
#define SHARDD_AUTHORITY_H

#include <stdint.h>

#include "common/bytes.h"
#include "proto/gossip.h"
#include "shardd/state/desk.h"

struct authority;
struct maps;

void	 authority_desk_init(struct authority_desk *d, struct event_base *base,
	    struct page *page, const size_t *state_max);

/* NULL with errno ENOMEM. */
struct authority *authority_new(struct authority_desk *desk,
	    const struct authority_of *of, const struct authority_ops *ops,
	    void *arg);
/* Steps that were not answered end with ECANCELED. */
void	 authority_free(struct authority *a);

/* What is known here; changes only between callbacks. */
const struct maps *authority_maps(const struct authority *a);

/*
 * err: 0 (it has taken effect, and every replica knows it; one that is silent is
 * waited for for a second, and then no more until it has caught up), or what
 * decide() returned; EAGAIN (it would have to be written, and Redis is away),
 * ETIMEDOUT (10 s: nobody decided, or who did fell silent), ECANCELED.  Never from
 * within authority_step().
 */
typedef void	authority_done_cb(int err, void *arg);
/* data is copied; done may be NULL.  0, or -1 with errno EMSGSIZE, ENOMEM. */
int	 authority_step(struct authority *a, struct slice data,
	    authority_done_cb *done, void *arg);

/* The gateway says: replica head decides, for this term. */
void	 authority_named(struct authority *a, uint64_t term, uint64_t head);
/*
 * The gateway says: that step (number 0: that replica's end) killed one shard after another
 * that decided it.  It is refused with EBADMSG; where it was written already, it
 * takes effect and onstep is not called for it.  0 and PAGE_RESETS: so did onreset,
 * which is not called any more.
 */
void	 authority_poison(struct authority *a, uint64_t origin, uint64_t number);
/* Is the group's state here?  Nobody is opened before, however long it takes. */
int	 authority_ready(const struct authority *a);
/* Where the news are here, and whether that is where they are, or were, as far as it
 * is remembered. */
void	 authority_where(const struct authority *a, uint64_t *pos,
	    uint64_t *era);
int	 authority_passed(const struct authority *a, uint64_t pos,
	    uint64_t era);
/* Is onstep at work?  What it says is said for that position. */
int	 authority_in_step(const struct authority *a);
/* The number of our latest step; have all up to that number been answered, and are
 * known to all? */
uint64_t authority_steps(const struct authority *a);
int	 authority_settled(const struct authority *a, uint64_t number);
/* Does this replica decide?  Its term. */
int	 authority_reigns(const struct authority *a, uint64_t *term);
/* All who were in the group before us are known. */
void	 authority_acquainted(struct authority *a);
/* One more neighbour, one less, a message from one. */
void	 authority_met(struct authority *a, uint64_t neighbour);
void	 authority_parted(struct authority *a, uint64_t neighbour);
/* Something between us was lost, or may have been: who has what is compared. */
void	 authority_missed(struct authority *a, uint64_t neighbour);
void	 authority_message(struct authority *a, const struct gossip *m);
/* Each 100 ms. */
void	 authority_tick_all(struct authority_desk *d);

#endif

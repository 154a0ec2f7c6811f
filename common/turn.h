/*
 * One turn of the event loop: callbacks run, then what they left to be done
 * at the end of the turn, in order of rank: flush the clients, then links,
 * then what links have left for the bus, then control.  Each turn has a budget (budget.h); what is left over when that
 * is used up is done later, in a turn of its own, while the loop goes on.
 */
#ifndef COMMON_TURN_H
#define COMMON_TURN_H

#include <stdint.h>

#include "common/list.h"

struct event_base;

enum turn_rank { TURN_CLIENTS, TURN_LINKS, TURN_BUS, TURN_CONTROL, TURN_LAST,
    TURN_NRANKS };

struct turn_work {
	struct list	 at;
	void		(*run)(void *arg);
	void		*arg;
	int		 queued;	/* 0, TURN_NOW, TURN_LATER */
};

#define TURN_NOW	1
#define TURN_LATER	2

void	 turn_work_init(struct turn_work *w, void (*run)(void *), void *arg);
/* Run w once at the end of this turn; again is no-op while queued.  Work queued
 * by work runs in the same end of turn (earlier ranks first again). */
void	 turn_add(struct turn_work *w, enum turn_rank rank);
/* Run w once, but not in this turn: before the next one.  The loop does not wait
 * meanwhile.  No-op while queued; turn_add() brings it forward. */
void	 turn_later(struct turn_work *w);
void	 turn_cancel(struct turn_work *w);
/*
 * run(arg) does what can be done at once and returns how much: under load, the loop
 * is not asked before that.
 */
void	 turn_set_eager(int (*run)(void *arg), void *arg);
/*
 * *n grows with each turn and with each piece of work that calls turn_progress(): a
 * watcher sees that this process gets on.  What takes long in
 * one turn says so between its pieces.
 */
void	 turn_count_at(volatile uint64_t *n);
extern volatile uint64_t *turn_counter;

static inline void
turn_progress(void)
{
	++*turn_counter;
}

/* clock_ms() as of this turn, asked once. */
uint64_t turn_ms(void);
/* Loop until turn_stop() was called; 0, or -1 when the loop failed. */
int	 turn_loop(struct event_base *base);
void	 turn_stop(void);
/* Run the queued work now (tests; before blocking). */
void	 turn_end(void);

#endif

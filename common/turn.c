/* The loop, and the work at the end of each turn. */
#include <event2/event.h>

#include "common/budget.h"
#include "common/clock.h"
#include "common/turn.h"

#define TURN_ROW	4	/* turns without the loop */
#define TURN_REST	63	/* turns of the loop without trying */

static struct list	 turn_ranks[TURN_NRANKS], turn_laters;
static int		 turn_ready, turn_stopping;
static uint64_t		 turn_now;	/* clock_ms; 0: not asked yet */
static volatile uint64_t turn_unwatched;
volatile uint64_t	*turn_counter = &turn_unwatched;

static struct {
	int	(*run)(void *arg);
	void	*arg;
	unsigned row;		/* that it succeeded */
	unsigned rest;		/* turns to wait after the next failure */
	unsigned wait;		/* of them left */
}			 turn_eager;

static void
turn_setup(void)
{
	if (turn_ready)
		return;
	for (size_t i = 0; i < TURN_NRANKS; i++)
		list_init(&turn_ranks[i]);
	list_init(&turn_laters);
	turn_ready = 1;
}

void
turn_work_init(struct turn_work *w, void (*run)(void *), void *arg)
{
	turn_setup();
	list_init(&w->at);
	w->run = run;
	w->arg = arg;
	w->queued = 0;
}

void
turn_add(struct turn_work *w, enum turn_rank rank)
{
	if (w->queued == TURN_NOW)
		return;
	list_remove(&w->at);
	w->queued = TURN_NOW;
	list_push(&turn_ranks[rank], &w->at);
}

void
turn_later(struct turn_work *w)
{
	if (w->queued)
		return;
	w->queued = TURN_LATER;
	list_push(&turn_laters, &w->at);
}

void
turn_cancel(struct turn_work *w)
{
	w->queued = 0;
	list_remove(&w->at);
}

void
turn_end(void)
{
	struct turn_work	*w;
	size_t			 rank;

	turn_setup();
	for (rank = 0; rank < TURN_NRANKS; ) {
		if (list_empty(&turn_ranks[rank])) {
			rank++;
			continue;
		}
		w = list_entry(turn_ranks[rank].next, struct turn_work, at);
		turn_cancel(w);
		turn_progress();
		w->run(w->arg);		/* may free w */
		rank = 0;
	}
}

void
turn_set_eager(int (*run)(void *), void *arg)
{
	turn_eager.run = run;
	turn_eager.arg = arg;
}

/*
 * A turn without the loop, if there is something to do.  It is tried each time
 * while that succeeds, and ever more rarely while it does not.
 */
static int
turn_try(void)
{
	if (turn_eager.run == NULL || turn_eager.row == TURN_ROW) {
		turn_eager.row = 0;
		return (0);
	}
	if (turn_eager.wait > 0) {
		turn_eager.wait--;
		return (0);
	}
	if (turn_eager.run(turn_eager.arg) == 0) {
		if (turn_eager.rest < TURN_REST)
			turn_eager.rest = 2 * turn_eager.rest + 1;
		turn_eager.wait = turn_eager.rest;
		turn_eager.row = 0;
		return (0);
	}
	turn_eager.rest = 0;
	turn_eager.row++;
	return (1);
}

void
turn_count_at(volatile uint64_t *n)
{
	turn_counter = n;
}

uint64_t
turn_ms(void)
{
	if (turn_now == 0)
		turn_now = clock_ms();
	return (turn_now);
}

/* This turn is over. */
static void
turn_over(void)
{
	turn_end();
	turn_now = 0;
	budget_renew();
}

/* One piece of what was put off; what is put off again waits behind the rest. */
static void
turn_catch_up(void)
{
	struct turn_work	*w;

	if (list_empty(&turn_laters))
		return;
	w = list_entry(turn_laters.next, struct turn_work, at);
	turn_cancel(w);
	w->run(w->arg);			/* may free w */
	turn_over();
}

int
turn_loop(struct event_base *base)
{
	turn_setup();
	turn_stopping = 0;
	turn_end();
	while (!turn_stopping) {
		turn_progress();
		turn_catch_up();
		if (turn_stopping)
			break;
		if (!turn_try() && event_base_loop(base, EVLOOP_ONCE |
		    (list_empty(&turn_laters) ? 0 : EVLOOP_NONBLOCK)) == -1)
			return (-1);
		turn_over();
	}
	return (0);
}

void
turn_stop(void)
{
	turn_stopping = 1;
}

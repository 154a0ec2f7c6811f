/* The loop, and the work at the end of each turn. */
#include <event2/event.h>

#include "common/turn.h"

static struct list	 turn_ranks[TURN_NRANKS];
static int		 turn_ready, turn_stopping;

static void
turn_setup(void)
{
	if (turn_ready)
		return;
	for (size_t i = 0; i < TURN_NRANKS; i++)
		list_init(&turn_ranks[i]);
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
	if (w->queued)
		return;
	w->queued = 1;
	list_push(&turn_ranks[rank], &w->at);
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
		w->run(w->arg);		/* may free w */
		rank = 0;
	}
}

int
turn_loop(struct event_base *base)
{
	turn_setup();
	turn_stopping = 0;
	turn_end();
	while (!turn_stopping) {
		if (event_base_loop(base, EVLOOP_ONCE) == -1)
			return (-1);
		turn_end();
	}
	return (0);
}

void
turn_stop(void)
{
	turn_stopping = 1;
}

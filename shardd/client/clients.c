/* All connections of a shard: what they share, from its first to its last. */
#include <stdlib.h>

#include "common/budget.h"
#include "common/poller.h"
#include "shardd/client/burst.h"
#include "shardd/client/clients.h"
#include "shardd/client/conn.h"
#include "shardd/client/flush.h"
#include "shardd/client/reading.h"
#include "shardd/client/turns.h"
#include "shardd/client/unfinished.h"

/* unfinished.c's: c holds more than all others of what is unfinished, and all
 * together hold too much. */
static void
clients_crowded_cb(void *c)
{
	conn_doom(c, CLOSE_CROWDED);
}

/* End a doomed connection: a client that can be told why is told. */
static void
clients_reap_one(struct conn *c)
{
	enum close_why	 why = c->why;

	c->flags &= (uint16_t)~CONN_F_DOOMED;
	conn_set_state(c, c->state);		/* back in a list */
	if (why == CLOSE_RESET || why == CLOSE_NO_MEMORY ||
	    c->protocol == NULL || !c->protocol->farewell(c, why))
		conn_end(c);
}

/* The work of a turn: end the doomed. */
static void
clients_reap(void *arg)
{
	struct clients	*all = arg;

	while (!list_empty(&all->doomed)) {
		clients_reap_one(list_entry(all->doomed.next, struct conn, at));
		budget_charge(BUDGET_END);
		if (budget_over() && !list_empty(&all->doomed)) {
			turn_later(&all->reap);
			break;
		}
	}
}

int
clients_init(struct clients *all, struct event_base *base,
    const struct options *opt, struct gate *gate, const struct conn_ops *ops)
{
	all->ops = ops;
	all->opt = opt;
	all->gate = gate;
	list_init(&all->conns);
	list_init(&all->timed);
	list_init(&all->homing);
	list_init(&all->moving);
	list_init(&all->doomed);
	turn_work_init(&all->flush, flush_run, all);
	turn_work_init(&all->flush_crowd, flush_run_crowd, all);
	turn_work_init(&all->flush_late, flush_run_late, all);
	turn_work_init(&all->reap, clients_reap, all);
	turn_work_init(&all->next, turns_run, all);
	turn_work_init(&all->press, flush_run_pressed, all);
	if ((all->unfinished = unfinished_new(clients_crowded_cb)) == NULL ||
	    (all->poller = poller_new(base, reading_ready)) == NULL)
		return (-1);
	return (0);
}

void
clients_end(struct clients *all)
{
	struct list	*lists[] = { &all->conns, &all->homing, &all->doomed,
			    &all->timed }, *e, *tmp;
	struct conn	*c;

	/* Departed, a connection stands in timed until its last callback. */
	for (size_t i = 0; i < nitems(lists); i++)
		list_each(e, tmp, lists[i]) {
			c = list_entry(e, struct conn, at);
			if (c->state != CONN_DEPARTED)
				conn_end(c);
		}
}

void
clients_clear(struct clients *all)
{
	burst_free(all->burst);
	unfinished_free(all->unfinished);
	poller_free(all->poller);
	line_clear(&all->crowd);
	line_clear(&all->pressed);
	line_clear(&all->lines[LINE_FRESH]);
	line_clear(&all->lines[LINE_COSTLY]);
	free(all->dirty.at);
	free(all->late.at);
}

int
clients_none(const struct clients *all)
{
	return (list_empty(&all->conns) && list_empty(&all->timed) &&
	    list_empty(&all->homing) && list_empty(&all->doomed) &&
	    list_empty(&all->moving));
}

void
clients_each(struct clients *all,
    void (*cb)(const struct conn *c, void *arg), void *arg)
{
	struct list	*lists[] = { &all->conns, &all->timed, &all->doomed,
			    &all->moving };
	struct list	*e, *tmp;
	struct conn	*c;

	for (size_t i = 0; i < nitems(lists); i++)
		list_each(e, tmp, lists[i]) {
			c = list_entry(e, struct conn, at);
			if ((c->flags & CONN_F_GONE) == 0 &&
			    (c->told & CAPSULE_F_DIALED) == 0)
				cb(c, arg);
		}
}

/* Count one. */
static void
clients_count_cb(const struct conn *c, void *arg)
{
	(void)c;
	++*(unsigned *)arg;
}

unsigned
clients_count(struct clients *all)
{
	unsigned	 n = 0;

	clients_each(all, clients_count_cb, &n);
	return (n);
}

/* Copies of the descriptors of all open connections, for the gateway. */
#include "common/list.h"
#include "proto/channel.h"
#include "shardd/client/conn.h"
#include "shardd/gate.h"
#include "shardd/lending.h"

#define LENDING_TURN	64	/* connections */

/* One: of plain HTTP the gateway keeps none. */
static void
lending_one(const struct lending *l, const struct conn *c)
{
	if (c->fd == -1 || (c->told & CAPSULE_F_DIALED) != 0 ||
	    c->state == CONN_PARKED || (c->state == CONN_HTTP &&
	    (c->told & CAPSULE_F_UPGRADE) == 0))
		return;
	gate_cover(l->gate, c->id, c->fd);
}

/* The first ones go to the end of their list: none is left out, whoever comes or goes
 * between two turns, and none that came later is lent. */
static void
lending_run(void *arg)
{
	struct lending	*l = arg;
	struct list	*conns = &l->clients->conns, *e;

	if (l->gate->control == NULL)
		return;
	for (int i = 0; i < LENDING_TURN && l->left > 0 &&
	    !list_empty(conns); i++) {
		e = conns->next;
		list_remove(e);
		list_push(conns, e);
		lending_one(l, list_entry(e, struct conn, at));
		l->left--;
	}
	if (l->left > 0 && control_flush(l->gate->control) == 0)
		turn_later(&l->work);
}

void
lending_init(struct lending *l, struct clients *clients, struct gate *gate)
{
	l->clients = clients;
	l->gate = gate;
	turn_work_init(&l->work, lending_run, l);
}

void
lending_begin(struct lending *l)
{
	struct list	*lists[] = { &l->clients->timed, &l->clients->moving };
	struct list	*e, *tmp;

	for (size_t i = 0; i < nitems(lists); i++)
		list_each(e, tmp, lists[i])
			lending_one(l, list_entry(e, struct conn, at));
	l->left = list_count(&l->clients->conns);
	turn_later(&l->work);
}

void
lending_go_on(struct lending *l)
{
	if (l->left > 0)
		turn_later(&l->work);
}

void
lending_end(struct lending *l)
{
	l->left = 0;
	turn_cancel(&l->work);
}

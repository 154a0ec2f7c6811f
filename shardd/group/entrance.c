/* Somebody's way into a group. */
#include <string.h>

#include "shardd/group/entrance.h"
#include "shardd/group/lookup.h"

/* The replica is ready. */
static void
entrance_ready_cb(struct replica_waiter *w)
{
	struct entrance	*e = container_of(w, struct entrance, wait);

	e->ops->nearer(e);
}

/* The replica was dismissed. */
static void
entrance_gone_cb(struct replica_waiter *w)
{
	struct entrance	*e = container_of(w, struct entrance, wait);

	e->ops->gone(e);
}

/* The entry in the lookup is confirmed. */
static void
entrance_listed_cb(void *arg)
{
	struct entrance	*e = arg;

	e->ticket = NULL;
	e->listed = 1;
	e->ops->nearer(e);
}

void
entrance_init(struct entrance *e, struct replica *r,
    const struct entrance_ops *ops)
{
	memset(e, 0, sizeof(*e));
	list_init(&e->wait.at);
	e->wait.ready = entrance_ready_cb;
	e->wait.gone = entrance_gone_cb;
	e->replica = r;
	e->ops = ops;
}

int
entrance_begin(struct entrance *e, struct lookup *l, struct slice uid)
{
	if (e->replica == NULL)
		return (0);
	if (!e->replica->ready)
		list_push(&e->replica->waiting, &e->wait.at);
	e->ticket = lookup_enter(l, replica_group(e->replica), uid,
	    entrance_listed_cb, e);
	return (e->ticket == NULL ? -1 : 0);
}

void
entrance_await(struct entrance *e)
{
	e->listed = 1;
	if (!e->replica->ready)
		list_push(&e->replica->waiting, &e->wait.at);
}

int
entrance_is_open(const struct entrance *e)
{
	return (e->replica == NULL || (e->listed && e->replica->ready));
}

void
entrance_end(struct entrance *e)
{
	list_remove(&e->wait.at);
	if (e->ticket != NULL)
		lookup_cancel(e->ticket);
	e->ticket = NULL;
}

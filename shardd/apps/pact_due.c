/* pact: the sockets for which something is due, a queue for each delay. */
#include <stddef.h>

#include "shardd/apps/pact_due.h"
#include "shardd/apps/pact_socket.h"

#define DUE_TICK_MS	250

/* A socket that comes is the last of its queue. */
static struct pact_due {
	unsigned	 ms;
	struct pact_socket *first, *last;
	void		(*run)(struct pact_socket *ps);
}				 dues[PACT_DUE_N] = {
	[PACT_DUE_PING] = { .ms = 25000 }, [PACT_DUE_AGAIN] = { .ms = 1000 },
};
static struct kennel_timer	*due_timer;

void
pact_due_remove(struct pact_socket *ps)
{
	struct pact_due	*q = ps->queue;

	if (q == NULL)
		return;
	ps->queue = NULL;
	*(ps->before == NULL ? &q->first : &ps->before->after) = ps->after;
	*(ps->after == NULL ? &q->last : &ps->after->before) = ps->before;
}

void
pact_due_add(struct pact_socket *ps, enum pact_due_kind kind)
{
	struct pact_due	*q = &dues[kind];

	pact_due_remove(ps);
	ps->queue = q;
	ps->due = kennel_time() + q->ms;
	ps->before = q->last;
	ps->after = NULL;
	*(q->last == NULL ? &q->first : &q->last->after) = ps;
	q->last = ps;
}

/* Time has passed. */
static void
due_cb(void *arg)
{
	struct pact_socket	*ps;
	uint64_t		 now = kennel_time();

	(void)arg;
	for (struct pact_due *q = dues; q < dues + PACT_DUE_N; q++)
		while ((ps = q->first) != NULL && ps->due <= now) {
			pact_due_remove(ps);
			q->run(ps);
		}
}

void
pact_due_start(void (*const run[PACT_DUE_N])(struct pact_socket *))
{
	for (int i = 0; i < PACT_DUE_N; i++)
		dues[i].run = run[i];
	if (due_timer == NULL)
		due_timer = kennel_timer_new(DUE_TICK_MS, 1, due_cb, NULL);
}

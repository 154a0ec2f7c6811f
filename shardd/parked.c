/* Connections that were handed over, and perhaps are not ours. */
#include <stdlib.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/proc.h"
#include "proto/close_why.h"
#include "proto/control.h"
#include "shardd/client/conn.h"
#include "shardd/gate.h"
#include "shardd/parked.h"
#include "shardd/session/resuming.h"
#include "shardd/session/session.h"

#define PARKED_DEATH_MS	100	/* from a closed socket to a dead process,
					   where that is not known at once */

struct parked {
	struct list	 at;
	struct conn	*conn;
	uint64_t	 number;	/* of the ADOPTED, control_queued() */
	uint64_t	 until;		/* clock_ms; 0: for ever */
	int		 resumed;	/* its shard has died */
};

int
parked_late(uint64_t until)
{
	return (until != 0 && clock_ms() > until);
}

/* c is not ours. */
static void
parked_drop_conn(struct conn *c, int resumed)
{
	if (resumed)
		resuming_drop(c);
	else
		session_drop(c);
}

struct parked *
parked_new(struct conn *c, int resumed, uint64_t until)
{
	struct parked	*p;

	if ((p = malloc(sizeof(*p))) == NULL) {
		parked_drop_conn(c, resumed);
		return (NULL);
	}
	*p = (struct parked){ .conn = c, .resumed = resumed, .until = until };
	return (p);
}

void
parked_drop(struct parked *p)
{
	parked_drop_conn(p->conn, p->resumed);
	free(p);
}

void
parked_add(struct list *all, struct parked *p, uint64_t number)
{
	p->number = number;
	list_push(all, &p->at);
}

void
parked_begin(struct list *all, struct gate *gate, uint64_t sent)
{
	struct ctl	 m = { .type = CTL_REFUSED, .why = CLOSE_LOST,
			    .text = slice_str("too late") };
	struct parked	*p;
	struct list	*e, *tmp;

	list_each(e, tmp, all) {
		p = list_entry(e, struct parked, at);
		if (p->number > sent)
			break;
		list_remove(&p->at);
		if (parked_late(p->until)) {
			m.id = p->conn->id;
			gate_tell(gate, &m);
			parked_drop(p);
			continue;
		}
		if (p->resumed)
			resuming_start(p->conn);
		else
			session_start(p->conn);
		free(p);
	}
}

void
parked_drop_all(struct list *all)
{
	struct parked	*p;

	while (!list_empty(all)) {
		p = list_entry(all->next, struct parked, at);
		list_remove(&p->at);
		parked_drop(p);
	}
}

/* Its sockets are closed a moment before it counts as dead. */
void
parked_orphaned(struct list *all, struct gate *gate, int pidfd, pid_t pid)
{
	if (list_empty(all))
		return;
	if (pidfd == -1 || proc_ended(pidfd, pid, PARKED_DEATH_MS))
		parked_begin(all, gate, UINT64_MAX);
	else
		parked_drop_all(all);
}

/* Connections that the gateway hands over, until it is known that it knows. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "proto/capsule.h"
#include "proto/channel.h"
#include "proto/control.h"
#include "shardd/group/groups.h"
#include "shardd/kennel.h"
#include "shardd/parked.h"
#include "shardd/session/resuming.h"
#include "shardd/session/session.h"
#include "shardd/worker.h"

#define PARKED_DEATH_MS	100	/* from a closed socket to a dead process */

/* A capsule whose ADOPTED is queued but perhaps not with the kernel. */
struct parked {
	struct list	 at;
	struct conn	*conn;
	uint64_t	 number;	/* of the ADOPTED, control_queued() */
	uint64_t	 until;		/* clock_ms; 0: for ever */
	int		 resumed;	/* its shard has died */
};

/* Say that a capsule is not taken, and why. */
static int
parked_refuse(struct worker *w, const struct ctl *a, enum close_why why,
    const char *text)
{
	struct ctl	 m = { .type = CTL_REFUSED, .id = a->id, .why = why,
			    .replica = a->replica, .text = slice_str(text) };

	log_debug("order adopt id=%llx refused: %s",
	    (unsigned long long)a->id, text);
	worker_tell(w, &m);
	return (0);
}

/* The record, in the message or in a memfd; *mapped is to be freed. */
static struct slice
parked_record(const struct ctl *m, int memfd, void **mapped)
{
	struct slice	 s = m->value;

	*mapped = NULL;
	if ((m->flags & CTL_F_MEMFD) == 0)
		return (s);
	if ((*mapped = capsule_map(memfd, &s.len)) == NULL)
		s.len = 0;
	s.data = *mapped;
	return (s);
}

/* Is that what a gateway hands over: a new connection, or one whose shard has died? */
static int
parked_takes(const struct capsule *cap)
{
	if (cap->bits & CAPSULE_B_RESUMED)
		return (cap->protocol != CAPSULE_HTTP && cap->early.len == 0 &&
		    cap->owed.len == 0);
	return (cap->protocol == CAPSULE_HTTP || cap->protocol == CAPSULE_RAW);
}

/* The connection in a capsule, PARKED; NULL, and why not. */
static struct conn *
parked_unpack(struct worker *w, const struct ctl *m, int *fds, int *resumed,
    const char **why)
{
	struct capsule		 cap;
	struct replica		*r = NULL;
	const struct kennel_app	*app;
	struct conn		*c = NULL;
	struct slice		 record;
	void			*mapped;

	record = parked_record(m, fds[1], &mapped);
	*why = "not a capsule";
	if (capsule_decode(&cap, record.data, record.len) == -1 ||
	    !parked_takes(&cap) || cap.id != m->id)
		goto out;
	*why = "no such application";
	if ((app = applications_find(&w->sessions.apps, cap.app)) == NULL)
		goto out;
	*why = "its application serves no raw connections";
	if (cap.protocol == CAPSULE_RAW && app->ondata == NULL)
		goto out;
	*why = "no such replica";
	if (cap.replica != 0 && (r = group_find(&w->groups, cap.replica)) == NULL)
		goto out;
	*resumed = (cap.bits & CAPSULE_B_RESUMED) != 0;
	if (*resumed && (*why = resuming_hinders(app, &cap)) != NULL)
		goto out;
	*why = "no memory";
	c = (*resumed ? resuming_adopt : session_adopt)(&w->sessions, &cap,
	    app, r, fds[0]);
	if (c != NULL)
		fds[0] = -1;
out:
	free(mapped);
	return (c);
}

/* Has the gateway given it to somebody else by now? */
static int
parked_late(uint64_t until)
{
	return (until != 0 && clock_ms() > until);
}

/* It is not ours. */
static void
parked_free(struct parked *p)
{
	(p->resumed ? resuming_drop : session_drop)(p->conn);
	free(p);
}

int
parked_adopt(struct worker *w, const struct ctl *o, int *fds, int cut)
{
	struct ctl	 m = { .type = CTL_ADOPTED, .id = o->id,
			    .replica = o->replica };
	struct parked	*p;
	struct conn	*c;
	const char	*why;

	if (cut)
		return (parked_refuse(w, o, CLOSE_NO_MEMORY,
		    "out of descriptors"));
	if (parked_late(o->time))
		return (parked_refuse(w, o, CLOSE_LOST, "too late"));
	if (w->draining)
		return (parked_refuse(w, o, CLOSE_GOING, "leaving"));
	if ((p = malloc(sizeof(*p))) == NULL)
		return (parked_refuse(w, o, CLOSE_NO_MEMORY,
		    "no memory"));
	if ((c = parked_unpack(w, o, fds, &p->resumed, &why)) == NULL) {
		free(p);
		return (parked_refuse(w, o, CLOSE_LOST, why));
	}
	p->conn = c;
	if (worker_tell(w, &m) == -1) {
		parked_free(p);
		return (-1);
	}
	p->number = control_queued(w->gate.control);
	p->until = o->time;
	list_push(&w->parked, &p->at);
	return (0);
}

void
parked_begin(struct worker *w, uint64_t sent)
{
	struct ctl	 m = { .type = CTL_REFUSED, .why = CLOSE_LOST,
			    .text = slice_str("too late") };
	struct parked	*p;
	struct list	*e, *tmp;

	list_each(e, tmp, &w->parked) {
		p = list_entry(e, struct parked, at);
		if (p->number > sent)
			break;
		list_remove(&p->at);
		if (parked_late(p->until)) {
			m.id = p->conn->id;
			worker_tell(w, &m);
			parked_free(p);
			continue;
		}
		(p->resumed ? resuming_start : session_start)(p->conn);
		free(p);
	}
}

void
parked_drop(struct worker *w)
{
	struct parked	*p;

	while (!list_empty(&w->parked)) {
		p = list_entry(w->parked.next, struct parked, at);
		list_remove(&p->at);
		parked_free(p);
	}
}

void
parked_orphans(struct worker *w)
{
	struct pollfd	 p = { .fd = w->gateway_pidfd, .events = POLLIN };

	if (list_empty(&w->parked))
		return;
	if (w->gateway_pidfd == -1 || poll(&p, 1, PARKED_DEATH_MS) == 1)
		parked_begin(w, UINT64_MAX);
	else
		parked_drop(w);
}

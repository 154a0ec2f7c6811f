/* How a session ends: GONE is said, PARTED awaited, the last callback called. */
#include <stdlib.h>

#include "common/clock.h"
#include "proto/control.h"
#include "shardd/client/payload.h"
#include "shardd/gate.h"
#include "shardd/group/replica.h"
#include "shardd/group/topics.h"
#include "shardd/kennel.h"
#include "shardd/session/member.h"
#include "shardd/session/parting.h"
#include "shardd/session/sessions.h"
#include "shardd/session/verbs.h"

#define PARTING_MS	1000

/* Departed, and the gateway has not said PARTED. */
struct parted {
	struct list	 at;		/* sessions->leaving, parted or settled */
	struct conn	*conn;
	uint64_t	 since;		/* clock_ms: it stands in that list */
	struct leave	 leave;		/* while Redis is asked who is left */
	enum leave_answer answer;	/* ASKED: GONE was not said yet */
};

/* ---- the last callback ---- */

/* PARTED was said of c, or nobody will say it: the last callbacks; may free c.  What
 * Redis has answered goes before what the gateway says. */
static void
parting_end(struct conn *c, int last, enum leave_answer answer)
{
	struct kennel_close	 close = {
		.code = c->code, .label = close_label(c->why), .reason = "",
		.last = answer == LEAVE_UNKNOWN || answer == LEAVE_ALONE ?
		    last : answer == LEAVE_LAST,
		.unsure = answer == LEAVE_UNKNOWN,
	};

	if (c->rare != NULL && c->rare->reason != NULL) {
		close.reason = c->rare->reason;
		close.reason_len = c->rare->reason_len;
	}
	c->flags &= (uint16_t)~CONN_F_AWAITED;
	verbs_cancel(c);
	if ((c->flags & CONN_F_OPENED) && (c->flags & CONN_F_PARTED) == 0) {
		c->flags |= CONN_F_PARTED;
		if (c->app->onerror != NULL && close_is_error(c->why))
			c->app->onerror(conn_socket(c), &close);
		else if (c->app->onclose != NULL)
			c->app->onclose(conn_socket(c), &close);
		verbs_cancel(c);	/* what it began there */
	}
	topics_leave_all(c);
	if (c->state == CONN_DEPARTED)
		conn_free(c);
}

/* The work of a turn: nobody will say PARTED for some. */
static void
parting_settle(void *arg)
{
	struct sessions	*s = arg;
	struct list	 now = { &now, &now };
	struct parted	*p;

	list_move(&now, &s->settled);
	while (!list_empty(&now)) {
		p = list_entry(now.next, struct parted, at);
		parting_end(p->conn, p->conn->replica == NULL ||
		    !replica_has(p->conn->replica, conn_uid(p->conn)),
		    p->answer);
		list_remove(&p->at);
		free(p);
	}
}

void
parting_init(struct sessions *s)
{
	list_init(&s->leaving);
	list_init(&s->parted);
	list_init(&s->settled);
	turn_work_init(&s->settle, parting_settle, s);
}

/* p stands at the end of another list from now on. */
static void
parting_move(struct parted *p, struct list *to)
{
	list_remove(&p->at);
	list_push(to, &p->at);
	p->since = clock_ms();
}

/* Nobody will say PARTED of p. */
static void
parting_give_up(struct sessions *s, struct parted *p)
{
	parting_move(p, &s->settled);
	turn_add(&s->settle, TURN_CLIENTS);
}

/* ---- waiting for PARTED ---- */

/* Is anybody to hear how c ends? */
static int
parting_is_heard(const struct conn *c)
{
	return ((c->flags & CONN_F_OPENED) &&
	    (c->app->onclose != NULL || c->app->onerror != NULL));
}

/* Say GONE. */
static void
parting_tell(struct conn *c)
{
	struct sessions	*s = sessions_of(c);
	struct ctl	 m = { .type = CTL_GONE, .id = c->id, .why = c->why };

	m.replica = c->replica == NULL ? 0 : c->replica->id;
	if (parting_is_heard(c))
		m.flags |= CTL_F_OPENED;	/* c is to hear PARTED */
	if ((c->told & CAPSULE_F_DIALED) == 0)
		gate_tell(s->clients.gate, &m);
	if (conn_move(c) != NULL)
		s->move_ended(conn_move(c));
}

/* Redis has answered, or will not: GONE is said, and p waits for PARTED. */
static void
parting_go(struct parted *p, enum leave_answer answer)
{
	struct conn	*c = p->conn;
	struct sessions	*s = sessions_of(c);

	leave_cancel(&p->leave);
	p->answer = answer;
	parting_tell(c);
	if (parting_is_heard(c) && c->replica != NULL &&
	    s->clients.gate->control != NULL)
		parting_move(p, &s->parted);
	else
		parting_give_up(s, p);
}

/* Redis has answered. */
static void
parting_left_cb(struct leave *w, enum leave_answer answer)
{
	parting_go(container_of(w, struct parted, leave), answer);
}

/*
 * GONE waits for Redis: when the gateway has heard that the last place of a replica is
 * free it ends that, and c may have something to say about its end.
 */
void
parting_begin(struct conn *c)
{
	struct sessions		*s = sessions_of(c);
	enum leave_answer	 answer;
	struct parted		*p = NULL;

	if ((c->flags & CONN_F_OPENED) == 0 ||
	    (p = calloc(1, sizeof(*p))) == NULL) {
		member_leave(c, NULL);
		parting_tell(c);
		if (c->flags & CONN_F_OPENED)	/* with what we know ourselves */
			parting_end(c, 1, LEAVE_ALONE);
		else
			rare_drop(c->rare, &c->data);
		return;
	}
	p->conn = c;
	p->since = clock_ms();
	p->leave.said = parting_left_cb;
	c->flags |= CONN_F_AWAITED;
	list_push(&s->leaving, &p->at);
	answer = member_leave(c, parting_is_heard(c) && conn_move(c) == NULL ?
	    &p->leave : NULL);
	if (answer == LEAVE_ASKED)
		p->answer = answer;
	else
		parting_go(p, answer);
}

void
parting_said(struct sessions *s, uint64_t id, int last)
{
	struct parted	*p;
	struct list	*e, *tmp;

	/* Asked and answered in order: it is the first. */
	list_each(e, tmp, &s->parted) {
		p = list_entry(e, struct parted, at);
		if (p->conn->id != id)
			continue;
		list_remove(&p->at);
		parting_end(p->conn, last, p->answer);
		free(p);
		return;
	}
}

void
parting_all(struct sessions *s)
{
	struct list	*lists[] = { &s->parted, &s->leaving };
	struct parted	*p;

	for (size_t i = 0; i < nitems(lists); i++)
		while (!list_empty(lists[i])) {
			p = list_entry(lists[i]->next, struct parted, at);
			leave_cancel(&p->leave);
			if (p->answer == LEAVE_ASKED)
				p->answer = LEAVE_UNKNOWN;
			parting_give_up(s, p);
		}
}

/* The one that has stood in a list for longest, if that is too long; or NULL. */
static struct parted *
parting_oldest(struct list *all, uint64_t now)
{
	struct parted	*p = list_empty(all) ? NULL :
			    list_entry(all->next, struct parted, at);

	return (p != NULL && now - p->since > PARTING_MS ? p : NULL);
}

void
parting_late(struct sessions *s)
{
	struct parted	*p;
	uint64_t	 now = clock_ms();

	while ((p = parting_oldest(&s->leaving, now)) != NULL)
		parting_go(p, LEAVE_UNKNOWN);
	while ((p = parting_oldest(&s->parted, now)) != NULL)
		parting_give_up(s, p);
}

unsigned
parting_untold(const struct sessions *s)
{
	const struct parted	*p;
	struct list		*e, *tmp;
	unsigned		 n = 0;

	list_each(e, tmp, &s->leaving) {
		p = list_entry(e, struct parted, at);
		n += (p->conn->told & CAPSULE_F_DIALED) == 0;
	}
	return (n);
}

int
parting_none(const struct sessions *s)
{
	return (list_empty(&s->leaving) && list_empty(&s->parted) &&
	    list_empty(&s->settled));
}

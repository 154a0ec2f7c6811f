/* A socket's calls into its group: order, completions, waiting. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/spare.h"
#include "shardd/state/authority.h"
#include "shardd/session/verbs.h"
#include "shardd/client/conn.h"
#include "shardd/group/neighbours.h"
#include "shardd/client/payload.h"
#include "shardd/group/replica.h"
#include "shardd/group/topics.h"

struct busy {
	struct conn	*conn;		/* NULL: it has departed */
	struct list	 pending;	/* struct verb: behind a lookup */
	struct list	 completions;
	size_t		 holds;		/* completions, and callers at work */
	int		 waiting;	/* a lookup is outstanding */
	int		 ending;	/* promises nothing more */
};

/* One completion that the application was promised. */
struct completion {
	struct list	 at;		/* busy->completions */
	struct busy	*busy;		/* NULL: it was cancelled */
	kennel_done_cb	*done;
	kennel_gossip_cb *gossip;
	void		*arg;
	struct turn_work work;		/* there is nobody to wait for */
};

static int	 busy_run(struct conn *c, const struct verb *v);

static struct busy *
busy_get(struct conn *c)
{
	if (c->busy != NULL)
		return (c->busy);
	if ((c->busy = spare_zero(sizeof(*c->busy))) == NULL)
		return (NULL);
	c->busy->conn = c;
	list_init(&c->busy->pending);
	list_init(&c->busy->completions);
	return (c->busy);
}

/* Nothing is outstanding any more: it is read again. */
static void
busy_settle(struct busy *b)
{
	struct conn	*c = b->conn;

	if (b->waiting || b->holds > 0 || !list_empty(&b->pending))
		return;
	if (c != NULL) {
		c->busy = NULL;
		if (c->flags & CONN_F_JOINING)
			conn_ws_join(c);
		conn_resume(c, PAUSE_HELD);
	}
	spare_put(b, sizeof(*b));
}

static struct completion *
busy_promise(struct conn *c, const struct verb *v)
{
	struct completion	*p;
	struct busy		*b;

	if ((b = busy_get(c)) == NULL ||
	    (p = spare_zero(sizeof(*p))) == NULL)
		return (NULL);
	p->busy = b;
	p->done = v->done;
	p->gossip = v->gossip;
	p->arg = v->arg;
	list_push(&b->completions, &p->at);
	b->holds++;
	conn_pause(c, PAUSE_HELD);
	return (p);
}

/* It leaves the list, but holds its busy until busy_release(). */
static void
busy_take(struct completion *p)
{
	list_remove(&p->at);
	p->busy = NULL;
}

static void
busy_release(struct busy *b)
{
	b->holds--;
	busy_settle(b);
}

/* The call failed: nobody was promised anything. */
static void
busy_break(struct completion *p)
{
	struct busy	*b = p->busy;

	busy_take(p);
	spare_put(p, sizeof(*p));
	busy_release(b);
}

static void
busy_done_cb(int err, void *arg)
{
	struct completion	*p = arg;
	struct busy		*b = p->busy;

	if (b != NULL) {		/* else it was cancelled */
		busy_take(p);
		p->done(conn_socket(b->conn), err, p->arg);
		busy_release(b);
	}
	spare_put(p, sizeof(*p));
}

static void
busy_gossip_cb(const struct kennel_slot *slots, size_t n, void *arg)
{
	struct completion	*p = arg;
	struct busy		*b = p->busy;

	if (b != NULL) {
		busy_take(p);
		p->gossip(conn_socket(b->conn), slots, n, p->arg);
		busy_release(b);
	}
	spare_put(p, sizeof(*p));
}

/* It was promised when it was queued, and will not be done. */
static void
busy_fail(struct conn *c, const struct verb *v, int err)
{
	if (v->done != NULL)
		v->done(conn_socket(c), err, v->arg);
	else if (v->gossip != NULL)
		v->gossip(conn_socket(c), NULL, 0, v->arg);
}

/* The lookup is over: what waited behind it, in order. */
static void
busy_settled_cb(int over, void *arg)
{
	struct busy	*b = arg;
	struct verb	*v;

	b->waiting = 0;
	if (over && b->conn != NULL)
		conn_pause(b->conn, PAUSE_LINK);
	b->holds++;
	while (!b->waiting && !list_empty(&b->pending)) {
		v = list_entry(b->pending.next, struct verb, at);
		list_remove(&v->at);
		if (b->conn != NULL && busy_run(b->conn, v) == -1)
			busy_fail(b->conn, v, errno);
		if (v->p != NULL)
			payload_unref(v->p);
		free(v);
	}
	busy_release(b);
}

void
busy_cancel(struct conn *c)
{
	struct busy		*b = c->busy;
	struct completion	*p;
	struct verb		*v;

	if (b == NULL)
		return;
	b->ending = 1;			/* or a call that calls again never ends */
	while (!list_empty(&b->completions)) {
		p = list_entry(b->completions.next, struct completion, at);
		busy_take(p);		/* its own callback frees it */
		b->holds--;
		if (p->done != NULL)
			p->done(conn_socket(c), ECANCELED, p->arg);
		else
			p->gossip(conn_socket(c), NULL, 0, p->arg);
	}
	while (!list_empty(&b->pending)) {
		v = list_entry(b->pending.next, struct verb, at);
		list_remove(&v->at);
		busy_fail(c, v, ECANCELED);
		if (v->p != NULL)
			payload_unref(v->p);
		free(v);
	}
	c->busy = NULL;
	b->conn = NULL;
	busy_settle(b);			/* or whoever holds it */
}

/* ---- the calls ---- */

static int
busy_fan(struct conn *c, const struct verb *v)
{
	struct replica		*r = c->replica;
	struct slice		 but = { NULL, 0 };
	struct completion	*promise = NULL;
	int			 over;

	if ((v->flags & KENNEL_SELF) == 0)
		but = conn_uid(c);
	if (v->kind == VERB_PUBLISH)
		topics_emit(r, v->uid, v->p, but);
	else
		replica_emit(r, v->p, but);
	if (v->kind == VERB_EMIT)
		return (0);
	if (v->done != NULL && (promise = busy_promise(c, v)) == NULL)
		return (-1);
	if (v->kind == VERB_PUBLISH)
		over = neighbours_publish(r->neighbours, v->uid, v->p, but,
		    promise != NULL ? busy_done_cb : NULL, promise);
	else
		over = neighbours_cast(r->neighbours, v->p, but,
		    promise != NULL ? busy_done_cb : NULL, promise);
	if (over == -1 && promise != NULL)
		busy_break(promise);
	if (over == 1)
		conn_pause(c, PAUSE_LINK);
	return (over == -1 ? -1 : 0);
}

static void
busy_at_once_cb(void *arg)
{
	busy_done_cb(0, arg);
}

/* A whisper to oneself reaches nobody, and is done. */
static int
busy_nobody(struct conn *c, const struct verb *v)
{
	struct completion	*promise;

	if (v->done == NULL)
		return (0);
	if ((promise = busy_promise(c, v)) == NULL)
		return (-1);
	turn_work_init(&promise->work, busy_at_once_cb, promise);
	turn_add(&promise->work, TURN_CLIENTS);
	return (0);
}

static int
busy_whisper(struct conn *c, const struct verb *v)
{
	struct replica		*r = c->replica;
	struct completion	*promise = NULL;
	struct busy		*b;
	int			 waiting = 0, over;

	if (slice_eq(v->uid, conn_uid(c)))
		return (busy_nobody(c, v));
	if ((b = busy_get(c)) == NULL)
		return (-1);
	b->holds++;
	if (v->done != NULL && (promise = busy_promise(c, v)) == NULL) {
		busy_release(b);
		return (-1);
	}
	replica_whisper(r, v->uid, v->p);
	over = neighbours_whisper(r->neighbours, v->uid, v->p, &waiting,
	    busy_settled_cb, b, promise != NULL ? busy_done_cb : NULL,
	    promise);
	if (waiting) {
		b->waiting = 1;
		conn_pause(c, PAUSE_HELD);
	}
	if (over == -1 && promise != NULL)
		busy_break(promise);
	if (over == 1)
		conn_pause(c, PAUSE_LINK);
	busy_release(b);
	return (over == -1 ? -1 : 0);
}

static int
busy_gossip(struct conn *c, const struct verb *v)
{
	struct completion	*promise;

	if ((promise = busy_promise(c, v)) == NULL)
		return (-1);
	if (neighbours_gossip(c->replica->neighbours, payload_data(v->p),
	    v->deadline_ms, busy_gossip_cb, promise) == 0)
		return (0);
	busy_break(promise);
	return (-1);
}

static int
busy_step(struct conn *c, const struct verb *v)
{
	struct completion	*promise = NULL;

	if (c->replica->authority == NULL) {
		errno = ENOTSUP;
		return (-1);
	}
	if (v->done != NULL && (promise = busy_promise(c, v)) == NULL)
		return (-1);
	if (authority_step(c->replica->authority, payload_data(v->p),
	    promise != NULL ? busy_done_cb : NULL, promise) == 0) {
		if (neighbours_over(c->replica->neighbours))
			conn_pause(c, PAUSE_LINK);
		return (0);
	}
	if (promise != NULL)
		busy_break(promise);
	return (-1);
}

static int
busy_run(struct conn *c, const struct verb *v)
{
	if (v->kind == VERB_CLOSE) {
		conn_ws_close(c, CLOSE_APP, (uint16_t)v->code,
		    v->text[0] == '\0' ? NULL : v->text);
		return (0);
	}
	if (v->kind == VERB_SEND)
		return (c->state != CONN_OPEN ? (errno = EPIPE, -1) :
		    conn_send(c, v->p));
	if (c->replica == NULL || c->replica->neighbours == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	switch (v->kind) {
	case VERB_WHISPER:
		return (busy_whisper(c, v));
	case VERB_GOSSIP:
		return (busy_gossip(c, v));
	case VERB_STEP:
		return (busy_step(c, v));
	default:
		return (busy_fan(c, v));
	}
}

int
busy_call(struct conn *c, const struct verb *v)
{
	struct busy	*b = c->busy;
	struct verb	*copy;
	size_t		 n;

	if (b != NULL && b->ending && (b->waiting || v->done != NULL ||
	    v->gossip != NULL)) {
		errno = EPIPE;
		return (-1);
	}
	if (b == NULL || (!b->waiting && list_empty(&b->pending)))
		return (busy_run(c, v));
	n = (v->kind == VERB_WHISPER || v->kind == VERB_PUBLISH ? v->uid.len :
	    v->kind == VERB_CLOSE ? strlen(v->text) : 0) + 1;
	if ((copy = malloc(sizeof(*copy) + n)) == NULL)
		return (-1);
	*copy = *v;
	copy->text[n - 1] = '\0';
	if (v->kind == VERB_WHISPER || v->kind == VERB_PUBLISH) {
		memcpy(copy->text, v->uid.data, v->uid.len);
		copy->uid.data = copy->text;
	} else if (v->kind == VERB_CLOSE)
		memcpy(copy->text, v->text, n);
	if (copy->p != NULL)
		payload_ref(copy->p);
	list_push(&b->pending, &copy->at);
	return (0);
}

/* The verbs of a socket, which its application calls: order, completions, waiting. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/spare.h"
#include "shardd/client/conn.h"
#include "shardd/client/payload.h"
#include "shardd/group/fan.h"
#include "shardd/group/group.h"
#include "shardd/group/replica.h"
#include "shardd/group/topics.h"
#include "shardd/session/member.h"
#include "shardd/session/sessions.h"
#include "shardd/session/verbs.h"
#include "shardd/state/authority.h"

struct verbs {
	struct conn	*conn;		/* NULL: it has departed */
	struct list	 pending;	/* struct verb: behind a lookup */
	struct list	 completions;
	size_t		 holds;		/* completions, and callers at work */
	int		 waiting;	/* a lookup is outstanding */
	int		 ending;	/* promises nothing more */
};

/* One completion that the application was promised. */
struct completion {
	struct list	 at;		/* verbs->completions */
	struct verbs	*verbs;		/* NULL: it was cancelled */
	kennel_done_cb	*done;
	kennel_gossip_cb *gossip;
	void		*arg;
	struct turn_work work;		/* there is nobody to wait for */
};

static int	 verbs_run(struct conn *c, const struct verb *v);

/* What c has outstanding, made if need be.  NULL without memory. */
static struct verbs *
verbs_get(struct conn *c)
{
	if (c->verbs != NULL)
		return (c->verbs);
	if ((c->verbs = spare_zero(sizeof(*c->verbs))) == NULL)
		return (NULL);
	c->verbs->conn = c;
	list_init(&c->verbs->pending);
	list_init(&c->verbs->completions);
	return (c->verbs);
}

/* Nothing is outstanding any more: it is read again. */
static void
verbs_settle(struct verbs *b)
{
	struct conn	*c = b->conn;

	if (b->waiting || b->holds > 0 || !list_empty(&b->pending))
		return;
	if (c != NULL) {
		c->verbs = NULL;
		if (c->flags & CONN_F_JOINING)
			member_join(c);
		conn_resume(c, PAUSE_HELD);
	}
	spare_put(b, sizeof(*b));
}

/* Promise the application a completion of v.  NULL without memory. */
static struct completion *
verbs_promise(struct conn *c, const struct verb *v)
{
	struct completion	*p;
	struct verbs		*b;

	if ((b = verbs_get(c)) == NULL ||
	    (p = spare_zero(sizeof(*p))) == NULL)
		return (NULL);
	p->verbs = b;
	p->done = v->done;
	p->gossip = v->gossip;
	p->arg = v->arg;
	list_push(&b->completions, &p->at);
	b->holds++;
	conn_pause(c, PAUSE_HELD);
	return (p);
}

/* A completion leaves the list, but holds its verbs until verbs_release(). */
static void
verbs_take(struct completion *p)
{
	list_remove(&p->at);
	p->verbs = NULL;
}

/* One completion less holds b; may free b. */
static void
verbs_release(struct verbs *b)
{
	b->holds--;
	verbs_settle(b);
}

/* The call failed: nobody was promised anything. */
static void
verbs_break(struct completion *p)
{
	struct verbs	*b = p->verbs;

	verbs_take(p);
	spare_put(p, sizeof(*p));
	verbs_release(b);
}

/* A call is done. */
static void
verbs_done_cb(int err, void *arg)
{
	struct completion	*p = arg;
	struct verbs		*b = p->verbs;

	if (b != NULL) {		/* else it was cancelled */
		verbs_take(p);
		p->done(conn_socket(b->conn), err, p->arg);
		verbs_release(b);
	}
	spare_put(p, sizeof(*p));
}

/* A question is answered. */
static void
verbs_gossip_cb(const struct kennel_slot *slots, size_t n, void *arg)
{
	struct completion	*p = arg;
	struct verbs		*b = p->verbs;

	if (b != NULL) {
		verbs_take(p);
		p->gossip(conn_socket(b->conn), slots, n, p->arg);
		verbs_release(b);
	}
	spare_put(p, sizeof(*p));
}

/* A call that was queued, and has promised a completion, will not be done. */
static void
verbs_fail(struct conn *c, const struct verb *v, int err)
{
	if (v->done != NULL)
		v->done(conn_socket(c), err, v->arg);
	else if (v->gossip != NULL)
		v->gossip(conn_socket(c), NULL, 0, v->arg);
}

/* A call that was queued has been done, or will not be. */
static void
verbs_free(struct verb *v)
{
	if (v->p != NULL)
		payload_unref(v->p);
	if (v->head != NULL)
		payload_unref(v->head);
	free(v);
}

/* The lookup is over: what waited behind it, in order. */
static void
verbs_settled_cb(int over, void *arg)
{
	struct verbs	*b = arg;
	struct verb	*v;

	b->waiting = 0;
	if (over && b->conn != NULL)
		conn_pause(b->conn, PAUSE_LINK);
	b->holds++;
	while (!b->waiting && !list_empty(&b->pending)) {
		v = list_entry(b->pending.next, struct verb, at);
		list_remove(&v->at);
		if (b->conn != NULL && verbs_run(b->conn, v) == -1)
			verbs_fail(b->conn, v, errno);
		verbs_free(v);
	}
	verbs_release(b);
}

void
verbs_cancel(struct conn *c)
{
	struct verbs		*b = c->verbs;
	struct completion	*p;
	struct verb		*v;

	if (b == NULL)
		return;
	b->ending = 1;			/* or a call that calls again never ends */
	while (!list_empty(&b->completions)) {
		p = list_entry(b->completions.next, struct completion, at);
		verbs_take(p);		/* its own callback frees it */
		b->holds--;
		if (p->done != NULL)
			p->done(conn_socket(c), ECANCELED, p->arg);
		else
			p->gossip(conn_socket(c), NULL, 0, p->arg);
	}
	while (!list_empty(&b->pending)) {
		v = list_entry(b->pending.next, struct verb, at);
		list_remove(&v->at);
		verbs_fail(c, v, ECANCELED);
		verbs_free(v);
	}
	c->verbs = NULL;
	b->conn = NULL;
	verbs_settle(b);			/* or whoever holds it */
}

/* ---- the calls ---- */

/* Emit, broadcast, publish. */
static int
verbs_fan(struct conn *c, const struct verb *v)
{
	struct replica		*r = c->replica;
	struct slice		 but = { NULL, 0 };
	struct completion	*promise = NULL;
	int			 over;

	if ((v->flags & (KENNEL_SELF | KENNEL_OTHERS)) == 0)
		but = conn_uid(c);
	if (v->kind == VERB_PUBLISH)
		topics_emit(r, v->uid, v->p, but);
	else if (v->flags & KENNEL_OTHERS)
		replica_emit_others(r, v->p, c);
	else
		replica_emit(r, v->p, but);
	if (v->kind == VERB_EMIT) {
		group_emitted(r, slice_of(NULL, 0), v->p, but);
		return (0);
	}
	if (v->done != NULL && (promise = verbs_promise(c, v)) == NULL)
		return (-1);
	if (v->kind == VERB_PUBLISH)
		over = fan_publish(r->neighbours, v->uid, v->p, but,
		    promise != NULL ? verbs_done_cb : NULL, promise);
	else
		over = fan_cast(r->neighbours, v->p, but,
		    promise != NULL ? verbs_done_cb : NULL, promise);
	if (over == -1 && promise != NULL)
		verbs_break(promise);
	if (over == 1)
		conn_pause(c, PAUSE_LINK);
	return (over == -1 ? -1 : 0);
}

/* What reached nobody is done. */
static void
verbs_at_once_cb(void *arg)
{
	verbs_done_cb(0, arg);
}

/* A whisper to oneself reaches nobody, and is done. */
static int
verbs_nobody(struct conn *c, const struct verb *v)
{
	struct completion	*promise;

	if (v->done == NULL)
		return (0);
	if ((promise = verbs_promise(c, v)) == NULL)
		return (-1);
	turn_work_init(&promise->work, verbs_at_once_cb, promise);
	turn_add(&promise->work, TURN_CLIENTS);
	return (0);
}

/* Whisper to the sockets of one uid. */
static int
verbs_whisper(struct conn *c, const struct verb *v)
{
	struct replica		*r = c->replica;
	struct completion	*promise = NULL;
	struct verbs		*b;
	int			 waiting = 0, over;

	if (slice_eq(v->uid, conn_uid(c)))
		return (verbs_nobody(c, v));
	if ((b = verbs_get(c)) == NULL)
		return (-1);
	b->holds++;
	if (v->done != NULL && (promise = verbs_promise(c, v)) == NULL) {
		verbs_release(b);
		return (-1);
	}
	replica_whisper(r, v->uid, v->p, 0);
	over = fan_whisper(r->neighbours, replica_group(r), v->uid, v->p,
	    &waiting, verbs_settled_cb, b, promise != NULL ? verbs_done_cb : NULL,
	    promise);
	if (waiting) {
		b->waiting = 1;
		conn_pause(c, PAUSE_HELD);
	}
	if (over == -1 && promise != NULL)
		verbs_break(promise);
	if (over == 1)
		conn_pause(c, PAUSE_LINK);
	verbs_release(b);
	return (over == -1 ? -1 : 0);
}

/* Ask all neighbours. */
static int
verbs_gossip(struct conn *c, const struct verb *v)
{
	struct completion	*promise;

	if ((promise = verbs_promise(c, v)) == NULL)
		return (-1);
	if (fan_gossip(c->replica->neighbours, payload_data(v->p),
	    v->deadline_ms, verbs_gossip_cb, promise) == 0)
		return (0);
	verbs_break(promise);
	return (-1);
}

/* Propose a step to the group's authority. */
static int
verbs_step(struct conn *c, const struct verb *v)
{
	struct completion	*promise = NULL;

	if (c->replica->authority == NULL) {
		errno = ENOTSUP;
		return (-1);
	}
	if (v->done != NULL && (promise = verbs_promise(c, v)) == NULL)
		return (-1);
	if (authority_step(c->replica->authority, payload_data(v->p),
	    promise != NULL ? verbs_done_cb : NULL, promise) == 0) {
		if (fan_is_over(c->replica->neighbours))
			conn_pause(c, PAUSE_LINK);
		return (0);
	}
	if (promise != NULL)
		verbs_break(promise);
	return (-1);
}

/* Tell the applications of neighbours. */
static int
verbs_tell_now(struct conn *c, uint64_t neighbour, struct slice head,
    struct slice data)
{
	int	 over;

	if (c->replica == NULL || c->replica->neighbours == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	over = fan_tell(c->replica->neighbours, neighbour, head, data);
	if (over == 1)
		conn_pause(c, PAUSE_LINK);
	return (over == -1 ? -1 : 0);
}

/* Do v now. */
static int
verbs_run(struct conn *c, const struct verb *v)
{
	if (v->kind == VERB_CLOSE) {
		conn_close(c, CLOSE_APP, (uint16_t)v->code,
		    v->text[0] == '\0' ? NULL : v->text);
		return (0);
	}
	if (v->kind == VERB_SEND)
		return (c->state != CONN_OPEN ? (errno = EPIPE, -1) :
		    v->head != NULL ? conn_send_both(c, v->head, v->p) :
		    conn_send(c, v->p));
	if (c->replica == NULL || c->replica->neighbours == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	switch (v->kind) {
	case VERB_TELL:
		return (verbs_tell_now(c, v->neighbour, v->uid,
		    payload_data(v->p)));
	case VERB_WHISPER:
		return (verbs_whisper(c, v));
	case VERB_GOSSIP:
		return (verbs_gossip(c, v));
	case VERB_STEP:
		return (verbs_step(c, v));
	default:
		return (verbs_fan(c, v));
	}
}

/* Has v bytes of its own in v->uid? */
static int
verbs_has_uid(const struct verb *v)
{
	return (v->kind == VERB_WHISPER || v->kind == VERB_PUBLISH ||
	    v->kind == VERB_TELL);
}

int
verbs_tell(struct conn *c, uint64_t neighbour, struct slice head,
    struct slice data)
{
	struct verb	 v = { .kind = VERB_TELL, .neighbour = neighbour,
			    .uid = head };
	int		 r;

	if (c->verbs == NULL || (!c->verbs->waiting &&
	    list_empty(&c->verbs->pending)))
		return (verbs_tell_now(c, neighbour, head, data));
	if ((v.p = payload_raw(data)) == NULL)
		return (-1);
	r = verbs_call(c, &v);
	payload_unref(v.p);
	return (r);
}

int
verbs_call(struct conn *c, const struct verb *v)
{
	struct verbs	*b = c->verbs;
	struct verb	*copy;
	size_t		 n;

	/* What it says while it moves would overtake what it says elsewhere. */
	if (c->state == CONN_MOVING) {
		errno = EAGAIN;
		return (-1);
	}
	if ((c->pauses & PAUSE_MOVE) && v->kind != VERB_SEND)
		c->pauses |= PAUSE_SAID;
	if (b != NULL && b->ending && (b->waiting || v->done != NULL ||
	    v->gossip != NULL)) {
		errno = EPIPE;
		return (-1);
	}
	if (b == NULL || (!b->waiting && list_empty(&b->pending)))
		return (verbs_run(c, v));
	n = (verbs_has_uid(v) ? v->uid.len :
	    v->kind == VERB_CLOSE ? strlen(v->text) : 0) + 1;
	if ((copy = malloc(sizeof(*copy) + n)) == NULL)
		return (-1);
	*copy = *v;
	copy->text[n - 1] = '\0';
	if (verbs_has_uid(v)) {
		if (v->uid.len > 0)
			memcpy(copy->text, v->uid.data, v->uid.len);
		copy->uid.data = copy->text;
	} else if (v->kind == VERB_CLOSE)
		memcpy(copy->text, v->text, n);
	if (copy->p != NULL)
		payload_ref(copy->p);
	if (copy->head != NULL)
		payload_ref(copy->head);
	list_push(&b->pending, &copy->at);
	return (0);
}

int
verbs_close(struct conn *c, int code, struct slice reason)
{
	struct verb	*v;

	if (!ws_close_ok(code, reason)) {
		errno = EINVAL;
		return (-1);
	}
	if (c->state != CONN_OPEN) {
		errno = c->state == CONN_MOVING ||
		    c->state == CONN_PARKED ? EAGAIN : EPIPE;
		return (-1);
	}
	if ((v = calloc(1, sizeof(*v) + reason.len + 1)) == NULL) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return (0);
	}
	v->kind = VERB_CLOSE;
	v->code = code;
	if (reason.len > 0)
		memcpy(v->text, reason.data, reason.len);
	verbs_call(c, v);
	free(v);
	return (0);
}

/* The office of an authority: who has what, what waits, deciding, writing. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/news.h"
#include "proto/page.h"
#include "shardd/kennel.h"
#include "shardd/state/decide.h"
#include "shardd/state/effect.h"
#include "shardd/state/expiry.h"
#include "shardd/state/office.h"

#define AUTHORITY_TURN_MS	5	/* of deciding, then others have a turn */
#define OFFICE_LOOK_MS		1000	/* for keys whose time has ended */
#define OFFICE_LOOKS		100	/* keys with a time: 1 ms rarer */

static struct buf	 office_kept;	/* for the next batch */

static void	 office_committed_cb(const struct store_answer *, void *);

void
office_restless(struct authority *a)
{
	if (list_empty(&a->restless))
		list_push(&a->desk->restless, &a->restless);
}

/*
 * The clock by which keys' times end, in ms.  Where nodes share a Redis, that is its clock,
 * for whoever decides next may be on a machine whose own is hours from ours.
 */
static uint64_t
office_time(const struct authority *a)
{
	const struct authority_desk	*d = a->desk;

	return (d->redis_at == 0 ? clock_wall_ms() :
	    d->redis_time + (clock_ms() - d->redis_at));
}

int
office_tell(struct authority *a, uint64_t to, struct gossip *m)
{
	m->term = a->term;
	return (a->ops->tell(a->arg, to, m));
}

/* journal_send_cb: a message goes to a neighbour. */
static void
office_send_cb(void *arg, uint64_t to, struct gossip *m)
{
	office_tell(arg, to, m);
}

void
office_send_state(struct authority *a, uint64_t to)
{
	journal_send_state(&a->j, to, office_send_cb, a);
}

void
office_send_since(struct authority *a, uint64_t to, uint64_t pos)
{
	journal_send_since(&a->j, to, pos, office_send_cb, a);
}

/* ---- members ---- */

struct member *
office_member(struct authority *a, uint64_t id)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &a->members)
		if (list_entry(e, struct member, at)->id == id)
			return (list_entry(e, struct member, at));
	return (NULL);
}

void
member_free(struct member *m)
{
	list_remove(&m->at);
	incoming_drop(&m->incoming);
	free(m);
}

void
office_forget_members(struct authority *a)
{
	while (!list_empty(&a->members))
		member_free(list_entry(a->members.next, struct member, at));
}

/* Is member k waited for?  One that is silent for too long is not, until it has caught up:
 * one step is slow for it, not each. */
static int
office_waits(const struct authority *a, struct member *k)
{
	uint64_t	 now;

	if (!k->heard)
		return (0);
	if (k->acked >= a->j.pos) {
		k->since = k->slow = 0;
		return (0);
	}
	now = clock_ms();
	if (k->since == 0)
		k->since = now;
	if (k->slow == 0 && now - k->since >= AUTHORITY_SLOW_MS) {
		log_info("replica id=%" PRIu64 " neighbour=%" PRIu64
		    " is silent, steps do not wait for it", a->of.id, k->id);
		k->slow = UINT64_MAX;
	}
	return (k->slow == 0);
}

void
office_heard_ack(struct authority *a, struct member *k, uint64_t pos)
{
	k->acked = pos;
	k->since = 0;
	if (k->slow == UINT64_MAX)
		k->slow = a->j.pos;
	if (pos >= k->slow)
		k->slow = 0;
}

int
office_settle(struct authority *a)
{
	struct gossip	 m = { .type = GOSSIP_ACK };
	struct list	*e, *tmp;
	struct member	*k;
	uint64_t	 pos = a->j.pos;
	int		 waits;

	list_each(e, tmp, &a->members) {
		k = list_entry(e, struct member, at);
		if (office_waits(a, k) && k->acked < pos)
			pos = k->acked;
	}
	list_each(e, tmp, &a->members) {
		k = list_entry(e, struct member, at);
		if (!k->heard || k->asked <= k->told || pos <= k->told)
			continue;
		k->told = m.seq = pos;
		office_tell(a, k->id, &m);
	}
	if ((waits = pos < a->j.pos))
		office_restless(a);
	steps_settled(&a->own, pos);
	return (waits);
}

void
office_bring_up(struct authority *a, struct member *m)
{
	if (!m->stale && journal_passed(&a->j, m->pos, m->era))
		office_send_since(a, m->id, m->pos);
	else {
		office_send_state(a, m->id);
		m->stated = clock_ms();
		m->acked = 0;		/* whatever it had */
	}
	m->stale = 0;
	m->pos = a->j.pos;
	m->era = a->j.era;
	m->asked = a->j.pos;
}

/* ---- deciding ---- */

/* A proposal leaves its list. */
static void
proposal_free(struct proposal *p)
{
	list_remove(&p->at);
	spare_put(p, sizeof(*p) + p->len);
}

void
proposals_free(struct list *proposals)
{
	while (!list_empty(proposals))
		proposal_free(list_entry(proposals->next, struct proposal,
		    at));
}

/* Is there nobody to ask, or Redis? */
static int
office_may_write(const struct authority *a)
{
	return (a->keys == NULL || !a->away);
}

int
office_expire(struct authority *a)
{
	uint64_t	 now = clock_ms(), wall, first;
	size_t		 n;

	if (!expiry_any(&a->j.maps) || effect_is_poison(a, 0, 0))
		return (0);
	if (now < a->looks)
		return (1);
	first = expiry_first(&a->j.maps, office_may_write(a), &n);
	wall = office_time(a);
	a->looks = now + n / OFFICE_LOOKS;	/* the more there are, the rarer */
	if (first != 0 && first <= wall)
		office_propose_end(a, 0);
	a->looks += first > wall && first - wall < OFFICE_LOOK_MS ?
	    first - wall : OFFICE_LOOK_MS;
	return (1);
}

/* The batch took effect: tell everybody, then us. */
static void
office_publish(struct authority *a)
{
	struct gossip	 m = { .type = GOSSIP_NEWS, .seq = a->j.pos + 1,
			    .era = a->term,
			    .payload = slice_of(a->bytes.data, a->bytes.len) };
	struct buf	 bytes = a->bytes;
	struct list	*e, *tmp;
	struct proposal	*p;
	struct member	*k;

	list_each(e, tmp, &a->members) {
		k = list_entry(e, struct member, at);
		if (!k->heard)
			continue;
		office_tell(a, k->id, &m);
		k->pos = m.seq;
		k->era = m.era;
	}
	list_each(e, tmp, &a->batch) {
		p = list_entry(e, struct proposal, at);
		if (p->number != 0 && p->origin != a->of.id &&
		    (k = office_member(a, p->origin)) != NULL)
			k->asked = m.seq;
	}
	proposals_free(&a->batch);
	a->nbatch = 0;
	memset(&a->bytes, 0, sizeof(a->bytes));
	effect_apply(a, a->term, bytes.data, bytes.len);
	buf_give(&office_kept, &bytes);
	if (expiry_any(&a->j.maps))
		office_restless(a);
	office_settle(a);
}

void
office_unbatch(struct authority *a)
{
	struct proposal	*p;
	struct map_node	*n;
	struct mark	*k;

	while (!list_empty(&a->batch)) {
		p = list_entry(a->batch.prev, struct proposal, at);
		list_remove(&p->at);
		list_push(a->inbox.next, &p->at);	/* before the first */
		a->inbox_bytes += sizeof(*p) + p->len;
	}
	for (n = map_first(&a->j.marks); n != NULL; n = map_next(&a->j.marks, n)) {
		k = container_of(n, struct mark, by_origin);
		k->seen = k->done;
	}
	a->nbatch = 0;
	buf_clear(&a->bytes);
}

/*
 * Returns an errno.  *more: ongone has not come to its end, what it wrote is a
 * step of nobody's.
 */
static int
office_decide(struct authority *a, struct kennel_step *t,
    const struct proposal *p, int *more)
{
	const struct kennel_app	*app = a->of.app;
	struct kennel_replica	*r = a->of.replica;
	struct page		*page = a->desk->page;
	int			 err;

	turn_progress();
	if (effect_is_poison(a, p->origin, p->number)) {
		log_warn("replica id=%" PRIu64 " step number=%" PRIu64
		    " of replica=%" PRIu64 " refused: shards died of it",
		    a->of.id, p->number, p->origin);
		*more = 0;
		return (EBADMSG);
	}
	if (p->number == 0 && p->origin == 0) {
		err = expiry_decide(t, t->now, office_may_write(a) &&
		    !p->refused);
		*more = err == EAGAIN && t->nchanges > 0;
		return (*more ? t->err : err);
	}
	page_at(page, PAGE_DECIDE, a->of.id, p->origin, p->number);
	if (p->number == 0)
		err = app->ongone == NULL ? 0 : app->ongone(r, t, p->origin);
	else
		err = app->decide(r, t, p->data, p->len);
	page_idle(page);
	*more = p->number == 0 && err == EAGAIN && t->nchanges > 0;
	if (err == 0 || *more)
		err = t->err;
	if (err == 0 && t->durable && a->keys != NULL &&
	    (a->away || p->refused))
		err = EAGAIN;
	return (err < 0 ? EINVAL : err);
}

/*
 * Decide what waits, as much as goes into one batch, which then is in a->batch and
 * a->bytes.  Returns whether it is to be written to Redis.
 */
static int
office_make_batch(struct authority *a)
{
	struct maps		 batch = { 0 };
	static struct buf	 kept;
	struct buf		 steps = buf_take(&kept);
	struct kennel_step	 t;
	struct proposal		*p;
	struct mark		*k;
	size_t			 n = 0, changes = 0;
	int			 err, durable = 0, more = 0, alone = 0;
	int			 lasting = 0;

	while (!list_empty(&a->inbox) && n < NEWS_STEPS_MAX &&
	    steps.len < AUTHORITY_BATCH && !more) {
		p = list_entry(a->inbox.next, struct proposal, at);
		if (n > 0 && (p->alone || alone))
			break;
		alone = p->alone;
		k = p->number == 0 ? NULL : journal_mark(&a->j, p->origin);
		/* p came again; or one before p was lost, and both will. */
		if (k != NULL && (p->number <= k->seen || p->after > k->seen)) {
			a->inbox_bytes -= sizeof(*p) + p->len;
			proposal_free(p);
			continue;
		}
		decide_begin(&t, &a->j.maps, &batch, NEWS_CHANGES_MAX - changes,
		    *a->desk->state_max);
		t.now = office_time(a);
		err = office_decide(a, &t, p, &more);
		if (err == E2BIG && n > 0) {
			decide_end(&t);
			break;			/* in a batch of its own */
		}
		more = more && err == 0;	/* p is decided again */
		if (p->number == 0 && err == EAGAIN) {
			/* That end stays to be told until Redis is back. */
			a->inbox_bytes -= sizeof(*p);
			proposal_free(p);
			decide_end(&t);
			continue;
		}
		if (!more) {
			list_remove(&p->at);
			list_push(&a->batch, &p->at);
			a->inbox_bytes -= sizeof(*p) + p->len;
		}
		if (err == 0 && decide_accept(&t, &batch) == -1)
			err = ENOMEM;
		news_add_step(&steps, more ? 0 : p->origin, p->number,
		    (uint32_t)err,
		    err == 0 ? slice_of(p->data, p->len) : slice_of(NULL, 0),
		    err == 0 ? t.nchanges : 0);
		if (err == 0) {
			if (t.changes.len > 0)
				buf_add(&steps, t.changes.data, t.changes.len);
			changes += t.nchanges;
			durable |= t.durable;
			lasting |= t.durable && !t.passing;
		}
		if (k != NULL)
			k->seen = p->number;
		decide_end(&t);
		n++;
	}
	durable = durable && a->keys != NULL;
	a->passing = !lasting;
	a->nbatch = n;
	if (a->bytes.data == NULL)
		a->bytes = buf_take(&office_kept);
	a->bytes.len = 0;
	news_begin(&a->bytes, durable ? a->j.durable + 1 : 0, n);
	if (steps.len > 0)
		buf_add(&a->bytes, steps.data, steps.len);
	a->bytes.failed |= steps.failed;
	buf_give(&kept, &steps);
	maps_clear(&batch);
	return (durable);
}

void
office_step_down(struct authority *a)
{
	store_forget(a->call);
	a->call = NULL;
	list_remove(&a->keeping);
	office_unbatch(a);
	office_forget_members(a);
	a->office = OFFICE_NONE;
	incoming_drop(&a->incoming);
}

/* Nobody knows whether the batch was written. */
static void
office_lost(struct authority *a)
{
	a->unknown |= a->nbatch > 0;
	office_unbatch(a);
	a->office = OFFICE_WAITING;
	a->since = clock_ms();
	office_restless(a);
}

/* Redis refuses something in the batch: each of its steps is tried alone, and
 * what is refused then has to do without. */
static void
office_sift(struct authority *a)
{
	struct list	*e, *tmp;
	struct proposal	*p;
	int		 alone = a->nbatch == 1;

	log_warn("replica id=%" PRIu64 " steps=%zu refused: a key in Redis has "
	    "another type", a->of.id, a->nbatch);
	list_each(e, tmp, &a->batch) {
		p = list_entry(e, struct proposal, at);
		p->alone = 1;
		p->refused = alone;
	}
	if (list_empty(&a->batch))	/* a part of an ongone */
		list_entry(a->inbox.next, struct proposal, at)->refused = 1;
	office_unbatch(a);
	a->office = OFFICE_READY;
	turn_add(&a->work, TURN_CLIENTS);
}

void
office_touched(struct authority *a)
{
	a->touched = clock_ms();
	list_remove(&a->keeping);
	list_push(&a->desk->keeping, &a->keeping);
}

/*
 * Write the batch to Redis.  It is announced by us when Redis has answered, not by a PUBLISH
 * in the script that writes it: that would be heard elsewhere before our own onstep, which is
 * first so that a step whose onstep kills does so here only; it could not wait for Redis'
 * replicas (no WAIT in a script); and it would come from another connection, in no order with
 * what we say.  What it would be good for holds: one batch is under way at a time, so news
 * have the order of the writes; none are told before STORE_OK; and what one has written who
 * dies before it says so is in Redis' log, from which the next one tells it
 * (accession_take_logged).  tests/system/test_cluster_writes.py stops the time there.
 */
static void
office_commit(struct authority *a)
{
	a->office = OFFICE_COMMITTING;
	a->call = store_commit(a->desk->store, a->keys, a->epoch,
	    a->j.durable + 1, slice_of(a->bytes.data, a->bytes.len), a->passing,
	    office_committed_cb, a);
	if (a->call == NULL)
		office_lost(a);
}

/* Redis' answer to a batch. */
static void
office_committed_cb(const struct store_answer *s, void *arg)
{
	struct authority	*a = arg;

	a->call = NULL;
	switch (s->result) {
	case STORE_OK:
		a->office = OFFICE_READY;
		office_touched(a);
		office_publish(a);
		turn_add(&a->work, TURN_CLIENTS);
		break;
	case STORE_REFUSED:
		office_sift(a);
		break;
	case STORE_EMPTY:
	case STORE_DEPOSED:
		/* While the gateway names us, we take office again. */
		office_unbatch(a);
		a->retake(a);
		break;
	default:
		office_lost(a);
		break;
	}
}

/* Others had their turn. */
static void
office_later_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	office_work(arg);
}

/* Others have a turn first.  0, or -1: it is to be done now. */
static int
office_work_later(struct authority *a)
{
	static const struct timeval	 now = { 0, 0 };

	if (a->later == NULL)
		a->later = evtimer_new(a->desk->base, office_later_cb,
		    a);
	return (a->later == NULL ? -1 : evtimer_add(a->later, &now));
}

void
office_work(void *arg)
{
	struct authority	*a = arg;
	uint64_t		 since = clock_ms();
	int			 durable;

	while (a->office == OFFICE_READY && !list_empty(&a->inbox)) {
		if (clock_ms() - since >= AUTHORITY_TURN_MS &&
		    office_work_later(a) == 0)
			break;
		durable = office_make_batch(a);
		if (a->nbatch == 0)
			continue;
		if (a->bytes.failed) {
			log_warn("replica id=%" PRIu64 " no memory to decide",
			    a->of.id);
			office_unbatch(a);
			break;
		}
		if (durable)
			office_commit(a);
		else
			office_publish(a);
	}
}

int
office_propose(struct authority *a, uint64_t origin, uint64_t number,
    uint64_t after, struct slice data)
{
	struct proposal	*p;

	/* What ends is a few, and is said once only. */
	if ((number != 0 && a->inbox_bytes + data.len > AUTHORITY_INBOX) ||
	    (p = spare_get(sizeof(*p) + data.len)) == NULL) {
		log_warn("replica id=%" PRIu64 " step of replica=%" PRIu64
		    " dropped: too many wait", a->of.id, origin);
		return (-1);
	}
	p->origin = origin;
	p->number = number;
	p->after = after;
	p->alone = p->refused = 0;
	p->len = data.len;
	if (data.len > 0)
		memcpy(p->data, data.data, data.len);
	list_push(&a->inbox, &p->at);
	a->inbox_bytes += sizeof(*p) + data.len;
	turn_add(&a->work, TURN_CLIENTS);
	return (0);
}

void
office_propose_end(struct authority *a, uint64_t origin)
{
	struct list	*e, *tmp;
	struct proposal	*p;

	list_each(e, tmp, &a->inbox) {
		p = list_entry(e, struct proposal, at);
		if (p->number == 0 && p->origin == origin)
			return;
	}
	office_propose(a, origin, 0, 0, slice_of(NULL, 0));
}

/* ---- our own steps ---- */

void
office_send_step(struct authority *a, struct step *s)
{
	struct gossip	 m = { .type = GOSSIP_STEP, .seq = s->number,
			    .after = steps_before(&a->own, s),
			    .payload = slice_of(s->data, s->len) };

	steps_sent(s, a->head);
	if (a->head == a->of.id)
		office_propose(a, a->of.id, m.seq, m.after, m.payload);
	else
		office_tell(a, a->head, &m);
}

void
office_resend(struct authority *a)
{
	struct list	*e, *tmp;

	a->own.sent = clock_ms();
	if (a->head == 0 || !a->synced)
		return;
	list_each(e, tmp, &a->own.open)
		office_send_step(a, list_entry(e, struct step, at));
}

/* Who decides in a group: naming, what others say, our own steps, time. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/news.h"
#include "shardd/state/authority_in.h"
#include "shardd/state/decide.h"
#include "shardd/kennel.h"
#include "shardd/state/store.h"

#define AUTHORITY_KEEP	100	/* states a tick that Redis hears are used */

void
authority_restless(struct authority *a)
{
	if (list_empty(&a->restless))
		list_push(&a->desk->restless, &a->restless);
}

/* ---- life ---- */

void
authority_desk_init(struct authority_desk *d, struct event_base *base,
    struct page *page, const size_t *state_max)
{
	*d = (struct authority_desk){ .base = base, .page = page,
	    .state_max = state_max };
	list_init(&d->restless);
	list_init(&d->keeping);
}

struct authority *
authority_new(struct authority_desk *desk, const struct authority_of *of,
    const struct authority_ops *ops, void *arg)
{
	struct authority	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	a->desk = desk;
	a->of = *of;
	a->ops = ops;
	a->arg = arg;
	a->durable = STORE_UNKNOWN;
	a->take_ms = AUTHORITY_TAKE_MS;
	list_init(&a->restless);
	list_init(&a->keeping);
	list_init(&a->news);
	list_init(&a->departed);
	list_init(&a->steps);
	list_init(&a->applied);
	list_init(&a->members);
	list_init(&a->inbox);
	list_init(&a->batch);
	turn_work_init(&a->work, authority_work, a);
	if (desk->store != NULL && (a->keys = store_keys_new(desk->store,
	    of->group, of->app_name)) == NULL) {
		free(a);
		return (NULL);
	}
	authority_restless(a);
	return (a);
}

static void
member_free(struct member *m)
{
	list_remove(&m->at);
	incoming_drop(&m->incoming);
	free(m);
}

static void
authority_forget_members(struct authority *a)
{
	while (!list_empty(&a->members))
		member_free(list_entry(a->members.next, struct member, at));
}

/* Ends it. */
static void
step_done(struct step *s, int err)
{
	list_remove(&s->at);
	if (s->done != NULL)
		s->done(err, s->arg);
	spare_put(s, sizeof(*s) + s->len);
}

void
authority_free(struct authority *a)
{
	if (a == NULL)
		return;
	store_forget(a->call);
	turn_cancel(&a->work);
	if (a->later != NULL)
		event_free(a->later);
	list_remove(&a->restless);
	list_remove(&a->keeping);
	while (!list_empty(&a->applied))
		step_done(list_entry(a->applied.next, struct step, at), 0);
	while (!list_empty(&a->steps))
		step_done(list_entry(a->steps.next, struct step, at),
		    ECANCELED);
	FREE_ALL(&a->departed, struct departed);
	authority_forget_members(a);
	proposals_free(&a->inbox);
	proposals_free(&a->batch);
	authority_forget_news(a);
	marks_forget(&a->marks);
	incoming_drop(&a->incoming);
	maps_clear(&a->maps);
	buf_clear(&a->bytes);
	store_keys_free(a->keys);
	free(a);
}

const struct maps *
authority_maps(const struct authority *a)
{
	return (&a->maps);
}

int
authority_ready(const struct authority *a)
{
	return (a->synced);
}

/* The state is here: clients of a new replica may see it. */
void
authority_get_ready(struct authority *a)
{
	a->ops->ready(a->arg);
}

int
authority_reigns(const struct authority *a, uint64_t *term)
{
	*term = a->term;
	return (a->head != 0 && a->head == a->of.id);
}

int
authority_tell(struct authority *a, uint64_t to, struct gossip *m)
{
	m->term = a->term;
	return (a->ops->tell(a->arg, to, m));
}

/* ---- what takes effect ---- */

/*
 * Our steps up to number: the last one ended with err, those before must have
 * ended well, for else we had been told.  What took effect is done when all
 * replicas know it.
 */
void
authority_answered(struct authority *a, uint64_t number, int err)
{
	struct step	*s;

	while (!list_empty(&a->steps)) {
		s = list_entry(a->steps.next, struct step, at);
		if (s->number > number)
			break;
		if (s->done == NULL || (s->number == number && err != 0)) {
			step_done(s, err);
			continue;
		}
		s->pos = a->pos;
		s->since = clock_ms();
		list_remove(&s->at);
		list_push(&a->applied, &s->at);
	}
}

/*
 * How far our steps have come, as a state tells it: of those that were refused it
 * knows the last only.  What became of those before that one is not known.
 */
void
authority_recalled(struct authority *a, const struct mark *k)
{
	uint64_t	 refused = k->refused, done = k->done;
	uint32_t	 err = k->err;
	struct step	*s;

	while (!list_empty(&a->steps)) {
		s = list_entry(a->steps.next, struct step, at);
		if (s->number >= refused)
			break;
		step_done(s, ETIMEDOUT);
	}
	authority_answered(a, refused, (int)err);
	authority_answered(a, done, 0);
}

/* All replicas have what stands up to pos. */
void
authority_settled(struct authority *a, uint64_t pos)
{
	struct step	*s;

	while (!list_empty(&a->applied)) {
		s = list_entry(a->applied.next, struct step, at);
		if (s->pos > pos)
			break;
		step_done(s, 0);
	}
}

/* Whatever office it had, it has no more. */
static void
authority_step_down(struct authority *a)
{
	store_forget(a->call);
	a->call = NULL;
	list_remove(&a->keeping);
	authority_unbatch(a);
	authority_forget_members(a);
	a->office = OFFICE_NONE;
	incoming_drop(&a->incoming);
}

/* Tell who decides that nothing is here.  It answers with the state. */
void
authority_ask_state(struct authority *a)
{
	struct gossip	 at = { .type = GOSSIP_AT, .seq = a->pos,
			    .flags = GOSSIP_F_EMPTY };

	a->asked = clock_ms();
	authority_restless(a);
	authority_tell(a, a->head, &at);
}

/* Another one decides, as of term. */
static void
authority_follow(struct authority *a, uint64_t term, uint64_t head)
{
	authority_step_down(a);
	a->term = term;
	a->head = head;
	proposals_free(&a->inbox);	/* they are sent to it, too */
	a->inbox_bytes = 0;
	if (!a->synced)
		authority_ask_state(a);
	authority_resend(a);
}

void
authority_named(struct authority *a, uint64_t term, uint64_t head)
{
	if (term <= a->term)
		return;
	if (head != a->of.id) {
		authority_follow(a, term, head);
		return;
	}
	authority_step_down(a);
	a->term = term;
	a->head = head;
	authority_begin(a);
}

void
authority_met(struct authority *a, uint64_t neighbour)
{
	if (a->office != OFFICE_NONE && authority_member(a, neighbour) == NULL)
		authority_ask(a, neighbour);
	if (a->head != neighbour)
		return;
	/* It could not be told before it was known. */
	a->sent = 0;
	if (!a->synced)
		authority_ask_state(a);
}

void
authority_missed(struct authority *a, uint64_t neighbour)
{
	struct gossip	 at = { .type = GOSSIP_AT, .seq = a->pos,
			    .era = a->era };
	struct member	*m = authority_member(a, neighbour);

	if (a->office == OFFICE_NONE) {
		if (neighbour != a->head)
			return;
		if (a->synced)
			authority_tell(a, a->head, &at);
		else
			authority_ask_state(a);
		return;
	}
	if (m != NULL)
		m->heard = 0;		/* no news before it has answered */
	authority_ask(a, neighbour);
}

void
authority_parted(struct authority *a, uint64_t neighbour)
{
	struct member	*m = authority_member(a, neighbour);
	struct departed	*d = authority_departed(a, neighbour);

	if (m != NULL) {
		member_free(m);
		if (a->office > OFFICE_ASKING)
			authority_settle(a);
	}
	if (d != NULL) {		/* said already */
		list_remove(&d->at);
		free(d);
	} else {
		authority_remember(a, neighbour, 0);
		if (a->office > OFFICE_ASKING)
			authority_propose_end(a, neighbour);
	}
	authority_heard(a, 0);
}

/* ---- messages ---- */

/*
 * One of an office that is over goes to the successor, too, and has perhaps been
 * decided there; one of an office that is to come waits for it.
 */
static void
authority_got_step(struct authority *a, const struct gossip *m)
{
	if (m->term < a->term ||
	    (m->term == a->term && a->office == OFFICE_NONE) ||
	    m->seq == 0 || m->payload.len > STEP_MAX)
		return;
	authority_propose(a, m->from, m->seq, m->after, m->payload);
}

static void
authority_got_reign(struct authority *a, const struct gossip *m)
{
	struct gossip	 at = { .type = GOSSIP_AT };

	if (m->term < a->term)
		return;
	if (m->term > a->term || m->from != a->head)
		authority_follow(a, m->term, m->from);
	if (a->synced && (m->flags & GOSSIP_F_EMPTY) == 0 &&
	    authority_passed(a, m->seq, m->era))
		authority_send_since(a, m->from, m->seq);
	else if (a->synced && ((m->flags & GOSSIP_F_EMPTY) != 0 ||
	    a->era > m->era || (a->era == m->era && a->pos > m->seq)))
		authority_send_state(a, m->from);
	at.seq = a->pos;
	at.era = a->era;
	at.flags = a->synced ? 0 : GOSSIP_F_EMPTY;
	authority_tell(a, m->from, &at);
}

static void
authority_got_at(struct authority *a, const struct gossip *m)
{
	struct member	*k;

	if (a->office == OFFICE_NONE || m->term != a->term)
		return;
	if ((k = authority_member(a, m->from)) == NULL) {
		authority_ask(a, m->from);	/* it answers, then it is one */
		return;
	}
	/* It slept, and asked more than once: the state is on its way. */
	if (k->heard && (m->flags & GOSSIP_F_EMPTY) != 0 &&
	    clock_ms() - k->stated < AUTHORITY_ONCE_MS)
		return;
	k->pos = m->seq;
	k->era = m->era;
	/* It has something that does not follow from what we have. */
	if (a->office == OFFICE_ASKING && (m->flags & GOSSIP_F_EMPTY) == 0 &&
	    authority_later(a, m) && !k->urged) {
		k->urged = 1;
		authority_ask(a, m->from);
		return;
	}
	k->heard = 1;
	authority_heard_ack(a, k, m->seq);
	k->stale |= (m->flags & GOSSIP_F_EMPTY) != 0;
	if (a->office == OFFICE_ASKING)
		authority_heard(a, 0);
	else if (a->office == OFFICE_READY || a->office == OFFICE_COMMITTING)
		authority_bring_up(a, k);
}

/* What we have, the authority may tell those who wait for all to have it. */
void
authority_acknowledge(struct authority *a)
{
	struct gossip	 m = { .type = GOSSIP_ACK, .seq = a->pos };

	authority_tell(a, a->head, &m);
}

static void
authority_got_ack(struct authority *a, const struct gossip *m)
{
	struct member	*k = authority_member(a, m->from);

	if (m->term != a->term)
		return;
	if (a->office == OFFICE_NONE) {
		if (m->from == a->head)
			authority_settled(a, m->seq);
	} else if (k != NULL && m->seq > k->acked) {
		authority_heard_ack(a, k, m->seq);
		authority_settle(a);
	}
}

/* A neighbour has what we missed.  It counts if it follows from what we have now,
 * for another one may have been faster with something else. */
static void
authority_catch_up(struct authority *a, const struct gossip *m)
{
	struct member	*k = authority_member(a, m->from);

	if (k == NULL)
		return;
	if (k->pos == a->pos && k->era == a->era && m->seq == a->pos + 1)
		authority_apply(a, m->era, m->payload.data, m->payload.len);
	k->pos = m->seq;
	k->era = m->era;
}

static void
authority_got_news(struct authority *a, const struct gossip *m)
{
	struct gossip	 at = { .type = GOSSIP_AT, .seq = a->pos,
			    .era = a->era };

	if (m->term != a->term || !a->synced)
		return;
	if (a->office == OFFICE_ASKING) {
		authority_catch_up(a, m);
		return;
	}
	if (a->office != OFFICE_NONE || m->from != a->head || m->seq <= a->pos)
		return;
	if (m->seq == a->pos + 1) {
		authority_apply(a, m->era, m->payload.data, m->payload.len);
		authority_acknowledge(a);
		return;
	}
	if (clock_ms() - a->asked < 100)
		return;
	log_warn("replica id=%" PRIu64 " missed news=%" PRIu64, a->of.id,
	    m->seq - a->pos - 1);
	a->asked = clock_ms();
	authority_tell(a, a->head, &at);
}

void
authority_message(struct authority *a, const struct gossip *m)
{
	switch (m->type) {
	case GOSSIP_STEP:
		authority_got_step(a, m);
		break;
	case GOSSIP_REIGN:
		authority_got_reign(a, m);
		break;
	case GOSSIP_AT:
		authority_got_at(a, m);
		break;
	case GOSSIP_NEWS:
		authority_got_news(a, m);
		break;
	case GOSSIP_ACK:
		authority_got_ack(a, m);
		break;
	case GOSSIP_STATE:
		authority_got_state(a, m);
		break;
	default:
		break;
	}
}

/* ---- our own steps ---- */

static void
authority_send_step(struct authority *a, const struct step *s)
{
	struct gossip	 m = { .type = GOSSIP_STEP, .seq = s->number,
			    .payload = slice_of(s->data, s->len) };

	if (s->at.prev != &a->steps)
		m.after = list_entry(s->at.prev, struct step, at)->number;
	if (a->head == a->of.id)
		authority_propose(a, a->of.id, m.seq, m.after, m.payload);
	else
		authority_tell(a, a->head, &m);
}

/* All that were not answered, to whoever decides. */
void
authority_resend(struct authority *a)
{
	struct list	*e, *tmp;

	a->sent = clock_ms();
	if (a->head == 0 || !a->synced)
		return;
	list_each(e, tmp, &a->steps)
		authority_send_step(a, list_entry(e, struct step, at));
}

int
authority_step(struct authority *a, struct slice data,
    authority_done_cb *done, void *arg)
{
	struct step	*s;

	if (data.len > STEP_MAX) {
		errno = EMSGSIZE;
		return (-1);
	}
	if ((s = spare_get(sizeof(*s) + data.len)) == NULL)
		return (-1);
	s->number = ++a->number;
	s->since = clock_ms();
	s->done = done;
	s->arg = arg;
	s->len = data.len;
	if (data.len > 0)
		memcpy(s->data, data.data, data.len);
	if (list_empty(&a->steps))
		a->sent = s->since;
	list_push(&a->steps, &s->at);
	authority_restless(a);
	if (a->head != 0 && a->synced)
		authority_send_step(a, s);
	return (0);
}

/* ---- time ---- */

/*
 * How long ago since was.  Looked up each time: what a tick leads to (an answer, a
 * replica that is ready) makes steps that are younger than its beginning.
 */
static uint64_t
authority_age(uint64_t since)
{
	return (clock_ms() - since);
}

static void
authority_tick(struct authority *a)
{
	struct step	*s;
	int		 waits;

	if (a->office == OFFICE_ASKING &&
	    authority_age(a->since) > AUTHORITY_ASK_MS)
		authority_heard(a, 1);
	else if (a->office == OFFICE_WAITING) {
		a->call = store_take(a->desk->store, a->keys,
		    a->durable, a->take_ms, authority_taken_cb, a);
		if (a->call != NULL)
			a->office = OFFICE_TAKING;
		else if (authority_age(a->since) > AUTHORITY_WAIT_MS) {
			a->away = 1;
			authority_inaugurate(a);
		}
	} else if (a->office == OFFICE_READY && a->away &&
	    authority_age(a->since) >= AUTHORITY_RETRY_MS &&
	    store_usable(a->desk->store))
		authority_take(a);
	if (!a->synced && a->office == OFFICE_NONE && a->head != 0 &&
	    authority_age(a->asked) > AUTHORITY_LOST_MS)
		authority_ask_state(a);
	waits = a->office >= OFFICE_READY && authority_settle(a);
	while (!list_empty(&a->steps)) {
		s = list_entry(a->steps.next, struct step, at);
		if (authority_age(s->since) < AUTHORITY_STEP_MS)
			break;
		step_done(s, ETIMEDOUT);
	}
	while (!list_empty(&a->applied)) {
		s = list_entry(a->applied.next, struct step, at);
		if (authority_age(s->since) < AUTHORITY_SLOW_MS)
			break;
		step_done(s, 0);
	}
	if (!list_empty(&a->steps) && authority_age(a->sent) > AUTHORITY_AGAIN_MS)
		authority_resend(a);
	if (!waits && a->synced && list_empty(&a->steps) &&
	    list_empty(&a->applied) && (a->office == OFFICE_NONE ||
	    (a->office == OFFICE_READY && !a->away)))
		list_remove(&a->restless);
}

/* States in use do not expire: a few at a time, those that wait longest. */
static void
authority_keep_all(struct authority_desk *d)
{
	struct authority	*a;
	struct store		*s = d->store;
	uint64_t		 every = s == NULL ? 0 : store_touch_ms(s);

	for (int n = 0; n < AUTHORITY_KEEP && every != 0 &&
	    !list_empty(&d->keeping); n++) {
		a = list_entry(d->keeping.next, struct authority, keeping);
		if (authority_age(a->touched) < every)
			break;
		store_touch(s, a->keys);
		a->touched = clock_ms();
		list_remove(&a->keeping);
		list_push(&d->keeping, &a->keeping);
	}
}

void
authority_tick_all(struct authority_desk *d)
{
	struct list	*e, *tmp;

	authority_keep_all(d);
	list_each(e, tmp, &d->restless)
		authority_tick(list_entry(e, struct authority, restless));
}

/* The authority of a group: naming, what others say, our own steps, time. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/news.h"
#include "shardd/state/accession.h"
#include "shardd/state/authority.h"
#include "shardd/state/candidacy.h"
#include "shardd/state/effect.h"
#include "shardd/state/office.h"
#include "shardd/kennel.h"

#define AUTHORITY_KEEP	100	/* states a tick that Redis hears are used */
#define AUTHORITY_SMALL	(64 << 10)	/* bytes of a state that nobody waits for */

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
	journal_init(&a->j, of->id, STORE_UNKNOWN);
	steps_init(&a->own);
	a->retake = desk->us != NULL ? candidacy_claim : accession_take;
	a->take_ms = AUTHORITY_TAKE_MS;
	list_init(&a->restless);
	list_init(&a->keeping);
	list_init(&a->departed);
	list_init(&a->members);
	list_init(&a->inbox);
	list_init(&a->batch);
	turn_work_init(&a->work, office_work, a);
	if (desk->store != NULL && (a->keys = store_keys_new(desk->store,
	    of->group, of->app_name)) == NULL) {
		free(a);
		return (NULL);
	}
	office_restless(a);
	return (a);
}

void
authority_free(struct authority *a)
{
	if (a == NULL)
		return;
	if (a->desk->us != NULL)
		candidacy_end(a);
	store_forget(a->call);
	turn_cancel(&a->work);
	if (a->later != NULL)
		event_free(a->later);
	list_remove(&a->restless);
	list_remove(&a->keeping);
	steps_end(&a->own);
	while (!list_empty(&a->departed))
		departed_free(list_entry(a->departed.next, struct departed,
		    at));
	office_forget_members(a);
	proposals_free(&a->inbox);
	proposals_free(&a->batch);
	incoming_drop(&a->incoming);
	journal_clear(&a->j);
	buf_clear(&a->bytes);
	store_keys_free(a->keys);
	free(a);
}

const struct maps *
authority_maps(const struct authority *a)
{
	return (&a->j.maps);
}

int
authority_ready(const struct authority *a)
{
	return (a->synced);
}

void
authority_where(const struct authority *a, uint64_t *pos, uint64_t *era)
{
	*pos = a->j.pos;
	*era = a->j.era;
}

int
authority_passed(const struct authority *a, uint64_t pos, uint64_t era)
{
	return (a->synced && journal_passed(&a->j, pos, era));
}

int
authority_in_step(const struct authority *a)
{
	return (a->announcing);
}

uint64_t
authority_steps(const struct authority *a)
{
	return (a->own.number);
}

int
authority_settled(const struct authority *a, uint64_t number)
{
	return (steps_settled_to(&a->own, number));
}

int
authority_reigns(const struct authority *a, uint64_t *term)
{
	*term = a->term;
	return (a->head != 0 && a->head == a->of.id);
}

/* ---- what takes effect ---- */

/* Tell the head that nothing is here.  The head answers with the state. */
static void
authority_ask_state(struct authority *a)
{
	struct gossip	 at = { .type = GOSSIP_AT, .seq = a->j.pos,
			    .flags = GOSSIP_F_EMPTY };

	a->asked = clock_ms();
	office_restless(a);
	office_tell(a, a->head, &at);
}

/* Another one decides, as of term. */
static void
authority_follow(struct authority *a, uint64_t term, uint64_t head)
{
	office_step_down(a);
	a->term = term;
	a->head = head;
	proposals_free(&a->inbox);	/* they are sent to it, too */
	a->inbox_bytes = 0;
	if (!a->synced)
		authority_ask_state(a);
	office_resend(a);
}

void
authority_named(struct authority *a, uint64_t term, uint64_t head)
{
	if (a->desk->us != NULL) {
		candidacy_named(a, term, head);
		return;
	}
	if (term <= a->term)
		return;
	if (head != a->of.id) {
		authority_follow(a, term, head);
		return;
	}
	office_step_down(a);
	a->term = term;
	a->head = head;
	accession_begin(a);
}

void
authority_acquainted(struct authority *a)
{
	if (a->desk->us != NULL && !a->synced)
		candidacy_acquainted(a);
}

void
authority_met(struct authority *a, uint64_t neighbour)
{
	if (a->office != OFFICE_NONE && office_member(a, neighbour) == NULL)
		accession_ask(a, neighbour);
	if (a->head != neighbour)
		return;
	/* A head could not be told before it was known. */
	a->own.sent = 0;
	if (!a->synced)
		authority_ask_state(a);
}

void
authority_missed(struct authority *a, uint64_t neighbour)
{
	struct gossip	 at = { .type = GOSSIP_AT, .seq = a->j.pos,
			    .era = a->j.era };
	struct member	*m = office_member(a, neighbour);

	if (a->office == OFFICE_NONE) {
		if (neighbour != a->head)
			return;
		if (a->synced)
			office_tell(a, a->head, &at);
		else
			authority_ask_state(a);
		return;
	}
	if (m != NULL)
		m->heard = 0;		/* no news before it has answered */
	accession_ask(a, neighbour);
}

void
authority_parted(struct authority *a, uint64_t neighbour)
{
	struct member	*m = office_member(a, neighbour);
	struct departed	*d = effect_departed(a, neighbour);

	if (m != NULL) {
		member_free(m);
		if (a->office > OFFICE_ASKING)
			office_settle(a);
	}
	if (d != NULL)			/* said already */
		departed_free(d);
	else {
		effect_remember(a, neighbour, 0);
		if (a->office > OFFICE_ASKING)
			office_propose_end(a, neighbour);
	}
	if (a->desk->us != NULL)
		candidacy_vacant(a, neighbour);
	accession_heard(a, 0);
}

void
authority_poison(struct authority *a, uint64_t origin, uint64_t number)
{
	effect_poison(a, origin, number);
}

/* ---- messages ---- */

/*
 * A step of an office that is over goes to the successor, too, and has perhaps been
 * decided there; one of an office that is to come waits for it.
 */
static void
authority_got_step(struct authority *a, const struct gossip *m)
{
	if (m->term < a->term ||
	    (m->term == a->term && a->office == OFFICE_NONE) ||
	    m->seq == 0 || m->payload.len > STEP_MAX)
		return;
	office_propose(a, m->from, m->seq, m->after, m->payload);
}

/* REIGN: m->from decides, and asks where we are. */
static void
authority_got_reign(struct authority *a, const struct gossip *m)
{
	struct gossip	 at = { .type = GOSSIP_AT };

	if (a->desk->us == NULL && m->term < a->term)
		return;
	if (a->desk->us != NULL && !candidacy_yields(a, m->term)) {
		at.seq = a->j.pos;	/* it may not know of our term */
		at.era = a->j.era;
		at.flags = a->synced ? 0 : GOSSIP_F_EMPTY;
		office_tell(a, m->from, &at);
		return;
	}
	if (m->term != a->term || m->from != a->head)
		authority_follow(a, m->term, m->from);
	if (candidacy_gives_way(a, m->term)) {
		at.seq = a->j.pos;
		at.flags = GOSSIP_F_EMPTY;
		office_tell(a, m->from, &at);
		return;
	}
	if (a->synced && (m->flags & GOSSIP_F_EMPTY) == 0 &&
	    journal_passed(&a->j, m->seq, m->era))
		office_send_since(a, m->from, m->seq);
	else if (a->synced && ((m->flags & GOSSIP_F_EMPTY) != 0 ||
	    a->j.era > m->era || (a->j.era == m->era && a->j.pos > m->seq)))
		office_send_state(a, m->from);
	at.seq = a->j.pos;
	at.era = a->j.era;
	at.flags = a->synced ? 0 : GOSSIP_F_EMPTY;
	office_tell(a, m->from, &at);
}

/*
 * May a neighbour that has nothing be sent all of the state now?  Who visits a room has the
 * visitor's shard ask for it, and with the last visitor it is forgotten there: 60 bytes of
 * a stranger could have megabytes sent, through Redis, which is all nodes', again and again.
 */
static int
authority_affords(struct authority *a, uint64_t neighbour)
{
	static const struct {
		uint32_t	 rate, burst;	/* bytes a second, bytes */
	}		 bounds[] = {
		{ 50 << 20, 256 << 20 },	/* a copy between two processes */
		{ 10 << 20, 32 << 20 },	/* through Redis */
	};
	int		 far = a->ops->far(a->arg, neighbour) != 0;
	uint32_t	 bytes = a->j.maps.bytes < UINT32_MAX ?
			    (uint32_t)a->j.maps.bytes : UINT32_MAX;

	/* Lent: where small states are asked for all the time, a large one is given, too. */
	return (bucket_lend(&a->desk->given[far], clock_ms(), bounds[far].rate,
	    bounds[far].burst, bytes) || bytes <= AUTHORITY_SMALL);
}

/* AT: where a member is. */
static void
authority_got_at(struct authority *a, const struct gossip *m)
{
	struct member	*k;

	if (a->office == OFFICE_NONE)
		return;
	if (m->term != a->term) {
		candidacy_outdone(a, m->term);
		return;
	}
	if ((k = office_member(a, m->from)) == NULL) {
		accession_ask(a, m->from);	/* it answers, then it is one */
		return;
	}
	/* A member slept, and asked more than once: the state is on its way. */
	if (k->heard && (m->flags & GOSSIP_F_EMPTY) != 0 &&
	    clock_ms() - k->stated < AUTHORITY_ONCE_MS)
		return;
	if ((m->flags & GOSSIP_F_EMPTY) != 0 && a->office >= OFFICE_READY &&
	    !authority_affords(a, m->from)) {
		k->heard = 0;		/* it asks again */
		return;
	}
	k->pos = m->seq;
	k->era = m->era;
	/* The member has something that does not follow from what we have. */
	if (a->office == OFFICE_ASKING && (m->flags & GOSSIP_F_EMPTY) == 0 &&
	    journal_is_behind(&a->j, m->seq, m->era) && !k->urged) {
		k->urged = 1;
		accession_ask(a, m->from);
		return;
	}
	k->heard = 1;
	office_heard_ack(a, k, m->seq);
	k->stale |= (m->flags & GOSSIP_F_EMPTY) != 0;
	if (a->office == OFFICE_ASKING)
		accession_heard(a, 0);
	else if (a->office == OFFICE_READY || a->office == OFFICE_COMMITTING)
		office_bring_up(a, k);
}

/* What we have, the authority may tell those who wait for all to have it. */
static void
authority_acknowledge(struct authority *a)
{
	struct gossip	 m = { .type = GOSSIP_ACK, .seq = a->j.pos };

	office_tell(a, a->head, &m);
}

/* ACK: a member has it; or, from who decides, all have. */
static void
authority_got_ack(struct authority *a, const struct gossip *m)
{
	struct member	*k = office_member(a, m->from);

	if (m->term != a->term)
		return;
	if (a->office == OFFICE_NONE) {
		if (m->from == a->head)
			steps_settled(&a->own, m->seq);
	} else if (k != NULL && m->seq > k->acked) {
		office_heard_ack(a, k, m->seq);
		office_settle(a);
	}
}

/* A neighbour has news that we missed.  They count if they follow from what we have now,
 * for another one may have been faster with something else. */
static void
authority_catch_up(struct authority *a, const struct gossip *m)
{
	struct member	*k = office_member(a, m->from);

	if (k == NULL)
		return;
	if (k->pos == a->j.pos && k->era == a->j.era && m->seq == a->j.pos + 1)
		effect_apply(a, m->era, m->payload.data, m->payload.len);
	k->pos = m->seq;
	k->era = m->era;
}

/* NEWS: the next batch, or one that we missed. */
static void
authority_got_news(struct authority *a, const struct gossip *m)
{
	struct gossip	 at = { .type = GOSSIP_AT, .seq = a->j.pos,
			    .era = a->j.era };

	if (m->term != a->term || !a->synced)
		return;
	if (a->office == OFFICE_ASKING) {
		authority_catch_up(a, m);
		return;
	}
	if (a->office != OFFICE_NONE || m->from != a->head || m->seq <= a->j.pos)
		return;
	if (m->seq == a->j.pos + 1) {
		effect_apply(a, m->era, m->payload.data, m->payload.len);
		authority_acknowledge(a);
		return;
	}
	if (clock_ms() - a->asked < 100)
		return;
	/* Redis may lose what is on its way to another node. */
	if (a->ops->far(a->arg, a->head))
		log_info("replica id=%" PRIu64 " lacks news=%" PRIu64 ", lost "
		    "between nodes", a->of.id, m->seq - a->j.pos - 1);
	else
		log_warn("replica id=%" PRIu64 " missed news=%" PRIu64,
		    a->of.id, m->seq - a->j.pos - 1);
	a->asked = clock_ms();
	office_tell(a, a->head, &at);
}

/* The last part has come: that is the state. */
static void
authority_become(struct authority *a, uint64_t durable, struct incoming **in)
{
	struct mark	*k;

	journal_become(&a->j, durable, in);
	journal_end_others(&a->j, a->ops->has, a->arg);
	a->synced = 1;
	a->ops->ready(a->arg);
	if ((k = journal_mark(&a->j, a->of.id)) != NULL) {
		steps_unapply(&a->own, k->done);
		effect_recall(a, k);
	}
	if (a->office == OFFICE_NONE)
		authority_acknowledge(a);
	effect_reset(a);
	office_resend(a);
}

/* STATE: a part of all there is. */
static void
authority_got_state(struct authority *a, const struct gossip *m)
{
	struct member	 *k = office_member(a, m->from);
	struct incoming	**in = &a->incoming;
	uint64_t	  durable;

	if (m->term != a->term)
		return;
	if (a->office == OFFICE_NONE) {
		if (m->from != a->head)
			return;
		a->asked = clock_ms();
		/* It was asked for twice, for the head was slow. */
		if (a->synced && m->seq == a->j.pos && m->era == a->j.era &&
		    !candidacy_gives_way(a, m->term)) {
			incoming_drop(in);
			authority_acknowledge(a);
			return;
		}
	} else {
		if (a->office != OFFICE_ASKING || k == NULL)
			return;
		in = &k->incoming;
		k->pos = m->seq;
		k->era = m->era;
		if (a->synced && !journal_is_behind(&a->j, m->seq, m->era)) {
			incoming_drop(in);
			return;
		}
	}
	if (incoming_take(in, a->of.id, m, &durable))
		authority_become(a, durable, in);
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

int
authority_step(struct authority *a, struct slice data,
    authority_done_cb *done, void *arg)
{
	struct step	*s;

	if (data.len > STEP_MAX) {
		errno = EMSGSIZE;
		return (-1);
	}
	if ((s = steps_add(&a->own, data, done, arg)) == NULL)
		return (-1);
	office_restless(a);
	if (a->head != 0 && a->synced)
		office_send_step(a, s);
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

/* What has to be done about one authority after 100 ms. */
static void
authority_tick(struct authority *a)
{
	int	 waits, claims = 0;

	if (a->desk->us != NULL)
		claims = candidacy_tick(a);
	accession_tick(a);
	if (!a->synced && a->office == OFFICE_NONE && a->head != 0 &&
	    authority_age(a->asked) > AUTHORITY_LOST_MS)
		authority_ask_state(a);
	waits = a->office >= OFFICE_READY && office_settle(a);
	if (a->office == OFFICE_READY && office_expire(a))
		waits = 1;
	steps_expire(&a->own, AUTHORITY_STEP_MS, AUTHORITY_SLOW_MS);
	if (!list_empty(&a->own.open) &&
	    authority_age(a->own.sent) > AUTHORITY_AGAIN_MS)
		office_resend(a);
	if (!waits && !claims && a->synced && steps_none(&a->own) &&
	    (a->office == OFFICE_NONE ||
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

/* Claiming the epoch of a group, where several nodes share a Redis. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/log.h"
#include "shardd/state/accession.h"
#include "shardd/state/candidacy.h"
#include "shardd/state/inside.h"
#include "shardd/state/office.h"

#define CANDIDACY_SPREAD_MS	1000	/* claims of idle groups, over so long */
#define CANDIDACY_AGAIN_MS	300	/* without an answer, or while it is held */
#define CANDIDACY_STRANGER_MS	3000	/* who holds it is no neighbour: ended */
#define CANDIDACY_MEETING_MS	2000	/* a newcomer that does not know all says so */
#define CANDIDACY_ALONE_MS	3000	/* without Redis and without the head */

/* A term is an epoch, and the number of a provisional term after it. */
#define TERM_OF(epoch)		((epoch) << 10)
#define TERM_EPOCH(term)	((term) >> 10)
#define TERM_MINOR(term)	((term) & 1023)

/* We, as the epoch's holder is named. */
static void
candidacy_who(const struct authority *a, struct buf *b)
{
	buf_addf(b, "%s %" PRIu64, a->desk->us, a->of.id);
	buf_add(b, "", 1);
}

/* Does our gateway want us to claim? */
static int
candidacy_is_ours(const struct authority *a)
{
	return (a->nominee == a->of.id);
}

/* May we claim?  A newcomer first knows all who may have the state, or more of it. */
static int
candidacy_may(const struct authority *a)
{
	return (a->ops->acquainted(a->arg));
}

/* Until who may not claim sees again whether it may. */
static uint64_t
candidacy_patience(const struct authority *a)
{
	return (a->synced ? CANDIDACY_AGAIN_MS : CANDIDACY_MEETING_MS);
}

/* Claim in so many ms. */
static void
candidacy_soon(struct authority *a, uint64_t ms)
{
	a->claim_at = clock_ms() + ms;
	office_restless(a);
}

void
candidacy_named(struct authority *a, uint64_t nomination, uint64_t head)
{
	if (nomination <= a->nominated)
		return;
	a->nominated = nomination;
	a->nominee = head;
	if (!candidacy_is_ours(a) || a->office != OFFICE_NONE)
		return;
	/* Another node's is followed; of this node, the gateway's word counts. */
	if (a->head != 0 && a->ops->far(a->arg, a->head))
		return;
	if (candidacy_may(a))
		candidacy_claim(a);
	else
		candidacy_soon(a, candidacy_patience(a));
}

void
candidacy_acquainted(struct authority *a)
{
	if (candidacy_is_ours(a) && a->office == OFFICE_NONE && a->head == 0 &&
	    a->call == NULL && candidacy_may(a))
		candidacy_claim(a);
}

void
candidacy_vacant(struct authority *a, uint64_t replica)
{
	if (replica == a->holder)
		a->dead = replica;
	if (replica != a->head)
		return;
	a->dead = replica;
	a->head = 0;
	if (candidacy_is_ours(a))
		candidacy_soon(a, steps_none(&a->own) ?
		    bytes_random64() % CANDIDACY_SPREAD_MS : 0);
}

/* We decide from now on, for that term. */
static void
candidacy_reign(struct authority *a, uint64_t term)
{
	office_step_down(a);
	a->term = term;
	a->head = a->of.id;
	a->claim_at = a->dead = a->holder = 0;
	accession_begin(a);
}

/* Another node has the epoch. */
static void
candidacy_held(struct authority *a, const struct store_answer *s)
{
	if (a->holder != s->holder) {
		a->holder = s->holder;
		a->held = clock_ms();
	}
	if (a->office != OFFICE_NONE) {
		log_info("replica id=%" PRIu64 " decides no more: replica=%"
		    PRIu64 " does, on another node", a->of.id, s->holder);
		office_step_down(a);
		a->head = 0;
	}
	/* The holder's REIGN says the rest; a provisional term is over. */
	if (TERM_OF(s->epoch) < a->term)
		a->term = TERM_OF(s->epoch);
	candidacy_soon(a, CANDIDACY_AGAIN_MS);
}

/* Redis has said whose the epoch is, or has not answered. */
static void
candidacy_claimed_cb(const struct store_answer *s, void *arg)
{
	struct authority	*a = arg;
	int			 no;

	a->call = NULL;
	a->denied = 0;
	if (s->time != 0) {
		a->desk->redis_time = s->time;
		a->desk->redis_at = clock_ms();
	}
	if (s->result == STORE_OK) {
		log_debug("replica id=%" PRIu64 " has epoch=%" PRIu64, a->of.id,
		    s->epoch);
		a->epoch = s->epoch;
		a->away = 0;
		candidacy_reign(a, TERM_OF(s->epoch));
		return;
	}
	if (s->result == STORE_HELD) {
		candidacy_held(a, s);
		return;
	}
	/* One that is slow is waited for; one that says no is as good as away. */
	no = s->result == STORE_FAILED && store_usable(a->desk->store);
	if (a->office != OFFICE_NONE && a->synced &&
	    (no || s->result == STORE_FEW)) {
		accession_go_without(a);
		return;
	}
	if (s->result == STORE_FAILED)
		a->denied = 1;
	else if (!a->synced)
		log_info("replica id=%" PRIu64 " waits for its state: %s",
		    a->of.id, s->result == STORE_FEW ? "Redis has too few "
		    "replicas" : "Redis has not answered");
	if (a->office == OFFICE_NONE)
		candidacy_soon(a, CANDIDACY_AGAIN_MS);
	else {
		a->office = OFFICE_WAITING;
		a->since = clock_ms();
		office_restless(a);
	}
}

void
candidacy_claim(struct authority *a)
{
	struct buf	 who = { 0 };
	uint64_t	 known = TERM_EPOCH(a->term);

	if (a->call != NULL)
		return;
	candidacy_who(a, &who);
	if (known < a->outdone)
		known = a->outdone;
	if (!who.failed)
		a->call = store_claim(a->desk->store, a->keys, who.data, a->dead,
		    a->desk->ours, known, candidacy_claimed_cb, a);
	buf_clear(&who);
	if (a->office == OFFICE_NONE) {
		candidacy_soon(a, CANDIDACY_AGAIN_MS);
		return;
	}
	a->office = a->call != NULL ? OFFICE_TAKING : OFFICE_WAITING;
	a->since = clock_ms();
	office_restless(a);
}

/* Claim an epoch above the one that a member remembers, unless ours is.  Returns whether
 * that is still to be done. */
static int
candidacy_rise(struct authority *a)
{
	if (a->office == OFFICE_NONE || !candidacy_is_ours(a) ||
	    a->outdone <= TERM_EPOCH(a->term))
		return (0);
	if (a->call == NULL && store_usable(a->desk->store))
		candidacy_claim(a);
	return (1);
}

void
candidacy_outdone(struct authority *a, uint64_t term)
{
	if (a->desk->us == NULL || TERM_EPOCH(term) <= a->outdone)
		return;
	a->outdone = TERM_EPOCH(term);
	if (candidacy_rise(a)) {
		log_info("replica id=%" PRIu64 " epoch=%" PRIu64 " is not the "
		    "latest: a neighbour knows of %" PRIu64, a->of.id,
		    TERM_EPOCH(a->term), a->outdone);
		office_restless(a);
	}
}

int
candidacy_yields(const struct authority *a, uint64_t term)
{
	if (TERM_EPOCH(term) != TERM_EPOCH(a->term))
		return (term > a->term);
	if (TERM_MINOR(term) == 0)		/* the epoch's own */
		return (1);
	if (TERM_MINOR(a->term) != 0)
		return (term >= a->term);
	return (a->head == 0 || (a->head != a->of.id &&
	    !a->ops->reaches(a->arg, a->head)));
}

int
candidacy_gives_way(const struct authority *a, uint64_t term)
{
	return (a->desk->us != NULL && TERM_MINOR(a->j.era) != 0 &&
	    TERM_MINOR(term) == 0);
}

/* Redis is away, and so is who decides: we do, for what is in no Redis. */
static void
candidacy_go_alone(struct authority *a)
{
	log_info("replica id=%" PRIu64 " decides alone: neither Redis nor the "
	    "deciding replica can be reached", a->of.id);
	a->away = 1;
	candidacy_reign(a, a->term + 1);
}

/* It is time to claim, if we may. */
static void
candidacy_try(struct authority *a)
{
	if (candidacy_may(a)) {
		candidacy_claim(a);
		return;
	}
	if (!a->synced)
		log_info("replica id=%" PRIu64 " waits for its state: it has not "
		    "met all who may have it", a->of.id);
	candidacy_soon(a, candidacy_patience(a));
}

int
candidacy_tick(struct authority *a)
{
	uint64_t	 now = clock_ms();
	int		 lost;

	if (!candidacy_is_ours(a) || a->office != OFFICE_NONE) {
		a->cut_off = 0;
		return (candidacy_rise(a));
	}
	lost = a->head == 0 || !a->ops->reaches(a->arg, a->head);
	if (store_usable(a->desk->store) && !a->denied)
		a->cut_off = 0;
	else if (a->cut_off == 0)
		a->cut_off = now;
	/* Who holds it and is no neighbour has ended, and could not say so. */
	if (a->holder != 0 && a->head == 0 && now - a->held >=
	    CANDIDACY_STRANGER_MS && !a->ops->has(a->arg, a->holder))
		a->dead = a->holder;
	if (a->call != NULL)
		return (1);
	if (lost && a->cut_off != 0 && now - a->cut_off >= (a->synced ?
	    CANDIDACY_ALONE_MS : AUTHORITY_WAIT_MS))
		candidacy_go_alone(a);
	else if (a->head == 0 && now >= a->claim_at)
		candidacy_try(a);
	return (lost);
}

void
candidacy_end(struct authority *a)
{
	struct buf	 who = { 0 };

	if (a->head != a->of.id || a->epoch == 0)
		return;
	candidacy_who(a, &who);
	if (!who.failed)
		store_release(a->desk->store, a->keys, who.data);
	buf_clear(&who);
}

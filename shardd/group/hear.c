/* What neighbours say to our replica. */
#include <inttypes.h>

#include "common/log.h"
#include "proto/counters.h"
#include "shardd/client/payload.h"
#include "shardd/group/answer.h"
#include "shardd/group/fan.h"
#include "shardd/group/hear.h"
#include "shardd/group/neighbours.h"
#include "shardd/group/query.h"
#include "shardd/group/replica.h"
#include "shardd/group/shelf.h"
#include "shardd/group/topics.h"
#include "shardd/kennel.h"
#include "shardd/state/authority.h"

/* One message, as its row gets it. */
struct heard {
	struct replica	*r;
	struct neighbour *nb;		/* who says it; NULL: it has ended */
	struct link	*l;
	const struct gossip *m;
	int		 numbered;	/* it knows the numbers of version 2 */
};

void
hear_missed(struct replica *r, const struct gossip *m, enum gossip_type of,
    const char *why)
{
	struct neighbour *nb = neighbours_find(r->neighbours, m->from);
	struct slice	 but = { NULL, 0 };
	size_t		 closed;

	if ((m->flags & GOSSIP_F_NOT_UID) != 0)
		but = m->uid;
	/* Who is on another node is not a member's fault: the application decides. */
	if (nb != NULL && neighbour_is_remote(nb))
		closed = 0;
	else if (of == GOSSIP_WHISPER)
		closed = replica_missed_uid(r, m->uid);
	else if (of == GOSSIP_PUBLISH)
		closed = topics_missed(r, m->topics, but);
	else
		closed = replica_missed(r, but);
	if (r->shelf != NULL)
		shelf_spoil(r->shelf);
	/* One line for each origin; who was closed is counted in the status. */
	counter_add(COUNTER_MISSED, 1);
	if (nb == NULL || nb->missed++ == 0)
		log_warn("replica id=%" PRIu64 " neighbour=%" PRIu64
		    " lost=%" PRIu64 " closed=%zu why=\"%s\"", r->id, m->from,
		    m->seq - m->after, closed, why);
	if (r->app->onmissed != NULL && !r->dismissed)
		r->app->onmissed((struct kennel_replica *)r, m->from);
}

/* m is also for who is expected. */
static void
hear_shelve(struct replica *r, const struct gossip *m, struct payload *p)
{
	shelf_put(r->shelf, &(struct shelf_said){ .origin = m->from,
	    .number = m->said, .type = m->type, .uid = m->uid,
	    .but = (m->flags & GOSSIP_F_NOT_UID) != 0, .topics = m->topics,
	    .p = p });
}

/* m is for clients: they get it. */
static void
hear_deliver(struct replica *r, const struct gossip *m)
{
	struct slice	 but = { NULL, 0 };
	struct payload	*p;

	p = payload_frame((m->flags & GOSSIP_F_BINARY) != 0 ? WS_BINARY :
	    WS_TEXT, m->payload);
	if (p == NULL) {
		hear_missed(r, m, m->type, "no memory");
		return;
	}
	if (r->shelf != NULL)
		hear_shelve(r, m, p);
	if (m->type == GOSSIP_WHISPER)
		replica_whisper(r, m->uid, p, 0);
	else {
		if ((m->flags & GOSSIP_F_NOT_UID) != 0)
			but = m->uid;
		if (m->type == GOSSIP_PUBLISH)
			topics_emit(r, m->topics, p, but);
		else
			replica_emit(r, p, but);
	}
	payload_unref(p);
}

/* CAST, WHISPER, PUBLISH.  The last words of one that has ended are in order, too. */
static void
hear_words(const struct heard *h)
{
	if (h->nb == NULL ||
	    neighbours_next(h->r->neighbours, h->nb, h->m))
		hear_deliver(h->r, h->m);
	if (h->m->ask != 0 && h->nb != NULL && h->numbered)
		neighbours_owe(h->r->neighbours, h->nb, h->m->said);
	else
		answer_done(h->l, h->r->id, h->m->ask);
}

/* TELL: for the application itself. */
static void
hear_tell(const struct heard *h)
{
	struct replica			*r = h->r;
	const struct kennel_word	 word = {
		h->m->head.data, h->m->head.len, h->m->payload.data,
		h->m->payload.len
	};

	if (h->nb != NULL && !neighbours_next(r->neighbours, h->nb, h->m))
		return;
	if (r->shelf != NULL && r->app->ontold != NULL &&
	    (h->m->flags & GOSSIP_F_ALONE) == 0)
		shelf_tell(r->shelf, h->m->from, h->m->said, h->m->head,
		    h->m->payload);
	if (r->app->ontell != NULL && !r->dismissed)
		r->app->ontell((struct kennel_replica *)r, h->m->from, &word);
}

/* LOST: something did not get through. */
static void
hear_lost(const struct heard *h)
{
	struct neighbours	*n = h->r->neighbours;
	struct neighbour	*nb = h->nb;
	const struct gossip	*m = h->m;

	/* Of another node, and given up: the application knows (onlost). */
	if (nb == NULL && link_peer(h->l)->node != NULL)
		return;
	switch (m->of) {
	case 0:
		if (nb != NULL)
			neighbours_marked(n, nb, m->said, m->seq);
		break;
	case GOSSIP_CAST:
	case GOSSIP_WHISPER:
	case GOSSIP_PUBLISH:
	case GOSSIP_TELL:
		if (nb != NULL)
			neighbours_gap(n, nb, m->prior, m->after);
		if (nb != NULL)
			neighbours_skip(nb, m->said, m->seq);
		hear_missed(h->r, m, m->of, "too much waited for its link");
		break;
	default:
		if (nb != NULL && h->r->authority != NULL)
			authority_missed(h->r->authority, nb->id);
		break;
	}
}

/* ASK: the application answers, now or later. */
static void
hear_ask(const struct heard *h)
{
	struct replica		*r = h->r;
	struct kennel_answer	*a;

	if (r->app->ongossip == NULL)
		answer_error(h->l, r->id, h->m->ask,
		    "Missing: ongossip handler");
	else if ((a = answer_new(&r->answers, h->l, r->id, h->m->ask)) == NULL)
		answer_error(h->l, r->id, h->m->ask, "out of memory");
	else
		r->app->ongossip((struct kennel_replica *)r, a,
		    h->m->payload.data, h->m->payload.len);
}

/* MEET: who says it is a neighbour by now. */
static void
hear_meet(const struct heard *h)
{
	answer_done(h->l, h->r->id, h->m->ask);
}

/* LEAVE: who says it has ended, on another node. */
static void
hear_leave(const struct heard *h)
{
	neighbours_farewell(h->r->neighbours, h->m->from);
}

/* FENCE: who says it wants to know when all before it is done. */
static void
hear_fence(const struct heard *h)
{
	fan_fenced(h->r->neighbours, h->l, h->m->from, h->m->ask);
}

/* UIDS: who says it wants to know whom we have. */
static void
hear_uids(const struct heard *h)
{
	query_uids_asked(h->r, h->l, h->m);
}

/* CLOSE: the sockets of a uid are to go. */
static void
hear_close(const struct heard *h)
{
	query_close_asked(h->r, h->l, h->m);
}

/* What the authority's replicas say to each other.  Of one that has ended, the last
 * words count no more: what was its own is given up. */
static void
hear_state(const struct heard *h)
{
	if (h->nb != NULL && h->r->authority != NULL)
		authority_message(h->r->authority, h->m);
}

/* Messages between two replicas; those between two shards are in groups.c. */
static const struct hearing {
	void	(*run)(const struct heard *h);
	int	 numbered;		/* it has, or names, a number of its origin */
} hearings[GOSSIP_NTYPES] = {
	[GOSSIP_MEET]	= { hear_meet, 0 },
	[GOSSIP_CAST]	= { hear_words, 1 },
	[GOSSIP_WHISPER] = { hear_words, 1 },
	[GOSSIP_PUBLISH] = { hear_words, 1 },
	[GOSSIP_TELL]	= { hear_tell, 1 },
	[GOSSIP_LOST]	= { hear_lost, 1 },
	[GOSSIP_ASK]	= { hear_ask, 0 },
	[GOSSIP_FENCE]	= { hear_fence, 0 },
	[GOSSIP_LEAVE]	= { hear_leave, 0 },
	[GOSSIP_UIDS]	= { hear_uids, 0 },
	[GOSSIP_CLOSE]	= { hear_close, 0 },
	[GOSSIP_STEP]	= { hear_state, 0 },
	[GOSSIP_REIGN]	= { hear_state, 0 },
	[GOSSIP_AT]	= { hear_state, 0 },
	[GOSSIP_NEWS]	= { hear_state, 0 },
	[GOSSIP_ACK]	= { hear_state, 0 },
	[GOSSIP_STATE]	= { hear_state, 0 },
};

int
hear_takes(enum gossip_type type)
{
	return (hearings[type].run != NULL);
}

/* What a shard of version 1 says has one number only, which counts towards us. */
static struct gossip
hear_version_1(const struct gossip *m)
{
	struct gossip	 same = *m;

	same.said = m->seq;
	same.prior = m->type == GOSSIP_LOST ? m->after : m->seq - 1;
	return (same);
}

void
hear(struct replica *r, struct link *l, const struct gossip *m)
{
	const struct hearing	*row = &hearings[m->type];
	struct heard		 h = {
		r, neighbours_heard(r->neighbours, l, m), l, m, m->said != 0
	};
	struct gossip		 same;

	if (row->numbered && m->said == 0) {
		same = hear_version_1(m);
		h.m = &same;
	}
	row->run(&h);
}

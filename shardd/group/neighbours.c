/* The other replicas of a group, and what goes to and comes from them. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/spare.h"
#include "proto/keys.h"
#include "shardd/group/ask.h"
#include "shardd/state/authority.h"
#include "shardd/group/held.h"
#include "shardd/kennel.h"
#include "shardd/peers/link.h"
#include "shardd/group/lookup.h"
#include "shardd/group/neighbours.h"
#include "shardd/client/payload.h"
#include "shardd/group/replica.h"
#include "shardd/group/topics.h"
#include "shardd/worker.h"

#define MEET_MS		1000	/* from the first introduction to being ready */
#define MEET_LATE_MS	10000	/* of an introduction when it is ready */
#define DONE_MS		10000
#define GOSSIP_MS	2000	/* when the caller names none */
#define DROP_KEEP	1024	/* bytes of an answer that is an error */

enum neighbour_state { NEIGHBOUR_MEETING, NEIGHBOUR_MET, NEIGHBOUR_SILENT };

struct neighbour {
	uint64_t	 id;
	uint64_t	 incarnation;
	uint64_t	 out, in;	/* the last sequence numbers */
	struct link	*link;		/* NULL: to be found */
	uint32_t	 slot;
	enum neighbour_state state;
};

struct neighbours {
	struct replica	*r;
	struct neighbour *at;		/* dense, in order of introduction */
	size_t		 n, cap;
	uint64_t	 first;		/* clock_ms of the first introduction */
	struct turn_work begin;
	struct list	 whispers;	/* struct whisper: looking up */
	struct list	 answers;	/* struct kennel_answer */
};

struct whisper {			/* waits for a lookup */
	struct list	 at;
	struct neighbours *n;		/* NULL: ended meanwhile */
	struct payload	*p;
	neighbours_settled_cb *settled;
	void		*settled_arg;
	neighbours_done_cb *done;
	void		*arg;
	size_t		 uid_len;
	char		 uid[];
};

struct kennel_answer {			/* a neighbour waits for it */
	struct list	 at;
	struct worker	*worker;
	uint32_t	 slot;		/* of the link: it may have ended */
	uint64_t	 incarnation;
	uint64_t	 ask;
	uint64_t	 replica;	/* ours, which answers */
};

struct round {				/* a gossip of ours */
	neighbours_gossip_cb *cb;
	void		*arg;
	struct kennel_slot slots[];
};

/* Whom a message is for: all, or those where the lookup found the uid. */
struct where {
	const struct slice *addresses;
	size_t		 n;
};

static void	 neighbours_begin(void *arg);

static struct neighbour *
neighbours_find(const struct neighbours *n, uint64_t id)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->at[i].id == id)
			return (&n->at[i]);
	return (NULL);
}

static struct neighbour *
neighbours_add(struct neighbours *n, uint64_t id, uint32_t slot,
    uint64_t incarnation, struct link *link)
{
	struct neighbour	*at;
	size_t			 cap;

	if (n->n == n->cap) {
		cap = n->cap == 0 ? 2 : n->cap * 2;
		at = realloc(n->at, cap * sizeof(*at));
		if (at == NULL)
			return (NULL);
		n->at = at;
		n->cap = cap;
	}
	at = &n->at[n->n++];
	*at = (struct neighbour){ .id = id, .slot = slot,
	    .incarnation = incarnation, .link = link };
	return (at);
}

/* NULL when its shard is dead. */
static struct link *
neighbour_link(const struct neighbours *n, struct neighbour *nb)
{
	if (nb->link == NULL)
		nb->link = link_find(n->r->worker, nb->slot, nb->incarnation);
	return (nb->link);
}

/* ---- life ---- */

struct neighbours *
neighbours_new(struct replica *r)
{
	struct neighbours	*n;

	if ((n = calloc(1, sizeof(*n))) == NULL)
		return (NULL);
	n->r = r;
	list_init(&n->whispers);
	list_init(&n->answers);
	turn_work_init(&n->begin, neighbours_begin, n);
	turn_add(&n->begin, TURN_CLIENTS);
	return (n);
}

void
neighbours_free(struct neighbours *n)
{
	struct kennel_answer	*a;
	struct whisper		*wh;

	if (n == NULL)
		return;
	turn_cancel(&n->begin);
	held_set_ended(n->r->id);
	ask_cancel(n);
	while (!list_empty(&n->whispers)) {
		wh = list_entry(n->whispers.next, struct whisper, at);
		list_remove(&wh->at);
		wh->n = NULL;
		if (wh->done != NULL)
			wh->done(ECANCELED, wh->arg);
	}
	while (!list_empty(&n->answers)) {
		a = list_entry(n->answers.next, struct kennel_answer, at);
		neighbours_answer(a, slice_str("gone"), 1);
	}
	free(n->at);
	free(n);
}

size_t
neighbours_count(const struct neighbours *n)
{
	return (n->n);
}

uint64_t
neighbours_id(const struct neighbours *n, size_t i)
{
	return (n->at[i].id);
}

int
neighbours_has(const struct neighbours *n, uint64_t neighbour)
{
	return (neighbours_find(n, neighbour) != NULL);
}

int
neighbours_tell(struct neighbours *n, uint64_t neighbour, struct gossip *m)
{
	struct neighbour	*nb = neighbours_find(n, neighbour);
	struct link		*l = nb == NULL ? NULL : neighbour_link(n, nb);

	if (l == NULL) {
		errno = ENOENT;
		return (-1);
	}
	m->to = nb->id;
	m->from = n->r->id;
	return (link_send(l, m));
}

/* ---- introductions ---- */

void
neighbours_ready(struct neighbours *n)
{
	if (n->r->ready || n->begin.queued || (n->r->authority != NULL &&
	    !authority_ready(n->r->authority)))
		return;
	for (size_t i = 0; i < n->n; i++)
		if (n->at[i].state == NEIGHBOUR_MEETING)
			return;
	replica_set_ready(n->r);
}

static void
neighbours_met_cb(const struct ask *a, int err, void *arg)
{
	struct neighbours	*n = arg;
	struct neighbour	*nb = neighbours_find(n, a->parts[0].neighbour);

	if (err == ECANCELED)
		return;
	if (nb != NULL && nb->state == NEIGHBOUR_MEETING) {
		nb->state = err == 0 ? NEIGHBOUR_MET : NEIGHBOUR_SILENT;
		if (err != 0)
			log_warn("replica id=%" PRIu64 " neighbour=%" PRIu64
			    " slot=%u is silent: %s", n->r->id, nb->id,
			    nb->slot, a->parts[0].error);
	}
	neighbours_ready(n);
}

static unsigned
neighbours_meet_ms(struct neighbours *n)
{
	uint64_t	 now = clock_ms();

	if (n->r->ready)
		return (MEET_LATE_MS);
	if (n->first == 0)
		n->first = now;
	return (now - n->first < MEET_MS ?
	    (unsigned)(n->first + MEET_MS - now) : 0);
}

void
neighbours_introduce(struct neighbours *n, uint64_t neighbour, uint32_t slot,
    uint64_t incarnation, const char *link_path)
{
	struct gossip	 m = { .type = GOSSIP_MEET, .to = neighbour,
			    .from = n->r->id };
	struct link	*l;
	struct ask	*a;

	l = link_get(n->r->worker, slot, incarnation, link_path);
	if (neighbours_find(n, neighbour) != NULL)
		return;			/* again, or it was faster */
	if (l == NULL || (a = ask_new(n->r->worker->base, n,
	    neighbours_meet_ms(n), 1, neighbours_met_cb, n)) == NULL)
		goto fail;
	ask_add(a, l, neighbour);
	m.ask = a->id;
	if (neighbours_add(n, neighbour, slot, incarnation, l) == NULL ||
	    link_send(l, &m) == -1)
		ask_unsent(a);
	ask_go(a);
	if (n->r->authority != NULL)
		authority_met(n->r->authority, neighbour);
	return;
fail:
	log_warn("replica id=%" PRIu64 " neighbour=%" PRIu64
	    " not introduced: %s", n->r->id, neighbour, strerror(errno));
}

void
neighbours_farewell(struct neighbours *n, uint64_t neighbour)
{
	struct neighbour	*nb = neighbours_find(n, neighbour);

	held_set_ended(neighbour);	/* its MEET may still be on its way */
	if (nb == NULL)
		return;
	memmove(nb, nb + 1,
	    (size_t)(n->at + n->n - (nb + 1)) * sizeof(*nb));
	n->n--;
	ask_neighbour_gone(n, neighbour);
	if (n->r->authority != NULL)
		authority_parted(n->r->authority, neighbour);
}

void
neighbours_shard_dead(struct worker *w, uint32_t slot, uint64_t incarnation)
{
	struct map_node		*e;
	struct neighbours	*n;

	for (e = map_first(&w->replicas); e != NULL;
	    e = map_next(&w->replicas, e)) {
		n = container_of(e, struct replica, by_id)->neighbours;
		for (size_t i = n->n; i-- > 0; )
			if (n->at[i].slot == slot &&
			    n->at[i].incarnation == incarnation)
				neighbours_farewell(n, n->at[i].id);
	}
}

void
neighbours_link_lost(struct link *l)
{
	struct map	*replicas = &link_worker(l)->replicas;
	struct map_node	*e;
	struct neighbours *n;

	ask_link_lost(l, 0);
	for (e = map_first(replicas); e != NULL; e = map_next(replicas, e)) {
		n = container_of(e, struct replica, by_id)->neighbours;
		for (size_t i = 0; n != NULL && i < n->n; i++)
			if (n->at[i].link == l)
				n->at[i].link = NULL;
	}
}

void
neighbours_link_mark(struct link *l)
{
	struct map	*replicas = &link_worker(l)->replicas;
	struct map_node	*e;
	struct replica	*r;

	for (e = map_first(replicas); e != NULL; e = map_next(replicas, e)) {
		r = container_of(e, struct replica, by_id);
		for (size_t i = 0; i < r->neighbours->n; i++) {
			struct neighbour *nb = &r->neighbours->at[i];
			struct gossip	  m = { .type = GOSSIP_LOST,
					    .to = nb->id, .from = r->id,
					    .seq = nb->out };

			if (nb->out > 0 &&
			    neighbour_link(r->neighbours, nb) == l)
				link_send(l, &m);
		}
	}
}

void
neighbours_link_eased(struct link *l, uint64_t replica)
{
	struct replica	*r = replica_find(link_worker(l), replica);

	if (r != NULL)
		replica_eased(r);
}

/*
 * Who asked is told that nobody acted.  What clients were to have becomes a note for
 * whom it was; what an authority says, one that both are to compare what they
 * have.  What is small and waited for is sent all the same.
 */
enum backlog_fate
neighbours_drop(struct link *l, struct gossip *m, int many)
{
	switch (m->type) {
	case GOSSIP_CAST:
	case GOSSIP_WHISPER:
	case GOSSIP_PUBLISH:
		m->of = many ? GOSSIP_CAST : m->type;
		m->after = m->seq - 1;
		if (many) {
			m->uid = m->topics = slice_of(NULL, 0);
			m->flags = 0;
		}
		m->flags &= GOSSIP_F_NOT_UID;
		break;
	case GOSSIP_STEP:
	case GOSSIP_REIGN:
	case GOSSIP_AT:
	case GOSSIP_NEWS:
	case GOSSIP_ACK:
	case GOSSIP_STATE:
		*m = (struct gossip){ .of = GOSSIP_NEWS, .to = m->to,
		    .from = m->from };
		break;
	case GOSSIP_ASK:
		ask_missed(m->ask, l);
		return (BACKLOG_GONE);
	case GOSSIP_ANSWER:
		if ((m->flags & GOSSIP_F_ERROR) != 0 &&
		    m->payload.len <= DROP_KEEP)
			return (BACKLOG_KEEP);
		m->flags = GOSSIP_F_ERROR;
		m->payload = slice_str("the answer could not be sent");
		return (BACKLOG_NOTE);
	default:
		return (BACKLOG_KEEP);
	}
	if (m->ask != 0)
		ask_missed(m->ask, l);
	m->type = GOSSIP_LOST;
	m->ask = 0;
	m->payload = slice_of(NULL, 0);
	return (BACKLOG_NOTE);
}

void
neighbours_link_back(struct link *l)
{
	struct map	*replicas = &link_worker(l)->replicas;
	struct map_node	*e;
	struct replica	*r;

	for (e = map_first(replicas); e != NULL; e = map_next(replicas, e)) {
		r = container_of(e, struct replica, by_id);
		for (size_t i = 0; r->authority != NULL &&
		    i < r->neighbours->n; i++)
			if (neighbour_link(r->neighbours,
			    &r->neighbours->at[i]) == l)
				authority_missed(r->authority,
				    r->neighbours->at[i].id);
	}
}

/* ---- to the neighbours ---- */

static int
neighbour_is_at(const struct neighbours *n, const struct neighbour *nb,
    const struct where *where)
{
	const char	*node = n->r->worker->node;
	uint64_t	 incarnation;
	uint32_t	 slot;
	size_t		 len;

	for (size_t i = 0; i < where->n; i++)
		if (keys_address_parse(where->addresses[i], &len, &slot,
		    &incarnation) == 0 && slot == nb->slot &&
		    incarnation == nb->incarnation &&
		    slice_is(slice_of(where->addresses[i].data, len), node))
			return (1);
	return (0);
}

static void
neighbours_done_ask_cb(const struct ask *a, int err, void *arg)
{
	a->call(err, arg);
}

/*
 * m to those who are there (where NULL: to all).  0, 1 if a link is over its
 * mark, or -1 with errno ENOMEM and nothing sent.
 */
static int
neighbours_fan(struct neighbours *n, struct gossip *m,
    const struct where *where, neighbours_done_cb *done, void *arg)
{
	struct neighbour	*nb;
	struct link		*l;
	struct ask		*a = NULL;
	int			 over = 0;

	if (done != NULL) {
		if ((a = ask_new(n->r->worker->base, n, DONE_MS, n->n,
		    neighbours_done_ask_cb, arg)) == NULL)
			return (-1);
		a->call = done;
		m->ask = a->id;
	}
	m->from = n->r->id;
	for (size_t i = 0; i < n->n; i++) {
		nb = &n->at[i];
		l = neighbour_link(n, nb);
		if (where != NULL && (l == NULL || !link_askme(l) ||
		    m->uid.len > UID_MAX) &&
		    !neighbour_is_at(n, nb, where))
			continue;
		if (a != NULL)
			ask_add(a, l, nb->id);
		if (l == NULL)
			continue;
		m->to = nb->id;
		m->seq = ++nb->out;
		if (link_send(l, m) == -1) {
			over |= errno == ENOBUFS;
			if (a != NULL)
				ask_unsent(a);
		} else
			over |= link_is_over(l, n->r->id);
	}
	if (a != NULL)
		ask_go(a);
	return (over);
}

int
neighbours_over(struct neighbours *n)
{
	struct link	*l;

	for (size_t i = 0; i < n->n; i++) {
		l = neighbour_link(n, &n->at[i]);
		if (l != NULL && link_is_over(l, n->r->id))
			return (1);
	}
	return (0);
}

static uint32_t
neighbours_flags(const struct payload *p)
{
	return (p->opcode == WS_BINARY ? GOSSIP_F_BINARY : 0);
}

int
neighbours_cast(struct neighbours *n, struct payload *p, struct slice but,
    neighbours_done_cb *done, void *arg)
{
	struct gossip	 m = { .type = GOSSIP_CAST, .uid = but,
			    .flags = neighbours_flags(p),
			    .payload = payload_data(p) };

	if (but.data != NULL)
		m.flags |= GOSSIP_F_NOT_UID;
	return (neighbours_fan(n, &m, NULL, done, arg));
}

int
neighbours_publish(struct neighbours *n, struct slice topics,
    struct payload *p, struct slice but, neighbours_done_cb *done, void *arg)
{
	struct gossip	 m = { .type = GOSSIP_PUBLISH, .uid = but,
			    .topics = topics, .flags = neighbours_flags(p),
			    .payload = payload_data(p) };

	if (but.data != NULL)
		m.flags |= GOSSIP_F_NOT_UID;
	return (neighbours_fan(n, &m, NULL, done, arg));
}

/* The lookup is over; with err all are asked. */
static void
neighbours_found_cb(const struct slice *addresses, size_t count, int err,
    void *arg)
{
	struct whisper	*wh = arg;
	struct where	 where = { addresses, count };
	struct gossip	 m = { .type = GOSSIP_WHISPER,
			    .uid = slice_of(wh->uid, wh->uid_len),
			    .flags = neighbours_flags(wh->p),
			    .payload = payload_data(wh->p) };
	int		 over = 0;

	list_remove(&wh->at);
	if (wh->n != NULL && (over = neighbours_fan(wh->n, &m,
	    err == 0 ? &where : NULL, wh->done, wh->arg)) == -1) {
		log_warn("replica id=%" PRIu64 " whisper lost: %s",
		    wh->n->r->id, strerror(errno));
		if (wh->done != NULL)
			wh->done(ETIMEDOUT, wh->arg);
	}
	payload_unref(wh->p);
	wh->settled(over == 1, wh->settled_arg);
	spare_put(wh, sizeof(*wh) + wh->uid_len);
}

int
neighbours_whisper(struct neighbours *n, struct slice uid, struct payload *p,
    int *waiting, neighbours_settled_cb *settled, void *settled_arg,
    neighbours_done_cb *done, void *arg)
{
	const struct worker	*w = n->r->worker;
	struct gossip		 m = { .type = GOSSIP_WHISPER, .uid = uid,
				    .flags = neighbours_flags(p),
				    .payload = payload_data(p) };
	const struct where	 nowhere = { NULL, 0 };
	struct whisper		*wh;

	*waiting = 0;
	if (uid.len > UID_MAX)		/* nobody's */
		return (neighbours_fan(n, &m, &nowhere, done, arg));
	if (n->n <= w->opt.whisper_ask || w->lookup == NULL ||
	    !lookup_usable(w->lookup))
		return (neighbours_fan(n, &m, NULL, done, arg));
	if ((wh = spare_get(sizeof(*wh) + uid.len)) == NULL)
		return (-1);
	*wh = (struct whisper){ .n = n, .p = p, .settled = settled,
	    .settled_arg = settled_arg, .done = done, .arg = arg,
	    .uid_len = uid.len };
	if (uid.len > 0)
		memcpy(wh->uid, uid.data, uid.len);
	if (lookup_find(w->lookup, n->r, uid, n->n + 1, neighbours_found_cb,
	    wh) == -1) {
		spare_put(wh, sizeof(*wh) + uid.len);
		return (neighbours_fan(n, &m, NULL, done, arg));
	}
	payload_ref(p);
	list_push(&n->whispers, &wh->at);
	*waiting = 1;
	return (0);
}

static void
neighbours_round_cb(const struct ask *a, int err, void *arg)
{
	struct round	*round = arg;

	(void)err;
	for (size_t i = 0; i < a->nparts; i++) {
		const struct ask_part	*part = &a->parts[i];
		struct kennel_slot	*slot = &round->slots[i];

		slot->neighbour = part->neighbour;
		slot->error = part->error;
		if (part->link != NULL && part->error == NULL)
			slot->error = "gone";	/* ours has ended */
		if (slot->error == NULL) {
			slot->data = part->data;
			slot->len = part->len;
		}
	}
	round->cb(round->slots, a->nparts, round->arg);
	free(round);
}

int
neighbours_gossip(struct neighbours *n, struct slice msg,
    unsigned deadline_ms, neighbours_gossip_cb *cb, void *arg)
{
	struct gossip	 m = { .type = GOSSIP_ASK, .from = n->r->id,
			    .payload = msg };
	struct round	*round;
	struct ask	*a;
	struct link	*l;

	if ((round = calloc(1, sizeof(*round) + n->n *
	    sizeof(round->slots[0]))) == NULL)
		return (-1);
	round->cb = cb;
	round->arg = arg;
	if ((a = ask_new(n->r->worker->base, n,
	    deadline_ms == 0 ? GOSSIP_MS : deadline_ms, n->n,
	    neighbours_round_cb, round)) == NULL) {
		free(round);
		return (-1);
	}
	m.ask = a->id;
	for (size_t i = 0; i < n->n; i++) {
		l = neighbour_link(n, &n->at[i]);
		ask_add(a, l, n->at[i].id);
		m.to = n->at[i].id;
		if (l != NULL && link_send(l, &m) == -1)
			ask_unsent(a);
	}
	ask_go(a);
	return (0);
}

/* ---- from the neighbours ---- */

/* Answers stand behind what replica (0: none) has said before. */
static void
neighbours_reply(struct link *l, uint64_t replica, uint64_t ask)
{
	struct gossip	 m = { .type = GOSSIP_DONE, .from = replica,
			    .ask = ask };

	if (ask != 0 && link_send(l, &m) == -1)
		log_debug("link slot=%u answer lost", link_slot(l));
}

static void
neighbours_reply_error(struct link *l, uint64_t replica, uint64_t ask,
    const char *text)
{
	struct gossip	 m = { .type = GOSSIP_ANSWER, .from = replica,
			    .ask = ask, .flags = GOSSIP_F_ERROR,
			    .payload = slice_str(text) };

	if (link_send(l, &m) == -1)
		log_debug("link slot=%u answer lost", link_slot(l));
}

void
neighbours_absent(struct link *l, const struct gossip *m)
{
	if (gossip_answer(m->type) == GOSSIP_ANSWER)
		neighbours_reply_error(l, 0, m->ask, "gone");
	else
		neighbours_reply(l, 0, m->ask);
}

/* One like m, of type `of`, did not get here: they miss it, and come back. */
static void
neighbours_missed(struct neighbours *n, const struct gossip *m,
    enum gossip_type of, const char *why)
{
	struct slice	 but = { NULL, 0 };
	size_t		 closed;

	if ((m->flags & GOSSIP_F_NOT_UID) != 0)
		but = m->uid;
	if (of == GOSSIP_WHISPER)
		closed = replica_missed_uid(n->r, m->uid);
	else if (of == GOSSIP_PUBLISH)
		closed = topics_missed(n->r, m->topics, but);
	else
		closed = replica_missed(n->r, but);
	log_warn("replica id=%" PRIu64 " neighbour=%" PRIu64 " lost=%" PRIu64
	    " closed=%zu why=\"%s\"", n->r->id, m->from, m->seq - m->after,
	    closed, why);
}

/* All up to seq should be here.  Of what is not, nobody knows whom it was for. */
static void
neighbours_gap(struct neighbours *n, struct neighbour *nb, uint64_t seq)
{
	struct gossip	 m = { .from = nb->id, .after = nb->in, .seq = seq };

	if (seq <= nb->in)
		return;
	nb->in = seq;
	neighbours_missed(n, &m, GOSSIP_CAST, "lost with a link");
}

/* nb, NULL if it has ended, says that something did not get through. */
static void
neighbours_got_lost(struct neighbours *n, struct neighbour *nb,
    const struct gossip *m)
{
	switch (m->of) {
	case 0:
		if (nb != NULL)
			neighbours_gap(n, nb, m->seq);
		break;
	case GOSSIP_CAST:
	case GOSSIP_WHISPER:
	case GOSSIP_PUBLISH:
		if (nb != NULL)
			neighbours_gap(n, nb, m->after);
		if (nb != NULL && m->seq > nb->in)
			nb->in = m->seq;
		neighbours_missed(n, m, m->of, "too much waited for its link");
		break;
	default:
		if (nb != NULL && n->r->authority != NULL)
			authority_missed(n->r->authority, nb->id);
		break;
	}
}

/* Is it the next one?  0: it was here already. */
static int
neighbours_next(struct neighbours *n, struct neighbour *nb, uint64_t seq)
{
	if (seq <= nb->in) {
		log_warn("replica id=%" PRIu64 " neighbour=%" PRIu64
		    " repeated=%" PRIu64, n->r->id, nb->id, seq);
		return (0);
	}
	neighbours_gap(n, nb, seq - 1);
	nb->in = seq;
	return (1);
}

static void
neighbours_deliver(struct neighbours *n, const struct gossip *m)
{
	struct slice	 but = { NULL, 0 };
	struct payload	*p;

	p = payload_frame((m->flags & GOSSIP_F_BINARY) != 0 ? WS_BINARY :
	    WS_TEXT, m->payload);
	if (p == NULL) {
		neighbours_missed(n, m, m->type, "no memory");
		return;
	}
	if (m->type == GOSSIP_WHISPER)
		replica_whisper(n->r, m->uid, p);
	else {
		if ((m->flags & GOSSIP_F_NOT_UID) != 0)
			but = m->uid;
		if (m->type == GOSSIP_PUBLISH)
			topics_emit(n->r, m->topics, p, but);
		else
			replica_emit(n->r, p, but);
	}
	payload_unref(p);
}

static void
neighbours_asked(struct neighbours *n, struct link *l, const struct gossip *m)
{
	const struct kennel_app	*app = n->r->app;
	struct kennel_answer	*a;

	if (app->ongossip == NULL) {
		neighbours_reply_error(l, n->r->id, m->ask,
		    "Missing: ongossip handler");
		return;
	}
	if ((a = calloc(1, sizeof(*a))) == NULL) {
		neighbours_reply_error(l, n->r->id, m->ask, "out of memory");
		return;
	}
	a->worker = n->r->worker;
	a->slot = link_slot(l);
	a->incarnation = link_incarnation(l);
	a->ask = m->ask;
	a->replica = n->r->id;
	list_push(&n->answers, &a->at);
	app->ongossip((struct kennel_replica *)n->r, a, m->payload.data,
	    m->payload.len);
}

/* m is for n.  The answer is behind what the clients get in this turn. */
static void
neighbours_take(struct link *l, const struct gossip *m, void *arg)
{
	struct neighbours	*n = arg;
	struct neighbour	*nb = neighbours_find(n, m->from);

	/* Whoever speaks to us exists there, and knows us. */
	if (nb == NULL && !held_ended(m->from) && (nb = neighbours_add(n,
	    m->from, link_slot(l), link_incarnation(l), l)) != NULL &&
	    n->r->authority != NULL)
		authority_met(n->r->authority, m->from);
	if (nb != NULL)
		nb->state = NEIGHBOUR_MET;
	switch (m->type) {
	case GOSSIP_CAST:
	case GOSSIP_WHISPER:
	case GOSSIP_PUBLISH:
		/* The last words of one that has ended are in order, too. */
		if (nb == NULL || neighbours_next(n, nb, m->seq))
			neighbours_deliver(n, m);
		neighbours_reply(l, n->r->id, m->ask);
		break;
	case GOSSIP_LOST:
		neighbours_got_lost(n, nb, m);
		break;
	case GOSSIP_ASK:
		neighbours_asked(n, l, m);
		break;
	case GOSSIP_STEP:
	case GOSSIP_REIGN:
	case GOSSIP_AT:
	case GOSSIP_NEWS:
	case GOSSIP_ACK:
	case GOSSIP_STATE:
		/* Of one that has ended, the last words count no more: what was
		 * its own is given up. */
		if (nb != NULL && n->r->authority != NULL)
			authority_message(n->r->authority, m);
		break;
	default:
		neighbours_reply(l, n->r->id, m->ask);
		break;
	}
}

/* What came before the replica; then, with nobody to wait for, it is ready. */
static void
neighbours_begin(void *arg)
{
	struct neighbours	*n = arg;

	held_release(n->r->worker, n->r->id, neighbours_take, n);
	neighbours_ready(n);
}

static int
neighbours_for_replica(struct link *l, const struct gossip *m)
{
	struct replica	*r = replica_find(link_worker(l), m->to);

	if (m->to == 0 || m->from == 0) {
		log_warn("link slot=%u error=\"%s without replicas\"",
		    link_slot(l), gossip_name(m->type));
		return (-1);
	}
	if (r == NULL && !held_ended(m->to))
		held_add(l, m);
	else if (r == NULL || r->neighbours == NULL)
		neighbours_absent(l, m);
	else {
		/* Not before those that waited. */
		if (r->neighbours->begin.queued)
			held_release(r->worker, r->id, neighbours_take,
			    r->neighbours);
		neighbours_take(l, m, r->neighbours);
	}
	return (0);
}

int
neighbours_message(struct link *l, const struct gossip *m)
{
	switch (m->type) {
	case GOSSIP_MEET:
	case GOSSIP_CAST:
	case GOSSIP_WHISPER:
	case GOSSIP_PUBLISH:
	case GOSSIP_ASK:
	case GOSSIP_STEP:
	case GOSSIP_REIGN:
	case GOSSIP_AT:
	case GOSSIP_NEWS:
	case GOSSIP_ACK:
	case GOSSIP_STATE:
	case GOSSIP_LOST:
		return (neighbours_for_replica(l, m));
	case GOSSIP_DONE:
		ask_answer(m->ask, l, slice_of(NULL, 0), 0);
		return (0);
	case GOSSIP_ANSWER:
		ask_answer(m->ask, l, slice_of(m->payload.len == 0 ? "" :
		    m->payload.data, m->payload.len),
		    (m->flags & GOSSIP_F_ERROR) != 0);
		return (0);
	case GOSSIP_ASKME:
		link_set_askme(l, (m->flags & GOSSIP_F_ON) != 0);
		neighbours_reply(l, 0, m->ask);
		return (0);
	default:
		log_warn("link slot=%u error=\"unexpected %s\"", link_slot(l),
		    gossip_name(m->type));
		return (-1);
	}
}

void
neighbours_answer(struct kennel_answer *a, struct slice data, int is_error)
{
	struct gossip	 m = { .type = GOSSIP_ANSWER, .from = a->replica,
			    .ask = a->ask,
			    .flags = is_error ? GOSSIP_F_ERROR : 0,
			    .payload = data };
	struct link	*l = link_find(a->worker, a->slot, a->incarnation);

	if (l != NULL && link_send(l, &m) == -1)
		log_debug("link slot=%u answer lost", link_slot(l));
	list_remove(&a->at);
	free(a);
}

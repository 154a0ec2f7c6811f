/* The other replicas of a group: who they are. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/counters.h"
#include "shardd/group/ask.h"
#include "shardd/group/held.h"
#include "shardd/group/neighbours.h"

#define MEET_MS		1000	/* from the first introduction to being ready */
#define MEET_LATE_MS	10000	/* of an introduction when it is ready */

struct neighbour *
neighbours_find(const struct neighbours *n, uint64_t id)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->at[i].id == id)
			return (&n->at[i]);
	return (NULL);
}

/* One more; NULL without memory. */
static struct neighbour *
neighbours_add(struct neighbours *n, uint64_t id, const struct peer_id *peer,
    struct link *link)
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
	*at = (struct neighbour){ .id = id, .peer = *peer, .link = link };
	return (at);
}

struct link *
neighbour_link(const struct neighbours *n, struct neighbour *nb)
{
	if (nb->link == NULL)
		nb->link = link_find(n->hood->links, &nb->peer);
	return (nb->link);
}

/* ---- what we have acted on ---- */

void
neighbours_owe(struct neighbours *n, struct neighbour *nb, uint64_t said)
{
	nb->owed = said;
	turn_add(&n->confirm, TURN_LINKS);
}

/* Turn work, behind what the clients get: one word to each that waits for it. */
static void
neighbours_confirm(void *arg)
{
	struct neighbours	*n = arg;
	struct gossip		 m = { .type = GOSSIP_DONE, .from = n->id };
	struct link		*l;

	for (size_t i = 0; i < n->n; i++) {
		if ((m.said = n->at[i].owed) == 0)
			continue;
		n->at[i].owed = 0;
		m.to = n->at[i].id;
		if ((l = neighbour_link(n, &n->at[i])) != NULL)
			link_send(l, &m);
	}
}

/* ---- life ---- */

struct neighbours *
neighbours_new(struct neighbourhood *hood, uint64_t id,
    const struct neighbours_ops *ops, void *arg)
{
	struct neighbours	*n;

	if ((n = calloc(1, sizeof(*n))) == NULL)
		return (NULL);
	n->hood = hood;
	n->id = id;
	n->ops = ops;
	n->arg = arg;
	list_init(&n->whispers);
	list_init(&n->fences);
	list_init(&n->asks);
	turn_work_init(&n->confirm, neighbours_confirm, n);
	return (n);
}

void
neighbours_free(struct neighbours *n)
{
	if (n == NULL)
		return;
	held_set_ended(n->id);
	turn_cancel(&n->confirm);
	neighbours_confirm(n);
	ask_cancel(&n->asks);
	for (size_t i = 0; i < n->n; i++)
		acted_clear(&n->at[i].acted);
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
	m->from = n->id;
	return (link_send(l, m));
}

/* ---- introductions ---- */

int
neighbours_are_met(const struct neighbours *n)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->at[i].state == NEIGHBOUR_MEETING)
			return (0);
	return (1);
}

void
neighbours_set_ready(struct neighbours *n)
{
	n->ready = 1;
}

/* MEET was answered, or was not. */
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
			    " slot=%u is silent: %s", n->id, nb->id,
			    nb->peer.slot, a->parts[0].error);
	}
	if (neighbours_are_met(n))
		n->ops->all_met(n->arg);
}

/* How long a neighbour that is introduced now is waited for. */
static unsigned
neighbours_meet_ms(struct neighbours *n)
{
	uint64_t	 now = clock_ms();

	if (n->ready)
		return (MEET_LATE_MS);
	if (n->first == 0)
		n->first = now;
	return (now - n->first < MEET_MS ?
	    (unsigned)(n->first + MEET_MS - now) : 0);
}

void
neighbours_introduce(struct neighbours *n, uint64_t neighbour,
    const struct peer_id *peer, const char *link_path)
{
	struct gossip	 m = { .type = GOSSIP_MEET, .to = neighbour,
			    .from = n->id };
	struct link	*l;
	struct ask	*a;

	l = link_get(n->hood->links, peer, link_path);
	if (neighbours_find(n, neighbour) != NULL)
		return;			/* again, or it was faster */
	if (l == NULL || (a = ask_new(n->hood->base, &n->asks,
	    neighbours_meet_ms(n), 1, neighbours_met_cb, n)) == NULL)
		goto fail;
	ask_add(a, l, neighbour);
	m.ask = a->id;
	if (neighbours_add(n, neighbour, peer, l) == NULL ||
	    link_send(l, &m) == -1)
		ask_unsent(a);
	ask_go(a);
	n->ops->met(n->arg, neighbour);
	return;
fail:
	log_warn("replica id=%" PRIu64 " neighbour=%" PRIu64
	    " not introduced: %s", n->id, neighbour, strerror(errno));
}

struct neighbour *
neighbours_join(struct neighbours *n, uint64_t id, struct link *l)
{
	struct neighbour	*nb = neighbours_find(n, id);

	if (nb == NULL && (nb = neighbours_add(n, id, link_peer(l), l)) == NULL)
		errno = ENOMEM;
	if (nb != NULL)
		nb->state = NEIGHBOUR_MET;
	return (nb);
}

void
neighbours_farewell(struct neighbours *n, uint64_t neighbour)
{
	struct neighbour	*nb = neighbours_find(n, neighbour);

	held_set_ended(neighbour);	/* its MEET may still be on its way */
	if (nb == NULL)
		return;
	acted_clear(&nb->acted);
	memmove(nb, nb + 1,
	    (size_t)(n->at + n->n - (nb + 1)) * sizeof(*nb));
	n->n--;
	ask_neighbour_gone(&n->asks, neighbour);
	n->ops->parted(n->arg, neighbour);
}

void
neighbours_shard_dead(struct neighbours *n, const struct peer_id *peer)
{
	uint64_t	 neighbour;

	for (size_t i = n->n; i-- > 0; )
		if (peer_same(&n->at[i].peer, peer)) {
			neighbour = n->at[i].id;
			n->mourned |= neighbour_is_remote(&n->at[i]);
			neighbours_farewell(n, neighbour);
			n->ops->mourned(n->arg, neighbour, peer);
		}
}

struct neighbour *
neighbours_heard(struct neighbours *n, struct link *l, const struct gossip *m)
{
	struct neighbour	*nb = neighbours_find(n, m->from);

	if (nb == NULL && !held_ended(m->from) &&
	    (nb = neighbours_add(n, m->from, link_peer(l), l)) != NULL)
		n->ops->met(n->arg, m->from);
	if (nb != NULL)
		nb->state = NEIGHBOUR_MET;
	return (nb);
}

/* ---- numbers ---- */

void
neighbours_skip(struct neighbour *nb, uint64_t said, uint64_t seq)
{
	if (said > nb->seen)
		nb->seen = said;
	if (seq > nb->in)
		nb->in = seq;
}

int
neighbours_know(struct neighbour *nb, uint64_t said, uint64_t told)
{
	if (nb->seen < told)
		return (-1);
	if (said > nb->known)
		nb->known = said;
	return (0);
}

/* Of what is not here, nobody knows whom it was for. */
void
neighbours_gap(struct neighbours *n, struct neighbour *nb, uint64_t said,
    uint64_t seq)
{
	struct gossip	 m = { .from = nb->id, .after = nb->in, .seq = seq };

	if (said <= nb->seen && seq <= nb->in)
		return;
	if (seq < nb->in) {		/* it has begun anew with us */
		nb->in = 0;
		m.after = nb->seen;
		m.seq = said;
	}
	neighbours_skip(nb, said, seq);
	if (neighbour_is_remote(nb))
		counter_add(COUNTER_BUS_LOST, 1);
	n->ops->missed(n->arg, &m, GOSSIP_CAST, "lost with a link");
}

void
neighbours_marked(struct neighbours *n, struct neighbour *nb, uint64_t said,
    uint64_t seq)
{
	if (said == nb->seen && seq < nb->in)
		nb->in = seq;		/* it has begun anew with us */
	neighbours_gap(n, nb, said, seq);
}

int
neighbours_next(struct neighbours *n, struct neighbour *nb,
    const struct gossip *m)
{
	if (m->said <= nb->seen) {
		log_warn("replica id=%" PRIu64 " neighbour=%" PRIu64
		    " repeated=%" PRIu64, n->id, nb->id, m->said);
		return (0);
	}
	/* What is said in a room has no number of its own towards us. */
	neighbours_gap(n, nb, m->prior, m->seq == 0 ? nb->in : m->seq - 1);
	neighbours_skip(nb, m->said, m->seq);
	return (1);
}

/* ---- their links ---- */

void
neighbours_link_lost(struct neighbours *n, const struct link *l)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->at[i].link == l)
			n->at[i].link = NULL;
}

/* How much was sent to nb, over l. */
static void
neighbour_mark(struct neighbours *n, struct neighbour *nb, struct link *l)
{
	link_send(l, &(struct gossip){ .type = GOSSIP_LOST, .to = nb->id,
	    .from = n->id, .seq = nb->out, .said = nb->told });
}

void
neighbours_back(struct neighbours *n, struct neighbour *nb, struct link *l)
{
	if (nb->told == 0)
		nb->told = n->said;
	n->said_in_room = n->said;	/* and if that is lost, the next word says so */
	neighbour_mark(n, nb, l);
}

void
neighbours_link_mark(struct neighbours *n, struct link *l)
{
	struct neighbour	*nb;

	for (size_t i = 0; i < n->n; i++) {
		nb = &n->at[i];
		if (nb->told > 0 && neighbour_link(n, nb) == l)
			neighbour_mark(n, nb, l);
	}
}

void
neighbours_link_tail(struct neighbours *n, struct link *l)
{
	struct neighbour	*nb;

	for (size_t i = 0; i < n->n; i++) {
		nb = &n->at[i];
		if (nb->told == nb->marked || neighbour_link(n, nb) != l)
			continue;
		nb->marked = nb->told;
		neighbour_mark(n, nb, l);
	}
}

void
neighbours_link_back(struct neighbours *n, const struct link *l)
{
	for (size_t i = 0; i < n->n; i++)
		if (neighbour_link(n, &n->at[i]) == l)
			n->ops->doubted(n->arg, n->at[i].id);
}

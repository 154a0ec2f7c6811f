/* What our replica says to its neighbours. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/list.h"
#include "common/log.h"
#include "common/spare.h"
#include "proto/keys.h"
#include "shardd/client/payload.h"
#include "shardd/group/ask.h"
#include "shardd/group/fan.h"
#include "shardd/group/lookup.h"
#include "shardd/group/neighbours.h"
#include "shardd/kennel.h"
#include "shardd/peers/bus.h"

#define DONE_MS		10000
#define GOSSIP_MS	2000	/* when the caller names none */
#define FAN_ROOM	256	/* bytes of a message but head and payload */
#define FAN_ASK_BYTES	4096	/* that cost as much to publish as to look a uid up */

struct whisper {			/* waits for a lookup */
	struct list	 at;
	struct neighbours *n;		/* NULL: ended meanwhile */
	struct payload	*p;
	uint64_t	 number;	/* of our whispers that were looked up */
	uint64_t	 joins;		/* in our replica, when it was said */
	fan_settled_cb	*settled;
	void		*settled_arg;
	fan_done_cb	*done;
	void		*arg;
	size_t		 uid_len;
	char		 uid[];
};

struct fence {				/* a neighbour's, that waits */
	struct list	 at;		/* neighbours->fences, oldest first */
	uint64_t	 whisper;	/* the last that it waits for */
	struct peer_id	 peer;		/* whose it is */
	uint64_t	 neighbour, ask;
};

struct round {				/* a gossip of ours */
	fan_gossip_cb *cb;
	void		*arg;
	struct kennel_slot slots[];
};

/* Whom a message is for: all, those where the lookup found the uid, or one. */
struct where {
	const struct slice *addresses;
	size_t		 n;
	uint64_t	 neighbour;	/* 0: not one alone */
};

/* Is nb one of where? */
static int
fan_is_at(const struct neighbours *n, const struct neighbour *nb,
    const struct where *where)
{
	const char	*node = nb->peer.node != NULL ? nb->peer.node :
			    n->hood->node;
	uint64_t	 incarnation;
	uint32_t	 slot;
	size_t		 len;

	for (size_t i = 0; i < where->n; i++)
		if (keys_address_parse(where->addresses[i], &len, &slot,
		    &incarnation) == 0 && slot == nb->peer.slot &&
		    incarnation == nb->peer.incarnation &&
		    slice_is(slice_of(where->addresses[i].data, len), node))
			return (1);
	return (0);
}

/* Is m for nb, at l? */
static int
fan_is_for(const struct neighbours *n, const struct neighbour *nb,
    const struct link *l, const struct gossip *m, const struct where *where)
{
	if (where == NULL)
		return (1);
	if (where->neighbour != 0)
		return (nb->id == where->neighbour);
	return ((l != NULL && link_askme(l) && m->uid.len <= UID_MAX) ||
	    fan_is_at(n, nb, where));
}

/* All have acted, or will not. */
static void
fan_asked_cb(const struct ask *a, int err, void *arg)
{
	a->call(err, arg);
}

/* Can m be said once for all neighbours of other nodes?  Only where nothing that was said
 * before waits for one of them; for one alone it is no gain. */
static int
fan_together(struct neighbours *n, const struct gossip *m, unsigned *version)
{
	struct link	*l;
	size_t		 remote = 0;

	if (n->room == NULL || m->type == GOSSIP_WHISPER)
		return (0);
	*version = links_version(n->hood->links);
	for (size_t i = 0; i < n->n; i++) {
		if (!neighbour_is_remote(&n->at[i]))
			continue;
		l = neighbour_link(n, &n->at[i]);
		if (l == NULL || !link_is_clear(l))
			return (0);
		if (link_version(l) < *version)
			*version = link_version(l);
		bus_room_node(n->room, l);
		remote++;
	}
	return (remote > 1);
}

/* Say m in the room, if that can be: returns whether it was. */
static int
fan_say(struct neighbours *n, const struct gossip *m)
{
	struct gossip	 all = *m;
	unsigned	 version;

	if (!fan_together(n, m, &version))
		return (0);
	all.prior = n->said_in_room;
	if (bus_say(n->hood->bus, n->room, &all, version) == -1)
		return (0);
	n->said_in_room = m->said;
	return (1);
}

/*
 * m to those who are there (where NULL: to all); p, what clients are told by it, or
 * NULL.  0, 1 if a link is over its mark, or -1 with errno ENOMEM and nothing sent.
 */
static int
fan_out(struct neighbours *n, struct gossip *m, struct payload *p,
    const struct where *where, fan_done_cb *done, void *arg)
{
	struct neighbour	*nb;
	struct link		*l;
	struct ask		*a = NULL;
	int			 over = 0, said, sent;

	if (done != NULL) {
		if ((a = ask_new(n->hood->base, &n->asks, DONE_MS, n->n,
		    fan_asked_cb, arg)) == NULL)
			return (-1);
		a->call = done;
		m->ask = a->id;
	}
	m->from = n->id;
	m->said = ++n->said;
	said = where == NULL && fan_say(n, m);
	/* Who was given up and lives may hear no more of us than the room. */
	if (where == NULL && n->mourned)
		n->said_in_room = m->said;
	if (p != NULL || where == NULL)
		n->ops->said(n->arg, m, p);
	for (size_t i = 0; i < n->n; i++) {
		nb = &n->at[i];
		l = neighbour_link(n, nb);
		if (!fan_is_for(n, nb, l, m, where))
			continue;
		if (a != NULL)
			ask_add(a, l, nb->id);
		if (l == NULL)
			continue;
		m->prior = nb->told;
		nb->told = m->said;
		if (said && neighbour_is_remote(nb)) {
			bus_said_to(n->hood->bus, l);
			sent = 0;
		} else {
			m->to = nb->id;
			m->seq = ++nb->out;
			sent = link_send(l, m);
		}
		if (sent == -1) {
			over |= errno == ENOBUFS;
			if (a != NULL)
				ask_unsent(a);
		} else if (a != NULL && acted_wait(&nb->acted, m->said,
		    a->id) == -1)
			ask_unsent(a);
		else
			over |= link_is_over(l, n->id);
	}
	if (a != NULL)
		ask_go(a);
	return (over);
}

int
fan_is_over(struct neighbours *n)
{
	struct link	*l;

	for (size_t i = 0; i < n->n; i++) {
		l = neighbour_link(n, &n->at[i]);
		if (l != NULL && link_is_over(l, n->id))
			return (1);
	}
	return (0);
}

/* GOSSIP_F_* of p. */
static uint32_t
fan_flags(const struct payload *p)
{
	return (p->opcode == WS_BINARY ? GOSSIP_F_BINARY : 0);
}

int
fan_cast(struct neighbours *n, struct payload *p, struct slice but,
    fan_done_cb *done, void *arg)
{
	struct gossip	 m = { .type = GOSSIP_CAST, .uid = but,
			    .flags = fan_flags(p),
			    .payload = payload_data(p) };

	if (but.data != NULL)
		m.flags |= GOSSIP_F_NOT_UID;
	return (fan_out(n, &m, p, NULL, done, arg));
}

int
fan_publish(struct neighbours *n, struct slice topics,
    struct payload *p, struct slice but, fan_done_cb *done, void *arg)
{
	struct gossip	 m = { .type = GOSSIP_PUBLISH, .uid = but,
			    .topics = topics, .flags = fan_flags(p),
			    .payload = payload_data(p) };

	if (but.data != NULL)
		m.flags |= GOSSIP_F_NOT_UID;
	return (fan_out(n, &m, p, NULL, done, arg));
}

int
fan_tell(struct neighbours *n, uint64_t neighbour, struct slice head,
    struct slice data)
{
	const struct where	 one = { NULL, 0, neighbour };
	struct gossip		 m = { .type = GOSSIP_TELL, .head = head,
				    .flags = neighbour == 0 ? 0 : GOSSIP_F_ALONE,
				    .payload = data };

	if (neighbour != 0 && !neighbours_has(n, neighbour)) {
		errno = ENOENT;
		return (-1);
	}
	if (head.len > TELL_HEAD_MAX ||
	    data.len > LINK_FRAME_MAX - head.len - FAN_ROOM) {
		errno = EMSGSIZE;
		return (-1);
	}
	return (fan_out(n, &m, NULL, neighbour == 0 ? NULL : &one, NULL,
	    NULL));
}

/* Are all to be asked for a uid that is whispered to, with p?  Where the neighbours are
 * few, and p is short, that is cheaper than to look the uid up; but not before those who
 * are being looked up, who were whispered to earlier. */
static int
fan_asks_all(const struct neighbours *n, const struct payload *p)
{
	size_t	 remote = 0;

	if (n->n > *n->hood->whisper_ask || !list_empty(&n->whispers))
		return (0);
	for (size_t i = 0; i < n->n; i++)
		remote += (size_t)neighbour_is_remote(&n->at[i]);
	return (remote == 0 || payload_data(p).len <= FAN_ASK_BYTES / remote);
}

/* Is one of the whispers up to that number still being looked up? */
static int
fan_looks_up(const struct neighbours *n, uint64_t whisper)
{
	return (!list_empty(&n->whispers) && list_entry(n->whispers.next,
	    struct whisper, at)->number <= whisper);
}

/* A neighbour's fence is answered: with how much was said, and to that neighbour. */
static void
fan_answer_fence(struct neighbours *n, struct link *l, uint64_t neighbour,
    uint64_t ask)
{
	struct neighbour	*nb = neighbours_find(n, neighbour);
	struct gossip		 m = { .type = GOSSIP_DONE, .from = n->id,
				    .ask = ask };

	if (nb != NULL) {
		m.to = neighbour;
		m.said = n->said;
		m.prior = nb->told;
	}
	link_send(l, &m);
}

/* Fences that wait for nothing any more are answered. */
static void
fan_open_fences(struct neighbours *n)
{
	struct fence	*f;
	struct link	*l;

	while (!list_empty(&n->fences)) {
		f = list_entry(n->fences.next, struct fence, at);
		if (fan_looks_up(n, f->whisper))
			return;
		if ((l = link_find(n->hood->links, &f->peer)) != NULL)
			fan_answer_fence(n, l, f->neighbour, f->ask);
		list_remove(&f->at);
		free(f);
	}
}

void
fan_fenced(struct neighbours *n, struct link *l, uint64_t neighbour,
    uint64_t ask)
{
	struct fence	*f;

	if (list_empty(&n->whispers)) {
		fan_answer_fence(n, l, neighbour, ask);
		return;
	}
	if ((f = malloc(sizeof(*f))) == NULL)
		return;			/* the asker's time ends */
	f->whisper = n->looked;
	f->peer = *link_peer(l);
	f->neighbour = neighbour;
	f->ask = ask;
	list_push(&n->fences, &f->at);
}

int
fan_fence(struct neighbours *n, uint64_t only, unsigned ms, fan_done_cb *done,
    void *arg)
{
	struct gossip	 m = { .type = GOSSIP_FENCE, .from = n->id };
	struct ask	*a;
	struct link	*l;

	if ((a = ask_new(n->hood->base, &n->asks, ms, n->n, fan_asked_cb,
	    arg)) == NULL)
		return (-1);
	a->call = done;
	m.ask = a->id;
	for (size_t i = 0; i < n->n; i++) {
		if (only != 0 && n->at[i].id != only)
			continue;
		l = neighbour_link(n, &n->at[i]);
		ask_add(a, l, n->at[i].id);
		m.to = n->at[i].id;
		if (l != NULL && ((link_is_up(l) && link_version(l) < 2) ||
		    link_send(l, &m) == -1))
			ask_unsent(a);
	}
	ask_go(a);
	return (0);
}

/* The lookup is over; with err all are asked.  Who has come to our replica meanwhile
 * gets it here: it was not there when those who were got it. */
static void
fan_found_cb(const struct slice *addresses, size_t count, int err,
    void *arg)
{
	struct whisper	*wh = arg;
	struct where	 where = { addresses, count, 0 };
	struct gossip	 m = { .type = GOSSIP_WHISPER,
			    .uid = slice_of(wh->uid, wh->uid_len),
			    .flags = fan_flags(wh->p),
			    .payload = payload_data(wh->p) };
	int		 over = 0;

	list_remove(&wh->at);
	if (wh->n != NULL)
		wh->n->ops->late(wh->n->arg, m.uid, wh->p, wh->joins);
	if (wh->n != NULL && (over = fan_out(wh->n, &m,
	    wh->p, err == 0 ? &where : NULL, wh->done, wh->arg)) == -1) {
		log_warn("replica id=%" PRIu64 " whisper lost: %s",
		    wh->n->id, strerror(errno));
		if (wh->done != NULL)
			wh->done(ETIMEDOUT, wh->arg);
	}
	if (wh->n != NULL)
		fan_open_fences(wh->n);
	payload_unref(wh->p);
	wh->settled(over == 1, wh->settled_arg);
	spare_put(wh, sizeof(*wh) + wh->uid_len);
}

int
fan_whisper(struct neighbours *n, struct slice group, struct slice uid,
    struct payload *p, int *waiting, fan_settled_cb *settled,
    void *settled_arg, fan_done_cb *done, void *arg)
{
	struct lookup		*l = n->hood->lookup;
	struct gossip		 m = { .type = GOSSIP_WHISPER, .uid = uid,
				    .flags = fan_flags(p),
				    .payload = payload_data(p) };
	const struct where	 nowhere = { NULL, 0, 0 };
	struct whisper		*wh;

	*waiting = 0;
	if (uid.len > UID_MAX)		/* nobody's */
		return (fan_out(n, &m, p, &nowhere, done, arg));
	if (l == NULL || !lookup_usable(l) || fan_asks_all(n, p))
		return (fan_out(n, &m, p, NULL, done, arg));
	if ((wh = spare_get(sizeof(*wh) + uid.len)) == NULL)
		return (-1);
	*wh = (struct whisper){ .n = n, .p = p,
	    .joins = n->ops->joins(n->arg), .settled = settled,
	    .settled_arg = settled_arg, .done = done, .arg = arg,
	    .uid_len = uid.len };
	if (uid.len > 0)
		memcpy(wh->uid, uid.data, uid.len);
	if (lookup_find(l, group, uid, n->n + 1, fan_found_cb, wh) == -1) {
		spare_put(wh, sizeof(*wh) + uid.len);
		return (fan_out(n, &m, p, NULL, done, arg));
	}
	payload_ref(p);
	wh->number = ++n->looked;
	list_push(&n->whispers, &wh->at);
	*waiting = 1;
	return (0);
}

int
fan_whispers_to(const struct neighbours *n, struct slice uid)
{
	const struct whisper	*wh;
	struct list		*e, *tmp;

	list_each(e, tmp, &n->whispers) {
		wh = list_entry(e, struct whisper, at);
		if (slice_eq(slice_of(wh->uid, wh->uid_len), uid))
			return (1);
	}
	return (0);
}

/* Each has answered, or will not. */
static void
fan_round_cb(const struct ask *a, int err, void *arg)
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
fan_gossip(struct neighbours *n, struct slice msg,
    unsigned deadline_ms, fan_gossip_cb *cb, void *arg)
{
	struct gossip	 m = { .type = GOSSIP_ASK, .from = n->id,
			    .payload = msg };
	struct round	*round;
	struct ask	*a;
	struct link	*l;

	if ((round = calloc(1, sizeof(*round) + n->n *
	    sizeof(round->slots[0]))) == NULL)
		return (-1);
	round->cb = cb;
	round->arg = arg;
	if ((a = ask_new(n->hood->base, &n->asks,
	    deadline_ms == 0 ? GOSSIP_MS : deadline_ms, n->n,
	    fan_round_cb, round)) == NULL) {
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

void
fan_cancel(struct neighbours *n)
{
	struct whisper	*wh;

	while (!list_empty(&n->whispers)) {
		wh = list_entry(n->whispers.next, struct whisper, at);
		list_remove(&wh->at);
		wh->n = NULL;
		if (wh->done != NULL)
			wh->done(ECANCELED, wh->arg);
	}
	fan_open_fences(n);
}

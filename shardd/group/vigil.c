/* What is said of the dead while their links live. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "shardd/group/neighbours.h"
#include "shardd/group/vigil.h"
#include "shardd/peers/bus.h"

#define VIGIL_MS	2000		/* without an answer, while Redis is there */
#define VIGIL_TICK_MS	100
#define VIGIL_MAX	(8 << 20)	/* bytes that are kept */

struct vigil {				/* one shard's */
	struct list	 at;		/* vigils->all */
	struct peer_id	 peer;
	uint64_t	 since;		/* clock_ms */
	uint64_t	 asked;		/* bus_ask(); 0: not yet */
	struct list	 words;		/* struct vigil_word, in order */
};

struct vigil_word {
	struct list	 at;
	size_t		 bytes;
	struct slice	 group, uids;	/* in data */
	char		 data[];
};

static void	 vigils_tick_cb(evutil_socket_t fd, short what, void *arg);

int
vigils_init(struct vigils *vs, struct neighbourhood *hood,
    const struct vigil_ops *ops, void *arg)
{
	vs->hood = hood;
	vs->ops = ops;
	vs->arg = arg;
	list_init(&vs->all);
	if ((vs->tick = evtimer_new(hood->base, vigils_tick_cb, vs)) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	return (0);
}

/* v ends; each of its words is told, if somebody is to hear them. */
static void
vigil_end(struct vigils *vs, struct vigil *v, int tell)
{
	struct vigil_word	*w;

	list_remove(&v->at);
	while (!list_empty(&v->words)) {
		w = list_entry(v->words.next, struct vigil_word, at);
		list_remove(&w->at);
		vs->bytes -= w->bytes;
		if (tell)
			vs->ops->tell(vs->arg, &v->peer, w->group, w->uids);
		free(w);
	}
	free(v);
}

void
vigils_clear(struct vigils *vs)
{
	if (vs->tick == NULL)
		return;
	while (!list_empty(&vs->all))
		vigil_end(vs, list_entry(vs->all.next, struct vigil, at), 0);
	event_free(vs->tick);
	vs->tick = NULL;
}

/* The vigil of that peer, or NULL. */
static struct vigil *
vigil_find(const struct vigils *vs, const struct peer_id *peer)
{
	struct list	*e;
	struct vigil	*v;

	for (e = vs->all.next; e != &vs->all; e = e->next) {
		v = list_entry(e, struct vigil, at);
		if (peer_same(&v->peer, peer))
			return (v);
	}
	return (NULL);
}

void
vigil_over(struct vigils *vs, const struct peer_id *peer)
{
	struct vigil	*v = vigil_find(vs, peer);

	if (v != NULL)
		vigil_end(vs, v, 1);
}

/* ---- is it there? ---- */

/* What is thought of that shard. */
static void
vigil_log(const struct peer_id *peer, const char *what)
{
	log_info("node=%s slot=%u incarnation=%016" PRIx64 " %s", peer->node,
	    (unsigned)peer->slot, peer->incarnation, what);
}

/* Come back to the vigils soon. */
static int
vigils_again(struct vigils *vs)
{
	const struct timeval	 tv = { 0, VIGIL_TICK_MS * 1000 };

	return (evtimer_pending(vs->tick, NULL) ? 0 :
	    evtimer_add(vs->tick, &tv));
}

/* Ask v's peer, which may have answered, or had time to. */
static void
vigil_watch(struct vigils *vs, struct vigil *v)
{
	const struct link	*l = link_find(vs->hood->links, &v->peer);
	const struct peer_id	 peer = v->peer;
	uint64_t		 asked;

	if (l == NULL)
		vs->ops->dead(vs->arg, &peer);	/* nobody answered at all */
	else if (v->asked != 0 && bus_answered(l, v->asked)) {
		vigil_log(&peer, "lives: that it is dead was said too late");
		/* For who has mourned it before. */
		vigil_end(vs, v, 1);
	} else if (!bus_up(vs->hood->bus))
		v->since = clock_ms();	/* nobody could answer */
	else if (clock_ms() - v->since >= VIGIL_MS) {
		vigil_log(&peer, "is taken for dead: it does not answer");
		vs->ops->dead(vs->arg, &peer);
	} else if ((asked = bus_ask(l)) != 0 && v->asked == 0)
		v->asked = asked;
}

/* Each 100 ms, while there are vigils. */
static void
vigils_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct vigils	*vs = arg;
	struct list	*e, *tmp;

	(void)fd, (void)what;
	list_each(e, tmp, &vs->all)
		vigil_watch(vs, list_entry(e, struct vigil, at));
	if (!list_empty(&vs->all))
		vigils_again(vs);
}

/* ---- what is said ---- */

/* A vigil for that peer.  NULL without memory. */
static struct vigil *
vigil_begin(struct vigils *vs, const struct peer_id *peer)
{
	struct vigil	*v;

	if ((v = calloc(1, sizeof(*v))) == NULL)
		return (NULL);
	v->peer = *peer;
	v->since = clock_ms();
	list_init(&v->words);
	list_push(&vs->all, &v->at);
	if (vigils_again(vs) == -1) {
		vigil_end(vs, v, 0);
		return (NULL);
	}
	vigil_log(peer, "is said to be dead, and is asked");
	vigil_watch(vs, v);
	return (v);
}

/* A copy for v.  0, or -1: no memory, or too much is kept. */
static int
vigil_add(struct vigils *vs, struct vigil *v, struct slice group,
    struct slice uids)
{
	struct vigil_word	*w;
	size_t			 bytes = sizeof(*w) + group.len + uids.len;

	if (bytes > VIGIL_MAX - vs->bytes || (w = malloc(bytes)) == NULL)
		return (-1);
	w->bytes = bytes;
	w->group = slice_of(w->data, group.len);
	w->uids = slice_of(w->data + group.len, uids.len);
	if (group.len > 0)
		memcpy(w->data, group.data, group.len);
	if (uids.len > 0)
		memcpy(w->data + group.len, uids.data, uids.len);
	vs->bytes += bytes;
	list_push(&v->words, &w->at);
	return (0);
}

int
vigil_keep(struct vigils *vs, const struct peer_id *peer, struct slice group,
    struct slice uids)
{
	struct vigil	*v;

	if (peer->node == NULL || link_find(vs->hood->links, peer) == NULL)
		return (0);
	if ((v = vigil_find(vs, peer)) == NULL)
		v = vigil_begin(vs, peer);
	if (v != NULL && vigil_add(vs, v, group, uids) == 0)
		return (1);
	vigil_log(peer, "is taken for dead: too much is said of it");
	vs->ops->dead(vs->arg, peer);
	return (0);
}

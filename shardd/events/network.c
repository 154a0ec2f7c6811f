/* A host among others. */
#include <errno.h>
#include <stdlib.h>

#include "common/bytes.h"
#include "common/log.h"
#include "common/map.h"
#include "shardd/events/cells.h"
#include "shardd/events/graph.h"
#include "shardd/events/names.h"
#include "shardd/events/network.h"
#include "shardd/events/once.h"
#include "shardd/events/post.h"

#define NETWORK_STAYS	100000		/* rooms of other hosts, all in all */
#define POLICY_ADD	1		/* cells: who has heard it */
#define POLICY_SUB	2		/* cells: who is still to hear it */

struct peer {
	uint64_t	 link;		/* 0: none */
	unsigned	 host;
	char		*id;
	size_t		 id_len;
	int		 kennel;	/* it has said that it is one */
};

/* A room with members at hosts. */
struct place {
	struct map_node	 by_name;
	char		*name;
	size_t		 len;
	uint32_t	 refs[GRAPH_HOSTS];
	unsigned	 n;		/* of hosts that have some */
};

struct network {
	struct graph	 graph;
	struct peer	 peers[NETWORK_PEERS];
	struct map	 rooms;		/* struct place */
	size_t		 stays;
	int		 warned;
	uint64_t	 epoch, sequence;	/* of our parcels */
	struct once	*heard[GRAPH_HOSTS];	/* what has come from each */
	const struct network_ops *ops;
	void		*arg;
};

struct network *
network_new(struct slice host, const struct network_ops *ops, void *arg)
{
	struct network	*w;

	if (!discovery_host_ok(host) || (w = calloc(1, sizeof(*w))) == NULL)
		return (NULL);
	w->ops = ops;
	w->arg = arg;
	w->epoch = bytes_random64() | 1;
	if (graph_init(&w->graph, host) == -1) {
		free(w);
		return (NULL);
	}
	return (w);
}

/* p has no members any more. */
static void
network_place_free(struct network *w, struct place *p)
{
	map_remove(&w->rooms, &p->by_name);
	free(p->name);
	free(p);
}

void
network_free(struct network *w)
{
	struct map_node	*n;

	if (w == NULL)
		return;
	while ((n = map_first(&w->rooms)) != NULL)
		network_place_free(w, container_of(n, struct place, by_name));
	map_clear(&w->rooms);
	for (size_t i = 0; i < NETWORK_PEERS; i++)
		free(w->peers[i].id);
	for (size_t i = 0; i < GRAPH_HOSTS; i++)
		free(w->heard[i]);
	graph_clear(&w->graph);
	free(w);
}

struct slice
network_host(const struct network *w)
{
	return (graph_name(&w->graph, 0));
}

/* The peer at the other end of that link, or NULL. */
static struct peer *
network_peer(struct network *w, uint64_t link)
{
	for (size_t i = 0; i < NETWORK_PEERS; i++)
		if (w->peers[i].link == link)
			return (&w->peers[i]);
	return (NULL);
}

/* Something is more than is kept: once. */
static void
network_full(struct network *w, const char *what)
{
	if (!w->warned)
		log_warn("events host=%.*s: the network has too many %s, some "
		    "are passed over", (int)network_host(w).len,
		    network_host(w).data, what);
	w->warned = 1;
}

/* ---- announcements ---- */

/* Send an announcement over one link. */
static void
network_tell(struct network *w, uint64_t link, enum fasttcp_type type,
    const struct discovery *d, struct slice cells)
{
	struct fasttcp_frame	 f = { .type = type, .policy = POLICY_ADD,
				    .data_type = FASTTCP_OBJECT,
				    .cells = cells };
	struct buf		 text = { 0 };

	discovery_write(&text, type, d);
	f.data = slice_of(text.data, text.len);
	if (!text.failed)
		w->ops->send(w->arg, link, &f);
	buf_clear(&text);
}

/* Tell all peers that have not heard it, but for the one it came from. */
static void
network_announce(struct network *w, enum fasttcp_type type,
    const struct discovery *d, struct slice heard, uint64_t from)
{
	struct cells	 cells = { .len = 0 };
	struct slice	 at = heard, name;

	cells_add(&cells, network_host(w));
	while (cells_next(&at, &name))
		cells_add(&cells, name);
	for (size_t i = 0; i < NETWORK_PEERS; i++)
		if (w->peers[i].link != 0 && w->peers[i].link != from &&
		    !cells_have(heard, graph_name(&w->graph,
		    w->peers[i].host)))
			network_tell(w, w->peers[i].link, type, d,
			    cells_slice(&cells));
}

/* ---- rooms ---- */

/* That room, made if it has to be.  NULL: there is none. */
static struct place *
network_place(struct network *w, struct slice name, int make)
{
	struct map_node	*n = map_find(&w->rooms, name.data, name.len);
	struct place	*p;

	if (n != NULL)
		return (container_of(n, struct place, by_name));
	if (!make || (p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->len = name.len;
	if ((p->name = slice_dup(name)) == NULL || map_insert(&w->rooms,
	    &p->by_name, p->name, p->len) == -1) {
		free(p->name);
		free(p);
		return (NULL);
	}
	return (p);
}

/* A host has so many members in a room.  1: that is news. */
static int
network_set_ref(struct network *w, unsigned host, struct slice room,
    uint32_t ref)
{
	struct place	*p;

	if (ref > 0 && w->stays >= NETWORK_STAYS && host != 0) {
		network_full(w, "rooms");
		return (0);
	}
	if ((p = network_place(w, room, ref > 0)) == NULL ||
	    p->refs[host] == ref)
		return (0);
	if (p->refs[host] == 0) {
		p->n++;
		w->stays++;
	} else if (ref == 0) {
		p->n--;
		w->stays--;
	}
	p->refs[host] = ref;
	w->ops->room(w->arg, room);
	if (p->n == 0)
		network_place_free(w, p);
	return (1);
}

void
network_members(struct network *w, struct slice room, uint64_t n)
{
	struct discovery	 d = { .host = network_host(w), .room = room };
	struct place		*p = network_place(w, room, 0);
	uint32_t		 was = p == NULL ? 0 : p->refs[0];

	d.ref = n > UINT32_MAX ? UINT32_MAX : n;
	if (room.len <= ROOM_MAX && network_set_ref(w, 0, room,
	    (uint32_t)d.ref))
		network_announce(w, d.ref > was ? FASTTCP_JOIN_ROOM :
		    FASTTCP_LEAVE_ROOM, &d, slice_of(NULL, 0), 0);
}

/* All rooms lose their members at a host, which is gone. */
static void
network_empty(struct network *w, unsigned host)
{
	struct map_node	*n = map_first(&w->rooms), *next;
	struct place	*p;

	for (; n != NULL; n = next) {
		next = map_next(&w->rooms, n);
		p = container_of(n, struct place, by_name);
		if (p->refs[host] > 0)
			network_set_ref(w, host, slice_of(p->name, p->len), 0);
	}
}

/* ---- links ---- */

/* Hosts that were reached, and are no more, are forgotten. */
static void
network_purge(struct network *w, const uint8_t was[GRAPH_HOSTS])
{
	uint8_t	 gone[GRAPH_HOSTS] = { 0 };

	for (unsigned i = 1; i < GRAPH_HOSTS; i++)
		gone[i] = was[i] && graph_way(&w->graph, i) == NULL;
	for (unsigned i = 1; i < GRAPH_HOSTS; i++)
		if (gone[i]) {
			w->ops->gone(w->arg, i);
			network_empty(w, i);
			free(w->heard[i]);
			w->heard[i] = NULL;
			graph_forget(&w->graph, i);
		}
}

/* Who is reached now. */
static void
network_reached(struct network *w, uint8_t reached[GRAPH_HOSTS])
{
	for (unsigned i = 0; i < GRAPH_HOSTS; i++)
		reached[i] = i > 0 && graph_way(&w->graph, i) != NULL;
}

/* Tell a new peer all that is known. */
static void
network_tell_all(struct network *w, const struct peer *peer)
{
	struct discovery	 d;
	struct map_node		*n;
	struct place		*p;
	struct slice		 us = network_host(w);

	for (size_t i = 0; i < w->graph.n; i++) {
		const struct graph_link	*l = &w->graph.links[i];

		d = (struct discovery){
			.source = graph_name(&w->graph, l->source),
			.destination = graph_name(&w->graph, l->destination),
			.link = slice_of(l->id, l->id_len), .cost = l->cost,
			.kennel = l->source == 0 };
		if (l->source != peer->host)
			network_tell(w, peer->link, FASTTCP_NEW_LINK, &d, us);
	}
	for (n = map_first(&w->rooms); n != NULL; n = map_next(&w->rooms, n)) {
		p = container_of(n, struct place, by_name);
		for (unsigned i = 0; i < GRAPH_HOSTS; i++) {
			if (p->refs[i] == 0 || i == peer->host)
				continue;
			d = (struct discovery){
				.host = graph_name(&w->graph, i),
				.room = slice_of(p->name, p->len),
				.ref = p->refs[i] };
			network_tell(w, peer->link, FASTTCP_JOIN_ROOM, &d, us);
		}
	}
}

int
network_up(struct network *w, uint64_t link, struct slice peer,
    struct slice id, double cost)
{
	struct discovery	 d = { .source = network_host(w),
				    .destination = peer, .link = id,
				    .cost = cost, .kennel = 1 };
	struct peer		*p = network_peer(w, 0);

	if (!discovery_host_ok(peer) || slice_eq(peer, network_host(w)) ||
	    id.len == 0 || id.len > LINK_MAX || !(cost > 0) || cost >= 1e9 ||
	    link == 0 || network_peer(w, link) != NULL) {
		errno = EINVAL;
		return (-1);
	}
	if (p == NULL || graph_link(&w->graph, d.source, peer, id, cost,
	    link) != 1) {
		errno = ENOSPC;
		return (-1);
	}
	if ((p->id = slice_dup(id)) == NULL) {
		graph_unlink(&w->graph, d.source, peer, id);
		return (-1);
	}
	p->id_len = id.len;
	p->host = (unsigned)graph_host(&w->graph, peer, 0);
	network_announce(w, FASTTCP_NEW_LINK, &d, slice_of(NULL, 0), 0);
	p->link = link;
	network_tell_all(w, p);
	return (0);
}

void
network_down(struct network *w, uint64_t link)
{
	struct peer		*p = link == 0 ? NULL : network_peer(w, link);
	struct discovery	 d = { .source = network_host(w) };
	uint8_t			 was[GRAPH_HOSTS];
	char			*peer;

	if (p == NULL)
		return;
	network_reached(w, was);
	d.link = slice_of(p->id, p->id_len);
	if ((peer = slice_dup(graph_name(&w->graph, p->host))) != NULL) {
		d.destination = slice_str(peer);
		graph_unlink(&w->graph, d.source, d.destination, d.link);
		network_announce(w, FASTTCP_DEL_LINK, &d, slice_of(NULL, 0),
		    link);
		d.source = d.destination;
		d.destination = network_host(w);
		graph_unlink(&w->graph, d.source, d.destination, d.link);
		network_announce(w, FASTTCP_DEL_LINK, &d, slice_of(NULL, 0),
		    link);
	} else
		graph_forget(&w->graph, p->host);
	free(peer);
	free(p->id);
	*p = (struct peer){ 0 };
	network_purge(w, was);
}

/* ---- what peers announce ---- */

/* Apply it: 1, it was news. */
static int
network_apply(struct network *w, enum fasttcp_type type,
    const struct discovery *d)
{
	struct slice	 us = network_host(w);
	uint8_t		 was[GRAPH_HOSTS];
	int		 r, host;

	switch (type) {
	case FASTTCP_NEW_LINK:
		if (slice_eq(d->source, us))
			return (0);	/* we know better */
		if ((r = graph_link(&w->graph, d->source, d->destination,
		    d->link, d->cost, 0)) == -1)
			network_full(w, "hosts or links");
		return (r == 1);
	case FASTTCP_DEL_LINK:
		if (slice_eq(d->source, us))
			return (0);
		network_reached(w, was);
		r = graph_unlink(&w->graph, d->source, d->destination, d->link);
		network_purge(w, was);
		return (r);
	default:
		if (slice_eq(d->host, us))
			return (0);
		host = graph_host(&w->graph, d->host,
		    type == FASTTCP_JOIN_ROOM && d->ref > 0);
		return (host > 0 && network_set_ref(w, (unsigned)host,
		    d->room, (uint32_t)d->ref));
	}
}

/* An announcement by a peer. */
static void
network_hear(struct network *w, struct peer *from,
    const struct fasttcp_frame *f)
{
	struct discovery	 d = { 0 };
	uint64_t		 link = from->link;

	if (!cells_have(f->cells, network_host(w)) &&
	    discovery_read(&d, f) == 0) {
		if (d.kennel && !from->kennel && slice_eq(d.source,
		    graph_name(&w->graph, from->host))) {
			from->kennel = 1;
			w->ops->kennel(w->arg, link);
		}
		if (network_apply(w, f->type, &d))
			network_announce(w, f->type, &d, f->cells, link);
	}
	discovery_clear(&d);
}

/* ---- messages ---- */

/* Those of the hosts that are reached over that link, as many as there is room for, go
 * from `to` to the cells. */
static void
network_gather(struct network *w, struct hosts *to, struct cells *cells,
    const struct graph_link *first)
{
	cells->len = 0;
	for (unsigned i = 1; i < GRAPH_HOSTS; i++)
		if (hosts_have(to, i) && graph_way(&w->graph, i) == first &&
		    cells_add(cells, graph_name(&w->graph, i)))
			hosts_remove(to, i);
}

/* Send p to hosts: for each link one frame with those that are reached over it, or
 * several, if their names are too long for one; but not back over `from`.  Those to which it
 * does not go are left in `to`. */
static void
network_route(struct network *w, struct post *p, struct hosts *to,
    uint64_t from)
{
	const struct fasttcp_frame	*f;
	struct fasttcp_frame		 out;
	const struct graph_link		*first;
	const struct peer		*peer;
	struct cells			 cells;

	for (unsigned i = 1; i < GRAPH_HOSTS; i++) {
		if (!hosts_have(to, i) ||
		    (first = graph_way(&w->graph, i)) == NULL ||
		    first->number == from)
			continue;
		peer = network_peer(w, first->number);
		if ((f = post_frame(p, peer != NULL && peer->kennel)) == NULL)
			continue;
		network_gather(w, to, &cells, first);
		out = *f;
		out.policy = POLICY_SUB;
		out.cells = cells_slice(&cells);
		w->ops->send(w->arg, first->number, &out);
	}
}

void
network_parcel(struct network *w, struct parcel *p, struct hosts *to)
{
	struct post	 post = post_of(p);

	p->hops = PARCEL_HOPS;
	p->origin = network_host(w);
	p->epoch = w->epoch;
	p->sequence = ++w->sequence;
	network_route(w, &post, to, 0);
	post_clear(&post);
}

unsigned
network_host_of(struct network *w, struct slice id)
{
	const char	*slash = id.len == 0 ? NULL : memchr(id.data, '/',
			    id.len);
	int		 host;

	if (slash == NULL)
		return (0);
	host = graph_host(&w->graph, slice_of(id.data,
	    (size_t)(slash - id.data)), 0);
	return (host > 0 ? (unsigned)host : 0);
}

int
network_ids(struct network *w, unsigned host, struct slice names,
    struct buf *ids)
{
	struct slice	 id;

	buf_reset(ids);
	while (names_next(&names, &id)) {
		if (network_host_of(w, id) != host)
			continue;
		if (ids->len > 0)
			buf_add(ids, ",", 1);
		buf_add(ids, id.data, id.len);
	}
	return (ids->failed ? -1 : 0);
}

void
network_meant(struct network *w, const struct letter *l, struct hosts *to)
{
	struct slice	 at = l->names, name;
	struct place	*p;

	*to = (struct hosts){ 0 };
	if (l->whom == WHOM_ALL) {
		for (unsigned i = 1; i < GRAPH_HOSTS; i++)
			hosts_add(to, i);
	} else while (names_next(&at, &name)) {
		if (l->whom == WHOM_SOCKETS) {
			hosts_add(to, network_host_of(w, name));
			continue;
		}
		p = network_place(w, name, 0);
		for (unsigned i = 1; p != NULL && i < GRAPH_HOSTS; i++)
			if (p->refs[i] > 0)
				hosts_add(to, i);
	}
	hosts_remove(to, 0);
	for (unsigned i = 1; i < GRAPH_HOSTS; i++)
		if (hosts_have(to, i) && graph_way(&w->graph, i) == NULL)
			hosts_remove(to, i);
}

void
network_say(struct network *w, const struct letter *l)
{
	struct parcel	 p = { .kind = PARCEL_LETTER, .letter = *l };
	struct hosts	 to, host;
	struct buf	 ids = { 0 };

	network_meant(w, l, &to);
	if (l->whom != WHOM_SOCKETS) {
		if (!hosts_empty(&to))
			network_parcel(w, &p, &to);
		return;
	}
	/* One frame for each host, with its own ids alone. */
	for (unsigned i = 1; i < GRAPH_HOSTS; i++) {
		if (!hosts_have(&to, i) ||
		    network_ids(w, i, l->names, &ids) == -1)
			continue;
		host = hosts_one(i);
		p.letter.names = slice_of(ids.data, ids.len);
		network_parcel(w, &p, &host);
	}
	buf_clear(&ids);
}

/* ---- what peers pass on ---- */

/* A parcel of another host does not get to these: that one hears so, if it matters there. */
static void
network_return(struct network *w, const struct parcel *p,
    const struct hosts *lost)
{
	int		 origin = graph_host(&w->graph, p->origin, 0);
	struct parcel	 back;
	struct hosts	 to;

	if (origin < 1 || !parcel_back(p, &back))
		return;
	for (unsigned i = 1; i < GRAPH_HOSTS; i++) {
		if (!hosts_have(lost, i))
			continue;
		back.letter.event = graph_name(&w->graph, i);
		to = hosts_one((unsigned)origin);
		network_parcel(w, &back, &to);
	}
}

/* Has this not come before? */
static int
network_is_new(struct network *w, const struct parcel *p)
{
	int	 i = graph_host(&w->graph, p->origin, 0);

	if (i < 1)
		return (i == -1);	/* our own; or of a host that is not known yet */
	if (w->heard[i] == NULL &&
	    (w->heard[i] = calloc(1, sizeof(struct once))) == NULL)
		return (1);
	return (once(w->heard[i], p->epoch, p->sequence));
}

/* p, or the letter of a frame, is for us. */
static void
network_take(struct network *w, const struct parcel *p,
    const struct fasttcp_frame *f)
{
	struct letter	 l = { 0 };

	if (p == NULL) {
		if (letter_read(&l, f) == 0)
			w->ops->deliver(w->arg, &l);
		letter_clear(&l);
	} else if (!network_is_new(w, p))
		return;
	else if (p->kind == PARCEL_LETTER)
		w->ops->deliver(w->arg, &p->letter);
	else
		w->ops->parcel(w->arg, p);
}

/* A message that a peer passes on: to the other hosts that it is for, and to clients here
 * if we are one of them. */
static void
network_pass(struct network *w, uint64_t from, const struct fasttcp_frame *f)
{
	struct hosts	 to = { 0 };
	struct slice	 at = f->cells, name;
	struct parcel	 parcel, *p = NULL;
	struct post	 post = post_of_frame(f);
	int		 host, ours = 0;

	if (f->type == FASTTCP_PARCEL) {
		if (parcel_read(&parcel, f) == -1)
			return;
		p = &parcel;
		post = post_of(p);
	}
	while (cells_next(&at, &name)) {
		host = graph_host(&w->graph, name, 0);
		ours |= host == 0;
		if (host > 0)
			hosts_add(&to, (unsigned)host);
	}
	if (p == NULL || p->hops-- > 1)
		network_route(w, &post, &to, from);
	if (p != NULL)
		network_return(w, p, &to);
	post_clear(&post);
	if (ours)
		network_take(w, p, f);
}

void
network_frame(struct network *w, uint64_t link, const struct fasttcp_frame *f)
{
	struct peer	*p = link == 0 ? NULL : network_peer(w, link);

	if (p == NULL)
		return;
	switch (f->type) {
	case FASTTCP_NEW_LINK:
	case FASTTCP_DEL_LINK:
	case FASTTCP_JOIN_ROOM:
	case FASTTCP_LEAVE_ROOM:
		network_hear(w, p, f);
		break;
	case FASTTCP_TO_SOCKET:
	case FASTTCP_TO_ROOM:
	case FASTTCP_BROADCAST:
	case FASTTCP_PARCEL:
		network_pass(w, link, f);
		break;
	default:
		break;
	}
}

uint64_t
network_total(struct network *w, struct slice room)
{
	struct place	*p = network_place(w, room, 0);
	uint64_t	 sum = 0;

	for (unsigned i = 0; p != NULL && i < GRAPH_HOSTS; i++)
		sum += p->refs[i];
	return (sum);
}

uint64_t
network_first(struct network *w, unsigned host)
{
	const struct graph_link	*first = graph_way(&w->graph, host);

	return (first == NULL ? 0 : first->number);
}

int
network_find(struct network *w, struct slice host)
{
	return (graph_host(&w->graph, host, 0));
}

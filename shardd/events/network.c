/* A host among others. */
#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/map.h"
#include "shardd/events/graph.h"
#include "shardd/events/names.h"
#include "shardd/events/network.h"
#include "shardd/events/parcel.h"
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

/* ---- cells ---- */

/* The next host of "a|b|c". */
static int
network_cell(struct slice *at, struct slice *name)
{
	const char	*bar;

	if (at->len == 0)
		return (0);
	bar = memchr(at->data, '|', at->len);
	*name = slice_of(at->data, bar == NULL ? at->len :
	    (size_t)(bar - at->data));
	*at = bar == NULL ? slice_of(NULL, 0) : slice_of(bar + 1,
	    at->len - name->len - 1);
	return (1);
}

/* Is a host among the cells? */
static int
network_in_cells(struct slice cells, struct slice host)
{
	struct slice	 name;

	while (network_cell(&cells, &name))
		if (slice_eq(name, host))
			return (1);
	return (0);
}

/* Add a host to cells: 1, or 0, there is no room. */
static int
network_add_cell(char cells[FASTTCP_CELLS_MAX], size_t *len, struct slice host)
{
	size_t	 bar = *len > 0;

	if (host.len + bar > FASTTCP_CELLS_MAX - *len)
		return (0);
	if (bar)
		cells[(*len)++] = '|';
	memcpy(cells + *len, host.data, host.len);
	*len += host.len;
	return (1);
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
	char		 cells[FASTTCP_CELLS_MAX];
	size_t		 len = 0;
	struct slice	 at = heard, name;

	network_add_cell(cells, &len, network_host(w));
	while (network_cell(&at, &name))
		network_add_cell(cells, &len, name);
	for (size_t i = 0; i < NETWORK_PEERS; i++)
		if (w->peers[i].link != 0 && w->peers[i].link != from &&
		    !network_in_cells(heard, graph_name(&w->graph,
		    w->peers[i].host)))
			network_tell(w, w->peers[i].link, type, d,
			    slice_of(cells, len));
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
			network_empty(w, i);
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

	if (!network_in_cells(f->cells, network_host(w)) &&
	    discovery_read(&d, f) == 0) {
		if (d.kennel && f->type == FASTTCP_NEW_LINK &&
		    slice_eq(d.source, graph_name(&w->graph, from->host)))
			from->kennel = 1;
		if (network_apply(w, f->type, &d))
			network_announce(w, f->type, &d, f->cells, link);
	}
	discovery_clear(&d);
}

/* ---- messages ---- */

/* Send p to the marked hosts: for each link one frame with those that are reached over it,
 * or several, if their names are too long for one; but not back over `from`. */
static void
network_route(struct network *w, struct post *p, uint8_t to[GRAPH_HOSTS],
    uint64_t from)
{
	char				 cells[FASTTCP_CELLS_MAX];
	const struct fasttcp_frame	*f;
	struct fasttcp_frame		 out;
	const struct graph_link		*way, *first;
	const struct peer		*peer;
	size_t				 len;

	for (unsigned i = 0; i < GRAPH_HOSTS; i++) {
		first = to[i] ? graph_way(&w->graph, i) : NULL;
		if (first == NULL || first->number == from)
			continue;
		len = 0;
		for (unsigned j = i; j < GRAPH_HOSTS; j++) {
			way = to[j] ? graph_way(&w->graph, j) : NULL;
			if (way == first && network_add_cell(cells, &len,
			    graph_name(&w->graph, j)))
				to[j] = 0;
		}
		peer = network_peer(w, first->number);
		if ((f = post_frame(p, peer != NULL && peer->kennel)) == NULL)
			return;
		out = *f;
		out.policy = POLICY_SUB;
		out.cells = slice_of(cells, len);
		w->ops->send(w->arg, first->number, &out);
	}
}

/* l to the marked hosts. */
static void
network_post(struct network *w, const struct letter *l,
    uint8_t to[GRAPH_HOSTS])
{
	struct post	 p = post_of(l, PARCEL_HOPS);

	network_route(w, &p, to, 0);
	post_clear(&p);
}

/* The host that an id is of, or 0: ours, or none that is known. */
static unsigned
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

/* To ids: one frame for each host, with its own ids alone. */
static void
network_say_ids(struct network *w, const struct letter *l)
{
	uint8_t		 hosts[GRAPH_HOSTS] = { 0 }, to[GRAPH_HOSTS];
	struct slice	 at, id;
	struct letter	 one = *l;
	struct buf	 ids = { 0 };

	for (at = l->names; names_next(&at, &id); )
		hosts[network_host_of(w, id)] = 1;
	for (unsigned i = 1; i < GRAPH_HOSTS; i++) {
		if (!hosts[i] || graph_way(&w->graph, i) == NULL)
			continue;
		buf_reset(&ids);
		for (at = l->names; names_next(&at, &id); ) {
			if (network_host_of(w, id) != i)
				continue;
			if (ids.len > 0)
				buf_add(&ids, ",", 1);
			buf_add(&ids, id.data, id.len);
		}
		memset(to, 0, sizeof(to));
		to[i] = 1;
		one.names = slice_of(ids.data, ids.len);
		if (!ids.failed)
			network_post(w, &one, to);
	}
	buf_clear(&ids);
}

void
network_say(struct network *w, const struct letter *l)
{
	uint8_t		 to[GRAPH_HOSTS] = { 0 };
	struct slice	 at = l->names, name;
	struct place	*p;
	size_t		 n = 0;

	if (l->whom == WHOM_SOCKETS) {
		network_say_ids(w, l);
		return;
	}
	if (l->whom == WHOM_ALL)
		network_reached(w, to);
	else
		while (names_next(&at, &name)) {
			p = network_place(w, name, 0);
			for (unsigned i = 1; p != NULL && i < GRAPH_HOSTS; i++)
				to[i] |= p->refs[i] > 0;
		}
	for (unsigned i = 1; i < GRAPH_HOSTS; i++)
		n += to[i] && graph_way(&w->graph, i) != NULL;
	if (n > 0)
		network_post(w, l, to);
}

/* A message that a peer passes on: to the other hosts that it is for, and to clients here
 * if we are one of them. */
static void
network_pass(struct network *w, uint64_t from, const struct fasttcp_frame *f)
{
	uint8_t		 to[GRAPH_HOSTS] = { 0 };
	struct slice	 at = f->cells, name;
	struct letter	 l = { 0 };
	struct post	 p = post_of_frame(f);
	unsigned	 hops = PARCEL_HOPS;
	int		 host, ours = 0, others = 0;

	if (f->type == FASTTCP_PARCEL) {
		if (parcel_read(&l, &hops, f) == -1)
			return;
		p = post_of(&l, hops - 1);
	}
	while (network_cell(&at, &name)) {
		host = graph_host(&w->graph, name, 0);
		ours |= host == 0;
		if (host > 0)
			others = to[host] = 1;
	}
	if (others && hops > 1)
		network_route(w, &p, to, from);
	if (ours && (p.letter != NULL || letter_read(&l, f) == 0))
		w->ops->deliver(w->arg, &l);
	post_clear(&p);
	letter_clear(&l);
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

double
network_far(struct network *w, struct slice host)
{
	int	 i = graph_host(&w->graph, host, 0);

	return (i < 1 || graph_way(&w->graph, (unsigned)i) == NULL ? -1 :
	    w->graph.hosts[i].far);
}

size_t
network_links(const struct network *w)
{
	return (w->graph.n);
}

uint64_t
network_ref(struct network *w, struct slice host, struct slice room)
{
	int		 i = graph_host(&w->graph, host, 0);
	struct place	*p = network_place(w, room, 0);

	return (i < 0 || p == NULL ? 0 : p->refs[i]);
}

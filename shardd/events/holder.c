/*
 * Who holds the network, what the others tell it, and what it has them send.
 *
 * A link is known by its number in the cluster: the holder remembers which replica has
 * its connection.  Words about links that their receiver does not know are answered
 * with the link's end, so that no link stays whose holder knows nothing of it.
 */
#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/utf8.h"
#include "shardd/events/dialling.h"
#include "shardd/events/holder.h"
#include "shardd/events/inside.h"
#include "shardd/events/uplink.h"
#include "shardd/events/network.h"
#include "shardd/events/notices.h"
#include "shardd/events/ports.h"
#include "shardd/events/say.h"
#include "shardd/events/tallies.h"

#define HOLDER_LOOK_MS	250
#define HOLDER_EASE_MS	1000

_Static_assert(NETWORK_PEERS <= PORTS_MAX, "each peer has a port");

struct holder {
	struct events_server *server;
	uint64_t	 who;		/* the holder's replica; 0: not known yet */
	struct network	*network;	/* NULL: we are not the holder */
	struct ports	 ports;
	uint64_t	 eased;		/* clock_ms of the last holder_eased() */
	struct tallies	 tallies;
	struct list	 dials;
	struct kennel_timer *timer;
	struct notices	*notices;	/* NULL: nobody wants any */
	char		*host;
};

static void	 holder_look(struct holder *h);

/* ---- words ---- */

/* Tell another replica.  If too much waits for it, the link whose peer is heard waits. */
static void
holder_tell(struct holder *h, uint64_t replica, const struct word *w,
    struct slice data)
{
	if (say_tell(h->server, NULL, replica, w, data) == 1)
		ports_behind(&h->ports);
}

/* One that has a number alone. */
static void
holder_tell_number(struct holder *h, uint64_t replica, enum word_type type,
    uint64_t number)
{
	const struct word	 w = { .type = type, .number = number };

	holder_tell(h, replica, &w, slice_of(NULL, 0));
}

/* f as bytes, in *b.  0, or -1. */
static int
holder_encode(struct buf *b, const struct fasttcp_frame *f)
{
	size_t	 n = fasttcp_head_len(fasttcp_d2, f);

	buf_reset(b);
	if (n == 0 || buf_reserve(b, n + f->data.len) == NULL)
		return (-1);
	b->len = fasttcp_head(b->data, fasttcp_d2, f);
	buf_add(b, f->data.data, f->data.len);
	return (b->failed ? -1 : 0);
}

/* ---- rooms ---- */

/* Our cluster has another number of members in a room: others hear so. */
static void
holder_sum(struct holder *h, struct slice room)
{
	struct room	*r = rooms_find(&h->server->rooms, room);

	network_members(h->network, room, tallies_sum(&h->tallies, room) +
	    (r == NULL ? 0 : r->n));
}

/* So many of this process's clients are in a room now. */
static void
holder_room(struct holder *h, const struct room *r)
{
	const struct slice	 name = slice_of(r->name, r->len);
	const struct word	 w = { .type = WORD_MEMBERS, .number = r->n,
				    .event = name };

	if (r->len > ROOM_MAX || !utf8_valid(r->name, r->len))
		return;			/* others have no word for it */
	if (h->network != NULL)
		holder_sum(h, name);
	else if (h->who != 0)
		holder_tell(h, h->who, &w, slice_of(NULL, 0));
}

/* The same, as it changes. */
static void
holder_room_changed(struct rooms *all, struct room *r)
{
	struct events_server	*v = container_of(all, struct events_server,
				    rooms);

	holder_room(v->holder, r);
}

/* All rooms of this process. */
static void
holder_rooms(struct holder *h)
{
	struct map_node	*n = map_first(&h->server->rooms.by_name);

	for (; n != NULL; n = map_next(&h->server->rooms.by_name, n))
		holder_room(h, container_of(n, struct room, by_name));
}

/* ---- who waits for whom ---- */

/* Read nothing of a link, or read it again. */
static void
holder_hold(void *arg, const struct port *p, int on)
{
	struct holder		*h = arg;
	struct uplink		*l = uplink_find(h->server, p->number);
	const struct word	 w = { .type = WORD_LINK_PRESS,
				    .number = p->number,
				    .flags = on ? WORD_F_HIGH : 0 };

	if (l != NULL)
		uplink_hold(l, on);
	else
		say_tell(h->server, NULL, p->replica, &w, slice_of(NULL, 0));
}

void
holder_eased(struct events_server *v)
{
	if (v->holder == NULL)
		return;
	v->holder->eased = clock_ms();
	ports_eased(&v->holder->ports);
}

/* The peer of a link says f. */
static void
holder_hear(struct holder *h, uint64_t number, const struct fasttcp_frame *f)
{
	h->ports.from = ports_find(&h->ports, number);
	network_frame(h->network, number, f);
	h->ports.from = NULL;
}

/* ---- of the network ---- */

/* The network has f for a link; whoever says it waits while that is over its mark. */
static void
holder_send(void *arg, uint64_t number, const struct fasttcp_frame *f)
{
	struct port		*p;
	static struct buf	 b;
	struct fasttcp_frame	 numbered = *f;
	struct holder		*h = arg;
	const struct word	 w = { .type = WORD_LINK_SEND,
				    .number = number };
	struct uplink		*l = uplink_find(h->server, number);

	numbered.id = ID_SHARED;
	if (holder_encode(&b, &numbered) == -1)
		return;
	if ((p = ports_find(&h->ports, number)) == NULL)
		return;
	if (l != NULL)
		uplink_send(l, b.data, b.len);
	else
		holder_tell(h, p->replica, &w, slice_of(b.data, b.len));
	ports_said(&h->ports, p);
}

/* A message of another host for clients of this one, in whatever process. */
static void
holder_deliver(void *arg, const struct letter *l)
{
	struct holder			*h = arg;
	const struct fasttcp_frame	 f = { .event = l->event,
					    .data_type = l->data_type,
					    .data = l->data };
	const struct targets		 t = { .whom = l->whom,
					    .names = l->names,
					    .except = l->except };
	const struct word		 w = { .type = WORD_DELIVER,
					    .whom = l->whom,
					    .names = l->names,
					    .except = l->except,
					    .data_type = l->data_type,
					    .event = l->event };

	say_here(h->server, &t, &f);
	if (kennel_replica_neighbour(h->server->replica, 0) != 0)
		holder_tell(h, 0, &w, l->data);
}

/* A room has another number of members, anywhere. */
static void
holder_room_has(void *arg, struct slice room)
{
	struct holder	*h = arg;

	notices_changed(h->notices, room);
}

/* So many. */
static uint64_t
holder_total(void *arg, struct slice room)
{
	struct holder	*h = arg;

	return (h->network == NULL ? 0 : network_total(h->network, room));
}

static const struct network_ops holder_network = {
	holder_send, holder_deliver, holder_room_has
};

/* What clients of this cluster say, to those elsewhere. */
static void
holder_say(struct events_server *v, const struct targets *t,
    const struct fasttcp_frame *f)
{
	const struct letter	 l = { .whom = t->whom, .names = t->names,
				    .except = t->except, .event = f->event,
				    .data_type = f->data_type,
				    .data = f->data };

	if (v->holder->network != NULL)
		network_say(v->holder->network, &l);
}

/* ---- links ---- */

/* A link is there, at that replica.  0, or -1: there are too many, or it makes no
 * sense. */
static int
holder_port(struct holder *h, uint64_t number, uint64_t replica,
    struct slice peer, struct slice id, double cost)
{
	struct port	*p = number == 0 ? NULL :
			    ports_add(&h->ports, number, replica);

	errno = ENOSPC;
	if (p != NULL && network_up(h->network, number, peer, id, cost) == 0)
		return (0);
	log_warn("events peer=%.*s link refused: %s", (int)peer.len, peer.data,
	    strerror(errno));
	if (p != NULL)
		ports_drop(&h->ports, p);
	return (-1);
}

/* The link of that number is no more. */
static void
holder_down(struct holder *h, uint64_t number)
{
	struct port	*p = ports_find(&h->ports, number);

	if (h->network == NULL || p == NULL)
		return;
	ports_drop(&h->ports, p);
	network_down(h->network, number);
}

static void
holder_link_up(struct events_server *v, struct uplink *l)
{
	struct holder		*h = v->holder;
	const struct word	 w = { .type = WORD_LINK_UP,
				    .number = l->number,
				    .names = slice_str(l->peer),
				    .event = slice_str(l->id) };

	holder_look(h);
	if (h->network == NULL)
		holder_tell(h, h->who, &w, slice_of(NULL, 0));
	else if (holder_port(h, l->number, kennel_replica_id(v->replica),
	    slice_str(l->peer), slice_str(l->id), l->cost) == -1)
		kennel_close(l->socket->socket, 1013, "links");
}

static void
holder_link_says(struct events_server *v, struct uplink *l,
    const struct fasttcp_frame *f)
{
	static struct buf	 b;
	struct holder		*h = v->holder;
	const struct word	 w = { .type = WORD_LINK_SAYS,
				    .number = l->number };

	if (h->network != NULL)
		holder_hear(h, l->number, f);
	else if (fasttcp_has(fasttcp_d2, f->type) &&
	    holder_encode(&b, f) == 0)
		say_tell(v, l->way == NULL ? l->socket : NULL, h->who, &w,
		    slice_of(b.data, b.len));
}

static void
holder_link_down(struct events_server *v, struct uplink *l)
{
	struct holder	*h = v->holder;

	if (h->network != NULL)
		holder_down(h, l->number);
	else
		holder_tell_number(h, h->who, WORD_LINK_DOWN, l->number);
}

static void
holder_link_pressed(struct events_server *v, struct uplink *l, int high)
{
	struct holder		*h = v->holder;
	struct port		*p = ports_find(&h->ports, l->number);
	const struct word	 w = { .type = WORD_LINK_PRESS,
				    .number = l->number,
				    .flags = high ? WORD_F_HIGH : 0 };

	if (h->network == NULL)
		holder_tell(h, h->who, &w, slice_of(NULL, 0));
	else if (p != NULL)
		ports_high(&h->ports, p, high);
}

static const struct uplink_ops holder_links = {
	holder_link_up, holder_link_says, holder_link_down, holder_link_pressed
};

int
holder_accept(struct events_socket *s, struct slice peer, const char **why)
{
	return (uplink_accept(s, peer, s->server->host, why));
}

int
holder_dialled(struct kennel_socket *ks)
{
	return (dialling_opened(ks));
}

/* ---- what is told ---- */

static void
holder_told_up(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	(void)data;
	if (h->network == NULL || holder_port(h, w->number, neighbour,
	    w->names, w->event, 1) == -1)
		holder_tell_number(h, neighbour, WORD_LINK_DOWN, w->number);
}

static void
holder_told_says(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	struct fasttcp_in	 in = { .dialect = fasttcp_d2,
				    .max = SIZE_MAX };
	struct fasttcp_frame	 f;
	const char		*why;
	size_t			 used;

	if (h->network == NULL)
		holder_tell_number(h, neighbour, WORD_LINK_DOWN, w->number);
	else if (fasttcp_next(&in, data, &used, &f, &why) == FASTTCP_GOT)
		holder_hear(h, w->number, &f);
}

static void
holder_told_send(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	struct uplink	*l = uplink_find(h->server, w->number);

	if (l != NULL)
		uplink_send(l, data.data, data.len);
	else
		holder_tell_number(h, neighbour, WORD_LINK_DOWN, w->number);
}

static void
holder_told_press(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	struct uplink	*l = uplink_find(h->server, w->number);
	struct port	*p = ports_find(&h->ports, w->number);

	(void)neighbour, (void)data;
	if (h->network != NULL && p != NULL)
		ports_high(&h->ports, p, (w->flags & WORD_F_HIGH) != 0);
	else if (h->network == NULL && l != NULL)
		uplink_hold(l, (w->flags & WORD_F_HIGH) != 0);
}

static void
holder_told_down(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	struct uplink	*l = uplink_find(h->server, w->number);

	(void)neighbour, (void)data;
	if (l != NULL)
		kennel_close(l->socket->socket, 1013, "links");
	else
		holder_down(h, w->number);
}

static void
holder_told_members(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	(void)data;
	if (h->network == NULL)
		return;			/* it asks when it is the holder */
	tallies_set(&h->tallies, neighbour, w->event, w->number);
	holder_sum(h, w->event);
}

static void
holder_told_notice(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	(void)data;
	if (h->who == neighbour)
		notices_told(h->notices, w);
}

static void
holder_told_holder(struct holder *h, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	(void)w, (void)data;
	if (h->who == neighbour)
		holder_rooms(h);
}

void
holder_told(struct events_server *v, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	static void (*const rows[WORD_NTYPES])(struct holder *, uint64_t,
	    const struct word *, struct slice) = {
		[WORD_LINK_UP]		= holder_told_up,
		[WORD_LINK_SAYS]	= holder_told_says,
		[WORD_LINK_SEND]	= holder_told_send,
		[WORD_LINK_DOWN]	= holder_told_down,
		[WORD_MEMBERS]		= holder_told_members,
		[WORD_HOLDER]		= holder_told_holder,
		[WORD_NOTICE]		= holder_told_notice,
		[WORD_LINK_PRESS]	= holder_told_press,
	};

	if (v->holder == NULL)
		return;
	holder_look(v->holder);
	rows[w->type](v->holder, neighbour, w, data);
}

void
holder_told_one(struct events_socket *s, uint64_t neighbour,
    const struct word *w, struct slice data)
{
	struct holder	*h = s->server->holder;

	(void)neighbour, (void)data;
	if (h != NULL)
		notices_told_one(h->notices, s, w);
}

/* ---- who it is ---- */

/* There are less members of a room. */
static void
holder_less(void *arg, struct slice room)
{
	struct holder	*h = arg;

	if (h->network != NULL)
		holder_sum(h, room);
}

/* What a replica (0: all) has told is of no account any more. */
static void
holder_forget(struct holder *h, uint64_t replica)
{
	struct port	*p;

	tallies_forget(&h->tallies, replica, holder_less, h);
	for (size_t i = 0; i < PORTS_MAX; i++) {
		p = &h->ports.at[i];
		if (p->number == 0 || (replica != 0 && p->replica != replica))
			continue;
		if (h->network != NULL)
			holder_down(h, p->number);
		else
			*p = (struct port){ 0 };
	}
}

/* Hold it no longer. */
static void
holder_resign(struct holder *h)
{
	if (h->network == NULL)
		return;
	log_info("events host=%s is held by this process no longer", h->host);
	notices_resign(h->notices);
	dialling_stop(&h->dials);
	network_free(h->network);
	h->network = NULL;
	holder_forget(h, 0);
}

/* Hold it from now on, perhaps after another one (again). */
static void
holder_begin(struct holder *h, int again)
{
	if ((h->network = network_new(h->server->host, &holder_network, h)) ==
	    NULL) {
		h->who = 0;		/* tried again soon */
		return;
	}
	log_info("events host=%s is held by this process", h->host);
	notices_hold(h->notices, again);
	holder_rooms(h);
	holder_tell_number(h, 0, WORD_HOLDER, 0);
}

/* Is there another holder? */
static void
holder_look(struct holder *h)
{
	struct kennel_replica	*r = h->server->replica;
	uint64_t		 us = kennel_replica_id(r), who = us, neighbour;
	int			 again = h->who != 0;

	for (size_t i = 0; (neighbour = kennel_replica_neighbour(r, i)) != 0;
	    i++)
		if (neighbour < who)
			who = neighbour;
	if (who == h->who)
		return;
	if (again)
		uplink_close_all(h->server, "another holder", 0);
	holder_resign(h);
	h->who = who;
	if (who == us)
		holder_begin(h, again);
	else
		holder_rooms(h);
}

/* Once in a while: the same, who does not read, and have the uplinks changed?  A process for
 * which much waited may have ended, so whoever waits for it tries again. */
static void
holder_look_cb(void *arg)
{
	struct holder	*h = arg;
	uint64_t	 now = clock_ms();

	holder_look(h);
	uplink_look(h->server, now);
	if (now - h->eased >= HOLDER_EASE_MS)
		holder_eased(h->server);
	if (h->network != NULL)
		dialling_set(h->server, &h->dials);
}

void
holder_neighbour_gone(struct events_server *v, uint64_t neighbour)
{
	if (v->holder == NULL)
		return;
	holder_forget(v->holder, neighbour);
	holder_look(v->holder);
}

int
holder_start(struct events_server *v)
{
	const char	*host = kennel_option("app.host");
	struct holder	*h;

	list_init(&v->links);
	if (host == NULL) {
		if (kennel_option("app.room_events") != NULL)
			log_warn("events app.room_events needs app.host in "
			    "[worker]: nobody counts the members of rooms "
			    "without it");
		return (0);
	}
	if (!discovery_host_ok(slice_str(host))) {
		log_warn("events app.host=%s is no name of a host: 1 to %d "
		    "bytes without space, comma, bar and slash; there are no "
		    "uplinks", host, HOST_MAX);
		return (0);
	}
	if ((h = calloc(1, sizeof(*h))) == NULL ||
	    (h->host = slice_dup(slice_str(host))) == NULL ||
	    (h->timer = kennel_timer_new(HOLDER_LOOK_MS, 1, holder_look_cb,
	    h)) == NULL) {
		if (h != NULL)
			free(h->host);
		free(h);
		return (-1);
	}
	h->server = v;
	list_init(&h->dials);
	h->ports.hold = holder_hold;
	h->ports.arg = h;
	if (notices_new(&h->notices, v, holder_total, h) == -1) {
		kennel_timer_free(h->timer);
		free(h->host);
		free(h);
		return (-1);
	}
	v->holder = h;
	v->host = slice_str(h->host);
	v->uplink_ops = &holder_links;
	v->say_far = holder_say;
	v->rooms.changed = holder_room_changed;
	return (0);
}

void
holder_stop(struct events_server *v)
{
	struct holder	*h = v->holder;

	if (h == NULL)
		return;
	v->rooms.changed = NULL;
	uplink_close_all(v, "stopped", 1);
	holder_resign(h);
	notices_free(h->notices);
	tallies_clear(&h->tallies);
	kennel_timer_free(h->timer);
	free(h->host);
	free(h);
	v->holder = NULL;
}

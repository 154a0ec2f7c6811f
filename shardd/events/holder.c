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
#include "shardd/events/abroad.h"
#include "shardd/events/dialling.h"
#include "shardd/events/holder.h"
#include "shardd/events/holder_in.h"
#include "shardd/events/inside.h"
#include "shardd/events/uplink.h"
#include "shardd/events/network.h"
#include "shardd/events/notices.h"
#include "shardd/events/say.h"
#include "shardd/events/waits.h"

#define HOLDER_LOOK_MS	250
#define HOLDER_EASE_MS	1000

_Static_assert(NETWORK_PEERS <= PORTS_MAX, "each peer has a port");


/* ---- words ---- */

void
holder_tell(struct holder *h, uint64_t replica, const struct word *w,
    struct slice data)
{
	if (say_tell(h->server, NULL, replica, w, data) == 1)
		ports_behind(&h->ports);
}

void
holder_tell_number(struct holder *h, uint64_t replica, enum word_type type,
    uint64_t number)
{
	const struct word	 w = { .type = type, .number = number };

	holder_tell(h, replica, &w, slice_of(NULL, 0));
}

int
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

void
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

void
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

void
holder_hear(struct holder *h, uint64_t number, const struct fasttcp_frame *f)
{
	h->ports.from = ports_find(&h->ports, number);
	network_frame(h->network, number, f);
	h->ports.from = NULL;
}

/* ---- links ---- */

int
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

/* There is room for those who wait, perhaps. */
static void
holder_go_on(struct holder *h)
{
	waits_go_on(h->server);
	if (h->waiting)
		holder_tell_number(h, 0, WORD_WAIT, 0);
	h->waiting = 0;
	abroad_eased(h->abroad);
}

void
holder_high(struct holder *h, uint64_t number, int high)
{
	struct port	*p = ports_find(&h->ports, number);

	if (p == NULL)
		return;
	ports_high(&h->ports, p, high);
	if (!high)
		holder_go_on(h);
}

void
holder_down(struct holder *h, uint64_t number)
{
	struct port	*p = ports_find(&h->ports, number);

	if (h->network == NULL || p == NULL)
		return;
	ports_drop(&h->ports, p);
	network_down(h->network, number);
	holder_go_on(h);
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
	const struct word	 w = { .type = WORD_LINK_PRESS,
				    .number = l->number,
				    .flags = high ? WORD_F_HIGH : 0 };

	if (h->network == NULL)
		holder_tell(h, h->who, &w, slice_of(NULL, 0));
	else
		holder_high(h, l->number, high);
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
	abroad_set(h->abroad, NULL);
	network_free(h->network);
	h->network = NULL;
	holder_forget(h, 0);
}

/* Hold it from now on, perhaps after another one (again). */
static void
holder_begin(struct holder *h, int again)
{
	if ((h->network = network_new(h->server->host, h->network_ops, h)) ==
	    NULL) {
		h->who = 0;		/* tried again soon */
		return;
	}
	log_info("events host=%s is held by this process", h->host);
	abroad_set(h->abroad, h->network);
	notices_hold(h->notices, again);
	holder_rooms(h);
	holder_tell_number(h, 0, WORD_HOLDER, 0);
}

void
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
	waits_go_on(h->server);		/* that one knows nothing of them */
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
	waits_look(h->server, now);
	abroad_look(h->abroad, now);
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

/* So many. */
static uint64_t
holder_total(void *arg, struct slice room)
{
	struct holder	*h = arg;

	return (h->network == NULL ? 0 : network_total(h->network, room));
}

static void
holder_free(struct holder *h)
{
	notices_free(h->notices);
	tallies_clear(&h->tallies);
	kennel_timer_free(h->timer);
	abroad_free(h->abroad);
	free(h->host);
	free(h);
}

/* Does too much wait for that link? */
static int
holder_is_high(void *arg, uint64_t number)
{
	struct holder	*h = arg;
	struct port	*p = ports_find(&h->ports, number);

	return (p != NULL && p->high);
}

static const struct abroad_ops holder_abroad = { holder_is_high };

int
holder_start(struct events_server *v, const struct far_ops *far,
    const struct network_ops *ops)
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
	if ((h = calloc(1, sizeof(*h))) == NULL)
		return (-1);
	h->server = v;
	h->network_ops = ops;
	list_init(&h->dials);
	h->ports.hold = holder_hold;
	h->ports.arg = h;
	if ((h->host = slice_dup(slice_str(host))) == NULL ||
	    (h->abroad = abroad_new(v, &holder_abroad, h)) == NULL ||
	    (h->timer = kennel_timer_new(HOLDER_LOOK_MS, 1, holder_look_cb,
	    h)) == NULL ||
	    notices_new(&h->notices, v, holder_total, h) == -1) {
		holder_free(h);
		return (-1);
	}
	v->holder = h;
	v->host = slice_str(h->host);
	v->uplink_ops = &holder_links;
	v->far = far;
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
	holder_free(h);
	v->holder = NULL;
	v->far = NULL;
}

/* Links to the shards of other nodes, over channels of Redis. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/map.h"
#include "common/redis.h"
#include "proto/bus_frame.h"
#include "proto/counters.h"
#include "proto/keys.h"
#include "shardd/peers/batch.h"
#include "shardd/peers/bus.h"
#include "shardd/peers/encounter.h"
#include "shardd/peers/press.h"

#define BUS_ECHO_MS	1000
#define BUS_SILENCE_MS	60000	/* of Redis, in which nobody is judged */
#define BUS_COMING_MS	1000	/* for Redis, of a shard that has just begun */
#define BUS_FORGET	4096	/* times that a room was spoken in without a node */
#define BUS_QUEUED	(64 << 20)	/* bytes on their way to Redis */

struct bus_room {
	struct bus	*bus;
	void		*room;		/* the owner's */
	struct slice	 group, app;	/* borrowed */
	char		*channel;	/* that is heard: our node's */
	struct list	 nodes;		/* struct bus_there, of other nodes */
	struct list	*looked;	/* that was found last, or nodes itself */
	uint64_t	 saying;	/* the serial of what is said next */
};

struct bus_there {			/* a room, as another node hears it */
	struct list	 at;
	struct bus	*bus;
	struct batch	 batch;		/* said in this turn */
	const char	*node;
	char		*channel;
	uint64_t	 named;		/* the serial for which it was */
};

struct bus_node {			/* a name, for as long as the bus lives */
	struct map_node	 by_name;
	char		 name[];
};

struct bus {
	struct links	*links;
	struct bus_self	 self;
	const struct bus_ops *ops;
	void		*arg;
	struct redis	*redis;
	int		 db;
	int		 ended;
	uint64_t	 coming;	/* clock_ms since when Redis was never there; 0: it was,
					   or is away */
	char		*channel;	/* our own */
	struct map	 nodes;		/* struct bus_node */
	struct press	 press;
	struct batches	 batches;
	struct encounters met;
	const struct bus_room *hearing;	/* the room of which a frame is heard */
	uint64_t	 echo;		/* clock_ns of what is to come back; 0: nothing */
	int		 again;		/* another is wanted behind it */
	uint64_t	 heard;		/* clock_ns of the last that has come back */
	uint64_t	 echoed;	/* clock_ms of the last that was said */
	size_t		 said;		/* bytes of the last message in a room */
};

/* ---- hearing ---- */

/* The encounter with who sent f; NULL: there is none.  make: meet it. */
static struct encounter *
bus_sender(struct bus *b, const struct bus_frame *f, int make)
{
	struct peer_id	 peer = { NULL, f->slot, f->incarnation };
	struct link	*l;

	if ((peer.node = bus_node(b, f->node)) == NULL)
		return (NULL);
	l = make ? link_get_stranger(b->links, &peer) : link_find(b->links,
	    &peer);
	if (l == NULL || link_carrier(l) == NULL)
		return (NULL);
	return (encounter_of(link_carrier(l)));
}

/* What was said to ourselves is here, or not yet. */
static void
bus_lag(const struct bus *b)
{
	counter_set(COUNTER_BUS_LAG, (clock_ns() - b->echo) / 1000);
}

/* Say something to ourselves. */
static void
bus_say_echo(struct bus *b)
{
	struct bus_frame	 f = { .kind = BUS_ECHO };

	b->again = 0;
	b->echoed = clock_ms();
	b->echo = f.n = clock_ns();
	if (press_frame(&b->press, b->channel, &f, slice_of(NULL, 0),
	    slice_of(NULL, 0)) == -1)
		b->echo = 0;
}

/* It is here, and all that was published before it. */
static void
bus_hear_echo(struct bus *b)
{
	b->heard = b->echo;
	b->echo = 0;
	if (b->again)
		bus_say_echo(b);
	b->ops->echoed(b->arg);
}

/* A frame that is worth hearing: 0, or -1. */
static int
bus_frame(struct bus *b, struct bus_frame *f, const char *channel,
    size_t clen, const char *msg, size_t mlen)
{
	enum bus_fault	 fault;

	if (b->ended)
		return (-1);
	fault = bus_frame_decode(f, slice_of(msg, mlen), slice_of(channel, clen),
	    b->self.key);
	if (fault != BUS_OK) {
		counter_add(COUNTER_BUS_BAD, 1);
		if (press_may_log(&b->press))
			log_warn("bus dropped=1 error=\"%s\"",
			    fault == BUS_FORGED ?
			    "a message without the cluster's key" :
			    "not a message of ours");
		return (-1);
	}
	if (slice_is(f->node, b->self.node)) {
		if (f->kind == BUS_ECHO && f->n == b->echo) {
			bus_lag(b);
			histogram_add(&counters->cells[COUNTER_BUS_LAG_SECONDS],
			    clock_ns() - b->echo);
			bus_hear_echo(b);
			return (-1);
		}
		counter_add(COUNTER_BUS_OWN, 1);
		return (-1);
	}
	counter_add(COUNTER_BUS_HEARD, 1);
	return (0);
}

/* Something for this shard alone. */
static void
bus_heard_cb(const char *channel, size_t clen, const char *msg, size_t mlen,
    void *arg)
{
	struct bus		*b = arg;
	struct encounter	*c;
	struct bus_frame	 f;

	if (msg != NULL && bus_frame(b, &f, channel, clen, msg, mlen) == 0 &&
	    (c = bus_sender(b, &f, 1)) != NULL)
		encounter_heard(c, &f);
}

/* One message that c's peer says to all in room.  What it leads to may end both. */
static void
bus_room_message(struct bus *b, struct bus_room *room, struct link *l,
    struct slice data)
{
	struct gossip	 m;

	switch (gossip_decode(&m, data.data, data.len)) {
	case 0:
		b->ops->said(b->arg, room->room, l, &m);
		break;
	case 1:
		break;			/* of a later version */
	default:
		log_warn("bus node=%s slot=%u error=\"not a message\" in a room",
		    link_peer(l)->node, link_slot(l));
	}
}

/* All messages of a frame in room, as long as the room is heard and c is there. */
static void
bus_room_messages(struct bus *b, struct bus_room *room, struct encounter *c,
    unsigned flags, struct slice whole)
{
	struct link	*l = encounter_link(c);
	struct carrier	*carrier = link_carrier(l);
	struct slice	 one = whole;

	b->hearing = room;
	do {
		if ((flags & BUS_F_MANY) != 0 && batch_next(&whole, &one) != 0)
			break;
		bus_room_message(b, room, l, one);
		turn_progress();
	} while ((flags & BUS_F_MANY) != 0 && b->hearing == room &&
	    link_carrier(l) == carrier);
	b->hearing = NULL;
	if (link_carrier(l) == carrier)
		encounter_room_done(c);
}

/* Something for all in a room; or the room is heard from now on. */
static void
bus_room_cb(const char *channel, size_t clen, const char *msg, size_t mlen,
    void *arg)
{
	struct bus_room		*room = arg;
	struct bus		*b = room->bus;
	struct encounter	*c;
	struct bus_frame	 f;
	struct slice		 whole;

	if (msg == NULL) {
		if (!b->ended)
			b->ops->entered(b->arg, room->room);
		return;
	}
	if (bus_frame(b, &f, channel, clen, msg, mlen) == 0 &&
	    (c = bus_sender(b, &f, 0)) != NULL &&
	    encounter_room(c, room, &f, &whole))
		bus_room_messages(b, room, c, f.flags, whole);
}

/* ---- time ---- */

/* Say something to ourselves now and then, to hear how long that takes. */
static void
bus_measure(struct bus *b)
{
	uint64_t		 age = b->echo == 0 ? 0 :
				    (clock_ns() - b->echo) / 1000000;

	if (age > BUS_ECHO_MS)
		bus_lag(b);
	/* Redis is silent; one that does not say it back at all is something else. */
	if (age > BUS_ECHO_MS && age < BUS_SILENCE_MS)
		b->met.excused = clock_ms();
	if (clock_ms() - b->echoed >= BUS_ECHO_MS && b->echo == 0 &&
	    !list_empty(&b->met.all))
		bus_say_echo(b);
}

void
bus_tick(struct bus *b)
{
	if (redis_up(b->redis)) {
		batches_flush(&b->batches);
		bus_measure(b);
		encounters_tick(&b->met);
	} else if (b->coming != 0 && !b->ended &&
	    clock_ms() - b->coming >= BUS_COMING_MS) {
		b->coming = 0;
		b->ops->up(b->arg, 0);
	}
}

/* Redis came, or went with all that was on its way: all meet afresh. */
static void
bus_state_cb(int up, void *arg)
{
	struct bus	*b = arg;

	if (b->ended)
		return;
	b->press.stuck = 0;
	b->echo = 0;
	b->coming = 0;
	if (!up)
		encounters_end(&b->met);
	log_info("bus redis=%s", up ? "up" : "away");
	b->ops->up(b->arg, up);
}

/* ---- names ---- */

const char *
bus_node(struct bus *b, struct slice node)
{
	struct map_node	*n;
	struct bus_node	*new;

	errno = 0;
	if (slice_is(node, b->self.node))
		return (NULL);
	if ((n = map_find(&b->nodes, node.data, node.len)) != NULL)
		return (container_of(n, struct bus_node, by_name)->name);
	errno = ENOMEM;
	if ((new = calloc(1, sizeof(*new) + node.len + 1)) == NULL)
		return (NULL);
	memcpy(new->name, node.data, node.len);
	if (map_insert(&b->nodes, &new->by_name, new->name, node.len) == -1) {
		free(new);
		return (NULL);
	}
	return (new->name);
}

int
bus_peer(struct bus *b, struct slice address, struct peer_id *peer)
{
	size_t	 len;

	if (keys_address_parse(address, &len, &peer->slot,
	    &peer->incarnation) == -1)
		return (-1);
	peer->node = bus_node(b, slice_of(address.data, len));
	return (peer->node == NULL && errno != 0 ? -1 : 0);
}

/* ---- rooms ---- */

/* A message, or several, to all in a room on one other node. */
static int
bus_there_publish(void *arg, unsigned flags, struct slice head,
    struct slice payload)
{
	struct bus_frame	 f = { .kind = BUS_ROOM, .flags = flags };
	struct bus_there	*t = arg;
	uint64_t		 n = 0;

	return (press_message(&t->bus->press, t->channel, &f, head, payload,
	    &n) == -1 && n == 0 ? -1 : 0);	/* by numbers, the rest is missed */
}

/* batches: all that was said so far is published. */
static void
bus_sent(void *arg)
{
	struct bus	*b = arg;

	encounters_sent(&b->met);
}

struct bus_room *
bus_enter(struct bus *b, struct slice group, struct slice app, void *arg)
{
	struct bus_room	*room;

	if ((room = calloc(1, sizeof(*room))) == NULL)
		return (NULL);
	room->bus = b;
	room->room = arg;
	room->group = group;
	room->app = app;
	room->saying = 1;
	list_init(&room->nodes);
	room->looked = &room->nodes;
	if ((room->channel = bus_channel_room(b->self.prefix, b->db, group,
	    app, slice_str(b->self.node))) == NULL || redis_subscribe(b->redis, room->channel,
	    bus_room_cb, room) == -1) {
		free(room->channel);
		free(room);
		return (NULL);
	}
	return (room);
}

/* Nothing is said to that node in its room any more. */
static void
bus_there_free(struct bus_there *t)
{
	list_remove(&t->at);
	batch_clear(&t->batch);
	free(t->channel);
	free(t);
}

/*
 * That node in room, or NULL.  A room's neighbours are named in the same order each
 * time, those of one node behind each other: it is the one that was found last, or that
 * behind it, however many nodes there are.
 */
static struct bus_there *
bus_there_find(struct bus_room *room, const char *node)
{
	struct list		*e = room->looked;
	struct bus_there	*t;

	do {
		t = list_entry(e, struct bus_there, at);
		if (e != &room->nodes && t->node == node) {
			room->looked = e;
			return (t);
		}
		e = e->next;
	} while (e != room->looked);
	return (NULL);
}

void
bus_leave(struct bus *b, struct bus_room *room)
{
	if (room == NULL)
		return;
	if (b->hearing == room)
		b->hearing = NULL;
	redis_unsubscribe(b->redis, room->channel);
	encounters_forget(&b->met, room);
	batches_flush(&b->batches);
	while (!list_empty(&room->nodes))
		bus_there_free(list_entry(room->nodes.next, struct bus_there,
		    at));
	free(room->channel);
	free(room);
}

void
bus_room_node(struct bus_room *room, const struct link *l)
{
	const char		*node = link_peer(l)->node;
	struct bus_there	*t = bus_there_find(room, node);

	if (t != NULL) {
		t->named = room->saying;
		return;
	}
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return;			/* its shards see by numbers what is missing */
	t->channel = bus_channel_room(room->bus->self.prefix, room->bus->db,
	    room->group, room->app, slice_str(node));
	if (t->channel == NULL) {
		free(t);
		return;
	}
	t->node = node;
	t->named = room->saying;
	t->bus = room->bus;
	batch_init(&t->batch, &room->bus->batches, BATCH_ROOM,
	    bus_there_publish, t);
	list_push(&room->nodes, &t->at);
}

/* t has no part of the room any more: after a while, nothing is kept for it. */
static void
bus_there_forget(struct bus_room *room, struct bus_there *t)
{
	if (room->saying - t->named < BUS_FORGET || t->batch.n > 0)
		return;
	room->looked = &room->nodes;
	bus_there_free(t);
}

int
bus_say(struct bus *b, struct bus_room *room, const struct gossip *m,
    unsigned version)
{
	static struct buf	 head;
	struct bus_there	*t;
	struct list		*e, *tmp;
	uint64_t		 serial = room->saying++;
	int			 said = 0;

	buf_reset(&head);
	gossip_encode(&head, m, version);
	if (head.failed || m->payload.len > LINK_FRAME_MAX - head.len) {
		errno = ENOMEM;
		return (-1);
	}
	b->said = head.len + m->payload.len;
	list_each(e, tmp, &room->nodes) {
		t = list_entry(e, struct bus_there, at);
		if (t->named != serial) {
			bus_there_forget(room, t);
			continue;
		}
		if (batch_add(&t->batch, slice_of(head.data, head.len),
		    m->payload, version >= WIRE_MANY) == -1 && !said)
			return (-1);
		said = 1;
	}
	return (said ? 0 : -1);	/* who lacks a part sees by numbers what is missing */
}

void
bus_said_to(struct bus *b, struct link *l)
{
	encounter_owes(encounter_of(link_carrier(l)), b->said);
}

uint64_t
bus_last(const struct link *l)
{
	return (link_carrier(l) == NULL ? 0 :
	    encounter_last(encounter_of(link_carrier(l))));
}

uint64_t
bus_ask(const struct link *l)
{
	return (link_carrier(l) == NULL ? 0 :
	    encounter_ask(encounter_of(link_carrier(l))));
}

int
bus_answered(const struct link *l, uint64_t asked)
{
	return (link_carrier(l) != NULL &&
	    encounter_answered(encounter_of(link_carrier(l)), asked));
}

void
bus_part(const struct link *l)
{
	if (link_carrier(l) != NULL)
		encounter_part(encounter_of(link_carrier(l)));
}

/* ---- life ---- */

/* Redis' queue has room again. */
static void
bus_drained(void *arg)
{
	struct bus	*b = arg;

	if (b->ended)
		return;
	batches_flush(&b->batches);
	encounters_drained(&b->met);
}

/* Another meeting with a shard of another node. */
static struct carrier *
bus_dial(void *arg, struct link *l, const char *path)
{
	const struct peer_id	*peer = link_peer(l);
	struct bus		*b = arg;
	char			 address[ADDRESS_MAX];

	(void)path;
	if (!redis_up(b->redis))
		return (NULL);
	keys_address(address, sizeof(address), peer->node, peer->slot,
	    peer->incarnation);
	return (encounter_new(&b->met, l, bus_channel_shard(b->self.prefix,
	    b->db, slice_str(address))));
}

struct bus *
bus_new(struct links *ls, const struct bus_self *self,
    const struct bus_ops *ops, void *arg)
{
	struct redis_url	 url;
	struct bus		*b;

	if ((b = calloc(1, sizeof(*b))) == NULL)
		return (NULL);
	b->links = ls;
	b->self = *self;
	b->ops = ops;
	b->arg = arg;
	b->coming = clock_ms();
	batches_init(&b->batches, bus_sent, b);
	b->met = (struct encounters){ &b->press, &b->batches, ls, { NULL, NULL },
	    /* Rises over this shard's life, and no two of its incarnations meet. */
	    clock_ns(), 0, ops->quiet, arg };
	list_init(&b->met.all);
	if (redis_url_parse(&url, self->url) == NULL)
		b->db = url.db;
	redis_url_clear(&url);
	b->channel = bus_channel_shard(self->prefix, b->db,
	    slice_str(self->address));
	if (b->channel == NULL ||
	    (b->redis = redis_new(links_base(ls), self->url, "bus", bus_state_cb,
	    b)) == NULL ||
	    redis_subscribe(b->redis, b->channel, bus_heard_cb, b) == -1) {
		bus_free(b);
		errno = ENOMEM;
		return (NULL);
	}
	b->press = (struct press){ .redis = b->redis,
	    .node = slice_str(self->node), .slot = links_self(ls)->slot,
	    .incarnation = links_self(ls)->incarnation, .key = self->key,
	    .drained = bus_drained, .arg = b };
	redis_set_bound(b->redis, BUS_QUEUED);
	redis_count(b->redis, (struct redis_counts *)
	    &counters->cells[COUNTER_REDIS]);
	links_set_dial(ls, LINKS_BUS, bus_dial, b);
	return (b);
}

void
bus_end(struct bus *b)
{
	if (b == NULL)
		return;
	b->ended = 1;
	links_set_dial(b->links, LINKS_BUS, NULL, NULL);
}

void
bus_free(struct bus *b)
{
	struct map_node	*n;

	if (b == NULL)
		return;
	b->ended = 1;
	redis_free(b->redis);
	while ((n = map_first(&b->nodes)) != NULL) {
		map_remove(&b->nodes, n);
		free(container_of(n, struct bus_node, by_name));
	}
	map_clear(&b->nodes);
	batches_end(&b->batches);
	press_clear(&b->press);
	free(b->channel);
	free(b);
}

int
bus_up(const struct bus *b)
{
	return (redis_up(b->redis));
}

int
bus_away(const struct bus *b)
{
	return (!redis_up(b->redis) && b->coming == 0);
}

void
bus_echo(struct bus *b)
{
	if (b->ended || !redis_up(b->redis))
		return;
	if (b->echo != 0)
		b->again = 1;
	else
		bus_say_echo(b);
}

uint64_t
bus_echoed(const struct bus *b)
{
	return (b->heard);
}

struct redis *
bus_redis(struct bus *b)
{
	return (b->redis);
}

/* Links to the shards of other nodes, over channels of Redis. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/redis.h"
#include "common/turn.h"
#include "proto/bus_frame.h"
#include "proto/counters.h"
#include "proto/keys.h"
#include "shardd/peers/bus.h"

#define BUS_TICK_MS	100
#define BUS_HELLO_MS	300		/* until it is said again */
#define BUS_ANSWER_MS	50		/* between two answers to who is unknown */
#define BUS_BEAT_MS	1000		/* without an acknowledgement */
#define BUS_SILENT_MS	10000		/* the same: meet afresh */
#define BUS_COMMAND_MS	5000
#define BUS_QUEUED	(64 << 20)	/* bytes on their way to Redis */
#define BUS_ACK		(256 << 10)	/* bytes that came, then they are acknowledged */
#define BUS_MESSAGE_MAX	(LINK_FRAME_MAX + (64 << 10))
#define BUS_LOG_MS	10000		/* between two lines of what is dropped */

struct bus_room {
	struct bus	*bus;
	void		*room;		/* the owner's */
	char		*channel;
};

struct bus_node {			/* a name, for as long as the bus lives */
	struct map_node	 by_name;
	char		 name[];
};

struct bus {
	struct event_base *base;
	struct links	*links;
	struct bus_self	 self;
	const struct bus_ops *ops;
	void		*arg;
	struct redis	*redis;
	int		 db;
	int		 ended;
	char		*channel;	/* our own */
	struct map	 nodes;		/* struct bus_node */
	struct list	 carriers;	/* struct bus_carrier */
	struct event	*tick;
	uint64_t	 session;	/* the last that was drawn */
	uint64_t	 pos;		/* bytes that were published */
	size_t		 said;		/* bytes of the last message in a room */
	int		 stuck;		/* Redis' queue was full */
	uint64_t	 logged;	/* clock_ms: of what was dropped */
	struct buf	 frame;		/* being published */
	struct bus_counts counts;
};

/* One meeting with the shard that a link leads to. */
struct bus_carrier {
	struct carrier	 carrier;
	struct list	 at;
	struct bus	*bus;
	struct link	*link;
	char		*channel;	/* the peer's */
	uint64_t	 mine, theirs;	/* sessions; 0: not known */
	int		 up;
	uint64_t	 out, in;	/* BUS_DATA that went, and came */
	uint64_t	 sent_pos;	/* ours, of the last that is for the peer */
	uint64_t	 acked;		/* ours, that the peer has */
	size_t		 unacked;	/* bytes for the peer, at most */
	uint64_t	 seen;		/* the peer's, that came */
	size_t		 came;		/* bytes since we acknowledged */
	uint64_t	 helloed;	/* clock_ms */
	uint64_t	 since;		/* clock_ms: unacked, and nothing heard */
	uint64_t	 beaten;	/* clock_ms */
	int		 quiet;		/* since then, it was said what went */
	int		 full;		/* it was over its window */
	struct turn_work ack;
	struct buf	 parts;		/* of a message to us */
	struct buf	 said;		/* of one in a room */
	struct bus_room	*said_in;
	uint64_t	 said_parts;
};

static void	 bus_carrier_ack(void *arg);
static void	 bus_hello(struct bus_carrier *c);

/* ---- publishing ---- */

/* Redis has published, or has not. */
static void
bus_published_cb(const struct redis_value *v, int err, void *arg)
{
	struct bus	*b = arg;
	struct list	*e, *tmp;
	char		 text[200];

	if (err == 0 && v->kind == REDIS_ERROR &&
	    clock_ms() - b->logged > BUS_LOG_MS) {
		b->logged = clock_ms();
		log_warn("bus: Redis refuses what is said to other nodes: %s",
		    log_escape(text, sizeof(text), v->str, v->len));
	}
	if (!b->stuck || b->ended || err == ECANCELED)
		return;
	b->stuck = 0;
	list_each(e, tmp, &b->carriers)
		link_drained(list_entry(e, struct bus_carrier, at)->link);
}

/* One frame, of which kind, flags, session, n, ack are given.  0, or -1 with errno. */
static int
bus_publish(struct bus *b, const char *channel, struct bus_frame *f,
    struct slice head, struct slice payload)
{
	const struct peer_id	*us = links_self(b->links);
	const char		*argv[3] = { "PUBLISH", channel };
	size_t			 len[3] = { 7, strlen(channel) };

	f->node = slice_str(b->self.node);
	f->slot = us->slot;
	f->incarnation = us->incarnation;
	f->pos = b->pos + head.len + payload.len + 1;
	buf_reset(&b->frame);
	bus_frame_encode(&b->frame, f, head, payload, slice_str(channel),
	    b->self.key);
	if (b->frame.failed) {
		buf_clear(&b->frame);
		errno = ENOMEM;
		return (-1);
	}
	argv[2] = b->frame.data;
	len[2] = b->frame.len;
	if (redis_command(b->redis, BUS_COMMAND_MS, bus_published_cb, b, 3,
	    argv, len) == -1) {
		b->stuck |= errno == EAGAIN;
		return (-1);
	}
	b->pos = f->pos;
	b->counts.published++;
	counter_add(COUNTER_BUS_PUBLISHED, 1);
	return (0);
}

/* What is behind the first n bytes of two slices that follow each other. */
static void
bus_behind(struct slice *head, struct slice *payload, size_t n)
{
	size_t	 h = n < head->len ? n : head->len;

	*head = slice_of(head->data + h, head->len - h);
	*payload = slice_of(payload->data + (n - h), payload->len - (n - h));
}

/* A message in as many frames as it takes; *n is the number before the first, and of
 * the last then.  0, or -1 with errno and, unless *n has changed, nothing said. */
static int
bus_publish_cut(struct bus *b, const char *channel, struct bus_frame *f,
    struct slice head, struct slice payload, uint64_t *n)
{
	struct slice	 h, p;
	size_t		 len;

	do {
		len = head.len + payload.len;
		if (len > BUS_FRAME_MAX)
			len = BUS_FRAME_MAX;
		h = slice_of(head.data, head.len < len ? head.len : len);
		p = slice_of(payload.data, len - h.len);
		bus_behind(&head, &payload, len);
		f->flags = head.len + payload.len > 0 ? BUS_F_MORE : 0;
		f->n = *n + 1;
		if (bus_publish(b, channel, f, h, p) == -1)
			return (-1);
		++*n;
	} while (head.len + payload.len > 0);
	return (0);
}

/* So many bytes more are for c's peer. */
static void
bus_carrier_owes(struct bus_carrier *c, size_t len)
{
	if (c->unacked == 0) {
		c->since = c->beaten = clock_ms();
		c->quiet = 0;
	}
	c->unacked += len + 1;
	c->sent_pos = c->bus->pos;
	c->full |= c->unacked > BUS_WINDOW;
}

/* ---- the carrier ---- */

/* carrier_ops: a message, to that shard alone. */
static int
bus_send(struct carrier *carrier, struct slice head, struct slice payload)
{
	struct bus_carrier	*c = container_of(carrier, struct bus_carrier,
				    carrier);
	struct bus_frame	 f = { .kind = BUS_DATA, .session = c->mine,
				    .ack = c->seen };
	uint64_t		 before = c->out;

	if (bus_publish_cut(c->bus, c->channel, &f, head, payload,
	    &c->out) == -1) {
		/* A part is not heard without the rest: the numbers say so. */
		if (c->out != before)
			c->out++;
		errno = ENOMEM;
		return (-1);
	}
	c->came = 0;
	bus_carrier_owes(c, head.len + payload.len);
	return (0);
}

/* carrier_ops: bytes of which the peer has not said that it has them. */
static size_t
bus_queued(struct carrier *carrier)
{
	return (container_of(carrier, struct bus_carrier, carrier)->unacked);
}

/* carrier_ops: all that could be sent is with Redis' connection. */
static void
bus_flush(struct carrier *carrier)
{
	(void)carrier;
}

/* carrier_ops: the link lets go of c. */
static void
bus_carrier_free(struct carrier *carrier)
{
	struct bus_carrier	*c = container_of(carrier, struct bus_carrier,
				    carrier);

	list_remove(&c->at);
	turn_cancel(&c->ack);
	buf_clear(&c->parts);
	buf_clear(&c->said);
	free(c->channel);
	free(c);
}

static const struct carrier_ops bus_carrier_ops = {
	bus_send, bus_queued, bus_flush, bus_carrier_free
};

/* Another meeting with a shard of another node, which begins with HELLO. */
static struct carrier *
bus_dial(void *arg, struct link *l, const char *path)
{
	const struct peer_id	*peer = link_peer(l);
	struct bus		*b = arg;
	struct bus_carrier	*c;
	char			 address[ADDRESS_MAX];

	(void)path;
	if (!redis_up(b->redis) || (c = calloc(1, sizeof(*c))) == NULL)
		return (NULL);
	keys_address(address, sizeof(address), peer->node, peer->slot,
	    peer->incarnation);
	c->channel = bus_channel_shard(b->self.prefix, b->db,
	    slice_str(address));
	if (c->channel == NULL) {
		free(c);
		return (NULL);
	}
	c->carrier.ops = &bus_carrier_ops;
	c->carrier.room = BUS_WINDOW;
	c->bus = b;
	c->link = l;
	c->mine = ++b->session;
	c->parts.max = c->said.max = BUS_MESSAGE_MAX;
	turn_work_init(&c->ack, bus_carrier_ack, c);
	list_push(&b->carriers, &c->at);
	bus_hello(c);
	return (&c->carrier);
}

/* Say HELLO: our session, and the peer's, as far as it is known. */
static void
bus_hello(struct bus_carrier *c)
{
	struct bus_frame	 f = { .kind = BUS_HELLO, .session = c->mine,
				    .n = c->theirs,
				    .flags = c->up ? BUS_F_UP : 0 };
	char			 body[8];

	bytes_put_be32(body, WIRE_OLDEST);
	bytes_put_be32(body + 4, links_version(c->bus->links));
	c->helloed = clock_ms();
	bus_publish(c->bus, c->channel, &f, slice_of(body, sizeof(body)),
	    slice_of(NULL, 0));
}

/* Say how far both directions are. */
static void
bus_beat(struct bus_carrier *c, unsigned flags)
{
	struct bus_frame	 f = { .kind = BUS_BEAT, .session = c->mine,
				    .n = c->out, .ack = c->seen,
				    .flags = flags };

	c->came = 0;
	bus_publish(c->bus, c->channel, &f, slice_of(NULL, 0),
	    slice_of(NULL, 0));
}

/* Turn work: much has come, which the peer is to know. */
static void
bus_carrier_ack(void *arg)
{
	bus_beat(arg, 0);
}

/* The pair meets afresh, for that reason; c is freed. */
static void
bus_afresh(struct bus_carrier *c, const char *why)
{
	c->bus->counts.afresh += (uint64_t)c->up;
	if (c->up)
		counter_add(COUNTER_BUS_AFRESH, 1);
	link_down(c->link, why);
}

/* ---- hearing ---- */

/* HELLO came. */
static void
bus_heard_hello(struct bus_carrier *c, const struct bus_frame *f)
{
	unsigned	 version;

	if (f->body.len < 8 || f->session < c->theirs)
		return;			/* of an earlier meeting */
	version = wire_common(bytes_get_be32(f->body.data),
	    bytes_get_be32(f->body.data + 4), links_version(c->bus->links));
	if (version == 0) {
		if (clock_ms() - c->bus->logged > BUS_LOG_MS) {
			c->bus->logged = clock_ms();
			log_warn("bus node=%s slot=%u refused: no version in "
			    "common; upgrade the older node",
			    link_peer(c->link)->node, link_slot(c->link));
		}
		return;
	}
	if (f->session != c->theirs) {
		if (c->up) {
			bus_afresh(c, "the other side has met afresh");
			return;
		}
		c->theirs = f->session;
		c->in = 0;
		c->seen = f->pos;
	}
	if (f->n != c->mine) {
		bus_hello(c);
		return;
	}
	if (c->up) {
		if ((f->flags & BUS_F_UP) == 0)
			bus_hello(c);	/* it waits for this */
		return;
	}
	c->up = 1;
	if ((f->flags & BUS_F_UP) == 0)
		bus_hello(c);
	link_up(c->link, &c->carrier, version);
}

/* The peer has our bytes up to that position. */
static void
bus_heard_ack(struct bus_carrier *c, uint64_t ack)
{
	if (ack <= c->acked || ack > c->bus->pos)
		return;
	c->acked = ack;
	c->since = clock_ms();
	if (ack >= c->sent_pos)
		c->unacked = 0;
	else if (c->sent_pos - ack < c->unacked)
		c->unacked = (size_t)(c->sent_pos - ack);
	if (!c->full || c->unacked > BUS_WINDOW / 2)
		return;
	c->full = 0;
	link_drained(c->link);
}

/* That much came of the peer's. */
static void
bus_heard_bytes(struct bus_carrier *c, const struct bus_frame *f)
{
	c->seen = f->pos;
	c->came += f->body.len;
	if (c->came >= BUS_ACK)
		turn_add(&c->ack, TURN_LINKS);
}

/* A message came whole, or a part of one, which is kept.  1: *m is all of it; 0; or -1,
 * it is none. */
static int
bus_gather(struct buf *parts, const struct bus_frame *f, struct gossip *m)
{
	struct slice	 whole = f->body;

	if (parts->len > 0 || (f->flags & BUS_F_MORE) != 0) {
		if (buf_add(parts, f->body.data, f->body.len) == -1)
			return (-1);
		if ((f->flags & BUS_F_MORE) != 0)
			return (0);
		whole = slice_of(parts->data, parts->len);
	}
	switch (gossip_decode(m, whole.data, whole.len)) {
	case 0:
		return (1);
	case 1:
		buf_reset(parts);
		return (0);		/* of a later version */
	default:
		return (-1);
	}
}

/* DATA came: the next, or something is missing. */
static void
bus_heard_data(struct bus_carrier *c, const struct bus_frame *f)
{
	struct bus	*b = c->bus;
	struct buf	 parts;
	struct gossip	 m;
	int		 rv;

	if (f->n <= c->in) {
		b->counts.replayed++;
		counter_add(COUNTER_BUS_BAD, 1);
		return;
	}
	if (f->n != c->in + 1) {
		bus_afresh(c, "messages were lost on the bus");
		return;
	}
	c->in = f->n;
	bus_heard_bytes(c, f);
	if ((rv = bus_gather(&c->parts, f, &m)) == -1) {
		log_warn("bus node=%s slot=%u error=\"not a message\"",
		    link_peer(c->link)->node, link_slot(c->link));
		bus_afresh(c, "not a message");
		return;
	}
	if (rv == 0)
		return;
	/* What follows may end the meeting. */
	parts = c->parts;
	memset(&c->parts, 0, sizeof(c->parts));
	c->parts.max = BUS_MESSAGE_MAX;
	if (link_message(c->link, &m) == -1)
		bus_afresh(c, "not a message that may come");
	buf_clear(&parts);
}

/* BEAT: how far the peer is, and has heard us. */
static void
bus_heard_beat(struct bus_carrier *c, const struct bus_frame *f)
{
	if (f->n > c->in) {
		bus_afresh(c, "messages were lost on the bus");
		return;
	}
	if (f->pos > c->seen)
		c->seen = f->pos;
	if ((f->flags & BUS_F_WANT) != 0)
		bus_beat(c, 0);
}

/* The carrier of who sent f; NULL: not met.  make: meet it. */
static struct bus_carrier *
bus_sender(struct bus *b, const struct bus_frame *f, int make)
{
	struct peer_id	 peer = { NULL, f->slot, f->incarnation };
	struct link	*l;

	if ((peer.node = bus_node(b, f->node)) == NULL)
		return (NULL);
	l = make ? link_get(b->links, &peer, NULL) : link_find(b->links,
	    &peer);
	if (l == NULL || link_carrier(l) == NULL)
		return (NULL);
	return (container_of(link_carrier(l), struct bus_carrier, carrier));
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
		b->counts.bad[fault]++;
		counter_add(COUNTER_BUS_BAD, 1);
		if (clock_ms() - b->logged > BUS_LOG_MS) {
			b->logged = clock_ms();
			log_warn("bus dropped=1 error=\"%s\"",
			    fault == BUS_FORGED ?
			    "a message without the cluster's key" :
			    "not a message of ours");
		}
		return (-1);
	}
	if (slice_is(f->node, b->self.node)) {
		b->counts.own++;
		counter_add(COUNTER_BUS_OWN, 1);
		return (-1);
	}
	b->counts.heard++;
	counter_add(COUNTER_BUS_HEARD, 1);
	return (0);
}

/* Something for this shard alone. */
static void
bus_heard_cb(const char *channel, size_t clen, const char *msg, size_t mlen,
    void *arg)
{
	struct bus		*b = arg;
	struct bus_carrier	*c;
	struct bus_frame	 f;

	if (msg == NULL || bus_frame(b, &f, channel, clen, msg, mlen) == -1 ||
	    (c = bus_sender(b, &f, 1)) == NULL)
		return;
	if (f.kind == BUS_HELLO) {
		bus_heard_hello(c, &f);
		return;
	}
	if (f.session < c->theirs) {
		b->counts.replayed++;
		counter_add(COUNTER_BUS_BAD, 1);
		return;
	}
	if (f.session != c->theirs || !c->up) {
		if (clock_ms() - c->helloed >= BUS_ANSWER_MS)
			bus_hello(c);	/* we have not met, or not afresh */
		return;
	}
	bus_heard_ack(c, f.ack);
	if (f.kind == BUS_DATA)
		bus_heard_data(c, &f);
	else if (f.kind == BUS_BEAT)
		bus_heard_beat(c, &f);
}

/* A part of what is said in a room: *m is all of it when this is the last.  1, 0, -1. */
static int
bus_gather_room(struct bus_carrier *c, struct bus_room *room,
    const struct bus_frame *f, struct gossip *m)
{
	if (f->n == 1) {
		buf_reset(&c->said);
		c->said_parts = 0;
		c->said_in = room;
	}
	if (c->said_in != room || f->n != c->said_parts + 1)
		return (0);		/* the gap will be seen by numbers */
	c->said_parts = f->n;
	return (bus_gather(&c->said, f, m));
}

/* Something for all in a room; or the room is heard from now on. */
static void
bus_room_cb(const char *channel, size_t clen, const char *msg, size_t mlen,
    void *arg)
{
	struct bus_room		*room = arg;
	struct bus		*b = room->bus;
	struct bus_carrier	*c;
	struct bus_frame	 f;
	struct gossip		 m;
	struct buf		 said;

	if (msg == NULL) {
		if (!b->ended)
			b->ops->entered(b->arg, room->room);
		return;
	}
	/* While the two meet afresh, both will say what they had sent. */
	if (bus_frame(b, &f, channel, clen, msg, mlen) == -1 ||
	    f.kind != BUS_ROOM || (c = bus_sender(b, &f, 0)) == NULL || !c->up)
		return;
	if (f.pos <= c->seen) {
		b->counts.replayed++;
		counter_add(COUNTER_BUS_BAD, 1);
		return;
	}
	bus_heard_bytes(c, &f);
	switch (bus_gather_room(c, room, &f, &m)) {
	case -1:
		log_warn("bus node=%s slot=%u error=\"not a message\" in a room",
		    link_peer(c->link)->node, link_slot(c->link));
		buf_reset(&c->said);
		break;
	case 1:
		said = c->said;
		memset(&c->said, 0, sizeof(c->said));
		c->said.max = BUS_MESSAGE_MAX;
		b->ops->said(b->arg, room->room, c->link, &m);
		buf_clear(&said);
		break;
	}
}

/* ---- time ---- */

/* What one carrier has to do after a while. */
static void
bus_carrier_tick(struct bus_carrier *c, uint64_t now)
{
	if (!c->up) {
		if (now - c->helloed >= BUS_HELLO_MS)
			bus_hello(c);
		return;
	}
	if (c->unacked == 0 || now - c->beaten < BUS_BEAT_MS)
		return;
	if (now - c->since >= BUS_SILENT_MS) {
		bus_afresh(c, "the other side says nothing");
		return;
	}
	c->beaten = now;
	if (!c->quiet) {
		c->quiet = 1;
		c->bus->ops->quiet(c->bus->arg, c->link);
	}
	bus_beat(c, BUS_F_WANT);
}

/* Each 100 ms. */
static void
bus_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct bus	*b = arg;
	struct list	*e, *tmp;

	(void)fd, (void)what;
	if (!redis_up(b->redis))
		return;
	list_each(e, tmp, &b->carriers)
		bus_carrier_tick(list_entry(e, struct bus_carrier, at),
		    clock_ms());
}

/* Redis came, or went with all that was on its way: all meet afresh. */
static void
bus_state_cb(int up, void *arg)
{
	struct bus		*b = arg;
	struct bus_carrier	*c;

	if (b->ended)
		return;
	b->stuck = 0;
	while (!up && !list_empty(&b->carriers)) {
		c = list_entry(b->carriers.next, struct bus_carrier, at);
		link_down(c->link, "Redis went away");
	}
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

struct bus_room *
bus_enter(struct bus *b, struct slice group, struct slice app, void *arg)
{
	struct bus_room	*room;

	if ((room = calloc(1, sizeof(*room))) == NULL)
		return (NULL);
	room->bus = b;
	room->room = arg;
	if ((room->channel = bus_channel_room(b->self.prefix, b->db, group,
	    app)) == NULL || redis_subscribe(b->redis, room->channel,
	    bus_room_cb, room) == -1) {
		free(room->channel);
		free(room);
		return (NULL);
	}
	return (room);
}

void
bus_leave(struct bus *b, struct bus_room *room)
{
	struct list		*e, *tmp;
	struct bus_carrier	*c;

	if (room == NULL)
		return;
	redis_unsubscribe(b->redis, room->channel);
	list_each(e, tmp, &b->carriers) {
		c = list_entry(e, struct bus_carrier, at);
		if (c->said_in == room)
			c->said_in = NULL;
	}
	free(room->channel);
	free(room);
}

int
bus_say(struct bus *b, struct bus_room *room, const struct gossip *m,
    unsigned version)
{
	static struct buf	 head;
	struct bus_frame	 f = { .kind = BUS_ROOM };
	uint64_t		 n = 0;

	buf_reset(&head);
	gossip_encode(&head, m, version);
	if (head.failed || m->payload.len > LINK_FRAME_MAX - head.len) {
		errno = ENOMEM;
		return (-1);
	}
	b->said = head.len + m->payload.len;
	if (bus_publish_cut(b, room->channel, &f, slice_of(head.data, head.len),
	    m->payload, &n) == -1 && n == 0)
		return (-1);
	return (0);	/* whoever has a part only sees by numbers what is missing */
}

void
bus_said_to(struct bus *b, struct link *l)
{
	bus_carrier_owes(container_of(link_carrier(l), struct bus_carrier,
	    carrier), b->said);
}

/* ---- life ---- */

struct bus *
bus_new(struct links *ls, const struct bus_self *self,
    const struct bus_ops *ops, void *arg)
{
	const struct timeval	 tv = { 0, BUS_TICK_MS * 1000 };
	struct redis_url	 url;
	struct bus		*b;

	if ((b = calloc(1, sizeof(*b))) == NULL)
		return (NULL);
	b->base = links_base(ls);
	b->links = ls;
	b->self = *self;
	b->ops = ops;
	b->arg = arg;
	/* Rises over this shard's life, and no two of its incarnations meet. */
	b->session = clock_ns();
	list_init(&b->carriers);
	if (redis_url_parse(&url, self->url) == NULL)
		b->db = url.db;
	redis_url_clear(&url);
	b->channel = bus_channel_shard(self->prefix, b->db,
	    slice_str(self->address));
	b->tick = event_new(b->base, -1, EV_PERSIST, bus_tick_cb, b);
	if (b->channel == NULL || b->tick == NULL ||
	    event_add(b->tick, &tv) == -1 ||
	    (b->redis = redis_new(b->base, self->url, bus_state_cb, b)) == NULL ||
	    redis_subscribe(b->redis, b->channel, bus_heard_cb, b) == -1) {
		bus_free(b);
		errno = ENOMEM;
		return (NULL);
	}
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
	if (b->tick != NULL)
		event_free(b->tick);
	while ((n = map_first(&b->nodes)) != NULL) {
		map_remove(&b->nodes, n);
		free(container_of(n, struct bus_node, by_name));
	}
	map_clear(&b->nodes);
	buf_clear(&b->frame);
	free(b->channel);
	free(b);
}

int
bus_up(const struct bus *b)
{
	return (redis_up(b->redis));
}

struct redis *
bus_redis(struct bus *b)
{
	return (b->redis);
}

const struct bus_counts *
bus_counts(const struct bus *b)
{
	return (&b->counts);
}

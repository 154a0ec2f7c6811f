/* Meetings with shards of other nodes. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/turn.h"
#include "proto/counters.h"
#include "shardd/peers/batch.h"
#include "shardd/peers/encounter.h"
#include "shardd/peers/link.h"
#include "shardd/peers/press.h"

#define ENCOUNTER_HELLO_MS	300	/* until it is said again */
#define ENCOUNTER_ANSWER_MS	50	/* between two answers to who is unknown */
#define ENCOUNTER_BEAT_MS	1000	/* without an acknowledgement */
#define ENCOUNTER_SILENT_MS	10000	/* the same: meet afresh */
#define ENCOUNTER_ACK		(256 << 10)	/* bytes that came, then that is said */
#define ENCOUNTER_MAX		(LINK_FRAME_MAX + (64 << 10))	/* bytes, a message */
#define ENCOUNTER_SAYING	UINT64_MAX	/* its position will be known this turn */

struct encounter {
	struct carrier	 carrier;
	struct list	 at;
	struct encounters *es;
	struct link	*link;
	char		*channel;	/* the peer's */
	uint64_t	 mine, theirs;	/* sessions; 0: not known */
	int		 up;
	int		 many;		/* the peer reads several messages a frame */
	uint64_t	 out, in;	/* BUS_DATA that went, and came */
	uint64_t	 sent_pos;	/* ours, of the last that is for the peer; or
					   ENCOUNTER_SAYING */
	uint64_t	 acked;		/* ours, that the peer has */
	size_t		 unacked;	/* bytes for the peer, at most */
	uint64_t	 seen;		/* the peer's, that came */
	size_t		 came;		/* bytes since we acknowledged */
	uint64_t	 helloed;	/* clock_ms */
	uint64_t	 since;		/* clock_ms: unacked, and nothing heard */
	uint64_t	 beaten;	/* clock_ms */
	uint64_t	 last;		/* clock_ms: something came */
	int		 quiet;		/* since then, it was said what went */
	int		 full;		/* it was over its window */
	struct turn_work ack;
	struct batch	 batch;		/* said in this turn */
	struct buf	 parts;		/* of a message to us */
	struct buf	 said;		/* of one in a room */
	const void	*said_in;
	uint64_t	 said_parts;
};

static void	 encounter_ack(void *arg);
static void	 encounter_hello(struct encounter *c);

struct link *
encounter_link(const struct encounter *c)
{
	return (c->link);
}

struct encounter *
encounter_of(struct carrier *c)
{
	return (container_of(c, struct encounter, carrier));
}

void
encounter_owes(struct encounter *c, size_t len)
{
	if (c->unacked == 0) {
		c->since = c->beaten = clock_ms();
		c->quiet = 0;
	}
	c->unacked += len + 1;
	c->sent_pos = ENCOUNTER_SAYING;
	c->full |= c->unacked > ENCOUNTER_WINDOW;
}

/* ---- the carrier ---- */

/* A message, or several, to that shard alone. */
static int
encounter_publish(void *arg, unsigned flags, struct slice head,
    struct slice payload)
{
	struct encounter	*c = arg;
	struct bus_frame	 f = { .kind = BUS_DATA, .flags = flags,
				    .session = c->mine, .ack = c->seen };
	uint64_t		 before = c->out;

	if (press_message(c->es->press, c->channel, &f, head, payload,
	    &c->out) == -1) {
		/* A part is not heard without the rest: the numbers say so. */
		if (c->out != before)
			c->out++;
		errno = ENOMEM;
		return (-1);
	}
	c->came = 0;
	return (0);
}

/* carrier_ops: a message, to that shard alone, with the others of this turn. */
static int
encounter_send(struct carrier *carrier, struct slice head, struct slice payload)
{
	struct encounter	*c = container_of(carrier, struct encounter,
				    carrier);

	if (batch_add(&c->batch, head, payload, c->many) == -1)
		return (-1);
	encounter_owes(c, head.len + payload.len);
	return (0);
}

/* carrier_ops: bytes of which the peer has not said that it has them. */
static size_t
encounter_queued(struct carrier *carrier)
{
	return (container_of(carrier, struct encounter, carrier)->unacked);
}

/* carrier_ops: what was said in this turn goes to Redis' connection. */
static void
encounter_flush(struct carrier *carrier)
{
	batches_flush(container_of(carrier, struct encounter,
	    carrier)->es->batches);
}

/* carrier_ops: the link lets go of c. */
static void
encounter_free(struct carrier *carrier)
{
	struct encounter	*c = container_of(carrier, struct encounter,
				    carrier);

	list_remove(&c->at);
	turn_cancel(&c->ack);
	batch_clear(&c->batch);
	buf_clear(&c->parts);
	buf_clear(&c->said);
	free(c->channel);
	free(c);
}

static const struct carrier_ops encounter_ops = {
	encounter_send, encounter_queued, encounter_flush, encounter_free
};

struct carrier *
encounter_new(struct encounters *es, struct link *l, char *channel)
{
	struct encounter	*c;

	if (channel == NULL || (c = calloc(1, sizeof(*c))) == NULL) {
		free(channel);
		return (NULL);
	}
	c->carrier.ops = &encounter_ops;
	c->carrier.room = ENCOUNTER_WINDOW;
	c->es = es;
	c->link = l;
	c->channel = channel;
	c->mine = ++es->session;
	c->parts.max = c->said.max = ENCOUNTER_MAX;
	turn_work_init(&c->ack, encounter_ack, c);
	batch_init(&c->batch, es->batches, BATCH_SHARD, encounter_publish, c);
	list_push(&es->all, &c->at);
	encounter_hello(c);
	return (&c->carrier);
}

/* Say HELLO: our session, and the peer's, as far as it is known. */
static void
encounter_hello(struct encounter *c)
{
	struct bus_frame	 f = { .kind = BUS_HELLO, .session = c->mine,
				    .n = c->theirs,
				    .flags = c->up ? BUS_F_UP : 0 };
	char			 body[8];

	bytes_put_be32(body, WIRE_BUS);
	bytes_put_be32(body + 4, links_version(c->es->links));
	c->helloed = clock_ms();
	press_frame(c->es->press, c->channel, &f, slice_of(body, sizeof(body)),
	    slice_of(NULL, 0));
}

/* Say how far both directions are. */
static void
encounter_beat(struct encounter *c, unsigned flags)
{
	struct bus_frame	 f = { .kind = BUS_BEAT, .session = c->mine,
				    .n = c->out, .ack = c->seen,
				    .flags = flags };

	c->came = 0;
	press_frame(c->es->press, c->channel, &f, slice_of(NULL, 0),
	    slice_of(NULL, 0));
}

/* Turn work: much has come, which the peer is to know. */
static void
encounter_ack(void *arg)
{
	encounter_beat(arg, 0);
}

/* The pair meets afresh, for that reason; c is freed. */
static void
encounter_afresh(struct encounter *c, const char *why)
{
	if (c->up)
		counter_add(COUNTER_BUS_AFRESH, 1);
	link_down(c->link, why);
}

/* ---- hearing ---- */

/* HELLO came. */
static void
encounter_heard_hello(struct encounter *c, const struct bus_frame *f)
{
	unsigned	 low, version;

	if (f->body.len < 8 || f->session < c->theirs)
		return;			/* of an earlier meeting */
	low = bytes_get_be32(f->body.data);
	version = wire_common(low < WIRE_BUS ? WIRE_BUS : low,
	    bytes_get_be32(f->body.data + 4), links_version(c->es->links));
	if (version == 0) {
		if (press_may_log(c->es->press))
			log_warn("bus node=%s slot=%u refused: no version in "
			    "common; upgrade the older node",
			    link_peer(c->link)->node, link_slot(c->link));
		return;
	}
	if (f->session != c->theirs) {
		if (c->up) {
			encounter_afresh(c, "the other side has met afresh");
			return;
		}
		c->theirs = f->session;
		c->in = 0;
		c->seen = f->pos;
	}
	if (f->n != c->mine) {
		encounter_hello(c);
		return;
	}
	if (c->up) {
		if ((f->flags & BUS_F_UP) == 0)
			encounter_hello(c);	/* it waits for this */
		return;
	}
	c->up = 1;
	c->many = version >= WIRE_MANY;
	if ((f->flags & BUS_F_UP) == 0)
		encounter_hello(c);
	link_up(c->link, &c->carrier, version);
}

/* The peer has our bytes up to that position. */
static void
encounter_heard_ack(struct encounter *c, uint64_t ack)
{
	if (ack <= c->acked || ack > c->es->press->pos)
		return;
	c->acked = ack;
	c->since = clock_ms();
	if (ack >= c->sent_pos)
		c->unacked = 0;
	else if (c->sent_pos != ENCOUNTER_SAYING &&
	    c->sent_pos - ack < c->unacked)
		c->unacked = (size_t)(c->sent_pos - ack);
	if (!c->full || c->unacked > ENCOUNTER_WINDOW / 2)
		return;
	c->full = 0;
	link_drained(c->link);
}

/* That much came of the peer's. */
static void
encounter_heard_bytes(struct encounter *c, const struct bus_frame *f)
{
	c->seen = f->pos;
	c->came += f->body.len;
	if (c->came >= ENCOUNTER_ACK)
		turn_add(&c->ack, TURN_LINKS);
}

/* A message came whole, or several, or a part of one, which is kept.  1: *whole is all of
 * it; 0; or -1, it is too long. */
static int
encounter_gather(struct buf *parts, const struct bus_frame *f,
    struct slice *whole)
{
	*whole = f->body;
	if (parts->len == 0 && (f->flags & BUS_F_MORE) == 0)
		return (1);
	if (buf_add(parts, f->body.data, f->body.len) == -1)
		return (-1);
	*whole = slice_of(parts->data, parts->len);
	return ((f->flags & BUS_F_MORE) == 0);
}

/* One message for us: 0, or -1 with *why: it is none, or none that may come. */
static int
encounter_message(struct link *l, struct slice data, const char **why)
{
	struct gossip	 m;

	switch (gossip_decode(&m, data.data, data.len)) {
	case 0:
		*why = "not a message that may come";
		return (link_message(l, &m));
	case 1:
		return (0);		/* of a later version */
	default:
		*why = "not a message";
		log_warn("bus node=%s slot=%u error=\"not a message\"",
		    link_peer(l)->node, link_slot(l));
		return (-1);
	}
}

/* All messages of a frame, as long as the meeting goes on, which each may end. */
static void
encounter_messages(struct encounter *c, unsigned flags, struct slice whole)
{
	struct carrier	*carrier = &c->carrier;
	struct link	*l = c->link;
	struct slice	 one = whole;
	const char	*why = "not a frame of messages";
	int		 rv = 0, many = (flags & BUS_F_MANY) != 0;

	while (rv == 0 && link_carrier(l) == carrier) {
		if (many && (rv = batch_next(&whole, &one)) != 0)
			break;
		rv = encounter_message(l, one, &why);
		if (!many)
			break;
		turn_progress();
	}
	if (rv == -1 && link_carrier(l) == carrier)
		encounter_afresh(c, why);
}

/* DATA came: the next, or something is missing. */
static void
encounter_heard_data(struct encounter *c, const struct bus_frame *f)
{
	struct buf	 parts;
	struct slice	 whole;
	int		 rv;

	if (f->n <= c->in) {
		counter_add(COUNTER_BUS_BAD, 1);
		return;
	}
	if (f->n != c->in + 1) {
		counter_add(COUNTER_BUS_LOST, f->n - c->in - 1);
		encounter_afresh(c, "messages were lost on the bus");
		return;
	}
	c->in = f->n;
	encounter_heard_bytes(c, f);
	if ((rv = encounter_gather(&c->parts, f, &whole)) == -1)
		encounter_afresh(c, "a message is too long");
	if (rv != 1)
		return;
	/* What follows may end the meeting. */
	parts = c->parts;
	memset(&c->parts, 0, sizeof(c->parts));
	c->parts.max = ENCOUNTER_MAX;
	encounter_messages(c, f->flags, whole);
	buf_clear(&parts);
}

/* BEAT: how far the peer is, and has heard us. */
static void
encounter_heard_beat(struct encounter *c, const struct bus_frame *f)
{
	if (f->n > c->in) {
		counter_add(COUNTER_BUS_LOST, f->n - c->in);
		encounter_afresh(c, "messages were lost on the bus");
		return;
	}
	if (f->pos > c->seen)
		c->seen = f->pos;
	if ((f->flags & BUS_F_WANT) != 0)
		encounter_beat(c, 0);
}

uint64_t
encounter_last(const struct encounter *c)
{
	return (c->last);
}

uint64_t
encounter_ask(struct encounter *c)
{
	if (!c->up)
		return (0);
	encounter_beat(c, BUS_F_WANT);
	return (c->es->press->pos);
}

int
encounter_answered(const struct encounter *c, uint64_t asked)
{
	return (c->up && c->acked >= asked);
}

void
encounter_part(struct encounter *c)
{
	if (!c->up)
		return;
	c->up = 0;
	batch_clear(&c->batch);
	c->mine = ++c->es->session;
	c->theirs = 0;
	encounter_hello(c);
}

void
encounter_heard(struct encounter *c, const struct bus_frame *f)
{
	c->last = clock_ms();
	if (f->kind == BUS_HELLO) {
		encounter_heard_hello(c, f);
		return;
	}
	if (f->session < c->theirs) {
		counter_add(COUNTER_BUS_BAD, 1);
		return;			/* of an earlier meeting, or said again */
	}
	if (f->session != c->theirs || !c->up) {
		if (clock_ms() - c->helloed >= ENCOUNTER_ANSWER_MS)
			encounter_hello(c);	/* we have not met, or not afresh */
		return;
	}
	encounter_heard_ack(c, f->ack);
	if (f->kind == BUS_DATA)
		encounter_heard_data(c, f);
	else if (f->kind == BUS_BEAT)
		encounter_heard_beat(c, f);
}

/* ---- what is said in rooms ---- */

int
encounter_room(struct encounter *c, const void *room,
    const struct bus_frame *f, struct slice *whole)
{
	int	 rv;

	/* While the two meet afresh, both will say what they had sent. */
	if (f->kind != BUS_ROOM || !c->up)
		return (0);
	if (f->pos <= c->seen) {
		counter_add(COUNTER_BUS_BAD, 1);
		return (0);		/* said again */
	}
	encounter_heard_bytes(c, f);
	if (f->n == 1) {
		buf_reset(&c->said);
		c->said_parts = 0;
		c->said_in = room;
	}
	if (c->said_in != room || f->n != c->said_parts + 1)
		return (0);		/* the gap will be seen by numbers */
	c->said_parts = f->n;
	if ((rv = encounter_gather(&c->said, f, whole)) == -1)
		encounter_room_done(c);
	return (rv == 1);
}

void
encounter_room_done(struct encounter *c)
{
	buf_clear(&c->said);
	c->said.max = ENCOUNTER_MAX;
	c->said_in = NULL;
}

void
encounters_forget(struct encounters *es, const void *room)
{
	struct list		*e, *tmp;
	struct encounter	*c;

	list_each(e, tmp, &es->all) {
		c = list_entry(e, struct encounter, at);
		if (c->said_in == room)
			encounter_room_done(c);
	}
}

/* ---- time ---- */

/* What one carrier has to do after a while. */
static void
encounter_tick(struct encounter *c, uint64_t now)
{
	uint64_t	 since = c->since > c->es->excused ? c->since :
			    c->es->excused;

	if (!c->up) {
		if (now - c->helloed >= ENCOUNTER_HELLO_MS)
			encounter_hello(c);
		return;
	}
	if (c->unacked == 0 || now - c->beaten < ENCOUNTER_BEAT_MS)
		return;
	if (now - since >= ENCOUNTER_SILENT_MS) {
		encounter_afresh(c, "the other side says nothing");
		return;
	}
	c->beaten = now;
	if (!c->quiet) {
		c->quiet = 1;
		c->es->quiet(c->es->arg, c->link);
	}
	encounter_beat(c, BUS_F_WANT);
}

void
encounters_tick(struct encounters *es)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &es->all)
		encounter_tick(list_entry(e, struct encounter, at), clock_ms());
}

void
encounters_sent(struct encounters *es)
{
	struct encounter	*c;
	struct list		*e, *tmp;

	list_each(e, tmp, &es->all) {
		c = list_entry(e, struct encounter, at);
		if (c->sent_pos == ENCOUNTER_SAYING)
			c->sent_pos = es->press->pos;
	}
}

void
encounters_end(struct encounters *es)
{
	while (!list_empty(&es->all))
		link_down(list_entry(es->all.next, struct encounter, at)->link,
		    "Redis went away");
}

void
encounters_drained(struct encounters *es)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &es->all)
		link_drained(list_entry(e, struct encounter, at)->link);
}

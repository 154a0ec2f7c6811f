/*
 * A client on its way to another process.  The record is one msgpack array, whose fields
 * are a row; behind it are the bytes of the program's own (events_on_move()).
 */
#include <errno.h>
#include <string.h>

#include "proto/pack.h"
#include "shardd/events/inside.h"
#include "shardd/events/transit.h"
#include "shardd/events/sockets.h"

#define TRANSIT_CLIENT	1		/* the type of the row */
#define TRANSIT_ROOMS	(1 << 20)	/* bytes of names */

#define TRANSIT_F_HIGH		0x1	/* it is over its mark */
#define TRANSIT_F_WARNED	0x2
#define TRANSIT_F_KEPT		0x4	/* the program's bytes follow */

struct record {
	uint32_t	 dialect, last_id;
	uint32_t	 left, skip;	/* of a chunk that has begun, of no stream */
	uint32_t	 flags, version;	/* of the program's bytes */
	struct slice	 rooms;		/* each a length of 4 bytes, and a name */
};

enum { F_END = PACK_END, F_LATER = PACK_LATER,
    F_DIALECT = PACK_FIRST, F_LAST_ID, F_LEFT, F_SKIP, F_FLAGS, F_VERSION,
    F_ROOMS };

#define U32(m)	{ PACK_U32, offsetof(struct record, m), UINT32_MAX }

static const struct pack_field fields[] = {
	[F_DIALECT]	= U32(dialect),
	[F_LAST_ID]	= U32(last_id),
	[F_LEFT]	= U32(left),
	[F_SKIP]	= U32(skip),
	[F_FLAGS]	= U32(flags),
	[F_VERSION]	= U32(version),
	[F_ROOMS]	= { PACK_SLICE, offsetof(struct record, rooms),
			    TRANSIT_ROOMS },
};

/* A new field stands behind an F_LATER. */
static const uint8_t row[PACK_ROW] = {
	F_DIALECT, F_LAST_ID, F_LEFT, F_SKIP, F_FLAGS, F_VERSION, F_ROOMS
};

/* ---- going ---- */

/* Has the program something to do with its clients which it does not give along? */
static int
transit_is_tied(const struct events_socket *s)
{
	const struct events	*e = s->server->events;

	return (e->move == NULL && (s->data != NULL || e->connected != NULL ||
	    e->disconnected != NULL || e->downlink_added != NULL ||
	    e->downlink_removed != NULL));
}

/* Is something of it under way: a stream, an answer, its handshake? */
static int
transit_is_busy(const struct events_socket *s)
{
	return (!s->registered || s->holds > 0 || !list_empty(&s->incoming) ||
	    !list_empty(&s->lanes) || !list_empty(&s->asked) ||
	    !list_empty(&s->acks));
}

/* The names of the rooms that s is in, oldest first. */
static void
transit_rooms(const struct events_socket *s, struct buf *b)
{
	struct list		*e, *tmp;
	const struct room	*room;
	uint32_t		 len;

	b->max = TRANSIT_ROOMS;
	list_each(e, tmp, &s->rooms.in) {
		room = list_entry(e, struct stay, at)->room;
		len = (uint32_t)room->len;
		buf_add(b, &len, sizeof(len));
		buf_add(b, room->name, room->len);
	}
}

/* What is known of s, but for the program's bytes, in a buffer that is kept. */
static const struct buf *
transit_write(const struct events_socket *s, uint32_t flags)
{
	static struct buf		 rooms, out;
	const struct events_move_ops	*ops = s->server->events->move;
	struct record			 r = {
		.dialect = fasttcp_version(s->in.dialect),
		.last_id = s->last_id, .left = s->in.left, .skip = s->in.skip,
		.version = ops == NULL ? 0 : ops->version,
		.flags = flags | (s->high ? TRANSIT_F_HIGH : 0) |
		    (s->warned ? TRANSIT_F_WARNED : 0)
	};

	buf_reset(&rooms);
	buf_reset(&out);
	transit_rooms(s, &rooms);
	r.rooms = slice_of(rooms.data, rooms.len);
	pack_row(&out, TRANSIT_CLIENT, row, fields, &r, 1);
	out.failed |= rooms.failed;
	return (&out);
}

int
transit_pack(struct events_socket *s, struct kennel_blob *blob)
{
	const struct events_move_ops	*ops = s->server->events->move;
	const struct buf		*out;
	uint32_t			 flags = 0;

	errno = ENOTSUP;
	if (s->link != NULL || transit_is_tied(s))
		return (-1);
	errno = EAGAIN;
	if (transit_is_busy(s))
		return (-1);
	if (ops != NULL && ops->freeze != NULL)
		flags = TRANSIT_F_KEPT;
	out = transit_write(s, flags);
	errno = ENOTSUP;
	if (out->failed || kennel_blob_add(blob, out->data, out->len) == -1)
		return (-1);
	return (flags != 0 ? ops->freeze(s, blob) : 0);
}

void
transit_touch(struct events_socket *s)
{
	const struct buf	*out;
	size_t			 len = 0;
	int			 idle;

	if (s->server == NULL || s->link != NULL)
		return;
	idle = !transit_is_busy(s) && fasttcp_idle(&s->in) &&
	    !transit_is_tied(s);
	if (idle == s->kept)
		return;
	s->kept = idle != 0;
	out = transit_write(s, 0);
	if (idle && !out->failed && out->len <= KENNEL_CHECKPOINT_MAX)
		len = out->len;
	/* Where that fails, or there are too many rooms, it does not go on. */
	(void)kennel_checkpoint(s->socket, out->data, len);
}

void
transit_touch_rooms(struct events_socket *s)
{
	s->kept = 0;
	transit_touch(s);
}

/* ---- coming ---- */

/* s enters the rooms of a record.  0, or -1. */
static int
transit_enter(struct events_socket *s, struct slice names)
{
	uint32_t	 len;

	while (names.len >= sizeof(len)) {
		memcpy(&len, names.data, sizeof(len));
		names = slice_of(names.data + sizeof(len),
		    names.len - sizeof(len));
		if (len > names.len || rooms_join(&s->server->rooms, &s->rooms,
		    slice_of(names.data, len)) == -1)
			return (-1);
		names = slice_of(names.data + len, names.len - len);
	}
	return (names.len == 0 ? 0 : -1);
}

/* What the record says, and the program's bytes behind it: 0, or -1. */
static int
transit_read(struct record *r, struct slice *kept, const char *data, size_t len)
{
	struct pack_in	 in;

	memset(r, 0, sizeof(*r));
	if (pack_open_head(&in, data, len, kept) == -1 ||
	    pack_in_u64(&in, UINT32_MAX) != TRANSIT_CLIENT)
		return (-1);
	pack_in_row(&in, row, fields, r);
	return (in.bad || (r->dialect != fasttcp_version(fasttcp_d1) &&
	    r->dialect != fasttcp_version(fasttcp_d2)) ? -1 : 0);
}

int
transit_unpack(struct events_socket *s, const char *data, size_t len, int how)
{
	const struct events_move_ops	*ops = s->server->events->move;
	struct record			 r;
	struct slice			 kept;

	if (transit_read(&r, &kept, data, len) == -1 ||
	    r.version > (ops == NULL ? 0 : ops->version) ||
	    sockets_add(s) == -1)
		return (-1);
	s->in.dialect = r.dialect == fasttcp_version(fasttcp_d1) ? fasttcp_d1 :
	    fasttcp_d2;
	s->in.left = r.left;
	s->in.skip = r.skip;
	s->last_id = r.last_id;
	s->high = (r.flags & TRANSIT_F_HIGH) != 0;
	s->warned = (r.flags & TRANSIT_F_WARNED) != 0;
	s->registered = 1;
	s->kept = 1;			/* it goes along */
	if (transit_enter(s, r.rooms) == 0 && (ops == NULL ||
	    ops->thaw == NULL || ops->thaw(s, kept.data == NULL ? "" :
	    kept.data, r.flags & TRANSIT_F_KEPT ? kept.len : 0, how) == 0))
		return (0);
	sockets_remove(s);
	return (-1);
}

void
transit_end(struct events_socket *s, int how)
{
	const struct events_move_ops	*ops = s->server->events->move;

	if (ops != NULL && ops->moved != NULL)
		ops->moved(s, how);
	sockets_remove(s);
}

/* ---- kennel-events.h ---- */

void
events_on_move(struct events *e, const struct events_move_ops *ops)
{
	e->move = ops;
}

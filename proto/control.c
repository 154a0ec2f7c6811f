/* Messages between the gateway and its shards: the table. */
#include <errno.h>

#include "proto/control.h"

enum field {
	F_END,
	F_ID, F_REPLICA, F_NEIGHBOUR, F_INCARNATION, F_SLOT, F_LOW, F_HIGH,
	F_PID, F_LIMIT, F_FLAGS, F_WHY, F_MS, F_TIME,
	F_GROUP, F_UID, F_APP, F_TEXT, F_VALUE
};

#define U32(m, max)	{ PACK_U32, offsetof(struct ctl, m), max }
#define U64(m)		{ PACK_U64, offsetof(struct ctl, m), UINT64_MAX }
#define STR(m, max)	{ PACK_SLICE, offsetof(struct ctl, m), max }

static const struct pack_field fields[] = {
	[F_ID]		= U64(id),
	[F_REPLICA]	= U64(replica),
	[F_NEIGHBOUR]	= U64(neighbour),
	[F_INCARNATION]	= U64(incarnation),
	[F_SLOT]	= U32(slot, SLOTS_MAX - 1),
	[F_LOW]		= U32(low, UINT32_MAX),
	[F_HIGH]	= U32(high, UINT32_MAX),
	[F_PID]		= U32(pid, INT32_MAX),
	[F_LIMIT]	= U32(limit, UINT32_MAX),
	[F_FLAGS]	= U32(flags, UINT32_MAX),
	[F_WHY]		= U32(why, UINT32_MAX),
	[F_MS]		= U32(ms, UINT32_MAX),
	[F_TIME]	= U64(time),
	[F_GROUP]	= STR(group, GROUP_MAX),
	[F_UID]		= STR(uid, UID_MAX),
	[F_APP]		= STR(app, APP_MAX),
	[F_TEXT]	= STR(text, CTL_TEXT_MAX),
	[F_VALUE]	= STR(value, CTL_VALUE_MAX),
};

#define S	CTL_SHARD
#define G	CTL_GATEWAY
#define K	CTL_KENNELCTL

/* One row a message.  Fields are added at the end of a row only. */
static const struct row {
	const char	*name;
	unsigned	 from;
	enum ctl_type	 answer;	/* 0: none */
	uint8_t		 fields[12];
} rows[CTL_NTYPES] = {
	[CTL_HELLO]	= { "hello", S | K, CTL_WELCOME,
	    { F_SLOT, F_INCARNATION, F_LOW, F_HIGH, F_PID, F_LIMIT, F_TIME,
	      F_TEXT, F_FLAGS } },
	[CTL_HAVE_REPLICA] = { "have-replica", S, 0,
	    { F_REPLICA, F_LIMIT, F_FLAGS, F_TIME, F_GROUP, F_APP } },
	[CTL_HAVE_CONN]	= { "have-conn", S, 0,
	    { F_ID, F_REPLICA, F_FLAGS, F_TIME, F_UID } },
	[CTL_HELD]	= { "held", S, 0, { F_END } },
	[CTL_WELCOME]	= { "welcome", G, 0,
	    { F_HIGH, F_INCARNATION, F_TEXT, F_VALUE, F_FLAGS } },
	[CTL_OPTION]	= { "option", G, 0, { F_TEXT, F_VALUE } },
	[CTL_START]	= { "start", G, CTL_READY, { F_END } },
	[CTL_READY]	= { "ready", S, 0, { F_END } },
	[CTL_REPLICA]	= { "replica", G, 0,
	    { F_REPLICA, F_LIMIT, F_FLAGS, F_GROUP, F_APP } },
	[CTL_NEIGHBOUR]	= { "neighbour", G, 0,
	    { F_REPLICA, F_NEIGHBOUR, F_SLOT, F_INCARNATION, F_TEXT } },
	[CTL_FAREWELL]	= { "farewell", G, 0, { F_REPLICA, F_NEIGHBOUR } },
	[CTL_DISMISS]	= { "dismiss", G, 0, { F_REPLICA } },
	[CTL_ADOPT]	= { "adopt", S | G, CTL_ADOPTED,	/* or REFUSED */
	    { F_ID, F_REPLICA, F_FLAGS, F_WHY, F_VALUE, F_TIME } },
	[CTL_ADOPTED]	= { "adopted", S | G, 0, { F_ID, F_REPLICA } },
	[CTL_REFUSED]	= { "refused", S | G, 0,
	    { F_ID, F_REPLICA, F_WHY, F_TEXT } },
	[CTL_GONE]	= { "gone", S, CTL_PARTED,
	    { F_ID, F_REPLICA, F_FLAGS, F_WHY, F_UID } },
	[CTL_PARTED]	= { "parted", G, 0,
	    { F_ID, F_REPLICA, F_FLAGS, F_WHY, F_UID } },
	[CTL_PING]	= { "ping", G, CTL_PONG, { F_ID } },
	[CTL_PONG]	= { "pong", S, 0, { F_ID } },
	[CTL_DEAD]	= { "dead", G, 0, { F_SLOT, F_INCARNATION } },
	[CTL_LINK_LOST]	= { "link-lost", S, 0,
	    { F_SLOT, F_INCARNATION, F_TEXT } },
	[CTL_DRAIN]	= { "drain", G | K, 0,
	    { F_FLAGS, F_WHY, F_MS, F_SLOT, F_TEXT } },
	[CTL_STATUS_ASK] = { "status-ask", G | K, CTL_STATUS,
	    { F_ID, F_FLAGS, F_TEXT } },
	[CTL_STATUS]	= { "status", S | G, 0,
	    { F_ID, F_FLAGS, F_TEXT, F_LIMIT } },
	[CTL_FORGET]	= { "forget", K, CTL_STATUS, { F_ID, F_GROUP } },
	[CTL_AUTHORITY]	= { "authority", G, 0,
	    { F_REPLICA, F_NEIGHBOUR, F_TIME } },
	[CTL_POISON]	= { "poison", G, 0, { F_REPLICA, F_NEIGHBOUR, F_ID } },
	[CTL_LEAVING]	= { "leaving", S, 0, { F_END } },
	[CTL_LOST]	= { "lost", G, 0,
	    { F_REPLICA, F_NEIGHBOUR, F_FLAGS, F_TEXT } },
};

#undef S
#undef G
#undef K

const char *
ctl_name(enum ctl_type type)
{
	if ((unsigned)type >= nitems(rows) || rows[type].name == NULL)
		return ("unknown");
	return (rows[type].name);
}

unsigned
ctl_from(enum ctl_type type)
{
	return ((unsigned)type < nitems(rows) ? rows[type].from : 0);
}

enum ctl_type
ctl_answer(enum ctl_type type)
{
	return ((unsigned)type < nitems(rows) ? rows[type].answer : 0);
}

size_t
ctl_fds(const struct ctl *m)
{
	if (m->type == CTL_HELLO)
		return (m->flags & CTL_F_PAGE ? 1 : 0);
	if (m->type != CTL_ADOPT)
		return (0);
	return (m->flags & CTL_F_MEMFD ? 2 : 1);
}

void
ctl_encode(struct buf *b, const struct ctl *m)
{
	const struct row	*row;
	size_t			 i, n;

	if ((unsigned)m->type >= nitems(rows) || rows[m->type].name == NULL) {
		b->failed = 1;
		return;
	}
	row = &rows[m->type];
	for (n = 0; n < nitems(row->fields) && row->fields[n] != F_END; n++)
		;
	pack_array(b, 1 + n);
	pack_u64(b, m->type);
	for (i = 0; i < n; i++)
		pack_field(b, &fields[row->fields[i]], m);
}

int
ctl_decode(struct ctl *m, struct pack_in *packet)
{
	struct pack_in		 in = pack_in_array(packet);
	const struct row	*row;

	memset(m, 0, sizeof(*m));
	m->type = (enum ctl_type)pack_in_u64(&in, CTL_NTYPES - 1);
	row = &rows[m->type];
	if (row->name == NULL)		/* type 0, also when it is no number */
		goto bad;
	for (size_t i = 0; i < nitems(row->fields) && row->fields[i] != F_END;
	    i++)
		pack_in_field(&in, &fields[row->fields[i]], m);
	if (in.bad)
		goto bad;
	return (0);
bad:
	packet->bad = 1;
	errno = EPROTO;
	return (-1);
}

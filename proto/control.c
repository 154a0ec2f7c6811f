/* Messages between the gateway and its shards: the table. */
#include <errno.h>

#include "proto/control.h"

enum field {
	F_END = PACK_END, F_LATER = PACK_LATER,
	F_ID = PACK_FIRST, F_REPLICA, F_NEIGHBOUR, F_INCARNATION, F_SLOT,
	F_LOW, F_HIGH, F_PID, F_LIMIT, F_FLAGS, F_WHY, F_MS, F_TIME,
	F_JOURNEY, F_CAPSULE, F_HOPS, F_STAYED,
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
	[F_JOURNEY]	= U64(journey),
	[F_CAPSULE]	= U32(capsule, UINT32_MAX),
	[F_HOPS]	= U32(hops, UINT32_MAX),
	[F_STAYED]	= U32(stayed, UINT32_MAX),
	[F_GROUP]	= STR(group, GROUP_MAX),
	[F_UID]		= STR(uid, UID_MAX),
	[F_APP]		= STR(app, APP_MAX),
	[F_TEXT]	= STR(text, CTL_TEXT_MAX),
	[F_VALUE]	= STR(value, CTL_VALUE_MAX),
};

/*
 * One row a message.  A new field stands at the end of its row, behind an F_LATER
 * that divides it from those that all senders know: they leave it out, and it is 0
 * or empty.  A new message is passed over by those that do not know it.  Neither
 * raises WIRE_VERSION, which limits.h says more about.
 */
static const struct row {
	const char	*name;
	uint8_t		 fields[PACK_ROW];
} rows[CTL_NTYPES] = {
	[CTL_HELLO]	= { "hello",
	    { F_SLOT, F_INCARNATION, F_LOW, F_HIGH, F_PID, F_LIMIT, F_TIME,
	      F_TEXT, F_FLAGS, F_LATER, F_CAPSULE } },
	[CTL_HAVE_REPLICA] = { "have-replica",
	    { F_REPLICA, F_LIMIT, F_FLAGS, F_TIME, F_GROUP, F_APP } },
	[CTL_HAVE_CONN]	= { "have-conn",
	    { F_ID, F_REPLICA, F_FLAGS, F_TIME, F_UID, F_LATER, F_NEIGHBOUR,
	      F_HOPS } },
	[CTL_HELD]	= { "held", { F_END } },
	[CTL_WELCOME]	= { "welcome",
	    { F_HIGH, F_INCARNATION, F_TEXT, F_VALUE, F_FLAGS, F_LATER,
	      F_CAPSULE } },
	[CTL_OPTION]	= { "option", { F_TEXT, F_VALUE } },
	[CTL_START]	= { "start", { F_END } },
	[CTL_READY]	= { "ready", { F_END } },
	[CTL_REPLICA]	= { "replica",
	    { F_REPLICA, F_LIMIT, F_FLAGS, F_GROUP, F_APP } },
	[CTL_NEIGHBOUR]	= { "neighbour",
	    { F_REPLICA, F_NEIGHBOUR, F_SLOT, F_INCARNATION, F_TEXT } },
	[CTL_FAREWELL]	= { "farewell", { F_REPLICA, F_NEIGHBOUR } },
	[CTL_DISMISS]	= { "dismiss", { F_REPLICA } },
	[CTL_ADOPT]	= { "adopt",		/* answered by ADOPTED or REFUSED */
	    { F_ID, F_REPLICA, F_FLAGS, F_WHY, F_VALUE, F_TIME } },
	[CTL_ADOPTED]	= { "adopted", { F_ID, F_REPLICA } },
	[CTL_REFUSED]	= { "refused",
	    { F_ID, F_REPLICA, F_WHY, F_TEXT, F_LATER, F_FLAGS } },
	[CTL_GONE]	= { "gone",
	    { F_ID, F_REPLICA, F_FLAGS, F_WHY, F_UID } },
	[CTL_PARTED]	= { "parted",
	    { F_ID, F_REPLICA, F_FLAGS, F_WHY, F_UID } },
	[CTL_PING]	= { "ping", { F_ID } },
	[CTL_PONG]	= { "pong", { F_ID } },
	[CTL_DEAD]	= { "dead",
	    { F_SLOT, F_INCARNATION, F_LATER, F_TEXT } },
	[CTL_LINK_LOST]	= { "link-lost",
	    { F_SLOT, F_INCARNATION, F_TEXT } },
	[CTL_DRAIN]	= { "drain",
	    { F_FLAGS, F_WHY, F_MS, F_SLOT, F_TEXT } },
	[CTL_STATUS_ASK] = { "status-ask",
	    { F_ID, F_FLAGS, F_TEXT } },
	[CTL_STATUS]	= { "status",
	    { F_ID, F_FLAGS, F_TEXT, F_LIMIT } },
	[CTL_FORGET]	= { "forget", { F_ID, F_GROUP } },
	[CTL_AUTHORITY]	= { "authority",
	    { F_REPLICA, F_NEIGHBOUR, F_TIME } },
	[CTL_POISON]	= { "poison", { F_REPLICA, F_NEIGHBOUR, F_ID } },
	[CTL_LEAVING]	= { "leaving", { F_END } },
	[CTL_ACT]	= { "act",
	    { F_ID, F_TEXT, F_SLOT, F_MS, F_GROUP, F_UID, F_APP, F_VALUE } },
	[CTL_END]	= { "end", { F_ID, F_WHY } },
	[CTL_BECOME]	= { "become", { F_ID, F_UID } },
	[CTL_STAY]	= { "stay", { F_ID, F_UID } },
	[CTL_LOST]	= { "lost", { F_REPLICA, F_NEIGHBOUR, F_FLAGS, F_TEXT,
	      F_LATER, F_SLOT, F_INCARNATION } },
	/* That shard is dead, of the node in value (empty: ours), and these uids of the
	 * group with it; no group: all have been named. */
	[CTL_OBITUARY]	= { "obituary",
	    { F_SLOT, F_INCARNATION, F_GROUP, F_TEXT, F_VALUE } },

	/* An application moves connections, with blobs of that version; 0: it does
	 * not.  Its name empty: all routes'. */
	[CTL_HAVE_APP]	= { "have-app", { F_APP, F_HIGH } },
	/* A journey, to or from that shard, whose process is pid; our end of the ferry. */
	[CTL_FERRY]	= { "ferry",
	    { F_JOURNEY, F_FLAGS, F_SLOT, F_INCARNATION, F_LIMIT, F_PID } },
	/* Connection id of `replica` is to go to `neighbour` (both 0: of no group).
	 * Answered by MOVED or STAYED. */
	[CTL_MOVE]	= { "move",
	    { F_JOURNEY, F_ID, F_REPLICA, F_NEIGHBOUR } },
	/* No other MOVE follows: JOURNEY_DONE when all are answered. */
	[CTL_JOURNEY_END] = { "journey-end", { F_JOURNEY, F_FLAGS } },
	/* Connection id is not in `replica` any more, but in `neighbour`. */
	[CTL_MOVED]	= { "moved",
	    { F_JOURNEY, F_ID, F_REPLICA, F_NEIGHBOUR } },
	/* Connection id is where it was; why is a sentence. */
	[CTL_STAYED]	= { "stayed",
	    { F_JOURNEY, F_ID, F_REPLICA, F_NEIGHBOUR, F_FLAGS, F_TEXT } },
	/* Connection id is in `replica` from now on, from `neighbour`, by journey; in
	 * time: how long nobody read it. */
	[CTL_ARRIVED]	= { "arrived",
	    { F_JOURNEY, F_ID, F_REPLICA, F_NEIGHBOUR, F_TIME, F_HOPS } },
	/* From A: the journey is over, or its other side has ended. */
	[CTL_JOURNEY_DONE] = { "journey-done",
	    { F_JOURNEY, F_LIMIT, F_STAYED } },

	/* On a ferry.  Connection id of uid is to come to `replica` (0: none), for
	 * app. */
	[CTL_EXPECT]	= { "expect",
	    { F_ID, F_REPLICA, F_NEIGHBOUR, F_LOW, F_HIGH, F_UID, F_APP } },
	[CTL_EXPECTED]	= { "expected", { F_ID, F_REPLICA } },
	/* Nothing is to come any more. */
	[CTL_FERRY_END]	= { "ferry-end", { F_JOURNEY } },

	/* To a gateway, after WELCOME: a copy of the descriptor of connection id,
	 * which it keeps for when this shard dies. */
	[CTL_COVER]	= { "cover", { F_ID } },
	/* A listening socket, called text: to a shard, which only holds it, and back
	 * to the next gateway. */
	[CTL_LISTENING]	= { "listening", { F_TEXT, F_FLAGS } },
};

const char *
ctl_name(enum ctl_type type)
{
	if ((unsigned)type >= nitems(rows) || rows[type].name == NULL)
		return ("unknown");
	return (rows[type].name);
}

size_t
ctl_fds(const struct ctl *m)
{
	switch (m->type) {
	case CTL_HELLO:
		return (m->flags & CTL_F_PAGE ? 1 : 0);
	case CTL_ADOPT:
		return (m->flags & CTL_F_MEMFD ? 2 : 1);
	case CTL_FERRY:
	case CTL_LISTENING:
	case CTL_COVER:
		return (1);
	default:
		return (0);
	}
}

void
ctl_encode(struct buf *b, const struct ctl *m)
{
	if ((unsigned)m->type >= nitems(rows) || rows[m->type].name == NULL) {
		b->failed = 1;
		return;
	}
	pack_row(b, m->type, rows[m->type].fields, fields, m, 1);
}

int
ctl_decode(struct ctl *m, struct pack_in *packet)
{
	struct pack_in	 in = pack_in_array(packet);
	uint64_t	 type = pack_in_u64(&in, UINT32_MAX);

	memset(m, 0, sizeof(*m));
	if (in.bad || type == 0) {	/* 0, also when it is no number */
		in.bad = 1;
		goto out;
	}
	if (type >= nitems(rows) || rows[type].name == NULL)
		return (1);
	m->type = (enum ctl_type)type;
	pack_in_row(&in, rows[type].fields, fields, m);
out:
	if (!in.bad)
		return (0);
	packet->bad = 1;
	errno = EPROTO;
	return (-1);
}

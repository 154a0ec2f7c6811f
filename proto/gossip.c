/* Messages between two shards of a node: the table. */
#include <errno.h>

#include "proto/gossip.h"

enum field {
	F_END = PACK_END, F_LATER = PACK_LATER,
	F_ASK = PACK_FIRST, F_TO, F_FROM, F_SEQ, F_INCARNATION, F_SLOT, F_LOW,
	F_HIGH, F_FLAGS, F_UID, F_PAYLOAD, F_TERM, F_TOPICS, F_AFTER, F_ERA, F_OF,
	F_SAID, F_PRIOR, F_HEAD, F_GROUP, F_APP
};

#define U32(m, max)	{ PACK_U32, offsetof(struct gossip, m), max }
#define U64(m)		{ PACK_U64, offsetof(struct gossip, m), UINT64_MAX }
#define STR(m, max)	{ PACK_SLICE, offsetof(struct gossip, m), max }

static const struct pack_field fields[] = {
	[F_ASK]		= U64(ask),
	[F_TO]		= U64(to),
	[F_FROM]	= U64(from),
	[F_SEQ]		= U64(seq),
	[F_INCARNATION]	= U64(incarnation),
	[F_SLOT]	= U32(slot, SLOTS_MAX - 1),
	[F_LOW]		= U32(low, UINT32_MAX),
	[F_HIGH]	= U32(high, UINT32_MAX),
	[F_FLAGS]	= U32(flags, UINT32_MAX),
	[F_UID]		= STR(uid, UID_MAX),
	[F_PAYLOAD]	= { PACK_BEHIND, offsetof(struct gossip, payload),
			    LINK_FRAME_MAX },
	[F_TERM]	= U64(term),
	[F_AFTER]	= U64(after),
	[F_ERA]		= U64(era),
	[F_SAID]	= U64(said),
	[F_PRIOR]	= U64(prior),
	[F_OF]		= U32(of, GOSSIP_NTYPES - 1),
	[F_TOPICS]	= STR(topics, TOPICS_MAX),
	[F_GROUP]	= STR(group, GROUP_MAX),
	[F_APP]		= STR(app, APP_MAX),
	[F_HEAD]	= STR(head, TELL_HEAD_MAX),
};

/*
 * One row a message; shards are equal, both send all of them.  Fields behind F_LATER
 * are of version 2: the number of what was said; DONE's.  A new field stands
 * at the end of its row, behind an F_LATER that divides it from those that all
 * senders know, also in a row with a payload: of that only the length stands in the
 * row, the bytes follow the array.  A new message is passed over by those that do
 * not know it.  Neither raises WIRE_VERSION, which limits.h says more about.
 */
static const struct row {
	const char	*name;
	enum gossip_type answer;	/* 0: none */
	uint8_t		 fields[PACK_ROW];
} rows[GOSSIP_NTYPES] = {
	[GOSSIP_HELLO]	= { "hello", 0,
	    { F_SLOT, F_INCARNATION, F_LOW, F_HIGH } },
	[GOSSIP_MEET]	= { "meet", GOSSIP_DONE, { F_ASK, F_TO, F_FROM } },
	[GOSSIP_CAST]	= { "cast", GOSSIP_DONE,
	    { F_ASK, F_TO, F_FROM, F_SEQ, F_FLAGS, F_UID, F_PAYLOAD, F_LATER,
	      F_SAID, F_PRIOR } },
	[GOSSIP_WHISPER] = { "whisper", GOSSIP_DONE,
	    { F_ASK, F_TO, F_FROM, F_SEQ, F_FLAGS, F_UID, F_PAYLOAD, F_LATER,
	      F_SAID, F_PRIOR } },
	[GOSSIP_ASK]	= { "ask", GOSSIP_ANSWER,
	    { F_ASK, F_TO, F_FROM, F_PAYLOAD } },
	[GOSSIP_ANSWER]	= { "answer", 0, { F_ASK, F_FLAGS, F_PAYLOAD } },
	[GOSSIP_DONE]	= { "done", 0,
	    { F_ASK, F_LATER, F_TO, F_FROM, F_SAID, F_LATER, F_PRIOR } },
	[GOSSIP_ASKME]	= { "askme", GOSSIP_DONE, { F_ASK, F_FLAGS } },
	[GOSSIP_PUBLISH] = { "publish", GOSSIP_DONE,
	    { F_ASK, F_TO, F_FROM, F_SEQ, F_FLAGS, F_UID, F_TOPICS,
	      F_PAYLOAD, F_LATER, F_SAID, F_PRIOR } },
	[GOSSIP_STEP]	= { "step", 0,
	    { F_TO, F_FROM, F_TERM, F_SEQ, F_AFTER, F_PAYLOAD } },
	[GOSSIP_REIGN]	= { "reign", 0,
	    { F_TO, F_FROM, F_TERM, F_SEQ, F_FLAGS, F_ERA } },
	[GOSSIP_AT]	= { "at", 0,
	    { F_TO, F_FROM, F_TERM, F_SEQ, F_FLAGS, F_ERA } },
	[GOSSIP_NEWS]	= { "news", 0,
	    { F_TO, F_FROM, F_TERM, F_SEQ, F_ERA, F_PAYLOAD } },
	[GOSSIP_ACK]	= { "ack", 0, { F_TO, F_FROM, F_TERM, F_SEQ } },
	[GOSSIP_STATE]	= { "state", 0,
	    { F_TO, F_FROM, F_TERM, F_SEQ, F_FLAGS, F_ERA, F_AFTER,
	      F_PAYLOAD } },
	[GOSSIP_UIDS]	= { "uids", GOSSIP_ANSWER,
	    { F_ASK, F_TO, F_FROM, F_LOW, F_UID } },
	[GOSSIP_CLOSE]	= { "close", GOSSIP_DONE,
	    { F_ASK, F_TO, F_FROM, F_LOW, F_UID, F_PAYLOAD } },
	[GOSSIP_FENCE]	= { "fence", GOSSIP_DONE, { F_ASK, F_TO, F_FROM } },
	[GOSSIP_JOIN]	= { "join", GOSSIP_DONE,
	    { F_ASK, F_FROM, F_SAID, F_GROUP, F_APP } },
	[GOSSIP_LEAVE]	= { "leave", 0, { F_TO, F_FROM } },
	[GOSSIP_TELL]	= { "tell", 0,
	    { F_TO, F_FROM, F_SEQ, F_SAID, F_PRIOR, F_HEAD, F_PAYLOAD,
	      F_LATER, F_FLAGS } },
	[GOSSIP_LOST]	= { "lost", 0,
	    { F_TO, F_FROM, F_AFTER, F_SEQ, F_OF, F_FLAGS, F_UID, F_TOPICS,
	      F_LATER, F_SAID, F_PRIOR } },
};

const char *
gossip_name(enum gossip_type type)
{
	if ((unsigned)type >= nitems(rows) || rows[type].name == NULL)
		return ("unknown");
	return (rows[type].name);
}

enum gossip_type
gossip_answer(enum gossip_type type)
{
	return ((unsigned)type < nitems(rows) ? rows[type].answer : 0);
}

void
gossip_encode(struct buf *b, const struct gossip *m, unsigned version)
{
	if ((unsigned)m->type >= nitems(rows) || rows[m->type].name == NULL) {
		b->failed = 1;
		return;
	}
	pack_row(b, m->type, rows[m->type].fields, fields, m,
	    version > WIRE_OLDEST);
}

int
gossip_decode(struct gossip *m, const char *data, size_t len)
{
	struct pack_in	 in;
	struct slice	 rest;
	uint64_t	 type;

	memset(m, 0, sizeof(*m));
	if (pack_open_head(&in, data, len, &rest) == -1)
		return (-1);
	type = pack_in_u64(&in, UINT32_MAX);
	if (in.bad || type == 0)	/* 0, also when it is no number */
		goto bad;
	if (type >= nitems(rows) || rows[type].name == NULL)
		return (1);
	m->type = (enum gossip_type)type;
	pack_in_row(&in, rows[type].fields, fields, m);
	if (in.bad)
		goto bad;
	/* A row without a payload may have got one in a later version. */
	if (memchr(rows[type].fields, F_PAYLOAD, PACK_ROW) != NULL) {
		if (m->payload.len != rest.len)
			goto bad;
		m->payload = rest;
	}
	return (0);
bad:
	errno = EPROTO;
	return (-1);
}

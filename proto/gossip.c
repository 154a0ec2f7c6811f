/* Messages between two shards of a node: the table. */
#include <errno.h>

#include "proto/gossip.h"

enum field {
	F_END,
	F_ASK, F_TO, F_FROM, F_SEQ, F_INCARNATION, F_SLOT, F_LOW, F_HIGH,
	F_FLAGS, F_UID, F_PAYLOAD, F_TERM, F_TOPICS, F_AFTER, F_ERA, F_OF
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
	[F_PAYLOAD]	= STR(payload, LINK_FRAME_MAX),
	[F_TERM]	= U64(term),
	[F_AFTER]	= U64(after),
	[F_ERA]		= U64(era),
	[F_OF]		= U32(of, GOSSIP_NTYPES - 1),
	[F_TOPICS]	= STR(topics, TOPICS_MAX),
};

/*
 * One row a message; shards are equal, both send all of them.  New fields are
 * added at the end, but a row with a payload stays as it is: the payload's
 * bytes follow the encoded part.
 */
static const struct row {
	const char	*name;
	enum gossip_type answer;	/* 0: none */
	uint8_t		 fields[9];
} rows[GOSSIP_NTYPES] = {
	[GOSSIP_HELLO]	= { "hello", 0,
	    { F_SLOT, F_INCARNATION, F_LOW, F_HIGH } },
	[GOSSIP_MEET]	= { "meet", GOSSIP_DONE, { F_ASK, F_TO, F_FROM } },
	[GOSSIP_CAST]	= { "cast", GOSSIP_DONE,
	    { F_ASK, F_TO, F_FROM, F_SEQ, F_FLAGS, F_UID, F_PAYLOAD } },
	[GOSSIP_WHISPER] = { "whisper", GOSSIP_DONE,
	    { F_ASK, F_TO, F_FROM, F_SEQ, F_FLAGS, F_UID, F_PAYLOAD } },
	[GOSSIP_ASK]	= { "ask", GOSSIP_ANSWER,
	    { F_ASK, F_TO, F_FROM, F_PAYLOAD } },
	[GOSSIP_ANSWER]	= { "answer", 0, { F_ASK, F_FLAGS, F_PAYLOAD } },
	[GOSSIP_DONE]	= { "done", 0, { F_ASK } },
	[GOSSIP_ASKME]	= { "askme", GOSSIP_DONE, { F_ASK, F_FLAGS } },
	[GOSSIP_PUBLISH] = { "publish", GOSSIP_DONE,
	    { F_ASK, F_TO, F_FROM, F_SEQ, F_FLAGS, F_UID, F_TOPICS,
	      F_PAYLOAD } },
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
	[GOSSIP_LOST]	= { "lost", 0,
	    { F_TO, F_FROM, F_AFTER, F_SEQ, F_OF, F_FLAGS, F_UID, F_TOPICS } },
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
gossip_encode(struct buf *b, const struct gossip *m)
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
	for (i = 0; i < n; i++) {
		if (row->fields[i] != F_PAYLOAD)
			pack_field(b, &fields[row->fields[i]], m);
		else if (m->payload.len > LINK_FRAME_MAX)
			b->failed = 1;
		else
			pack_str_head(b, m->payload.len);
	}
}

int
gossip_decode(struct gossip *m, const char *data, size_t len)
{
	struct pack_in		 in;
	const struct row	*row;

	memset(m, 0, sizeof(*m));
	if (pack_open(&in, data, len) == -1)
		return (-1);
	m->type = (enum gossip_type)pack_in_u64(&in, GOSSIP_NTYPES - 1);
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
	errno = EPROTO;
	return (-1);
}

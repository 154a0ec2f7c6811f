/* What the replicas of a server tell each other: the table. */
#include <errno.h>

#include "proto/fasttcp.h"
#include "proto/pack.h"
#include "shardd/events/word.h"

#define WORD_NAMES_MAX	(256 << 10)	/* bytes of a list */

enum field {
	F_END = PACK_END, F_LATER = PACK_LATER,
	F_NUMBER = PACK_FIRST, F_WHOM, F_DATA_TYPE, F_FLAGS, F_NAMES, F_EXCEPT,
	F_EVENT
};

#define U32(m, max)	{ PACK_U32, offsetof(struct word, m), max }
#define STR(m, max)	{ PACK_SLICE, offsetof(struct word, m), max }

static const struct pack_field fields[] = {
	[F_NUMBER]	= { PACK_U64, offsetof(struct word, number), UINT64_MAX },
	[F_WHOM]	= U32(whom, WHOM_NKINDS - 1),
	[F_DATA_TYPE]	= U32(data_type, FASTTCP_EMPTY),
	[F_FLAGS]	= U32(flags, UINT32_MAX),
	[F_NAMES]	= STR(names, WORD_NAMES_MAX),
	[F_EXCEPT]	= STR(except, WORD_NAMES_MAX),
	[F_EVENT]	= STR(event, FASTTCP_EVENT_MAX),
};

/* A new field stands behind an F_LATER, and a new word is passed over by those who
 * do not know it, as in proto/gossip.c. */
static const uint8_t rows[WORD_NTYPES][PACK_ROW] = {
	[WORD_SAY]	= { F_WHOM, F_NAMES, F_EXCEPT, F_DATA_TYPE, F_EVENT,
			    F_LATER, F_NUMBER },
	[WORD_OPEN]	= { F_NUMBER, F_WHOM, F_NAMES, F_EXCEPT, F_DATA_TYPE,
			    F_EVENT, F_LATER, F_FLAGS },
	[WORD_CHUNK]	= { F_NUMBER, F_DATA_TYPE },
	[WORD_END]	= { F_NUMBER, F_LATER, F_EVENT },
	[WORD_NOBODY]	= { F_NUMBER },
	[WORD_PRESS]	= { F_NUMBER, F_FLAGS },
	[WORD_ROOMS]	= { F_FLAGS, F_NAMES, F_EVENT },
	[WORD_DELIVER]	= { F_WHOM, F_NAMES, F_EXCEPT, F_DATA_TYPE, F_EVENT },
	[WORD_LINK_UP]	= { F_NUMBER, F_NAMES, F_EVENT },
	[WORD_LINK_SAYS] = { F_NUMBER },
	[WORD_LINK_SEND] = { F_NUMBER },
	[WORD_LINK_DOWN] = { F_NUMBER },
	[WORD_MEMBERS]	= { F_NUMBER, F_EVENT },
	[WORD_HOLDER]	= { F_NUMBER },
	[WORD_LINK_PRESS] = { F_NUMBER, F_FLAGS },
	[WORD_NOTICE]	= { F_FLAGS, F_NUMBER, F_EVENT },
	[WORD_WAIT]	= { F_NUMBER },
	[WORD_LINK_KENNEL] = { F_NUMBER },
	[WORD_ASK]	= { F_NUMBER, F_FLAGS, F_NAMES, F_DATA_TYPE, F_EVENT },
	[WORD_ANSWER]	= { F_NUMBER, F_FLAGS, F_DATA_TYPE },
};

void
word_encode(struct buf *b, const struct word *w)
{
	pack_row(b, w->type, rows[w->type], fields, w, 1);
}

int
word_decode(struct word *w, struct slice head)
{
	struct pack_in	 in;
	uint64_t	 type;

	memset(w, 0, sizeof(*w));
	if (pack_open(&in, head.data, head.len) == -1)
		return (-1);
	type = pack_in_u64(&in, UINT32_MAX);
	if (!in.bad && type >= WORD_NTYPES)
		return (1);
	if (!in.bad && type > 0)
		pack_in_row(&in, rows[type], fields, w);
	if (in.bad || type == 0) {
		errno = EPROTO;
		return (-1);
	}
	w->type = (enum word_type)type;
	return (0);
}

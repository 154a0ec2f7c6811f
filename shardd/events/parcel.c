/* Letters between kennels. */
#include "proto/pack.h"
#include "shardd/events/parcel.h"

#define PARCEL_LENGTH	4		/* bytes before the head */
#define PARCEL_LIST_MAX	((size_t)64 << 20)	/* bytes of names, at most */

enum { PARCEL_LETTER = 1 };		/* what one is; others may come */

/* What stands in its head. */
struct head {
	uint32_t	 hops, whom, data_type;
	struct slice	 names, except, event;
};

enum field {
	F_END = PACK_END, F_LATER = PACK_LATER,
	F_HOPS = PACK_FIRST, F_WHOM, F_DATA_TYPE, F_NAMES, F_EXCEPT, F_EVENT
};

#define U32(m, max)	{ PACK_U32, offsetof(struct head, m), max }
#define STR(m, max)	{ PACK_SLICE, offsetof(struct head, m), max }

static const struct pack_field fields[] = {
	[F_HOPS]	= U32(hops, UINT32_MAX),
	[F_WHOM]	= U32(whom, WHOM_NKINDS - 1),
	[F_DATA_TYPE]	= U32(data_type, FASTTCP_EMPTY),
	[F_NAMES]	= STR(names, PARCEL_LIST_MAX),
	[F_EXCEPT]	= STR(except, PARCEL_LIST_MAX),
	[F_EVENT]	= STR(event, FASTTCP_EVENT_MAX),
};

/* A new field stands behind an F_LATER. */
static const uint8_t row[PACK_ROW] = {
	F_HOPS, F_WHOM, F_DATA_TYPE, F_NAMES, F_EXCEPT, F_EVENT
};

void
parcel_write(struct buf *b, const struct letter *l, unsigned hops)
{
	const struct head	 h = { .hops = hops, .whom = l->whom,
				    .data_type = l->data_type,
				    .names = l->names, .except = l->except,
				    .event = l->event };
	struct buf		 text = { 0 };
	char			 length[PARCEL_LENGTH];

	pack_row(&text, PARCEL_LETTER, row, fields, &h, 1);
	for (size_t i = 0; i < sizeof(length); i++)
		length[i] = (char)(text.len >> (8 * i));
	buf_add(b, length, sizeof(length));
	buf_add(b, text.data, text.len);
	buf_add(b, l->data.data, l->data.len);
	b->failed |= text.failed;
	buf_clear(&text);
}

/* The head that stands in s, and the data behind it: 0, or -1. */
static int
parcel_head(struct head *h, struct slice *data, struct slice s)
{
	struct pack_in	 in;
	size_t		 n = 0;

	if (s.len < PARCEL_LENGTH)
		return (-1);
	for (size_t i = 0; i < PARCEL_LENGTH; i++)
		n |= (size_t)(uint8_t)s.data[i] << (8 * i);
	if (n > s.len - PARCEL_LENGTH ||
	    pack_open(&in, s.data + PARCEL_LENGTH, n) == -1 ||
	    pack_in_u64(&in, UINT32_MAX) != PARCEL_LETTER || in.bad)
		return (-1);
	pack_in_row(&in, row, fields, h);
	*data = slice_of(s.data + PARCEL_LENGTH + n, s.len - PARCEL_LENGTH - n);
	return (in.bad ? -1 : 0);
}

int
parcel_read(struct letter *l, unsigned *hops, const struct fasttcp_frame *f)
{
	struct head	 h = { 0 };
	struct slice	 data;

	if (f->data_type != FASTTCP_BINARY || parcel_head(&h, &data,
	    f->data) == -1 || h.whom < WHOM_ALL || h.data_type <
	    FASTTCP_STRING || !fasttcp_fits(h.data_type, &data))
		return (-1);
	*hops = h.hops;
	*l = (struct letter){ .whom = (enum word_whom)h.whom,
	    .names = h.names, .event = h.event, .data = data,
	    .data_type = (uint8_t)h.data_type,
	    .except = h.except.len == 0 ? slice_of(NULL, 0) : h.except };
	return (0);
}

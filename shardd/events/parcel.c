/* What kennels say to each other. */
#include "proto/pack.h"
#include "shardd/events/asking_why.h"
#include "shardd/events/parcel.h"

#define PARCEL_LENGTH	4		/* bytes before the head */
#define PARCEL_LIST_MAX	((size_t)64 << 20)	/* bytes of names, at most */

/* What stands in its head. */
struct head {
	uint32_t	 hops, whom, data_type, flags, wait;
	uint64_t	 epoch, sequence, number, place;
	struct slice	 origin, names, except, event;
};

enum field {
	F_END = PACK_END, F_LATER = PACK_LATER,
	F_HOPS = PACK_FIRST, F_ORIGIN, F_EPOCH, F_SEQUENCE, F_WHOM, F_DATA_TYPE,
	F_NAMES, F_EXCEPT, F_EVENT, F_NUMBER, F_PLACE, F_FLAGS, F_WAIT
};

#define U32(m, max)	{ PACK_U32, offsetof(struct head, m), max }
#define U64(m)		{ PACK_U64, offsetof(struct head, m), UINT64_MAX }
#define STR(m, max)	{ PACK_SLICE, offsetof(struct head, m), max }

static const struct pack_field fields[] = {
	[F_HOPS]	= U32(hops, UINT32_MAX),
	[F_ORIGIN]	= STR(origin, HOST_MAX),
	[F_EPOCH]	= U64(epoch),
	[F_SEQUENCE]	= U64(sequence),
	[F_WHOM]	= U32(whom, WHOM_NKINDS - 1),
	[F_DATA_TYPE]	= U32(data_type, FASTTCP_EMPTY),
	[F_NAMES]	= STR(names, PARCEL_LIST_MAX),
	[F_EXCEPT]	= STR(except, PARCEL_LIST_MAX),
	[F_EVENT]	= STR(event, FASTTCP_EVENT_MAX),
	[F_NUMBER]	= U64(number),
	[F_PLACE]	= U64(place),
	[F_FLAGS]	= U32(flags, UINT32_MAX),
	[F_WAIT]	= U32(wait, PARCEL_ANSWER_MS),
};

#define FROM		F_HOPS, F_ORIGIN, F_EPOCH, F_SEQUENCE

/* A new field stands behind an F_LATER, and a new kind is passed over by those who do
 * not know it. */
static const uint8_t rows[PARCEL_NKINDS][PACK_ROW] = {
	[PARCEL_LETTER]	= { FROM, F_WHOM, F_DATA_TYPE, F_NAMES, F_EXCEPT,
			    F_EVENT },
	[PARCEL_OPEN]	= { FROM, F_WHOM, F_DATA_TYPE, F_NAMES, F_EXCEPT,
			    F_EVENT, F_NUMBER },
	[PARCEL_CHUNK]	= { FROM, F_NUMBER, F_PLACE, F_DATA_TYPE },
	[PARCEL_END]	= { FROM, F_NUMBER, F_PLACE },
	[PARCEL_NOBODY]	= { FROM, F_NUMBER, F_EVENT },
	[PARCEL_PRESS]	= { FROM, F_NUMBER, F_FLAGS },
	[PARCEL_ASK]	= { FROM, F_NUMBER, F_WAIT, F_WHOM, F_DATA_TYPE,
			    F_NAMES, F_EVENT },
	[PARCEL_ANSWER]	= { FROM, F_NUMBER, F_FLAGS, F_DATA_TYPE },
	[PARCEL_BEAT]	= { FROM },
};

void
parcel_write(struct buf *b, const struct parcel *p)
{
	const struct letter	*l = &p->letter;
	const struct head	 h = { .hops = p->hops, .origin = p->origin,
				    .epoch = p->epoch, .sequence = p->sequence,
				    .number = p->number, .place = p->place,
				    .flags = p->flags, .wait = p->wait,
				    .whom = l->whom, .data_type = l->data_type,
				    .names = l->names, .except = l->except,
				    .event = l->event };
	struct buf		 text = { 0 };
	char			 length[PARCEL_LENGTH];

	pack_row(&text, p->kind, rows[p->kind], fields, &h, 1);
	for (size_t i = 0; i < sizeof(length); i++)
		length[i] = (char)(text.len >> (8 * i));
	buf_add(b, length, sizeof(length));
	buf_add(b, text.data, text.len);
	if (l->data.len > 0)
		buf_add(b, l->data.data, l->data.len);
	b->failed |= text.failed;
	buf_clear(&text);
}

/* The head that stands in s, and the data behind it: its kind, or -1. */
static int
parcel_head(struct head *h, struct slice *data, struct slice s)
{
	struct pack_in	 in;
	uint64_t	 kind;
	size_t		 n = 0;

	if (s.len < PARCEL_LENGTH)
		return (-1);
	for (size_t i = 0; i < PARCEL_LENGTH; i++)
		n |= (size_t)(uint8_t)s.data[i] << (8 * i);
	if (n > s.len - PARCEL_LENGTH ||
	    pack_open(&in, s.data + PARCEL_LENGTH, n) == -1)
		return (-1);
	kind = pack_in_u64(&in, UINT32_MAX);
	if (in.bad || kind == 0 || kind >= PARCEL_NKINDS)
		return (-1);
	pack_in_row(&in, rows[kind], fields, h);
	*data = slice_of(s.data + PARCEL_LENGTH + n, s.len - PARCEL_LENGTH - n);
	return (in.bad ? -1 : (int)kind);
}

/* May a parcel of this kind say that? */
static int
parcel_is_right(int kind, const struct head *h, struct slice *data)
{
	switch (kind) {
	case PARCEL_LETTER:
	case PARCEL_OPEN:
		return (h->whom >= WHOM_ALL && h->data_type >= FASTTCP_STRING &&
		    fasttcp_fits(h->data_type, data));
	case PARCEL_ASK:
		return (h->whom == WHOM_SOCKETS &&
		    h->data_type >= FASTTCP_STRING &&
		    fasttcp_fits(h->data_type, data));
	case PARCEL_CHUNK:
		return (h->data_type == FASTTCP_STRING ||
		    h->data_type == FASTTCP_BINARY);
	case PARCEL_ANSWER:
		return (h->flags != 0 || (h->data_type >= FASTTCP_STRING &&
		    fasttcp_fits(h->data_type, data)));
	default:
		return (1);
	}
}

int
parcel_read(struct parcel *p, const struct fasttcp_frame *f)
{
	struct head	 h = { 0 };
	struct slice	 data;
	int		 kind;

	if (f->data_type != FASTTCP_BINARY ||
	    (kind = parcel_head(&h, &data, f->data)) == -1 ||
	    !discovery_host_ok(h.origin) || !parcel_is_right(kind, &h, &data))
		return (-1);
	*p = (struct parcel){ .kind = (enum parcel_kind)kind, .hops = h.hops,
	    .origin = h.origin, .epoch = h.epoch, .sequence = h.sequence,
	    .number = h.number, .place = h.place, .flags = h.flags,
	    .wait = h.wait, .letter = {
		.whom = (enum word_whom)h.whom, .names = h.names,
		.event = h.event, .data = data,
		.data_type = (uint8_t)h.data_type,
		.except = h.except.len == 0 ? slice_of(NULL, 0) : h.except } };
	return (0);
}

int
parcel_back(const struct parcel *p, struct parcel *back)
{
	*back = (struct parcel){ .number = p->number };
	switch (p->kind) {
	case PARCEL_ASK:
		back->kind = PARCEL_ANSWER;
		back->flags = ASKING_UNREACHED;
		return (1);
	case PARCEL_OPEN:
	case PARCEL_CHUNK:
	case PARCEL_END:
		back->kind = PARCEL_NOBODY;
		return (1);
	default:
		return (0);
	}
}

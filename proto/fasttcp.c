/* The frames of fast-tcp, both dialects. */
#include <errno.h>

#include "proto/fasttcp.h"

#define HEAD_FIXED	4		/* version, flags, data type, type */

/*
 * One row a dialect.  codes: which byte a type is; 0 is a code as well, so that
 * `has` says which of them there are.
 */
struct fasttcp_dialect {
	uint8_t		 version;
	uint8_t		 policy;	/* it has a policy and cells */
	uint8_t		 least;		/* the smallest length of a frame */
	uint8_t		 codes[FASTTCP_NTYPES];
	uint8_t		 has[FASTTCP_NTYPES];
};

/* Those that both have, with their codes. */
#define FASTTCP_TYPES(X)						\
	X(REGISTER, 1, 5)						\
	X(DATA, 2, 100)							\
	X(TO_SOCKET, 3, 101)						\
	X(TO_ROOM, 4, 102)						\
	X(BROADCAST, 5, 103)						\
	X(DATA_WITH_ACK, 6, 104)					\
	X(ACK, 7, 105)							\
	X(JOIN, 8, 106)							\
	X(LEAVE, 9, 107)						\
	X(LEAVE_ALL, 10, 108)						\
	X(STREAM_OPEN, 11, 109)						\
	X(STREAM_DATA, 12, 110)						\
	X(STREAM_CLOSE, 13, 111)					\
	X(STREAM_OPEN_WITH_ACK, 14, 112)				\
	X(STREAM_OPEN_TO_SOCKET, 15, 113)				\
	X(STREAM_OPEN_TO_ROOM, 16, 114)					\
	X(STREAM_OPEN_BROADCAST, 17, 115)				\
	X(ERROR, 0, 0)

#define CODE_D1(name, d1, d2)	[FASTTCP_ ## name] = d1,
#define CODE_D2(name, d1, d2)	[FASTTCP_ ## name] = d2,
#define HAS(name, d1, d2)	[FASTTCP_ ## name] = 1,

static const struct fasttcp_dialect dialects[] = {
	{
		.version = 1, .policy = 0, .least = 14,
		.codes = { FASTTCP_TYPES(CODE_D1) },
		.has = { FASTTCP_TYPES(HAS) },
	},
	{
		.version = 2, .policy = 1, .least = 16,
		.codes = { FASTTCP_TYPES(CODE_D2)
			[FASTTCP_AUTH_SEED] = 1, [FASTTCP_AUTH_HMAC] = 2,
			[FASTTCP_UPLINK] = 3, [FASTTCP_DOWNLINK] = 4,
			[FASTTCP_NEW_LINK] = 200, [FASTTCP_DEL_LINK] = 201,
			[FASTTCP_JOIN_ROOM] = 202, [FASTTCP_LEAVE_ROOM] = 203,
			[FASTTCP_PARCEL] = 204 },
		.has = { FASTTCP_TYPES(HAS)
			[FASTTCP_AUTH_SEED] = 1, [FASTTCP_AUTH_HMAC] = 1,
			[FASTTCP_UPLINK] = 1, [FASTTCP_DOWNLINK] = 1,
			[FASTTCP_NEW_LINK] = 1, [FASTTCP_DEL_LINK] = 1,
			[FASTTCP_JOIN_ROOM] = 1, [FASTTCP_LEAVE_ROOM] = 1,
			[FASTTCP_PARCEL] = 1 },
	},
};
const struct fasttcp_dialect *const fasttcp_d1 = &dialects[0];
const struct fasttcp_dialect *const fasttcp_d2 = &dialects[1];

/* What sizes data may have, and what it is cut to; 0: as it is. */
static const struct {
	uint32_t	 least, most, cut;
	const char	*why;
} sizes[] = {
	[FASTTCP_STRING]	= { 0, UINT32_MAX, 0, NULL },
	[FASTTCP_BINARY]	= { 0, UINT32_MAX, 0, NULL },
	[FASTTCP_INTEGER]	= { 1, FASTTCP_INTEGER_LEN, 0,
				    "an integer not of 1 to 6 bytes" },
	[FASTTCP_DECIMAL]	= { FASTTCP_DECIMAL_LEN, UINT32_MAX,
				    FASTTCP_DECIMAL_LEN,
				    "a decimal of less than 8 bytes" },
	[FASTTCP_OBJECT]	= { 0, UINT32_MAX, 0, NULL },
	[FASTTCP_BOOLEAN]	= { 1, UINT32_MAX, 1,
				    "a boolean without a byte" },
	[FASTTCP_EMPTY]		= { 0, 0, 0, "empty data that has bytes" },
};

/* Little endian, as fast-tcp has it. */
static uint32_t
fasttcp_u32(const char *p)
{
	const uint8_t	*b = (const uint8_t *)p;

	return ((uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 |
	    (uint32_t)b[1] << 8 | b[0]);
}

/* The same of 16 bits. */
static uint32_t
fasttcp_u16(const char *p)
{
	const uint8_t	*b = (const uint8_t *)p;

	return ((uint32_t)b[1] << 8 | b[0]);
}

/* Write n bytes of v to dst, and return what is behind them. */
static char *
fasttcp_put(char *dst, uint64_t v, int n)
{
	for (int i = 0; i < n; i++)
		dst[i] = (char)(v >> (8 * i));
	return (dst + n);
}

unsigned
fasttcp_version(const struct fasttcp_dialect *d)
{
	return (d->version);
}

int
fasttcp_has(const struct fasttcp_dialect *d, enum fasttcp_type type)
{
	return ((unsigned)type < FASTTCP_NTYPES && d->has[type]);
}

/* What code is in d. */
static enum fasttcp_type
fasttcp_type(const struct fasttcp_dialect *d, uint8_t code)
{
	for (unsigned i = 1; i < FASTTCP_NTYPES; i++)
		if (d->has[i] && d->codes[i] == code)
			return ((enum fasttcp_type)i);
	return (FASTTCP_UNKNOWN);
}

/* ---- decoding ---- */

/* Why these first bytes begin no frame, or NULL. */
static const char *
fasttcp_begins(const struct fasttcp_in *in, struct slice s)
{
	uint32_t	 length;

	if (s.len < 4)
		return (NULL);
	length = fasttcp_u32(s.data);
	if (length < in->dialect->least)
		return ("a frame shorter than its head");
	if (length > in->max)
		return ("a frame longer than frame_max");
	if (s.len >= 5 && (uint8_t)s.data[4] != in->dialect->version)
		return ("another version of the protocol");
	return (NULL);
}

/* Read everything of f but its data.  n: the data's length.  Returns where the data
 * begins, 0: that has not come yet; or *why is set. */
static size_t
fasttcp_read_head(const struct fasttcp_dialect *d, struct slice s,
    struct fasttcp_frame *f, uint32_t *n, const char **why)
{
	uint32_t	 length = fasttcp_u32(s.data), cells = 0, event;
	size_t		 at = 4 + HEAD_FIXED;

	f->data_type = (uint8_t)s.data[6];
	f->type = fasttcp_type(d, (uint8_t)s.data[7]);
	if (d->policy) {
		f->policy = (uint8_t)s.data[at++];
		cells = (uint8_t)s.data[at++];
		f->cells = slice_of(s.data + at, cells);
		if (cells > length - d->least) {
			*why = "cells that end behind their frame";
			return (0);
		}
		at += cells;
	}
	if (s.len < at + 6)
		return (0);
	f->id = fasttcp_u32(s.data + at);
	event = fasttcp_u16(s.data + at + 4);
	at += 6;
	f->event = slice_of(s.data + at, event);
	if (event > length - d->least - cells) {
		*why = "an event that ends behind its frame";
		return (0);
	}
	at += event;
	if (s.len < at + 4)
		return (0);
	*n = fasttcp_u32(s.data + at);
	if (*n > length - d->least - cells - event) {
		*why = "data that ends behind its frame";
		return (0);
	}
	return (at + 4);
}

/* Why there is no such data of n bytes, or NULL. */
static const char *
fasttcp_data_bad(unsigned data_type, size_t n)
{
	if (data_type < FASTTCP_STRING || data_type > FASTTCP_EMPTY)
		return ("a data type that there is not");
	if (n < sizes[data_type].least || n > sizes[data_type].most)
		return (sizes[data_type].why);
	return (NULL);
}

int
fasttcp_fits(unsigned data_type, struct slice *data)
{
	if (fasttcp_data_bad(data_type, data->len) != NULL)
		return (0);
	if (sizes[data_type].cut != 0)
		data->len = sizes[data_type].cut;
	return (1);
}

/* More of a stream's bytes, which began in an earlier call. */
static enum fasttcp_verdict
fasttcp_go_on(struct fasttcp_in *in, struct slice s, size_t *used,
    struct fasttcp_frame *f)
{
	size_t	 n = s.len < in->left ? s.len : in->left;

	if (n == 0)
		return (FASTTCP_MORE);
	in->left -= (uint32_t)n;
	f->type = FASTTCP_STREAM_DATA;
	f->data_type = FASTTCP_BINARY;
	f->id = in->id;
	f->data = slice_of(s.data, n);
	*used += n;
	return (FASTTCP_GOT);
}

/* Pass over what is left of a frame that was dealt with. */
static struct slice
fasttcp_pass(struct fasttcp_in *in, struct slice s, size_t *used)
{
	size_t	 n = s.len < in->skip ? s.len : in->skip;

	if (in->left > 0 || n == 0)
		return (s);
	in->skip -= (uint32_t)n;
	*used += n;
	return (slice_of(s.data + n, s.len - n));
}

/* The head of f is here, and n bytes of data behind it are to come. */
static enum fasttcp_verdict
fasttcp_body(struct fasttcp_in *in, struct slice s, size_t at, uint32_t n,
    size_t *used, struct fasttcp_frame *f)
{
	size_t	 frame = (size_t)fasttcp_u32(s.data) + 4;
	size_t	 here = s.len - at;

	if (f->type == FASTTCP_UNKNOWN) {
		in->skip = (uint32_t)(frame - at);
		f->data = slice_of(NULL, 0);
		*used += at;
		fasttcp_pass(in, slice_of(s.data + at, here), used);
		return (FASTTCP_GOT);
	}
	if (here < n) {
		if (f->type != FASTTCP_STREAM_DATA ||
		    f->data_type != FASTTCP_BINARY)
			return (FASTTCP_MORE);
		in->id = f->id;
		in->left = n;
		in->skip = (uint32_t)(frame - at - n);
		*used += at;
		return (fasttcp_go_on(in, slice_of(s.data + at, here), used,
		    f));
	}
	if (sizes[f->data_type].cut != 0)
		f->data.len = sizes[f->data_type].cut;
	*used += at + n;
	in->skip = (uint32_t)(frame - at - n);
	fasttcp_pass(in, slice_of(s.data + at + n, here - n), used);
	return (FASTTCP_GOT);
}

enum fasttcp_verdict
fasttcp_next(struct fasttcp_in *in, struct slice s, size_t *used,
    struct fasttcp_frame *f, const char **why)
{
	uint32_t	 n = 0;
	size_t		 at;

	*used = 0;
	*why = NULL;
	*f = (struct fasttcp_frame){ .policy = 1 };
	s = fasttcp_pass(in, s, used);
	if (in->left > 0)
		return (fasttcp_go_on(in, s, used, f));
	if ((*why = fasttcp_begins(in, s)) != NULL)
		return (FASTTCP_BAD);
	if (s.len < (size_t)4 + in->dialect->least)
		return (FASTTCP_MORE);
	at = fasttcp_read_head(in->dialect, s, f, &n, why);
	if (*why != NULL)
		return (FASTTCP_BAD);
	if (at == 0)
		return (FASTTCP_MORE);
	if (f->type != FASTTCP_UNKNOWN &&
	    (*why = fasttcp_data_bad(f->data_type, n)) != NULL)
		return (FASTTCP_BAD);
	f->data = slice_of(s.data + at, n);
	return (fasttcp_body(in, s, at, n, used, f));
}

int
fasttcp_idle(const struct fasttcp_in *in)
{
	return (in->left == 0 && in->skip == 0);
}

/* ---- encoding ---- */

size_t
fasttcp_head_len(const struct fasttcp_dialect *d,
    const struct fasttcp_frame *f)
{
	size_t	 n = (size_t)4 + d->least + f->event.len;

	if (!fasttcp_has(d, f->type) || f->event.len > FASTTCP_EVENT_MAX ||
	    f->cells.len > FASTTCP_CELLS_MAX)
		return (0);
	if (d->policy)
		n += f->cells.len;
	return (f->data.len > INT32_MAX - n ? 0 : n);
}

size_t
fasttcp_head(char *dst, const struct fasttcp_dialect *d,
    const struct fasttcp_frame *f)
{
	size_t	 n = fasttcp_head_len(d, f);
	char	*p = dst;

	p = fasttcp_put(p, n - 4 + f->data.len, 4);
	*p++ = (char)d->version;
	*p++ = 0;			/* flags */
	*p++ = (char)f->data_type;
	*p++ = (char)d->codes[f->type];
	if (d->policy) {
		*p++ = (char)(f->policy == 2 ? 2 : 1);
		*p++ = (char)f->cells.len;
		if (f->cells.len > 0)
			memcpy(p, f->cells.data, f->cells.len);
		p += f->cells.len;
	}
	p = fasttcp_put(p, f->id, 4);
	p = fasttcp_put(p, f->event.len, 2);
	if (f->event.len > 0)
		memcpy(p, f->event.data, f->event.len);
	fasttcp_put(p + f->event.len, f->data.len, 4);
	return (n);
}

/* ---- numbers ---- */

int64_t
fasttcp_get_integer(struct slice data)
{
	uint64_t	 v = 0;
	unsigned	 bits = (unsigned)data.len * 8;

	for (size_t i = 0; i < data.len; i++)
		v |= (uint64_t)(uint8_t)data.data[i] << (8 * i);
	if (bits > 0 && bits < 64 && (v >> (bits - 1) & 1) != 0)
		v |= ~(uint64_t)0 << bits;
	return ((int64_t)v);
}

double
fasttcp_get_decimal(struct slice data)
{
	uint64_t	 v = 0;
	double		 d;

	for (size_t i = 0; i < sizeof(v); i++)
		v |= (uint64_t)(uint8_t)data.data[i] << (8 * i);
	memcpy(&d, &v, sizeof(d));
	return (d);
}

int
fasttcp_put_integer(char dst[FASTTCP_INTEGER_LEN], int64_t v)
{
	const int64_t	 half = (int64_t)1 << (8 * FASTTCP_INTEGER_LEN - 1);

	if (v < -half || v >= half) {
		errno = ERANGE;
		return (-1);
	}
	fasttcp_put(dst, (uint64_t)v, FASTTCP_INTEGER_LEN);
	return (0);
}

void
fasttcp_put_decimal(char dst[FASTTCP_DECIMAL_LEN], double d)
{
	uint64_t	 v;

	memcpy(&v, &d, sizeof(v));
	fasttcp_put(dst, v, FASTTCP_DECIMAL_LEN);
}

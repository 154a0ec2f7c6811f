/* msgpack with limits. */
#include <errno.h>
#include <msgpack.h>

#include "proto/pack.h"

enum pack_type { PACK_NIL, PACK_UINT, PACK_BYTES, PACK_ARRAY };

/* An element: of bytes and arrays, what stands before their contents. */
struct pack_item {
	enum pack_type	 type;
	uint64_t	 n;		/* the value, the length, or the count */
};

static inline const uint8_t *pack_item(const uint8_t *p, const uint8_t *end,
		    struct pack_item *item);
static const uint8_t *pack_check(const uint8_t *p, const uint8_t *end);
static int	 pack_write(void *b, const char *p, size_t n);
static int	 pack_in_next(struct pack_in *in, enum pack_type type,
		    uint64_t *n);

void
pack_array(struct buf *b, size_t n)
{
	msgpack_packer	pk;

	msgpack_packer_init(&pk, b, pack_write);
	msgpack_pack_array(&pk, n);
}

void
pack_u64(struct buf *b, uint64_t v)
{
	msgpack_packer	pk;

	msgpack_packer_init(&pk, b, pack_write);
	msgpack_pack_uint64(&pk, v);
}

void
pack_str(struct buf *b, struct slice s)
{
	msgpack_packer	pk;

	if (s.len > UINT32_MAX) {
		b->failed = 1;
		return;
	}
	msgpack_packer_init(&pk, b, pack_write);
	msgpack_pack_bin(&pk, s.len);
	if (s.len != 0)
		buf_add(b, s.data, s.len);
}

int
pack_open(struct pack_in *in, const void *data, size_t len)
{
	struct slice	 rest;

	if (pack_open_head(in, data, len, &rest) == -1)
		return (-1);
	if (rest.len == 0)
		return (0);
	in->left = 0;
	in->bad = 1;
	errno = EPROTO;
	return (-1);
}

int
pack_open_head(struct pack_in *in, const void *data, size_t len,
    struct slice *rest)
{
	struct pack_item	 root;
	const uint8_t		*end;

	in->at = data;
	in->end = in->at + len;
	in->left = 0;
	in->bad = 1;
	if ((end = pack_check(in->at, in->end)) == NULL) {
		errno = EPROTO;
		return (-1);
	}
	*rest = slice_of(end, (size_t)(in->end - end));
	in->end = end;
	in->at = pack_item(in->at, in->end, &root);
	in->left = root.n;
	in->bad = 0;
	return (0);
}

uint64_t
pack_in_u64(struct pack_in *in, uint64_t max)
{
	uint64_t	 n;

	if (pack_in_next(in, PACK_UINT, &n) == -1)
		return (0);
	if (n > max) {
		in->bad = 1;
		return (0);
	}
	return (n);
}

struct slice
pack_in_str(struct pack_in *in, size_t max)
{
	struct slice	 s = { NULL, 0 };
	uint64_t	 n;

	if (pack_in_next(in, PACK_BYTES, &n) == -1)
		return (s);
	if (n > max)
		in->bad = 1;
	else
		s = slice_of(in->at, n);
	in->at += n;
	return (s);
}

struct pack_in
pack_in_array(struct pack_in *in)
{
	struct pack_in		 inner = { .bad = 1 };
	struct pack_item	 item;
	uint64_t		 n;

	if (pack_in_next(in, PACK_ARRAY, &n) == -1)
		return (inner);
	inner = (struct pack_in){ .at = in->at, .end = in->end, .left = n };
	for (; n > 0; n--) {
		in->at = pack_item(in->at, in->end, &item);
		if (item.type == PACK_BYTES)
			in->at += item.n;
		else if (item.type == PACK_ARRAY)
			n += item.n;
	}
	return (inner);
}

size_t
pack_in_left(const struct pack_in *in)
{
	return (in->bad ? 0 : in->left);
}

void
pack_field(struct buf *b, const struct pack_field *f, const void *from)
{
	const char	*p = (const char *)from + f->offset;
	struct slice	 s;
	uint64_t	 v;

	if (f->kind == PACK_SLICE || f->kind == PACK_BEHIND) {
		s = *(const struct slice *)(const void *)p;
		if (s.len > f->max)
			b->failed = 1;
		else if (f->kind == PACK_BEHIND)
			pack_u64(b, s.len);
		else
			pack_str(b, s);
		return;
	}
	v = f->kind == PACK_U32 ? *(const uint32_t *)(const void *)p :
	    *(const uint64_t *)(const void *)p;
	if (v > f->max)
		b->failed = 1;
	else
		pack_u64(b, v);
}

void
pack_in_field(struct pack_in *in, const struct pack_field *f, void *to)
{
	void	*p = (char *)to + f->offset;

	switch (f->kind) {
	case PACK_U32:
		*(uint32_t *)p = (uint32_t)pack_in_u64(in,
		    f->max > UINT32_MAX ? UINT32_MAX : f->max);
		break;
	case PACK_U64:
		*(uint64_t *)p = pack_in_u64(in, f->max);
		break;
	case PACK_SLICE:
		*(struct slice *)p = pack_in_str(in, f->max);
		break;
	case PACK_BEHIND:
		*(struct slice *)p = slice_of(NULL, pack_in_u64(in, f->max));
		break;
	}
}

void
pack_row(struct buf *b, uint64_t type, const uint8_t row[PACK_ROW],
    const struct pack_field *fields, const void *from, int later)
{
	size_t	 n = 1, end;

	for (end = 0; end < PACK_ROW && row[end] != PACK_END &&
	    (later || row[end] != PACK_LATER); end++)
		n += row[end] != PACK_LATER;
	pack_array(b, n);
	pack_u64(b, type);
	for (size_t i = 0; i < end; i++)
		if (row[i] != PACK_LATER)
			pack_field(b, &fields[row[i]], from);
}

void
pack_in_row(struct pack_in *in, const uint8_t row[PACK_ROW],
    const struct pack_field *fields, void *to)
{
	int	 later = 0;

	for (size_t i = 0; i < PACK_ROW && row[i] != PACK_END; i++) {
		if (row[i] == PACK_LATER)
			later = 1;
		else if (later && in->left == 0)
			return;
		else
			pack_in_field(in, &fields[row[i]], to);
	}
}

/* What stands at p, and what follows its head; NULL: cut, or of a type that we
 * do not send. */
static inline const uint8_t *
pack_item(const uint8_t *p, const uint8_t *end, struct pack_item *item)
{
	size_t	 size = 0;		/* bytes of the number behind the tag */
	uint8_t	 tag;

	item->type = PACK_UINT;
	item->n = 0;
	if (p == end)
		return (NULL);
	tag = *p++;
	if (tag <= 0x7f) {
		item->n = tag;
		return (p);
	}
	if (tag >= 0x90 && tag <= 0x9f)
		item->type = PACK_ARRAY, item->n = tag & 0x0f;
	else if (tag >= 0xa0 && tag <= 0xbf)
		item->type = PACK_BYTES, item->n = tag & 0x1f;
	else if (tag == 0xc0)
		item->type = PACK_NIL;
	else if (tag >= 0xc4 && tag <= 0xc6)
		item->type = PACK_BYTES, size = (size_t)1 << (tag - 0xc4);
	else if (tag >= 0xcc && tag <= 0xcf)
		size = (size_t)1 << (tag - 0xcc);
	else if (tag >= 0xd9 && tag <= 0xdb)
		item->type = PACK_BYTES, size = (size_t)1 << (tag - 0xd9);
	else if (tag == 0xdc || tag == 0xdd)
		item->type = PACK_ARRAY, size = tag == 0xdc ? 2 : 4;
	else
		return (NULL);
	if (size > (size_t)(end - p))
		return (NULL);
	for (; size > 0; size--)
		item->n = item->n << 8 | *p++;
	return (p);
}

/* The next element is of this type: its number; else -1, and in is bad. */
static int
pack_in_next(struct pack_in *in, enum pack_type type, uint64_t *n)
{
	struct pack_item	 item;

	if (in->bad)
		return (-1);
	if (in->left == 0) {
		in->bad = 1;
		return (-1);
	}
	in->left--;
	in->at = pack_item(in->at, in->end, &item);
	if (item.type != type) {
		in->bad = 1;
		return (-1);
	}
	*n = item.n;
	return (0);
}

/* One array of what pack_item knows, within the limits: its end, or NULL. */
static const uint8_t *
pack_check(const uint8_t *p, const uint8_t *end)
{
	uint64_t		 left[PACK_DEPTH];	/* elements to come */
	size_t			 depth = 0, items = 0;
	struct pack_item	 item;

	for (;;) {
		if ((p = pack_item(p, end, &item)) == NULL)
			return (NULL);
		if (item.type == PACK_ARRAY) {
			if (item.n > (size_t)(end - p))
				return (NULL);
			items += item.n;
			if (depth == PACK_DEPTH || items > PACK_ITEMS_MAX)
				return (NULL);
			left[depth++] = item.n;
		} else if (depth == 0)
			return (NULL);
		else if (item.type == PACK_BYTES) {
			if (item.n > (size_t)(end - p))
				return (NULL);
			p += item.n;
		}
		while (depth > 0 && left[depth - 1] == 0)
			depth--;
		if (depth == 0)
			break;
		left[depth - 1]--;
	}
	return (p);
}

static int
pack_write(void *b, const char *p, size_t n)
{
	return (buf_add(b, p, n));
}

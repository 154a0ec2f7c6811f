/* msgpack with limits. */
#include <errno.h>
#include <msgpack.h>

#include "proto/pack.h"

static int	 pack_check(const uint8_t *p, size_t len);
static int	 pack_write(void *b, const char *p, size_t n);
static const msgpack_object *pack_in_next(struct pack_in *in);

/*
 * What pack_open reads goes here: one zone, cleared and used again, so that a
 * message costs no malloc unless it has more elements than fit in a chunk.
 */
#define PACK_ZONE	(16 << 10)
static msgpack_zone	 pack_zone;
static int		 pack_zone_made;

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
	pack_str_head(b, s.len);
	if (s.len != 0)
		buf_add(b, s.data, s.len);
}

void
pack_str_head(struct buf *b, size_t len)
{
	msgpack_packer	pk;

	if (len > UINT32_MAX) {
		b->failed = 1;
		return;
	}
	msgpack_packer_init(&pk, b, pack_write);
	msgpack_pack_bin(&pk, len);
}

void
pack_nil(struct buf *b)
{
	msgpack_packer	pk;

	msgpack_packer_init(&pk, b, pack_write);
	msgpack_pack_nil(&pk);
}

int
pack_open(struct pack_in *in, const void *data, size_t len)
{
	msgpack_object	root;
	size_t		off = 0;

	in->at = NULL;
	in->left = 0;
	in->bad = 1;
	if (pack_check(data, len) == -1) {
		errno = EPROTO;
		return (-1);
	}
	if (!pack_zone_made) {
		if (!msgpack_zone_init(&pack_zone, PACK_ZONE)) {
			errno = ENOMEM;
			return (-1);
		}
		pack_zone_made = 1;
	}
	msgpack_zone_clear(&pack_zone);
	switch (msgpack_unpack(data, len, &off, &pack_zone, &root)) {
	case MSGPACK_UNPACK_SUCCESS:
		break;
	case MSGPACK_UNPACK_NOMEM_ERROR:
		errno = ENOMEM;
		return (-1);
	default:
		errno = EPROTO;
		return (-1);
	}
	in->at = root.via.array.ptr;
	in->left = root.via.array.size;
	in->bad = 0;
	return (0);
}

uint64_t
pack_in_u64(struct pack_in *in, uint64_t max)
{
	const msgpack_object	*o;

	if ((o = pack_in_next(in)) == NULL)
		return (0);
	if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > max) {
		in->bad = 1;
		return (0);
	}
	return (o->via.u64);
}

struct slice
pack_in_str(struct pack_in *in, size_t max)
{
	const msgpack_object	*o;
	struct slice		 s = { NULL, 0 };

	if ((o = pack_in_next(in)) == NULL)
		return (s);
	if (o->type == MSGPACK_OBJECT_BIN)
		s = slice_of(o->via.bin.ptr, o->via.bin.size);
	else if (o->type == MSGPACK_OBJECT_STR)
		s = slice_of(o->via.str.ptr, o->via.str.size);
	else
		in->bad = 1;
	if (s.len > max) {
		in->bad = 1;
		s = slice_of(NULL, 0);
	}
	return (s);
}

struct pack_in
pack_in_array(struct pack_in *in)
{
	const msgpack_object	*o;
	struct pack_in		 inner = { .bad = 1 };

	if ((o = pack_in_next(in)) == NULL)
		return (inner);
	if (o->type != MSGPACK_OBJECT_ARRAY) {
		in->bad = 1;
		return (inner);
	}
	inner.at = o->via.array.ptr;
	inner.left = o->via.array.size;
	inner.bad = 0;
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

	if (f->kind == PACK_SLICE) {
		s = *(const struct slice *)(const void *)p;
		if (s.len > f->max)
			b->failed = 1;
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
	}
}

/* The next element; NULL, and bad, when there is none. */
static const msgpack_object *
pack_in_next(struct pack_in *in)
{
	const msgpack_object	*o = in->at;

	if (in->bad)
		return (NULL);
	if (in->left == 0) {
		in->bad = 1;
		return (NULL);
	}
	in->at = o + 1;
	in->left--;
	return (o);
}

/*
 * Walk the bytes before msgpack-c sees them: it reserves what an array header
 * announces, so that five bytes could ask for 8 GiB.  0, or -1.
 */
static int
pack_check(const uint8_t *p, size_t len)
{
	const uint8_t	*end = p + len;
	size_t		 left[PACK_DEPTH];	/* elements to come */
	size_t		 depth = 0, items = 0, n, size;
	uint8_t		 tag;
	int		 is_array;

	do {
		if (p == end)
			return (-1);
		tag = *p++;
		is_array = 0;
		n = 0;			/* bytes, or elements */
		size = 0;		/* bytes of a length */
		if (tag <= 0x7f || tag == 0xc0)
			;
		else if (tag >= 0x90 && tag <= 0x9f)
			is_array = 1, n = tag & 0x0f;
		else if (tag >= 0xa0 && tag <= 0xbf)
			n = tag & 0x1f;
		else if (tag >= 0xcc && tag <= 0xcf)
			n = (size_t)1 << (tag - 0xcc);
		else if (tag >= 0xc4 && tag <= 0xc6)
			size = (size_t)1 << (tag - 0xc4);
		else if (tag >= 0xd9 && tag <= 0xdb)
			size = (size_t)1 << (tag - 0xd9);
		else if (tag == 0xdc || tag == 0xdd)
			is_array = 1, size = tag == 0xdc ? 2 : 4;
		else
			return (-1);
		if (size > (size_t)(end - p))
			return (-1);
		for (; size > 0; size--)
			n = n << 8 | *p++;
		if (n > (size_t)(end - p))
			return (-1);
		if (is_array) {
			items += n;
			if (depth == PACK_DEPTH || items > PACK_ITEMS_MAX)
				return (-1);
			left[depth++] = n;
		} else {
			if (depth == 0)
				return (-1);
			p += n;
		}
		while (depth > 0 && left[depth - 1] == 0)
			depth--;
		if (depth > 0)
			left[depth - 1]--;
		else
			break;
	} while (1);
	return (p == end ? 0 : -1);
}

static int
pack_write(void *b, const char *p, size_t n)
{
	return (buf_add(b, p, n));
}

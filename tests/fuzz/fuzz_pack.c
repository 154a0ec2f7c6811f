/* Any bytes: refused, or read as msgpack-c reads them, and written again to the
 * same. */
#include <stdlib.h>

#include <msgpack.h>

#include "proto/pack.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
copy(struct buf *b, struct pack_in *in)
{
	struct pack_in	 as_u64, as_str, as_array, inner;
	struct slice	 s;
	uint64_t	 v;

	pack_array(b, pack_in_left(in));
	while (pack_in_left(in) > 0) {
		as_u64 = as_str = as_array = *in;
		v = pack_in_u64(&as_u64, UINT64_MAX);
		s = pack_in_str(&as_str, SIZE_MAX);
		inner = pack_in_array(&as_array);
		if (as_u64.bad + as_str.bad + as_array.bad < 2)
			abort();		/* more than one type */
		if (!as_u64.bad) {
			pack_u64(b, v);
			*in = as_u64;
		} else if (!as_str.bad) {
			pack_str(b, s);
			*in = as_str;
		} else if (!as_array.bad) {
			copy(b, &inner);
			*in = as_array;
		} else {
			buf_add(b, "\xc0", 1);
			in->at = NULL;	/* nothing reads a nil: the end */
			in->left = 0;
			return;
		}
	}
}

static void
compare(const msgpack_object_array *a, struct pack_in in)
{
	struct pack_in	 inner;
	struct slice	 s;

	if (pack_in_left(&in) != a->size)
		abort();
	for (size_t i = 0; i < a->size; i++) {
		const msgpack_object	*o = &a->ptr[i];

		switch (o->type) {
		case MSGPACK_OBJECT_POSITIVE_INTEGER:
			if (pack_in_u64(&in, UINT64_MAX) != o->via.u64)
				abort();
			break;
		case MSGPACK_OBJECT_BIN:
		case MSGPACK_OBJECT_STR:
			s = pack_in_str(&in, SIZE_MAX);
			if (s.len != o->via.bin.size || (s.len > 0 &&
			    s.data != o->via.bin.ptr))
				abort();
			break;
		case MSGPACK_OBJECT_ARRAY:
			inner = pack_in_array(&in);
			compare(&o->via.array, inner);
			break;
		case MSGPACK_OBJECT_NIL:
			return;		/* nothing reads a nil */
		default:
			abort();
		}
		if (in.bad)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf	 first = { 0 }, second = { 0 };
	struct pack_in	 in;
	msgpack_unpacked theirs;
	size_t		 off = 0;

	if (pack_open(&in, data, size) == -1)
		return (0);
	msgpack_unpacked_init(&theirs);
	if (msgpack_unpack_next(&theirs, (const char *)data, size, &off) !=
	    MSGPACK_UNPACK_SUCCESS || off != size)
		abort();
	compare(&theirs.data.via.array, in);
	msgpack_unpacked_destroy(&theirs);
	copy(&first, &in);
	/* A copy that stopped at a nil is not whole. */
	if (pack_open(&in, first.data, first.len) == 0) {
		copy(&second, &in);
		if (first.len != second.len ||
		    memcmp(first.data, second.data, first.len) != 0)
			abort();
	}
	buf_clear(&first);
	buf_clear(&second);
	return (0);
}

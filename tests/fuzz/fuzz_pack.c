/* Any bytes: refused, or read and written again to the same. */
#include <stdlib.h>

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
			pack_nil(b);
			in->at = NULL;	/* nothing reads a nil: the end */
			in->left = 0;
			return;
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf	first = { 0 }, second = { 0 };
	struct pack_in	in;

	if (pack_open(&in, data, size) == -1)
		return (0);
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

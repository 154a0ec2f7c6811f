/*
 * The first byte says how the body is announced, the second how it is cut: its
 * bits are taken in turn, 1 for a byte alone, 0 for seven.  However it is cut, it
 * reads the same.
 */
#include <stdint.h>
#include <stdlib.h>

#include "proto/http_body.h"

#define MAX	4096

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum parse
feed(struct http_body *b, const char *data, size_t len, unsigned cuts,
    size_t *total, struct buf *out)
{
	enum parse	 r;
	size_t		 n, used, turn = 0;

	*total = 0;
	do {
		n = len - *total;
		if (cuts != 0 && n > 7)
			n = cuts >> turn++ % 8 & 1 ? 1 : 7;
		r = http_body_feed(b, data + *total, n, &used, out);
		if (used > n || (r == PARSE_MORE && used != n) ||
		    out->len > MAX || (r == PARSE_BAD && (b->why == NULL ||
		    (b->status != 400 && b->status != 413))))
			abort();
		*total += used;
	} while (r == PARSE_MORE && *total < len);
	return (r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head	 h;
	struct http_body	 a, b;
	struct buf		 whole = { 0 }, cut = { 0 };
	size_t			 used_a, used_b;
	enum parse		 r;

	if (size < 2)
		return (0);
	h.chunked = data[0] == 'c';
	h.has_length = !h.chunked;
	h.length = h.chunked ? 0 : (uint64_t)data[0] * 64;
	http_body_init(&a, &h, MAX);
	http_body_init(&b, &h, MAX);
	r = feed(&a, (const char *)data + 2, size - 2, 0, &used_a, &whole);
	if (feed(&b, (const char *)data + 2, size - 2, data[1], &used_b,
	    &cut) != r)
		abort();
	if (r == PARSE_BAD ? a.status != b.status || a.why != b.why :
	    used_a != used_b || !slice_eq(slice_of(whole.data, whole.len),
	    slice_of(cut.data, cut.len)))
		abort();
	buf_clear(&whole);
	buf_clear(&cut);
	return (0);
}

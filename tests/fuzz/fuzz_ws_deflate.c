/*
 * The first byte says of what the rest is: offers, a compressed message from
 * a client, or a message to compress and get back.
 */
#include <stdint.h>
#include <stdlib.h>

#include "tests/unit/inflate.h"

#define MAX	(64 << 10)

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
offers(struct slice text)
{
	static struct http_head	 h;
	struct buf		 b = { 0 };
	unsigned		 bits;

	h.nheaders = 1;
	h.headers[0].name = slice_str("sec-websocket-extensions");
	h.headers[0].value = slice_trim(text);
	bits = ws_deflate_answer(&h, &b);
	if (bits == 0 ? b.len != 0 : bits < 9 || bits > 15 || b.len < 2 ||
	    memcmp(b.data + b.len - 2, "\r\n", 2) != 0)
		abort();
	buf_clear(&b);
}

static void
from_client(struct slice in)
{
	struct buf	 out = { 0 };
	uint16_t	 code = ws_inflate(&out, MAX, in);

	if ((code != 0 && code != 1007 && code != 1009) ||
	    out.len > MAX + 1 || out.cap > 2 * MAX ||
	    (code == 0 && out.len > MAX))
		abort();
	buf_clear(&out);
}

static void
round_trip(unsigned bits, struct slice in)
{
	struct buf	 out = { 0 };
	char		*small = malloc(in.len + 1);
	size_t		 n;

	if (small == NULL)
		return;
	n = ws_deflate(small, in.len, bits, in);
	if (n >= in.len && n != 0)
		abort();
	if (n != 0 && (ws_inflate(&out, in.len, slice_of(small, n)) != 0 ||
	    !slice_eq(slice_of(out.data, out.len), in)))
		abort();
	buf_clear(&out);
	if (n != 0 && ws_inflate(&out, in.len - 1, slice_of(small, n)) != 1009)
		abort();
	buf_clear(&out);
	free(small);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice	 rest;

	if (size == 0)
		return (0);
	rest = slice_of(data + 1, size - 1);
	if (data[0] == 'o')
		offers(rest);
	else if (data[0] == 'c')
		from_client(rest);
	else
		round_trip(9 + data[0] % 7, rest);
	return (0);
}

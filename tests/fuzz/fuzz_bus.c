/*
 * What comes over the bus of a cluster: any bytes as a frame, which reads alike once
 * written again; it has several messages in its body only if they fill it.  With a key,
 * none but those that have it are heard.
 */
#include <stdlib.h>

#include "proto/bus_frame.h"
#include "shardd/peers/batch.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The messages in a body: their bytes are all of it, or it is refused. */
static void
messages(struct slice body)
{
	struct slice	 left = body, message;
	const char	*at = body.data;
	int		 r;

	while ((r = batch_next(&left, &message)) == 0) {
		if (message.data != at + 4 || left.len > body.len)
			abort();
		at = message.data + message.len;
	}
	if (r == 1 ? at != body.data + body.len :
	    at + left.len != body.data + body.len)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice	 channel = slice_str("channel"), none = { 0 },
				 key = slice_str("key");
	struct bus_frame	 f, again;
	struct buf		 b = { 0 }, signed_b = { 0 };

	if (bus_frame_decode(&f, slice_of(data, size), channel, key) == BUS_OK)
		abort();
	if (bus_frame_decode(&f, slice_of(data, size), channel, none) != BUS_OK)
		return (0);
	bus_frame_encode(&b, &f, f.body, none, channel, none);
	if (b.len != size || memcmp(b.data, data, size) != 0)
		abort();
	bus_frame_encode(&signed_b, &f, none, f.body, channel, key);
	if (bus_frame_decode(&again, slice_of(signed_b.data, signed_b.len),
	    channel, key) != BUS_OK || again.kind != f.kind ||
	    again.n != f.n || !slice_eq(again.node, f.node) ||
	    !slice_eq(again.body, f.body))
		abort();
	signed_b.data[size / 2] ^= 1;
	if (bus_frame_decode(&again, slice_of(signed_b.data, signed_b.len),
	    channel, key) != BUS_FORGED)
		abort();
	messages(f.body);
	buf_clear(&b);
	buf_clear(&signed_b);
	return (0);
}

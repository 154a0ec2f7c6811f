/*
 * A WebSocket decoder as another process has packed it: any bytes are refused, or it decodes
 * what comes then within its bounds, and is packed again to one that does the same.  The
 * first byte says how long the packed one is, in eighths.
 */
#include <stdlib.h>
#include <string.h>

#include "proto/ws_state.h"

#define MAX	4096

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feed a copy of the bytes, and note what comes of it. */
static void
feed(struct ws_in *in, const uint8_t *data, size_t size, struct buf *seen)
{
	const struct ws_limits	 limits = { MAX, 1 };
	struct ws_message	 m;
	enum ws_verdict		 v;
	size_t			 used, at = 0;
	char			*copy = malloc(size + 1);

	if (copy == NULL)
		return;
	memcpy(copy, data, size);
	while (at < size) {
		v = ws_in_next(in, &limits, copy + at, size - at, &used, &m);
		if (used > size - at || (v == WS_MORE && used != size - at))
			abort();
		at += used;
		if (v != WS_MORE) {
			if (v == WS_GOT && m.len > MAX)
				abort();
			buf_addf(seen, "%d %d %zu;", v, m.opcode,
			    v == WS_GOT ? m.len : 0);
			if (v == WS_GOT)
				buf_add(seen, m.data, m.len);
		}
		if (v == WS_BAD)
			break;
	}
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ws_in	 in, again;
	struct buf	 state = { 0 }, a = { 0 }, b = { 0 };
	size_t		 n;

	if (size == 0)
		return (0);
	n = (size - 1) * (data[0] % 9u) / 8;
	if (ws_state_unpack(&in, slice_of(data + 1, n), MAX) == -1)
		return (0);
	ws_state_pack(&state, &in);
	if (ws_state_unpack(&again, slice_of(state.data, state.len), MAX) == -1)
		abort();
	feed(&in, data + 1 + n, size - 1 - n, &a);
	feed(&again, data + 1 + n, size - 1 - n, &b);
	if (!slice_eq(slice_of(a.data, a.len), slice_of(b.data, b.len)))
		abort();
	ws_in_clear(&in);
	ws_in_clear(&again);
	buf_clear(&state);
	buf_clear(&a);
	buf_clear(&b);
	return (0);
}

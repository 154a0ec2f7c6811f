/*
 * A stream of frames decoded whole gives the same as cut anywhere.  The first
 * byte chooses the limits, the second how many more say where to cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/utf8.h"
#include "proto/ws_frame.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const struct ws_limits *limits, enum ws_verdict v,
    const struct ws_message *m)
{
	if (v == WS_BAD) {
		if (m->why == NULL || (m->code != 1002 && m->code != 1007 &&
		    m->code != 1009))
			abort();
		return;
	}
	if (m->len > (m->opcode < WS_CLOSE ? limits->message_max : 125) ||
	    (m->compressed && !limits->allow_rsv1))
		abort();
	if (((m->opcode == WS_TEXT && !m->compressed) ||
	    m->opcode == WS_CLOSE) && !utf8_valid(m->data, m->len))
		abort();
}

static void
note(struct buf *b, enum ws_verdict v, const struct ws_message *m)
{
	buf_addf(b, "%d %d %d %u %s %zu ", v, m->opcode, m->compressed,
	    m->code, m->why == NULL ? "-" : m->why, m->len);
	buf_add(b, m->data, m->len);
}

/* All of it, in pieces of the sizes that cuts says, each of its own memory. */
static void
decode(struct buf *seen, const struct ws_limits *limits, const uint8_t *data,
    size_t size, const uint8_t *cuts, size_t ncuts)
{
	struct ws_in		 in;
	struct ws_message	 m;
	enum ws_verdict		 v;
	size_t			 n, used, at;
	char			*piece;

	memset(&in, 0, sizeof(in));
	for (size_t i = 0; size > 0; i++, data += n, size -= n) {
		n = ncuts == 0 ? size : 1u + cuts[i % ncuts];
		if (n > size)
			n = size;
		if ((piece = malloc(n)) == NULL)
			abort();
		memcpy(piece, data, n);
		for (at = 0; at < n; at += used) {
			v = ws_in_next(&in, limits, piece + at, n - at, &used,
			    &m);
			if (used > n - at || (v == WS_MORE && used != n - at))
				abort();
			if (v == WS_MORE)
				continue;
			check(limits, v, &m);
			note(seen, v, &m);
			if (ws_in_idle(&in))
				ws_in_clear(&in);
		}
		free(piece);
	}
	buf_addf(seen, "idle %d", ws_in_idle(&in));
	ws_in_clear(&in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ws_limits	 limits;
	struct buf		 whole = { 0 }, cut = { 0 };
	size_t			 ncuts;

	if (size < 2)
		return (0);
	limits.allow_rsv1 = data[0] & 1;
	limits.message_max = data[0] & 2 ? 1 << 20 : 200;
	ncuts = 1u + data[1] % 8;
	if (size - 2 < ncuts)
		return (0);
	decode(&whole, &limits, data + 2 + ncuts, size - 2 - ncuts, NULL, 0);
	decode(&cut, &limits, data + 2 + ncuts, size - 2 - ncuts, data + 2,
	    ncuts);
	if (!slice_eq(slice_of(whole.data, whole.len),
	    slice_of(cut.data, cut.len)))
		abort();
	buf_clear(&whole);
	buf_clear(&cut);
	return (0);
}

/* Any bytes as a link's frame: a message reads alike once written again. */
#include <stdlib.h>

#include "proto/gossip.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
encode(struct buf *b, const struct gossip *m)
{
	gossip_encode(b, m, WIRE_VERSION);
	/* Only the types that have one decode to a payload with data. */
	if (m->payload.data != NULL)
		buf_add(b, m->payload.data, m->payload.len);
	if (b->failed)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf	first = { 0 }, second = { 0 };
	struct gossip	m;

	if (gossip_decode(&m, (const char *)data, size) != 0)
		return (0);
	encode(&first, &m);
	if (gossip_decode(&m, first.data, first.len) != 0)
		abort();
	encode(&second, &m);
	if (first.len != second.len ||
	    memcmp(first.data, second.data, first.len) != 0)
		abort();
	buf_clear(&first);
	buf_clear(&second);
	return (0);
}

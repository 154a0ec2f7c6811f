/* Any bytes as a capsule: refused, or written again to one that reads alike. */
#include <stdlib.h>

#include "proto/capsule.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capsule	c;
	struct buf	first = { 0 }, second = { 0 };

	if (capsule_decode(&c, data, size) == -1)
		return (0);
	if (capsule_encode(&first, &c) == -1 ||
	    capsule_decode(&c, first.data, first.len) == -1 ||
	    capsule_encode(&second, &c) == -1)
		abort();
	if (first.len != second.len ||
	    memcmp(first.data, second.data, first.len) != 0)
		abort();
	buf_clear(&first);
	buf_clear(&second);
	return (0);
}

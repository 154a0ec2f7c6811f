/* A head is the same read whole and byte by byte, and stays within its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proxy_head.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_head	 whole, part;
	enum proxy_verdict	 v, w;
	char			*copy;

	v = proxy_head((const char *)data, size, &whole);
	if (v == PROXY_BAD ? whole.why == NULL : whole.len > size)
		abort();
	if (v == PROXY_DONE && whole.len > PROXY_HEAD_MAX)
		abort();
	for (size_t n = 1; n <= size && n <= PROXY_HEAD_MAX; n++) {
		if ((copy = malloc(n)) == NULL)
			abort();
		memcpy(copy, data, n);
		w = proxy_head(copy, n, &part);
		free(copy);
		if (w == PROXY_MORE)
			continue;
		if (w != v || (w == PROXY_DONE && (part.len != whole.len ||
		    part.tls != whole.tls || strcmp(part.peer, whole.peer))))
			abort();
		return (0);
	}
	if (v == PROXY_DONE)
		abort();
	return (0);
}

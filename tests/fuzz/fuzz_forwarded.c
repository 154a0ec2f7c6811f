/* A request's head, as a proxy of ours may pass it on: the client is an address, or
 * who connected. */
#include <stdint.h>
#include <stdlib.h>

#include "common/networks.h"
#include "gatewayd/forwarded.h"
#include "proto/http_head.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head	 h;
	struct networks		*all, *some;
	struct forwarded	 f;
	size_t			 scanned = 0;

	if (http_head_parse(&h, (const char *)data, size, &scanned,
	    &http_limits_default) != PARSE_DONE)
		return (0);
	if ((all = networks_new("::/0 unix")) == NULL ||
	    (some = networks_new("10.0.0.0/8")) == NULL)
		abort();
	forwarded_find(&f, &h, slice_str("10.0.0.1:5"), some);
	/* Every peer that it gives is one that networks can read. */
	if (!networks_have(all, slice_str(f.peer)) || !f.trusted)
		abort();
	forwarded_find(&f, &h, slice_str("10.0.0.1:5"), all);
	if (!networks_have(all, slice_str(f.peer)))
		abort();
	networks_free(all);
	networks_free(some);
	return (0);
}

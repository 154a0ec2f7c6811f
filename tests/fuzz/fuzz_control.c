/* Any bytes as a control packet: each message reads alike once written again. */
#include <stdlib.h>

#include "proto/control.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
again(const struct ctl *m)
{
	struct buf	first = { 0 }, second = { 0 };
	struct pack_in	in;
	struct ctl	got;

	pack_array(&first, 1);
	ctl_encode(&first, m);
	if (first.failed || pack_open(&in, first.data, first.len) == -1 ||
	    ctl_decode(&got, &in) != 0 || ctl_fds(&got) != ctl_fds(m))
		abort();
	pack_array(&second, 1);
	ctl_encode(&second, &got);
	if (first.len != second.len ||
	    memcmp(first.data, second.data, first.len) != 0)
		abort();
	buf_clear(&first);
	buf_clear(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ctl	messages[256];
	struct pack_in		in;
	size_t			n = 0;
	int			rv;

	if (pack_open(&in, data, size) == -1)
		return (0);
	while (n < nitems(messages) && pack_in_left(&in) > 0) {
		rv = ctl_decode(&messages[n], &in);
		if (rv == -1)
			break;
		n += rv == 0;
	}
	while (n > 0)
		again(&messages[--n]);
	return (0);
}

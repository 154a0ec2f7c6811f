/*
 * Conditions and ranges: whatever a request says, a range lies within, and nothing but
 * the known verdicts comes of it.  The first byte is the size, the second chooses the
 * tag, the rest are header lines.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http_cond.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char	 first[] = "GET / HTTP/1.1\r\nHost: x\r\n";
	static struct http_head	 h;
	struct http_entity	 e = { .modified = 1000000000 };
	struct http_range	 r = { 0, 0 };
	struct buf		 b = { 0 };
	size_t			 scanned = 0;
	int			 status;

	if (size < 2)
		return (0);
	e.size = data[0] == 255 ? UINT64_MAX : data[0];
	e.etag = slice_str(data[1] & 1 ? "\"a\"" : data[1] & 2 ? "W/\"a\"" :
	    NULL);
	buf_adds(&b, first);
	buf_add(&b, data + 2, size - 2);
	buf_adds(&b, "\r\n\r\n");
	if (!b.failed && http_head_parse(&h, b.data, b.len, &scanned,
	    &http_limits_default) == PARSE_DONE) {
		status = http_condition(&h, &e, &r);
		if (status != 200 && status != 206 && status != 304 &&
		    status != 412 && status != 416)
			abort();
		if (status == 206 && (r.len == 0 || r.first >= e.size ||
		    r.len > e.size - r.first))
			abort();
		status = http_condition(&h, &e, NULL);
		if (status == 206 || status == 416)
			abort();
		(void)http_takes_gzip(&h);
	}
	buf_clear(&b);
	return (0);
}

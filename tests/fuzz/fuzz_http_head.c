/*
 * A head read whole gives the same as cut anywhere.  The first byte chooses the
 * limits, the second how many more say where to cut.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http_head.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_head	 h;

static void
within(const char *buf, struct slice s)
{
	static const char	*root;

	if (root == NULL)
		root = "/";
	if (s.len != 0 && !slice_is(s, root) && (s.data < buf ||
	    s.data + s.len > buf + h.head_len))
		abort();
}

static void
check(const char *buf, size_t len, enum parse r,
    const struct http_limits *limits)
{
	const char	*why;
	char		*value;

	if (r == PARSE_MORE && len >= limits->head_max)
		abort();
	if (r == PARSE_BAD && (h.why == NULL || (h.status != 400 &&
	    h.status != 414 && h.status != 431 && h.status != 501 &&
	    h.status != 505)))
		abort();
	if (r != PARSE_DONE)
		return;
	if (h.head_len > len || h.head_len > limits->head_max ||
	    h.nheaders > limits->headers_max ||
	    (h.chunked && h.has_length) ||
	    memmem(buf, h.head_len, "\r\n\r\n", 4) == NULL ||
	    (h.path.data[0] != '/' && !slice_is(h.path, "*")))
		abort();
	within(buf, h.method);
	within(buf, h.target);
	within(buf, h.path);
	within(buf, h.query);
	within(buf, h.host);
	for (size_t i = 0; i < h.nheaders; i++) {
		within(buf, h.headers[i].name);
		within(buf, h.headers[i].value);
	}
	within(buf, http_cookie_get(&h, "s"));
	within(buf, http_bearer_get(&h));
	http_head_websocket(&h, &why);
	value = http_query_get(h.query, "q", NULL);
	free(value);
}

/* As far as it takes to know, in pieces of the sizes that cuts says. */
static enum parse
parse(const uint8_t *data, size_t size, const uint8_t *cuts, size_t ncuts,
    const struct http_limits *limits)
{
	enum parse	 r = PARSE_MORE;
	size_t		 len = 0, scanned = 0, n;
	char		*buf;

	for (size_t i = 0; r == PARSE_MORE && len < size; i++) {
		n = ncuts == 0 ? size : 1u + cuts[i % ncuts];
		len = n < size - len ? len + n : size;
		if ((buf = malloc(len)) == NULL)
			abort();
		memcpy(buf, data, len);
		r = http_head_parse(&h, buf, len, &scanned, limits);
		check(buf, len, r, limits);
		free(buf);
	}
	return (r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_head		 whole;
	static const struct http_limits	 small = { 40, 200, 5 };
	const struct http_limits	*limits;
	enum parse			 r;
	size_t				 ncuts;

	if (size < 2)
		return (0);
	limits = data[0] & 1 ? &small : &http_limits_default;
	ncuts = 1u + data[1] % 8;
	if (size - 2 < ncuts)
		return (0);
	r = parse(data + 2 + ncuts, size - 2 - ncuts, NULL, 0, limits);
	whole = h;
	if (parse(data + 2 + ncuts, size - 2 - ncuts, data + 2, ncuts,
	    limits) != r || h.status != whole.status || h.why != whole.why)
		abort();
	if (r == PARSE_DONE && (h.head_len != whole.head_len ||
	    h.nheaders != whole.nheaders || h.length != whole.length ||
	    h.chunked != whole.chunked || h.keep_alive != whole.keep_alive))
		abort();
	return (0);
}

/* The body of a request, by length or chunked (RFC 9112 7.1), strictly. */
#ifndef PROTO_HTTP_BODY_H
#define PROTO_HTTP_BODY_H

#include "common/bytes.h"
#include "proto/http_head.h"
#include "proto/parse.h"

struct http_body {
	uint64_t	 left;		/* of the body, or of this chunk */
	uint64_t	 room;		/* bytes that may still come */
	int		 state;
	size_t		 line;		/* bytes of this chunk line or trailer */
	int		 status;	/* with PARSE_BAD: 400 or 413 */
	const char	*why;
};

/* Ready for the body that h announces (perhaps none), of at most max bytes. */
void	 http_body_init(struct http_body *b, const struct http_head *h,
	    size_t max);
/*
 * Take len bytes; *used says how many were the body's.  Content is appended
 * to out.  413 when the limit would be passed, at once when the announced length
 * passes it.  Chunk extensions and trailers are read and
 * dropped, at most 4 KiB of each.  DONE also for an empty body, with *used 0.
 */
enum parse http_body_feed(struct http_body *b, const char *data, size_t len,
	    size_t *used, struct buf *out);

#endif

/*
 * permessage-deflate (RFC 7692) without context takeover in either direction:
 * each message is compressed on its own, so a connection needs no memory for
 * it.  One decompressor and one compressor for each size of window in use, a
 * process.
 */
#ifndef PROTO_WS_DEFLATE_H
#define PROTO_WS_DEFLATE_H

#include <stdint.h>

#include "common/bytes.h"
#include "proto/http_head.h"

#define WS_DEFLATE_MIN	64	/* a shorter message is sent as it is */
#define WS_DEFLATE_MAX	(1 << 20)	/* and a longer one: it takes too long */

struct ws_inflater;

/*
 * Answer the offers in h's Sec-WebSocket-Extensions: the first acceptable one
 * is taken, and the answering header line, with CRLF, appended to b.  Returns
 * the bits of the window that we may compress with, 9..15, or 0: none was
 * acceptable.  An offer is declined if it has a parameter unknown, twice or with
 * a bad value, or wants a window of 8 bits of us, which zlib cannot do.
 */
unsigned ws_deflate_answer(const struct http_head *h, struct buf *b);

/*
 * Compress a message into dst.  Returns the length, or 0 when that would not be
 * less than max bytes, or there is no memory: then it is sent as it is.
 */
size_t	 ws_deflate(char *dst, size_t max, unsigned bits, struct slice in);

/*
 * Messages are decompressed in pieces, for one may become large.  An inflater is for
 * one message; NULL with errno ENOMEM.  One is kept for the next.
 */
struct ws_inflater *ws_inflater_get(void);
void	 ws_inflater_put(struct ws_inflater *i);	/* NULL is harmless */
/*
 * Append about `step` bytes of the message to out, of which `max` is the largest it may
 * become (no more than that is ever made of it), and advance *in, the rest of the message.
 * Returns WS_INFLATE_MORE: call again; 0: that was all; or the code to close with: 1007
 * (damaged), 1009 (larger than max, or no memory).
 */
#define WS_INFLATE_MORE	1
uint16_t ws_inflate_some(struct ws_inflater *i, struct buf *out, size_t max,
	    struct slice *in, size_t step);

#endif

/* The body of a request, by length or chunked (RFC 9112 7.1). */
#include <string.h>

#include "proto/http_body.h"

#define HTTP_BODY_LINE_MAX	4096	/* chunk line; all trailers together */

enum {
	BODY_LENGTH, BODY_SIZE, BODY_SIZE_EXT, BODY_SIZE_LF, BODY_DATA,
	BODY_DATA_CR, BODY_DATA_LF, BODY_TRAILER, BODY_TRAILER_LINE,
	BODY_TRAILER_LF, BODY_END_LF, BODY_DONE
};

static enum parse
http_body_bad(struct http_body *b, int status, const char *why)
{
	b->status = status;
	b->why = why;
	return (PARSE_BAD);
}

void
http_body_init(struct http_body *b, const struct http_head *h, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->room = max;
	b->left = h->length;
	b->state = h->chunked ? BODY_SIZE : h->length > 0 ? BODY_LENGTH :
	    BODY_DONE;
}

static int
http_body_hex(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	c |= 0x20;
	return (c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1);
}

/* One byte of chunk framing. */
static enum parse
http_body_byte(struct http_body *b, char c)
{
	int	 digit;

	if (++b->line > HTTP_BODY_LINE_MAX)
		return (http_body_bad(b, 400, "chunk line or trailer is too long"));
	switch (b->state) {
	case BODY_SIZE:
		if ((digit = http_body_hex(c)) != -1) {
			if (b->left >> 59)
				return (http_body_bad(b, 400, "chunk size is too large"));
			b->left = b->left << 4 | (uint64_t)digit;
			return (PARSE_MORE);
		}
		if (b->line == 1)
			return (http_body_bad(b, 400, "chunk size is not hexadecimal"));
		if (c == '\r')
			b->state = BODY_SIZE_LF;
		else if (c == ';')
			b->state = BODY_SIZE_EXT;
		else
			return (http_body_bad(b, 400, "chunk size is not hexadecimal"));
		return (PARSE_MORE);
	case BODY_SIZE_EXT:
		if (c == '\r')
			b->state = BODY_SIZE_LF;
		else if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
			return (http_body_bad(b, 400, "control character in a chunk extension"));
		return (PARSE_MORE);
	case BODY_SIZE_LF:
	case BODY_DATA_LF:
	case BODY_TRAILER_LF:
	case BODY_END_LF:
		if (c != '\n')
			return (http_body_bad(b, 400, "bare CR in a chunked body"));
		if (b->state == BODY_END_LF) {
			b->state = BODY_DONE;
			return (PARSE_DONE);
		}
		if (b->state == BODY_SIZE_LF) {
			b->state = b->left > 0 ? BODY_DATA : BODY_TRAILER;
			b->line = 0;
		} else if (b->state == BODY_DATA_LF) {
			b->state = BODY_SIZE;
			b->line = 0;
		} else
			b->state = BODY_TRAILER;
		return (PARSE_MORE);
	case BODY_DATA_CR:
		if (c != '\r')
			return (http_body_bad(b, 400, "chunk is longer than its size"));
		b->state = BODY_DATA_LF;
		return (PARSE_MORE);
	case BODY_TRAILER:
		if (c == '\r') {
			b->state = BODY_END_LF;
			return (PARSE_MORE);
		}
		if (c == ' ' || c == '\t' || c == ':')
			return (http_body_bad(b, 400, "malformed trailer field"));
		b->state = BODY_TRAILER_LINE;
		/* FALLTHROUGH */
	default:			/* BODY_TRAILER_LINE */
		if (c == '\r')
			b->state = BODY_TRAILER_LF;
		else if (((unsigned char)c < 0x20 && c != '\t') || c == 0x7f)
			return (http_body_bad(b, 400, "control character in a trailer field"));
		return (PARSE_MORE);
	}
}

enum parse
http_body_feed(struct http_body *b, const char *data, size_t len,
    size_t *used, struct buf *out)
{
	size_t	 at = 0, n;

	*used = 0;
	while (b->state != BODY_DONE) {
		if (b->state == BODY_LENGTH || b->state == BODY_DATA) {
			/* Refused at its announcement. */
			if (b->left > b->room)
				return (http_body_bad(b, 413,
				    "request body is too large"));
			n = len - at < b->left ? len - at : (size_t)b->left;
			if (n > 0 && buf_add(out, data + at, n) == -1)
				return (http_body_bad(b, 413,
				    "no memory for the request body"));
			at += n;
			b->left -= n;
			b->room -= n;
			if (b->left == 0)
				b->state = b->state == BODY_DATA ?
				    BODY_DATA_CR : BODY_DONE;
			else
				break;
		} else if (at == len)
			break;
		else if (http_body_byte(b, data[at++]) == PARSE_BAD)
			return (PARSE_BAD);
	}
	*used = at;
	return (b->state == BODY_DONE ? PARSE_DONE : PARSE_MORE);
}

/* The responses we write, HTTP/1.1 (RFC 9110, 9112). */
#ifndef PROTO_HTTP_REPLY_H
#define PROTO_HTTP_REPLY_H

#include "common/bytes.h"

/* "Not Found"; "Unknown" for what is not in the table. */
const char *http_status_text(int status);
/* An IMF-fixdate of now, made once a second; static. */
const char *http_date(void);

enum http_framing {
	HTTP_WHOLE,		/* body is all of it */
	HTTP_LENGTH,		/* `length` bytes follow, by other ways */
	HTTP_CHUNKED,		/* chunks follow */
	HTTP_UNTIL_END		/* the rest of the connection is the body */
};

struct http_reply {
	int		 status;	/* 200..599 */
	const char	*type;		/* Content-Type; NULL: none */
	struct slice	 body;
	int		 head_only;	/* HEAD: length of body, but no body */
	int		 close;		/* "Connection: close" */
	int		 minor;		/* of the request; 0 and !close:
					   "Connection: keep-alive" */
	struct slice	 extra;		/* more header lines, each with CRLF */
	enum http_framing framing;
	uint64_t	 length;	/* of HTTP_LENGTH */
};

/* Append the response to out.  Date, Content-Length (not for 204 and 304) and
 * Server are added.  0 or -1 with errno ENOMEM. */
int	 http_reply_write(struct buf *out, const struct http_reply *r);
/*
 * An error response: text/plain, body "<why>\n" (default: the status text),
 * "Connection: close", and "Retry-After: <n>" if retry_after_s > 0; a 405 gets
 * "Allow: GET, HEAD", a 426 "Upgrade: websocket" and "Sec-WebSocket-Version:
 * 13".
 */
int	 http_reply_error(struct buf *out, int status, const char *why,
	    unsigned retry_after_s, int head_only);

/*
 * Is this header line safe to send: name a token, value without control
 * characters but HTAB?  For lines that applications add.
 */
int	 http_field_ok(struct slice name, struct slice value);
/*
 * Does this field say where a message ends, what the connection is, or else what
 * is said here already?  An application that adds one makes two messages of one.
 */
int	 http_field_ours(struct slice name);

#endif

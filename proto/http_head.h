/*
 * The head of an HTTP/1.x request: request line and header fields, strictly
 * as RFC 9112 has them.  Where the RFC lets a recipient be lenient (bare LF,
 * obs-fold, white space before the colon), we are not: one message must never
 * have two readings.
 */
#ifndef PROTO_HTTP_HEAD_H
#define PROTO_HTTP_HEAD_H

#include <stdint.h>

#include "common/bytes.h"
#include "proto/parse.h"

#define HTTP_HEADERS_MAX 128

struct http_limits {
	size_t	line_max;	/* request line, bytes without CRLF: 414 */
	size_t	head_max;	/* the whole head, bytes: 431 */
	size_t	headers_max;	/* fields, at most HTTP_HEADERS_MAX: 431 */
};
/* 8 KiB, 32 KiB, 100 fields. */
extern const struct http_limits http_limits_default;

struct http_header {
	struct slice	name, value;	/* value trimmed */
};

struct http_head {
	struct slice	method;		/* a token, case-sensitive */
	struct slice	target;		/* as sent */
	struct slice	path;		/* raw, starts with '/'; "*" for OPTIONS * */
	struct slice	query;		/* raw, behind '?'; may be empty */
	struct slice	host;		/* Host, or absolute-form's authority */
	int		minor;		/* HTTP/1.minor; above 1 is read as 1 */
	int		keep_alive;	/* RFC 9112 9.3 */
	int		expect_continue;
	int		chunked;	/* Transfer-Encoding is exactly chunked */
	int		has_length;	/* Content-Length was there */
	uint64_t	length;		/* its value; 0 without */
	int		connection_upgrade;	/* Connection lists "upgrade" */
	size_t		head_len;	/* bytes, the empty line included */
	/* With PARSE_BAD: */
	int		status;		/* 400, 414, 431, 501 or 505 */
	const char	*why;		/* a sentence, static */
	size_t		nheaders;
	struct http_header headers[HTTP_HEADERS_MAX];	/* last: rarely full */
};

/*
 * Parse buf, which holds all bytes so far.  *scanned (0 at first) remembers
 * how far the search for the end came, so that a slow head costs no more than
 * a fast one.  Slices point into buf.  Leading CRLFs before the request line
 * (at most 2) are skipped and counted in head_len (RFC 9112 2.2).
 *
 * A line that is wrong is refused as soon as it has ended, and a byte that can
 * be part of none at once.  BAD, status and why: no or several Host, or a malformed one (400; HTTP/1.0 may
 * lack it); Content-Length malformed, repeated with another value, or beside
 * Transfer-Encoding (400); Transfer-Encoding in HTTP/1.0 (400), or other than
 * one "chunked" (501); a version HTTP/x.y that is not 1 (505); not HTTP at all
 * (400); control characters, NUL, bare CR or LF, obs-fold, space before the
 * colon, empty name (400); CONNECT (501); limits (414, 431).  Several equal
 * Content-Length values are refused too.
 */
enum parse http_head_parse(struct http_head *h, const char *buf, size_t len,
	    size_t *scanned, const struct http_limits *limits);

/* First field of this name (any case), or NULL. */
const struct http_header *http_head_find(const struct http_head *h,
	    const char *name);
/* Is token (any case) an element of the comma lists of all fields `name`? */
int	 http_head_lists(const struct http_head *h, const char *name,
	    const char *token);
/*
 * Value of key in the query, percent-decoded with '+' as space: the first
 * one.  Returns malloc'd bytes (terminated; may hold NUL inside, *len says), or
 * NULL with errno ENOENT or ENOMEM.
 */
char	*http_query_get(struct slice query, const char *key, size_t *len);
/* Cookie of this name (RFC 6265 4.2), raw, without quotes; data NULL if none. */
struct slice http_cookie_get(const struct http_head *h, const char *name);
/* The token of "Authorization: Bearer"; data NULL if none. */
struct slice http_bearer_get(const struct http_head *h);

/*
 * A request for a WebSocket (RFC 6455 4.2.1)?  Returns 0 for a right one, else
 * the status to refuse with, in this order: 405 (method not GET), 426 (Upgrade
 * does not list websocket), 400 (Connection lacks upgrade, key or its form
 * wrong, a body, HTTP/1.0), 426 (version not 13).  *why is a short text for the
 * body ("Method Not Allowed", "Upgrade Required", "Bad Request: ...").
 */
int	 http_head_websocket(const struct http_head *h, const char **why);

#endif

/* The answer to a request for what is not there: a page for browsers. */
#ifndef GATEWAYD_MISSING_H
#define GATEWAYD_MISSING_H

struct buf;
struct http_head;

/* Does its Accept name text/html? */
int	 missing_wants_page(const struct http_head *h);
/* Append the whole response, 404 and "Connection: close".  0, or -1 with errno
 * ENOMEM, or EMSGSIZE beyond out's bound. */
int	 missing_page(struct buf *out, const struct http_head *h);

#endif

/* An answer is what the gateway itself says to a right request. */
#ifndef GATEWAYD_ANSWER_H
#define GATEWAYD_ANSWER_H

struct buf;
struct http_head;
struct routes;

/* To "OPTIONS *", which is about the server, whatever its routes. */
void	 answer_options(struct buf *out, const struct http_head *h);
/*
 * No route has the path, but one has it with a '/' more or less at its end: that is
 * what the client is told.  1, or 0: none has, and out is as it was.
 */
int	 answer_slash(struct buf *out, const struct routes *routes,
	    const struct http_head *h);

#endif

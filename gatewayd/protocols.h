/* Subprotocols of WebSocket that a route speaks (RFC 6455 1.9), the best first. */
#ifndef GATEWAYD_PROTOCOLS_H
#define GATEWAYD_PROTOCOLS_H

#include "common/bytes.h"

struct http_head;

#define PROTOCOLS_MAX	16

/* Zero-initialised is an empty list. */
struct protocols {
	char	*names[PROTOCOLS_MAX];
	size_t	 n;
};

/* 0, or -1 with *why a sentence. */
int	 protocols_add(struct protocols *p, struct slice name, const char **why);
void	 protocols_clear(struct protocols *p);
/* The first of them that the client offers, case and all; data NULL if none. */
struct slice protocols_choose(const struct protocols *p,
	    const struct http_head *h);

#endif

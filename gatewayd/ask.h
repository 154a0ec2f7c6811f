/* What a connection is to have, by its request or by its listener. */
#ifndef GATEWAYD_ASK_H
#define GATEWAYD_ASK_H

#include <stdint.h>

#include "common/bytes.h"

struct forwarded;
struct handoff_ask;
struct http_head;
struct inlet;
struct origin_here;
struct route_match;

/* Fill in what a request says, and who it is.  All is borrowed; flags:
 * CAPSULE_F_TLS. */
void	 ask_request(struct handoff_ask *ask, const struct http_head *h,
	    const struct route_match *m, const struct forwarded *from,
	    const struct origin_here *here, uint32_t flags);
/*
 * What a raw listener says.  Names are valid until the next call.  0, or -1: a name is
 * too long.
 */
int	 ask_raw(struct handoff_ask *ask, const struct inlet *in,
	    struct slice peer, uint32_t flags);

#endif

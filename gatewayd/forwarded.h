/*
 * Whose request it is, when proxies pass it on: X-Forwarded-For or, without it,
 * Forwarded (RFC 7239) say who asked each of them, the nearest last.
 *
 * Each proxy adds one at the right, and what stands left of it is only as true as that
 * proxy is: from the right, addresses that are trusted are passed over, and the first
 * that is not is the client's.  What is no address ends the walk at the proxy that
 * added it.
 */
#ifndef GATEWAYD_FORWARDED_H
#define GATEWAYD_FORWARDED_H

#include "common/bytes.h"

#define FORWARDED_PEER_MAX	128	/* with its terminator */
#define FORWARDED_HOPS_MAX	16	/* trusted proxies in a row */

struct http_head;
struct networks;

struct forwarded {
	/* The client: "1.2.3.4:5", "[::1]:5"; port 0: no proxy said it. */
	char		 peer[FORWARDED_PEER_MAX];
	int		 trusted;	/* who connected is a proxy of ours */
	/* What the same proxies say; data NULL: nothing. */
	struct slice	 proto, host;	/* into the head */
};

/*
 * via: who connected, "1.2.3.4:5" or "unix:"; proxies may be NULL: none.  Without
 * trust in via, via is the client, and no field counts.
 */
void	 forwarded_find(struct forwarded *f, const struct http_head *h,
	    struct slice via, const struct networks *proxies);

#endif

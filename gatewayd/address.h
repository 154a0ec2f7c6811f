/*
 * How many connections each client address has, where that is limited: from
 * accept to the end, whoever has them.  Of IPv6, a /64 is one address.
 */
#ifndef GATEWAYD_ADDRESS_H
#define GATEWAYD_ADDRESS_H

#include <stddef.h>

#include "common/bytes.h"
#include "common/map.h"

struct address;

/*
 * One connection more of peer, "1.2.3.4:5" or "[::1]:5".  NULL: not counted (a
 * Unix socket, no memory).
 */
struct address *address_ref(struct map *addresses, struct slice peer);
void	 address_unref(struct address *a);	/* NULL is harmless */
size_t	 address_count(const struct address *a);	/* 0 for NULL */

#endif

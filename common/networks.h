/* A list of addresses and networks, "127.0.0.1 10.0.0.0/8 fd00::/8"; "unix" stands for
 * all that come by a Unix socket. */
#ifndef COMMON_NETWORKS_H
#define COMMON_NETWORKS_H

#include "common/bytes.h"

struct networks;

/* Words behind spaces or commas.  NULL with errno EINVAL (another word), ENOMEM. */
struct networks *networks_new(const char *list);
void	 networks_free(struct networks *n);
/*
 * Is peer, "1.2.3.4:5", "[::1]:5" or "unix:...", in one of them?  IPv4 within IPv6 (of a
 * socket for both) is IPv4.  n may be NULL: none.
 */
int	 networks_have(const struct networks *n, struct slice peer);

#endif

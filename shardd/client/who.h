/* Who a client is: as its connection's capsule said, or the application since. */
#ifndef SHARDD_WHO_H
#define SHARDD_WHO_H

#include "common/bytes.h"

struct capsule;
struct conn;

const char *who_peer(const struct conn *c);
/* The proxy that the peer's requests come by, if one said who the peer is, or "". */
const char *who_via(const struct conn *c);
/* A header that the route keeps, or NULL. */
const char *who_header(const struct conn *c, const char *name);
/* Of the path, the query or the cookies, as source says ("path"), what the route
 * keeps by that name, or NULL. */
const char *who_kept(const struct conn *c, const char *source,
	    const char *name);
/* c belongs to uid from now on: before it is a member or listed.  0, or -1: ENOMEM. */
int	 who_become(struct conn *c, struct slice uid);

/* All of that into a record: the texts stay c's. */
void	 who_pack(const struct conn *c, struct capsule *cap);

#endif

/*
 * What neighbours say to our replica: one row a message.
 */
#ifndef SHARDD_HEAR_H
#define SHARDD_HEAR_H

#include "proto/gossip.h"

struct link;
struct replica;

/* Is a message of this type for one replica, not for the shard? */
int	 hear_takes(enum gossip_type type);
/* m came over l for r.  An answer is behind what the clients get in this turn. */
void	 hear(struct replica *r, struct link *l, const struct gossip *m);
/* One like m, of type `of`, did not get here: members of r who miss it are closed, to
 * come back. */
void	 hear_missed(struct replica *r, const struct gossip *m,
	    enum gossip_type of, const char *why);

#endif

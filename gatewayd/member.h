/*
 * A member is a uid with at least one upgraded place in a group.  Its seats say in
 * which replicas: nearly all members have one.
 */
#ifndef GATEWAYD_MEMBER_H
#define GATEWAYD_MEMBER_H

#include <stdint.h>

#include "common/bytes.h"

struct replica;
struct set;

/* How many upgraded places of one uid are in one replica. */
struct seat {
	struct seat	*next;		/* chosen less recently */
	struct replica	*replica;
	uint32_t	 count;
	uint32_t	 tally;		/* verify.h's own */
};

struct member {
	struct seat	 seats;		/* the first; the others are malloc'd */
	uint32_t	 hash;
	uint32_t	 uid_len;
	char		 uid[];
};

void	 members_init(struct set *members);
/* NULL: uid has no place. */
struct member *member_find(const struct set *members, struct slice uid);
struct seat *member_seat(struct member *m, const struct replica *r);
/* One more place of uid in r, its most recent choice.  NULL: no memory. */
struct member *member_sit(struct set *members, struct slice uid,
	    struct replica *r);
/* One place fewer; frees m with its last. */
void	 member_rise(struct set *members, struct member *m, struct replica *r);

#endif

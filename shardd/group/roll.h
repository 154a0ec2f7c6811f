/*
 * The roll of a replica: the uids of its members, each once, in the order of their
 * bytes, a page at a time; and its members one by one.
 */
#ifndef SHARDD_ROLL_H
#define SHARDD_ROLL_H

#include <stddef.h>

#include "common/bytes.h"

struct conn;
struct replica;

#define ROLL_MAX	1024		/* uids of a page */

/* Shorter, or with a smaller byte where they differ first: < 0; the same: 0. */
int	 roll_compare(struct slice a, struct slice b);
/*
 * The first max (at most ROLL_MAX) uids behind `after` (empty: from the first), into
 * uids; they are borrowed from the members.  How many; *more: there are others.
 */
size_t	 roll_page(const struct replica *r, struct slice after, size_t max,
	    struct slice *uids, int *more);
/*
 * cb for each member, or for each of one uid (data not NULL); whatever it does to
 * them, who has left meanwhile is left out, and who has joined.  0, or -1: ENOMEM.
 */
int	 roll_each(struct replica *r, struct slice uid,
	    void (*cb)(struct conn *c, void *arg), void *arg);

#endif

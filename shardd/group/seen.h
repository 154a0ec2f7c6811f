/*
 * How far our replica has come with what was said in its group: one number for each
 * origin, and the position and era of the group's news.  Two replicas compare theirs
 * when a connection moves from one to the other.
 */
#ifndef SHARDD_SEEN_H
#define SHARDD_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "proto/capsule.h"

struct replica;
struct shelf_user;

/* Write the marks, at most max of them: returns how many, or -1 with errno E2BIG. */
int	 seen_marks(const struct replica *r, struct capsule_mark *marks,
	    size_t max);
/* Where its news are; 0 and 0 if it has none. */
void	 seen_news(const struct replica *r, uint64_t *pos, uint64_t *era);

/* Somebody is expected: what is said from now on is kept.  *start (malloc'd, *n of
 * them) is how far we are.  0, or -1 with errno. */
int	 seen_expect(struct replica *r, struct shelf_user *u,
	    struct capsule_mark **start, size_t *n);
/* Nobody is, by u. */
void	 seen_expect_no_more(struct replica *r, struct shelf_user *u);

/* With what was kept since `start`, can who has these marks go on here? */
enum seen_verdict {
	SEEN_YES,
	SEEN_BEHIND,		/* we are, of *origin: perhaps later */
	SEEN_NEVER		/* something is missing, and will not come */
};
enum seen_verdict seen_compare(const struct replica *r,
	    const struct shelf_user *u, const struct capsule_mark *start,
	    size_t nstart, const struct capsule *cap, uint64_t *origin);

#endif

/*
 * What clients have begun and not finished: messages of which the end has not
 * come, bodies, kept input.  All together they have a bound; whoever holds most
 * pays first.  Knows sizes only: the owner of each is told to let go.
 */
#ifndef SHARDD_UNFINISHED_H
#define SHARDD_UNFINISHED_H

#include <stddef.h>

struct unfinished;		/* of all */
struct unfinished_part;		/* of one owner */

/*
 * evict(owner) asks for an end; owner may not call back from within.  What it
 * held counts no more from then on, even if it lingers for a moment.
 */
struct unfinished *unfinished_new(void (*evict)(void *owner));
/* All parts are gone. */
void	 unfinished_free(struct unfinished *u);
/*
 * owner now holds n bytes.  *part is NULL at first, and again when n is 0.  While
 * the sum is above max, the owners of the largest parts (a factor of two apart are
 * alike: then the longest there) are evicted, perhaps this one.  Returns 0, or -1
 * with errno ENOMEM and nothing changed.
 */
int	 unfinished_set(struct unfinished *u, struct unfinished_part **part,
	    void *owner, size_t n, size_t max);
/* Bytes of all. */
size_t	 unfinished_sum(const struct unfinished *u);

#endif

/* The lists of names that programs give, as words and frames have them. */
#ifndef EVENTS_LISTS_H
#define EVENTS_LISTS_H

#include "common/bytes.h"
#include "shardd/events/say.h"

struct events_to;

struct lists {
	struct buf	 names, except;
};

/* Append names, a list that ends with NULL, separated by commas.  0, or -1 with errno:
 * EINVAL (a name with a comma, or an empty list), ENOMEM. */
int	 lists_add(struct buf *b, const char *const *names);
/*
 * Of to: its rooms, or else its sockets, or else all, without the excepted.  t
 * borrows from l, which is cleared in either case but -1.  Returns -1 with errno.
 */
int	 lists_of(struct lists *l, const struct events_to *to,
	    struct targets *t);
void	 lists_clear(struct lists *l);

#endif

/*
 * How far one neighbour has acted on what our replica said, for those who wait for it.
 * Its word for that is a number, up to which all is done: one for many messages.
 */
#ifndef SHARDD_ACTED_H
#define SHARDD_ACTED_H

#include <stddef.h>
#include <stdint.h>

struct link;

struct acted_ask {			/* ask waits for the number said */
	uint64_t	 said, ask;
};

struct acted {
	struct acted_ask *asks;		/* a ring, in order of their numbers */
	size_t		 first, n, cap;
};

/* ask waits until that number, the last so far, was acted on.  0, or -1 with errno
 * ENOMEM. */
int	 acted_wait(struct acted *a, uint64_t said, uint64_t ask);
/* All up to said was acted on, says who is behind l. */
void	 acted_upto(struct acted *a, uint64_t said, const struct link *l);
void	 acted_clear(struct acted *a);

#endif

/* The cells of a frame between hosts: names of hosts, with bars between them. */
#ifndef EVENTS_CELLS_H
#define EVENTS_CELLS_H

#include "proto/fasttcp.h"

struct cells {
	char	 text[FASTTCP_CELLS_MAX];
	size_t	 len;
};

static inline struct slice
cells_slice(const struct cells *c)
{
	return (slice_of(c->text, c->len));
}

/* Walk: for (at = cells; cells_next(&at, &host); ). */
int	 cells_next(struct slice *at, struct slice *host);
/* Is a host among them? */
int	 cells_have(struct slice cells, struct slice host);
/* One more: 1, or 0, there is no room. */
int	 cells_add(struct cells *c, struct slice host);

#endif

/* What servers of a forest push to each other, read: {"destClientId", "excludeClientId", "type",
 * "data", "_senderServerId"}. */
#ifndef SHARDD_FOREST_MISSIVE_H
#define SHARDD_FOREST_MISSIVE_H

#include <stddef.h>

#include "proto/jss.h"

#define MISSIVE_CLIENT	20		/* characters of a client's id */

/* All in the memory of its pool. */
struct missive {
	struct jss_pool	 pool;
	const char	*dest, *except;	/* NULL: it is for all; nobody is left out */
	const char	*type;
	const struct jss *data;		/* NULL: undefined */
};

/* 0, or -1: it is none.  To be cleared in any case. */
int	 missive_read(struct missive *l, const char *msg, size_t len);
void	 missive_clear(struct missive *l);
/* Who has sent it, as it says, into dst of that size: its length, or 0: it says nothing, or
 * something longer. */
size_t	 missive_sender(char *dst, size_t size, const char *msg, size_t len);

#endif

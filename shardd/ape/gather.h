/* What a call waits for before it runs: the bodies that its argument names. */
#ifndef SHARDD_APE_GATHER_H
#define SHARDD_APE_GATHER_H

#include "proto/jss.h"
#include "shardd/ape/part.h"
#include "shardd/ape/upload.h"

#define GATHER_MAX	100		/* bodies of a call */

struct gathered {			/* one of them */
	struct gathered	*next;
	struct gather	*of;
	struct want	*want;
	struct part	*part;
};

/* Part of whatever waits; in its pool. */
struct gather {
	struct jss_pool	*pool;
	struct part	**parts;
	struct kennel_replica *replica;
	struct gathered	*all;
	size_t		 n, missing;
	/* All are there (hash NULL), or that one did not come in time. */
	void		(*done)(struct gather *g, const char *hash);
};

/*
 * Find what a value names: bodies are remembered in g, shared files are announced by the
 * session.  0, or -1: there are too many.
 */
int	 gather_find(struct gather *g, const struct jss *v,
	    const char *session);
/* Ask for all of them.  done comes once, perhaps from within. */
void	 gather_begin(struct gather *g, const char *query,
	    const char *session, const char *client);
/* Nobody waits any more. */
void	 gather_cancel(struct gather *g);

#endif

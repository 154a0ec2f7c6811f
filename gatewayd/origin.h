/*
 * Pages of which origins may use a route (RFC 6454): a list of
 *
 *	self			the host that is asked
 *	null			what has no origin of its own: a file, a sandbox
 *	https://a.example	this one; a port left out is the scheme's.  With
 *				"*." before it: any host below a.example, but not
 *				a.example itself
 *	app://local		any scheme
 */
#ifndef GATEWAYD_ORIGIN_H
#define GATEWAYD_ORIGIN_H

#include "common/bytes.h"

#define ORIGINS_MAX	32

struct origin {
	char		*text;		/* lower case; the others borrow from it */
	struct slice	 scheme;	/* len 0: self or null */
	struct slice	 host;		/* "*." taken off */
	int		 below;		/* host stood behind "*." */
	int		 port;		/* -1: none, and the scheme has none */
};

/* Zero-initialised is an empty list. */
struct origins {
	struct origin	 list[ORIGINS_MAX];
	size_t		 n;
};

/* Where a request came to, as its sender knows it. */
struct origin_here {
	struct slice	 host;		/* HOST[:PORT]; data NULL: unknown */
	struct slice	 scheme;	/* data NULL: unknown, http or https */
};

/* 0, or -1 with *why a sentence. */
int	 origins_add(struct origins *o, struct slice word, const char **why);
void	 origins_clear(struct origins *o);
/* Is the value of a field Origin in the list? */
int	 origins_have(const struct origins *o, struct slice origin,
	    const struct origin_here *here);

#endif

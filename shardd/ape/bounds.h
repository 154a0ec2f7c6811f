/* What the configuration says of calls and files. */
#ifndef SHARDD_APE_BOUNDS_H
#define SHARDD_APE_BOUNDS_H

enum bound {
	BOUND_SKEW,		/* ms that a client's clock may be ahead */
	BOUND_AGE,		/* ms after which a call is not served */
	BOUND_CALLS,		/* of a client, not answered */
	BOUND_TREE,		/* bytes that a call takes in memory */
	NBOUNDS
};

unsigned bounds_get(enum bound o);

#endif

/* What the configuration says of calls and files. */
#ifndef SHARDD_APE_BOUNDS_H
#define SHARDD_APE_BOUNDS_H

enum bound {
	BOUND_SKEW,		/* ms that a client's clock may be ahead */
	BOUND_AGE,		/* ms after which a call is not served */
	BOUND_CALLS,		/* of a client, not answered */
	BOUND_TREE,		/* bytes that a call takes in memory */
	BOUND_FILE,		/* bytes of a file */
	BOUND_SESSION,		/* bytes of the files of a session */
	BOUND_FILES,		/* bytes of all, in this shard */
	NBOUNDS
};

/* As configured, or the default; from onlaunch on. */
unsigned bounds_get(enum bound o);

#endif

/* What the configuration says of calls and files. */
#ifndef SHARDD_APE_OPTIONS_H
#define SHARDD_APE_OPTIONS_H

enum option {
	OPTION_SKEW,		/* ms that a client's clock may be ahead */
	OPTION_AGE,		/* ms after which a call is not served */
	OPTION_CALLS,		/* of a client, not answered */
	OPTION_TREE,		/* bytes that a call takes in memory */
	NOPTIONS
};

unsigned options_get(enum option o);

#endif

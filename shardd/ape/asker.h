/* Who asks for a file, or brings one. */
#ifndef SHARDD_APE_ASKER_H
#define SHARDD_APE_ASKER_H

#include "shardd/kennel-ape.h"

/* By a cookie, by a header; either may be "". */
struct asker {
	char	 cookie[APE_ID + 1];
	char	 header[APE_ID + 1];
};

void	 asker_of(struct asker *who, struct kennel_request *q);
/* Is it another server, which has proven that it is one? */
int	 asker_is_server(const struct kennel_request *q);
/* The one that is said, "" if neither is. */
const char *asker_name(const struct asker *who);

#endif

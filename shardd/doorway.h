/*
 * A doorway is a socket that clients of the gateway connect to.  A shard only holds it:
 * while there is no gateway, those who connect wait, and the next gateway gets it.
 */
#ifndef SHARDD_DOORWAY_H
#define SHARDD_DOORWAY_H

#include <stddef.h>

#include "common/bytes.h"

#define DOORWAYS_MAX	128
#define DOORWAYS_CAPSULE 2		/* version of capsules, of a gateway that
					   knows what to do with one */
#define DOORWAYS_MS	5000		/* then nobody is to wait any longer */

struct control;

struct doorway {
	int		 fd;
	char		*name;
};

struct doorways {			/* zeroed: none */
	struct doorway	 list[DOORWAYS_MAX];
	size_t		 n;
};

/* Hold one more; fd is taken.  first: those that were held before are let go. */
void	 doorways_hold(struct doorways *d, int fd, struct slice name, int first);
/* Give all to the gateway; none is held any longer. */
void	 doorways_give(struct doorways *d, struct control *gateway);
void	 doorways_close(struct doorways *d);

#endif

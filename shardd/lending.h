/*
 * Copies of the descriptors of all open connections, for a gateway that has none yet:
 * lent a few at a time, as fast as its channel takes them, so that this process does not
 * have twice as many open meanwhile.
 */
#ifndef SHARDD_LENDING_H
#define SHARDD_LENDING_H

#include <stddef.h>

#include "common/turn.h"

struct clients;
struct gate;

struct lending {
	struct clients	*clients;
	struct gate	*gate;
	size_t		 left;		/* connections, of the open ones */
	struct turn_work work;
};

void	 lending_init(struct lending *l, struct clients *clients,
	    struct gate *gate);
/* The gateway has said that it wants them. */
void	 lending_begin(struct lending *l);
/* Its channel takes more. */
void	 lending_go_on(struct lending *l);
/* There is no gateway any more. */
void	 lending_end(struct lending *l);

#endif

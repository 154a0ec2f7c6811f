/*
 * A recount: the state of a room was replaced, as after two nodes were parted, and may not
 * count the sockets that are here, or some that have gone: it is told how many there are.
 */
#ifndef SHARDD_APPS_PACT_RECOUNT_H
#define SHARDD_APPS_PACT_RECOUNT_H

#include "shardd/kennel.h"

void	 pact_recount(struct kennel_replica *r);

#endif

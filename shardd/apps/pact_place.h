/* pact: place for a new session, made by ending old ones that hold nothing. */
#ifndef SHARDD_APPS_PACT_PLACE_H
#define SHARDD_APPS_PACT_PLACE_H

#include "shardd/kennel.h"

/*
 * Before another session comes: others end, if there are as many as there may be.
 * *hand: where to look next, a hint.
 */
void	 pact_make_place(struct kennel_step *t, uint64_t *hand);

#endif

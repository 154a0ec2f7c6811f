/*
 * An open connection is covered (proto/cover.h): if this process dies, another goes on
 * with it.  What it is amid is noted where that happens, by conn_half().  That is so
 * also when the gateway keeps no copies (`cover = no`): the next one may want some of
 * those that are open by then, and a checkpoint has no other place.
 */
#ifndef SHARDD_SHELTER_H
#define SHARDD_SHELTER_H

#include <stdint.h>

#include "common/bytes.h"

struct conn;

/* c is open, and covered from now on, if there is room: in that place of its group's
 * (cover_place()), with those topics. */
void	 shelter_begin(struct conn *c, uint32_t place, struct slice topics);
/* It has other topics now; what its protocol goes by has changed.  Without memory c is
 * covered no more. */
void	 shelter_topics(struct conn *c, struct slice topics);
void	 shelter_state(struct conn *c);

#endif

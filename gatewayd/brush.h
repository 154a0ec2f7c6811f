/* Who is refused at next to no cost: nothing is kept of them. */
#ifndef GATEWAYD_BRUSH_H
#define GATEWAYD_BRUSH_H

#include "gatewayd/refusal.h"

struct inlet;
struct totals;

/* Count one who has come by inlet, and end it; fd is taken. */
void	 brush_off(struct totals *totals, int fd, const struct inlet *inlet,
	    enum refusal why);

#endif

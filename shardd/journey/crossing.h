/* A few connections of one group that leave together. */
#ifndef SHARDD_CROSSING_H
#define SHARDD_CROSSING_H

#include "shardd/journey/inside.h"

/* Of those that are ready, m and others of its replica, at most max: they begin to cross.
 * 0, or -1 without memory. */
int	 crossing_begin(struct move *m, size_t max);
/* Go on; may free x. */
void	 crossing_run(struct crossing *x);
/* This process ends, and none of x is left. */
void	 crossing_end(struct crossing *x);
/* The ferry has ended: none of them has gone. */
void	 crossing_fail(struct crossing *x, const char *why);

#endif

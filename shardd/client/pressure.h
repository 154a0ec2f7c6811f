/* The marks of a client's queue, which its application is told of. */
#ifndef SHARDD_PRESSURE_H
#define SHARDD_PRESSURE_H

#include <stddef.h>

struct kennel_app;

/* Has a queue of n bytes passed the mark that it has to pass next: the low one if it
 * was high? */
int	 pressure_passed(const struct kennel_app *app, size_t n, int high);

#endif

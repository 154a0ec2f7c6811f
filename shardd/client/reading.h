/* What comes from a client is read: how much at once, and when others come first. */
#ifndef SHARDD_READING_H
#define SHARDD_READING_H

#include "proto/close_why.h"

struct conn;

/* The poller's: arg is the connection. */
void	 reading_ready(void *arg, short what);
/* Is what c sends next to be read now? */
int	 reading_may(const struct conn *c);
/* Read what has come.  Returns why c ends, or CLOSE_NONE. */
enum close_why reading_run(struct conn *c);

#endif

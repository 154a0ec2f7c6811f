/* A connection that speaks its application's own protocol, over TCP as it is. */
#ifndef SHARDD_TCP_H
#define SHARDD_TCP_H

#include "common/bytes.h"

struct conn;

/* c is raw from now on, and has the bytes in rest (taken) to begin with.  0, or -1: no
 * memory. */
int	 tcp_start(struct conn *c, struct buf *rest);
/* c comes from another process.  0, or -1 with errno. */
int	 tcp_thaw(struct conn *c, struct slice state, struct slice early);

#endif

/*
 * How a session begins: upgraded, a connection waits until its replica is ready
 * and its lookup entry confirmed; then its 101 and the application's onopen.
 */
#ifndef SHARDD_OPENING_H
#define SHARDD_OPENING_H

#include "shardd/client/conn.h"

/*
 * 101 or a stream was decided, hello begins it (taken; NULL: nothing is
 * said first): wait for what c needs, give it
 * the protocol of start, open it, go on with the bytes in rest (taken).
 */
void	 opening_begin(struct conn *c, struct payload *hello,
	    struct buf *rest, conn_start *start);

#endif

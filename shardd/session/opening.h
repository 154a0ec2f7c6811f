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
/*
 * A request has come to a group of whose other nodes we have not heard yet: what its
 * application says there would not reach them.  Wait for them, at most as long as an
 * upgraded connection does (503 then), and go on with the bytes in early (taken) as start does.
 */
void	 opening_request(struct conn *c, struct buf *early,
	    conn_start *start);

#endif

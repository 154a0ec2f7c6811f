/*
 * How a session begins: upgraded, a connection waits until its replica is ready
 * and its lookup entry confirmed; then its 101 and the application's onopen.
 */
#ifndef SHARDD_OPENING_H
#define SHARDD_OPENING_H

struct buf;
struct conn;
struct payload;

/*
 * 101 was decided, hello is it (taken; NULL: c is raw, and needs none): wait for what c needs, open it, go on with
 * the bytes in rest (taken).
 */
void	 opening_begin(struct conn *c, struct payload *hello,
	    struct buf *rest);

#endif

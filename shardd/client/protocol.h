/*
 * What a connection speaks: one row of functions a protocol.  A row's functions
 * are called by the floor of connections; what the client says goes up through
 * struct conn_ops.
 */
#ifndef SHARDD_PROTOCOL_H
#define SHARDD_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

#include "proto/close_why.h"

struct buf;
struct conn;
struct payload;

#define CONN_HEADROOM	(64 << 10)
#define PINGS_MAX	2		/* unanswered, then it is idle */

struct protocol {
	/* len bytes, which may be changed, as may CONN_HEADROOM bytes before them,
	 * have come; what is kept stands before them.  Returns why the connection
	 * ends, or CLOSE_NONE. */
	enum close_why	(*input)(struct conn *c, char *data, size_t len);
	/* Go on with what was kept, after a pause or in another turn. */
	enum close_why	(*resume)(struct conn *c);
	/* The client has shut down its side, or reset the connection, while c is
	 * watched (PAUSE_WATCH). */
	void		(*left)(struct conn *c);
	/* All output is with the kernel; NULL: that means nothing here. */
	void		(*flushed)(struct conn *c);
	/* The state that c is in took too long. */
	void		(*timeout)(struct conn *c);
	/* Nothing was heard of the client for a while: ask whether it is alive.  0: it
	 * has left PINGS_MAX unanswered.  NULL: there is no way to. */
	int		(*ping)(struct conn *c);
	/* c, no longer doomed, ends for that reason: tell the client.  1: told, and
	 * the connection ends by itself; 0: end it now. */
	int		(*farewell)(struct conn *c, enum close_why why);
	/* c goes to another process: append what it is amid to state, and what is read
	 * and not used to early.  0, or -1 with errno.  NULL: it cannot move. */
	int		(*freeze)(struct conn *c, struct buf *state,
			    struct buf *early);
	int		 capsule;	/* enum capsule_protocol, of what moves */
	/* The client has shut down its side: nothing more comes.  Returns why c ends,
	 * or CLOSE_NONE.  NULL: as one that is cut off. */
	enum close_why	(*ended)(struct conn *c);
	/* The application ends c, which is open. */
	void		(*close)(struct conn *c, enum close_why why,
			    uint16_t code, const char *reason);
	/* Message p as c is to read it, borrowed from p; NULL: no memory.  The row
	 * has none: as WebSocket has it. */
	struct payload	*(*form)(struct conn *c, struct payload *p);
	/* Free c->proto. */
	void		(*clear)(struct conn *c);
};

#endif

/* A connection that speaks WebSocket (RFC 6455). */
#ifndef SHARDD_WS_H
#define SHARDD_WS_H

#include "common/bytes.h"

struct conn;

/*
 * The handshake is over: c speaks WebSocket from now on, and has the bytes in rest
 * (taken) to begin with.  0, or -1: no memory.
 */
int	 ws_start(struct conn *c, struct buf *rest);
/* c comes from another process, amid a conversation.  0, or -1 with errno. */
int	 ws_thaw(struct conn *c, struct slice state, struct slice early);

#endif

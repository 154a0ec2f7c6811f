/* What a WebSocket decoder has between two bytes, packed for a journey. */
#ifndef PROTO_WS_STATE_H
#define PROTO_WS_STATE_H

#include "common/bytes.h"
#include "proto/ws_frame.h"

/* Append it to b; nothing where the decoder is idle.  A failure sticks in b. */
void	 ws_state_pack(struct buf *b, const struct ws_in *in);
/*
 * The decoder of that state, which goes on as if nothing had happened; one message has
 * at most so many bytes.  0, or -1 with errno EPROTO (no state of a decoder, or one
 * amid more than that), ENOMEM.
 */
int	 ws_state_unpack(struct ws_in *in, struct slice state,
	    size_t message_max);

#endif

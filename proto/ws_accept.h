/* The WebSocket handshake (RFC 6455 4.2.2). */
#ifndef PROTO_WS_ACCEPT_H
#define PROTO_WS_ACCEPT_H

#include "common/bytes.h"

#define WS_ACCEPT_LEN	28	/* base64 of SHA-1 */

/* Key: 22 characters of base64 alphabet and "==". */
int	 ws_key_ok(struct slice key);
/* Sec-WebSocket-Accept for key, into dst (WS_ACCEPT_LEN and a terminator).
 * 0, or -1 when libcrypto fails. */
int	 ws_accept(char dst[WS_ACCEPT_LEN + 1], struct slice key);

#endif

/*
 * WebSocket framing (RFC 6455 5): a decoder for what clients send, resumable
 * at any byte, and the header of what we send.
 */
#ifndef PROTO_WS_FRAME_H
#define PROTO_WS_FRAME_H

#include <stdint.h>

#include "common/bytes.h"

enum ws_opcode {
	WS_CONT = 0x0, WS_TEXT = 0x1, WS_BINARY = 0x2,
	WS_CLOSE = 0x8, WS_PING = 0x9, WS_PONG = 0xa
};

enum ws_verdict {
	WS_MORE,		/* all bytes used, no whole message yet */
	WS_GOT,			/* *m is a message or a control frame */
	WS_BAD			/* close with m->code, m->why */
};

struct ws_message {
	enum ws_opcode	 opcode;	/* TEXT, BINARY, CLOSE, PING, PONG */
	char		*data;		/* unmasked; in the caller's bytes, or in
					   the decoder until the next call */
	size_t		 len;
	int		 compressed;	/* RSV1 was set (only if allowed) */
	/* CLOSE: code 1005 if there was none, data is the reason.  WS_BAD:
	 * 1002, 1007 or 1009, and why. */
	uint16_t	 code;
	const char	*why;
};

/*
 * State between calls.  Zero-initialised is a fresh connection.  It is
 * "idle" between messages: then nothing need be kept (ws_in_idle), so that an
 * idle connection has none.
 */
struct ws_in {
	uint8_t		 head[14];	/* of the frame being read */
	uint8_t		 nhead;
	uint8_t		 opcode;	/* of this frame */
	uint8_t		 fin;
	uint8_t		 message;	/* opcode of the message in parts, or 0 */
	uint8_t		 compressed;
	uint8_t		 in_payload;
	uint8_t		 ended;		/* after CLOSE or WS_BAD */
	uint32_t	 utf8;
	uint64_t	 left;		/* payload bytes of this frame to come */
	uint64_t	 at;		/* payload bytes of this frame seen */
	struct buf	 part;		/* of the message */
	uint8_t		 control[125];
	uint8_t		 ncontrol;
};

struct ws_limits {
	size_t	message_max;	/* bytes, over all fragments: 1009 */
	int	allow_rsv1;	/* permessage-deflate was agreed on */
};

/*
 * Decode from data, len bytes, which it may change (unmasking in place).
 * *used says how many were taken.  Call again while bytes are left.
 *
 * A whole message in one frame within data is handed out without a copy.
 * Text is checked as it comes; when compressed, the caller checks it.
 * Limits are met before memory is reserved: a frame that announces more than
 * message_max is refused at its header.  The part buffer grows with the bytes
 * that came, not with the length announced.
 *
 * BAD: unmasked, reserved bits or opcodes, fragmented or long control frames,
 * continuation of nothing, new message within another, length not minimal or
 * with the top bit set (1002); bad UTF-8, in close reasons too (1007); close codes
 * outside RFC 6455 7.4 (0-999, 1004-1006, 1015-2999, 5000-; 1012-1014 are fine),
 * close payload of 1 byte (1002); too big (1009).  ENOMEM: 1009 too.
 */
enum ws_verdict ws_in_next(struct ws_in *in, const struct ws_limits *limits,
	    char *data, size_t len, size_t *used, struct ws_message *m);
static inline int
ws_in_idle(const struct ws_in *in)
{
	return (in->nhead == 0 && in->message == 0 && !in->ended);
}
void	 ws_in_clear(struct ws_in *in);		/* frees, back to fresh */

#define WS_HEAD_MAX	10
/* Header of an unmasked frame, FIN set; returns its length, 2, 4 or 10. */
size_t	 ws_head(uint8_t dst[WS_HEAD_MAX], enum ws_opcode opcode,
	    uint64_t len, int compressed);
#define WS_REASON_MAX	123
/* May a close frame have this code and reason (RFC 6455 7.4, 5.5.1, 8.1)? */
int	 ws_close_ok(int code, struct slice reason);
/* Payload of a close frame: code and as much of reason as fits, cut at a
 * character.  Returns the length, at most 125.  Code 1005: empty. */
size_t	 ws_close_payload(uint8_t dst[125], uint16_t code,
	    const char *reason);

#endif

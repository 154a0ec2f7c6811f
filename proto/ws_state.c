/* What a WebSocket decoder has between two bytes, packed for a journey. */
#include <errno.h>
#include <string.h>

#include "proto/limits.h"
#include "proto/pack.h"
#include "proto/ws_state.h"

#define STATE_FIELDS	12

void
ws_state_pack(struct buf *b, const struct ws_in *in)
{
	if (ws_in_idle(in))
		return;
	pack_array(b, STATE_FIELDS);
	pack_str(b, slice_of(in->head, in->nhead));
	pack_u64(b, in->opcode);
	pack_u64(b, in->fin);
	pack_u64(b, in->message);
	pack_u64(b, in->compressed);
	pack_u64(b, in->in_payload);
	pack_u64(b, in->ended);
	pack_u64(b, in->utf8);
	pack_u64(b, in->left);
	pack_u64(b, in->at);
	/* The part of a message that was handed out is none of the next. */
	pack_str(b, slice_of(in->part.data, in->message == 0 ? 0 :
	    in->part.len));
	pack_str(b, slice_of(in->control, in->ncontrol));
}

/* Copy s into dst.  Returns its length. */
static uint8_t
state_bytes(uint8_t *dst, struct slice s)
{
	if (s.len > 0)
		memcpy(dst, s.data, s.len);
	return ((uint8_t)s.len);
}

/* Is it one that a decoder can come to? */
static int
state_ok(const struct ws_in *in, size_t part, size_t message_max)
{
	if (in->ended)
		return (1);
	if (in->in_payload && in->nhead < 6)
		return (0);		/* the mask is behind the header */
	if (in->in_payload && in->opcode >= WS_CLOSE)
		return (in->left <= sizeof(in->control) &&
		    in->ncontrol <= sizeof(in->control) - in->left);
	if (part > message_max || (in->message == 0 && part > 0))
		return (0);
	return (!in->in_payload || (in->message != 0 &&
	    in->left <= message_max - part));
}

int
ws_state_unpack(struct ws_in *in, struct slice state, size_t message_max)
{
	struct pack_in	 at;
	struct slice	 part;

	memset(in, 0, sizeof(*in));
	if (state.len == 0)
		return (0);
	if (pack_open(&at, state.data, state.len) == -1)
		return (-1);
	in->nhead = state_bytes(in->head, pack_in_str(&at,
	    sizeof(in->head)));
	in->opcode = (uint8_t)pack_in_u64(&at, WS_PONG);
	in->fin = (uint8_t)pack_in_u64(&at, 1);
	in->message = (uint8_t)pack_in_u64(&at, WS_BINARY);
	in->compressed = (uint8_t)pack_in_u64(&at, 1);
	in->in_payload = (uint8_t)pack_in_u64(&at, 1);
	in->ended = (uint8_t)pack_in_u64(&at, 1);
	in->utf8 = (uint32_t)pack_in_u64(&at, UINT32_MAX);
	in->left = pack_in_u64(&at, UINT64_MAX);
	in->at = pack_in_u64(&at, UINT64_MAX);
	part = pack_in_str(&at, CAPSULE_MAX);
	in->ncontrol = state_bytes(in->control, pack_in_str(&at,
	    sizeof(in->control)));
	if (at.bad || !state_ok(in, part.len, message_max)) {
		errno = EPROTO;
		return (-1);
	}
	if (part.len > 0 && buf_add(&in->part, part.data, part.len) == -1) {
		buf_clear(&in->part);
		errno = ENOMEM;
		return (-1);
	}
	return (0);
}

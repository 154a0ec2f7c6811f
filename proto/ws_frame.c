/* WebSocket framing (RFC 6455 5). */
#include <string.h>

#include "proto/utf8.h"
#include "proto/ws_frame.h"

/* XOR data with the mask, which begins at phase `at`; 16 bytes at a time. */
static void
ws_unmask(char *data, size_t len, const uint8_t mask[4], uint64_t at)
{
	uint8_t		 m[8];
	uint64_t	 wide, a, b;
	size_t		 i = 0;

	for (int k = 0; k < 4; k++)
		m[k] = m[k + 4] = mask[(at + (uint64_t)k) & 3];
	memcpy(&wide, m, 8);
	for (; len - i >= 16; i += 16) {
		memcpy(&a, data + i, 8);
		memcpy(&b, data + i + 8, 8);
		a ^= wide, b ^= wide;
		memcpy(data + i, &a, 8);
		memcpy(data + i + 8, &b, 8);
	}
	if (len - i >= 8) {
		memcpy(&a, data + i, 8);
		a ^= wide;
		memcpy(data + i, &a, 8);
		i += 8;
	}
	for (; i < len; i++)
		data[i] = (char)((uint8_t)data[i] ^ m[i & 7]);
}

static enum ws_verdict
ws_bad(struct ws_in *in, struct ws_message *m, uint16_t code, const char *why)
{
	in->ended = 1;
	memset(m, 0, sizeof(*m));
	m->code = code;
	m->why = why;
	return (WS_BAD);
}

/* The first two bytes of a frame: NULL, or what is wrong. */
static const char *
ws_check(const struct ws_in *in, const struct ws_limits *limits, uint8_t b0,
    uint8_t b1)
{
	uint8_t	 op = b0 & 0xf;

	if (b0 & 0x30)
		return ("reserved bits are set");
	if ((b0 & 0x40) && (!limits->allow_rsv1 ||
	    (op != WS_TEXT && op != WS_BINARY)))
		return ("reserved bit RSV1 is set");
	if ((op > WS_BINARY && op < WS_CLOSE) || op > WS_PONG)
		return ("reserved opcode");
	if ((b1 & 0x80) == 0)
		return ("frame is not masked");
	if (op >= WS_CLOSE && (b0 & 0x80) == 0)
		return ("fragmented control frame");
	if (op >= WS_CLOSE && (b1 & 0x7f) > 125)
		return ("control frame is longer than 125 bytes");
	if (op == WS_CONT && in->message == 0)
		return ("continuation of nothing");
	if ((op == WS_TEXT || op == WS_BINARY) && in->message != 0)
		return ("new message within another");
	return (NULL);
}

static int
ws_code_ok(int code)
{
	return ((code >= 1000 && code <= 1003) ||
	    (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999));
}

int
ws_close_ok(int code, struct slice reason)
{
	return (ws_code_ok(code) && reason.len <= WS_REASON_MAX &&
	    utf8_valid(reason.data, reason.len));
}

static enum ws_verdict
ws_got_close(struct ws_in *in, struct ws_message *m, char *data, size_t len)
{
	if (len == 1)
		return (ws_bad(in, m, 1002, "close payload of one byte"));
	m->opcode = WS_CLOSE;
	m->compressed = 0;
	m->why = NULL;
	if (len == 0) {
		m->code = 1005;
		m->data = data;
		m->len = 0;
	} else {
		m->code = bytes_get_be16(data);
		if (!ws_code_ok(m->code))
			return (ws_bad(in, m, 1002, "close code is not allowed"));
		if (!utf8_valid(data + 2, len - 2))
			return (ws_bad(in, m, 1007,
			    "close reason is not UTF-8"));
		m->data = data + 2;
		m->len = len - 2;
	}
	in->ended = 1;
	return (WS_GOT);
}

static enum ws_verdict
ws_got_control(struct ws_in *in, struct ws_message *m, uint8_t op, char *data,
    size_t len)
{
	if (op == WS_CLOSE)
		return (ws_got_close(in, m, data, len));
	m->opcode = (enum ws_opcode)op;
	m->data = data;
	m->len = len;
	m->compressed = 0;
	m->code = 0;
	m->why = NULL;
	return (WS_GOT);
}

/*
 * The common case: nothing kept, and a whole small frame of a whole message in
 * data.  Returns 0 if it is not that, else sets *v.
 */
static int
ws_fast(struct ws_in *in, const struct ws_limits *limits, char *data,
    size_t len, size_t *used, struct ws_message *m, enum ws_verdict *v)
{
	uint32_t	 utf8;
	uint8_t		 b0, n;

	if (len < 6)
		return (0);
	b0 = (uint8_t)data[0];
	n = (uint8_t)data[1] ^ 0x80;	/* masked: below 126 if small */
	if ((b0 != (0x80 | WS_TEXT) && b0 != (0x80 | WS_BINARY)) || n > 125 ||
	    len - 6 < n || in->message != 0 || n > limits->message_max)
		return (0);
	ws_unmask(data + 6, n, (uint8_t *)data + 2, 0);
	if (b0 == (0x80 | WS_TEXT) &&
	    (utf8 = utf8_feed(UTF8_OK, data + 6, n)) != UTF8_OK) {
		*v = ws_bad(in, m, 1007, utf8 == UTF8_BAD ?
		    "text is not UTF-8" : "text ends within a character");
		return (1);
	}
	m->opcode = (enum ws_opcode)(b0 & 0xf);
	m->data = data + 6;
	m->len = n;
	m->compressed = 0;
	m->code = 0;
	m->why = NULL;
	*used = 6 + (size_t)n;
	*v = WS_GOT;
	return (1);
}

/* Bytes of header that the first two announce, mask included. */
static size_t
ws_head_size(uint8_t b1)
{
	switch (b1 & 0x7f) {
	case 126:
		return (8);
	case 127:
		return (14);
	default:
		return (6);
	}
}

/*
 * Take header bytes.  MORE: not whole yet.  GOT: in_payload is set.  *at moves on.
 */
static enum ws_verdict
ws_take_head(struct ws_in *in, const struct ws_limits *limits,
    const char *data, size_t len, size_t *at, struct ws_message *m)
{
	const char	*why;
	size_t		 want, take;
	uint64_t	 n;

	while (in->nhead < (want = in->nhead < 2 ? 2 :
	    ws_head_size(in->head[1]))) {
		take = want - in->nhead;
		if (take > len - *at)
			take = len - *at;
		if (take == 0)
			return (WS_MORE);
		memcpy(in->head + in->nhead, data + *at, take);
		in->nhead = (uint8_t)(in->nhead + take);
		*at += take;
		/* Refused as early as can be known. */
		if (in->nhead == 2 && (why = ws_check(in, limits, in->head[0],
		    in->head[1])) != NULL)
			return (ws_bad(in, m, 1002, why));
	}
	n = in->head[1] & 0x7f;
	if (n == 126 && (n = bytes_get_be16(in->head + 2)) < 126)
		return (ws_bad(in, m, 1002, "length is not minimal"));
	if ((in->head[1] & 0x7f) == 127) {
		n = bytes_get_be64(in->head + 2);
		if (n >> 63)
			return (ws_bad(in, m, 1002, "length has its top bit set"));
		if (n < 65536)
			return (ws_bad(in, m, 1002, "length is not minimal"));
	}
	in->opcode = in->head[0] & 0xf;
	in->fin = in->head[0] >> 7;
	if (in->opcode < WS_CLOSE && (in->part.len > limits->message_max ||
	    n > limits->message_max - in->part.len))
		return (ws_bad(in, m, 1009, "message is too big"));
	if (in->opcode == WS_TEXT || in->opcode == WS_BINARY) {
		in->message = in->opcode;
		in->compressed = (in->head[0] & 0x40) != 0;
		in->utf8 = UTF8_OK;
	}
	in->in_payload = 1;
	in->left = n;
	in->at = 0;
	in->ncontrol = 0;
	return (WS_GOT);
}

static void
ws_frame_done(struct ws_in *in)
{
	in->nhead = 0;
	in->in_payload = 0;
}

/* The message is whole, at data. */
static enum ws_verdict
ws_message_done(struct ws_in *in, struct ws_message *m, char *data, size_t len)
{
	m->opcode = (enum ws_opcode)in->message;
	m->data = data;
	m->len = len;
	m->compressed = in->compressed;
	m->code = 0;
	m->why = NULL;
	in->message = 0;
	in->compressed = 0;
	return (WS_GOT);
}

static enum ws_verdict
ws_take_data(struct ws_in *in, char *data, size_t len, size_t *at,
    struct ws_message *m)
{
	size_t	 n = len - *at;
	char	*p = data + *at;
	int	 whole;

	if (n > in->left)
		n = (size_t)in->left;
	ws_unmask(p, n, in->head + in->nhead - 4, in->at);
	*at += n;
	if (in->message == WS_TEXT && !in->compressed) {
		in->utf8 = utf8_feed(in->utf8, p, n);
		if (in->utf8 == UTF8_BAD)
			return (ws_bad(in, m, 1007, "text is not UTF-8"));
	}
	whole = n == in->left && in->fin;
	if (whole && in->message == WS_TEXT && !in->compressed &&
	    in->utf8 != UTF8_OK)
		return (ws_bad(in, m, 1007, "text ends within a character"));
	if (whole && in->part.len == 0) {
		ws_frame_done(in);
		return (ws_message_done(in, m, p, n));
	}
	if (n > 0 && buf_add(&in->part, p, n) == -1)
		return (ws_bad(in, m, 1009, "no memory for this message"));
	in->at += n;
	in->left -= n;
	if (in->left > 0)
		return (WS_MORE);
	ws_frame_done(in);
	return (whole ? ws_message_done(in, m, in->part.data, in->part.len) :
	    WS_MORE);
}

static enum ws_verdict
ws_take_control(struct ws_in *in, char *data, size_t len, size_t *at,
    struct ws_message *m)
{
	size_t	 n = len - *at;

	if (n > in->left)
		n = (size_t)in->left;
	memcpy(in->control + in->ncontrol, data + *at, n);
	ws_unmask((char *)in->control + in->ncontrol, n,
	    in->head + in->nhead - 4, in->at);
	in->ncontrol = (uint8_t)(in->ncontrol + n);
	*at += n;
	in->at += n;
	in->left -= n;
	if (in->left > 0)
		return (WS_MORE);
	ws_frame_done(in);
	return (ws_got_control(in, m, in->opcode, (char *)in->control,
	    in->ncontrol));
}

enum ws_verdict
ws_in_next(struct ws_in *in, const struct ws_limits *limits, char *data,
    size_t len, size_t *used, struct ws_message *m)
{
	enum ws_verdict	 v;
	size_t		 at = 0;

	if (in->ended) {
		*used = len;
		return (WS_MORE);
	}
	if (in->nhead == 0 && ws_fast(in, limits, data, len, used, m, &v)) {
		if (v == WS_BAD)
			*used = len;
		return (v);
	}
	/* The part handed out by the last call is free now. */
	if (in->message == 0 && in->part.len > 0)
		buf_clear(&in->part);
	do {
		v = WS_GOT;
		if (!in->in_payload)
			v = ws_take_head(in, limits, data, len, &at, m);
		if (v != WS_GOT)
			break;
		if (in->opcode >= WS_CLOSE)
			v = ws_take_control(in, data, len, &at, m);
		else
			v = ws_take_data(in, data, len, &at, m);
	} while (v == WS_MORE && at < len);
	*used = v == WS_BAD ? len : at;
	return (v);
}

void
ws_in_clear(struct ws_in *in)
{
	buf_clear(&in->part);
	memset(in, 0, sizeof(*in));
}

size_t
ws_head(uint8_t dst[WS_HEAD_MAX], enum ws_opcode opcode, uint64_t len,
    int compressed)
{
	dst[0] = (uint8_t)(0x80 | (compressed ? 0x40 : 0) | opcode);
	if (len < 126) {
		dst[1] = (uint8_t)len;
		return (2);
	}
	if (len < 65536) {
		dst[1] = 126;
		bytes_put_be16(dst + 2, (uint16_t)len);
		return (4);
	}
	dst[1] = 127;
	bytes_put_be64(dst + 2, len);
	return (10);
}

size_t
ws_close_payload(uint8_t dst[125], uint16_t code, const char *reason)
{
	size_t	 n;

	if (code == 1005)
		return (0);
	bytes_put_be16(dst, code);
	n = reason == NULL ? 0 : strlen(reason);
	if (n > 123) {
		/* Not within a character. */
		for (n = 123; n > 0 && ((uint8_t)reason[n] & 0xc0) == 0x80; n--)
			;
	}
	if (n > 0)
		memcpy(dst + 2, reason, n);
	return (n + 2);
}

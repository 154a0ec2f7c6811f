/* permessage-deflate (RFC 7692). */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define ZLIB_CONST
#include <zlib.h>

#include "proto/ws_deflate.h"

#define WS_DEFLATE_LEVEL	3	/* for small messages as quick as 1 */
#define WS_DEFLATE_MEM		8	/* zlib's default */
#define WS_INFLATE_STEP		(16 << 10)

/* What ends a flushed message, and is not sent (RFC 7692 7.2.1). */
static const char	 ws_deflate_tail[4] = { 0, 0, '\xff', '\xff' };

/* ---- offers ---- */

struct ws_offer {
	unsigned	 seen;		/* a bit a parameter */
	unsigned	 bits;		/* of our window */
};

enum { SERVER_BITS = 1, CLIENT_BITS = 2, SERVER_NO_TAKEOVER = 4,
    CLIENT_NO_TAKEOVER = 8 };

static const struct {
	const char	*name;
	unsigned	 bit;
	int		 value;		/* 0 none, 1 may have one, 2 must */
} ws_deflate_params[] = {
	{ "server_max_window_bits", SERVER_BITS, 2 },
	{ "client_max_window_bits", CLIENT_BITS, 1 },
	{ "server_no_context_takeover", SERVER_NO_TAKEOVER, 0 },
	{ "client_no_context_takeover", CLIENT_NO_TAKEOVER, 0 },
};

/* What stands in *s before the next c, trimmed; *s goes on behind it. */
static struct slice
ws_deflate_cut(struct slice *s, char c)
{
	const char	*at = s->len == 0 ? NULL : memchr(s->data, c, s->len);
	struct slice	 item = *s;

	if (at == NULL)
		*s = slice_of(NULL, 0);
	else {
		item.len = (size_t)(at - s->data);
		s->data = at + 1;
		s->len -= item.len + 1;
	}
	return (slice_trim(item));
}

/* 8..15 without leading zeros, perhaps quoted; or 0. */
static unsigned
ws_deflate_bits(struct slice s)
{
	uint64_t	 n;

	if (s.len >= 2 && s.data[0] == '"' && s.data[s.len - 1] == '"')
		s = slice_of(s.data + 1, s.len - 2);
	if (slice_u64(s, 15, &n) == -1 || n < 8 || s.data[0] == '0')
		return (0);
	return ((unsigned)n);
}

static int
ws_deflate_param(struct ws_offer *o, struct slice param)
{
	int		 has_value = memchr(param.data, '=', param.len) != NULL;
	struct slice	 name = ws_deflate_cut(&param, '=');
	struct slice	 value = slice_trim(param);
	unsigned	 bits = 0;

	for (size_t i = 0; i < nitems(ws_deflate_params); i++) {
		if (!slice_caseis(name, ws_deflate_params[i].name))
			continue;
		if ((o->seen & ws_deflate_params[i].bit) ||
		    (has_value && (ws_deflate_params[i].value == 0 ||
		    (bits = ws_deflate_bits(value)) == 0)) ||
		    (!has_value && ws_deflate_params[i].value == 2))
			return (-1);
		o->seen |= ws_deflate_params[i].bit;
		if (ws_deflate_params[i].bit == SERVER_BITS)
			o->bits = bits;
		return (0);
	}
	return (-1);
}

/* One offer, "permessage-deflate; a; b=1": 0, or -1 to decline it. */
static int
ws_deflate_offer(struct ws_offer *o, struct slice offer)
{
	struct slice	 param;

	memset(o, 0, sizeof(*o));
	o->bits = 15;
	if (!slice_caseis(ws_deflate_cut(&offer, ';'), "permessage-deflate"))
		return (-1);
	while (offer.data != NULL) {
		param = ws_deflate_cut(&offer, ';');
		if (param.len == 0 || ws_deflate_param(o, param) == -1)
			return (-1);
	}
	return (o->bits == 8 ? -1 : 0);
}

unsigned
ws_deflate_answer(const struct http_head *h, struct buf *b)
{
	struct ws_offer	 o;
	struct slice	 rest;

	for (size_t i = 0; i < h->nheaders; i++) {
		if (!slice_caseis(h->headers[i].name, "Sec-WebSocket-Extensions"))
			continue;
		rest = h->headers[i].value;
		while (rest.len > 0) {
			if (ws_deflate_offer(&o, ws_deflate_cut(&rest, ',')) ==
			    -1)
				continue;
			buf_adds(b, "Sec-WebSocket-Extensions: "
			    "permessage-deflate; server_no_context_takeover; "
			    "client_no_context_takeover");
			if (o.seen & SERVER_BITS)
				buf_addf(b, "; server_max_window_bits=%u",
				    o.bits);
			buf_adds(b, "\r\n");
			return (o.bits);
		}
	}
	return (0);
}

/* ---- messages ---- */

size_t
ws_deflate(char *dst, size_t max, unsigned bits, struct slice in)
{
	static z_stream	 streams[16];		/* by bits */
	static int	 made[16];
	z_stream	*z = &streams[bits];

	if (in.len > UINT_MAX || max > UINT_MAX)
		return (0);
	if (!made[bits] && deflateInit2(z, WS_DEFLATE_LEVEL, Z_DEFLATED,
	    -(int)bits, WS_DEFLATE_MEM, Z_DEFAULT_STRATEGY) != Z_OK)
		return (0);
	made[bits] = 1;
	z->next_in = (const Bytef *)in.data;
	z->avail_in = (uInt)in.len;
	z->next_out = (Bytef *)dst;
	z->avail_out = (uInt)max;
	deflate(z, Z_SYNC_FLUSH);
	max -= z->avail_out;
	/* Room that is left says that the flush is complete. */
	if (z->avail_out == 0 || max <= sizeof(ws_deflate_tail))
		max = sizeof(ws_deflate_tail);
	deflateReset(z);
	return (max - sizeof(ws_deflate_tail));
}

struct ws_inflater {
	z_stream	 z;
	struct slice	 tail;		/* what is left of it */
	int		 at_tail;	/* the message has been read */
};
static struct ws_inflater *ws_inflater_kept;

struct ws_inflater *
ws_inflater_get(void)
{
	struct ws_inflater	*i = ws_inflater_kept;

	ws_inflater_kept = NULL;
	if (i != NULL && inflateReset(&i->z) != Z_OK) {
		ws_inflater_put(i);
		i = NULL;
	}
	if (i == NULL) {
		if ((i = calloc(1, sizeof(*i))) == NULL ||
		    inflateInit2(&i->z, -15) != Z_OK) {
			free(i);
			errno = ENOMEM;
			return (NULL);
		}
	}
	i->at_tail = 0;
	i->tail = slice_of(ws_deflate_tail, sizeof(ws_deflate_tail));
	return (i);
}

void
ws_inflater_put(struct ws_inflater *i)
{
	if (i == NULL)
		return;
	if (ws_inflater_kept == NULL) {
		ws_inflater_kept = i;
		return;
	}
	inflateEnd(&i->z);
	free(i);
}

/* Take of in what leads to a step: 0, more, or the code to close with. */
static uint16_t
ws_inflate_step(struct ws_inflater *i, struct buf *out, size_t max,
    struct slice *in)
{
	z_stream	*z = &i->z;
	size_t		 room;
	int		 rv;

	/* One byte more than may be, to see that it is too much. */
	if ((room = max + 1 - out->len) > WS_INFLATE_STEP)
		room = WS_INFLATE_STEP;
	z->next_in = (const Bytef *)in->data;
	z->avail_in = (uInt)in->len;
	if ((z->next_out = (Bytef *)buf_reserve(out, room)) == NULL)
		return (1009);
	z->avail_out = (uInt)room;
	rv = inflate(z, Z_SYNC_FLUSH);
	out->len += room - z->avail_out;
	*in = slice_of((const char *)z->next_in, z->avail_in);
	if (out->len > max)
		return (1009);
	if (rv == Z_STREAM_END)			/* its own end: more may follow */
		rv = inflateReset(z);
	if (rv != Z_OK && rv != Z_BUF_ERROR)
		return (rv == Z_MEM_ERROR ? 1009 : 1007);
	return (z->avail_in > 0 || z->avail_out == 0 ? WS_INFLATE_MORE : 0);
}

uint16_t
ws_inflate_some(struct ws_inflater *i, struct buf *out, size_t max,
    struct slice *in, size_t step)
{
	size_t		 begin = out->len;
	uint16_t	 code;

	if (in->len > UINT_MAX)
		return (1009);
	do {
		code = ws_inflate_step(i, out, max,
		    i->at_tail ? &i->tail : in);
		/* Between two blocks, or it was cut short. */
		if (code == 0 && i->at_tail)
			return (i->z.data_type & 128 ? 0 : 1007);
		if (code == 0)
			i->at_tail = 1;
		else if (code != WS_INFLATE_MORE)
			return (code);
	} while (out->len - begin < step);
	return (WS_INFLATE_MORE);
}

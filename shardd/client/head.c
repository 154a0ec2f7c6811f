/* What an answer begins with, as the request and its route want it. */
#include "proto/http_reply.h"
#include "proto/ws_accept.h"
#include "proto/ws_deflate.h"
#include "shardd/client/conn.h"
#include "shardd/client/head.h"
#include "shardd/client/payload.h"
#include "shardd/client/request.h"
#include "shardd/client/who.h"
#include "shardd/options.h"

int
head_preflight(const struct conn *c, const struct kennel_request *q)
{
	return ((c->told & CAPSULE_F_CORS) && slice_is(q->h.method, "OPTIONS") &&
	    http_head_find(&q->h, "Origin") != NULL &&
	    http_head_find(&q->h, "Access-Control-Request-Method") != NULL);
}

void
head_cors(const struct conn *c, struct kennel_request *q)
{
	const struct http_header	*origin, *wanted;

	if ((c->told & CAPSULE_F_CORS) == 0)
		return;
	buf_adds(&q->extra, "Vary: Origin\r\n");
	if ((origin = http_head_find(&q->h, "Origin")) == NULL)
		return;
	buf_adds(&q->extra, "Access-Control-Allow-Origin: ");
	buf_add(&q->extra, origin->value.data, origin->value.len);
	buf_adds(&q->extra, "\r\n");
	if (!head_preflight(c, q))
		return;
	wanted = http_head_find(&q->h, "Access-Control-Request-Method");
	buf_adds(&q->extra, "Access-Control-Allow-Methods: ");
	buf_add(&q->extra, wanted->value.data, wanted->value.len);
	wanted = http_head_find(&q->h, "Access-Control-Request-Headers");
	if (wanted != NULL) {
		buf_adds(&q->extra, "\r\nAccess-Control-Allow-Headers: ");
		buf_add(&q->extra, wanted->value.data, wanted->value.len);
	}
	buf_adds(&q->extra, "\r\nAccess-Control-Max-Age: 600\r\n");
}

struct payload *
head_upgrade(const struct kennel_request *q)
{
	static struct buf	 b;	/* kept from one to the next */
	const struct http_header *key;
	char			 accept[WS_ACCEPT_LEN + 1];

	buf_reset(&b);
	key = http_head_find(&q->h, "Sec-WebSocket-Key");
	if (ws_accept(accept, key->value) == -1)
		return (NULL);
	buf_adds(&b, "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: ");
	buf_add(&b, accept, WS_ACCEPT_LEN);
	buf_adds(&b, "\r\n");
	if (q->conn->clients->opt->deflate)
		q->conn->deflate = (uint8_t)ws_deflate_answer(&q->h, &b);
	if (q->conn->told & CAPSULE_F_PROTOCOL)
		buf_addf(&b, "Sec-WebSocket-Protocol: %s\r\n",
		    who_header(q->conn, "Sec-WebSocket-Protocol"));
	buf_add(&b, q->extra.data, q->extra.len);
	buf_adds(&b, "\r\n");
	return (b.failed ? NULL : payload_raw(slice_of(b.data, b.len)));
}

struct payload *
head_stream(const struct kennel_request *q, int status, const char *type)
{
	const struct http_reply	 r = {
		.status = status, .type = type, .close = 1,
		.minor = q->h.minor, .framing = q->h.minor == 0 ?
		    HTTP_UNTIL_END : HTTP_CHUNKED,
		.extra = slice_of(q->extra.data, q->extra.len),
	};
	struct buf		 b = { 0 };
	struct payload		*p = NULL;

	if (http_reply_write(&b, &r) == 0)
		p = payload_raw(slice_of(b.data, b.len));
	buf_clear(&b);
	return (p);
}

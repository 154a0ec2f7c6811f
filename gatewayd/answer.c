/* What the gateway itself says to a right request. */
#include "common/bytes.h"
#include "gatewayd/answer.h"
#include "gatewayd/routes.h"
#include "proto/http_head.h"
#include "proto/http_reply.h"

void
answer_options(struct buf *out, const struct http_head *h)
{
	const struct http_reply	 r = {
		.status = 204, .close = 1, .minor = h->minor,
		.extra = slice_str("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, "
		    "OPTIONS\r\n"),
	};

	http_reply_write(out, &r);
}

int
answer_slash(struct buf *out, const struct routes *routes,
    const struct http_head *h)
{
	struct buf		 to = { .max = 8192 }, field = { .max = 8192 };
	struct http_reply	 r = {
		.status = 308, .type = "text/plain", .close = 1,
		.minor = h->minor, .head_only = slice_is(h->method, "HEAD"),
		.body = slice_str("Permanent Redirect\n"),
	};
	int			 found;

	if ((found = routes_slash(routes, h, &to) == 0)) {
		buf_addf(&field, "Location: %.*s\r\n", (int)to.len, to.data);
		if ((found = !field.failed)) {
			r.extra = slice_of(field.data, field.len);
			http_reply_write(out, &r);
		}
	}
	buf_clear(&to);
	buf_clear(&field);
	return (found);
}

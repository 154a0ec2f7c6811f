/* The answer to a request for what is not there: a page for browsers. */
#include "common/bytes.h"
#include "gatewayd/missing.h"
#include "proto/http_head.h"
#include "proto/http_reply.h"

#define MISSING_SHOWN	200	/* bytes of a path */

/* The page stands alone: no other needs be there. */
static const char missing_head[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>Not found</title>\n"
    "<link rel=\"icon\" href=\"data:,\">\n"
    "<style>\n"
    ":root { color-scheme: light dark; }\n"
    "body { max-width: 40rem; margin: 0 auto; padding: 2.5rem 1.25rem;\n"
    "	font: 16px/1.5 system-ui, sans-serif; }\n"
    "code { overflow-wrap: anywhere; }\n"
    "</style>\n"
    "</head>\n"
    "<body>\n"
    "<h1>Not found</h1>\n"
    "<p>Nothing is served at <code>";

static const char missing_front[] =
    "<p><a href=\"/\">To the front page</a></p>\n";

/* q=0 in the parameters of a media range: anything but this. */
static int
missing_unwanted(struct slice params)
{
	const char	*end = params.data + params.len, *p = params.data;

	while (p < end && (*p == ';' || *p == ' ' || *p == '\t'))
		p++;
	if (end - p < 3 || (*p != 'q' && *p != 'Q') || p[1] != '=')
		return (0);
	for (p += 2; p < end && (*p == '0' || *p == '.'); p++)
		;
	return (p == end);
}

int
missing_wants_page(const struct http_head *h)
{
	const struct http_header	*accept = http_head_find(h, "Accept");
	struct slice			 rest, range, type;
	const char			*p;

	if (accept == NULL)
		return (0);
	for (rest = accept->value; rest.len > 0; ) {
		p = memchr(rest.data, ',', rest.len);
		range = slice_of(rest.data, p == NULL ? rest.len :
		    (size_t)(p - rest.data));
		rest = p == NULL ? slice_of(NULL, 0) :
		    slice_of(p + 1, rest.len - range.len - 1);
		range = slice_trim(range);
		p = memchr(range.data, ';', range.len);
		type = slice_trim(slice_of(range.data, p == NULL ? range.len :
		    (size_t)(p - range.data)));
		if (slice_caseis(type, "text/html"))
			return (p == NULL || !missing_unwanted(slice_of(p,
			    range.len - (size_t)(p - range.data))));
	}
	return (0);
}

int
missing_page(struct buf *out, const struct http_head *h)
{
	struct buf		 body = { 0 };
	struct slice		 path = h->path;
	struct http_reply	 r = {
		.status = 404, .type = "text/html;charset=utf-8", .close = 1,
		.minor = h->minor, .head_only = slice_is(h->method, "HEAD"),
		.extra = slice_str("Content-Security-Policy: default-src "
		    "'none'; style-src 'unsafe-inline'; img-src data:\r\n"
		    "X-Content-Type-Options: nosniff\r\n"),
	};

	buf_adds(&body, missing_head);
	if (path.len > MISSING_SHOWN)
		path.len = MISSING_SHOWN;
	bytes_html(&body, path);
	buf_adds(&body, path.len < h->path.len ? "…</code>.</p>\n" :
	    "</code>.</p>\n");
	if (!slice_is(h->path, "/"))
		buf_adds(&body, missing_front);
	buf_adds(&body, "</body>\n</html>\n");
	r.body = slice_of(body.data, body.len);
	if (body.failed || http_reply_write(out, &r) == -1)
		out->failed = 1;
	buf_clear(&body);
	return (out->failed ? -1 : 0);
}

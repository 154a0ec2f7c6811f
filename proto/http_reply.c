/* The responses we write (RFC 9110, 9112). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "proto/http_reply.h"

static const struct {
	int		 status;
	const char	*text;
} http_statuses[] = {
	{ 101, "Switching Protocols" },
	{ 200, "OK" }, { 201, "Created" }, { 202, "Accepted" },
	{ 204, "No Content" }, { 206, "Partial Content" },
	{ 301, "Moved Permanently" }, { 302, "Found" }, { 303, "See Other" },
	{ 304, "Not Modified" }, { 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
	{ 404, "Not Found" }, { 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" }, { 408, "Request Timeout" },
	{ 409, "Conflict" }, { 410, "Gone" }, { 411, "Length Required" },
	{ 412, "Precondition Failed" }, { 413, "Content Too Large" },
	{ 414, "URI Too Long" }, { 415, "Unsupported Media Type" },
	{ 416, "Range Not Satisfiable" },
	{ 417, "Expectation Failed" }, { 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" }, { 426, "Upgrade Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" }, { 501, "Not Implemented" },
	{ 502, "Bad Gateway" }, { 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" }, { 505, "HTTP Version Not Supported" },
};

const char *
http_status_text(int status)
{
	for (size_t i = 0; i < nitems(http_statuses); i++)
		if (http_statuses[i].status == status)
			return (http_statuses[i].text);
	return ("Unknown");
}

const char *
http_date(void)
{
	static char	 text[32];
	static time_t	 made;
	time_t		 now = time(NULL);
	struct tm	 tm;

	if (now != made || text[0] == '\0') {
		gmtime_r(&now, &tm);
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		made = now;
	}
	return (text);
}

int
http_reply_write(struct buf *out, const struct http_reply *r)
{
	buf_addf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\nServer: kennel\r\n",
	    r->status, http_status_text(r->status), http_date());
	if (r->type != NULL)
		buf_addf(out, "Content-Type: %s\r\n", r->type);
	if (r->framing == HTTP_CHUNKED)
		buf_adds(out, "Transfer-Encoding: chunked\r\n");
	else if (r->framing != HTTP_UNTIL_END && r->status != 204 &&
	    r->status != 304)
		buf_addf(out, "Content-Length: %" PRIu64 "\r\n",
		    r->framing == HTTP_LENGTH ? r->length :
		    (uint64_t)r->body.len);
	if (r->close)
		buf_adds(out, "Connection: close\r\n");
	else if (r->minor == 0)
		buf_adds(out, "Connection: keep-alive\r\n");
	buf_add(out, r->extra.data, r->extra.len);
	buf_adds(out, "\r\n");
	if (!r->head_only && r->status != 204 && r->status != 304)
		buf_add(out, r->body.data, r->body.len);
	return (out->failed ? -1 : 0);
}

int
http_reply_error(struct buf *out, int status, const char *why,
    unsigned retry_after_s, int head_only)
{
	struct http_reply	 r = { .status = status, .close = 1,
				    .minor = 1, .head_only = head_only,
				    .type = "text/plain" };
	char			 body[512], extra[128];
	int			 n = 0;

	snprintf(body, sizeof(body), "%s\n",
	    why != NULL ? why : http_status_text(status));
	r.body = slice_str(body);
	if (retry_after_s > 0)
		n = snprintf(extra, sizeof(extra), "Retry-After: %u\r\n",
		    retry_after_s);
	if (status == 405)
		n += snprintf(extra + n, sizeof(extra) - (size_t)n,
		    "Allow: GET, HEAD\r\n");
	if (status == 426)
		n += snprintf(extra + n, sizeof(extra) - (size_t)n,
		    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
	r.extra = slice_of(extra, (size_t)n);
	return (http_reply_write(out, &r));
}

int
http_field_ok(struct slice name, struct slice value)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] <= ' ' || name.data[i] >= 0x7f ||
		    strchr("()<>@,;:\\\"/[]?={}", name.data[i]) != NULL)
			return (0);
	for (size_t i = 0; i < value.len; i++)
		if (((unsigned char)value.data[i] < 0x20 &&
		    value.data[i] != '\t') || value.data[i] == 0x7f)
			return (0);
	return (name.len > 0);
}

int
http_field_ours(struct slice name)
{
	static const char *const	 ours[] = { "Connection",
	    "Content-Length", "Date", "Keep-Alive", "Proxy-Connection",
	    "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "TE",
	    "Trailer", "Transfer-Encoding", "Upgrade" };

	for (size_t i = 0; i < nitems(ours); i++)
		if (slice_caseis(name, ours[i]))
			return (1);
	return (0);
}

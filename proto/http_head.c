/* The head of an HTTP/1.x request, strictly (RFC 9112). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http_head.h"
#include "proto/ws_accept.h"

const struct http_limits http_limits_default = {
	.line_max = 8 << 10,
	.head_max = 32 << 10,
	.headers_max = 100,
};

static enum parse
http_bad(struct http_head *h, int status, const char *why)
{
	h->status = status;
	h->why = why;
	return (PARSE_BAD);
}

/* What a byte may be part of: a token (RFC 9110 5.6.2), a host's name (RFC 3986
 * 3.2.2, reg-name). */
#define HTTP_T	1
#define HTTP_H	2
#define HTTP_TH	(HTTP_T | HTTP_H)
#define X5(v)	v, v, v, v, v
#define X25(v)	X5(v), X5(v), X5(v), X5(v), X5(v)
static const uint8_t	 http_bytes[256] = {
	['!'] = HTTP_TH, ['#'] = HTTP_T, ['$'] = HTTP_TH, ['%'] = HTTP_TH,
	['&'] = HTTP_TH, ['\''] = HTTP_TH, ['('] = HTTP_H, [')'] = HTTP_H,
	['*'] = HTTP_TH, ['+'] = HTTP_TH, [','] = HTTP_H, ['-'] = HTTP_TH,
	['.'] = HTTP_TH, [';'] = HTTP_H, ['='] = HTTP_H, ['^'] = HTTP_T,
	['_'] = HTTP_TH, ['`'] = HTTP_T, ['|'] = HTTP_T, ['~'] = HTTP_TH,
	['0'] = X5(HTTP_TH), X5(HTTP_TH),
	['A'] = X25(HTTP_TH), HTTP_TH,
	['a'] = X25(HTTP_TH), HTTP_TH,
};
#undef X25
#undef X5

static int
http_tchar(char c)
{
	return (http_bytes[(unsigned char)c] & HTTP_T);
}

static int
http_token(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!http_tchar(s.data[i]))
			return (0);
	return (s.len > 0);
}

/* ---- bytes ---- */

/* No rule is about it, or about what follows it. */
static int
http_plain(char c)
{
	return ((unsigned char)c >= 0x20 && c != 0x7f);
}

/* The first byte of [i, bound) that is not plain, eight at a time, or bound. */
static size_t
http_skip_plain(const char *buf, size_t i, size_t bound)
{
	const uint64_t	 one = 0x0101010101010101u;
	uint64_t	 v, del;

	for (; i + sizeof(v) <= bound; i += sizeof(v)) {
		memcpy(&v, buf + i, sizeof(v));
		del = v ^ one * 0x7f;
		/* The high bit of some byte: it is below 0x20, or is 0x7f. */
		if ((((v - one * 0x20) & ~v) | ((del - one) & ~del)) &
		    one * 0x80)
			break;
	}
	while (i < bound && http_plain(buf[i]))
		i++;
	return (i);
}

/* Can these first bytes still be a request line?  TLS and noise are told apart
 * before a line is whole. */
static int
http_plausible(const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] == ' ')
			return (i > 0);
		if (!http_tchar(p[i]) || i >= 32)
			return (0);
	}
	return (1);
}

/* ---- the request line ---- */

static int
http_target_ok(struct slice t)
{
	for (size_t i = 0; i < t.len; i++)
		if ((unsigned char)t.data[i] <= ' ' ||
		    (unsigned char)t.data[i] >= 0x7f || t.data[i] == '#')
			return (0);
	return (t.len > 0);
}

/* host[:port] without userinfo; empty is allowed for Host (RFC 9112 3.2). */
static int
http_host_ok(struct slice s)
{
	size_t	 i = 0, colon;

	if (s.len > 0 && s.data[0] == '[') {
		for (i = 1; i < s.len && s.data[i] != ']'; i++)
			if (strchr("0123456789abcdefABCDEF:.vV", s.data[i]) ==
			    NULL || s.data[i] == '\0')
				return (0);
		if (i == s.len || i == 1)
			return (0);
		i++;
	} else
		for (; i < s.len && s.data[i] != ':'; i++)
			if (!(http_bytes[(unsigned char)s.data[i]] & HTTP_H))
				return (0);
	if (i == s.len)
		return (1);
	if (s.data[i] != ':' || i == 0)
		return (0);
	for (colon = i++; i < s.len; i++)
		if (s.data[i] < '0' || s.data[i] > '9' || i - colon > 5)
			return (0);
	return (1);
}

/* absolute-form: the authority and what follows it. */
static int
http_absolute(struct http_head *h, size_t scheme)
{
	struct slice	 rest = { h->target.data + scheme,
			    h->target.len - scheme };
	size_t		 n = 0;

	while (n < rest.len && rest.data[n] != '/' && rest.data[n] != '?')
		n++;
	h->host = slice_of(rest.data, n);
	h->path = slice_of(rest.data + n, rest.len - n);
	return (n > 0 && http_host_ok(h->host));
}

static enum parse
http_request_line(struct http_head *h, struct slice line)
{
	const char	*sp1, *sp2, *v, *q;

	sp1 = memchr(line.data, ' ', line.len);
	sp2 = memrchr(line.data, ' ', line.len);
	if (sp1 == NULL || sp1 == sp2)
		return (http_bad(h, 400, "request line is not method, target, version"));
	h->method = slice_of(line.data, (size_t)(sp1 - line.data));
	h->target = slice_of(sp1 + 1, (size_t)(sp2 - sp1 - 1));
	v = sp2 + 1;
	if (!http_token(h->method))
		return (http_bad(h, 400, "method is not a token"));
	if (line.data + line.len - v != 8 || memcmp(v, "HTTP/", 5) != 0 ||
	    v[5] < '0' || v[5] > '9' || v[6] != '.' || v[7] < '0' ||
	    v[7] > '9')
		return (http_bad(h, 400, "not an HTTP version"));
	if (v[5] != '1')
		return (http_bad(h, 505, "only HTTP/1.1 and HTTP/1.0 are spoken"));
	h->minor = v[7] == '0' ? 0 : 1;
	if (!http_target_ok(h->target))
		return (http_bad(h, 400, "request target has a character that must be percent-encoded"));
	if (slice_is(h->method, "CONNECT"))
		return (http_bad(h, 501, "CONNECT is not served"));
	if (h->target.data[0] == '/')
		h->path = h->target;
	else if (slice_is(h->target, "*")) {
		if (!slice_is(h->method, "OPTIONS"))
			return (http_bad(h, 400, "target * is for OPTIONS only"));
		h->path = h->target;
	} else if (h->target.len > 7 && slice_caseis(slice_of(h->target.data, 7),
	    "http://")) {
		if (!http_absolute(h, 7))
			return (http_bad(h, 400, "request target has no right host"));
	} else if (h->target.len > 8 && slice_caseis(slice_of(h->target.data, 8),
	    "https://")) {
		if (!http_absolute(h, 8))
			return (http_bad(h, 400, "request target has no right host"));
	} else
		return (http_bad(h, 400, "request target is neither a path nor a URL"));
	if ((q = memchr(h->path.data, '?', h->path.len)) != NULL) {
		h->query = slice_of(q + 1,
		    h->path.len - (size_t)(q - h->path.data) - 1);
		h->path.len = (size_t)(q - h->path.data);
	}
	if (h->path.len == 0)		/* "http://host", "http://host?x" */
		h->path = slice_str("/");
	return (PARSE_DONE);
}

/* ---- the fields ---- */

static enum parse
http_field(struct http_head *h, struct slice line,
    const struct http_limits *limits)
{
	const char	*colon = memchr(line.data, ':', line.len);
	struct slice	 name, value;
	uint64_t	 length;

	if (colon == NULL)
		return (http_bad(h, 400, "header field without a colon"));
	name = slice_of(line.data, (size_t)(colon - line.data));
	value = slice_of(colon + 1, line.len - name.len - 1);
	if (!http_token(name))
		return (http_bad(h, 400, "header field name is not a token"));
	if (h->nheaders >= limits->headers_max ||
	    h->nheaders >= HTTP_HEADERS_MAX)
		return (http_bad(h, 431, "too many header fields"));
	value = slice_trim(value);
	h->headers[h->nheaders].name = name;
	h->headers[h->nheaders++].value = value;
	/* What is wrong whatever else the head says. */
	if (slice_caseis(name, "Host") && !http_host_ok(value))
		return (http_bad(h, 400, "Host is malformed"));
	if (slice_caseis(name, "Content-Length") &&
	    slice_u64(value, INT64_MAX, &length) == -1)
		return (http_bad(h, 400, "Content-Length is not a number"));
	if (slice_caseis(name, "Transfer-Encoding") &&
	    !slice_caseis(value, "chunked"))
		return (http_bad(h, 501, "Transfer-Encoding other than chunked"));
	return (PARSE_DONE);
}

/* ---- lines, one after the other ---- */

/* The line that ends with the CRLF before end; every byte of it was looked at. */
static struct slice
http_line_before(const char *begin, const char *end)
{
	const char	*lf;

	end -= 2;
	lf = memrchr(begin, '\n', (size_t)(end - begin));
	begin = lf == NULL ? begin : lf + 1;
	return (slice_of(begin, (size_t)(end - begin)));
}

/* How many lines have ended in len bytes? */
static size_t
http_lines(const char *p, size_t len)
{
	const char	*end = p + len;
	size_t		 n = 0;

	while ((p = memchr(p, '\n', (size_t)(end - p))) != NULL)
		p++, n++;
	return (n);
}

/*
 * Look at the bytes behind *scanned, each once, and at each line once it has
 * ended: a wrong one is refused without waiting for the rest.  DONE: head_len is
 * set.  What stands before a byte tells where in a line it is, except whether that
 * is the request line, which ends within line_max.
 */
static enum parse
http_scan(struct http_head *h, const char *buf, size_t len, size_t start,
    size_t *scanned, const struct http_limits *limits)
{
	size_t		 i = *scanned < start ? start : *scanned, bound;
	size_t		 begun = i;
	int		 first;
	struct slice	 line;
	enum parse	 r;

	first = i - start <= limits->line_max + 1 &&
	    memchr(buf + start, '\n', i - start) == NULL;
	for (; i < len; i++) {
		unsigned char	 c = (unsigned char)buf[i];
		char		 before = i > start ? buf[i - 1] : '\n';

		/* Amid a line, up to where a limit may be: most of a head. */
		bound = limits->head_max - 1 < len ? limits->head_max - 1 : len;
		if (first && start + limits->line_max < bound)
			bound = start + limits->line_max;
		if (http_plain(before) && i + 1 < bound) {
			i = http_skip_plain(buf, i, bound - 1);
			c = (unsigned char)buf[i];
			before = buf[i - 1];
		}
		if (c == '\n') {
			if (before != '\r')
				return (http_bad(h, 400, "bare LF"));
			if (buf[i - 2] == '\n') {
				h->head_len = i + 1;
				return (PARSE_DONE);
			}
			line = http_line_before(buf + start, buf + i + 1);
			/* Of those in earlier bytes only the number counts. */
			if (begun > start) {
				h->nheaders = http_lines(buf + start, i - start);
				h->nheaders -= h->nheaders > 0;
			}
			begun = start;
			r = first ? http_request_line(h, line) :
			    http_field(h, line, limits);
			if (r != PARSE_DONE)
				return (r);
			first = 0;
		} else if (before == '\r')
			return (http_bad(h, 400, "bare CR"));
		else if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
			return (http_bad(h, 400, "control character"));
		else if (before == '\n' && (c == ' ' || c == '\t'))
			return (http_bad(h, 400, "folded header field"));
		else if (first && i - start >= limits->line_max && c != '\r')
			return (http_bad(h, 414, "request line is too long"));
		if (i + 1 >= limits->head_max)
			return (http_bad(h, 431, "request head is too large"));
	}
	*scanned = len;
	return (PARSE_MORE);
}

/* The lines of a head that came in parts: all were found right, one by one. */
static enum parse
http_read_lines(struct http_head *h, const char *p, const char *end,
    const struct http_limits *limits)
{
	const char	*eol;
	enum parse	 r;

	h->nheaders = 0;
	for (int first = 1; p < end; first = 0, p = eol + 2) {
		eol = memchr(p, '\r', (size_t)(end - p));
		r = first ? http_request_line(h, slice_of(p, (size_t)(eol - p))) :
		    http_field(h, slice_of(p, (size_t)(eol - p)), limits);
		if (r != PARSE_DONE)
			return (r);
	}
	return (PARSE_DONE);
}

/* ---- all fields together ---- */

/* Host: exactly one. */
static enum parse
http_take_host(struct http_head *h)
{
	const struct http_header	*host = NULL;

	for (size_t i = 0; i < h->nheaders; i++) {
		if (!slice_caseis(h->headers[i].name, "Host"))
			continue;
		if (host != NULL)
			return (http_bad(h, 400, "more than one Host"));
		host = &h->headers[i];
	}
	if (host == NULL && h->minor > 0)
		return (http_bad(h, 400, "Host is missing"));
	if (host != NULL && h->host.data == NULL)
		h->host = host->value;
	return (PARSE_DONE);
}

/* How long is the body?  RFC 9112 6, with nothing left to guess. */
static enum parse
http_take_framing(struct http_head *h)
{
	int	 encoded = 0;

	for (size_t i = 0; i < h->nheaders; i++) {
		struct slice	 name = h->headers[i].name;
		struct slice	 value = h->headers[i].value;

		if (slice_caseis(name, "Content-Length")) {
			if (h->has_length)
				return (http_bad(h, 400, "more than one Content-Length"));
			(void)slice_u64(value, INT64_MAX, &h->length);
			h->has_length = 1;
		} else if (slice_caseis(name, "Transfer-Encoding")) {
			if (encoded++)
				return (http_bad(h, 501, "Transfer-Encoding other than chunked"));
			h->chunked = 1;
		}
	}
	if (encoded && h->has_length)
		return (http_bad(h, 400, "both Content-Length and Transfer-Encoding"));
	if (encoded && h->minor == 0)
		return (http_bad(h, 400, "Transfer-Encoding in HTTP/1.0"));
	return (PARSE_DONE);
}

static enum parse
http_finish(struct http_head *h)
{
	const struct http_header	*expect;
	enum parse			 r;

	if ((r = http_take_host(h)) != PARSE_DONE ||
	    (r = http_take_framing(h)) != PARSE_DONE)
		return (r);
	h->keep_alive = h->minor > 0 ?
	    !http_head_lists(h, "Connection", "close") :
	    http_head_lists(h, "Connection", "keep-alive") &&
	    !http_head_lists(h, "Connection", "close");
	h->connection_upgrade = http_head_lists(h, "Connection", "upgrade");
	expect = http_head_find(h, "Expect");
	h->expect_continue = h->minor > 0 && expect != NULL &&
	    slice_caseis(expect->value, "100-continue");
	return (PARSE_DONE);
}

enum parse
http_head_parse(struct http_head *h, const char *buf, size_t len,
    size_t *scanned, const struct http_limits *limits)
{
	size_t		 start = 0;
	int		 whole;
	enum parse	 r;

	memset(h, 0, offsetof(struct http_head, headers));
	while (start < 4 && len - start >= 2 && buf[start] == '\r' &&
	    buf[start + 1] == '\n')
		start += 2;
	if (len == start || (len - start == 1 && buf[start] == '\r' && start < 4))
		return (PARSE_MORE);
	if (!http_plausible(buf + start, len - start))
		return (http_bad(h, 400, "this is not HTTP"));
	whole = *scanned <= start;
	if ((r = http_scan(h, buf, len, start, scanned, limits)) != PARSE_DONE)
		return (r);
	if (!whole && (r = http_read_lines(h, buf + start, buf + h->head_len -
	    2, limits)) != PARSE_DONE)
		return (r);
	return (http_finish(h));
}

/* ---- asking ---- */

const struct http_header *
http_head_find(const struct http_head *h, const char *name)
{
	struct slice	 s = slice_str(name);

	for (size_t i = 0; i < h->nheaders; i++)
		if (slice_caseeq(h->headers[i].name, s))
			return (&h->headers[i]);
	return (NULL);
}

int
http_head_lists(const struct http_head *h, const char *name,
    const char *token)
{
	struct slice	 s = slice_str(name);

	for (size_t i = 0; i < h->nheaders; i++) {
		struct slice	 rest = h->headers[i].value, item;

		if (!slice_caseeq(h->headers[i].name, s))
			continue;
		while (rest.len > 0) {
			const char	*comma = memchr(rest.data, ',', rest.len);

			item = rest;
			if (comma != NULL)
				item.len = (size_t)(comma - rest.data);
			if (slice_caseis(slice_trim(item), token))
				return (1);
			if (comma == NULL)
				break;
			rest.len -= item.len + 1;
			rest.data = comma + 1;
		}
	}
	return (0);
}

char *
http_query_get(struct slice query, const char *key, size_t *len)
{
	size_t	 klen = strlen(key), n;
	char	*name, *value;

	while (query.len > 0) {
		const char	*amp = memchr(query.data, '&', query.len);
		struct slice	 pair = query, k, v = { "", 0 };
		const char	*eq;

		if (amp != NULL)
			pair.len = (size_t)(amp - query.data);
		k = pair;
		if ((eq = memchr(pair.data, '=', pair.len)) != NULL) {
			k.len = (size_t)(eq - pair.data);
			v = slice_of(eq + 1, pair.len - k.len - 1);
		}
		if (k.len >= klen && k.len <= klen * 3) {
			if ((name = malloc(k.len + 1)) == NULL)
				return (NULL);
			n = bytes_unpercent(name, k, 1);
			if (n == klen && memcmp(name, key, klen) == 0) {
				free(name);
				if ((value = malloc(v.len + 1)) == NULL)
					return (NULL);
				n = bytes_unpercent(value, v, 1);
				value[n] = '\0';
				if (len != NULL)
					*len = n;
				return (value);
			}
			free(name);
		}
		if (amp == NULL)
			break;
		query.len -= pair.len + 1;
		query.data = amp + 1;
	}
	errno = ENOENT;
	return (NULL);
}

struct slice
http_cookie_get(const struct http_head *h, const char *name)
{
	size_t	 nlen = strlen(name);

	for (size_t i = 0; i < h->nheaders; i++) {
		struct slice	 rest = h->headers[i].value;

		if (!slice_caseis(h->headers[i].name, "Cookie"))
			continue;
		while (rest.len > 0) {
			const char	*semi = memchr(rest.data, ';', rest.len);
			struct slice	 pair = rest, v;

			if (semi != NULL)
				pair.len = (size_t)(semi - rest.data);
			rest.data += pair.len + (semi != NULL);
			rest.len -= pair.len + (semi != NULL);
			pair = slice_trim(pair);
			if (pair.len <= nlen || pair.data[nlen] != '=' ||
			    memcmp(pair.data, name, nlen) != 0)
				continue;
			v = slice_of(pair.data + nlen + 1, pair.len - nlen - 1);
			if (v.len >= 2 && v.data[0] == '"' &&
			    v.data[v.len - 1] == '"')
				v.data++, v.len -= 2;
			return (v);
		}
	}
	return ((struct slice){ NULL, 0 });
}

struct slice
http_bearer_get(const struct http_head *h)
{
	static const char		 scheme[] = "Bearer ";
	const struct http_header	*a = http_head_find(h, "Authorization");
	size_t				 n = sizeof(scheme) - 1;

	if (a == NULL || a->value.len <= n ||
	    !slice_caseis(slice_of(a->value.data, n), scheme))
		return ((struct slice){ NULL, 0 });
	return (slice_trim(slice_of(a->value.data + n, a->value.len - n)));
}

int
http_head_websocket(const struct http_head *h, const char **why)
{
	const struct http_header	*key = NULL, *version;
	size_t				 keys = 0;

	if (!slice_is(h->method, "GET")) {
		*why = "Method Not Allowed";
		return (405);
	}
	if (!http_head_lists(h, "Upgrade", "websocket")) {
		*why = "Upgrade Required";
		return (426);
	}
	*why = "Bad Request: Connection does not list Upgrade";
	if (!h->connection_upgrade)
		return (400);
	*why = "Bad Request: WebSocket needs HTTP/1.1";
	if (h->minor == 0)
		return (400);
	for (size_t i = 0; i < h->nheaders; i++)
		if (slice_caseis(h->headers[i].name, "Sec-WebSocket-Key")) {
			key = &h->headers[i];
			keys++;
		}
	*why = "Bad Request: Sec-WebSocket-Key is missing or malformed";
	if (keys != 1 || !ws_key_ok(key->value))
		return (400);
	*why = "Bad Request: a handshake has no body";
	if (h->chunked || h->length > 0)
		return (400);
	version = http_head_find(h, "Sec-WebSocket-Version");
	*why = "Upgrade Required: Sec-WebSocket-Version must be 13";
	if (version == NULL || !slice_is(version->value, "13"))
		return (426);
	return (0);
}

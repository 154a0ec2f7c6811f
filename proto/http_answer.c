/* The head of an HTTP/1.1 response. */
#include <string.h>

#include "proto/http_answer.h"
#include "proto/http_reply.h"

/* "HTTP/1.1 200 OK".  0, or -1. */
static int
http_answer_status(struct http_answer *a, struct slice line)
{
	static const char	 version[] = "HTTP/1.";
	const char		*p = line.data;
	size_t			 n = sizeof(version) - 1;

	if (line.len < n + 5 || memcmp(p, version, n) != 0 ||
	    (p[n] != '0' && p[n] != '1') || p[n + 1] != ' ' ||
	    (line.len > n + 5 && p[n + 5] != ' '))
		return (-1);
	a->status = 0;
	for (size_t i = n + 2; i < n + 5; i++) {
		if (p[i] < '0' || p[i] > '9')
			return (-1);
		a->status = a->status * 10 + (p[i] - '0');
	}
	return (a->status < 100 || a->status > 599 ||
	    memchr(p, '\0', line.len) != NULL ? -1 : 0);
}

/* Digits, at most 18 of them.  0, or -1. */
static int
http_answer_number(struct slice v, uint64_t *n)
{
	*n = 0;
	if (v.len == 0 || v.len > 18)
		return (-1);
	for (size_t i = 0; i < v.len; i++) {
		if (v.data[i] < '0' || v.data[i] > '9')
			return (-1);
		*n = *n * 10 + (uint64_t)(v.data[i] - '0');
	}
	return (0);
}

/* A field.  0, or -1. */
static int
http_answer_line(struct http_answer *a, struct slice line)
{
	const char		*colon = memchr(line.data, ':', line.len);
	struct http_header	*h;

	if (colon == NULL || a->nheaders == HTTP_ANSWER_FIELDS)
		return (-1);
	h = &a->headers[a->nheaders++];
	h->name = slice_of(line.data, (size_t)(colon - line.data));
	h->value = slice_trim(slice_of(colon + 1,
	    line.len - h->name.len - 1));
	if (!http_field_ok(h->name, h->value))
		return (-1);
	if (slice_caseis(h->name, "Content-Length")) {
		if (a->has_length || http_answer_number(h->value, &a->length) ==
		    -1)
			return (-1);
		a->has_length = 1;
	} else if (slice_caseis(h->name, "Transfer-Encoding")) {
		if (a->chunked || !slice_caseis(h->value, "chunked"))
			return (-1);
		a->chunked = 1;
	}
	return (0);
}

enum parse
http_answer_parse(struct http_answer *a, const char *buf, size_t len)
{
	const char	*at = buf, *end, *cr;
	struct slice	 line;

	a->nheaders = 0;
	a->chunked = a->has_length = a->status = 0;
	a->length = 0;
	end = buf + (len < HTTP_ANSWER_MAX ? len : HTTP_ANSWER_MAX);
	while ((cr = memchr(at, '\r', (size_t)(end - at))) != NULL) {
		if (cr + 1 == end)
			break;
		if (cr[1] != '\n')
			return (PARSE_BAD);
		line = slice_of(at, (size_t)(cr - at));
		at = cr + 2;
		if (a->status == 0) {
			if (http_answer_status(a, line) == -1)
				return (PARSE_BAD);
		} else if (line.len == 0) {
			a->head_len = (size_t)(at - buf);
			return (a->chunked && a->has_length ? PARSE_BAD :
			    PARSE_DONE);
		} else if (http_answer_line(a, line) == -1)
			return (PARSE_BAD);
	}
	return (len >= HTTP_ANSWER_MAX ? PARSE_BAD : PARSE_MORE);
}

struct slice
http_answer_field(const struct http_answer *a, const char *name)
{
	for (size_t i = 0; i < a->nheaders; i++)
		if (slice_caseis(a->headers[i].name, name))
			return (a->headers[i].value);
	return (slice_of(NULL, 0));
}

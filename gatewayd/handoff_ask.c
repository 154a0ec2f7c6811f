/* What placing a connection needs, measured and copied by one walk. */
#include <string.h>

#include "gatewayd/handoff_ask.h"
#include "proto/capsule.h"

/* Copy a slice to bytes + len, of which it then is; bytes NULL: count it only. */
static size_t
handoff_ask_slice(struct slice *s, char *bytes, size_t len)
{
	if (bytes != NULL) {
		if (s->len > 0)
			memcpy(bytes + len, s->data, s->len);
		/* An empty group is a group. */
		if (s->data != NULL)
			s->data = bytes + len;
	}
	return (len + s->len);
}

/* All slices of an ask: each is one line here, and nowhere else. */
static size_t
handoff_ask_walk(struct handoff_ask *a, struct capsule_header *headers,
    char *bytes)
{
	size_t	 len = 0;

	len = handoff_ask_slice(&a->group, bytes, len);
	len = handoff_ask_slice(&a->uid, bytes, len);
	len = handoff_ask_slice(&a->app, bytes, len);
	len = handoff_ask_slice(&a->route, bytes, len);
	len = handoff_ask_slice(&a->peer, bytes, len);
	len = handoff_ask_slice(&a->via, bytes, len);
	len = handoff_ask_slice(&a->early, bytes, len);
	for (size_t i = 0; i < a->nheaders; i++) {
		len = handoff_ask_slice(&headers[i].name, bytes, len);
		len = handoff_ask_slice(&headers[i].value, bytes, len);
	}
	return (len);
}

/* How many headers there are, within the bound of a capsule. */
static size_t
handoff_ask_headers(const struct handoff_ask *ask)
{
	return (ask->nheaders < CAPSULE_HEADERS_MAX ? ask->nheaders :
	    CAPSULE_HEADERS_MAX);
}

size_t
handoff_ask_size(const struct handoff_ask *ask)
{
	static struct capsule_header	 headers[CAPSULE_HEADERS_MAX];
	struct handoff_ask		 a = *ask;
	size_t				 size;

	a.nheaders = handoff_ask_headers(ask);
	size = a.nheaders * sizeof(headers[0]);
	if (size > 0)
		memcpy(headers, ask->headers, size);
	return (size + handoff_ask_walk(&a, headers, NULL));
}

void
handoff_ask_copy(struct handoff_ask *dst, const struct handoff_ask *src,
    void *room)
{
	struct capsule_header	*headers = room;

	*dst = *src;
	dst->headers = headers;
	dst->nheaders = handoff_ask_headers(src);
	if (dst->nheaders > 0)
		memcpy(headers, src->headers,
		    dst->nheaders * sizeof(headers[0]));
	handoff_ask_walk(dst, headers, (char *)&headers[dst->nheaders]);
}

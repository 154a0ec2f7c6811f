/* Subprotocols of WebSocket that a route speaks (RFC 6455 1.9). */
#include <stdlib.h>

#include "gatewayd/protocols.h"
#include "proto/http_head.h"
#include "proto/http_reply.h"

#define PROTOCOL_MAX	64	/* bytes of a name */

int
protocols_add(struct protocols *p, struct slice name, const char **why)
{
	if (!http_field_ok(name, slice_str("")) || name.len > PROTOCOL_MAX) {
		*why = "a subprotocol is 1 to 64 letters, digits or any of "
		    "!#$%&'*+-.^_`|~";
		return (-1);
	}
	if (p->n == PROTOCOLS_MAX) {
		*why = "too many subprotocols for one route";
		return (-1);
	}
	if ((p->names[p->n] = slice_dup(name)) == NULL) {
		*why = "out of memory";
		return (-1);
	}
	p->n++;
	return (0);
}

void
protocols_clear(struct protocols *p)
{
	while (p->n > 0)
		free(p->names[--p->n]);
}

/* Does the comma list of all these fields have the name? */
static int
protocols_offered(const struct http_head *h, const char *name)
{
	struct slice	 rest, item;
	const char	*comma;

	for (size_t i = 0; i < h->nheaders; i++) {
		if (!slice_caseis(h->headers[i].name, "Sec-WebSocket-Protocol"))
			continue;
		for (rest = h->headers[i].value; rest.len > 0;) {
			item = rest;
			comma = memchr(rest.data, ',', rest.len);
			if (comma != NULL)
				item.len = (size_t)(comma - rest.data);
			if (slice_is(slice_trim(item), name))
				return (1);
			rest.data += item.len + (comma != NULL);
			rest.len -= item.len + (comma != NULL);
		}
	}
	return (0);
}

struct slice
protocols_choose(const struct protocols *p, const struct http_head *h)
{
	for (size_t i = 0; i < p->n; i++)
		if (protocols_offered(h, p->names[i]))
			return (slice_str(p->names[i]));
	return (slice_of(NULL, 0));
}

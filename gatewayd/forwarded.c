/* Whose request it is, when proxies pass it on. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>

#include "common/networks.h"
#include "gatewayd/forwarded.h"
#include "proto/http_head.h"

/* The elements of all fields of one name, from the last to the first. */
struct walk {
	const struct http_head	*h;
	const char		*name;
	size_t			 field;	/* those before it are left */
	struct slice		 rest;	/* of the field at hand; data NULL: none */
};

static void
walk_begin(struct walk *w, const struct http_head *h, const char *name)
{
	w->h = h;
	w->name = name;
	w->field = h->nheaders;
	w->rest = slice_of(NULL, 0);
}

/* The next field to the left: 1, or 0, there is none. */
static int
walk_field(struct walk *w)
{
	const struct http_header	*field;

	while (w->field > 0) {
		field = &w->h->headers[--w->field];
		if (slice_caseis(field->name, w->name)) {
			w->rest = field->value;
			return (1);
		}
	}
	return (0);
}

/* The next element to the left, empty ones left out: 1, or 0 at the end. */
static int
walk_next(struct walk *w, struct slice *element)
{
	const char	*comma;

	for (;;) {
		if (w->rest.data == NULL && !walk_field(w))
			return (0);
		comma = w->rest.len == 0 ? NULL :
		    memrchr(w->rest.data, ',', w->rest.len);
		if (comma == NULL) {
			*element = slice_trim(w->rest);
			w->rest = slice_of(NULL, 0);
		} else {
			*element = slice_trim(slice_of(comma + 1,
			    (size_t)(w->rest.data + w->rest.len - comma - 1)));
			w->rest.len = (size_t)(comma - w->rest.data);
		}
		if (element->len > 0)
			return (1);
	}
}

/* The nth element from the right (from 1), or the first one, if there are less; data
 * NULL: none. */
static struct slice
walk_nth(const struct http_head *h, const char *name, size_t n)
{
	struct walk	 w;
	struct slice	 found = { NULL, 0 }, element;

	walk_begin(&w, h, name);
	while (n-- > 0 && walk_next(&w, &element))
		found = element;
	return (found);
}

/*
 * The value of a pair name=value of one element of Forwarded (RFC 7239 4), without
 * its quotes; data NULL: none, or none that is right.
 */
static struct slice
element_get(struct slice element, const char *name)
{
	const struct slice	 none = { NULL, 0 };
	const char		*end, *equals;
	struct slice		 pair, value;

	while (element.len > 0) {
		end = memchr(element.data, ';', element.len);
		pair = slice_of(element.data, end == NULL ? element.len :
		    (size_t)(end - element.data));
		element = slice_of(element.data + pair.len + (end != NULL),
		    element.len - pair.len - (end != NULL));
		pair = slice_trim(pair);
		if ((equals = memchr(pair.data, '=', pair.len)) == NULL ||
		    !slice_caseis(slice_of(pair.data,
		    (size_t)(equals - pair.data)), name))
			continue;
		value = slice_of(equals + 1, (size_t)(pair.data + pair.len -
		    equals - 1));
		if (value.len > 0 && value.data[0] == '"') {
			if (value.len < 2 || value.data[value.len - 1] != '"')
				return (none);
			value = slice_of(value.data + 1, value.len - 2);
		}
		if (value.len == 0 || memchr(value.data, '"', value.len) ||
		    memchr(value.data, '\\', value.len))
			return (none);
		return (value);
	}
	return (none);
}

/* A port, or 0 for what is none: an obfuscated one (RFC 7239 6.2). */
static unsigned
node_port(struct slice s)
{
	uint64_t	 port;

	return (slice_u64(s, 65535, &port) == -1 ? 0 : (unsigned)port);
}

/* Text of an address into bytes; its family, or -1. */
static int
node_address(struct slice s, unsigned char bytes[16])
{
	char		 text[INET6_ADDRSTRLEN];

	if (s.len == 0 || s.len >= sizeof(text) ||
	    memchr(s.data, '\0', s.len) != NULL)
		return (-1);
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET, text, bytes) == 1)
		return (AF_INET);
	return (inet_pton(AF_INET6, text, bytes) == 1 ? AF_INET6 : -1);
}

/*
 * A node, as proxies write it ("1.2.3.4", "1.2.3.4:5", "::1", "[::1]", "[::1]:5",
 * "unix:"), into peer.  0, or -1: not an address.
 */
static int
node_parse(char peer[FORWARDED_PEER_MAX], struct slice node)
{
	unsigned char	 bytes[16];
	const void	*address = bytes;
	const char	*colon, *end;
	char		 text[INET6_ADDRSTRLEN];
	unsigned	 port = 0;
	int		 family;

	if (slice_is(node, "unix:")) {
		snprintf(peer, FORWARDED_PEER_MAX, "unix:");
		return (0);
	}
	if (node.len > 0 && node.data[0] == '[') {
		if ((end = memchr(node.data, ']', node.len)) == NULL)
			return (-1);
		family = node_address(slice_of(node.data + 1,
		    (size_t)(end - node.data - 1)), bytes);
		node = slice_of(end + 1, (size_t)(node.data + node.len - end -
		    1));
		if (family != AF_INET6 ||
		    (node.len > 0 && node.data[0] != ':'))
			return (-1);
		if (node.len > 0)
			port = node_port(slice_of(node.data + 1, node.len - 1));
	} else if ((family = node_address(node, bytes)) == -1) {
		if (node.len == 0 ||
		    (colon = memchr(node.data, ':', node.len)) == NULL)
			return (-1);
		family = node_address(slice_of(node.data,
		    (size_t)(colon - node.data)), bytes);
		if (family != AF_INET)
			return (-1);
		port = node_port(slice_of(colon + 1, (size_t)(node.data +
		    node.len - colon - 1)));
	}
	if (family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address)) {
		family = AF_INET;
		address = bytes + 12;
	}
	inet_ntop(family, address, text, sizeof(text));
	snprintf(peer, FORWARDED_PEER_MAX, family == AF_INET ? "%s:%u" :
	    "[%s]:%u", text, port);
	return (0);
}

/*
 * Walk over the elements of the fields of one name, from the proxy that is f->peer:
 * f->peer becomes the client's.  How many were read; *last: the last of them.
 */
static size_t
forwarded_walk(struct forwarded *f, const struct http_head *h,
    const char *name, int pairs, const struct networks *proxies,
    struct slice *last)
{
	struct walk	 w;
	struct slice	 element;
	size_t		 n = 0;

	walk_begin(&w, h, name);
	while (n < FORWARDED_HOPS_MAX &&
	    networks_have(proxies, slice_str(f->peer)) &&
	    walk_next(&w, &element)) {
		n++;
		*last = element;
		if (node_parse(f->peer, pairs ? element_get(element, "for") :
		    element) == -1)
			break;
	}
	return (n);
}

void
forwarded_find(struct forwarded *f, const struct http_head *h,
    struct slice via, const struct networks *proxies)
{
	struct slice	 last = { NULL, 0 };
	size_t		 n;

	memset(f, 0, sizeof(*f));
	snprintf(f->peer, sizeof(f->peer), "%.*s", (int)via.len, via.len > 0 ?
	    via.data : "");
	if (!(f->trusted = networks_have(proxies, via)))
		return;
	n = forwarded_walk(f, h, "X-Forwarded-For", 0, proxies, &last);
	if (n == 0 && forwarded_walk(f, h, "Forwarded", 1, proxies,
	    &last) > 0) {
		f->proto = element_get(last, "proto");
		f->host = element_get(last, "host");
	}
	/* Lists as long as that of addresses have an element for each proxy. */
	n = n == 0 ? 1 : n;
	if (f->proto.data == NULL)
		f->proto = walk_nth(h, "X-Forwarded-Proto", n);
	if (f->host.data == NULL)
		f->host = walk_nth(h, "X-Forwarded-Host", n);
}

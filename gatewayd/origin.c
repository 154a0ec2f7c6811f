/* Pages of which origins may use a route (RFC 6454). */
#include <ctype.h>
#include <stdlib.h>

#include "gatewayd/origin.h"

/* An origin taken apart; slices borrow from what was parsed. */
struct origin_parts {
	struct slice	 scheme, host;
	int		 port;		/* -1: none */
};

/* A scheme's port when none is said, or -1. */
static int
origin_default_port(struct slice scheme)
{
	static const struct {
		const char	*scheme;
		int		 port;
	} ports[] = {
		{ "http", 80 }, { "https", 443 }, { "ws", 80 }, { "wss", 443 },
	};

	for (size_t i = 0; i < nitems(ports); i++)
		if (slice_caseis(scheme, ports[i].scheme))
			return (ports[i].port);
	return (-1);
}

/* HOST[:PORT] of that scheme.  0, or -1. */
static int
origin_parse_host(struct origin_parts *p, struct slice s)
{
	uint64_t	 port;
	size_t		 n;

	n = s.len;
	while (n > 0 && s.data[n - 1] >= '0' && s.data[n - 1] <= '9')
		n--;
	p->host = s;
	p->port = origin_default_port(p->scheme);
	/* The colons within [::1] are none of a port. */
	if (n > 0 && s.data[n - 1] == ':' &&
	    (s.data[0] != '[' || (n > 1 && s.data[n - 2] == ']'))) {
		p->host.len = n - 1;
		if (n < s.len) {
			if (slice_u64(slice_of(s.data + n, s.len - n), 65535,
			    &port) == -1)
				return (-1);
			p->port = (int)port;
		}
	}
	for (size_t i = 0; i < p->host.len; i++)
		if ((unsigned char)p->host.data[i] <= ' ' ||
		    (unsigned char)p->host.data[i] >= 0x7f ||
		    strchr("/?#@\\", p->host.data[i]) != NULL ||
		    (p->host.data[i] == ':' && s.data[0] != '['))
			return (-1);
	return (p->host.len > 0 ? 0 : -1);
}

/* SCHEME://HOST[:PORT].  0, or -1. */
static int
origin_parse(struct origin_parts *p, struct slice s)
{
	size_t	 n = 0;

	while (n < s.len && (isalnum((unsigned char)s.data[n]) ||
	    (n > 0 && strchr("+-.", s.data[n]) != NULL && s.data[n] != '\0')))
		n++;
	if (n == 0 || isdigit((unsigned char)s.data[0]) || s.len - n < 3 ||
	    memcmp(s.data + n, "://", 3) != 0)
		return (-1);
	p->scheme = slice_of(s.data, n);
	return (origin_parse_host(p, slice_of(s.data + n + 3, s.len - n - 3)));
}

int
origins_add(struct origins *o, struct slice word, const char **why)
{
	struct origin		*new = &o->list[o->n];
	struct origin_parts	 p = { { NULL, 0 }, { NULL, 0 }, -1 };

	if (o->n == ORIGINS_MAX) {
		*why = "too many origins for one route";
		return (-1);
	}
	if ((new->text = slice_dup(word)) == NULL) {
		*why = "out of memory";
		return (-1);
	}
	for (char *c = new->text; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	word.data = new->text;
	if (!slice_is(word, "self") && !slice_is(word, "null") &&
	    origin_parse(&p, word) == -1)
		goto bad;
	new->below = p.host.len > 2 && memcmp(p.host.data, "*.", 2) == 0;
	if (new->below)
		p.host = slice_of(p.host.data + 2, p.host.len - 2);
	if (p.host.len > 0 && memchr(p.host.data, '*', p.host.len) != NULL)
		goto bad;
	new->scheme = p.scheme;
	new->host = p.host;
	new->port = p.port;
	o->n++;
	return (0);
bad:
	free(new->text);
	new->text = NULL;
	*why = "an origin is \"self\", \"null\" or SCHEME://HOST[:PORT] with "
	    "nothing behind it, such as https://www.example.org; a HOST may "
	    "begin with \"*.\"";
	return (-1);
}

void
origins_clear(struct origins *o)
{
	while (o->n > 0)
		free(o->list[--o->n].text);
}

/* Is p the page of the host that was asked? */
static int
origin_is_self(const struct origin_parts *p, const struct origin_here *here)
{
	struct origin_parts	 self = { .scheme = p->scheme };

	if (here->host.data == NULL || (here->scheme.data != NULL ?
	    !slice_caseeq(p->scheme, here->scheme) :
	    !slice_caseis(p->scheme, "http") && !slice_caseis(p->scheme, "https")))
		return (0);
	return (origin_parse_host(&self, here->host) == 0 &&
	    slice_caseeq(p->host, self.host) && p->port == self.port);
}

/* Is p what o says? */
static int
origin_is(const struct origin *o, const struct origin_parts *p)
{
	struct slice	 host = p->host;

	if (!slice_caseeq(o->scheme, p->scheme) || o->port != p->port)
		return (0);
	if (o->below) {
		if (host.len < o->host.len + 2 ||
		    host.data[host.len - o->host.len - 1] != '.')
			return (0);
		host = slice_of(host.data + host.len - o->host.len,
		    o->host.len);
	}
	return (slice_caseeq(o->host, host));
}

int
origins_have(const struct origins *o, struct slice origin,
    const struct origin_here *here)
{
	struct origin_parts	 p;
	int			 null = slice_is(origin, "null");

	if (!null && origin_parse(&p, origin) == -1)
		return (0);
	for (size_t i = 0; i < o->n; i++) {
		if (o->list[i].scheme.len > 0) {
			if (!null && origin_is(&o->list[i], &p))
				return (1);
		} else if (strcmp(o->list[i].text, "null") == 0) {
			if (null)
				return (1);
		} else if (!null && origin_is_self(&p, here))
			return (1);
	}
	return (0);
}

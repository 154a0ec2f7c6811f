/* Who a client is. */
#include <string.h>
#include <strings.h>

#include "shardd/client/conn.h"
#include "shardd/client/who.h"

const char *
who_peer(const struct conn *c)
{
	return (c->text + c->uid_len + 1);
}

const char *
who_via(const struct conn *c)
{
	const char	*peer = who_peer(c);

	return (peer + strlen(peer) + 1);
}

const char *
who_header(const struct conn *c, const char *name)
{
	const char	*at = who_via(c), *value;

	for (unsigned i = 0; i < c->nheaders; i++) {
		at += strlen(at) + 1;
		value = at + strlen(at) + 1;
		if (strcasecmp(at, name) == 0)
			return (value);
		at = value;
	}
	return (NULL);
}

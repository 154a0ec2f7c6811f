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

/* The name of what c keeps behind this text, or NULL; *value is what it is. */
static const char *
who_next(const struct conn *c, const char *at, unsigned *i, const char **value)
{
	if (*i == c->nheaders)
		return (NULL);
	++*i;
	at += strlen(at) + 1;
	*value = at + strlen(at) + 1;
	return (at);
}

const char *
who_header(const struct conn *c, const char *name)
{
	const char	*at, *value = who_via(c);
	unsigned	 i = 0;

	while ((at = who_next(c, value, &i, &value)) != NULL)
		if (strcasecmp(at, name) == 0)
			return (value);
	return (NULL);
}

const char *
who_kept(const struct conn *c, const char *source, const char *name)
{
	const char	*at, *value = who_via(c);
	size_t		 n = strlen(source);
	unsigned	 i = 0;

	while ((at = who_next(c, value, &i, &value)) != NULL)
		if (strncmp(at, source, n) == 0 && at[n] == ':' &&
		    strcmp(at + n + 1, name) == 0)
			return (value);
	return (NULL);
}

int
who_become(struct conn *c, struct slice uid)
{
	c->told &= (uint8_t)~CAPSULE_F_UID_MADE;
	return (rare_set_uid(&c->rare, uid));
}

void
who_pack(const struct conn *c, struct capsule *cap)
{
	const char	*at = who_via(c);

	cap->uid = conn_uid(c);
	cap->peer = slice_str(who_peer(c));
	cap->via = slice_str(at);
	for (cap->nheaders = 0; cap->nheaders < c->nheaders; cap->nheaders++) {
		at += strlen(at) + 1;
		cap->headers[cap->nheaders].name = slice_str(at);
		at += strlen(at) + 1;
		cap->headers[cap->nheaders].value = slice_str(at);
	}
}

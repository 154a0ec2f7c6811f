/* pact: what one socket does to its room, and what is known about its client. */
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/pact_names.h"
#include "shardd/apps/pact_socket.h"

static const char	 pact_details_default[] =
    "city=CF-IPCity country=CF-IPCountry continent=CF-IPContinent "
    "region=CF-Region timezone=CF-Timezone latitude=CF-IPLatitude "
    "longitude=CF-IPLongitude";

/* A step of the socket: words, the last NULL.  done may be NULL. */
int
pact_do(struct pact_socket *ps, kennel_done_cb *done, void *arg,
    const char *const *words)
{
	struct js_text	 t;
	int		 rv = -1;

	if (js_begin(&t) == -1)
		return (-1);
	for (; *words != NULL; words++)
		fwrite(*words, 1, strlen(*words) + 1, t.f);
	if (js_end(&t) == -1)
		return (-1);
	/* What is said in parting is the replica's to say. */
	if (done != NULL)
		rv = kennel_step(ps->socket, t.data, t.len, done, arg);
	else
		rv = kennel_replica_step(kennel_socket_replica(ps->socket),
		    t.data, t.len, NULL, NULL);
	js_clear(&t);
	return (rv);
}

void
pact_keep(struct pact_socket *ps)
{
	char	 text[PACT_REPLICA + 2 * JS_NUMBER], hex[PACT_REPLICA + 1];
	int	 n;

	pact_replica_hex(hex, kennel_replica_id(kennel_socket_replica(
	    ps->socket)));
	n = snprintf(text, sizeof(text), "%s %.17g %d", hex, ps->suffix,
	    ps->admin);
	kennel_checkpoint(ps->socket, text, (size_t)n);
}

/* What "@peer" is among the details: the client's address without its port. */
static const char *
pact_address(const struct kennel_socket *s, char *dst, size_t size)
{
	const char	*peer = kennel_socket_peer(s), *end;

	if (*peer == '[')
		end = strchr(++peer, ']');
	else
		end = strrchr(peer, ':');
	if (end == NULL || (size_t)(end - peer) >= size)
		return (NULL);
	memcpy(dst, peer, (size_t)(end - peer));
	dst[end - peer] = '\0';
	return (dst);
}

void
pact_write_details(FILE *f, const struct kennel_socket *s)
{
	const char	*list = kennel_option("pact_details");
	const char	*equals, *value;
	json_t		*text;
	char		 header[128], address[128];
	size_t		 n, more = 0;

	putc('{', f);
	if (list == NULL || *list == '\0')
		list = pact_details_default;
	for (; *list != '\0'; list += n) {
		list += strspn(list, " \t,");
		n = strcspn(list, " \t,");
		equals = memchr(list, '=', n);
		if (equals == NULL ||
		    n - (size_t)(equals - list) > sizeof(header))
			continue;
		snprintf(header, sizeof(header), "%.*s",
		    (int)(list + n - equals - 1), equals + 1);
		if (strcmp(header, "@peer") == 0)
			value = pact_address(s, address, sizeof(address));
		else
			value = !kennel_socket_proxied(s) ? NULL :
			    kennel_socket_header(s, header);
		if (value == NULL)
			continue;
		if (more++)
			putc(',', f);
		js_write_string(f, list, (size_t)(equals - list));
		putc(':', f);
		/* What is no UTF-8 is left empty. */
		text = json_string(value);
		js_write_string(f, value, text == NULL ? 0 : strlen(value));
		json_decref(text);
	}
	putc('}', f);
}

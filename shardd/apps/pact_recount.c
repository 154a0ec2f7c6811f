/* pact: how many sockets are here, said again where the room's state says otherwise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/pact_names.h"
#include "shardd/apps/pact_recount.h"
#include "shardd/apps/pact_socket.h"

struct recount {
	struct kennel_replica *r;
	struct pact_room *room;
	char		 hex[PACT_REPLICA + 1];
	char		*map;		/* what the state says of this replica */
};

/* Sockets of a session here that have joined, or are about to. */
static unsigned
recount_here(const struct recount *c, const char *session)
{
	const struct pact_roll_node	*n;
	const struct pact_socket	*ps;
	unsigned			 count = 0;

	for (n = pact_roll_session(&c->room->roll, session); n != NULL;
	    n = n->twin) {
		ps = (const struct pact_socket *)n;	/* it stands first */
		count += ps->joined || (ps->asked && !ps->told);
	}
	return (count);
}

/* The state is to say that so many are here, if it does not. */
static void
recount_say(const struct recount *c, const char *session, unsigned said)
{
	unsigned	 here = recount_here(c, session);
	struct js_text	 t;

	if (here == said || js_begin(&t) == -1)
		return;
	fprintf(t.f, "here%c%s%c%s%c%u%c", '\0', session, '\0', c->hex, '\0',
	    here, '\0');
	if (js_end(&t) == -1)
		return;
	kennel_replica_step(c->r, t.data, t.len, NULL, NULL);
	js_clear(&t);
}

/* A session that the state has here; is it? */
static void
recount_said_cb(const char *key, size_t key_len, const char *value, size_t len,
    void *arg)
{
	struct recount	*c = arg;

	(void)key_len;
	recount_say(c, key, len == 0 ? 0 : (unsigned)strtoul(value, NULL, 10));
}

void
pact_recount(struct kennel_replica *r)
{
	struct recount			 c = { .r = r,
					    .room = kennel_replica_data(r) };
	const struct pact_roll_node	*n;

	pact_replica_hex(c.hex, kennel_replica_id(r));
	if ((c.map = pact_map("~sockets/", c.hex, strlen(c.hex))) == NULL)
		return;
	kennel_each(r, c.map, recount_said_cb, &c);
	for (size_t i = 0; i < c.room->roll.n; i++)
		if ((n = c.room->roll.at[i].node) != NULL &&
		    pact_roll_session(&c.room->roll, n->session) == n &&
		    kennel_get(r, c.map, n->session, strlen(n->session),
		    NULL) == NULL)
			recount_say(&c, n->session, 0);
	free(c.map);
}

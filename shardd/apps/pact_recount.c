/* pact: how many sockets are here, and what they relay, said again where the room's state says
 * otherwise. */
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

/* Decide what t says, which is cleared. */
static void
recount_step(const struct recount *c, struct js_text *t)
{
	if (js_end(t) == -1)
		return;
	kennel_replica_step(c->r, t->data, t->len, NULL, NULL);
	js_clear(t);
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
	recount_step(c, &t);
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

/* ---- relays ---- */

/* The types that sockets here relay, one for each of both, sorted. */
struct relayed {
	struct recount	*recount;
	const char	*map;		/* what the state says of this replica */
	const char	**at;		/* the sockets' */
	size_t		 n, cap;
};

/* qsort's: two types. */
static int
relayed_cmp(const void *a, const void *b)
{
	return (strcmp(*(const char *const *)a, *(const char *const *)b));
}

/* What this socket relays: 0, or -1 without memory. */
static int
relayed_add(struct relayed *d, const struct pact_socket *ps)
{
	const char	*topic, **at;

	for (size_t i = 0; (topic = kennel_topic(ps->socket, i)) != NULL; i++) {
		if (*topic != 'r')
			continue;
		if (d->n == d->cap) {
			d->cap = d->cap == 0 ? 16 : d->cap * 2;
			at = realloc(d->at, d->cap * sizeof(*at));
			if (at == NULL)
				return (-1);
			d->at = at;
		}
		d->at[d->n++] = topic + 1;
	}
	return (0);
}

/* The state is to say that so many relay the type here, if it does not. */
static void
relayed_say(const struct relayed *d, const char *type, size_t here)
{
	const struct recount	*c = d->recount;
	struct js_text		 t;
	const char		*said = kennel_get(c->r, d->map, type,
				    strlen(type), NULL);

	if (here == (said == NULL ? 0 : strtoul(said, NULL, 10)) ||
	    js_begin(&t) == -1)
		return;
	fprintf(t.f, "relayhere%c%s%c%s%c%zu%c", '\0', c->hex, '\0', type,
	    '\0', here, '\0');
	recount_step(c, &t);
}

/* A type that the state has here; does anybody relay it? */
static void
relayed_said_cb(const char *key, size_t key_len, const char *value, size_t len,
    void *arg)
{
	struct relayed	*d = arg;

	(void)key_len, (void)value, (void)len;
	if (d->n == 0 || bsearch(&key, d->at, d->n, sizeof(*d->at),
	    relayed_cmp) == NULL)
		relayed_say(d, key, 0);
}

/* The same of relays. */
static void
recount_relays(struct recount *c)
{
	const struct pact_roll	*roll = &c->room->roll;
	struct pact_socket	*ps;
	struct relayed		 d = { .recount = c };
	char			*map;
	size_t			 same;
	int			 err = 0;

	if ((map = pact_map("~relays/", c->hex, strlen(c->hex))) == NULL)
		return;
	d.map = map;
	for (size_t i = 0; err == 0 && i < roll->n; i++)
		if ((ps = pact_on_roll(roll->at[i].node)) != NULL &&
		    ps->relays > 0)
			err = relayed_add(&d, ps);
	if (err == 0 && d.n > 0)
		qsort(d.at, d.n, sizeof(*d.at), relayed_cmp);
	if (err == 0)
		kennel_each(c->r, map, relayed_said_cb, &d);
	for (size_t i = 0; err == 0 && i < d.n; i += same) {
		for (same = 1; i + same < d.n &&
		    strcmp(d.at[i], d.at[i + same]) == 0; same++)
			;
		relayed_say(&d, d.at[i], same);
	}
	free(d.at);
	free(map);
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
	recount_relays(&c);
}

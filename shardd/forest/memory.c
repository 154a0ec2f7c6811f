/* Servers that find each other within one process. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/map.h"
#include "shardd/kennel-forest.h"

#define MEMORY_EARS	2		/* a server's own channel, and that of all */

struct memory_ear {
	const char	*channel;
	forest_message_cb *cb;
	void		*arg;
};

struct memory {
	struct list	 at;
	const struct forest_site *site;
	struct memory_ear ears[MEMORY_EARS];
	size_t		 nears;
};

struct memory_entry {
	struct map_node	 by_client;
	struct memory	*owner;
	char		 client[];
};

struct memory_fact {
	struct map_node	 by_name;
	uint64_t	 until;		/* clock_ms */
	char		*value;
	char		 name[];	/* with the namespace before it */
};

#define MEMORY_FACT_MS	120000

static struct list	 memories = { &memories, &memories };
static struct map	 entries, facts;

/* Another server. */
static void *
memory_join(const struct forest_site *site, forest_state_cb *state, void *arg)
{
	struct memory	*m;

	if ((m = calloc(1, sizeof(*m))) == NULL)
		return (NULL);
	m->site = site;
	list_push(&memories, &m->at);
	state(1, arg);
	return (m);
}

/* Who has that client, or NULL. */
static struct memory_entry *
memory_find(const struct memory *m, const char *client)
{
	struct map_node		*n = map_find(&entries, client, strlen(client));
	struct memory_entry	*e;

	if (n == NULL)
		return (NULL);
	e = container_of(n, struct memory_entry, by_client);
	return (strcmp(e->owner->site->ns, m->site->ns) == 0 ? e : NULL);
}

/* An entry ends. */
static void
memory_forget(struct memory_entry *e)
{
	map_remove(&entries, &e->by_client);
	free(e);
}

/* A fact ends. */
static void
memory_fact_free(struct memory_fact *f)
{
	map_remove(&facts, &f->by_name);
	free(f->value);
	free(f);
}

/* A server ends, with its entries. */
static void
memory_leave(void *self)
{
	struct memory	*m = self;
	struct map_node	*n, *next;

	for (n = map_first(&entries); n != NULL; n = next) {
		next = map_next(&entries, n);
		if (container_of(n, struct memory_entry, by_client)->owner == m)
			memory_forget(container_of(n, struct memory_entry,
			    by_client));
	}
	list_remove(&m->at);
	if (list_empty(&memories)) {
		while ((n = map_first(&facts)) != NULL)
			memory_fact_free(container_of(n, struct memory_fact,
			    by_name));
		map_clear(&facts);
		map_clear(&entries);
	}
	free(m);
}

/* A client is this server's. */
static int
memory_add(void *self, const char *client)
{
	size_t			 len = strlen(client);
	struct map_node		*n = map_find(&entries, client, len);
	struct memory_entry	*e = NULL;

	/* Ids are of one client each: one of another namespace has gone. */
	if (n != NULL)
		e = container_of(n, struct memory_entry, by_client);
	else {
		if ((e = malloc(sizeof(*e) + len + 1)) == NULL)
			return (-1);
		memcpy(e->client, client, len + 1);
		if (map_insert(&entries, &e->by_client, e->client, len) == -1) {
			free(e);
			return (-1);
		}
	}
	e->owner = self;
	return (0);
}

/* Whose is that client? */
static int
memory_read(void *self, const char *client, forest_read_cb *cb, void *arg)
{
	struct memory_entry	*e = memory_find(self, client);

	cb(e == NULL ? NULL : e->owner->site->server_id, arg);
	return (0);
}

/* A client is not that server's any more. */
static int
memory_remove(void *self, const char *client, const char *server)
{
	struct memory_entry	*e = memory_find(self, client);

	if (e != NULL && strcmp(e->owner->site->server_id, server) == 0)
		memory_forget(e);
	return (0);
}

/* Say it to all that hear this channel. */
static int
memory_push(void *self, const char *server, const char *msg, size_t len,
    forest_pushed_cb *cb, void *arg)
{
	struct memory	*m = self, *o;
	struct list	*e, *tmp;
	int		 reached = 0;

	list_each(e, tmp, &memories) {
		o = list_entry(e, struct memory, at);
		for (size_t i = 0; i < o->nears; i++) {
			if (strcmp(o->site->ns, m->site->ns) != 0 ||
			    strcmp(o->ears[i].channel, server) != 0)
				continue;
			o->ears[i].cb(m->site->server_id, msg, len,
			    o->ears[i].arg);
			reached = 1;
		}
	}
	if (cb != NULL)
		cb(reached, arg);
	return (0);
}

/* Hear a channel. */
static int
memory_pull(void *self, const char *server, forest_message_cb *cb, void *arg)
{
	struct memory	*m = self;

	if (m->nears == MEMORY_EARS) {
		errno = ENOSPC;
		return (-1);
	}
	m->ears[m->nears++] = (struct memory_ear){
		*server == '\0' ? "" : m->site->server_id, cb, arg };
	return (0);
}

/* That fact, if it is not forgotten; else NULL. */
static struct memory_fact *
memory_fact(const struct memory *m, const char *name)
{
	struct memory_fact	*f;
	struct map_node		*n;
	char			*full;

	if (asprintf(&full, "%s:%s", m->site->ns, name) == -1)
		return (NULL);
	n = map_find(&facts, full, strlen(full));
	free(full);
	if (n == NULL)
		return (NULL);
	f = container_of(n, struct memory_fact, by_name);
	if (f->until > clock_ms())
		return (f);
	memory_fact_free(f);
	return (NULL);
}

/* Tell the others. */
static int
memory_tell(void *self, const char *name, const char *value, int keep)
{
	struct memory		*m = self;
	struct memory_fact	*f = memory_fact(m, name);
	size_t			 ns = strlen(m->site->ns), len = strlen(name);

	if (f != NULL && keep && strcmp(f->value, value) != 0)
		return (0);
	if (f != NULL)
		memory_fact_free(f);
	if ((f = calloc(1, sizeof(*f) + ns + len + 2)) == NULL)
		return (-1);
	memcpy(f->name, m->site->ns, ns);
	f->name[ns] = ':';
	memcpy(f->name + ns + 1, name, len);
	f->until = clock_ms() + MEMORY_FACT_MS;
	if ((f->value = strdup(value)) != NULL && map_insert(&facts,
	    &f->by_name, f->name, ns + 1 + len) == 0)
		return (0);
	free(f->value);
	free(f);
	return (-1);
}

/* What was told? */
static int
memory_ask(void *self, const char *name, forest_read_cb *cb, void *arg)
{
	struct memory_fact	*f = memory_fact(self, name);

	cb(f == NULL ? NULL : f->value, arg);
	return (0);
}

const struct forest_adapter forest_memory = {
	.name = "memory",
	.join = memory_join, .leave = memory_leave,
	.lookup = { memory_add, memory_read, memory_remove },
	.channels = { memory_push, memory_pull },
	.facts = { memory_tell, memory_ask },
};

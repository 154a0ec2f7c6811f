/* The channels of a Redis server that are listened to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/list.h"
#include "common/redis_channels.h"
#include "common/redis_conn.h"

struct redis_channel {
	struct map_node	 node;
	redis_message_cb *cb;
	void		*arg;
	uint64_t	 asked;		/* which SUBSCRIBE is its own */
	char		 name[];
};

/* Say SUBSCRIBE or UNSUBSCRIBE: 0, or -1 without memory. */
static int
redis_channel_send(struct redis_conn *conn, const char *verb,
    const struct redis_channel *ch)
{
	const char	*argv[] = { verb, ch->name };

	return (redis_conn_write(conn, 2, argv, NULL));
}

/* Listen to ch: 0, or -1 without memory. */
static int
redis_channel_ask(struct redis_channels *cs, struct redis_conn *conn,
    struct redis_channel *ch)
{
	if (redis_channel_send(conn, "SUBSCRIBE", ch) == -1)
		return (-1);
	ch->asked = ++cs->asked;
	return (0);
}

/* The server has confirmed one SUBSCRIBE more.  That of a subscription that was given up
 * meanwhile does not count for ch, which has asked later. */
static void
redis_channel_confirmed(struct redis_channels *cs, struct redis_channel *ch,
    const redisReply *name)
{
	cs->confirmed++;
	if (ch != NULL && ch->asked <= cs->confirmed)
		ch->cb(name->str, (size_t)name->len, NULL, 0, ch->arg);
}

int
redis_channels_add(struct redis_channels *cs, struct redis_conn *conn,
    const char *name, redis_message_cb *cb, void *arg)
{
	struct redis_channel	*ch;
	size_t			 len = strlen(name);

	if (map_find(&cs->map, name, len) != NULL) {
		errno = EEXIST;
		return (-1);
	}
	if ((ch = malloc(sizeof(*ch) + len + 1)) == NULL)
		return (-1);
	memcpy(ch->name, name, len + 1);
	ch->cb = cb;
	ch->arg = arg;
	if (map_insert(&cs->map, &ch->node, ch->name, len) == -1)
		goto fail;
	ch->asked = 0;
	if (conn->fd == -1 || redis_channel_ask(cs, conn, ch) == 0)
		return (0);
	map_remove(&cs->map, &ch->node);
fail:
	free(ch);
	errno = ENOMEM;
	return (-1);
}

int
redis_channels_remove(struct redis_channels *cs, struct redis_conn *conn,
    const char *name)
{
	struct redis_channel	*ch;
	struct map_node		*n = map_find(&cs->map, name, strlen(name));

	if (n == NULL) {
		errno = ENOENT;
		return (-1);
	}
	ch = container_of(n, struct redis_channel, node);
	/* Without memory its messages go on coming, and find nobody. */
	if (conn->fd != -1)
		(void)redis_channel_send(conn, "UNSUBSCRIBE", ch);
	map_remove(&cs->map, n);
	free(ch);
	return (0);
}

void
redis_channels_clear(struct redis_channels *cs)
{
	struct map_node	*n, *next;

	for (n = map_first(&cs->map); n != NULL; n = next) {
		next = map_next(&cs->map, n);
		free(container_of(n, struct redis_channel, node));
	}
	map_clear(&cs->map);
}

int
redis_channels_greet(struct redis_channels *cs, struct redis_conn *conn)
{
	struct map_node	*n;

	cs->asked = cs->confirmed = 0;
	for (n = map_first(&cs->map); n != NULL; n = map_next(&cs->map, n))
		if (redis_channel_ask(cs, conn, container_of(n,
		    struct redis_channel, node)) == -1)
			return (-1);
	return (0);
}

int
redis_channels_pushed(struct redis_channels *cs, const redisReply *raw)
{
	redisReply *const	*e = raw->element;
	struct redis_channel	*ch = NULL;
	struct map_node		*n;

	if (raw->type != REDIS_REPLY_ARRAY || raw->elements != 3 ||
	    e[0]->type != REDIS_REPLY_STRING)
		return (0);
	if (e[1]->type != REDIS_REPLY_STRING)
		return (1);
	if ((n = map_find(&cs->map, e[1]->str, (size_t)e[1]->len)) != NULL)
		ch = container_of(n, struct redis_channel, node);
	if (strcmp(e[0]->str, "subscribe") == 0)
		redis_channel_confirmed(cs, ch, e[1]);
	else if (ch != NULL && strcmp(e[0]->str, "message") == 0 &&
	    e[2]->type == REDIS_REPLY_STRING)
		ch->cb(e[1]->str, (size_t)e[1]->len, e[2]->str,
		    (size_t)e[2]->len, ch->arg);
	return (1);
}

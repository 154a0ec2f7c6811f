/* Servers that find each other by keys and channels in a Redis. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/redis.h"
#include "shardd/api/surroundings.h"
#include "shardd/kennel-forest.h"

#define ADAPTER_DEADLINE_MS	5000
#define ADAPTER_TTL		"120"	/* seconds of an entry */
#define ADAPTER_QUEUED		(32 << 20)

/* An entry goes if it still holds that server. */
#define ADAPTER_REMOVE	"if redis.call('GET',KEYS[1])==ARGV[1] then "		\
			"return redis.call('DEL',KEYS[1]) end return 0"

/* A fact stays if it holds another value. */
#define ADAPTER_KEEP	"local v=redis.call('GET',KEYS[1]) "			\
			"if v and v~=ARGV[1] then return 0 end "		\
			"return redis.call('SET',KEYS[1],ARGV[1],'EX',ARGV[2])"

struct adapter {
	struct redis	*redis;
	const struct forest_site *site;
	forest_state_cb	*state;
	void		*arg;
	struct {
		forest_message_cb *cb;
		void	*arg;
	} mine, all;
};

/* Somebody waits for an answer. */
struct adapter_ask {
	forest_read_cb	*read;
	forest_pushed_cb *pushed;
	void		*arg;
};

/* A name in the namespace, malloc'd: NULL without memory. */
static char *
adapter_name(const struct adapter *a, const char *what, const char *id)
{
	char	*name;

	return (asprintf(&name, "%s:%s:%s", a->site->ns, what, id) == -1 ? NULL :
	    name);
}

/* The name of a channel. */
static char *
adapter_channel(const struct adapter *a, const char *server)
{
	return (adapter_name(a, "channel", *server == '\0' ? "ALL" : server));
}

/* Redis has come or gone. */
static void
adapter_state_cb(int up, void *arg)
{
	struct adapter	*a = arg;

	a->state(up, a->arg);
}

/* The end. */
static void
adapter_leave(void *self)
{
	struct adapter	*a = self;

	redis_free(a->redis);
	free(a);
}

/* Begin to connect. */
static void *
adapter_join(const struct forest_site *site, forest_state_cb *state, void *arg)
{
	struct adapter	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	a->site = site;
	a->state = state;
	a->arg = arg;
	if ((a->redis = redis_new(surroundings->base, site->where, "forest",
	    adapter_state_cb, a)) == NULL) {
		free(a);
		return (NULL);
	}
	redis_set_bound(a->redis, ADAPTER_QUEUED);
	return (a);
}

/* A client is this server's. */
static int
adapter_add(void *self, const char *client)
{
	struct adapter	*a = self;
	char		*key = adapter_name(a, "client", client);
	int		 rv = -1;

	if (key != NULL)
		rv = redis_do(a->redis, ADAPTER_DEADLINE_MS, NULL, NULL, "SET",
		    key, a->site->server_id, "EX", ADAPTER_TTL, NULL);
	free(key);
	return (rv);
}

/* Redis has answered. */
static void
adapter_answer_cb(const struct redis_value *v, int err, void *arg)
{
	struct adapter_ask	*ask = arg;

	(void)err;
	if (ask->read != NULL)
		ask->read(v != NULL && v->kind == REDIS_STRING && v->len > 0 ?
		    v->str : NULL, ask->arg);
	else
		ask->pushed(v != NULL && v->kind == REDIS_INTEGER &&
		    v->integer > 0, ask->arg);
	free(ask);
}

/* What is in that key? */
static int
adapter_get(struct adapter *a, const char *key, forest_read_cb *cb, void *arg)
{
	struct adapter_ask	*ask = calloc(1, sizeof(*ask));
	int			 rv = -1;

	if (ask != NULL) {
		ask->read = cb;
		ask->arg = arg;
		rv = redis_do(a->redis, ADAPTER_DEADLINE_MS, adapter_answer_cb,
		    ask, "GET", key, NULL);
	}
	if (rv == -1)
		free(ask);
	return (rv);
}

/* Whose is that client? */
static int
adapter_read(void *self, const char *client, forest_read_cb *cb, void *arg)
{
	struct adapter	*a = self;
	char		*key = adapter_name(a, "client", client);
	int		 rv = key == NULL ? -1 : adapter_get(a, key, cb, arg);

	free(key);
	return (rv);
}

/* A client is not that server's any more. */
static int
adapter_remove(void *self, const char *client, const char *server)
{
	struct adapter	*a = self;
	char		*key = adapter_name(a, "client", client);
	int		 rv = -1;

	if (key != NULL)
		rv = redis_do(a->redis, ADAPTER_DEADLINE_MS, NULL, NULL, "EVAL",
		    ADAPTER_REMOVE, "1", key, server, NULL);
	free(key);
	return (rv);
}

/* A fact's name, malloc'd: NULL without memory. */
static char *
adapter_fact(const struct adapter *a, const char *name)
{
	char	*key;

	return (asprintf(&key, "%s:%s", a->site->ns, name) == -1 ? NULL : key);
}

/* Tell the others. */
static int
adapter_tell(void *self, const char *name, const char *value, int keep)
{
	struct adapter	*a = self;
	char		*key = adapter_fact(a, name);
	int		 rv = -1;

	if (key != NULL && keep)
		rv = redis_do(a->redis, ADAPTER_DEADLINE_MS, NULL, NULL, "EVAL",
		    ADAPTER_KEEP, "1", key, value, ADAPTER_TTL, NULL);
	else if (key != NULL)
		rv = redis_do(a->redis, ADAPTER_DEADLINE_MS, NULL, NULL, "SET",
		    key, value, "EX", ADAPTER_TTL, NULL);
	free(key);
	return (rv);
}

/* What was told? */
static int
adapter_ask_fact(void *self, const char *name, forest_read_cb *cb, void *arg)
{
	struct adapter	*a = self;
	char		*key = adapter_fact(a, name);
	int		 rv = key == NULL ? -1 : adapter_get(a, key, cb, arg);

	free(key);
	return (rv);
}

/* Publish. */
static int
adapter_push(void *self, const char *server, const char *msg, size_t len,
    forest_pushed_cb *cb, void *arg)
{
	struct adapter		*a = self;
	struct adapter_ask	*ask = NULL;
	char			*channel = adapter_channel(a, server);
	const char		*argv[] = { "PUBLISH", channel, msg };
	int			 rv = -1;

	if (channel == NULL)
		return (-1);
	if (cb != NULL && (ask = calloc(1, sizeof(*ask))) == NULL)
		goto out;
	if (ask != NULL) {
		ask->pushed = cb;
		ask->arg = arg;
	}
	rv = redis_command(a->redis, ADAPTER_DEADLINE_MS,
	    cb == NULL ? NULL : adapter_answer_cb, ask, 3, argv,
	    (const size_t[]){ 7, strlen(channel), len });
	if (rv == -1)
		free(ask);
out:
	free(channel);
	return (rv);
}

/* Something was published to this server. */
static void
adapter_mine_cb(const char *channel, size_t clen, const char *msg, size_t len,
    void *arg)
{
	struct adapter	*a = arg;

	(void)channel, (void)clen;
	if (msg != NULL)
		a->mine.cb(NULL, msg, len, a->mine.arg);
}

/* Something was published to all. */
static void
adapter_all_cb(const char *channel, size_t clen, const char *msg, size_t len,
    void *arg)
{
	struct adapter	*a = arg;

	(void)channel, (void)clen;
	if (msg != NULL)
		a->all.cb(NULL, msg, len, a->all.arg);
}

/* Hear a channel. */
static int
adapter_pull(void *self, const char *server, forest_message_cb *cb, void *arg)
{
	struct adapter	*a = self;
	char		*channel = adapter_channel(a, server);
	int		 all = *server == '\0', rv = -1;

	if (all)
		a->all.cb = cb, a->all.arg = arg;
	else
		a->mine.cb = cb, a->mine.arg = arg;
	if (channel != NULL)
		rv = redis_subscribe(a->redis, channel, all ? adapter_all_cb :
		    adapter_mine_cb, a);
	free(channel);
	return (rv);
}

const struct forest_adapter forest_redis = {
	.name = "redis",
	.join = adapter_join, .leave = adapter_leave,
	.lookup = { adapter_add, adapter_read, adapter_remove },
	.channels = { adapter_push, adapter_pull },
	.facts = { adapter_tell, adapter_ask_fact },
};

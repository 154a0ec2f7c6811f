/* Looking for shards without a heart-beat. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/redis.h"
#include "gatewayd/ghosts.h"
#include "proto/keys.h"
#include "proto/limits.h"

#define GHOSTS_LOOK_MS		10000	/* two heart-beats */
#define GHOSTS_LOCK_TEXT	"30000"	/* ms */
#define GHOSTS_COMMAND_MS	2000
#define GHOSTS_STEP_TEXT	"500"

/* KEYS: lock.  ARGV: who, ms.  Those who have it have it longer. */
static const char	 ghosts_take[] =
	"local h = redis.call('GET', KEYS[1])\n"
	"if h and h ~= ARGV[1] then return 0 end\n"
	"redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n"
	"return 1\n";
static const char	 ghosts_give[] =
	"if redis.call('GET', KEYS[1]) == ARGV[1] then\n"
	"  redis.call('DEL', KEYS[1])\n"
	"end\n"
	"return 1\n";

struct ghosts {
	struct redis	*redis;
	const char	*prefix, *me;
	char		*lock, *list;
	const struct ghosts_ops *ops;
	void		*arg;
	uint64_t	 looked;	/* clock_ms: last began, or Redis came */
	int		 locked;
	int		 left;		/* the lock was given back after it was asked for */
	int		 whole;		/* all keys were looked through */
	int		 looking;	/* commands outstanding */
	char		 cursor[REDIS_CURSOR];
};

/* An address that is asked for. */
struct ghost {
	struct ghosts	*ghosts;
	char		 address[ADDRESS_MAX];
};

static void	 ghosts_step(struct ghosts *g);

struct ghosts *
ghosts_new(struct redis *redis, const char *prefix, const char *me,
    const struct ghosts_ops *ops, void *arg)
{
	struct ghosts	*g;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		return (NULL);
	g->redis = redis;
	g->prefix = prefix;
	g->me = me;
	g->ops = ops;
	g->arg = arg;
	g->looked = clock_ms();
	g->lock = keys_sweeper(prefix);
	g->list = keys_shards(prefix);
	if (g->lock == NULL || g->list == NULL) {
		ghosts_free(g);
		errno = ENOMEM;
		return (NULL);
	}
	return (g);
}

void
ghosts_free(struct ghosts *g)
{
	if (g == NULL)
		return;
	free(g->lock);
	free(g->list);
	free(g);
}

/* Does its heart beat? */
static void
ghosts_beats_cb(const struct redis_value *v, int err, void *arg)
{
	struct ghost	*ghost = arg;
	struct ghosts	*g = ghost->ghosts;

	if (err != ECANCELED)
		g->looking--;
	if (err == 0 && v->kind == REDIS_INTEGER && v->integer == 0)
		g->ops->found(ghost->address, g->arg);
	free(ghost);
}

static void
ghosts_ask(struct ghosts *g, struct slice address)
{
	size_t		 node_len;
	uint32_t	 slot;
	uint64_t	 incarnation;
	struct ghost	*ghost;
	char		*key;

	if (address.len >= ADDRESS_MAX || keys_address_parse(address,
	    &node_len, &slot, &incarnation) == -1 ||
	    g->ops->knows(address, g->arg) ||
	    (ghost = calloc(1, sizeof(*ghost))) == NULL)
		return;
	ghost->ghosts = g;
	memcpy(ghost->address, address.data, address.len);
	if (g->ops->dead(address, g->arg)) {
		g->ops->found(ghost->address, g->arg);
		free(ghost);
		return;
	}
	key = keys_shard(g->prefix, ghost->address);
	if (key != NULL && redis_do(g->redis, GHOSTS_COMMAND_MS,
	    ghosts_beats_cb, ghost, "EXISTS", key, NULL) == 0)
		g->looking++;
	else
		free(ghost);
	free(key);
}

/* A step of the keys, or of the list. */
static void
ghosts_step_cb(const struct redis_value *v, int err, void *arg)
{
	struct ghosts		*g = arg;
	struct redis_value	 all, one;
	struct slice		 address;

	if (err == ECANCELED)
		return;
	g->looking--;
	if (err != 0 || redis_cursor(g->cursor, v) == -1)
		return;
	all = redis_at(v, 1);
	for (size_t i = 0; i < all.n; i++) {
		one = redis_at(&all, i);
		address = slice_of(one.str, one.len);
		if (one.kind == REDIS_STRING && (g->whole ||
		    keys_shard_address(g->prefix, &address) == 0))
			ghosts_ask(g, address);
	}
	if (strcmp(g->cursor, "0") != 0)
		ghosts_step(g);
	else
		g->whole = 1;
}

static void
ghosts_step(struct ghosts *g)
{
	char	 pattern[256];
	int	 rc;

	snprintf(pattern, sizeof(pattern), "%sshard:*", g->prefix);
	if (g->whole)
		rc = redis_do(g->redis, GHOSTS_COMMAND_MS, ghosts_step_cb, g,
		    "SSCAN", g->list, g->cursor, "COUNT", GHOSTS_STEP_TEXT,
		    NULL);
	else
		rc = redis_do(g->redis, GHOSTS_COMMAND_MS, ghosts_step_cb, g,
		    "SCAN", g->cursor, "MATCH", pattern, "COUNT",
		    GHOSTS_STEP_TEXT, NULL);
	if (rc == 0)
		g->looking++;
}

static void
ghosts_locked_cb(const struct redis_value *v, int err, void *arg)
{
	struct ghosts	*g = arg;

	if (err == ECANCELED)
		return;
	g->looking--;
	g->locked = !g->left && err == 0 && v->kind == REDIS_INTEGER &&
	    v->integer == 1;
	if (!g->locked)
		return;
	snprintf(g->cursor, sizeof(g->cursor), "0");
	ghosts_step(g);
}

void
ghosts_up(struct ghosts *g)
{
	g->looked = clock_ms();
	g->locked = g->whole = 0;
}

void
ghosts_leave(struct ghosts *g)
{
	/* Redis answers in order: one that is being asked for is given back, too. */
	if (!g->locked && g->looking == 0)
		return;
	g->locked = 0;
	g->left = 1;
	redis_do(g->redis, GHOSTS_COMMAND_MS, NULL, NULL, "EVAL", ghosts_give,
	    "1", g->lock, g->me, NULL);
}

void
ghosts_soon(struct ghosts *g)
{
	g->looked = 0;
}

void
ghosts_tick(struct ghosts *g)
{
	int	 busy = g->looking > 0 || g->ops->busy(g->arg);

	if (!busy)
		ghosts_leave(g);
	if (g->looking > 0 || clock_ms() - g->looked < GHOSTS_LOOK_MS ||
	    !redis_up(g->redis))
		return;
	g->looked = clock_ms();
	g->left = 0;
	if (redis_do(g->redis, GHOSTS_COMMAND_MS, ghosts_locked_cb, g, "EVAL",
	    ghosts_take, "1", g->lock, g->me, GHOSTS_LOCK_TEXT, NULL) == 0)
		g->looking++;
}

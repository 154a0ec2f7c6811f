/* This node in Redis: who we are, and the entries of dead shards. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/redis.h"
#include "gatewayd/gateway.h"
#include "gatewayd/registry.h"
#include "gatewayd/roster.h"
#include "proto/keys.h"
#include "proto/limits.h"

#define REGISTRY_STEP		500	/* keys */
#define REGISTRY_STEP_TEXT	"500"
#define REGISTRY_TICK_MS	1000	/* what failed is tried again */
#define REGISTRY_BEAT_MS	5000
#define REGISTRY_TTL_TEXT	"30000"
#define REGISTRY_LEAVE_MS	2000
#define REGISTRY_COMMAND_MS	2000
#define REGISTRY_CURSOR		24

/* The entries of one dead shard on their way out. */
struct sweep {
	struct list	 at;
	struct registry	*r;
	char		 address[ADDRESS_MAX];
	char		 cursor[REGISTRY_CURSOR];
};

struct registry {
	struct gateway	*g;
	struct redis	*redis;
	struct event	*timer, *deadline;
	uint64_t	 beat;		/* clock_ms of the last one */
	int		 started;	/* who is not alive is dead */
	int		 freeing;
	int		 sweeping;	/* the first of sweeps */
	struct list	 sweeps;
	int		 scanning;	/* for addresses of this node */
	int		 rescan;	/* once more, from the start */
	int		 scanned, removed;	/* leaving */
	char		 cursor[REGISTRY_CURSOR];
	void		(*done_cb)(struct gateway *);	/* leaving */
};

static void	 registry_state_cb(int, void *);
static void	 registry_tick_cb(evutil_socket_t, short, void *);
static void	 registry_deadline_cb(evutil_socket_t, short, void *);
static void	 registry_beat(struct registry *);
static void	 registry_next(struct registry *);
static void	 registry_scan(struct registry *);
static void	 registry_scan_cb(const struct redis_value *, int, void *);
static void	 registry_found(struct registry *, struct slice);
static void	 registry_gone_cb(const struct redis_value *, int, void *);
static void	 sweep_groups(struct sweep *);
static void	 sweep_groups_cb(const struct redis_value *, int, void *);
static void	 sweep_clients(struct sweep *);
static void	 sweep_clients_cb(const struct redis_value *, int, void *);
static void	 sweep_removed_cb(const struct redis_value *, int, void *);
static void	 sweep_delete(struct sweep *);
static void	 sweep_deleted_cb(const struct redis_value *, int, void *);
static void	 sweep_fail(struct sweep *);

struct registry *
registry_new(struct gateway *g)
{
	const struct timeval	 tick = { REGISTRY_TICK_MS / 1000,
	    REGISTRY_TICK_MS % 1000 * 1000 };
	struct registry		*r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->g = g;
	list_init(&r->sweeps);
	r->timer = event_new(g->base, -1, EV_PERSIST, registry_tick_cb, r);
	r->deadline = evtimer_new(g->base, registry_deadline_cb, r);
	if (r->timer == NULL || r->deadline == NULL ||
	    event_add(r->timer, &tick) == -1) {
		registry_free(r);
		errno = ENOMEM;
		return (NULL);
	}
	r->redis = redis_new(g->base, g->redis_url, registry_state_cb, r);
	if (r->redis == NULL) {
		int	 keep = errno;

		registry_free(r);
		errno = keep;
		return (NULL);
	}
	return (r);
}

void
registry_free(struct registry *r)
{
	struct list	*e, *tmp;

	if (r == NULL)
		return;
	r->freeing = 1;
	redis_free(r->redis);		/* cancels; nothing starts anew */
	list_each(e, tmp, &r->sweeps)
		free(list_entry(e, struct sweep, at));
	if (r->timer != NULL)
		event_free(r->timer);
	if (r->deadline != NULL)
		event_free(r->deadline);
	free(r);
}

int
registry_up(const struct registry *r)
{
	return (redis_up(r->redis));
}

struct redis *
registry_redis(struct registry *r)
{
	return (r->redis);
}

void
registry_start(struct registry *r)
{
	r->started = 1;
	registry_scan(r);
}

void
registry_sweep(struct registry *r, const char *address)
{
	struct list	*e, *tmp;
	struct sweep	*s;

	list_each(e, tmp, &r->sweeps)
		if (strcmp(list_entry(e, struct sweep, at)->address,
		    address) == 0)
			return;
	if ((s = calloc(1, sizeof(*s))) == NULL) {
		log_warn("registry address=%s not swept: no memory", address);
		return;
	}
	s->r = r;
	snprintf(s->address, sizeof(s->address), "%s", address);
	list_push(&r->sweeps, &s->at);
	registry_next(r);
}

void
registry_leave(struct registry *r, void (*done_cb)(struct gateway *))
{
	const struct timeval	 most = { REGISTRY_LEAVE_MS / 1000,
	    REGISTRY_LEAVE_MS % 1000 * 1000 };

	r->done_cb = done_cb;
	event_add(r->deadline, &most);
	if (!redis_up(r->redis)) {
		event_active(r->deadline, EV_TIMEOUT, 1);
		return;
	}
	r->scanned = 0;
	registry_scan(r);
}

/* ---- who we are ---- */

static void
registry_state_cb(int up, void *arg)
{
	struct registry	*r = arg;

	if (!up) {
		if (r->done_cb != NULL)
			event_active(r->deadline, EV_TIMEOUT, 1);
		return;
	}
	registry_beat(r);
	registry_scan(r);
	registry_next(r);
}

static void
registry_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct registry	*r = arg;

	(void)fd, (void)what;
	if (clock_ms() - r->beat >= REGISTRY_BEAT_MS)
		registry_beat(r);
	if (r->done_cb != NULL && !r->scanned)
		registry_scan(r);
	registry_next(r);
}

static void
registry_beat(struct registry *r)
{
	const struct gateway	*g = r->g;
	char			*key, shards[24], started[24], pid[24];

	if (!redis_up(r->redis) || r->done_cb != NULL ||
	    (key = keys_node(g->settings.redis_prefix, g->settings.node)) ==
	    NULL)
		return;
	snprintf(shards, sizeof(shards), "%u", g->settings.shards);
	snprintf(started, sizeof(started), "%llu",
	    (unsigned long long)g->started);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	redis_do(r->redis, REGISTRY_COMMAND_MS, NULL, NULL, "HSET", key,
	    "version", KENNEL_VERSION, "gateway", g->settings.nlisten > 0 ?
	    g->settings.listen_text[0] : "", "pid", pid, "shards", shards,
	    "started", started, NULL);
	redis_do(r->redis, REGISTRY_COMMAND_MS, NULL, NULL, "PEXPIRE", key,
	    REGISTRY_TTL_TEXT, NULL);
	free(key);
	r->beat = clock_ms();
}

/* ---- which addresses of this node are in there ---- */

static void
registry_scan(struct registry *r)
{
	if ((!r->started && r->done_cb == NULL) || !redis_up(r->redis))
		return;
	if (r->scanning) {
		r->rescan = 1;
		return;
	}
	snprintf(r->cursor, sizeof(r->cursor), "0");
	r->scanning = 1;
	registry_scan_cb(NULL, 0, r);
}

/* The cursor of a reply to SCAN; 0, or -1 when it is none. */
static int
registry_cursor(char *cursor, const struct redis_value *v)
{
	struct redis_value	 c;

	if (v->kind != REDIS_ARRAY || v->n != 2 ||
	    redis_at(v, 1).kind != REDIS_ARRAY)
		return (-1);
	c = redis_at(v, 0);
	if (c.kind != REDIS_STRING || c.len >= REGISTRY_CURSOR)
		return (-1);
	memcpy(cursor, c.str, c.len);
	cursor[c.len] = '\0';
	return (0);
}

/* v NULL with err 0: the first step. */
static void
registry_scan_cb(const struct redis_value *v, int err, void *arg)
{
	struct registry		*r = arg;
	const struct settings	*s = &r->g->settings;
	struct redis_value	 keys, key;
	char			 pattern[256];

	if (r->freeing)
		return;
	if (err != 0 || (v != NULL && registry_cursor(r->cursor, v) == -1))
		goto fail;
	if (v != NULL) {
		keys = redis_at(v, 1);
		for (size_t i = 0; i < keys.n; i++) {
			key = redis_at(&keys, i);
			if (key.kind == REDIS_STRING)
				registry_found(r, slice_of(key.str, key.len));
		}
		if (strcmp(r->cursor, "0") == 0) {
			r->scanning = 0;
			if (r->rescan) {
				r->rescan = 0;
				registry_scan(r);
				return;
			}
			r->scanned = 1;
			registry_next(r);
			return;
		}
	}
	snprintf(pattern, sizeof(pattern), "%sshard:%s/*", s->redis_prefix,
	    s->node);
	if (redis_do(r->redis, REGISTRY_COMMAND_MS, registry_scan_cb, r, "SCAN",
	    r->cursor, "MATCH", pattern, "COUNT", REGISTRY_STEP_TEXT, NULL) ==
	    0)
		return;
fail:
	r->scanning = r->rescan = 0;
}

/* "<prefix>shard:<address>" or the same and ":clients". */
static void
registry_found(struct registry *r, struct slice key)
{
	char		 address[ADDRESS_MAX];
	size_t		 skip, node_len;
	uint32_t	 slot;
	uint64_t	 incarnation;
	const char	*colon;

	skip = strlen(r->g->settings.redis_prefix) + strlen("shard:");
	if (key.len <= skip)
		return;
	key.data += skip;
	key.len -= skip;
	if ((colon = memchr(key.data, ':', key.len)) != NULL)
		key.len = (size_t)(colon - key.data);
	if (key.len >= sizeof(address) || keys_address_parse(key, &node_len,
	    &slot, &incarnation) == -1 ||
	    !slice_is(slice_of(key.data, node_len), r->g->settings.node))
		return;
	if (r->done_cb == NULL && roster_knows(r->g->roster, incarnation))
		return;
	memcpy(address, key.data, key.len);
	address[key.len] = '\0';
	registry_sweep(r, address);
}

/* ---- sweeping, one dead shard after another ---- */

static void
registry_next(struct registry *r)
{
	struct sweep	*s;
	char		*key;

	if (r->freeing || r->sweeping || !redis_up(r->redis))
		return;
	if (!list_empty(&r->sweeps)) {
		s = list_entry(r->sweeps.next, struct sweep, at);
		snprintf(s->cursor, sizeof(s->cursor), "0");
		r->sweeping = 1;
		sweep_groups(s);
		return;
	}
	if (r->done_cb == NULL || !r->scanned || r->removed)
		return;
	r->removed = 1;
	key = keys_node(r->g->settings.redis_prefix, r->g->settings.node);
	if (key == NULL || redis_do(r->redis, REGISTRY_COMMAND_MS,
	    registry_gone_cb, r, "DEL", key, NULL) == -1)
		event_active(r->deadline, EV_TIMEOUT, 1);
	free(key);
}

static void
registry_gone_cb(const struct redis_value *v, int err, void *arg)
{
	struct registry	*r = arg;

	(void)v, (void)err;
	if (!r->freeing)
		event_active(r->deadline, EV_TIMEOUT, 1);
}

/* Everything is removed, or enough time has passed. */
static void
registry_deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	struct registry	*r = arg;
	void		(*done_cb)(struct gateway *) = r->done_cb;

	(void)fd, (void)what;
	event_del(r->deadline);
	if (done_cb == NULL)
		return;
	r->done_cb = NULL;
	done_cb(r->g);			/* may free r */
}

/*
 * The groups first: until they are through, what the dead shard had still on
 * its way to Redis has arrived there, and its client entries are complete.
 */
static void
sweep_groups(struct sweep *s)
{
	char	 pattern[128];

	snprintf(pattern, sizeof(pattern), "%sgroup:*",
	    s->r->g->settings.redis_prefix);
	if (redis_do(s->r->redis, REGISTRY_COMMAND_MS, sweep_groups_cb, s,
	    "SCAN", s->cursor, "MATCH", pattern, "COUNT", REGISTRY_STEP_TEXT,
	    NULL) == -1)
		sweep_fail(s);
}

static void
sweep_groups_cb(const struct redis_value *v, int err, void *arg)
{
	struct sweep		*s = arg;
	struct redis_value	 keys, key;

	if (s->r->freeing)
		return;
	if (err != 0 || registry_cursor(s->cursor, v) == -1) {
		sweep_fail(s);
		return;
	}
	keys = redis_at(v, 1);
	for (size_t i = 0; i < keys.n; i++) {
		key = redis_at(&keys, i);
		/* A key of ours has no NUL. */
		if (key.kind == REDIS_STRING && redis_do(s->r->redis,
		    REGISTRY_COMMAND_MS, NULL, NULL, "SREM", key.str,
		    s->address, NULL) == -1) {
			sweep_fail(s);
			return;
		}
	}
	if (strcmp(s->cursor, "0") == 0)
		sweep_clients(s);
	else
		sweep_groups(s);
}

static void
sweep_clients(struct sweep *s)
{
	char	*set = keys_shard_clients(s->r->g->settings.redis_prefix,
	    s->address);

	if (set == NULL || redis_do(s->r->redis, REGISTRY_COMMAND_MS,
	    sweep_clients_cb, s, "SRANDMEMBER", set, REGISTRY_STEP_TEXT,
	    NULL) == -1)
		sweep_fail(s);
	free(set);
}

/* A step: out of each client's hash, then out of the set that names them. */
static void
sweep_clients_cb(const struct redis_value *v, int err, void *arg)
{
	struct sweep		*s = arg;
	const char		*argv[2 + REGISTRY_STEP], *hdel[3];
	size_t			 lens[2 + REGISTRY_STEP], hlens[3];
	struct redis_value	 key;
	char			*set;
	int			 rc = -1, n = 2;

	if (s->r->freeing)
		return;
	if (err != 0 || (v->kind != REDIS_ARRAY && v->kind != REDIS_ERROR)) {
		sweep_fail(s);
		return;
	}
	if (v->kind == REDIS_ERROR || v->n == 0) {	/* not a set: not ours */
		sweep_delete(s);
		return;
	}
	set = keys_shard_clients(s->r->g->settings.redis_prefix, s->address);
	if (set == NULL)
		goto out;
	argv[0] = "SREM", lens[0] = 4;
	argv[1] = set, lens[1] = strlen(set);
	hdel[0] = "HDEL", hlens[0] = 4;
	hdel[2] = s->address, hlens[2] = strlen(s->address);
	for (size_t i = 0; i < v->n && i < REGISTRY_STEP; i++) {
		key = redis_at(v, i);
		if (key.kind != REDIS_STRING)
			continue;
		argv[n] = hdel[1] = key.str;
		lens[n++] = hlens[1] = key.len;
		if (redis_command(s->r->redis, REGISTRY_COMMAND_MS, NULL, NULL,
		    3, hdel, hlens) == -1)
			goto out;
	}
	rc = redis_command(s->r->redis, REGISTRY_COMMAND_MS, sweep_removed_cb,
	    s, n, argv, lens);
out:
	free(set);
	if (rc == -1)
		sweep_fail(s);
}

static void
sweep_removed_cb(const struct redis_value *v, int err, void *arg)
{
	struct sweep	*s = arg;

	if (s->r->freeing)
		return;
	if (err != 0 || v->kind != REDIS_INTEGER)
		sweep_fail(s);
	else
		sweep_clients(s);
}

static void
sweep_delete(struct sweep *s)
{
	const char	*prefix = s->r->g->settings.redis_prefix;
	char		*set = keys_shard_clients(prefix, s->address);
	char		*hash = keys_shard(prefix, s->address);

	if (set == NULL || hash == NULL || redis_do(s->r->redis,
	    REGISTRY_COMMAND_MS, sweep_deleted_cb, s, "DEL", hash, set,
	    NULL) == -1)
		sweep_fail(s);
	free(set);
	free(hash);
}

static void
sweep_deleted_cb(const struct redis_value *v, int err, void *arg)
{
	struct sweep	*s = arg;
	struct registry	*r = s->r;

	(void)v;
	if (r->freeing)
		return;
	if (err != 0) {
		sweep_fail(s);
		return;
	}
	log_info("registry address=%s swept", s->address);
	list_remove(&s->at);
	free(s);
	r->sweeping = 0;
	registry_next(r);
}

/* From the start again, at the next tick or when Redis is back. */
static void
sweep_fail(struct sweep *s)
{
	s->r->sweeping = 0;
}

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
#include "common/proc.h"
#include "common/redis.h"
#include "gatewayd/claim.h"
#include "gatewayd/gateway.h"
#include "gatewayd/ghosts.h"
#include "gatewayd/registry.h"
#include "gatewayd/roster.h"
#include "proto/keys.h"
#include "proto/limits.h"

#define REGISTRY_STEP		500	/* keys */
#define REGISTRY_STEP_TEXT	"500"
#define REGISTRY_TICK_MS	1000	/* what failed is tried again */
#define REGISTRY_BEAT_MS	5000
#define REGISTRY_START_MS	5000	/* for Redis to say whose the name is */
#define REGISTRY_START_LOOK_MS	20
#define REGISTRY_LEAVE_MS	2000
#define REGISTRY_COMMAND_MS	2000

/* The entries of one dead shard on their way out. */
struct sweep {
	struct list	 at;
	struct registry	*r;
	char		 address[ADDRESS_MAX];
	char		 cursor[REDIS_CURSOR];
};

struct registry {
	struct gateway	*g;
	struct redis	*redis;
	struct claim	*claim;
	struct ghosts	*ghosts;
	char		*token;
	char		 id[17];	/* of this process */
	char		 me[NODE_MAX + sizeof(": ") + 17];
	void		(*ready)(struct gateway *);	/* not yet called */
	void		(*refused)(struct gateway *, const char *why);
	uint64_t	 start_by;	/* clock_ms */
	int		 warned;	/* of keys that may be evicted */
	struct event	*timer, *deadline, *start;
	uint64_t	 beat;		/* clock_ms of the last one */
	int		 started;	/* who is not alive is dead */
	int		 freeing;
	int		 sweeping;	/* the first of sweeps */
	struct list	 sweeps;
	int		 scanning;	/* for addresses of this node */
	int		 rescan;	/* once more, from the start */
	int		 scanned, removed;	/* leaving */
	char		 cursor[REDIS_CURSOR];
	void		(*done_cb)(struct gateway *);	/* leaving */
};

static void	 registry_state_cb(int, void *);
static void	 registry_tick_cb(evutil_socket_t, short, void *);
static void	 registry_deadline_cb(evutil_socket_t, short, void *);
static void	 registry_start_cb(evutil_socket_t, short, void *);
static void	 registry_claim_cb(enum claim_state, void *);
static int	 registry_ghosts_knows(struct slice, void *);
static void	 registry_ghosts_found(const char *, void *);
static int	 registry_ghosts_busy(void *);
static void	 registry_beat(struct registry *);
static void	 registry_next(struct registry *);
static void	 registry_scan(struct registry *);
static void	 registry_scan_cb(const struct redis_value *, int, void *);
static void	 registry_found(struct registry *, struct slice);
static void	 registry_gone_cb(void *);
static void	 sweep_groups(struct sweep *);
static void	 sweep_groups_cb(const struct redis_value *, int, void *);
static void	 sweep_clients(struct sweep *);
static void	 sweep_clients_cb(const struct redis_value *, int, void *);
static void	 sweep_removed_cb(const struct redis_value *, int, void *);
static void	 sweep_delete(struct sweep *);
static void	 sweep_deleted_cb(const struct redis_value *, int, void *);
static void	 sweep_fail(struct sweep *);

static const struct claim_ops registry_claim_ops = {
	.changed = registry_claim_cb,
};
static const struct ghosts_ops registry_ghosts_ops = {
	.knows = registry_ghosts_knows,
	.found = registry_ghosts_found,
	.busy = registry_ghosts_busy,
};

/* The token that is kept, or one for this life. */
static char *
registry_token(const struct settings *s)
{
	char	*token = NULL;

	if (proc_dir(s->state_dir, s->uid, s->gid) == 0)
		token = claim_token(s->state_dir, s->run_dir);
	if (token != NULL)
		return (token);
	log_warn("the state directory %s cannot be used: %s; when this "
	    "gateway is killed, the name %s is free after 30 s only; give a "
	    "directory that is ours with --state-dir", s->state_dir,
	    strerror(errno), s->node);
	return (asprintf(&token, "%016llx", (unsigned long long)
	    bytes_random64()) == -1 ? NULL : token);
}

struct registry *
registry_new(struct gateway *g, void (*ready)(struct gateway *),
    void (*refused)(struct gateway *, const char *why))
{
	const struct timeval	 tick = { REGISTRY_TICK_MS / 1000,
	    REGISTRY_TICK_MS % 1000 * 1000 };
	struct registry		*r;
	int			 keep;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->g = g;
	r->ready = ready;
	r->refused = refused;
	r->start_by = clock_ms() + REGISTRY_START_MS;
	snprintf(r->id, sizeof(r->id), "%016llx",
	    (unsigned long long)g->incarnation);
	snprintf(r->me, sizeof(r->me), "%s: %s", g->settings.node, r->id);
	list_init(&r->sweeps);
	r->token = registry_token(&g->settings);
	r->start = evtimer_new(g->base, registry_start_cb, r);
	r->timer = event_new(g->base, -1, EV_PERSIST, registry_tick_cb, r);
	r->deadline = evtimer_new(g->base, registry_deadline_cb, r);
	errno = ENOMEM;
	if (r->timer == NULL || r->deadline == NULL || r->start == NULL ||
	    r->token == NULL || event_add(r->timer, &tick) == -1 ||
	    (r->redis = redis_new(g->base, g->redis_url, registry_state_cb,
	    r)) == NULL ||
	    (r->claim = claim_new(r->redis, &g->settings, r->token, r->id,
	    g->started, &registry_claim_ops, r)) == NULL ||
	    (r->ghosts = ghosts_new(r->redis, g->settings.redis_prefix, r->me,
	    &registry_ghosts_ops, r)) == NULL)
		goto fail;
	event_active(r->start, EV_TIMEOUT, 1);
	return (r);
fail:
	keep = errno;
	registry_free(r);
	errno = keep;
	return (NULL);
}

void
registry_free(struct registry *r)
{
	struct list	*e, *tmp;

	if (r == NULL)
		return;
	r->freeing = 1;
	redis_free(r->redis);		/* cancels; nothing starts anew */
	claim_free(r->claim);
	ghosts_free(r->ghosts);
	free(r->token);
	if (r->start != NULL)
		event_free(r->start);
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
	r->ready = NULL;
	ghosts_leave(r->ghosts);
	event_add(r->deadline, &most);
	if (!redis_up(r->redis)) {
		event_active(r->deadline, EV_TIMEOUT, 1);
		return;
	}
	/* Who bears our name now, or did before, keeps its own. */
	r->scanned = !claim_heir(r->claim);
	if (r->scanned)
		registry_next(r);
	else
		registry_scan(r);
}

/* ---- who we are ---- */

/* Redis has said whose the name is, or there is nothing to wait for. */
static void
registry_begin(struct registry *r)
{
	void	(*ready)(struct gateway *) = r->ready;

	r->ready = NULL;
	event_del(r->start);
	ready(r->g);
}

static void
registry_start_cb(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval	 tv = { 0, REGISTRY_START_LOOK_MS * 1000 };
	struct registry		*r = arg;
	const char		*why = redis_refusal(r->redis);

	(void)fd, (void)what;
	if (r->ready == NULL)
		return;
	if (why != NULL)
		r->refused(r->g, why);
	if (!redis_failed(r->redis) && clock_ms() < r->start_by) {
		evtimer_add(r->start, &tv);
		return;
	}
	registry_begin(r);
}

/* The name is ours, or another's, or cannot be asked for. */
static void
registry_claim_cb(enum claim_state state, void *arg)
{
	struct registry	*r = arg;
	const char	*node = r->g->settings.node;
	char		 why[1024];

	if (r->freeing)
		return;
	if (state == CLAIM_TAKEN) {
		snprintf(why, sizeof(why), "the node name %s is in use in this "
		    "Redis, by %s: give this one another name with --node, or "
		    "another --redis (if that one was killed, its name is free "
		    "after 30 s)", node, claim_holder(r->claim));
		if (r->ready != NULL)
			r->refused(r->g, why);
		log_warn("%s; goes on without it, and looks after its own "
		    "shards' entries only", why);
	} else if (state == CLAIM_HELD) {
		log_info("node=%s is ours", node);
		registry_scan(r);
	}
	if (r->ready != NULL)
		registry_begin(r);
}

/* What may be evicted is missing when it is needed: say so to who runs Redis. */
static void
registry_policy_cb(const struct redis_value *v, int err, void *arg)
{
	static const char	 field[] = "maxmemory_policy:";
	struct registry		*r = arg;
	const char		*p;
	int			 n;

	if (err != 0 || v->kind != REDIS_STRING || r->warned ||
	    (p = strstr(v->str, field)) == NULL)
		return;
	p += strlen(field);
	n = (int)strcspn(p, "\r\n");
	if (n > 32 || slice_is(slice_of(p, (size_t)n), "noeviction"))
		return;
	r->warned = 1;
	log_warn("redis maxmemory-policy=%.*s: when it is full, it forgets who "
	    "is where, and rooms' states; set maxmemory-policy noeviction", n,
	    p);
}

static void
registry_state_cb(int up, void *arg)
{
	struct registry	*r = arg;

	if (!up) {
		if (r->done_cb != NULL)
			event_active(r->deadline, EV_TIMEOUT, 1);
		return;
	}
	ghosts_up(r->ghosts);
	redis_do(r->redis, REGISTRY_COMMAND_MS, registry_policy_cb, r, "INFO",
	    "memory", NULL);
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
	if (r->started && r->done_cb == NULL)
		ghosts_tick(r->ghosts);
	registry_next(r);
}

static void
registry_beat(struct registry *r)
{
	if (!redis_up(r->redis) || r->done_cb != NULL)
		return;
	claim_beat(r->claim);
	r->beat = clock_ms();
}

/* ---- which addresses of this node are in there ---- */

static void
registry_scan(struct registry *r)
{
	if ((!r->started && r->done_cb == NULL) || !redis_up(r->redis) ||
	    !claim_heir(r->claim))
		return;
	if (r->scanning) {
		r->rescan = 1;
		return;
	}
	snprintf(r->cursor, sizeof(r->cursor), "0");
	r->scanning = 1;
	registry_scan_cb(NULL, 0, r);
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
	if (err != 0 || (v != NULL && redis_cursor(r->cursor, v) == -1))
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
	size_t		 node_len;
	uint32_t	 slot;
	uint64_t	 incarnation;

	if (keys_shard_address(r->g->settings.redis_prefix, &key) == -1 ||
	    key.len >= sizeof(address) || keys_address_parse(key, &node_len,
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
	if (claim_release(r->claim, registry_gone_cb, r) == -1)
		event_active(r->deadline, EV_TIMEOUT, 1);
}

static void
registry_gone_cb(void *arg)
{
	struct registry	*r = arg;

	event_active(r->deadline, EV_TIMEOUT, 1);
}

/* ---- what other nodes left ---- */

/* What bears our name is known, or of the gateway that has it now; unless we came
 * to the name when it was nobody's. */
static int
registry_ghosts_knows(struct slice address, void *arg)
{
	struct registry	*r = arg;
	size_t		 node_len;
	uint32_t	 slot;
	uint64_t	 incarnation;

	return (keys_address_parse(address, &node_len, &slot, &incarnation) ==
	    0 && (roster_knows(r->g->roster, incarnation) ||
	    (slice_is(slice_of(address.data, node_len), r->g->settings.node) &&
	    (claim_state(r->claim) != CLAIM_HELD || claim_heir(r->claim)))));
}

static void
registry_ghosts_found(const char *address, void *arg)
{
	log_info("registry address=%s has no heart-beat", address);
	registry_sweep(arg, address);
}

static int
registry_ghosts_busy(void *arg)
{
	const struct registry	*r = arg;

	return (!list_empty(&r->sweeps));
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
	if (err != 0 || redis_cursor(s->cursor, v) == -1) {
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
	char		*list = keys_shards(prefix);

	if (set == NULL || hash == NULL || list == NULL ||
	    redis_do(s->r->redis, REGISTRY_COMMAND_MS, NULL, NULL, "SREM",
	    list, s->address, NULL) == -1 || redis_do(s->r->redis,
	    REGISTRY_COMMAND_MS, sweep_deleted_cb, s, "DEL", hash, set,
	    NULL) == -1)
		sweep_fail(s);
	free(list);
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

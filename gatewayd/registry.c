/* This node in Redis: who we are, and the entries of dead shards. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/proc.h"
#include "common/redis.h"
#include "gatewayd/claim.h"
#include "gatewayd/ghosts.h"
#include "gatewayd/obituary.h"
#include "gatewayd/registry.h"
#include "gatewayd/rollcall.h"
#include "gatewayd/settings.h"
#include "gatewayd/sweep.h"
#include "proto/keys.h"
#include "proto/limits.h"

#define REGISTRY_STEP_TEXT	"500"
#define REGISTRY_TICK_MS	1000	/* what failed is tried again */
#define REGISTRY_BEAT_MS	5000
#define REGISTRY_START_MS	5000	/* for Redis to say whose the name is */
#define REGISTRY_START_LOOK_MS	20
#define REGISTRY_LEAVE_MS	2000
#define REGISTRY_COMMAND_MS	2000

struct registry {
	const struct settings *settings;
	const struct registry_ops *ops;
	void		*arg;
	struct redis	*redis;
	struct claim	*claim;
	struct ghosts	*ghosts;
	struct rollcall	*rollcall;	/* NULL: Redis is our own */
	struct obituaries *obituaries;	/* the same */
	char		*token;
	char		 id[17];	/* of this process */
	char		 me[NODE_MAX + sizeof(": ") + 17];
	int		 beginning;	/* ops->ready has not been called */
	uint64_t	 start_by;	/* clock_ms */
	int		 warned;	/* of keys that may be evicted */
	struct event	*timer, *deadline, *start;
	uint64_t	 beat;		/* clock_ms of the last one */
	int		 seen;		/* Redis was up */
	int		 started;	/* who is not alive is dead */
	int		 freeing;
	struct sweeps	*sweeps;
	int		 scanning;	/* for addresses of this node */
	int		 rescan;	/* once more, from the start */
	int		 scanned, removed;	/* leaving */
	char		 cursor[REDIS_CURSOR];
	void		(*done_cb)(void *);	/* leaving */
};

static void	 registry_state_cb(int, void *);
static void	 registry_tick_cb(evutil_socket_t, short, void *);
static void	 registry_deadline_cb(evutil_socket_t, short, void *);
static void	 registry_start_cb(evutil_socket_t, short, void *);
static void	 registry_claim_cb(enum claim_state, void *);
static int	 registry_ghosts_knows(struct slice, void *);
static void	 registry_ghosts_found(const char *, void *);
static int	 registry_ghosts_busy(void *);
static int	 registry_ghosts_dead(struct slice, void *);
static size_t	 registry_roll_shards(struct rollcall_shard *, size_t, void *);
static void	 registry_roll_load(size_t *, size_t *, void *);
static void	 registry_roll_dead(const char *, const struct rollcall_shard *,
		    void *);
static void	 registry_roll_node_dead(const char *, void *);
static void	 registry_roll_missing(void *);
static void	 registry_obituary(const struct obituary *, void *);
static void	 registry_beat(struct registry *);
static void	 registry_next(struct registry *);
static void	 registry_scan(struct registry *);
static void	 registry_scan_cb(const struct redis_value *, int, void *);
static void	 registry_found(struct registry *, struct slice);
static void	 registry_swept_cb(void *);
static void	 registry_gone_cb(void *);

static const struct claim_ops registry_claim_ops = {
	.changed = registry_claim_cb,
};
static const struct ghosts_ops registry_ghosts_ops = {
	.knows = registry_ghosts_knows,
	.found = registry_ghosts_found,
	.busy = registry_ghosts_busy,
	.dead = registry_ghosts_dead,
};
static const struct rollcall_ops registry_rollcall_ops = {
	.shards = registry_roll_shards,
	.load = registry_roll_load,
	.dead = registry_roll_dead,
	.node_dead = registry_roll_node_dead,
	.missing = registry_roll_missing,
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
registry_new(struct event_base *base, const struct settings *settings,
    const char *redis_url, uint64_t incarnation, uint64_t started,
    const struct registry_ops *ops, void *arg)
{
	const struct timeval	 tick = { REGISTRY_TICK_MS / 1000,
	    REGISTRY_TICK_MS % 1000 * 1000 };
	struct registry		*r;
	int			 keep;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->settings = settings;
	r->ops = ops;
	r->arg = arg;
	r->beginning = 1;
	r->start_by = clock_ms() + REGISTRY_START_MS;
	snprintf(r->id, sizeof(r->id), "%016llx",
	    (unsigned long long)incarnation);
	snprintf(r->me, sizeof(r->me), "%s: %s", settings->node, r->id);
	r->token = registry_token(settings);
	r->start = evtimer_new(base, registry_start_cb, r);
	r->timer = event_new(base, -1, EV_PERSIST, registry_tick_cb, r);
	r->deadline = evtimer_new(base, registry_deadline_cb, r);
	errno = ENOMEM;
	if (r->timer == NULL || r->deadline == NULL || r->start == NULL ||
	    r->token == NULL || event_add(r->timer, &tick) == -1 ||
	    (r->redis = redis_new(base, redis_url, "registry",
	    registry_state_cb, r)) == NULL ||
	    (r->claim = claim_new(r->redis, settings, r->token, r->id,
	    started, &registry_claim_ops, r)) == NULL ||
	    (r->ghosts = ghosts_new(r->redis, settings->redis_prefix, r->me,
	    &registry_ghosts_ops, r)) == NULL ||
	    (settings_shared(settings) && ((r->rollcall = rollcall_new(r->redis,
	    settings->redis_prefix, settings->node, &registry_rollcall_ops,
	    r)) == NULL || (r->obituaries = obituaries_new(r->redis,
	    settings->redis_prefix, registry_obituary, r)) == NULL)) ||
	    (r->sweeps = sweeps_new(r->redis, settings->redis_prefix,
	    settings_shared(settings), registry_swept_cb, r)) == NULL)
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
	if (r == NULL)
		return;
	r->freeing = 1;
	sweeps_end(r->sweeps);
	redis_free(r->redis);		/* cancels; nothing starts anew */
	claim_free(r->claim);
	ghosts_free(r->ghosts);
	rollcall_free(r->rollcall);
	obituaries_free(r->obituaries);
	free(r->token);
	if (r->start != NULL)
		event_free(r->start);
	sweeps_free(r->sweeps);
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
	r->ops->news(REGISTRY_FOUND, NULL, r->arg);
}

void
registry_sweep(struct registry *r, const char *address)
{
	size_t		 len;
	uint32_t	 slot;
	uint64_t	 incarnation;

	if (r->rollcall != NULL && keys_address_parse(slice_str(address), &len,
	    &slot, &incarnation) == 0 && slice_is(slice_of(address, len),
	    r->settings->node))
		rollcall_buried(r->rollcall, slice_str(address));
	if (sweeps_add(r->sweeps, address) == -1)
		log_warn("registry address=%s not swept: no memory", address);
	else
		registry_next(r);
}

void
registry_leave(struct registry *r, void (*done_cb)(void *))
{
	const struct timeval	 most = { REGISTRY_LEAVE_MS / 1000,
	    REGISTRY_LEAVE_MS % 1000 * 1000 };

	r->done_cb = done_cb;
	r->beginning = 0;
	ghosts_leave(r->ghosts);
	sweeps_hush(r->sweeps);
	if (r->rollcall != NULL)
		rollcall_leave(r->rollcall);
	event_add(r->deadline, &most);
	if (!redis_up(r->redis)) {
		event_active(r->deadline, EV_TIMEOUT, 1);
		return;
	}
	/* A gateway that has our name now, or had it before, keeps its entries. */
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
	r->beginning = 0;
	event_del(r->start);
	r->ops->ready(r->arg);
}

/* Look whether Redis has said whose the name is. */
static void
registry_start_cb(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval	 tv = { 0, REGISTRY_START_LOOK_MS * 1000 };
	struct registry		*r = arg;
	const char		*why = redis_refusal(r->redis);

	(void)fd, (void)what;
	if (!r->beginning)
		return;
	if (why != NULL)
		r->ops->refused(why, r->arg);
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
	const char	*node = r->settings->node;
	char		 why[1024];

	if (r->freeing)
		return;
	if (state == CLAIM_TAKEN) {
		snprintf(why, sizeof(why), "the node name %s is in use in this "
		    "Redis, by %s: give this one another name with --node, or "
		    "another --redis (if that one was killed, its name is free "
		    "after 30 s)", node, claim_holder(r->claim));
		if (r->beginning)
			r->ops->refused(why, r->arg);
		log_warn("%s; goes on without it, and looks after its own "
		    "shards' entries only", why);
	} else if (state == CLAIM_HELD) {
		log_info("node=%s is ours", node);
		if (r->rollcall != NULL) {
			rollcall_tick(r->rollcall);
			/* Whoever is lost from now on is told. */
			obituaries_tick(r->obituaries);
		}
		registry_scan(r);
	}
	if (r->beginning)
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

/* Redis is up, or is not any more. */
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
	r->ops->news(r->seen ? REGISTRY_BACK : REGISTRY_UP, NULL, r->arg);
	r->seen = 1;
	redis_do(r->redis, REGISTRY_COMMAND_MS, registry_policy_cb, r, "INFO",
	    "memory", NULL);
	registry_beat(r);
	registry_scan(r);
	registry_next(r);
}

/* Each second: what failed is tried again. */
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
	if (r->rollcall != NULL && r->done_cb == NULL &&
	    claim_state(r->claim) == CLAIM_HELD)
		rollcall_tick(r->rollcall);
	if (r->done_cb == NULL)
		r->ops->news(REGISTRY_TICK, NULL, r->arg);
	if (r->obituaries != NULL && r->started && r->done_cb == NULL)
		obituaries_tick(r->obituaries);
	registry_next(r);
}

/* Say that we are alive. */
static void
registry_beat(struct registry *r)
{
	if (!redis_up(r->redis) || r->done_cb != NULL)
		return;
	claim_beat(r->claim);
	r->beat = clock_ms();
}

/* ---- which addresses of this node are in there ---- */

/* Begin to look for entries of this node that are nobody's. */
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
	const struct settings	*s = r->settings;
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

	if (keys_shard_address(r->settings->redis_prefix, &key) == -1 ||
	    key.len >= sizeof(address) || keys_address_parse(key, &node_len,
	    &slot, &incarnation) == -1 ||
	    !slice_is(slice_of(key.data, node_len), r->settings->node))
		return;
	if (r->done_cb == NULL && r->ops->alive(incarnation, r->arg))
		return;
	memcpy(address, key.data, key.len);
	address[key.len] = '\0';
	registry_sweep(r, address);
}

/* ---- what is swept, and the end of it ---- */

/* Sweep the next one; when all is swept and we leave, give back the name. */
static void
registry_next(struct registry *r)
{
	if (r->freeing || sweeps_next(r->sweeps))
		return;
	if (r->done_cb == NULL || !r->scanned || r->removed)
		return;
	r->removed = 1;
	if (claim_release(r->claim, registry_gone_cb, r) == -1)
		event_active(r->deadline, EV_TIMEOUT, 1);
}

/* The entries of one dead shard are out. */
static void
registry_swept_cb(void *arg)
{
	registry_next(arg);
}

/* The name is given back. */
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
	    0 && (r->ops->alive(incarnation, r->arg) ||
	    (slice_is(slice_of(address.data, node_len), r->settings->node) &&
	    (claim_state(r->claim) != CLAIM_HELD || claim_heir(r->claim)))));
}

/* A shard of some node beats no more. */
static void
registry_ghosts_found(const char *address, void *arg)
{
	log_info("registry address=%s has no heart-beat", address);
	registry_sweep(arg, address);
}

/* Is there anything to be swept? */
static int
registry_ghosts_busy(void *arg)
{
	const struct registry	*r = arg;

	return (sweeps_busy(r->sweeps));
}

/* Is it of a node that is dead? */
static int
registry_ghosts_dead(struct slice address, void *arg)
{
	const struct registry	*r = arg;

	return (r->rollcall != NULL && rollcall_is_dead(r->rollcall, address));
}

/* ---- who else is in the cluster ---- */

const struct rollcall *
registry_rollcall(const struct registry *r)
{
	return (r->rollcall);
}

/* rollcall_ops: our shards. */
static size_t
registry_roll_shards(struct rollcall_shard *at, size_t max, void *arg)
{
	struct registry	*r = arg;

	return (r->ops->shards(at, max, r->arg));
}

/* rollcall_ops: what they have. */
static void
registry_roll_load(size_t *connections, size_t *groups, void *arg)
{
	struct registry	*r = arg;

	r->ops->load(connections, groups, r->arg);
}

/* rollcall_ops: a shard of another node is dead. */
static void
registry_roll_dead(const char *node, const struct rollcall_shard *s, void *arg)
{
	struct registry	*r = arg;

	r->ops->dead(node, s, r->arg);
}

/* rollcall_ops: a node is dead, somebody sweeps what it left. */
static void
registry_roll_node_dead(const char *node, void *arg)
{
	struct registry	*r = arg;

	ghosts_soon(r->ghosts);
	r->ops->news(REGISTRY_DEAD, node, r->arg);
}

/* Somebody was lost with a shard, here or elsewhere. */
static void
registry_obituary(const struct obituary *o, void *arg)
{
	struct registry	*r = arg;

	r->ops->lost(o, r->arg);
}

/* rollcall_ops: our key is gone. */
static void
registry_roll_missing(void *arg)
{
	struct registry	*r = arg;

	registry_beat(r);
	r->ops->news(REGISTRY_FORGOTTEN, NULL, r->arg);
}

/* Everything is removed, or enough time has passed. */
static void
registry_deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	struct registry	*r = arg;
	void		(*done_cb)(void *) = r->done_cb;

	(void)fd, (void)what;
	event_del(r->deadline);
	if (done_cb == NULL)
		return;
	r->done_cb = NULL;
	done_cb(r->arg);			/* may free r */
}


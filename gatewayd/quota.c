/* How many places a group may have over all nodes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/map.h"
#include "common/redis.h"
#include "common/turn.h"
#include "gatewayd/group.h"
#include "gatewayd/places.h"
#include "gatewayd/placement.h"
#include "gatewayd/quota.h"
#include "proto/keys.h"

#define QUOTA_COMMAND_MS	1000
#define QUOTA_HOLD_MS		3000	/* for all nodes to say what they have */
#define QUOTA_STEP		50	/* said again each second */
#define QUOTA_SWEEP_TEXT	"500"

/*
 * KEYS: a group's places, the keys that our node stands in, our node's.  ARGV: our node,
 * places that it has, that it wants, the limit.  What it may have, and all nodes together;
 * -1: Redis has forgotten us, and maybe others, so nothing is added up.
 */
static const char	 quota_script[] =
	"local us, open, want = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])\n"
	"local others, h = 0, redis.call('HGETALL', KEYS[1])\n"
	"for i = 1, #h, 2 do\n"
	"  if h[i] ~= us then others = others + (tonumber(h[i + 1]) or 0) end\n"
	"end\n"
	"local known = redis.call('EXISTS', KEYS[3]) == 1\n"
	"local n = math.max(open, math.min(want, tonumber(ARGV[4]) - others))\n"
	"if not known then n = open end\n"
	"if n > 0 then\n"
	"  redis.call('HSET', KEYS[1], us, n)\n"
	"  redis.call('SADD', KEYS[2], KEYS[1])\n"
	"else\n"
	"  redis.call('HDEL', KEYS[1], us)\n"
	"  redis.call('SREM', KEYS[2], KEYS[1])\n"
	"end\n"
	"return {known and n or -1, others + n}\n";
/* KEYS: the keys that a dead node stands in.  ARGV: the node, how many.  Those left. */
static const char	 quota_sweep_script[] =
	"for _, k in ipairs(redis.call('SRANDMEMBER', KEYS[1], ARGV[2])) do\n"
	"  redis.call('HDEL', k, ARGV[1])\n"
	"  redis.call('SREM', KEYS[1], k)\n"
	"end\n"
	"return redis.call('SCARD', KEYS[1])\n";

struct quota {
	struct map_node	 by_name;	/* as a group's: app, NUL, name */
	struct list	 at;		/* quotas->all */
	struct list	 at_left;	/* quotas->left */
	struct quotas	*quotas;
	struct list	 waiting;	/* struct quota_wait */
	char		*key;		/* in Redis; NULL: there are no other nodes */
	uint32_t	 limit;
	uint64_t	 share, all;
	uint64_t	 held;		/* for who had a place and gets another */
	int		 asking;	/* commands outstanding */
	size_t		 app_len, len;
	char		 name[];
};

struct quotas {
	struct placement *placement;
	void		(*told)(struct quota_wait *, void *);
	void		*arg;
	struct redis	*redis;		/* NULL: there are no other nodes */
	const char	*prefix, *node;
	char		*node_key, *set;
	struct map	 by_name;
	struct list	 all, left;
	struct turn_work giving;	/* back what left has */
	uint64_t	 hold;		/* clock_ms: nobody has more until then */
};

struct quota_sweep {			/* of one dead node */
	struct quotas	*quotas;
	char		*set;
	char		 node[];
};

static void	 quota_give(struct quota *q);
static void	 quotas_give(void *arg);
static void	 quota_cb(const struct redis_value *, int, void *);
static void	 quota_sweep_cb(const struct redis_value *, int, void *);

/* ---- life ---- */

struct quotas *
quotas_new(struct placement *placement,
    void (*told)(struct quota_wait *, void *), void *arg)
{
	struct quotas	*qs;

	if ((qs = calloc(1, sizeof(*qs))) == NULL)
		return (NULL);
	qs->placement = placement;
	qs->told = told;
	qs->arg = arg;
	list_init(&qs->all);
	list_init(&qs->left);
	turn_work_init(&qs->giving, quotas_give, qs);
	return (qs);
}

/* Forget a quota. */
static void
quota_free(struct quota *q)
{
	map_remove(&q->quotas->by_name, &q->by_name);
	list_remove(&q->at);
	list_remove(&q->at_left);
	free(q->key);
	free(q);
}

void
quotas_free(struct quotas *qs)
{
	struct list	*e, *tmp;

	if (qs == NULL)
		return;
	list_each(e, tmp, &qs->all)
		quota_free(list_entry(e, struct quota, at));
	map_clear(&qs->by_name);
	turn_cancel(&qs->giving);
	free(qs->node_key);
	free(qs->set);
	free(qs);
}

void
quotas_share(struct quotas *qs, struct redis *redis, const char *prefix,
    const char *node)
{
	qs->prefix = prefix;
	qs->node = node;
	qs->node_key = keys_node(prefix, node);
	qs->set = keys_node_places(prefix, node);
	/* Without memory each node is for itself. */
	if (qs->node_key != NULL && qs->set != NULL)
		qs->redis = redis;
}

/* ---- one ---- */

/* The quota of that group; NULL: there is none. */
static struct quota *
quota_find(const struct quotas *qs, struct slice app, struct slice group)
{
	char		 name[APP_MAX + 1 + GROUP_MAX];
	struct map_node	*n;

	if (app.len > APP_MAX || group.len > GROUP_MAX)
		return (NULL);
	memcpy(name, app.data, app.len);
	name[app.len] = '\0';
	if (group.len > 0)
		memcpy(name + app.len + 1, group.data, group.len);
	n = map_find(&qs->by_name, name, app.len + 1 + group.len);
	return (n == NULL ? NULL : container_of(n, struct quota, by_name));
}

/* The same, made if need be.  NULL: no memory, or names over their bounds. */
static struct quota *
quota_get(struct quotas *qs, struct slice app, struct slice group)
{
	struct quota	*q = quota_find(qs, app, group);

	if (q != NULL || app.len > APP_MAX || group.len > GROUP_MAX ||
	    (q = calloc(1, sizeof(*q) + app.len + 1 + group.len)) == NULL)
		return (q);
	q->quotas = qs;
	q->app_len = app.len;
	q->len = app.len + 1 + group.len;
	memcpy(q->name, app.data, app.len);
	if (group.len > 0)
		memcpy(q->name + app.len + 1, group.data, group.len);
	list_init(&q->waiting);
	list_init(&q->at);
	list_init(&q->at_left);
	if ((qs->redis != NULL &&
	    (q->key = keys_places(qs->prefix, group, app)) == NULL) ||
	    map_insert(&qs->by_name, &q->by_name, q->name, q->len) == -1) {
		free(q->key);
		free(q);
		return (NULL);
	}
	list_push(&qs->all, &q->at);
	return (q);
}

static struct slice
quota_app(const struct quota *q)
{
	return (slice_of(q->name, q->app_len));
}

static struct slice
quota_group(const struct quota *q)
{
	return (slice_of(q->name + q->app_len + 1, q->len - q->app_len - 1));
}

/* Places that the group has here, or will have again. */
static uint64_t
quota_open(const struct quota *q)
{
	const struct group	*g = group_named(q->quotas->placement,
				    quota_app(q), quota_group(q));

	return (q->held + (g == NULL ? 0 : g->open));
}

/* Tell Redis what is here, and ask for as many more.  0, or -1: it cannot be asked. */
static int
quota_tell(struct quota *q, uint64_t more)
{
	struct quotas	*qs = q->quotas;
	uint64_t	 open = quota_open(q);
	char		 have[24], want[24], limit[24];

	snprintf(have, sizeof(have), "%" PRIu64, open);
	snprintf(want, sizeof(want), "%" PRIu64, open + more);
	snprintf(limit, sizeof(limit), "%" PRIu32, q->limit);
	if (!redis_up(qs->redis) || redis_do(qs->redis, QUOTA_COMMAND_MS,
	    quota_cb, q, "EVAL", quota_script, "3", q->key, qs->set,
	    qs->node_key, qs->node, have, want, limit, NULL) == -1)
		return (-1);
	q->asking++;
	return (0);
}

/* Those who wait are asked for.  -1: they cannot be. */
static int
quota_tell_waiting(struct quota *q)
{
	struct list	*e, *tmp;
	uint64_t	 n = 0;

	list_each(e, tmp, &q->waiting) {
		list_entry(e, struct quota_wait, at)->asked = 1;
		n++;
	}
	return (quota_tell(q, n));
}

/* Who waits asks again. */
static void
quota_wake(struct quota *q)
{
	struct list	 now, *e;

	list_init(&now);
	while (!list_empty(&q->waiting)) {
		e = q->waiting.next;
		list_remove(e);
		list_push(&now, e);
	}
	while (!list_empty(&now)) {
		e = now.next;
		list_remove(e);
		q->quotas->told(list_entry(e, struct quota_wait, at),
		    q->quotas->arg);
	}
}

/* Redis has answered, or has not. */
static void
quota_cb(const struct redis_value *v, int err, void *arg)
{
	struct quota		*q = arg;
	struct quotas		*qs = q->quotas;
	struct redis_value	 n, all;
	int			 known = 0;

	if (err == ECANCELED)
		return;
	if (err == 0 && v->kind == REDIS_ARRAY && v->n == 2) {
		n = redis_at(v, 0);
		all = redis_at(v, 1);
		known = n.kind == REDIS_INTEGER && n.integer >= 0;
		if (known) {
			q->share = (uint64_t)n.integer;
			q->all = (uint64_t)all.integer;
		} else
			quotas_forgotten(qs);
	}
	quota_wake(q);
	q->asking--;		/* not before: whoever asks meanwhile waits */
	if (!list_empty(&q->waiting) && q->asking == 0 &&
	    quota_tell_waiting(q) == -1)
		quota_wake(q);
	if (known && q->asking == 0)
		quota_give(q);
}

enum quota_answer
quota_ask(struct quotas *qs, struct slice app, struct slice group,
    uint32_t limit, struct quota_wait *w)
{
	struct quota	*q;
	uint64_t	 open;
	int		 asked = w->asked;

	w->asked = 0;
	if ((q = quota_get(qs, app, group)) == NULL)
		return (QUOTA_UNKNOWN);
	q->limit = limit;
	open = quota_open(q);
	if (qs->redis == NULL) {
		q->all = open;
		return (open < limit ? QUOTA_GRANTED : QUOTA_FULL);
	}
	if (open < q->share && open < limit)
		return (QUOTA_GRANTED);
	if (!redis_up(qs->redis) || clock_ms() < qs->hold)
		return (QUOTA_UNKNOWN);
	if (asked)
		return (QUOTA_FULL);
	list_push(&q->waiting, &w->at);
	if (q->asking > 0 || quota_tell_waiting(q) == 0)
		return (QUOTA_ASKED);
	list_remove(&w->at);
	w->asked = 0;
	return (QUOTA_UNKNOWN);
}

void
quota_cancel(struct quota_wait *w)
{
	list_remove(&w->at);
}

int
quota_hold(struct quotas *qs, struct slice app, struct slice group)
{
	struct quota	*q = qs == NULL ? NULL : quota_find(qs, app, group);

	if (q == NULL)
		return (0);
	q->held++;
	return (1);
}

void
quota_let(struct quotas *qs, struct slice app, struct slice group)
{
	struct quota	*q = quota_find(qs, app, group);

	q->held--;
	quota_give(q);
}

/* ---- giving back ---- */

/* What is not used of q is given back at the end of the turn. */
static void
quota_give(struct quota *q)
{
	if (!list_empty(&q->at_left))
		return;
	list_push(&q->quotas->left, &q->at_left);
	turn_add(&q->quotas->giving, TURN_CLIENTS);
}

void
quota_left(struct quotas *qs, const struct group *g)
{
	struct quota	*q;

	if (qs != NULL && (q = quota_find(qs, slice_str(g->app),
	    slice_of(g->name, g->name_len))) != NULL)
		quota_give(q);
}

/* Turn work: what is not used is free for other nodes, and what is over is forgotten. */
static void
quotas_give(void *arg)
{
	struct quotas	*qs = arg;
	struct list	*e, *tmp;
	struct quota	*q;
	uint64_t	 open;

	list_each(e, tmp, &qs->left) {
		q = list_entry(e, struct quota, at_left);
		list_remove(e);
		open = quota_open(q);
		/* Whoever asks says how many there are, too. */
		if (q->asking > 0)
			continue;
		if (qs->redis != NULL && q->share != open)
			(void)quota_tell(q, 0);
		else if (open == 0 && list_empty(&q->waiting) &&
		    (qs->redis == NULL || q->share == 0))
			quota_free(q);
	}
}

/* ---- what happens in the cluster ---- */

/* So many of those that are here are said again, from the one that was said longest ago:
 * none twice. */
static void
quotas_say(struct quotas *qs, size_t most)
{
	struct list	 said;
	struct quota	*q;

	list_init(&said);
	while (most-- > 0 && !list_empty(&qs->all)) {
		q = list_entry(qs->all.next, struct quota, at);
		list_remove(&q->at);
		list_push(&said, &q->at);
		if (q->asking == 0)
			(void)quota_tell(q, 0);
	}
	list_move(&qs->all, &said);
}

void
quotas_up(struct quotas *qs, int again)
{
	if (qs->redis == NULL)
		return;
	if (again)
		qs->hold = clock_ms() + QUOTA_HOLD_MS;
	quotas_say(qs, SIZE_MAX);
}

void
quotas_forgotten(struct quotas *qs)
{
	if (qs->redis == NULL || clock_ms() < qs->hold)
		return;
	log_warn("quotas are gone from redis: nobody has more than now for %d s",
	    QUOTA_HOLD_MS / 1000);
	quotas_up(qs, 1);
}

void
quotas_tick(struct quotas *qs)
{
	if (qs->redis != NULL && redis_up(qs->redis))
		quotas_say(qs, QUOTA_STEP);
}

/* Ask for a step of a sweep; s is freed if that cannot be. */
static void
quota_sweep_step(struct quota_sweep *s)
{
	if (redis_do(s->quotas->redis, QUOTA_COMMAND_MS, quota_sweep_cb, s,
	    "EVAL", quota_sweep_script, "1", s->set, s->node,
	    QUOTA_SWEEP_TEXT, NULL) == 0)
		return;
	free(s->set);
	free(s);
}

/* A step is done: the next. */
static void
quota_sweep_cb(const struct redis_value *v, int err, void *arg)
{
	struct quota_sweep	*s = arg;

	if (err == 0 && v->kind == REDIS_INTEGER && v->integer > 0)
		quota_sweep_step(s);
	else {
		free(s->set);
		free(s);
	}
}

void
quotas_node_dead(struct quotas *qs, const char *node)
{
	struct quota_sweep	*s;
	size_t			 len = strlen(node) + 1;

	if (qs->redis == NULL || (s = calloc(1, sizeof(*s) + len)) == NULL)
		return;
	s->quotas = qs;
	memcpy(s->node, node, len);
	if ((s->set = keys_node_places(qs->prefix, node)) == NULL)
		free(s);
	else
		quota_sweep_step(s);
}

/* The groups in which our node has stood: those that are still here are counted. */
static void
quotas_found_cb(const struct redis_value *v, int err, void *arg)
{
	struct quotas		*qs = arg;
	struct redis_value	 key;
	struct slice		 app, group;
	struct quota		*q;
	char			*names;

	if (err != 0 || v->kind != REDIS_ARRAY)
		return;
	for (size_t i = 0; i < v->n; i++) {
		key = redis_at(v, i);
		if (key.kind != REDIS_STRING ||
		    (names = malloc(key.len + 1)) == NULL)
			continue;
		if (keys_places_parse(qs->prefix, slice_of(key.str, key.len),
		    names, &group, &app) == 0 &&
		    (q = quota_get(qs, app, group)) != NULL && q->asking == 0)
			(void)quota_tell(q, 0);
		free(names);
	}
}

void
quotas_found(struct quotas *qs)
{
	if (qs->redis != NULL)
		redis_do(qs->redis, QUOTA_COMMAND_MS, quotas_found_cb, qs,
		    "SMEMBERS", qs->set, NULL);
}

/* ---- for status ---- */

uint32_t
quota_limit(const struct quotas *qs, const struct group *g, uint64_t *all)
{
	const struct quota	*q = qs == NULL ? NULL : quota_find(qs,
				    slice_str(g->app),
				    slice_of(g->name, g->name_len));

	if (q == NULL)
		return (0);
	*all = qs->redis == NULL ? quota_open(q) : q->all;
	return (q->limit);
}

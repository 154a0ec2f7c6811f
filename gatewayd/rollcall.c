/* Which nodes of the cluster live. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/map.h"
#include "common/redis.h"
#include "gatewayd/rollcall.h"
#include "proto/keys.h"
#include "proto/limits.h"

#define ROLLCALL_DEAD_MS	5000	/* without another beat */
#define ROLLCALL_SWEEP_MS	20000	/* from the last beat: its entries go */
#define ROLLCALL_SILENCE_MS	2500	/* between two answers of Redis: a silence */
#define ROLLCALL_FORGET_MS	120000	/* a dead one is shown so long */
#define ROLLCALL_COMMAND_MS	2000
#define ROLLCALL_BURIED		32	/* dead shards that a node speaks of */

/*
 * KEYS: all nodes, our node.  ARGV: our name, prefix of nodes' keys, shards, dead
 * shards, connections, groups, then names to be forgotten.  First whether our key is
 * there; then of each node name, beat, shards, connections, groups, gateway, version,
 * dead shards.
 */
static const char	 rollcall_script[] =
	"local there = redis.call('EXISTS', KEYS[2])\n"
	"if there == 1 then\n"
	"  redis.call('HINCRBY', KEYS[2], 'beat', 1)\n"
	"  redis.call('HSET', KEYS[2], 'living', ARGV[3], 'buried', ARGV[4],\n"
	"      'connections', ARGV[5], 'groups', ARGV[6])\n"
	"  redis.call('SADD', KEYS[1], ARGV[1])\n"
	"end\n"
	"for i = 7, #ARGV do redis.call('SREM', KEYS[1], ARGV[i]) end\n"
	"local all = {there}\n"
	"for _, n in ipairs(redis.call('SMEMBERS', KEYS[1])) do\n"
	"  local h = redis.call('HMGET', ARGV[2] .. n, 'beat', 'living',\n"
	"      'connections', 'groups', 'gateway', 'version', 'buried')\n"
	"  all[#all + 1] = {n, h[1] or '', h[2] or '', h[3] or '', h[4] or '',\n"
	"      h[5] or '', h[6] or '', h[7] or ''}\n"
	"end\n"
	"return all\n";

/* KEYS: all nodes, the log of who was lost.  ARGV: our name.  The last one leaves nothing. */
static const char	 rollcall_leave_script[] =
	"redis.call('SREM', KEYS[1], ARGV[1])\n"
	"if redis.call('SCARD', KEYS[1]) == 0 then\n"
	"  redis.call('DEL', KEYS[2])\n"
	"end\n"
	"return 1\n";

struct roll {				/* one node */
	struct map_node	 by_name;
	char		*name;		/* as in keys */
	char		 plain[NODE_MAX + 1];
	char		 beat[24], address[128], version[32];
	uint64_t	 connections, groups;
	uint64_t	 since;		/* clock_ms: the beat is that */
	int		 dead, ours, heard;
	int		 left;		/* it was not listed when it was judged */
	struct rollcall_shard shards[SLOTS_MAX];
	size_t		 nshards;
	char		 buried[ROLLCALL_BURIED * 24];	/* as it says */
};

struct rollcall {
	struct redis	*redis;
	const char	*prefix;
	char		*us, *nodes_key, *node_key, *node_prefix, *lost_key;
	const struct rollcall_ops *ops;
	void		*arg;
	struct map	 rolls;		/* struct roll */
	int		 asking, leaving;
	uint64_t	 answered;	/* clock_ms; 0: never */
	struct rollcall_shard buried[ROLLCALL_BURIED];	/* ours, the latest */
	size_t		 nburied;	/* ever */
};

/* A name as it stands in keys.  NULL without memory. */
static char *
rollcall_key_name(const char *node)
{
	struct buf	b = { 0 };

	keys_name(&b, slice_str(node));
	if (buf_add(&b, "", 1) == -1) {
		buf_clear(&b);
		return (NULL);
	}
	return (b.data);
}

struct rollcall *
rollcall_new(struct redis *redis, const char *prefix, const char *node,
    const struct rollcall_ops *ops, void *arg)
{
	struct rollcall	*r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->redis = redis;
	r->prefix = prefix;
	r->ops = ops;
	r->arg = arg;
	r->us = rollcall_key_name(node);
	r->node_key = keys_node(prefix, node);
	r->node_prefix = keys_node(prefix, "");
	r->nodes_key = keys_nodes(prefix);
	r->lost_key = keys_lost(prefix);
	if (r->us == NULL || r->nodes_key == NULL || r->node_key == NULL ||
	    r->node_prefix == NULL || r->lost_key == NULL) {
		rollcall_free(r);
		errno = ENOMEM;
		return (NULL);
	}
	return (r);
}

/* Forget a node. */
static void
roll_free(struct rollcall *r, struct roll *n)
{
	map_remove(&r->rolls, &n->by_name);
	free(n->name);
	free(n);
}

void
rollcall_free(struct rollcall *r)
{
	struct map_node	*n;

	if (r == NULL)
		return;
	while ((n = map_first(&r->rolls)) != NULL)
		roll_free(r, container_of(n, struct roll, by_name));
	map_clear(&r->rolls);
	free(r->us);
	free(r->nodes_key);
	free(r->node_key);
	free(r->node_prefix);
	free(r->lost_key);
	free(r);
}

/* The node of that name, made if need be.  NULL without memory, or it is no name. */
static struct roll *
roll_get(struct rollcall *r, struct slice name)
{
	struct map_node	*e = map_find(&r->rolls, name.data, name.len);
	struct roll	*n;
	char		 plain[3 * NODE_MAX + 1];
	size_t		 len;

	if (e != NULL)
		return (container_of(e, struct roll, by_name));
	if (name.len == 0 || name.len >= sizeof(plain) ||
	    (len = bytes_unpercent(plain, name, 0)) > NODE_MAX ||
	    (n = calloc(1, sizeof(*n))) == NULL)
		return (NULL);
	memcpy(n->plain, plain, len);
	n->since = clock_ms();
	if ((n->name = slice_dup(name)) == NULL || map_insert(&r->rolls,
	    &n->by_name, n->name, name.len) == -1) {
		free(n->name);
		free(n);
		return (NULL);
	}
	n->ours = strcmp(n->name, r->us) == 0;
	return (n);
}

/* The shards of a list "slot#incarnation slot#incarnation" to at: how many. */
static size_t
roll_read(struct rollcall_shard at[SLOTS_MAX], struct slice list)
{
	char	 text[SLOTS_MAX * 24 + 1], *p = text, *word;
	size_t	 n = 0;

	if (list.len >= sizeof(text))
		return (0);
	if (list.len > 0)
		memcpy(text, list.data, list.len);
	text[list.len] = '\0';
	while ((word = strsep(&p, " ")) != NULL && n < SLOTS_MAX)
		if (sscanf(word, "%" SCNu32 "#%" SCNx64, &at[n].slot,
		    &at[n].incarnation) == 2 && at[n].slot < SLOTS_MAX)
			n++;
	return (n);
}

/* What a node says of its dead shards.  Nobody need have known them. */
static void
roll_buried(struct rollcall *r, struct roll *n, struct slice list)
{
	struct rollcall_shard	 dead[SLOTS_MAX];
	size_t			 count;

	if (n->ours || list.len >= sizeof(n->buried) || slice_is(list, n->buried))
		return;
	memcpy(n->buried, list.data, list.len);
	n->buried[list.len] = '\0';
	count = roll_read(dead, list);
	for (size_t i = 0; i < count; i++)
		r->ops->dead(n->plain, &dead[i], r->arg);
}

/* The text of a field, cut. */
static void
roll_text(char *dst, size_t size, const struct redis_value *v)
{
	log_escape(dst, size, v->str, v->len < size ? v->len : size - 1);
}

/* What Redis says of one node. */
static void
roll_heard(struct rollcall *r, const struct redis_value *v, uint64_t now)
{
	struct redis_value	 f[8];
	struct roll		*n;
	char			 beat[24];

	for (size_t i = 0; i < nitems(f); i++) {
		f[i] = redis_at(v, i);
		if (f[i].kind != REDIS_STRING)
			return;
	}
	if ((n = roll_get(r, slice_of(f[0].str, f[0].len))) == NULL)
		return;
	n->heard = 1;
	roll_text(beat, sizeof(beat), &f[1]);
	if (beat[0] == '\0' || strcmp(beat, n->beat) == 0)
		return;			/* it says nothing new */
	strcpy(n->beat, beat);
	n->since = now;
	if (n->dead)
		log_info("node=%s lives again", n->plain);
	n->dead = 0;
	n->nshards = roll_read(n->shards, slice_of(f[2].str, f[2].len));
	roll_buried(r, n, slice_of(f[7].str, f[7].len));
	n->connections = strtoull(f[3].str, NULL, 10);
	n->groups = strtoull(f[4].str, NULL, 10);
	roll_text(n->address, sizeof(n->address), &f[5]);
	roll_text(n->version, sizeof(n->version), &f[6]);
}

/* A node has not beaten for too long. */
static void
roll_judge(struct rollcall *r, struct roll *n)
{
	n->dead = 1;
	n->left = !n->heard;
	if (!n->left)
		log_warn("node=%s is dead: no beat for %d s", n->plain,
		    ROLLCALL_DEAD_MS / 1000);
	else
		log_info("node=%s has left", n->plain);
	r->ops->dead(n->plain, NULL, r->arg);
	r->ops->node_dead(n->plain, r->arg);
}

/* Redis has said who beats. */
static void
rollcall_cb(const struct redis_value *v, int err, void *arg)
{
	struct rollcall		*r = arg;
	struct redis_value	 one;
	struct map_node		*e, *next;
	struct roll		*n;
	uint64_t		 now = clock_ms(), silence;

	if (err == ECANCELED)
		return;
	r->asking = 0;
	if (err != 0 || v->kind != REDIS_ARRAY || v->n == 0 || r->leaving)
		return;
	silence = now - r->answered;
	r->answered = now;
	for (e = map_first(&r->rolls); e != NULL; e = map_next(&r->rolls, e)) {
		n = container_of(e, struct roll, by_name);
		n->heard = 0;
		if (silence > ROLLCALL_SILENCE_MS)
			n->since = now;
	}
	for (size_t i = 1; i < v->n; i++) {
		one = redis_at(v, i);
		if (one.kind == REDIS_ARRAY)
			roll_heard(r, &one, now);
	}
	one = redis_at(v, 0);
	if (one.kind == REDIS_INTEGER && one.integer == 0)
		r->ops->missing(r->arg);
	for (e = map_first(&r->rolls); e != NULL; e = next) {
		next = map_next(&r->rolls, e);
		n = container_of(e, struct roll, by_name);
		if (!n->ours && !n->dead && now - n->since >= ROLLCALL_DEAD_MS)
			roll_judge(r, n);
		else if (n->dead && !n->heard &&
		    now - n->since >= ROLLCALL_FORGET_MS)
			roll_free(r, n);
	}
}

/* Shards, as the others read them; 0 behind them. */
static void
rollcall_list(struct buf *b, const struct rollcall_shard *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addf(b, "%s%" PRIu32 "#%016" PRIx64, i == 0 ? "" : " ",
		    s[i].slot, s[i].incarnation);
	buf_add(b, "", 1);
}

void
rollcall_buried(struct rollcall *r, struct slice address)
{
	struct rollcall_shard	*s = &r->buried[r->nburied %
				    ROLLCALL_BURIED];
	size_t			 len;

	if (keys_address_parse(address, &len, &s->slot, &s->incarnation) == 0)
		r->nburied++;
}

void
rollcall_tick(struct rollcall *r)
{
	const char	*argv[10 + 16];
	struct rollcall_shard s[SLOTS_MAX];
	struct buf	 living = { 0 }, buried = { 0 };
	struct map_node	*e;
	struct roll	*n;
	size_t		 conns, groups;
	char		 c[24], g[24];
	int		 argc = 0;

	if (r->asking || r->leaving || !redis_up(r->redis))
		return;
	rollcall_list(&living, s, r->ops->shards(s, nitems(s), r->arg));
	rollcall_list(&buried, r->buried, r->nburied < ROLLCALL_BURIED ?
	    r->nburied : ROLLCALL_BURIED);
	r->ops->load(&conns, &groups, r->arg);
	snprintf(c, sizeof(c), "%zu", conns);
	snprintf(g, sizeof(g), "%zu", groups);
	argv[argc++] = "EVAL";
	argv[argc++] = rollcall_script;
	argv[argc++] = "2";
	argv[argc++] = r->nodes_key;
	argv[argc++] = r->node_key;
	argv[argc++] = r->us;
	argv[argc++] = r->node_prefix;
	argv[argc++] = living.data;
	argv[argc++] = buried.data;
	argv[argc++] = c;
	argv[argc++] = g;
	for (e = map_first(&r->rolls); e != NULL &&
	    argc < (int)nitems(argv); e = map_next(&r->rolls, e)) {
		n = container_of(e, struct roll, by_name);
		if (n->dead && clock_ms() - n->since >= ROLLCALL_FORGET_MS / 2)
			argv[argc++] = n->name;
	}
	if (!living.failed && !buried.failed && redis_command(r->redis, ROLLCALL_COMMAND_MS,
	    rollcall_cb, r, argc, argv, NULL) == 0)
		r->asking = 1;
	buf_clear(&living);
	buf_clear(&buried);
}

void
rollcall_leave(struct rollcall *r)
{
	r->leaving = 1;
	redis_do(r->redis, ROLLCALL_COMMAND_MS, NULL, NULL, "EVAL",
	    rollcall_leave_script, "2", r->nodes_key, r->lost_key, r->us, NULL);
}

int
rollcall_is_dead(const struct rollcall *r, struct slice address)
{
	struct map_node	*e;
	struct roll	*n;
	uint64_t	 incarnation;
	uint32_t	 slot;
	size_t		 len;

	if (keys_address_parse(address, &len, &slot, &incarnation) == -1)
		return (0);
	for (e = map_first(&r->rolls); e != NULL; e = map_next(&r->rolls, e)) {
		n = container_of(e, struct roll, by_name);
		/* Once: what beats there afterwards has only lost its gateway. */
		if (n->dead && clock_ms() - n->since < ROLLCALL_SWEEP_MS &&
		    slice_is(slice_of(address.data, len), n->plain))
			return (1);
	}
	return (0);
}

/* A node as people see it; we ourselves as of now, for Redis has what we last said. */
static struct rollcall_node
roll_view(const struct rollcall *r, const struct roll *n)
{
	struct rollcall_shard	 s[SLOTS_MAX];
	struct rollcall_node	 view = {
		.name = n->plain, .address = n->address,
		.version = n->version, .connections = n->connections,
		.groups = n->groups, .shards = n->nshards,
		.age_ms = clock_ms() - n->since, .dead = n->dead,
		.ours = n->ours, .left = n->dead && n->left,
	};
	size_t			 connections, groups;

	if (!n->ours)
		return (view);
	r->ops->load(&connections, &groups, r->arg);
	view.connections = connections;
	view.groups = groups;
	view.shards = r->ops->shards(s, nitems(s), r->arg);
	return (view);
}

void
rollcall_each(const struct rollcall *r,
    void (*cb)(const struct rollcall_node *n, void *arg), void *arg)
{
	struct rollcall_node	 view;
	struct map_node		*e;

	for (e = map_first(&r->rolls); e != NULL; e = map_next(&r->rolls, e)) {
		view = roll_view(r, container_of(e, struct roll, by_name));
		cb(&view, arg);
	}
}

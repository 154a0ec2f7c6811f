/* The entries of dead shards on their way out of Redis. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/list.h"
#include "common/log.h"
#include "common/redis.h"
#include "gatewayd/sweep.h"
#include "proto/keys.h"
#include "proto/limits.h"

#define SWEEP_STEP		500	/* keys */
#define SWEEP_STEP_TEXT		"500"
#define SWEEP_COMMAND_MS	2000
#define SWEEP_LOG_MS		"60000"	/* who was lost is told so long */
#define SWEEP_ARGS		7	/* before keys */

/*
 * KEYS: the set of a dead shard's keys, the log of who was lost.  ARGV: the shard's
 * address, whether to tell, then keys of uids: out of each, and out of the set.  A uid
 * that has no other entry has ended with it.
 */
static const char	 sweep_script[] =
	"local us, lost = ARGV[1], {}\n"
	"for i = 3, #ARGV do\n"
	"  if redis.pcall('HDEL', ARGV[i], us) == 1 and\n"
	"      redis.call('EXISTS', ARGV[i]) == 0 then\n"
	"    lost[#lost + 1] = 'uid'\n"
	"    lost[#lost + 1] = ARGV[i]\n"
	"  end\n"
	"end\n"
	"redis.call('SREM', KEYS[1], unpack(ARGV, 3))\n"
	"if ARGV[2] == '1' and #lost > 0 then\n"
	"  redis.call('XADD', KEYS[2], 'MAXLEN', '~', 1000, '*', 'of', us,\n"
	"      unpack(lost))\n"
	"  redis.call('PEXPIRE', KEYS[2], " SWEEP_LOG_MS ")\n"
	"end\n"
	"return #lost\n";

struct sweep {			/* one dead shard's */
	struct list	 at;
	struct sweeps	*all;
	char		 address[ADDRESS_MAX];
	char		 cursor[REDIS_CURSOR];
};

struct sweeps {
	struct redis	*redis;
	const char	*prefix;
	char		*log;		/* of who was lost */
	int		 tell;
	void		(*done)(void *);
	void		*arg;
	struct list	 list;
	int		 running;	/* the first of list */
	int		 ended;		/* what calls back has no effect */
};

static void	 sweep_groups(struct sweep *);
static void	 sweep_groups_cb(const struct redis_value *, int, void *);
static void	 sweep_clients(struct sweep *);
static void	 sweep_clients_cb(const struct redis_value *, int, void *);
static void	 sweep_removed_cb(const struct redis_value *, int, void *);
static void	 sweep_delete(struct sweep *);
static void	 sweep_deleted_cb(const struct redis_value *, int, void *);
static void	 sweep_fail(struct sweep *);

struct sweeps *
sweeps_new(struct redis *redis, const char *prefix, int tell,
    void (*done)(void *), void *arg)
{
	struct sweeps	*ss;

	if ((ss = calloc(1, sizeof(*ss))) == NULL)
		return (NULL);
	ss->redis = redis;
	ss->prefix = prefix;
	ss->tell = tell;
	if ((ss->log = keys_lost(prefix)) == NULL) {
		free(ss);
		errno = ENOMEM;
		return (NULL);
	}
	ss->done = done;
	ss->arg = arg;
	list_init(&ss->list);
	return (ss);
}

void
sweeps_end(struct sweeps *ss)
{
	if (ss != NULL)
		ss->ended = 1;
}

void
sweeps_free(struct sweeps *ss)
{
	struct list	*e, *tmp;

	if (ss == NULL)
		return;
	list_each(e, tmp, &ss->list)
		free(list_entry(e, struct sweep, at));
	free(ss->log);
	free(ss);
}

int
sweeps_add(struct sweeps *ss, const char *address)
{
	struct list	*e, *tmp;
	struct sweep	*s;

	list_each(e, tmp, &ss->list)
		if (strcmp(list_entry(e, struct sweep, at)->address,
		    address) == 0)
			return (0);
	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (-1);
	s->all = ss;
	snprintf(s->address, sizeof(s->address), "%s", address);
	list_push(&ss->list, &s->at);
	return (0);
}

int
sweeps_next(struct sweeps *ss)
{
	struct sweep	*s;

	if (ss->running || !redis_up(ss->redis))
		return (1);
	if (list_empty(&ss->list))
		return (0);
	s = list_entry(ss->list.next, struct sweep, at);
	snprintf(s->cursor, sizeof(s->cursor), "0");
	ss->running = 1;
	sweep_groups(s);
	return (1);
}

void
sweeps_hush(struct sweeps *ss)
{
	ss->tell = 0;
}

int
sweeps_busy(const struct sweeps *ss)
{
	return (!list_empty(&ss->list));
}

/* ---- one ---- */

/*
 * The groups first: until they are through, what the dead shard had still on
 * its way to Redis has arrived there, and its client entries are complete.
 */
static void
sweep_groups(struct sweep *s)
{
	char	 pattern[128];

	snprintf(pattern, sizeof(pattern), "%sgroup:*",
	    s->all->prefix);
	if (redis_do(s->all->redis, SWEEP_COMMAND_MS, sweep_groups_cb, s,
	    "SCAN", s->cursor, "MATCH", pattern, "COUNT", SWEEP_STEP_TEXT,
	    NULL) == -1)
		sweep_fail(s);
}

/* A step: out of the sets of some groups. */
static void
sweep_groups_cb(const struct redis_value *v, int err, void *arg)
{
	struct sweep		*s = arg;
	struct redis_value	 keys, key;

	if (s->all->ended)
		return;
	if (err != 0 || redis_cursor(s->cursor, v) == -1) {
		sweep_fail(s);
		return;
	}
	keys = redis_at(v, 1);
	for (size_t i = 0; i < keys.n; i++) {
		key = redis_at(&keys, i);
		/* A key of ours has no NUL. */
		if (key.kind == REDIS_STRING && redis_do(s->all->redis,
		    SWEEP_COMMAND_MS, NULL, NULL, "SREM", key.str,
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

/* Some of those who were with the shard. */
static void
sweep_clients(struct sweep *s)
{
	char	*set = keys_shard_clients(s->all->prefix,
	    s->address);

	if (set == NULL || redis_do(s->all->redis, SWEEP_COMMAND_MS,
	    sweep_clients_cb, s, "SRANDMEMBER", set, SWEEP_STEP_TEXT,
	    NULL) == -1)
		sweep_fail(s);
	free(set);
}

/* A step: out of each client's hash, then out of the set that names them. */
static void
sweep_clients_cb(const struct redis_value *v, int err, void *arg)
{
	struct sweep		*s = arg;
	const char		*argv[SWEEP_ARGS + SWEEP_STEP];
	size_t			 lens[SWEEP_ARGS + SWEEP_STEP];
	struct redis_value	 key;
	char			*set;
	int			 rc = -1, n = 0;

	if (s->all->ended)
		return;
	if (err != 0 || (v->kind != REDIS_ARRAY && v->kind != REDIS_ERROR)) {
		sweep_fail(s);
		return;
	}
	if (v->kind == REDIS_ERROR || v->n == 0) {	/* not a set: not ours */
		sweep_delete(s);
		return;
	}
	set = keys_shard_clients(s->all->prefix, s->address);
	argv[n++] = "EVAL";
	argv[n++] = sweep_script;
	argv[n++] = "2";
	argv[n++] = set;
	argv[n++] = s->all->log;
	argv[n++] = s->address;
	argv[n++] = s->all->tell ? "1" : "0";
	for (int i = 0; set != NULL && i < n; i++)
		lens[i] = strlen(argv[i]);
	for (size_t i = 0; i < v->n && i < SWEEP_STEP; i++) {
		key = redis_at(v, i);
		if (key.kind != REDIS_STRING)
			continue;
		argv[n] = key.str;
		lens[n++] = key.len;
	}
	if (set != NULL)
		rc = redis_command(s->all->redis, SWEEP_COMMAND_MS,
		    sweep_removed_cb, s, n, argv, lens);
	free(set);
	if (rc == -1)
		sweep_fail(s);
}

/* That step is done: the next. */
static void
sweep_removed_cb(const struct redis_value *v, int err, void *arg)
{
	struct sweep	*s = arg;

	if (s->all->ended)
		return;
	if (err != 0 || v->kind != REDIS_INTEGER)
		sweep_fail(s);
	else
		sweep_clients(s);
}

/* All who were lost have been named.  0, or -1 with errno. */
static int
sweep_tell_end(struct sweep *s)
{
	struct sweeps	*ss = s->all;

	if (!ss->tell)
		return (0);
	if (redis_do(ss->redis, SWEEP_COMMAND_MS, NULL, NULL, "XADD", ss->log,
	    "MAXLEN", "~", "1000", "*", "of", s->address, NULL) == -1)
		return (-1);
	return (redis_do(ss->redis, SWEEP_COMMAND_MS, NULL, NULL, "PEXPIRE",
	    ss->log, SWEEP_LOG_MS, NULL));
}

/* The shard's own keys, at last. */
static void
sweep_delete(struct sweep *s)
{
	const char	*prefix = s->all->prefix;
	char		*set = keys_shard_clients(prefix, s->address);
	char		*hash = keys_shard(prefix, s->address);
	char		*list = keys_shards(prefix);

	if (set == NULL || hash == NULL || list == NULL ||
	    sweep_tell_end(s) == -1 ||
	    redis_do(s->all->redis, SWEEP_COMMAND_MS, NULL, NULL, "SREM",
	    list, s->address, NULL) == -1 || redis_do(s->all->redis,
	    SWEEP_COMMAND_MS, sweep_deleted_cb, s, "DEL", hash, set,
	    NULL) == -1)
		sweep_fail(s);
	free(list);
	free(set);
	free(hash);
}

/* All of a dead shard is out. */
static void
sweep_deleted_cb(const struct redis_value *v, int err, void *arg)
{
	struct sweep	*s = arg;
	struct sweeps	*ss = s->all;

	if (ss->ended)
		return;
	/* Refused: so was, maybe, what was asked for before it. */
	if (err != 0 || v->kind == REDIS_ERROR) {
		sweep_fail(s);
		return;
	}
	log_info("registry address=%s swept", s->address);
	list_remove(&s->at);
	free(s);
	ss->running = 0;
	ss->done(ss->arg);
}

/* From the start again, at the next tick or when Redis is back. */
static void
sweep_fail(struct sweep *s)
{
	s->all->running = 0;
}

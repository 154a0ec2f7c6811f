/* Having a node's name, by a script that looks and writes in one go. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/log.h"
#include "common/redis.h"
#include "gatewayd/claim.h"
#include "gatewayd/paths.h"
#include "gatewayd/settings.h"
#include "proto/keys.h"

#define CLAIM_MS	2000		/* deadline of a command */
#define CLAIM_TTL_TEXT	"30000"
#define CLAIM_TOKEN	32		/* hex digits */

/*
 * KEYS: node.  ARGV: token, id, ms to live, "first" or "again", then fields and
 * values.  2: it was ours; 1: nobody's; or who has the name: gateway, pid, host.
 * A successor of the same token takes the name at its first beat; whoever had it
 * before finds out.
 */
static const char	 claim_take[] =
	"local k = KEYS[1]\n"
	"local t = redis.call('HGET', k, 'token')\n"
	"local i = redis.call('HGET', k, 'id')\n"
	"if t and t ~= ARGV[1] or\n"
	"    i and i ~= ARGV[2] and ARGV[4] ~= 'first' then\n"
	"  local h = redis.call('HMGET', k, 'gateway', 'pid', 'host')\n"
	"  return {h[1] or '?', h[2] or '?', h[3] or '?'}\n"
	"end\n"
	"redis.call('HSET', k, 'token', ARGV[1], 'id', ARGV[2],\n"
	"    unpack(ARGV, 5))\n"
	"redis.call('PEXPIRE', k, ARGV[3])\n"
	"return t and 2 or 1\n";
/* KEYS: node.  ARGV: token, id. */
static const char	 claim_give[] =
	"local h = redis.call('HMGET', KEYS[1], 'token', 'id')\n"
	"if h[1] == ARGV[1] and h[2] == ARGV[2] then\n"
	"  return redis.call('DEL', KEYS[1])\n"
	"end\n"
	"return 0\n";

struct claim {
	struct redis	*redis;
	const struct settings *settings;
	const char	*token, *id;
	char		*key;
	char		 started[24], host[65], holder[512];
	enum claim_state state;
	int		 ever;		/* had the name */
	int		 heir;		/* of one of our token, without a gap */
	int		 complained;	/* that it cannot be asked for */
	const struct claim_ops *ops;
	void		*arg;
	void		(*done)(void *arg);	/* released */
	void		*done_arg;
};

/* ---- the token ---- */

/* What is in the file, if that is a token: 0 or -1. */
static int
claim_token_read(const char *path, char token[CLAIM_TOKEN + 1])
{
	ssize_t	 n = -1;
	int	 fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) != -1) {
		n = read(fd, token, CLAIM_TOKEN);
		close(fd);
	}
	token[CLAIM_TOKEN] = '\0';
	return (n == CLAIM_TOKEN && strspn(token, "0123456789abcdef") ==
	    CLAIM_TOKEN ? 0 : -1);
}

/* A new one, which is there whole or not at all: 0, or -1 with errno. */
static int
claim_token_write(const char *path, char token[CLAIM_TOKEN + 1])
{
	uint64_t	 random[2] = { bytes_random64(), bytes_random64() };
	char		*new = NULL;
	int		 fd = -1, rc = -1, keep;

	bytes_hex(token, random, sizeof(random));
	if (asprintf(&new, "%s.new", path) == -1)
		return (-1);
	(void)unlink(new);
	fd = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
	    0600);
	if (fd != -1 && write(fd, token, CLAIM_TOKEN) == CLAIM_TOKEN &&
	    fsync(fd) == 0 && rename(new, path) == 0)
		rc = 0;
	keep = errno;
	if (fd != -1)
		close(fd);
	free(new);
	errno = keep;
	return (rc);
}

char *
claim_token(const char *state_dir, const char *run_dir)
{
	char	 token[CLAIM_TOKEN + 1], *text = NULL;
	char	*path = paths_in(state_dir, "token");

	if (path != NULL && (claim_token_read(path, token) == 0 ||
	    claim_token_write(path, token) == 0) &&
	    asprintf(&text, "%s:%s", token, run_dir) == -1)
		text = NULL;
	free(path);
	return (text);
}

/* ---- the claim ---- */

struct claim *
claim_new(struct redis *redis, const struct settings *settings,
    const char *token, const char *id, unsigned long long started,
    const struct claim_ops *ops, void *arg)
{
	struct claim	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (NULL);
	c->key = keys_node(settings->redis_prefix, settings->node);
	if (c->key == NULL) {
		free(c);
		errno = ENOMEM;
		return (NULL);
	}
	c->redis = redis;
	c->settings = settings;
	c->token = token;
	c->id = id;
	c->ops = ops;
	c->arg = arg;
	snprintf(c->started, sizeof(c->started), "%llu", started);
	if (gethostname(c->host, sizeof(c->host) - 1) == -1)
		strcpy(c->host, "?");
	return (c);
}

void
claim_free(struct claim *c)
{
	if (c == NULL)
		return;
	free(c->key);
	free(c);
}

enum claim_state
claim_state(const struct claim *c)
{
	return (c->state);
}

int
claim_heir(const struct claim *c)
{
	return (c->state == CLAIM_HELD && c->heir);
}

const char *
claim_holder(const struct claim *c)
{
	return (c->holder);
}

/* Who has the name, as Redis says and in printable characters. */
static void
claim_name_holder(struct claim *c, const struct redis_value *v)
{
	struct redis_value	 part;
	char			 text[3][128];

	for (size_t i = 0; i < nitems(text); i++) {
		part = i < v->n ? redis_at(v, i) : *v;
		log_escape(text[i], sizeof(text[i]), part.kind ==
		    REDIS_STRING ? part.str : "?", part.kind == REDIS_STRING ?
		    part.len : 1);
	}
	snprintf(c->holder, sizeof(c->holder), "gatewayd pid=%s on %s, "
	    "listening on %s", text[1], text[2], text[0]);
}

static void
claim_beat_cb(const struct redis_value *v, int err, void *arg)
{
	struct claim		*c = arg;
	enum claim_state	 was = c->state;
	char			 text[128];
	int			 news = 0;

	if (err != 0)
		return;
	if (v->kind == REDIS_ARRAY) {
		claim_name_holder(c, v);
		c->state = CLAIM_TAKEN;
	} else if (v->kind == REDIS_INTEGER) {
		c->state = CLAIM_HELD;
		if (!c->ever)
			c->heir = v->integer == 2;
		c->ever = 1;
	} else if (!c->complained) {
		c->complained = news = 1;
		log_warn("node %s cannot be claimed: %s", c->settings->node,
		    log_escape(text, sizeof(text), v->kind == REDIS_ERROR ?
		    v->str : "?", v->kind == REDIS_ERROR ? v->len : 1));
	}
	if (c->state != was || news)
		c->ops->changed(c->state, c->arg);
}

void
claim_beat(struct claim *c)
{
	const struct settings	*s = c->settings;
	char			 shards[24], pid[24];

	if (c->done != NULL)
		return;
	snprintf(shards, sizeof(shards), "%u", s->shards);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	redis_do(c->redis, CLAIM_MS, claim_beat_cb, c, "EVAL", claim_take, "1",
	    c->key, c->token, c->id, CLAIM_TTL_TEXT, c->ever ? "again" :
	    "first", "version", KENNEL_VERSION, "gateway", s->inlets.n > 0 ?
	    s->inlets.list[0].text : "", "pid", pid, "host", c->host, "shards",
	    shards, "started", c->started, NULL);
}

static void
claim_released_cb(const struct redis_value *v, int err, void *arg)
{
	struct claim	*c = arg;

	(void)v;
	if (err != ECANCELED)
		c->done(c->done_arg);
}

int
claim_release(struct claim *c, void (*done)(void *arg), void *arg)
{
	c->done = done;
	c->done_arg = arg;
	return (redis_do(c->redis, CLAIM_MS, claim_released_cb, c, "EVAL",
	    claim_give, "1", c->key, c->token, c->id, NULL));
}

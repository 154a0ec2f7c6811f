/* One Redis server over hiredis' asynchronous API. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <event2/event.h>
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <hiredis/adapters/libevent.h>
#pragma GCC diagnostic pop

#include "common/backoff.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/redis.h"

#define REDIS_TICK_MS		20
#define REDIS_GREET_MS		2000	/* connect, AUTH, SELECT, PING */
#define REDIS_STALLED_MS	5000	/* and 4 deadlines: a new connection */
#define REDIS_ADDRS		8
#define REDIS_ARGS_MAX		64	/* of redis_do */

struct redis_url {
	char	*path;			/* Unix socket, or NULL */
	char	*host, *user, *password;
	int	 port, db;
};

/* A connection: one for commands, one for channels. */
struct redis_conn {
	struct redis	*redis;
	redisAsyncContext *ctx;		/* NULL: none */
	int		 up;
	uint64_t	 since;		/* clock_ms of dialling */
	struct backoff	 backoff;
	struct event	*redial;
};

struct redis_channel {
	struct list	 at;
	redis_message_cb *cb;
	void		*arg;
	char		 name[];
};

struct redis {
	struct event_base *base;
	struct redis_url url;
	char		 addrs[REDIS_ADDRS][INET6_ADDRSTRLEN];
	size_t		 naddrs, addr;
	struct redis_conn commands, channels;
	redis_state_cb	*state_cb;
	void		*arg;
	struct list	 outstanding;	/* struct redis_cmd, oldest first */
	size_t		 noutstanding, bytes;
	struct list	 subscribed;
	struct event	*tick;
	int		 freeing;
};

struct redis_cmd {
	struct list	 at;
	struct redis	*redis;
	redis_reply_cb	*cb;		/* NULL: nobody waits any more */
	void		*arg;
	uint64_t	 deadline, given_up;	/* clock_ms */
	size_t		 bytes;
};

static void	 redis_dial(struct redis_conn *c);
static void	 redis_lost(struct redis_conn *c, const char *why);

/* ---- the URL ---- */

static void
redis_url_clear(struct redis_url *u)
{
	free(u->path);
	free(u->host);
	free(u->user);
	free(u->password);
	memset(u, 0, sizeof(*u));
}

static char *
redis_unescape(const char *s, size_t len)
{
	char	*p = malloc(len + 1);

	if (p != NULL)
		p[bytes_unpercent(p, slice_of(s, len), 0)] = '\0';
	return (p);
}

static int
redis_url_number(const char *s, size_t len, uint64_t max, int *out)
{
	uint64_t	 n;

	if (slice_u64(slice_of(s, len), max, &n) == -1)
		return (-1);
	*out = (int)n;
	return (0);
}

static const char *
redis_url_unix(struct redis_url *u, const char *s)
{
	size_t	 n = strcspn(s, "?");

	if (n == 0)
		return ("unix: needs a path, unix:/run/redis/redis.sock");
	if (s[n] == '?' && (strncmp(s + n, "?db=", 4) != 0 ||
	    redis_url_number(s + n + 4, strlen(s + n + 4), 65535, &u->db) ==
	    -1))
		return ("behind the path only ?db=NUMBER may stand");
	u->path = redis_unescape(s, n);
	return (u->path == NULL ? "no memory" : NULL);
}

/* [[user]:password@]host[:port][/db] */
static const char *
redis_url_inet(struct redis_url *u, const char *s)
{
	size_t		 n = strcspn(s, "/"), host;
	const char	*at = memrchr(s, '@', n), *colon, *end = s + n;

	if (end[0] == '/' && end[1] != '\0' &&
	    redis_url_number(end + 1, strlen(end + 1), 65535, &u->db) == -1)
		return ("the database behind / must be a number");
	if (at != NULL) {
		if ((colon = memchr(s, ':', (size_t)(at - s))) == NULL)
			return ("before @ stands [user]:password");
		if (colon > s)
			u->user = redis_unescape(s, (size_t)(colon - s));
		u->password = redis_unescape(colon + 1,
		    (size_t)(at - colon - 1));
		if (u->password == NULL || (colon > s && u->user == NULL))
			return ("no memory");
		s = at + 1;
	}
	u->port = 6379;
	host = (size_t)(end - s);
	if (*s == '[') {
		colon = memchr(s, ']', host);
		if (colon == NULL)
			return ("a v6 address is written [address]");
		u->host = redis_unescape(s + 1, (size_t)(colon - s - 1));
		colon = colon[1] == ':' ? colon + 1 : NULL;
	} else {
		colon = memchr(s, ':', host);
		u->host = redis_unescape(s, colon != NULL ?
		    (size_t)(colon - s) : host);
	}
	if (u->host == NULL)
		return ("no memory");
	if (*u->host == '\0')
		return ("the host is missing");
	if (colon != NULL && (redis_url_number(colon + 1,
	    (size_t)(end - colon - 1), 65535, &u->port) == -1 || u->port == 0))
		return ("the port must be a number from 1 to 65535");
	return (NULL);
}

static const char *
redis_url_parse(struct redis_url *u, const char *url)
{
	memset(u, 0, sizeof(*u));
	if (strncmp(url, "unix://", 7) == 0)
		return (redis_url_unix(u, url + 7));
	if (strncmp(url, "unix:", 5) == 0)
		return (redis_url_unix(u, url + 5));
	if (strncmp(url, "redis://", 8) == 0)
		return (redis_url_inet(u, url + 8));
	return ("must be redis://[[user]:password@]host[:port][/db] or unix:/path");
}

int
redis_url_check(const char *url, const char **why)
{
	struct redis_url	 u;

	*why = redis_url_parse(&u, url);
	redis_url_clear(&u);
	return (*why == NULL ? 0 : -1);
}

/* Host names are looked up here and never again: it may block. */
static int
redis_resolve(struct redis *r)
{
	struct addrinfo	 hints = { .ai_socktype = SOCK_STREAM }, *res, *ai;

	if (r->url.path != NULL)
		return (0);
	if (getaddrinfo(r->url.host, NULL, &hints, &res) != 0) {
		log_warn("redis host=%s no such host", r->url.host);
		errno = EINVAL;
		return (-1);
	}
	for (ai = res; ai != NULL && r->naddrs < REDIS_ADDRS; ai = ai->ai_next)
		if (getnameinfo(ai->ai_addr, ai->ai_addrlen,
		    r->addrs[r->naddrs], INET6_ADDRSTRLEN, NULL, 0,
		    NI_NUMERICHOST) == 0)
			r->naddrs++;
	freeaddrinfo(res);
	return (r->naddrs > 0 ? 0 : -1);
}

/* ---- values ---- */

static struct redis_value
redis_value(const redisReply *raw)
{
	struct redis_value	 v = { .raw = raw, .kind = REDIS_NIL };

	switch (raw->type) {
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
	case REDIS_REPLY_ERROR:
		v.kind = raw->type == REDIS_REPLY_STRING ? REDIS_STRING :
		    raw->type == REDIS_REPLY_STATUS ? REDIS_STATUS :
		    REDIS_ERROR;
		v.str = raw->str;
		v.len = (size_t)raw->len;
		break;
	case REDIS_REPLY_INTEGER:
		v.kind = REDIS_INTEGER;
		v.integer = raw->integer;
		break;
	case REDIS_REPLY_ARRAY:
		v.kind = REDIS_ARRAY;
		v.n = raw->elements;
		break;
	default:
		break;
	}
	return (v);
}

struct redis_value
redis_at(const struct redis_value *v, size_t i)
{
	return (redis_value(v->raw->element[i]));
}

/* ---- connecting ---- */

static void
redis_redial_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	redis_dial(arg);
}

static void
redis_retry(struct redis_conn *c)
{
	uint32_t	 ms;
	struct timeval	 tv;

	if (c->redis->freeing)
		return;
	ms = backoff_next(&c->backoff);
	tv.tv_sec = ms / 1000;
	tv.tv_usec = (ms % 1000) * 1000;
	event_add(c->redial, &tv);
}

/* The context is gone or going: forget it, tell, try again later. */
static void
redis_lost(struct redis_conn *c, const char *why)
{
	struct redis	*r = c->redis;
	int		 was_up = c->up;

	c->ctx = NULL;
	c->up = 0;
	if (r->freeing)
		return;
	if (was_up)
		log_warn("redis lost why=\"%s\"", why);
	redis_retry(c);
	if (was_up && c == &r->commands && r->state_cb != NULL)
		r->state_cb(0, r->arg);
}

/* Give the context up from the loop, outside of hiredis' callbacks. */
static void
redis_drop(struct redis_conn *c, const char *why)
{
	redisAsyncContext	*ctx = c->ctx;

	if (ctx == NULL)
		return;
	ctx->data = NULL;	/* its callbacks find no connection */
	redis_lost(c, why);
	redisAsyncFree(ctx);	/* answers all outstanding with NULL */
}

static void
redis_disconnected_cb(const redisAsyncContext *ctx, int status)
{
	struct redis_conn	*c = ctx->data;

	if (c != NULL)
		redis_lost(c, status == REDIS_OK ? "closed" : ctx->errstr);
}

static void
redis_connected_cb(const redisAsyncContext *ctx, int status)
{
	struct redis_conn	*c = ctx->data;

	/* On an error hiredis frees the context itself. */
	if (status != REDIS_OK && c != NULL)
		redis_lost(c, ctx->errstr);
}

static void	 redis_channel_send(struct redis_conn *c,
		    struct redis_channel *ch);

/* The answer to PING, the last of the greeting. */
static void
redis_greeted_cb(redisAsyncContext *ctx, void *reply, void *arg)
{
	struct redis_conn	*c = ctx->data;
	const redisReply	*raw = reply;
	struct list		*e, *tmp;

	(void)arg;
	if (c == NULL || raw == NULL)
		return;
	if (raw->type == REDIS_REPLY_ERROR) {
		/* LOADING, NOAUTH and the like: once more, later. */
		log_warn("redis refuses: %s", raw->str);
		ctx->data = NULL;
		redis_lost(c, raw->str);
		redisAsyncFree(ctx);
		return;
	}
	c->up = 1;
	backoff_reset(&c->backoff);
	if (c == &c->redis->channels) {
		list_each(e, tmp, &c->redis->subscribed)
			redis_channel_send(c, list_entry(e,
			    struct redis_channel, at));
	} else if (c->redis->state_cb != NULL)
		c->redis->state_cb(1, c->redis->arg);
}

static void
redis_greet(struct redis_conn *c)
{
	const struct redis_url	*u = &c->redis->url;

	if (u->user != NULL)
		redisAsyncCommand(c->ctx, NULL, NULL, "AUTH %s %s", u->user,
		    u->password);
	else if (u->password != NULL)
		redisAsyncCommand(c->ctx, NULL, NULL, "AUTH %s", u->password);
	if (u->db != 0)
		redisAsyncCommand(c->ctx, NULL, NULL, "SELECT %d", u->db);
	redisAsyncCommand(c->ctx, redis_greeted_cb, NULL, "PING");
}

static void
redis_dial(struct redis_conn *c)
{
	struct redis		*r = c->redis;
	redisAsyncContext	*ctx;

	if (r->url.path != NULL)
		ctx = redisAsyncConnectUnix(r->url.path);
	else
		ctx = redisAsyncConnect(r->addrs[r->addr++ % r->naddrs],
		    r->url.port);
	if (ctx == NULL || ctx->err != 0 ||
	    redisLibeventAttach(ctx, r->base) != REDIS_OK) {
		log_debug("redis dial failed: %s",
		    ctx == NULL ? "no memory" : ctx->errstr);
		if (ctx != NULL)
			redisAsyncFree(ctx);
		redis_retry(c);
		return;
	}
	ctx->data = c;
	c->ctx = ctx;
	c->since = clock_ms();
	redisAsyncSetConnectCallback(ctx, redis_connected_cb);
	redisAsyncSetDisconnectCallback(ctx, redis_disconnected_cb);
	redis_greet(c);
}

/* ---- commands ---- */

static void
redis_cmd_free(struct redis_cmd *cmd)
{
	list_remove(&cmd->at);
	cmd->redis->noutstanding--;
	cmd->redis->bytes -= cmd->bytes;
	free(cmd);
}

static void
redis_cmd_end(struct redis_cmd *cmd, const struct redis_value *v, int err)
{
	redis_reply_cb	*cb = cmd->cb;

	cmd->cb = NULL;
	if (cb != NULL)
		cb(v, err, cmd->arg);
}

static void
redis_answer_cb(redisAsyncContext *ctx, void *reply, void *arg)
{
	struct redis_cmd	*cmd = arg;
	struct redis_value	 v;

	(void)ctx;
	if (reply == NULL)
		redis_cmd_end(cmd, NULL,
		    cmd->redis->freeing ? ECANCELED : ENOTCONN);
	else {
		v = redis_value(reply);
		redis_cmd_end(cmd, &v, 0);
	}
	redis_cmd_free(cmd);
}

/* Deadlines of commands, and servers that do not answer at all. */
static void
redis_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct redis		*r = arg;
	struct redis_conn	*conns[] = { &r->commands, &r->channels };
	struct redis_cmd	*cmd;
	struct list		*e, *tmp;
	uint64_t		 now = clock_ms();
	int			 stalled = 0;

	(void)fd, (void)what;
	list_each(e, tmp, &r->outstanding) {
		cmd = list_entry(e, struct redis_cmd, at);
		if (cmd->given_up <= now)
			stalled = 1;
		/* The callback may end others, but frees none. */
		if (cmd->cb != NULL && cmd->deadline <= now)
			redis_cmd_end(cmd, NULL, ETIMEDOUT);
	}
	if (stalled)
		redis_drop(&r->commands, "no answer");
	for (size_t i = 0; i < nitems(conns); i++)
		if (conns[i]->ctx != NULL && !conns[i]->up &&
		    now - conns[i]->since > REDIS_GREET_MS)
			redis_drop(conns[i], "no greeting");
}

int
redis_command(struct redis *r, unsigned deadline_ms, redis_reply_cb *cb,
    void *arg, int argc, const char *const *argv, const size_t *argvlen)
{
	struct redis_cmd	*cmd;
	size_t			 bytes = sizeof(*cmd);
	uint64_t		 now = clock_ms(), late;

	if (!r->commands.up || r->freeing) {
		errno = ENOTCONN;
		return (-1);
	}
	for (int i = 0; i < argc; i++)
		bytes += 16 + (argvlen != NULL ? argvlen[i] : strlen(argv[i]));
	if (r->noutstanding >= REDIS_MAX_OUTSTANDING ||
	    bytes > REDIS_MAX_QUEUED - r->bytes ||
	    (cmd = calloc(1, sizeof(*cmd))) == NULL) {
		errno = EAGAIN;
		return (-1);
	}
	late = 4 * (uint64_t)deadline_ms;
	cmd->redis = r;
	cmd->cb = cb;
	cmd->arg = arg;
	cmd->bytes = bytes;
	cmd->deadline = now + deadline_ms;
	cmd->given_up = now + (late > REDIS_STALLED_MS ? late :
	    REDIS_STALLED_MS);
	/* hiredis' prototype lacks a const. */
	if (redisAsyncCommandArgv(r->commands.ctx, redis_answer_cb, cmd, argc,
	    (const char **)(uintptr_t)argv, argvlen) != REDIS_OK) {
		free(cmd);
		errno = ENOTCONN;
		return (-1);
	}
	list_push(&r->outstanding, &cmd->at);
	r->noutstanding++;
	r->bytes += bytes;
	return (0);
}

int
redis_do(struct redis *r, unsigned deadline_ms, redis_reply_cb *cb,
    void *arg, ...)
{
	const char	*argv[REDIS_ARGS_MAX];
	int		 argc = 0;
	va_list		 ap;

	va_start(ap, arg);
	while (argc < REDIS_ARGS_MAX &&
	    (argv[argc] = va_arg(ap, const char *)) != NULL)
		argc++;
	va_end(ap);
	return (redis_command(r, deadline_ms, cb, arg, argc, argv, NULL));
}

/* ---- channels ---- */

static void
redis_channel_cb(redisAsyncContext *ctx, void *reply, void *arg)
{
	struct redis_conn	*c = ctx->data;
	const redisReply	*raw = reply;
	struct redis_channel	*ch;
	struct list		*e, *tmp;

	(void)arg;
	if (c == NULL || raw == NULL || raw->type != REDIS_REPLY_ARRAY ||
	    raw->elements != 3 ||
	    raw->element[0]->type != REDIS_REPLY_STRING ||
	    strcasecmp(raw->element[0]->str, "message") != 0 ||
	    raw->element[1]->type != REDIS_REPLY_STRING ||
	    raw->element[2]->type != REDIS_REPLY_STRING)
		return;
	list_each(e, tmp, &c->redis->subscribed) {
		ch = list_entry(e, struct redis_channel, at);
		if (strcmp(ch->name, raw->element[1]->str) != 0)
			continue;
		ch->cb(ch->name, strlen(ch->name), raw->element[2]->str,
		    (size_t)raw->element[2]->len, ch->arg);
		break;
	}
}

static void
redis_channel_send(struct redis_conn *c, struct redis_channel *ch)
{
	redisAsyncCommand(c->ctx, redis_channel_cb, NULL, "SUBSCRIBE %s",
	    ch->name);
}

int
redis_subscribe(struct redis *r, const char *channel, redis_message_cb *cb,
    void *arg)
{
	struct redis_channel	*ch;

	if ((ch = malloc(sizeof(*ch) + strlen(channel) + 1)) == NULL)
		return (-1);
	memcpy(ch->name, channel, strlen(channel) + 1);
	ch->cb = cb;
	ch->arg = arg;
	list_push(&r->subscribed, &ch->at);
	if (r->channels.up)
		redis_channel_send(&r->channels, ch);
	else if (r->channels.ctx == NULL &&
	    !evtimer_pending(r->channels.redial, NULL))
		redis_dial(&r->channels);
	return (0);
}

int
redis_unsubscribe(struct redis *r, const char *channel)
{
	struct redis_channel	*ch;
	struct list		*e, *tmp;

	list_each(e, tmp, &r->subscribed) {
		ch = list_entry(e, struct redis_channel, at);
		if (strcmp(ch->name, channel) != 0)
			continue;
		if (r->channels.up)
			redisAsyncCommand(r->channels.ctx, NULL, NULL,
			    "UNSUBSCRIBE %s", channel);
		list_remove(&ch->at);
		free(ch);
		return (0);
	}
	errno = ENOENT;
	return (-1);
}

/* ---- life ---- */

static int
redis_conn_init(struct redis_conn *c, struct redis *r)
{
	c->redis = r;
	backoff_init(&c->backoff, 50, 2000);
	c->redial = evtimer_new(r->base, redis_redial_cb, c);
	return (c->redial == NULL ? -1 : 0);
}

struct redis *
redis_new(struct event_base *base, const char *url, redis_state_cb *state_cb,
    void *arg)
{
	struct timeval	 tv = { 0, REDIS_TICK_MS * 1000 };
	struct redis	*r;
	int		 keep = EINVAL;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->base = base;
	r->state_cb = state_cb;
	r->arg = arg;
	list_init(&r->outstanding);
	list_init(&r->subscribed);
	if (redis_url_parse(&r->url, url) != NULL || redis_resolve(r) == -1)
		goto fail;
	keep = ENOMEM;
	r->tick = event_new(base, -1, EV_PERSIST, redis_tick_cb, r);
	if (r->tick == NULL || event_add(r->tick, &tv) == -1 ||
	    redis_conn_init(&r->commands, r) == -1 ||
	    redis_conn_init(&r->channels, r) == -1)
		goto fail;
	redis_dial(&r->commands);
	return (r);
fail:
	redis_free(r);
	errno = keep;
	return (NULL);
}

void
redis_free(struct redis *r)
{
	struct redis_channel	*ch;

	if (r == NULL)
		return;
	r->freeing = 1;
	redis_drop(&r->commands, "leaving");
	redis_drop(&r->channels, "leaving");
	while (!list_empty(&r->subscribed)) {
		ch = list_entry(r->subscribed.next, struct redis_channel, at);
		list_remove(&ch->at);
		free(ch);
	}
	if (r->commands.redial != NULL)
		event_free(r->commands.redial);
	if (r->channels.redial != NULL)
		event_free(r->channels.redial);
	if (r->tick != NULL)
		event_free(r->tick);
	redis_url_clear(&r->url);
	free(r);
}

int
redis_up(const struct redis *r)
{
	return (r->commands.up);
}

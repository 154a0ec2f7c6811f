/*
 * One Redis server: two connections, one for commands and one for channels,
 * that stand and fall together.
 *
 * Of hiredis this takes the reader.  Its asynchronous API asserts what a
 * server may answer, knows no deadlines, and frees behind its callbacks; here
 * answers are matched with a list of what is owed, any callback may free all,
 * and a server that talks nonsense loses its connection.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "common/backoff.h"
#include "common/bytes.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/redis.h"
#include "common/resolve.h"
#include "common/sock.h"
#include "common/spare.h"

#define REDIS_GREET_MS		2000	/* connect, AUTH, SELECT, PING */
#define REDIS_RESOLVE_MS	5000	/* a name that takes longer is said */
#define REDIS_PROVEN_MS		2000	/* up that long: no more back-off */
#define REDIS_STALLED_MS	5000	/* and 4 deadlines: a new connection */
#define REDIS_SCAN_MS		10	/* between two looks at deadlines */
#define REDIS_REPLY_MAX		(64 << 20)	/* bytes of one reply */
#define REDIS_ADDRS		8
#define REDIS_ARGS_MAX		64	/* of redis_do */

struct redis_url {
	char	*path;			/* Unix socket, or NULL */
	char	*host, *user, *password;
	int	 port, db;
};

struct redis_conn {
	struct redis	*redis;
	int		 fd;		/* -1: none */
	int		 ready;		/* greeted */
	redisReader	*reader;
	size_t		 unfinished;	/* bytes of the reply that is coming */
	uint64_t	 heard;		/* clock_ms of the last bytes */
	struct buf	 out;
	size_t		 out_at;	/* of it, with the kernel */
	struct list	 owed;		/* struct redis_cmd, oldest first */
	struct event	*ev_read, *ev_write;
};

struct redis_cmd {
	struct list	 at;
	redis_reply_cb	*cb;		/* NULL: nobody waits, or any more */
	void		*arg;
	enum greet { GREET_NONE, GREET_AUTH, GREET_STEP, GREET_CLUSTER,
	    GREET_ROLE, GREET_LAST } greet;
	uint64_t	 since;		/* clock_ms */
	unsigned	 deadline_ms;
	size_t		 bytes;
};

struct redis_channel {
	struct map_node	 node;
	redis_message_cb *cb;
	void		*arg;
	char		 name[];
};

struct redis {
	struct event_base *base;
	struct redis_url url;
	struct resolve	*resolve;	/* before a new connection */
	struct sock_addr addrs[REDIS_ADDRS];
	size_t		 naddrs, addr;	/* the next one, modulo naddrs */
	struct redis_conn commands, channels;
	struct map	 subscribed;	/* struct redis_channel */
	redis_state_cb	*state_cb;
	void		*arg;
	int		 up;
	uint64_t	 up_since;	/* clock_ms */
	const char	*refusal;	/* it will never do */
	int		 complained;	/* since it was up, and stayed so */
	size_t		 noutstanding, bytes, max_bytes;
	struct list	 lost;		/* struct redis_cmd, to be told so */
	struct backoff	 backoff;
	struct event	*dial, *tick;
	uint64_t	 due;		/* clock_ms of tick; 0: none */
	int		 busy;		/* callbacks on the stack */
	int		 freed;		/* when no longer busy */
};

static void	 redis_dial_cb(evutil_socket_t, short, void *);
static void	 redis_read_cb(evutil_socket_t, short, void *);
static void	 redis_write_cb(evutil_socket_t, short, void *);
static void	 redis_tick_cb(evutil_socket_t, short, void *);

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
	if (n >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return ("the path is longer than 107 bytes");
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
		if (colon == NULL || (colon + 1 != end && colon[1] != ':'))
			return ("a v6 address is written [address]");
		u->host = redis_unescape(s + 1, (size_t)(colon - s - 1));
		colon = colon + 1 == end ? NULL : colon + 1;
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
	return ("must be redis://[[user]:password@]host[:port][/db] or "
	    "unix:/path");
}

int
redis_url_check(const char *url, const char **why)
{
	struct redis_url	 u;

	*why = redis_url_parse(&u, url);
	redis_url_clear(&u);
	return (*why == NULL ? 0 : -1);
}

/* The only address of a Unix socket. */
static void
redis_addr_unix(struct redis *r)
{
	struct sockaddr_un	*un = (void *)&r->addrs[0].ss;

	un->sun_family = AF_UNIX;
	strncpy(un->sun_path, r->url.path, sizeof(un->sun_path) - 1);
	r->addrs[0].len = sizeof(*un);
	r->naddrs = 1;
}

/* Those that the name has now. */
static void
redis_addrs_inet(struct redis *r, const struct addrinfo *ai)
{
	for (r->naddrs = 0; ai != NULL && r->naddrs < REDIS_ADDRS;
	    ai = ai->ai_next) {
		memcpy(&r->addrs[r->naddrs].ss, ai->ai_addr, ai->ai_addrlen);
		r->addrs[r->naddrs++].len = ai->ai_addrlen;
	}
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

int
redis_cursor(char cursor[REDIS_CURSOR], const struct redis_value *v)
{
	struct redis_value	 c;

	if (v->kind != REDIS_ARRAY || v->n != 2 ||
	    redis_at(v, 1).kind != REDIS_ARRAY)
		return (-1);
	c = redis_at(v, 0);
	if (c.kind != REDIS_STRING || c.len >= REDIS_CURSOR)
		return (-1);
	memcpy(cursor, c.str, c.len);
	cursor[c.len] = '\0';
	return (0);
}

/* ---- what is owed ---- */

static void
redis_cmd_free(struct redis *r, struct redis_cmd *cmd)
{
	list_remove(&cmd->at);
	r->noutstanding--;
	r->bytes -= cmd->bytes;
	spare_put(cmd, sizeof(*cmd));
}

/* Look at the deadlines at this time, or earlier. */
static void
redis_arm(struct redis *r, uint64_t when)
{
	uint64_t	 now = clock_ms(), ms;
	struct timeval	 tv;

	if (r->due != 0 && r->due <= when)
		return;
	r->due = when;
	ms = when > now ? when - now : 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	event_add(r->tick, &tv);
}

/* Encode a command; it is sent when the callbacks of this turn have run.
 * 0, or -1 without memory. */
static int
redis_write(struct redis_conn *c, int argc, const char *const *argv,
    const size_t *argvlen)
{
	size_t	 before = c->out.len, len;

	buf_addf(&c->out, "*%d\r\n", argc);
	for (int i = 0; i < argc; i++) {
		len = argvlen != NULL ? argvlen[i] : strlen(argv[i]);
		buf_addf(&c->out, "$%zu\r\n", len);
		buf_add(&c->out, argv[i], len);
		buf_add(&c->out, "\r\n", 2);
	}
	if (c->out.failed) {
		c->out.failed = 0;
		c->out.len = before;
		return (-1);
	}
	event_active(c->ev_write, EV_WRITE, 0);
	return (0);
}

/* The same, and an answer is owed: the command, or NULL without memory. */
static struct redis_cmd *
redis_ask(struct redis_conn *c, unsigned deadline_ms, size_t bytes, int argc,
    const char *const *argv, const size_t *argvlen)
{
	struct redis_cmd	*cmd;

	if ((cmd = spare_zero(sizeof(*cmd))) == NULL)
		return (NULL);
	if (redis_write(c, argc, argv, argvlen) == -1) {
		spare_put(cmd, sizeof(*cmd));
		return (NULL);
	}
	cmd->since = clock_ms();
	cmd->deadline_ms = deadline_ms;
	cmd->bytes = bytes;
	list_push(&c->owed, &cmd->at);
	c->redis->noutstanding++;
	c->redis->bytes += bytes;
	redis_arm(c->redis, cmd->since + deadline_ms);
	return (cmd);
}

/* Tell those on r->lost.  The list is r's, for a callback may free r. */
static void
redis_tell_lost(struct redis *r, int err)
{
	struct redis_cmd	*cmd;
	redis_reply_cb		*cb;
	void			*arg;

	while (!list_empty(&r->lost)) {
		cmd = list_entry(r->lost.next, struct redis_cmd, at);
		cb = cmd->cb;
		arg = cmd->arg;
		redis_cmd_free(r, cmd);
		if (cb != NULL)
			cb(NULL, err, arg);
	}
}

/* ---- connections ---- */

static void
redis_conn_init(struct redis_conn *c, struct redis *r)
{
	c->redis = r;
	c->fd = -1;
	list_init(&c->owed);
}

/* What it owes goes to r->lost. */
static void
redis_conn_close(struct redis_conn *c)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &c->owed) {
		list_remove(e);
		list_push(&c->redis->lost, e);
	}
	if (c->ev_read != NULL)
		event_free(c->ev_read);
	if (c->ev_write != NULL)
		event_free(c->ev_write);
	c->ev_read = c->ev_write = NULL;
	if (c->reader != NULL)
		redisReaderFree(c->reader);
	c->reader = NULL;
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	buf_clear(&c->out);
	c->out_at = 0;
	c->ready = 0;
	c->unfinished = 0;
}

/* Both connections end; why may belong to one of them.  Tells everybody, so
 * that only events call it, never what a caller called. */
static void
redis_lose(struct redis *r, const char *why)
{
	char		 text[128];
	int		 was_up = r->up;
	uint32_t	 ms;
	struct timeval	 tv;

	if (was_up && clock_ms() - r->up_since >= REDIS_PROVEN_MS) {
		r->complained = 0;
		backoff_reset(&r->backoff);
	}
	log_escape(text, sizeof(text), why, strlen(why));
	if (!r->complained)
		log_warn("redis %s why=\"%s\"", was_up ? "lost" : "away", text);
	else
		log_debug("redis away why=\"%s\"", text);
	r->complained = 1;
	r->up = 0;
	if (!was_up)
		r->addr++;
	redis_conn_close(&r->commands);
	redis_conn_close(&r->channels);
	ms = backoff_next(&r->backoff);
	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	event_add(r->dial, &tv);
	redis_tell_lost(r, ENOTCONN);
	if (was_up && !r->freed && r->state_cb != NULL)
		r->state_cb(0, r->arg);
}

/* A command of our own: an error or silence ends the connection. */
static int
redis_greet(struct redis_conn *c, enum greet step, const char *a, const char *b,
    const char *d)
{
	const char		*argv[] = { a, b, d };
	struct redis_cmd	*cmd;

	cmd = redis_ask(c, REDIS_GREET_MS, 0, b == NULL ? 1 : d == NULL ? 2 : 3,
	    argv, NULL);
	if (cmd == NULL)
		return (-1);
	cmd->greet = step;
	return (0);
}

static int
redis_channel_send(struct redis_conn *c, const char *verb,
    const struct redis_channel *ch)
{
	const char	*argv[] = { verb, ch->name };

	return (redis_write(c, 2, argv, NULL));
}

static int
redis_greet_all(struct redis_conn *c)
{
	const struct redis	*r = c->redis;
	const struct redis_url	*u = &r->url;
	struct map_node		*n;
	char			 db[16];

	if (u->user != NULL) {
		if (redis_greet(c, GREET_AUTH, "AUTH", u->user, u->password) == -1)
			return (-1);
	} else if (u->password != NULL &&
	    redis_greet(c, GREET_AUTH, "AUTH", u->password, NULL) == -1)
		return (-1);
	snprintf(db, sizeof(db), "%d", u->db);
	if (u->db != 0 && redis_greet(c, GREET_STEP, "SELECT", db, NULL) == -1)
		return (-1);
	if (c == &r->commands && (redis_greet(c, GREET_CLUSTER, "INFO",
	    "cluster", NULL) == -1 || redis_greet(c, GREET_ROLE, "ROLE", NULL,
	    NULL) == -1))
		return (-1);
	if (c == &r->channels)
		for (n = map_first(&r->subscribed); n != NULL;
		    n = map_next(&r->subscribed, n))
			if (redis_channel_send(c, "SUBSCRIBE", container_of(n,
			    struct redis_channel, node)) == -1)
				return (-1);
	/* Not before all is loaded. */
	return (redis_greet(c, GREET_LAST, "PING", NULL, NULL));
}

/* NULL, or why not, and c is to be closed. */
static const char *
redis_open(struct redis_conn *c)
{
	struct redis		*r = c->redis;
	const struct sock_addr	*a = &r->addrs[r->addr % r->naddrs];
	int			 one = 1, idle = 10, each = 5, ms = 15000;

	c->fd = socket(a->ss.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd == -1)
		return (strerror(errno));
	if (a->ss.ss_family != AF_UNIX) {
		/* Channels may be silent for days: notice a dead machine. */
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(c->fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
		setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle,
		    sizeof(idle));
		setsockopt(c->fd, IPPROTO_TCP, TCP_KEEPINTVL, &each,
		    sizeof(each));
		setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
		    sizeof(ms));
	}
	if (connect(c->fd, (const struct sockaddr *)&a->ss, a->len) == -1 &&
	    errno != EINPROGRESS)
		return (strerror(errno));
	c->heard = clock_ms();
	c->reader = redisReaderCreate();
	c->ev_read = event_new(r->base, c->fd, EV_READ | EV_PERSIST,
	    redis_read_cb, c);
	c->ev_write = event_new(r->base, c->fd, EV_WRITE, redis_write_cb, c);
	if (c->reader == NULL || c->ev_read == NULL || c->ev_write == NULL ||
	    event_add(c->ev_read, NULL) == -1 || redis_greet_all(c) == -1)
		return ("no memory");
	return (NULL);
}

/* ---- answers ---- */

static void
redis_greeted(struct redis_conn *c)
{
	struct redis	*r = c->redis;

	c->ready = 1;
	if (r->up || !r->commands.ready ||
	    (r->subscribed.count > 0 && !r->channels.ready))
		return;
	r->up = 1;
	r->up_since = clock_ms();
	r->refusal = NULL;
	log_info("redis up");
	if (r->state_cb != NULL)
		r->state_cb(1, r->arg);
}

/* What comes by itself on the channels' connection: 1, or 0 if raw answers a
 * command. */
static int
redis_pushed(struct redis_conn *c, const redisReply *raw)
{
	redisReply *const	*e = raw->element;
	struct redis_channel	*ch;
	struct map_node		*n;

	if (raw->type != REDIS_REPLY_ARRAY || raw->elements != 3 ||
	    e[0]->type != REDIS_REPLY_STRING)
		return (0);
	if (strcmp(e[0]->str, "message") != 0 ||
	    e[1]->type != REDIS_REPLY_STRING ||
	    e[2]->type != REDIS_REPLY_STRING)
		return (1);		/* SUBSCRIBE and UNSUBSCRIBE worked */
	n = map_find(&c->redis->subscribed, e[1]->str, (size_t)e[1]->len);
	if (n != NULL) {
		ch = container_of(n, struct redis_channel, node);
		ch->cb(e[1]->str, (size_t)e[1]->len, e[2]->str,
		    (size_t)e[2]->len, ch->arg);
	}
	return (1);
}

/*
 * Is it an error that says: the master is elsewhere now, or not yet here?  Older
 * servers put it behind words of their own when it comes from a script.
 */
static int
redis_no_master(const struct redis_value *v)
{
	static const char *const	 words[] = { "READONLY ", "LOADING ",
					    "MASTERDOWN " };
	const char			*p;

	for (size_t i = 0; v->kind == REDIS_ERROR && i < nitems(words); i++)
		if ((p = strstr(v->str, words[i])) != NULL && (p == v->str ||
		    p[-1] == '-'))
			return (1);
	return (0);
}

/* What a command of the greeting brought: NULL, or why it will not do.  A proxy
 * may know no ROLE or INFO, and not everybody may ask for them. */
static const char *
redis_check_greeting(struct redis *r, const struct redis_value *v,
    enum greet greet)
{
	struct redis_value	 role;

	if (v->kind == REDIS_ERROR && (greet == GREET_ROLE ||
	    greet == GREET_CLUSTER) &&
	    (strncmp(v->str, "NOPERM ", 7) == 0 ||
	    strncmp(v->str, "ERR unknown command", 19) == 0))
		return (NULL);
	if (v->kind == REDIS_ERROR)
		return (v->str);
	if (greet == GREET_CLUSTER && v->kind == REDIS_STRING &&
	    strstr(v->str, "cluster_enabled:1") != NULL) {
		r->refusal = "this is a Redis Cluster, which is not supported; "
		    "give one Redis that is not part of a cluster";
		return (r->refusal);
	}
	if (greet != GREET_ROLE || v->kind != REDIS_ARRAY || v->n == 0)
		return (NULL);
	role = redis_at(v, 0);
	if (role.kind != REDIS_STRING || strcmp(role.str, "master") == 0)
		return (NULL);
	return (strcmp(role.str, "sentinel") == 0 ? "this is a Sentinel; give "
	    "the address of the Redis that it watches" :
	    "this is a replica, not the master");
}

/* NULL, or why the connection must end. */
static const char *
redis_answer(struct redis_conn *c, const redisReply *raw)
{
	struct redis_value	 v = redis_value(raw);
	struct redis_cmd	*cmd, keep;
	const char		*why;

	if (c == &c->redis->channels && redis_pushed(c, raw))
		return (NULL);
	if (list_empty(&c->owed))
		return (v.kind == REDIS_ERROR ? v.str : "answers unasked");
	cmd = list_entry(c->owed.next, struct redis_cmd, at);
	/* Some servers repeat what they did not like: the password. */
	if (cmd->greet == GREET_AUTH && v.kind == REDIS_ERROR)
		return (strncmp(v.str, "WRONGPASS", 9) == 0 ?
		    "WRONGPASS: the user or the password is wrong" :
		    "AUTH is refused: does it want a password at all?");
	if (redis_no_master(&v))
		return (v.str);		/* who asked is told of the loss */
	keep = *cmd;
	redis_cmd_free(c->redis, cmd);
	if (keep.greet != GREET_NONE && (why = redis_check_greeting(
	    c->redis, &v, keep.greet)) != NULL)
		return (why);
	if (keep.greet == GREET_LAST)
		redis_greeted(c);
	if (keep.cb != NULL)
		keep.cb(&v, 0, keep.arg);
	return (NULL);
}

static void
redis_input(struct redis_conn *c, const char *data, size_t len)
{
	struct redis	*r = c->redis;
	const char	*why;
	void		*raw;

	c->heard = clock_ms();
	c->unfinished += len;
	if (redisReaderFeed(c->reader, data, len) != REDIS_OK) {
		redis_lose(r, c->reader->errstr);
		return;
	}
	while (c->fd != -1) {		/* a callback may have freed r */
		if (redisReaderGetReply(c->reader, &raw) != REDIS_OK) {
			redis_lose(r, c->reader->errstr);
			return;
		}
		if (raw == NULL)
			break;
		c->unfinished = 0;
		if ((why = redis_answer(c, raw)) != NULL)
			redis_lose(r, why);
		freeReplyObject(raw);
	}
	if (c->unfinished > REDIS_REPLY_MAX)
		redis_lose(r, "a reply is too large");
}

/* ---- events ---- */

/* Callbacks may call redis_free(): every event enters and leaves. */
static void
redis_enter(struct redis *r)
{
	r->busy++;
}

static void
redis_leave(struct redis *r)
{
	if (--r->busy == 0 && r->freed)
		free(r);
}

static void
redis_read_cb(evutil_socket_t fd, short what, void *arg)
{
	static char		 buf[1 << 16];
	struct redis_conn	*c = arg;
	struct redis		*r = c->redis;
	ssize_t			 n;

	(void)what;
	redis_enter(r);
	n = recv((int)fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n > 0)
		redis_input(c, buf, (size_t)n);
	else if (n == 0)
		redis_lose(r, "closed");
	else if (errno != EAGAIN && errno != EINTR)
		redis_lose(r, strerror(errno));
	redis_leave(r);
}

static void
redis_write_cb(evutil_socket_t fd, short what, void *arg)
{
	struct redis_conn	*c = arg;
	struct redis		*r = c->redis;
	ssize_t			 n;

	(void)what;
	if (c->out.len == 0)
		return;
	n = send((int)fd, c->out.data + c->out_at, c->out.len - c->out_at,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		redis_enter(r);
		redis_lose(r, strerror(errno));
		redis_leave(r);
		return;
	}
	if (n > 0)
		buf_pass(&c->out, &c->out_at, (size_t)n);
	if (c->out.len > 0)
		event_add(c->ev_write, NULL);
	else if (c->out.cap > 1 << 16)
		buf_clear(&c->out);
}

/* An event found that it does not work. */
static void
redis_away(struct redis *r, const char *why)
{
	redis_enter(r);
	redis_lose(r, why);
	redis_leave(r);
}

/* Whatever connection is missing, to the same server. */
static void
redis_connect(struct redis *r)
{
	const char	*why = NULL;

	if (r->commands.fd == -1)
		why = redis_open(&r->commands);
	if (why == NULL && r->channels.fd == -1 && r->subscribed.count > 0)
		why = redis_open(&r->channels);
	if (why != NULL)
		redis_away(r, why);
}

static void
redis_resolved_cb(const struct addrinfo *found, const char *why, void *arg)
{
	struct redis	*r = arg;
	char		 text[512];

	r->resolve = NULL;
	evtimer_del(r->dial);
	if (why != NULL) {
		snprintf(text, sizeof(text), "%s: %s", r->url.host, why);
		redis_away(r, text);
		return;
	}
	redis_addrs_inet(r, found);
	redis_connect(r);
}

/* Names are looked up for each connection: a failover may move them. */
static void
redis_dial_cb(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval	 slow = { REDIS_RESOLVE_MS / 1000, 0 };
	struct redis		*r = arg;

	(void)fd, (void)what;
	if (r->resolve != NULL) {	/* one at a time, however slow */
		if (!r->complained)
			log_warn("redis away why=\"%s: the name is still being "
			    "looked up\"", r->url.host);
		r->complained = 1;
		return;
	}
	if (r->commands.fd != -1 || r->url.host == NULL) {
		redis_connect(r);
		return;
	}
	r->resolve = resolve_new(r->base, r->url.host, r->url.port,
	    redis_resolved_cb, r);
	if (r->resolve == NULL)
		redis_away(r, strerror(errno));
	else
		evtimer_add(r->dial, &slow);
}

/*
 * Tell who has waited long enough; their answers will be discarded.  NULL, or
 * why the connection must end.  *next: look again no later.
 */
static const char *
redis_expire(struct redis_conn *c, uint64_t *next)
{
	struct redis_cmd	*cmd;
	struct list		*e, *tmp;
	redis_reply_cb		*cb;
	uint64_t		 now = clock_ms(), at;

	list_each(e, tmp, &c->owed) {
		cmd = list_entry(e, struct redis_cmd, at);
		cb = cmd->cb;
		if (cb == NULL && cmd->greet == GREET_NONE)
			continue;
		at = cmd->since + cmd->deadline_ms;
		if (at > now) {
			*next = at < *next ? at : *next;
			continue;
		}
		if (cmd->greet != GREET_NONE)
			return ("no greeting");
		cmd->cb = NULL;
		cb(NULL, ETIMEDOUT, cmd->arg);
		if (c->fd == -1)	/* the callback freed r */
			return (NULL);
	}
	if (list_empty(&c->owed))
		return (NULL);
	/* Does the server answer anything at all? */
	cmd = list_entry(c->owed.next, struct redis_cmd, at);
	at = 4 * (uint64_t)cmd->deadline_ms;
	if (at < REDIS_STALLED_MS)
		at = REDIS_STALLED_MS;
	at += cmd->since > c->heard ? cmd->since : c->heard;
	if (at <= now)
		return ("stalled");
	*next = at < *next ? at : *next;
	return (NULL);
}

static void
redis_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct redis	*r = arg;
	const char	*why;
	uint64_t	 next = UINT64_MAX, soonest;

	(void)fd, (void)what;
	r->due = 0;
	redis_enter(r);
	if ((why = redis_expire(&r->commands, &next)) == NULL)
		why = redis_expire(&r->channels, &next);
	if (why != NULL)
		redis_lose(r, why);
	else if (next != UINT64_MAX && !r->freed) {
		soonest = clock_ms() + REDIS_SCAN_MS;
		redis_arm(r, next > soonest ? next : soonest);
	}
	redis_leave(r);
}

/* ---- commands ---- */

int
redis_command(struct redis *r, unsigned deadline_ms, redis_reply_cb *cb,
    void *arg, int argc, const char *const *argv, const size_t *argvlen)
{
	struct redis_cmd	*cmd;
	size_t			 bytes = sizeof(*cmd);

	if (!r->up) {
		errno = ENOTCONN;
		return (-1);
	}
	for (int i = 0; i < argc; i++)
		bytes += 16 + (argvlen != NULL ? argvlen[i] : strlen(argv[i]));
	if (r->noutstanding >= REDIS_MAX_OUTSTANDING ||
	    bytes > r->max_bytes - r->bytes ||
	    (cmd = redis_ask(&r->commands, deadline_ms, bytes, argc, argv,
	    argvlen)) == NULL) {
		errno = EAGAIN;
		return (-1);
	}
	cmd->cb = cb;
	cmd->arg = arg;
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

int
redis_subscribe(struct redis *r, const char *channel, redis_message_cb *cb,
    void *arg)
{
	struct redis_channel	*ch;
	size_t			 len = strlen(channel);

	if (map_find(&r->subscribed, channel, len) != NULL) {
		errno = EEXIST;
		return (-1);
	}
	if ((ch = malloc(sizeof(*ch) + len + 1)) == NULL)
		return (-1);
	memcpy(ch->name, channel, len + 1);
	ch->cb = cb;
	ch->arg = arg;
	if (map_insert(&r->subscribed, &ch->node, ch->name, len) == -1)
		goto fail;
	if (r->channels.fd != -1 &&
	    redis_channel_send(&r->channels, "SUBSCRIBE", ch) == -1) {
		map_remove(&r->subscribed, &ch->node);
		goto fail;
	}
	if (r->channels.fd == -1 && r->commands.fd != -1)
		event_active(r->dial, EV_TIMEOUT, 0);
	return (0);
fail:
	free(ch);
	errno = ENOMEM;
	return (-1);
}

int
redis_unsubscribe(struct redis *r, const char *channel)
{
	struct redis_channel	*ch;
	struct map_node		*n;

	n = map_find(&r->subscribed, channel, strlen(channel));
	if (n == NULL) {
		errno = ENOENT;
		return (-1);
	}
	ch = container_of(n, struct redis_channel, node);
	/* Without memory its messages go on coming, and find nobody. */
	if (r->channels.fd != -1)
		(void)redis_channel_send(&r->channels, "UNSUBSCRIBE", ch);
	map_remove(&r->subscribed, n);
	free(ch);
	return (0);
}

/* ---- life ---- */

struct redis *
redis_new(struct event_base *base, const char *url, redis_state_cb *state_cb,
    void *arg)
{
	struct redis	*r;
	int		 keep = EINVAL;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->base = base;
	r->state_cb = state_cb;
	r->arg = arg;
	redis_conn_init(&r->commands, r);
	redis_conn_init(&r->channels, r);
	list_init(&r->lost);
	r->max_bytes = REDIS_MAX_QUEUED;
	backoff_init(&r->backoff, 50, 2000);
	if (redis_url_parse(&r->url, url) != NULL)
		goto fail;
	if (r->url.path != NULL)
		redis_addr_unix(r);
	keep = ENOMEM;
	r->tick = evtimer_new(base, redis_tick_cb, r);
	r->dial = evtimer_new(base, redis_dial_cb, r);
	if (r->tick == NULL || r->dial == NULL)
		goto fail;
	event_active(r->dial, EV_TIMEOUT, 0);
	return (r);
fail:
	redis_free(r);
	errno = keep;
	return (NULL);
}

void
redis_free(struct redis *r)
{
	struct map_node	*n, *next;

	if (r == NULL || r->freed)
		return;
	redis_enter(r);
	r->freed = 1;
	r->up = 0;
	redis_conn_close(&r->commands);
	redis_conn_close(&r->channels);
	resolve_cancel(r->resolve);
	redis_tell_lost(r, ECANCELED);
	for (n = map_first(&r->subscribed); n != NULL; n = next) {
		next = map_next(&r->subscribed, n);
		free(container_of(n, struct redis_channel, node));
	}
	map_clear(&r->subscribed);
	if (r->tick != NULL)
		event_free(r->tick);
	if (r->dial != NULL)
		event_free(r->dial);
	redis_url_clear(&r->url);
	redis_leave(r);
}

void
redis_set_bound(struct redis *r, size_t bytes)
{
	r->max_bytes = bytes;
}

int
redis_up(const struct redis *r)
{
	return (r->up);
}

int
redis_failed(const struct redis *r)
{
	return (!r->up && r->complained);
}

const char *
redis_refusal(const struct redis *r)
{
	return (r->refusal);
}

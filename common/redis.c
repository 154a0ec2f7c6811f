/*
 * One Redis server: two connections, one for commands and one for channels, that stand and
 * fall together.  Answers are matched with a list of what is owed, any callback may free
 * all, and a server that talks nonsense loses its connection.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/redis.h"
#include "common/redis_conn.h"
#include "common/redis_doubt.h"
#include "common/redis_greeting.h"
#include "common/redis_login.h"
#include "common/redis_where.h"
#include "common/spare.h"

#define REDIS_GREET_MS		2000	/* connect, AUTH, SELECT, PING */
#define REDIS_RESOLVE_MS	5000	/* a name that takes longer is said */
#define REDIS_PROVEN_MS		2000	/* up that long: no more back-off */
#define REDIS_STALLED_MS	5000	/* and 4 deadlines: a new connection */
#define REDIS_SCAN_MS		10	/* between two looks at deadlines */

/* One of the two connections, and what its server owes. */
struct redis_side {
	struct redis_conn conn;		/* stands first */
	struct redis	*redis;
	int		 ready;		/* greeted */
	struct list	 owed;		/* struct redis_cmd, oldest first */
};

struct redis_cmd {
	struct list	 at;
	redis_reply_cb	*cb;		/* NULL: nobody waits, or any more */
	void		*arg;
	enum redis_greet greet;
	uint64_t	 since;		/* clock_ms */
	uint64_t	 began;		/* the same, clock_ns */
	unsigned	 deadline_ms;
	int		 late;		/* its deadline has passed */
	size_t		 bytes;
};

struct redis {
	struct event_base *base;
	const char	*role;		/* borrowed */
	struct redis_url url;
	struct redis_where *where;
	struct redis_doubt doubt;	/* that it is the master */
	struct redis_side commands, channels;
	struct redis_channels subscribed;
	redis_state_cb	*state_cb;
	void		*arg;
	int		 up;
	uint64_t	 up_since;	/* clock_ms */
	const char	*refusal;	/* why what answers will never do */
	int		 complained;	/* since it was up, and stayed so */
	int		 explained;	/* likewise: it answers, and refuses us */
	size_t		 noutstanding, bytes, max_bytes;
	struct list	 lost;		/* struct redis_cmd, to be told so */
	struct backoff	 backoff;
	struct event	*dial, *tick;
	uint64_t	 due;		/* clock_ms of tick; 0: none */
	int		 busy;		/* callbacks on the stack */
	int		 freed;		/* when no longer busy */
	struct redis_counts *counts, uncounted;
};

static void	 redis_dial_cb(evutil_socket_t, short, void *);
static void	 redis_tick_cb(evutil_socket_t, short, void *);
static void	 redis_side_enter(struct redis_conn *);
static void	 redis_side_leave(struct redis_conn *);
static void	 redis_side_lost(struct redis_conn *, const char *);
static const char *redis_side_reply(struct redis_conn *, const redisReply *);

static struct redis_side *
redis_side_of(struct redis_conn *conn)
{
	return ((struct redis_side *)conn);	/* where it stands first */
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
	tv = (struct timeval){ (time_t)(ms / 1000),
	    (suseconds_t)(ms % 1000 * 1000) };
	event_add(r->tick, &tv);
}

/* The same, and an answer is owed: the command, or NULL without memory. */
static struct redis_cmd *
redis_ask(struct redis_side *c, unsigned deadline_ms, size_t bytes, int argc,
    const char *const *argv, const size_t *argvlen)
{
	struct redis_cmd	*cmd;

	if ((cmd = spare_zero(sizeof(*cmd))) == NULL)
		return (NULL);
	if (redis_conn_write(&c->conn, argc, argv, argvlen) == -1) {
		spare_put(cmd, sizeof(*cmd));
		return (NULL);
	}
	cmd->began = clock_ns();
	cmd->since = cmd->began / 1000000;
	cmd->deadline_ms = deadline_ms;
	cmd->bytes = bytes;
	list_push(&c->owed, &cmd->at);
	c->redis->noutstanding++;
	c->redis->bytes += bytes;
	redis_arm(c->redis, cmd->since + deadline_ms);
	return (cmd);
}

/* Tell the askers of the commands on r->lost.  The list is r's, for a callback may
 * free r. */
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
		if (cmd->greet == GREET_NONE && !cmd->late && err == ENOTCONN)
			r->counts->lost++;
		redis_cmd_free(r, cmd);
		if (cb != NULL)
			cb(NULL, err, arg);
	}
}

/* ---- connections ---- */

/* A side without a connection. */
static void
redis_side_init(struct redis_side *c, struct redis *r)
{
	static const struct redis_conn_ops	 ops = {
		.enter = redis_side_enter, .leave = redis_side_leave,
		.reply = redis_side_reply, .lost = redis_side_lost,
	};

	redis_conn_init(&c->conn, &ops);
	c->redis = r;
	list_init(&c->owed);
}

/* What the server owes goes to r->lost. */
static void
redis_side_close(struct redis_side *c)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &c->owed) {
		list_remove(e);
		list_push(&c->redis->lost, e);
	}
	redis_conn_close(&c->conn);
	c->ready = 0;
}

/* Both connections end; why may belong to one of them.  All askers are
 * told, so that only events call this, never a function that a caller called. */
static void
redis_lose(struct redis *r, const char *why)
{
	char		 text[512];
	int		 was_up = r->up;
	uint32_t	 ms;
	struct timeval	 tv;

	if (was_up && clock_ms() - r->up_since >= REDIS_PROVEN_MS) {
		r->complained = r->explained = 0;
		backoff_reset(&r->backoff);
	}
	log_escape(text, sizeof(text), why, strlen(why));
	if (!r->complained)
		log_warn("redis %s why=\"%s\" for=%s", was_up ? "lost" : "away",
		    text, r->role);
	else
		log_debug("redis away why=\"%s\" for=%s", text, r->role);
	r->complained = 1;
	r->up = 0;
	if (!was_up)
		redis_where_next(r->where);
	redis_doubt_settle(&r->doubt);
	redis_side_close(&r->commands);
	redis_side_close(&r->channels);
	ms = backoff_next(&r->backoff);
	tv = (struct timeval){ ms / 1000, ms % 1000 * 1000 };
	event_add(r->dial, &tv);
	redis_tell_lost(r, ENOTCONN);
	if (was_up && !r->freed && r->state_cb != NULL)
		r->state_cb(0, r->arg);
}

/* A command of our own: an error or silence ends the connection. */
static int
redis_greet(struct redis_side *c, enum redis_greet step, int argc,
    const char *const *argv)
{
	struct redis_cmd	*cmd = redis_ask(c, REDIS_GREET_MS, 0, argc,
				    argv, NULL);

	if (cmd != NULL)
		cmd->greet = step;
	return (cmd == NULL ? -1 : 0);
}

/* One of two words, or of one (b is NULL). */
static int
redis_greet_words(struct redis_side *c, enum redis_greet step, const char *a,
    const char *b)
{
	const char	*argv[] = { a, b };

	return (redis_greet(c, step, b == NULL ? 1 : 2, argv));
}

/* Who we are, if the server wants to know: NULL, or why not. */
static const char *
redis_greet_login(struct redis_side *c)
{
	struct redis_login	 login;
	const char		*why = NULL;

	if (redis_login_read(&login, &c->redis->url, c->conn.why,
	    sizeof(c->conn.why)) == -1)
		why = c->conn.why;
	else if (login.argc > 0 && redis_greet(c, GREET_AUTH, login.argc,
	    login.argv) == -1)
		why = "no memory";
	redis_login_clear(&login);
	return (why);
}

static int
redis_greet_all(struct redis_side *c)
{
	struct redis	*r = c->redis;
	char		 db[16];

	snprintf(db, sizeof(db), "%d", r->url.db);
	if (r->url.db != 0 && redis_greet_words(c, GREET_STEP, "SELECT", db) ==
	    -1)
		return (-1);
	if (c == &r->commands && (redis_greet_words(c, GREET_CLUSTER, "INFO",
	    "cluster") == -1 || redis_greet_words(c, GREET_ROLE, "ROLE",
	    NULL) == -1))
		return (-1);
	if (c == &r->channels &&
	    redis_channels_greet(&r->subscribed, &c->conn) == -1)
		return (-1);
	/* Not before all is loaded. */
	return (redis_greet_words(c, GREET_LAST, "PING", NULL));
}

/* Connect and greet: NULL, or why not. */
static const char *
redis_side_open(struct redis_side *c)
{
	struct redis	*r = c->redis;
	const char	*why = redis_conn_open(&c->conn, r->base,
			    redis_where_addr(r->where), &r->url,
			    redis_where_host(r->where));

	if (why == NULL)
		why = redis_greet_login(c);
	if (why == NULL && redis_greet_all(c) == -1)
		why = "no memory";
	return (why);
}

/* ---- answers ---- */

static void
redis_greeted(struct redis_side *c)
{
	struct redis	*r = c->redis;

	c->ready = 1;
	if (r->up || !r->commands.ready ||
	    (r->subscribed.map.count > 0 && !r->channels.ready))
		return;
	r->up = 1;
	r->up_since = clock_ms();
	r->refusal = NULL;
	log_info("redis up for=%s", r->role);
	if (redis_where_unsure(r->where))
		redis_doubt_raise(&r->doubt);
	if (r->state_cb != NULL)
		r->state_cb(1, r->arg);
}

/* cmd was answered with v. */
static void
redis_counted(const struct redis_side *c, const struct redis_cmd *cmd,
    const struct redis_value *v)
{
	struct redis_counts	*n = c->redis->counts;

	if (cmd->greet != GREET_NONE || cmd->late)
		return;
	n->errors += v->kind == REDIS_ERROR;
	n->ok += v->kind != REDIS_ERROR;
	histogram_add(n->seconds, c->conn.heard_ns - cmd->began);
}

/* A reply: NULL, or why the connection must end. */
static const char *
redis_side_reply(struct redis_conn *conn, const redisReply *raw)
{
	struct redis_side	*c = redis_side_of(conn);
	struct redis_value	 v = redis_value(raw);
	struct redis_cmd	*cmd, keep;
	const char		*why;
	int			 hopeless;

	if (c == &c->redis->channels && redis_channels_pushed(&c->redis->subscribed, raw))
		return (NULL);
	if (list_empty(&c->owed))
		return (v.kind == REDIS_ERROR ? v.str : "answers unasked");
	cmd = list_entry(c->owed.next, struct redis_cmd, at);
	if (cmd->greet != GREET_AUTH && redis_no_master(&v))
		return (v.str);		/* the asker is told of the loss */
	if (redis_no_replicas(&v))
		redis_doubt_raise(&c->redis->doubt);	/* reading goes on */
	keep = *cmd;
	redis_cmd_free(c->redis, cmd);
	redis_counted(c, &keep, &v);
	if (keep.greet != GREET_NONE && (why = redis_greeting_check(keep.greet,
	    &v, &hopeless)) != NULL) {
		if (hopeless)
			c->redis->refusal = why;
		/* Somebody has to mend that: it is said, also of one that was
		 * lost for another reason.  A replica becomes master by itself. */
		if (keep.greet != GREET_ROLE && !c->redis->explained) {
			c->redis->explained = 1;
			c->redis->complained = 0;
		}
		return (why);
	}
	if (keep.greet == GREET_LAST)
		redis_greeted(c);
	if (keep.cb != NULL)
		keep.cb(&v, 0, keep.arg);
	return (NULL);
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
redis_side_enter(struct redis_conn *conn)
{
	redis_enter(redis_side_of(conn)->redis);
}

static void
redis_side_leave(struct redis_conn *conn)
{
	redis_leave(redis_side_of(conn)->redis);
}

static void
redis_side_lost(struct redis_conn *conn, const char *why)
{
	redis_lose(redis_side_of(conn)->redis, why);
}

/* An event found that the server does not work. */
static void
redis_away(struct redis *r, const char *why)
{
	redis_enter(r);
	redis_lose(r, why);
	redis_leave(r);
}

/* redis_doubt: another one is the master. */
static void
redis_moved_cb(void *arg)
{
	struct redis	*r = arg;

	if (r->up)
		redis_away(r, "Sentinels name another master");
}

/* Whatever connection is missing, to the same server. */
static void
redis_connect(struct redis *r)
{
	const char	*why = NULL;

	if (r->commands.conn.fd == -1)
		why = redis_side_open(&r->commands);
	if (why == NULL && r->channels.conn.fd == -1 && r->subscribed.map.count > 0)
		why = redis_side_open(&r->channels);
	if (why != NULL)
		redis_away(r, why);
}

/* It is known where the server is, or that nobody knows. */
static void
redis_found_cb(const char *why, void *arg)
{
	struct redis	*r = arg;

	evtimer_del(r->dial);
	if (why != NULL)
		redis_away(r, why);
	else
		redis_connect(r);
}

/* Where the server is, is asked for each connection: a failover may move it. */
static void
redis_dial_cb(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval	 slow = { REDIS_RESOLVE_MS / 1000, 0 };
	struct redis		*r = arg;
	const char		*busy = redis_where_busy(r->where);

	(void)fd, (void)what;
	if (busy != NULL) {		/* one at a time, however slow */
		if (!r->complained)
			log_warn("redis away why=\"%s\" for=%s", busy, r->role);
		r->complained = 1;
		return;
	}
	if (r->commands.conn.fd != -1) {
		redis_connect(r);
		return;
	}
	if (redis_where_ask(r->where) == -1)
		redis_away(r, strerror(errno));
	else if (redis_where_busy(r->where) != NULL)
		evtimer_add(r->dial, &slow);
}

/*
 * Tell askers that have waited long enough; their answers will be discarded.  NULL, or
 * why the connection must end.  *next: look again no later.
 */
static const char *
redis_expire(struct redis_side *c, uint64_t *next)
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
			return (redis_conn_shaking(&c->conn) ? "TLS has not "
			    "come about in time; does the server speak it "
			    "here?" : "no greeting");
		cmd->cb = NULL;
		cmd->late = 1;
		c->redis->counts->timeouts++;
		cb(NULL, ETIMEDOUT, cmd->arg);
		if (c->conn.fd == -1)	/* the callback freed r */
			return (NULL);
	}
	if (list_empty(&c->owed))
		return (NULL);
	/* Does the server answer anything at all? */
	cmd = list_entry(c->owed.next, struct redis_cmd, at);
	at = 4 * (uint64_t)cmd->deadline_ms;
	if (at < REDIS_STALLED_MS)
		at = REDIS_STALLED_MS;
	at += cmd->since > c->conn.heard ? cmd->since : c->conn.heard;
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

/* ---- channels ---- */

int
redis_subscribe(struct redis *r, const char *channel, redis_message_cb *cb,
    void *arg)
{
	if (redis_channels_add(&r->subscribed, &r->channels.conn, channel, cb,
	    arg) == -1)
		return (-1);
	if (r->channels.conn.fd == -1 && r->commands.conn.fd != -1)
		event_active(r->dial, EV_TIMEOUT, 0);
	return (0);
}

int
redis_unsubscribe(struct redis *r, const char *channel)
{
	return (redis_channels_remove(&r->subscribed, &r->channels.conn, channel));
}

/* ---- life ---- */

struct redis *
redis_new(struct event_base *base, const char *url, const char *role,
    redis_state_cb *state_cb, void *arg)
{
	struct redis	*r;
	int		 keep = EINVAL;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->base = base;
	r->role = role;
	r->state_cb = state_cb;
	r->arg = arg;
	redis_side_init(&r->commands, r);
	redis_side_init(&r->channels, r);
	list_init(&r->lost);
	r->max_bytes = REDIS_MAX_QUEUED;
	r->counts = &r->uncounted;
	backoff_init(&r->backoff, 50, 2000);
	if (redis_url_parse(&r->url, url) != NULL)
		goto fail;
	keep = ENOMEM;
	if ((r->where = redis_where_new(base, &r->url, redis_found_cb, r)) ==
	    NULL || redis_doubt_init(&r->doubt, base, &r->url, r->where,
	    redis_moved_cb, r) == -1)
		goto fail;
	if ((r->tick = evtimer_new(base, redis_tick_cb, r)) == NULL ||
	    (r->dial = evtimer_new(base, redis_dial_cb, r)) == NULL)
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
	if (r == NULL || r->freed)
		return;
	redis_enter(r);
	r->freed = 1;
	r->up = 0;
	redis_side_close(&r->commands);
	redis_side_close(&r->channels);
	redis_doubt_clear(&r->doubt);
	redis_where_free(r->where);
	r->where = NULL;
	redis_tell_lost(r, ECANCELED);
	redis_channels_clear(&r->subscribed);
	if (r->tick != NULL)
		event_free(r->tick);
	if (r->dial != NULL)
		event_free(r->dial);
	redis_url_clear(&r->url);
	redis_leave(r);
}

void
redis_flush(struct redis *r, unsigned ms)
{
	redis_conn_flush(&r->commands.conn, r->up ? ms : 0);
}

void
redis_set_bound(struct redis *r, size_t bytes)
{
	r->max_bytes = bytes;
}

void
redis_count(struct redis *r, struct redis_counts *counts)
{
	r->counts = counts;
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

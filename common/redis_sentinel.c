/* A question to Sentinels. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/bytes.h"
#include "common/redis_conn.h"
#include "common/redis_login.h"
#include "common/redis_sentinel.h"
#include "common/redis_url.h"
#include "common/redis_value.h"
#include "common/resolve.h"
#include "common/sock.h"

#define SENTINEL_MS	1500		/* name, connection and answer of one */
#define SENTINEL_ADDRS	4		/* of a name */

enum sentinel_state { SENTINEL_ASKED, SENTINEL_LOGIN, SENTINEL_AGAIN };

struct redis_sentinel {
	struct redis_conn conn;		/* stands first */
	struct event_base *base;
	const struct redis_url *url;
	redis_sentinel_cb *cb;
	void		*arg;
	size_t		 at, asked;	/* number; how many before it */
	struct resolve	*resolve;	/* under way, or NULL */
	struct sock_addr addrs[SENTINEL_ADDRS];
	size_t		 naddrs, addr;
	enum sentinel_state state;	/* of the conversation */
	struct event	*deadline;
	char		 why[REDIS_HOST_MAX + 320]; /* of the last that failed */
	int		 begun;
	int		 busy;		/* events on the stack */
	int		 freed;		/* when no longer busy */
};

static void	 redis_sentinel_ask_cb(evutil_socket_t, short, void *);
static void	 redis_sentinel_next(struct redis_sentinel *);

static struct redis_sentinel *
redis_sentinel_of(struct redis_conn *conn)
{
	return ((struct redis_sentinel *)conn);	/* where it stands first */
}

static void
redis_sentinel_enter(struct redis_conn *conn)
{
	redis_sentinel_of(conn)->busy++;
}

static void
redis_sentinel_leave(struct redis_conn *conn)
{
	struct redis_sentinel	*s = redis_sentinel_of(conn);

	if (--s->busy == 0 && s->freed)
		free(s);
}

/* The one that is asked. */
static const struct redis_place *
redis_sentinel_place(const struct redis_sentinel *s)
{
	return (&s->url->places[s->at]);
}

/* Remember what is wrong with the one that is asked. */
static void
redis_sentinel_failed(struct redis_sentinel *s, const char *why)
{
	snprintf(s->why, sizeof(s->why), "Sentinel %s:%d: %s",
	    redis_sentinel_place(s)->host, redis_sentinel_place(s)->port, why);
}

/* Tell who asks, who may free s. */
static void
redis_sentinel_end(struct redis_sentinel *s, const char *host, int port)
{
	redis_conn_close(&s->conn);
	evtimer_del(s->deadline);
	s->cb(host, port, host == NULL ? s->why : NULL, s->arg);
}

/* ---- a conversation ---- */

static int
redis_sentinel_write(struct redis_sentinel *s)
{
	const char	*argv[] = { "SENTINEL", "get-master-addr-by-name",
			    s->url->master };

	return (redis_conn_write(&s->conn, 3, argv, NULL));
}

/* Ask at the next address of the host, if there is one, else the next host. */
static void
redis_sentinel_connect(struct redis_sentinel *s)
{
	const char	*why;

	while (s->addr < s->naddrs) {
		s->state = SENTINEL_ASKED;
		why = redis_conn_open(&s->conn, s->base, &s->addrs[s->addr++],
		    s->url, redis_sentinel_place(s)->host);
		if (why == NULL && redis_sentinel_write(s) == 0)
			return;
		redis_sentinel_failed(s, why == NULL ? "no memory" : why);
		redis_conn_close(&s->conn);
	}
	redis_sentinel_next(s);
}

static void
redis_sentinel_lost(struct redis_conn *conn, const char *why)
{
	struct redis_sentinel	*s = redis_sentinel_of(conn);

	redis_sentinel_failed(s, why);
	redis_conn_close(conn);
	redis_sentinel_connect(s);
}

/* It wants to know who asks: NULL, or why it is not told. */
static const char *
redis_sentinel_login(struct redis_sentinel *s)
{
	struct redis_login	 login;
	const char		*why = NULL;

	if (redis_login_read(&login, s->url, s->conn.why,
	    sizeof(s->conn.why)) == -1)
		why = s->conn.why;
	else if (login.argc == 0)
		why = "wants a password";
	else if (redis_conn_write(&s->conn, login.argc, login.argv, NULL) == -1)
		why = "no memory";
	redis_login_clear(&login);
	s->state = SENTINEL_LOGIN;
	return (why);
}

/* An answer: NULL, or why the conversation must end. */
static const char *
redis_sentinel_reply(struct redis_conn *conn, const struct redisReply *raw)
{
	struct redis_sentinel	*s = redis_sentinel_of(conn);
	struct redis_value	 v = redis_value(raw), host, number;
	char			 name[REDIS_HOST_MAX + 1];
	uint64_t		 port;

	if (s->state == SENTINEL_LOGIN) {
		/* Its error may repeat the password. */
		if (v.kind == REDIS_ERROR)
			return ("refuses the user or the password for Redis");
		s->state = SENTINEL_AGAIN;
		return (redis_sentinel_write(s) == -1 ? "no memory" : NULL);
	}
	if (v.kind == REDIS_ERROR && s->state == SENTINEL_ASKED &&
	    strncmp(v.str, "NOAUTH", 6) == 0)
		return (redis_sentinel_login(s));
	if (v.kind == REDIS_ERROR)
		return (v.str);
	if (v.kind == REDIS_NIL)
		return ("knows no master of that name");
	if (v.kind != REDIS_ARRAY || v.n != 2)
		return ("answers nonsense");
	host = redis_at(&v, 0);
	number = redis_at(&v, 1);
	if (host.kind != REDIS_STRING || host.len == 0 ||
	    host.len > REDIS_HOST_MAX || memchr(host.str, 0, host.len) != NULL ||
	    number.kind != REDIS_STRING || slice_u64(slice_of(number.str,
	    number.len), 65535, &port) == -1 || port == 0)
		return ("answers with no address");
	memcpy(name, host.str, host.len);
	name[host.len] = '\0';
	redis_sentinel_end(s, name, (int)port);
	return (NULL);
}

/* ---- one after the other ---- */

static void
redis_sentinel_resolved_cb(const struct addrinfo *ai, const char *why,
    void *arg)
{
	struct redis_sentinel	*s = arg;

	redis_sentinel_enter(&s->conn);
	s->resolve = NULL;
	s->addr = 0;
	for (s->naddrs = 0; ai != NULL && s->naddrs < SENTINEL_ADDRS;
	    ai = ai->ai_next) {
		memcpy(&s->addrs[s->naddrs].ss, ai->ai_addr, ai->ai_addrlen);
		s->addrs[s->naddrs++].len = ai->ai_addrlen;
	}
	if (why != NULL)
		redis_sentinel_failed(s, why);
	redis_sentinel_connect(s);
	redis_sentinel_leave(&s->conn);
}

/* Begin with the one whose turn it is. */
static void
redis_sentinel_ask(struct redis_sentinel *s)
{
	const struct timeval	 tv = { SENTINEL_MS / 1000,
				    SENTINEL_MS % 1000 * 1000 };

	evtimer_add(s->deadline, &tv);
	s->resolve = resolve_new(s->base, redis_sentinel_place(s)->host,
	    redis_sentinel_place(s)->port, redis_sentinel_resolved_cb, s);
	if (s->resolve == NULL) {
		redis_sentinel_failed(s, strerror(errno));
		redis_sentinel_next(s);
	}
}

/* The one that was asked is of no use. */
static void
redis_sentinel_next(struct redis_sentinel *s)
{
	if (++s->asked == s->url->nplaces) {
		redis_sentinel_end(s, NULL, 0);
		return;
	}
	s->at = (s->at + 1) % s->url->nplaces;
	redis_sentinel_ask(s);
}

/* The first is to be asked, or one has not answered in time. */
static void
redis_sentinel_ask_cb(evutil_socket_t fd, short what, void *arg)
{
	struct redis_sentinel	*s = arg;

	(void)fd, (void)what;
	redis_sentinel_enter(&s->conn);
	if (!s->begun) {
		s->begun = 1;
		redis_sentinel_ask(s);
	} else {
		redis_sentinel_failed(s, s->conn.fd == -1 ? "the name is still "
		    "being looked up" : "does not answer");
		resolve_cancel(s->resolve);
		s->resolve = NULL;
		redis_conn_close(&s->conn);
		redis_sentinel_next(s);
	}
	redis_sentinel_leave(&s->conn);
}

/* ---- life ---- */

struct redis_sentinel *
redis_sentinel_new(struct event_base *base, const struct redis_url *url,
    size_t first, redis_sentinel_cb *cb, void *arg)
{
	static const struct redis_conn_ops	 ops = {
		.enter = redis_sentinel_enter, .leave = redis_sentinel_leave,
		.reply = redis_sentinel_reply, .lost = redis_sentinel_lost,
	};
	struct redis_sentinel			*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	redis_conn_init(&s->conn, &ops);
	s->base = base;
	s->url = url;
	s->cb = cb;
	s->arg = arg;
	s->at = first % url->nplaces;
	if ((s->deadline = evtimer_new(base, redis_sentinel_ask_cb, s)) ==
	    NULL) {
		free(s);
		errno = ENOMEM;
		return (NULL);
	}
	/* From the loop, for its callback may come from there only. */
	event_active(s->deadline, EV_TIMEOUT, 0);
	return (s);
}

void
redis_sentinel_free(struct redis_sentinel *s)
{
	if (s == NULL || s->freed)
		return;
	redis_sentinel_enter(&s->conn);
	s->freed = 1;
	resolve_cancel(s->resolve);
	redis_conn_close(&s->conn);
	event_free(s->deadline);
	redis_sentinel_leave(&s->conn);
}

size_t
redis_sentinel_asked(const struct redis_sentinel *s)
{
	return (s->at);
}

/* A question to one Sentinel. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/bytes.h"
#include "common/redis_conn.h"
#include "common/redis_login.h"
#include "common/redis_url.h"
#include "common/redis_value.h"
#include "common/redis_voice.h"
#include "common/resolve.h"
#include "common/sock.h"

#define VOICE_MS	1500		/* name, connection and answers */
#define VOICE_ADDRS	4		/* of a name */

/* What is being waited for.  The epoch is asked first: if the master changes in between,
 * a new one counts for less than it is, and not a former one for more. */
enum voice_state {
	VOICE_EPOCH, VOICE_LOGIN, VOICE_EPOCH_AGAIN, VOICE_ADDRESS, VOICE_QUORUM
};

static const char *const voice_words[] = {
	[VOICE_EPOCH] = "MASTER", [VOICE_EPOCH_AGAIN] = "MASTER",
	[VOICE_ADDRESS] = "get-master-addr-by-name", [VOICE_QUORUM] = "CKQUORUM",
};

struct redis_voice {
	struct redis_conn conn;		/* stands first */
	struct event_base *base;
	const struct redis_url *url;
	const struct redis_place *place;
	redis_voice_cb	*cb;
	void		*arg;
	struct resolve	*resolve;	/* under way, or NULL */
	struct sock_addr addrs[VOICE_ADDRS];
	size_t		 naddrs, addr;
	enum voice_state state;		/* of the conversation */
	struct redis_named named;
	struct event	*deadline;
	char		 why[REDIS_HOST_MAX + 320]; /* of the last that failed */
	int		 begun;
	int		 busy;		/* events on the stack */
	int		 freed;		/* when no longer busy */
};

static void	 redis_voice_time_cb(evutil_socket_t, short, void *);

static struct redis_voice *
redis_voice_of(struct redis_conn *conn)
{
	return ((struct redis_voice *)conn);	/* where it stands first */
}

static void
redis_voice_enter(struct redis_conn *conn)
{
	redis_voice_of(conn)->busy++;
}

static void
redis_voice_leave(struct redis_conn *conn)
{
	struct redis_voice	*v = redis_voice_of(conn);

	if (--v->busy == 0 && v->freed)
		free(v);
}

/* Remember what is wrong with it. */
static void
redis_voice_failed(struct redis_voice *v, const char *why)
{
	snprintf(v->why, sizeof(v->why), "Sentinel %s:%d: %s",
	    v->place->host, v->place->port, why);
}

/* Tell who asks, who may free v. */
static void
redis_voice_end(struct redis_voice *v, int named)
{
	redis_conn_close(&v->conn);
	evtimer_del(v->deadline);
	v->cb(named ? &v->named : NULL, named ? NULL : v->why, v->arg);
}

/* ---- the conversation ---- */

/* One of the questions.  0, or -1 without memory. */
static int
redis_voice_write(struct redis_voice *v, enum voice_state state)
{
	const char	*argv[] = { "SENTINEL", voice_words[state],
			    v->url->master };

	v->state = state;
	return (redis_conn_write(&v->conn, 3, argv, NULL));
}

/* Ask at the next address of the host, if there is one. */
static void
redis_voice_connect(struct redis_voice *v)
{
	const char	*why;

	while (v->addr < v->naddrs) {
		why = redis_conn_open(&v->conn, v->base, &v->addrs[v->addr++],
		    v->url, v->place->host);
		if (why == NULL && redis_voice_write(v, VOICE_EPOCH) == 0)
			return;
		redis_voice_failed(v, why == NULL ? "no memory" : why);
		redis_conn_close(&v->conn);
	}
	redis_voice_end(v, 0);
}

static void
redis_voice_lost(struct redis_conn *conn, const char *why)
{
	struct redis_voice	*v = redis_voice_of(conn);

	redis_voice_failed(v, why);
	redis_conn_close(conn);
	redis_voice_connect(v);
}

/* It wants to know who asks: NULL, or why it is not told. */
static const char *
redis_voice_login(struct redis_voice *v)
{
	struct redis_login	 login;
	const char		*why = NULL;

	if (redis_login_read(&login, v->url, v->conn.why,
	    sizeof(v->conn.why)) == -1)
		why = v->conn.why;
	else if (login.argc == 0)
		why = "wants a password";
	else if (redis_conn_write(&v->conn, login.argc, login.argv, NULL) == -1)
		why = "no memory";
	redis_login_clear(&login);
	v->state = VOICE_LOGIN;
	return (why);
}

/* One name and its value, of what it knows of the master.  0, or -1: that is no number. */
static int
redis_voice_fact(struct redis_voice *v, const struct redis_value *name,
    const struct redis_value *value)
{
	struct slice	 is, number;

	if (name->kind != REDIS_STRING || value->kind != REDIS_STRING)
		return (0);
	is = slice_of(name->str, name->len);
	number = slice_of(value->str, value->len);
	if (slice_is(is, "num-other-sentinels") && slice_u64(number,
	    UINT32_MAX, &v->named.sentinels) == 0)
		v->named.sentinels++;
	return (slice_is(is, "config-epoch") ? slice_u64(number, UINT64_MAX,
	    &v->named.epoch) : 0);
}

/* What it knows of the master, as names and values; an error, if only the address may be
 * asked.  NULL, or why the conversation must end. */
static const char *
redis_voice_epoch(struct redis_voice *v, const struct redis_value *all)
{
	struct redis_value	 name, value;

	v->named.epoch = v->named.sentinels = 0;
	if (all->kind == REDIS_ERROR && strncmp(all->str, "NOPERM", 6) != 0)
		return (strstr(all->str, "No such master") != NULL ?
		    "knows no master of that name" : all->str);
	if (all->kind != REDIS_ERROR &&
	    (all->kind != REDIS_ARRAY || all->n % 2 != 0))
		return ("answers nonsense");
	for (size_t i = 0; all->kind == REDIS_ARRAY && i + 1 < all->n; i += 2) {
		name = redis_at(all, i);
		value = redis_at(all, i + 1);
		if (redis_voice_fact(v, &name, &value) == -1)
			return ("answers with no epoch");
	}
	return (redis_voice_write(v, VOICE_ADDRESS) == -1 ? "no memory" : NULL);
}

/* The master's address came: NULL, or why it is none. */
static const char *
redis_voice_address(struct redis_voice *v, const struct redis_value *pair)
{
	struct redis_value	 host, number;
	uint64_t		 port;

	if (pair->kind == REDIS_ERROR)
		return (pair->str);
	if (pair->kind == REDIS_NIL)
		return ("knows no master of that name");
	if (pair->kind != REDIS_ARRAY || pair->n != 2)
		return ("answers nonsense");
	host = redis_at(pair, 0);
	number = redis_at(pair, 1);
	if (host.kind != REDIS_STRING || host.len == 0 ||
	    host.len > REDIS_HOST_MAX || memchr(host.str, 0, host.len) != NULL ||
	    number.kind != REDIS_STRING || slice_u64(slice_of(number.str,
	    number.len), 65535, &port) == -1 || port == 0)
		return ("answers with no address");
	memcpy(v->named.host, host.str, host.len);
	v->named.host[host.len] = '\0';
	v->named.port = (int)port;
	return (redis_voice_write(v, VOICE_QUORUM) == -1 ? "no memory" : NULL);
}

/* Whether it sees most of the others; any other error is of one that may not be asked. */
static void
redis_voice_quorum(struct redis_voice *v, const struct redis_value *said)
{
	v->named.quorum = 0;
	if (said->kind == REDIS_STATUS)
		v->named.quorum = 1;
	else if (said->kind == REDIS_ERROR &&
	    strncmp(said->str, "NOQUORUM", 8) == 0)
		v->named.quorum = -1;
	redis_voice_end(v, 1);
}

/* An answer: NULL, or why the conversation must end. */
static const char *
redis_voice_reply(struct redis_conn *conn, const struct redisReply *raw)
{
	struct redis_voice	*v = redis_voice_of(conn);
	struct redis_value	 value = redis_value(raw);

	switch (v->state) {
	case VOICE_LOGIN:
		/* Its error may repeat the password. */
		if (value.kind == REDIS_ERROR)
			return ("refuses the user or the password for Redis");
		return (redis_voice_write(v, VOICE_EPOCH_AGAIN) == -1 ?
		    "no memory" : NULL);
	case VOICE_EPOCH:
		if (value.kind == REDIS_ERROR &&
		    strncmp(value.str, "NOAUTH", 6) == 0)
			return (redis_voice_login(v));
		return (redis_voice_epoch(v, &value));
	case VOICE_EPOCH_AGAIN:
		return (redis_voice_epoch(v, &value));
	case VOICE_ADDRESS:
		return (redis_voice_address(v, &value));
	case VOICE_QUORUM:
		break;
	}
	redis_voice_quorum(v, &value);
	return (NULL);
}

/* ---- time ---- */

static void
redis_voice_resolved_cb(const struct addrinfo *ai, const char *why, void *arg)
{
	struct redis_voice	*v = arg;

	redis_voice_enter(&v->conn);
	v->resolve = NULL;
	v->addr = 0;
	for (v->naddrs = 0; ai != NULL && v->naddrs < VOICE_ADDRS;
	    ai = ai->ai_next) {
		memcpy(&v->addrs[v->naddrs].ss, ai->ai_addr, ai->ai_addrlen);
		v->addrs[v->naddrs++].len = ai->ai_addrlen;
	}
	if (why != NULL)
		redis_voice_failed(v, why);
	redis_voice_connect(v);
	redis_voice_leave(&v->conn);
}

/* Begin. */
static void
redis_voice_ask(struct redis_voice *v)
{
	const struct timeval	 tv = { VOICE_MS / 1000,
				    VOICE_MS % 1000 * 1000 };

	v->begun = 1;
	evtimer_add(v->deadline, &tv);
	v->resolve = resolve_new(v->base, v->place->host, v->place->port,
	    redis_voice_resolved_cb, v);
	if (v->resolve == NULL) {
		redis_voice_failed(v, strerror(errno));
		redis_voice_end(v, 0);
	}
}

/* It is to be asked, or has not answered in time. */
static void
redis_voice_time_cb(evutil_socket_t fd, short what, void *arg)
{
	struct redis_voice	*v = arg;

	(void)fd, (void)what;
	redis_voice_enter(&v->conn);
	if (!v->begun)
		redis_voice_ask(v);
	else {
		redis_voice_failed(v, v->conn.fd == -1 ? "the name is still "
		    "being looked up" : "does not answer");
		resolve_cancel(v->resolve);
		v->resolve = NULL;
		redis_voice_end(v, 0);
	}
	redis_voice_leave(&v->conn);
}

/* ---- life ---- */

struct redis_voice *
redis_voice_new(struct event_base *base, const struct redis_url *url,
    size_t place, redis_voice_cb *cb, void *arg)
{
	static const struct redis_conn_ops	 ops = {
		.enter = redis_voice_enter, .leave = redis_voice_leave,
		.reply = redis_voice_reply, .lost = redis_voice_lost,
	};
	struct redis_voice			*v;

	if ((v = calloc(1, sizeof(*v))) == NULL)
		return (NULL);
	redis_conn_init(&v->conn, &ops);
	v->base = base;
	v->url = url;
	v->place = &url->places[place];
	v->cb = cb;
	v->arg = arg;
	if ((v->deadline = evtimer_new(base, redis_voice_time_cb, v)) == NULL) {
		free(v);
		errno = ENOMEM;
		return (NULL);
	}
	/* From the loop, for its callback may come from there only. */
	event_active(v->deadline, EV_TIMEOUT, 0);
	return (v);
}

void
redis_voice_free(struct redis_voice *v)
{
	if (v == NULL || v->freed)
		return;
	redis_voice_enter(&v->conn);
	v->freed = 1;
	resolve_cancel(v->resolve);
	redis_conn_close(&v->conn);
	event_free(v->deadline);
	redis_voice_leave(&v->conn);
}

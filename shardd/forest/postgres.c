/* Servers that find each other by a table and notifications of a PostgreSQL. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/backoff.h"
#include "common/clock.h"
#include "common/list.h"
#include "shardd/forest/envelope.h"
#include "shardd/kennel-forest.h"
#include "shardd/kennel.h"

#define POSTGRES_NOTIFY_MAX	7900	/* bytes; from 8000 on it refuses */
#define POSTGRES_STALLED_MS	10000	/* without an answer */
#define POSTGRES_QUEUE_MAX	10000	/* questions */
#define POSTGRES_BYTES_MAX	(32 << 20)	/* of them */
#define POSTGRES_HEARD_MAX	1000	/* messages that wait for one in a table */
#define POSTGRES_ARGS		3
#define POSTGRES_OLD		"interval '120 seconds'"
#define POSTGRES_FLUSH_MS	2000
#define POSTGRES_BEAT_MS	40000	/* a third of that */
#define POSTGRES_WHY		256

struct postgres {
	const struct forest_site *site;
	forest_state_cb	*state;
	void		*arg;
	forest_message_cb *cb;
	void		*cb_arg;
	PGconn		*conn;		/* NULL: none yet */
	char		 why[POSTGRES_WHY];	/* there is none */
	struct kennel_watch *watch;
	struct kennel_timer *dial, *beat;
	struct backoff	 backoff;
	struct list	 asks;		/* struct postgres_ask, the first is asked */
	size_t		 nasks, bytes;
	uint64_t	 asked;		/* clock_ms of the first; 0: it is not */
	uint64_t	 alive;		/* when it was said that we are */
	PGresult	*answer;	/* as far as it has come, or NULL */
	struct list	 heard;		/* struct postgres_heard, in order */
	size_t		 nheard;
	int		 up, complained;
};

/* What to do with the answer; res NULL: there is none. */
struct postgres_ask;
typedef void	postgres_cb(struct postgres *p, struct postgres_ask *a,
		    PGresult *res);

struct postgres_ask {
	struct list	 at;
	postgres_cb	*done;
	forest_read_cb	*read;
	forest_pushed_cb *pushed;
	void		*arg;
	int		 nargs;		/* -1: several statements, no arguments */
	size_t		 bytes;
	char		*sql;
	char		*args[POSTGRES_ARGS];
};

struct postgres_heard {
	struct list	 at;
	char		*sender;
	char		*text;		/* NULL: it is being fetched */
	size_t		 len;
};

static void	 postgres_lose(struct postgres *, const char *);
static void	 postgres_next(struct postgres *);

/* ---- questions ---- */

/* The end of a question. */
static void
postgres_ask_free(struct postgres *p, struct postgres_ask *a)
{
	list_remove(&a->at);
	p->nasks--;
	p->bytes -= a->bytes;
	free(a->sql);
	for (int i = 0; i < POSTGRES_ARGS; i++)
		free(a->args[i]);
	free(a);
}

/* Queue a question; %s in sql is the namespace.  NULL with errno. */
static struct postgres_ask *
postgres_ask(struct postgres *p, postgres_cb *done, const char *sql, int nargs,
    const char *const *args)
{
	struct postgres_ask	*a;
	size_t			 bytes = sizeof(*a);
	int			 bad = 0;

	for (int i = 0; i < nargs; i++)
		bytes += strlen(args[i]);
	errno = EAGAIN;
	if (p->conn == NULL || p->nasks >= POSTGRES_QUEUE_MAX ||
	    bytes > POSTGRES_BYTES_MAX - p->bytes ||
	    (a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	list_push(&p->asks, &a->at);
	p->nasks++;
	p->bytes += bytes;
	a->bytes = bytes;
	a->done = done;
	a->nargs = nargs;
	if (asprintf(&a->sql, sql, p->site->ns, p->site->ns, p->site->ns,
	    p->site->ns, p->site->ns, p->site->ns) == -1)
		a->sql = NULL;
	for (int i = 0; i < nargs; i++)
		bad |= (a->args[i] = strdup(args[i])) == NULL;
	if (a->sql == NULL || bad) {
		postgres_ask_free(p, a);
		errno = ENOMEM;
		return (NULL);
	}
	return (a);
}

/* Tell who asked, and go on.  res NULL: there is no answer. */
static void
postgres_answered(struct postgres *p, struct postgres_ask *a, PGresult *res)
{
	struct postgres_ask	 keep = *a;
	int			 ok = res != NULL && PQresultStatus(res) ==
				    PGRES_TUPLES_OK;

	if (a->done != NULL)
		a->done(p, a, res);
	postgres_ask_free(p, a);
	if (keep.read != NULL)
		keep.read(ok && PQntuples(res) == 1 ? PQgetvalue(res, 0, 0) :
		    NULL, keep.arg);
	else if (keep.pushed != NULL)
		keep.pushed(ok, keep.arg);
}

/* ---- hearing ---- */

/* One that was heard ends. */
static void
postgres_heard_free(struct postgres *p, struct postgres_heard *h)
{
	list_remove(&h->at);
	p->nheard--;
	free(h->sender);
	free(h->text);
	free(h);
}

/* Hand on what is there, in order. */
static void
postgres_hand_on(struct postgres *p)
{
	struct postgres_heard	*h;

	while (!list_empty(&p->heard)) {
		h = list_entry(p->heard.next, struct postgres_heard, at);
		if (h->text == NULL)
			return;
		if (h->len > 0)
			p->cb(h->sender, h->text, h->len, p->cb_arg);
		postgres_heard_free(p, h);
	}
}

/* A message was fetched from its table, or is not there any more. */
static void
postgres_fetched_cb(struct postgres *p, struct postgres_ask *a, PGresult *res)
{
	struct postgres_heard	*h = a->arg;

	if (res != NULL && PQresultStatus(res) == PGRES_TUPLES_OK &&
	    PQntuples(res) == 1) {
		h->len = (size_t)PQgetlength(res, 0, 0);
		h->text = slice_dup(slice_of(PQgetvalue(res, 0, 0), h->len));
	}
	if (h->text == NULL) {
		h->len = 0;
		if ((h->text = strdup("")) == NULL) {
			postgres_heard_free(p, h);
			return;
		}
	}
	postgres_hand_on(p);
}

/* Somebody notifies us. */
static void
postgres_notified(struct postgres *p, const char *text)
{
	struct postgres_heard	*h;
	struct postgres_ask	*a;
	struct envelope		 e;
	char			*id;

	if (p->cb == NULL)
		return;
	if (envelope_read(&e, slice_str(text)) == -1) {
		p->cb("", text, 0, p->cb_arg);	/* is counted there */
		return;
	}
	if ((e.target.len > 0 && !slice_is(e.target, "ALL") &&
	    !slice_is(e.target, p->site->server_id)) ||
	    slice_is(e.sender, p->site->server_id))
		return;
	if (p->nheard >= POSTGRES_HEARD_MAX ||
	    (h = calloc(1, sizeof(*h))) == NULL)
		return;
	if ((h->sender = slice_dup(e.sender)) == NULL) {
		free(h);
		return;
	}
	list_push(&p->heard, &h->at);
	p->nheard++;
	if (e.id.len == 0) {
		h->text = slice_dup(e.message);
		h->len = e.message.len;
	} else if ((id = slice_dup(e.id)) != NULL) {
		if ((a = postgres_ask(p, postgres_fetched_cb, "SELECT message "
		    "FROM \"%s_messages\" WHERE id::text = $1", 1,
		    (const char *const[]){ id })) != NULL)
			a->arg = h;
		else
			h->text = strdup("");
		free(id);
	} else
		e.id.len = 0;
	if (h->text == NULL && e.id.len == 0)
		postgres_heard_free(p, h);
	postgres_hand_on(p);
}

/* ---- the connection ---- */

/* Is the address one?  What libpq says of one that is none repeats it, and with it a
 * password. */
static int
postgres_understands(const struct postgres *p)
{
	PQconninfoOption	*options = PQconninfoParse(p->site->where, NULL);

	PQconninfoFree(options);
	return (options != NULL);
}

/* In another thread, for it looks up names, and waits. */
static void
postgres_dial(void *arg)
{
	struct postgres	*p = arg;

	const char *const	 keys[] = { "dbname", "connect_timeout",
				    "application_name", NULL };
	const char *const	 values[] = { p->site->where, "4", "kennel",
				    NULL };

	p->conn = PQconnectdbParams(keys, values, 1);
	if (p->conn == NULL || PQstatus(p->conn) == CONNECTION_OK)
		return;
	snprintf(p->why, sizeof(p->why), "%s", postgres_understands(p) ?
	    PQerrorMessage(p->conn) : "libpq does not understand the address");
	PQfinish(p->conn);
	p->conn = NULL;
}

/*
 * This server lives; and what those left who live no more is removed, by whoever is first.
 * Servers that are not ours say nothing of that kind, and their entries stay.
 */
static void
postgres_say_alive(struct postgres *p)
{
	p->alive = clock_ms();
	postgres_ask(p, NULL, "INSERT INTO \"%s_servers\" (server_id) VALUES ($1) "
	    "ON CONFLICT (server_id) DO UPDATE SET updated_at = now()", 1,
	    (const char *const[]){ p->site->server_id });
	postgres_ask(p, NULL, "WITH dead AS (DELETE FROM \"%s_servers\" WHERE "
	    "updated_at < now() - " POSTGRES_OLD " RETURNING server_id) DELETE "
	    "FROM \"%s_clients\" c USING dead WHERE c.server_id = "
	    "dead.server_id", 0, NULL);
	postgres_ask(p, NULL, "DELETE FROM \"%s_facts\" WHERE updated_at < now() "
	    "- " POSTGRES_OLD, 0, NULL);
}

/* The tables are there, and we listen. */
static void
postgres_ready_cb(struct postgres *p, struct postgres_ask *a, PGresult *res)
{
	(void)a;
	if (res == NULL || PQresultStatus(res) == PGRES_FATAL_ERROR)
		return;			/* postgres_read() loses it */
	/* What this server has left when it died. */
	postgres_ask(p, NULL, "DELETE FROM \"%s_clients\" WHERE server_id = $1 "
	    "AND updated_at < now() - " POSTGRES_OLD, 1,
	    (const char *const[]){ p->site->server_id });
	postgres_say_alive(p);
	p->up = 1;
	p->complained = 0;
	backoff_reset(&p->backoff);
	p->state(1, p->arg);
}

/* Ask the first question, if none is asked; send what is left of it. */
static void
postgres_next(struct postgres *p)
{
	struct postgres_ask	*a;
	int			 left;

	if (p->conn == NULL)
		return;
	if (p->asked == 0 && !list_empty(&p->asks)) {
		a = list_entry(p->asks.next, struct postgres_ask, at);
		p->asked = clock_ms();
		if ((a->nargs == -1 ? PQsendQuery(p->conn, a->sql) :
		    PQsendQueryParams(p->conn, a->sql, a->nargs, NULL,
		    (const char *const *)a->args, NULL, NULL, 0)) != 1) {
			postgres_lose(p, PQerrorMessage(p->conn));
			return;
		}
	}
	if ((left = PQflush(p->conn)) == -1)
		postgres_lose(p, PQerrorMessage(p->conn));
	else
		kennel_watch_change(p->watch, KENNEL_READ |
		    (left == 1 ? KENNEL_WRITE : 0));
}

/* Answers that are there.  0, or -1: the connection was lost. */
static int
postgres_read(struct postgres *p)
{
	struct postgres_ask	*a;
	PGresult		*res, *last;
	PGnotify		*n;
	int			 bad;

	while (p->asked != 0 && PQisBusy(p->conn) == 0) {
		a = list_entry(p->asks.next, struct postgres_ask, at);
		if ((res = PQgetResult(p->conn)) != NULL) {
			if (PQresultStatus(res) == PGRES_FATAL_ERROR)
				kennel_log_at(KENNEL_LOG_WARN, "forest postgres "
				    "refuses why=\"%.200s\"",
				    PQresultErrorField(res,
				    PG_DIAG_MESSAGE_PRIMARY));
			/* Of several statements the first that fails counts. */
			if (p->answer != NULL && PQresultStatus(p->answer) ==
			    PGRES_FATAL_ERROR) {
				PQclear(res);
				continue;
			}
			PQclear(p->answer);
			p->answer = res;
			continue;
		}
		p->asked = 0;
		last = p->answer;
		p->answer = NULL;
		bad = last == NULL || PQresultStatus(last) == PGRES_FATAL_ERROR;
		postgres_answered(p, a, last);
		PQclear(last);
		if (bad && !p->up) {
			postgres_lose(p, "its tables cannot be used");
			return (-1);
		}
		postgres_next(p);
		if (p->conn == NULL)
			return (-1);
	}
	while (p->conn != NULL && (n = PQnotifies(p->conn)) != NULL) {
		postgres_notified(p, n->extra);
		PQfreemem(n);
	}
	return (p->conn == NULL ? -1 : 0);
}

/* The server has said something, or takes more. */
static void
postgres_ready(int fd, int events, void *arg)
{
	struct postgres	*p = arg;

	(void)fd, (void)events;
	if (PQconsumeInput(p->conn) == 0)
		postgres_lose(p, PQerrorMessage(p->conn));
	else if (postgres_read(p) == 0)
		postgres_next(p);
}

/* There is a connection, or none. */
static void
postgres_dialled(int err, void *arg)
{
	struct postgres	*p = arg;

	if (err != 0 || p->conn == NULL) {
		postgres_lose(p, err != 0 ? strerror(err) : p->why);
		return;
	}
	list_init(&p->asks);
	if (PQsetnonblocking(p->conn, 1) == -1 || (p->watch = kennel_watch(
	    PQsocket(p->conn), KENNEL_READ, postgres_ready, p)) == NULL ||
	    postgres_ask(p, postgres_ready_cb,
	    "BEGIN; SELECT pg_advisory_xact_lock(1634755949);"
	    "CREATE TABLE IF NOT EXISTS \"%s_clients\" (client_id text PRIMARY "
	    "KEY, server_id text NOT NULL, updated_at timestamptz NOT NULL "
	    "DEFAULT now());"
	    "CREATE TABLE IF NOT EXISTS \"%s_messages\" (id bigserial PRIMARY "
	    "KEY, message text NOT NULL, created_at timestamptz NOT NULL "
	    "DEFAULT now());"
	    "CREATE TABLE IF NOT EXISTS \"%s_servers\" (server_id text PRIMARY "
	    "KEY, updated_at timestamptz NOT NULL DEFAULT now());"
	    "CREATE TABLE IF NOT EXISTS \"%s_facts\" (name text PRIMARY KEY, "
	    "value text NOT NULL, updated_at timestamptz NOT NULL DEFAULT "
	    "now()); COMMIT; LISTEN \"%s_events\"", -1, NULL) == NULL) {
		postgres_lose(p, strerror(errno));
		return;
	}
	postgres_next(p);
}

/* Connect, now. */
static void
postgres_dial_cb(void *arg)
{
	struct postgres	*p = arg;

	kennel_timer_free(p->dial);
	p->dial = NULL;
	if (kennel_work(postgres_dial, postgres_dialled, p) == -1)
		postgres_lose(p, strerror(errno));
}

/* All who wait are told that there will be no answer. */
static void
postgres_drop(struct postgres *p)
{
	kennel_watch_free(p->watch);
	p->watch = NULL;
	PQclear(p->answer);
	p->answer = NULL;
	PQfinish(p->conn);
	p->conn = NULL;
	p->asked = 0;
	while (!list_empty(&p->asks))
		postgres_answered(p, list_entry(p->asks.next,
		    struct postgres_ask, at), NULL);
	while (!list_empty(&p->heard))
		postgres_heard_free(p, list_entry(p->heard.next,
		    struct postgres_heard, at));
}

/* The connection is lost, or there was none: again, later. */
static void
postgres_lose(struct postgres *p, const char *why)
{
	int	 was_up = p->up;
	size_t	 n = strcspn(why, "\r\n");

	if (!p->complained)
		kennel_log_at(KENNEL_LOG_WARN, "forest postgres away why=\"%.*s\"",
		    (int)(n > 200 ? 200 : n), why);
	p->complained = 1;
	p->up = 0;
	postgres_drop(p);
	if (was_up)
		p->state(0, p->arg);
	if (p->dial == NULL)
		p->dial = kennel_timer_new(backoff_next(&p->backoff), 0,
		    postgres_dial_cb, p);
}

/* Does the server answer, and does it know that we are there? */
static void
postgres_beat_cb(void *arg)
{
	struct postgres	*p = arg;

	if (p->conn != NULL && p->asked != 0 &&
	    clock_ms() - p->asked > POSTGRES_STALLED_MS)
		postgres_lose(p, "stalled");
	else if (p->up && clock_ms() - p->alive >= POSTGRES_BEAT_MS) {
		postgres_say_alive(p);
		postgres_next(p);
	}
}

/* ---- the adapter ---- */

/* Ask what is queued, and wait for it: among it are the last entries that go. */
static void
postgres_flush(struct postgres *p)
{
	uint64_t	 end = clock_ms() + POSTGRES_FLUSH_MS;
	struct pollfd	 pfd;

	while (p->up && !list_empty(&p->asks) && clock_ms() < end) {
		postgres_next(p);
		if (p->conn == NULL)
			return;
		pfd.fd = PQsocket(p->conn);
		pfd.events = POLLIN;
		if (poll(&pfd, 1, 100) == 1)
			postgres_ready(pfd.fd, KENNEL_READ, p);
	}
}

/* The end. */
static void
postgres_leave(void *self)
{
	struct postgres	*p = self;

	postgres_flush(p);
	kennel_timer_free(p->dial);
	kennel_timer_free(p->beat);
	postgres_drop(p);
	free(p);
}

/* Begin to connect. */
static void *
postgres_join(const struct forest_site *site, forest_state_cb *state, void *arg)
{
	struct postgres	*p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->site = site;
	p->state = state;
	p->arg = arg;
	list_init(&p->asks);
	list_init(&p->heard);
	backoff_init(&p->backoff, 50, 2000);
	if ((p->beat = kennel_timer_new(1000, 1, postgres_beat_cb, p)) == NULL ||
	    (p->dial = kennel_timer_new(1, 0, postgres_dial_cb, p)) == NULL) {
		postgres_leave(p);
		return (NULL);
	}
	return (p);
}

/* A question about a client, or a message. */
static int
postgres_do(struct postgres *p, const char *sql, int nargs,
    const char *const *args, struct postgres_ask **at)
{
	struct postgres_ask	*a;

	if (!p->up) {
		errno = ENOTCONN;
		return (-1);
	}
	if ((a = postgres_ask(p, NULL, sql, nargs, args)) == NULL)
		return (-1);
	if (at != NULL)
		*at = a;
	if (p->asked == 0 && p->watch != NULL)	/* asked at the next turn */
		kennel_watch_change(p->watch, KENNEL_READ | KENNEL_WRITE);
	return (0);
}

/* A client is this server's. */
static int
postgres_add(void *self, const char *client)
{
	struct postgres	*p = self;

	return (postgres_do(p, "INSERT INTO \"%s_clients\" (client_id, server_id, "
	    "updated_at) VALUES ($1, $2, now()) ON CONFLICT (client_id) DO UPDATE "
	    "SET server_id = EXCLUDED.server_id, updated_at = now()", 2,
	    (const char *const[]){ client, p->site->server_id }, NULL));
}

/* Whose is that client? */
static int
postgres_lookup(void *self, const char *client, forest_read_cb *cb, void *arg)
{
	struct postgres_ask	*a;

	/* One that has died has no client, whether its entries are gone or not. */
	if (postgres_do(self, "SELECT c.server_id FROM \"%s_clients\" c LEFT JOIN "
	    "\"%s_servers\" s USING (server_id) WHERE c.client_id = $1 AND "
	    "(s.updated_at IS NULL OR s.updated_at > now() - " POSTGRES_OLD ")",
	    1, (const char *const[]){ client }, &a) == -1)
		return (-1);
	a->read = cb;
	a->arg = arg;
	return (0);
}

/* A client is not that server's any more. */
static int
postgres_remove(void *self, const char *client, const char *server)
{
	return (postgres_do(self, "DELETE FROM \"%s_clients\" WHERE client_id = "
	    "$1 AND server_id = $2", 2,
	    (const char *const[]){ client, server }, NULL));
}

/* Tell the others. */
static int
postgres_tell(void *self, const char *name, const char *value, int keep)
{
	return (postgres_do(self, keep ? "INSERT INTO \"%s_facts\" AS f (name, "
	    "value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = "
	    "EXCLUDED.value, updated_at = now() WHERE f.value = EXCLUDED.value "
	    "OR f.updated_at < now() - " POSTGRES_OLD :
	    "INSERT INTO \"%s_facts\" (name, value) VALUES ($1, $2) ON CONFLICT "
	    "(name) DO UPDATE SET value = EXCLUDED.value, updated_at = now()", 2,
	    (const char *const[]){ name, value }, NULL));
}

/* What was told? */
static int
postgres_ask_fact(void *self, const char *name, forest_read_cb *cb, void *arg)
{
	struct postgres_ask	*a;

	if (postgres_do(self, "SELECT value FROM \"%s_facts\" WHERE name = $1 AND "
	    "updated_at > now() - " POSTGRES_OLD, 1,
	    (const char *const[]){ name }, &a) == -1)
		return (-1);
	a->read = cb;
	a->arg = arg;
	return (0);
}

/* Notify; what is too long for that goes into a table, and that is said. */
static int
postgres_push(void *self, const char *server, const char *msg, size_t len,
    forest_pushed_cb *cb, void *arg)
{
	struct postgres		*p = self;
	struct postgres_ask	*a;
	char			*text = NULL, *body = NULL;
	int			 big = len > POSTGRES_NOTIFY_MAX - 200, n, rv = -1;

	n = asprintf(&text, "{\"targetServerId\":\"%s\",\"senderServerId\":\"%s\","
	    "\"%s\":%.*s", server, p->site->server_id,
	    big ? "messageId" : "message", big ? 0 : (int)len, msg);
	if (n == -1 || (body = strndup(msg, len)) == NULL)
		goto out;
	rv = !big ? postgres_do(p, "SELECT pg_notify('%s_events', $1 || '}')", 1,
	    (const char *const[]){ text }, &a) :
	    postgres_do(p, "WITH old AS (DELETE FROM \"%s_messages\" WHERE "
	    "created_at < now() - interval '60 seconds'), m AS (INSERT INTO "
	    "\"%s_messages\" (message) VALUES ($2) RETURNING id) SELECT "
	    "pg_notify('%s_events', $1 || '\"' || id || '\"}') FROM m", 2,
	    (const char *const[]){ text, body }, &a);
	if (rv == 0) {
		a->pushed = cb;
		a->arg = arg;
	}
out:
	free(body);
	free(n == -1 ? NULL : text);
	return (rv);
}

/* All channels are one, and what is for others is left out. */
static int
postgres_pull(void *self, const char *server, forest_message_cb *cb, void *arg)
{
	struct postgres	*p = self;

	(void)server;
	p->cb = cb;
	p->cb_arg = arg;
	return (0);
}

const struct forest_adapter forest_postgres = {
	.name = "postgres",
	.join = postgres_join, .leave = postgres_leave,
	.lookup = { postgres_add, postgres_lookup, postgres_remove },
	.channels = { postgres_push, postgres_pull },
	.facts = { postgres_tell, postgres_ask_fact },
};

/* The admin listener. */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/sock.h"
#include "gatewayd/admin.h"
#include "gatewayd/colleague.h"
#include "gatewayd/heritage.h"
#include "gatewayd/metrics.h"
#include "gatewayd/ready.h"
#include "gatewayd/settings.h"
#include "gatewayd/status.h"
#include "proto/http_head.h"
#include "proto/http_reply.h"

#define ADMIN_MAX	16		/* at a time; others are refused */
#define ADMIN_BACKLOG	64
#define ADMIN_MS	10000		/* from accepting to the answer's last byte */
#define ADMIN_SETTLE_MS	2000		/* that others wait for those who ask */
#define ADMIN_LINGER_MS	1000		/* until it has read that */
#define ADMIN_LINGER	(64 << 10)	/* bytes that it sends meanwhile */
#define ADMIN_READ	4096
#define ADMIN_PAUSED	0x2		/* why it does not accept: another bit than 0 */
#define ADMIN_METRICS	(16 << 20)	/* bytes of an answer */
#define ADMIN_PEER	128		/* bytes of an address, with its mark */

static const struct http_limits admin_limits = { 2048, 8192, 64 };

struct admin {
	struct event_base *base;
	const struct admin_ops *ops;
	void		*arg;
	struct colleagues colleagues;
	struct listener	*listener;
	struct list	 clients;
	size_t		 nclients;
	uint64_t	 paused;	/* clock_ms */
};

struct admin_client {
	struct list	 at;
	struct admin	*admin;
	struct event	 ev;
	int		 fd;
	enum { ADMIN_HEAD, ADMIN_ANSWER, ADMIN_OVER } state;
	uint64_t	 deadline;	/* clock_ms, of the state */
	struct buf	 in, out;
	size_t		 scanned, sent, discarded;
	int		 again;		/* behind the answer another head follows */
	char		 seed[PROOF_SEED + 1];	/* that it was given, or "" */
	char		 peer[ADMIN_PEER];
};

static void	 admin_accept_cb(int, const struct sockaddr *, socklen_t,
		    void *);
static void	 admin_refuse_cb(int, void *);
static void	 admin_client_cb(evutil_socket_t, short, void *);
static void	 admin_client_free(struct admin_client *);

int
admin_listen(const struct settings *s, int *fd)
{
	const struct sockaddr_un	*un = (const void *)&s->admin_addr.ss;
	unsigned			 perms = s->admin_addr.perms;
	int				 keep;

	*fd = -1;
	if (s->admin_addr.len == 0 ||
	    (*fd = heritage_take(HEIR_ADMIN, s->admin)) != -1)
		return (0);
	*fd = sock_listen(&s->admin_addr, SOCK_STREAM, ADMIN_BACKLOG);
	if (*fd == -1)
		return (-1);
	if (un->sun_family != AF_UNIX || s->uid == geteuid() ||
	    lchown(un->sun_path, perms & SOCK_OWNER ? (uid_t)-1 : s->uid,
	    perms & SOCK_GROUP ? (gid_t)-1 : s->gid) == 0)
		return (0);
	keep = errno;
	close(*fd);
	errno = keep;
	return (-1);
}

struct admin *
admin_new(struct event_base *base, int fd, const char *key,
    const struct admin_ops *ops, void *arg)
{
	struct admin	*a;

	if ((a = calloc(1, sizeof(*a))) == NULL)
		return (NULL);
	a->base = base;
	a->ops = ops;
	a->arg = arg;
	a->colleagues.key = key;
	list_init(&a->clients);
	a->listener = listener_new(base, fd, admin_accept_cb,
	    admin_refuse_cb, a);
	if (a->listener == NULL) {
		free(a);
		return (NULL);
	}
	return (a);
}

void
admin_free(struct admin *a)
{
	struct list	*e, *tmp;

	if (a == NULL)
		return;
	list_each(e, tmp, &a->clients)
		admin_client_free(list_entry(e, struct admin_client, at));
	listener_free(a->listener);
	free(a);
}

void
admin_pause(struct admin *a, int on)
{
	a->paused = clock_ms();
	if (on)
		listener_pause(a->listener, ADMIN_PAUSED);
	else
		listener_resume(a->listener, ADMIN_PAUSED);
}

int
admin_asked(const struct admin *a)
{
	const struct admin_client	*c;
	struct list			*e;

	if (clock_ms() - a->paused >= ADMIN_SETTLE_MS)
		return (0);
	for (e = a->clients.next; e != &a->clients; e = e->next) {
		c = list_entry(e, struct admin_client, at);
		if (c->state != ADMIN_OVER)
			return (1);
	}
	return (0);
}

void
admin_leave_to(const struct admin *a, const struct settings *s, struct buf *will)
{
	const struct heir	 h = { .kind = HEIR_ADMIN,
				    .fd = listener_fd(a->listener),
				    .name = slice_str(s->admin) };

	heritage_leave(will, &h);
}

void
admin_unlink(const struct settings *s)
{
	const struct sockaddr_un	*un = (const void *)&s->admin_addr.ss;

	if (s->admin_addr.len > 0 && un->sun_family == AF_UNIX)
		unlink(un->sun_path);
}

/* ---- what is asked ---- */

/* It answers: that is all. */
static int
admin_health(const struct status *st, struct buf *body)
{
	(void)st;
	buf_adds(body, "ok\n");
	return (200);
}

static int
admin_ready(const struct status *st, struct buf *body)
{
	const char	*why[READY_MAX];
	size_t		 n = ready_missing(st, why);

	for (size_t i = 0; i < n; i++)
		buf_addf(body, "%s\n", why[i]);
	if (n == 0)
		buf_adds(body, "ready\n");
	return (n == 0 ? 200 : 503);
}

static int
admin_status(const struct status *st, struct buf *body)
{
	return (status_write(st, body) == -1 ? 500 : 200);
}

static int
admin_metrics(const struct status *st, struct buf *body)
{
	return (metrics_write(st, body) == -1 ? 500 : 200);
}

static const struct admin_row {
	const char	*path, *type;
	int		(*run)(const struct status *, struct buf *);
} admin_rows[] = {
	{ "/healthz", "text/plain", admin_health },
	{ "/readyz", "text/plain", admin_ready },
	{ "/status", "application/json", admin_status },
	{ "/metrics", "text/plain; version=0.0.4; charset=utf-8",
	  admin_metrics },
};

/* The row of a path, or NULL. */
static const struct admin_row *
admin_row(struct slice path)
{
	for (size_t i = 0; i < nitems(admin_rows); i++)
		if (slice_is(path, admin_rows[i].path))
			return (&admin_rows[i]);
	return (NULL);
}

/* The answer to h. */
static void
admin_answer(struct admin_client *c, const struct http_head *h)
{
	struct buf		 body = { .max = ADMIN_METRICS };
	struct http_reply	 r = {
		.close = 1, .minor = h->minor,
		.head_only = slice_is(h->method, "HEAD"),
		.extra = slice_str("Cache-Control: no-store\r\n"),
	};
	const struct admin_row	*row = admin_row(h->path);
	struct status		 st;

	if (!r.head_only && !slice_is(h->method, "GET"))
		http_reply_error(&c->out, 405, NULL, 0, 0);
	else if (row == NULL)
		http_reply_error(&c->out, 404, "Not Found: there are /healthz, "
		    "/readyz, /status and /metrics", 0, r.head_only);
	else {
		c->admin->ops->look(&st, c->admin->arg);
		r.status = row->run(&st, &body);
	}
	if (r.status == 500 || body.failed)
		http_reply_error(&c->out, 500, "Internal Server Error: no "
		    "memory, or too much to be said", 0, r.head_only);
	else if (r.status != 0) {
		r.type = row->type;
		r.body = slice_of(body.data, body.len);
		http_reply_write(&c->out, &r);
	}
	buf_clear(&body);
}

/*
 * What another server asks, whose answer is a shard's.  0: c is answered here; 1: c is no
 * more.
 */
static int
admin_colleague(struct admin_client *c, const struct http_head *h)
{
	struct admin	*a = c->admin;

	switch (colleague_ask(&a->colleagues, c->seed, h, c->peer, &c->out)) {
	case COLLEAGUE_ASKED:
		c->again = 1;
		buf_drain(&c->in, h->head_len);
		c->scanned = 0;
		return (0);
	case COLLEAGUE_REFUSED:
		return (0);
	case COLLEAGUE_KNOWN:
		break;
	}
	event_del(&c->ev);
	a->ops->colleague(c->fd, c->peer, h, slice_of(c->in.data, c->in.len),
	    a->arg);
	c->fd = -1;
	admin_client_free(c);
	return (1);
}

/* ---- who asks ---- */

static void
admin_accept_cb(int fd, const struct sockaddr *sa, socklen_t len, void *arg)
{
	struct admin		*a = arg;
	struct admin_client	*c;
	size_t			 mark = strlen(COLLEAGUE_MARK);

	if (a->nclients >= ADMIN_MAX ||
	    (c = calloc(1, sizeof(*c))) == NULL) {
		admin_refuse_cb(fd, a);
		return;
	}
	c->admin = a;
	c->fd = fd;
	c->deadline = clock_ms() + ADMIN_MS;
	memcpy(c->peer, COLLEAGUE_MARK, mark);
	sock_format(c->peer + mark, sizeof(c->peer) - mark, sa, len);
	list_push(&a->clients, &c->at);
	a->nclients++;
	event_assign(&c->ev, a->base, fd, EV_READ, admin_client_cb,
	    c);
	admin_client_cb(fd, EV_READ, c);	/* may free c */
}

/* Too many, or out of descriptors. */
static void
admin_refuse_cb(int fd, void *arg)
{
	static const char	 answer[] =
	    "HTTP/1.1 503 Service Unavailable\r\n"
	    "Content-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";

	(void)arg;
	(void)send(fd, answer, sizeof(answer) - 1,
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	sock_end(fd, 0);
}

static void
admin_client_free(struct admin_client *c)
{
	event_del(&c->ev);
	list_remove(&c->at);
	c->admin->nclients--;
	buf_clear(&c->in);
	buf_clear(&c->out);
	sock_end(c->fd, 0);
	free(c);
}

/* More of its head.  0: go on; -1: it has gone; 1: it is another's, and freed. */
static int
admin_read(struct admin_client *c)
{
	static struct http_head	 h;
	char			 data[ADMIN_READ];
	ssize_t			 n;

	if ((n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT)) == -1)
		return (errno == EAGAIN || errno == EINTR ? 0 : -1);
	if (n == 0 || buf_add(&c->in, data, (size_t)n) == -1)
		return (-1);
	switch (http_head_parse(&h, c->in.data, c->in.len, &c->scanned,
	    &admin_limits)) {
	case PARSE_MORE:
		return (0);
	case PARSE_BAD:
		http_reply_error(&c->out, h.status, h.why, 0, 0);
		break;
	case PARSE_DONE:
		c->again = 0;
		if (admin_row(h.path) != NULL ||
		    !colleague_is(&c->admin->colleagues, &h) ||
		    !c->admin->ops->serves(&h, c->admin->arg))
			admin_answer(c, &h);
		else if (admin_colleague(c, &h) == 1)
			return (1);
		break;
	}
	c->state = ADMIN_ANSWER;
	return (c->out.failed ? -1 : 0);
}

/* More of its answer.  0: go on; -1: it has gone. */
static int
admin_write(struct admin_client *c)
{
	ssize_t	 n;

	n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent,
	    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1)
		return (errno == EAGAIN || errno == EINTR ? 0 : -1);
	if ((c->sent += (size_t)n) < c->out.len)
		return (0);
	buf_clear(&c->out);
	c->sent = 0;
	if (c->again) {
		c->state = ADMIN_HEAD;
		return (0);
	}
	(void)shutdown(c->fd, SHUT_WR);
	c->state = ADMIN_OVER;
	c->deadline = clock_ms() + ADMIN_LINGER_MS;
	return (0);
}

/* What else it sends, so that it gets to read the answer. */
static int
admin_discard(struct admin_client *c)
{
	char	 data[ADMIN_READ];
	ssize_t	 n;

	if ((n = recv(c->fd, data, sizeof(data), MSG_DONTWAIT)) == -1)
		return (errno == EAGAIN || errno == EINTR ? 0 : -1);
	c->discarded += (size_t)n;
	return (n == 0 || c->discarded > ADMIN_LINGER ? -1 : 0);
}

static void
admin_client_cb(evutil_socket_t fd, short what, void *arg)
{
	struct admin_client	*c = arg;
	struct timeval		 tv;
	uint64_t		 now, left;
	int			 rv = 0;

	(void)fd;
	if ((what & EV_TIMEOUT) == 0) {
		if (c->state == ADMIN_HEAD)
			rv = admin_read(c);
		else if (c->state == ADMIN_OVER)
			rv = admin_discard(c);
		if (rv == 1)
			return;
		if (rv == 0 && c->state == ADMIN_ANSWER)
			rv = admin_write(c);
	}
	now = clock_ms();
	if (rv == -1 || now >= c->deadline) {
		admin_client_free(c);
		return;
	}
	left = c->deadline - now;
	tv.tv_sec = (time_t)(left / 1000);
	tv.tv_usec = (suseconds_t)(left % 1000 * 1000);
	event_del(&c->ev);
	event_assign(&c->ev, c->admin->base, c->fd, c->state ==
	    ADMIN_ANSWER ? EV_WRITE : EV_READ, admin_client_cb, c);
	if (event_add(&c->ev, &tv) == -1)
		admin_client_free(c);
}

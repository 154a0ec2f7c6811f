/* A file on its way between two servers. */
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/dial.h"
#include "common/sock.h"
#include "proto/http_body.h"
#include "proto/vouch.h"
#include "shardd/api/surroundings.h"
#include "shardd/forest/porter.h"
#include "shardd/kennel.h"

#define PORTER_READ	(64 << 10)	/* bytes at one go */
#define PORTER_TICK_MS	500

enum porter_state {
	PORTER_KNOCK,		/* without a proof, to be given a seed */
	PORTER_ASK,		/* with one */
	PORTER_BODY		/* the head of the answer is there */
};

struct porter {
	const struct porter_ops *ops;
	void		*arg;
	struct dial	*dial;
	struct kennel_watch *watch;
	struct kennel_timer *timer;
	int		 fd, file;
	enum porter_state state;
	uint64_t	 deadline;	/* clock_ms */
	uint64_t	 size, max;
	off_t		 sent;		/* of the file */
	size_t		 out_at;
	struct buf	 out, in, piece;
	struct http_body body;
	char		*key, *method, *target, *headers, *where;
};

void
porter_free(struct porter *p)
{
	if (p == NULL)
		return;
	dial_cancel(p->dial);
	kennel_watch_free(p->watch);
	kennel_timer_free(p->timer);
	sock_end(p->fd, 0);
	buf_clear(&p->out);
	buf_clear(&p->in);
	buf_clear(&p->piece);
	if (p->key != NULL)
		explicit_bzero(p->key, strlen(p->key));
	free(p->key);
	free(p->method);
	free(p->target);
	free(p->headers);
	free(p->where);
	free(p);
}

/* It is over. */
static void
porter_end(struct porter *p, int err)
{
	const struct porter_ops	*ops = p->ops;
	void			*arg = p->arg;

	if (err != 0)
		kennel_log_at(err == EACCES ? KENNEL_LOG_WARN : err == ECANCELED ?
		    KENNEL_LOG_DEBUG : KENNEL_LOG_INFO, "forest file to-or-from=%s did "
		    "not travel why=\"%s\"", p->where, strerror(err));
	porter_free(p);
	ops->end(err, arg);
}

/* The request, with a proof for seed, or without (NULL), and then without its body.  0, or
 * -1. */
static int
porter_write(struct porter *p, const char *seed)
{
	buf_reset(&p->out);
	p->out_at = 0;
	buf_addf(&p->out, "%s %s HTTP/1.1\r\nHost: %s\r\n%s", p->method,
	    p->target, p->where, p->headers);
	if (p->file != -1)
		buf_addf(&p->out, "Content-Length: %" PRIu64 "\r\n",
		    seed == NULL ? 0 : p->size);
	if (seed != NULL && vouch_answer(&p->out, slice_str(p->key), seed,
	    slice_str(p->method), slice_str(p->target)) == -1)
		return (-1);
	buf_adds(&p->out, seed == NULL ? "Authorization: " VOUCH_SCHEME "\r\n\r\n" :
	    "Connection: close\r\n\r\n");
	p->deadline = clock_ms() + PORTER_HEAD_MS;
	return (p->out.failed ? -1 : 0);
}

/* Is there more to be sent? */
static int
porter_owes(const struct porter *p)
{
	return (p->out_at < p->out.len || (p->state != PORTER_KNOCK &&
	    p->file != -1 && (uint64_t)p->sent < p->size));
}

/* Send what the socket takes.  0, or an errno. */
static int
porter_send(struct porter *p)
{
	ssize_t	 n;

	while (porter_owes(p)) {
		if (p->out_at < p->out.len) {
			n = send(p->fd, p->out.data + p->out_at,
			    p->out.len - p->out_at, MSG_DONTWAIT |
			    MSG_NOSIGNAL);
			p->out_at += n > 0 ? (size_t)n : 0;
		} else if ((n = sendfile(p->fd, p->file, &p->sent,
		    p->size - (uint64_t)p->sent)) == 0)
			return (EIO);		/* it is shorter than it was */
		if (n == -1)
			return (errno == EAGAIN || errno == EINTR ? 0 : errno);
		p->deadline = clock_ms() + PORTER_HEAD_MS;
	}
	return (0);
}

/* It wants a proof: give it.  0, or an errno. */
static int
porter_prove(struct porter *p, const struct http_answer *a)
{
	char	 seed[PROOF_SEED + 1];

	/* What comes with it is a text for people. */
	if (!a->has_length || p->in.len - a->head_len > a->length)
		return (EPROTO);
	if (p->in.len - a->head_len < a->length)
		return (EAGAIN);
	if (vouch_seed(seed, http_answer_field(a, "WWW-Authenticate")) == -1)
		return (EPROTO);
	buf_reset(&p->in);
	p->state = PORTER_ASK;
	return (porter_write(p, seed) == -1 ? ENOMEM : 0);
}

/* A head has come, or not all of it (EAGAIN).  0, or an errno. */
static int
porter_head(struct porter *p)
{
	static struct http_head	 h;
	static struct http_answer a;

	switch (http_answer_parse(&a, p->in.data, p->in.len)) {
	case PARSE_MORE:
		return (EAGAIN);
	case PARSE_BAD:
		return (EPROTO);
	case PARSE_DONE:
		break;
	}
	if (a.status == 401 && p->state == PORTER_KNOCK)
		return (porter_prove(p, &a));
	if (a.status < 200 || (!a.chunked && !a.has_length))
		return (EPROTO);
	if (a.status == 403)
		return (EACCES);
	h.chunked = a.chunked;
	h.length = a.length;
	if (a.length > p->max)
		return (EFBIG);
	if (p->ops->head(&a, p->arg) == -1)
		return (ECANCELED);
	http_body_init(&p->body, &h, p->max);
	p->state = PORTER_BODY;
	p->deadline = clock_ms() + PORTER_IDLE_MS;
	buf_drain(&p->in, a.head_len);
	return (0);
}

/* More of the body, up to all of it: 0; EAGAIN: more is to come; or an errno. */
static int
porter_body(struct porter *p)
{
	enum parse	 rv;
	size_t		 used;

	buf_reset(&p->piece);
	rv = http_body_feed(&p->body, p->in.data, p->in.len, &used, &p->piece);
	if (rv == PARSE_BAD)
		return (p->body.status == 413 ? EFBIG : EPROTO);
	if (p->piece.failed)
		return (ENOMEM);
	if (p->piece.len > 0 && p->ops->body(p->piece.data, p->piece.len,
	    p->arg) == -1)
		return (ECANCELED);
	buf_reset(&p->in);
	p->deadline = clock_ms() + PORTER_IDLE_MS;
	return (rv == PARSE_DONE ? 0 : EAGAIN);
}

/* Bytes of the other server.  0: it is all there; EAGAIN: go on; or an errno. */
static int
porter_read(struct porter *p)
{
	char	*room;
	ssize_t	 n;
	int	 err;

	if ((room = buf_reserve(&p->in, PORTER_READ)) == NULL)
		return (ENOMEM);
	if ((n = recv(p->fd, room, PORTER_READ, MSG_DONTWAIT)) == -1)
		return (errno == EINTR ? EAGAIN : errno);
	if (n == 0)
		return (ECONNRESET);
	p->in.len += (size_t)n;
	if (p->state != PORTER_BODY && (err = porter_head(p)) != 0)
		return (err);
	return (p->state == PORTER_BODY ? porter_body(p) : EAGAIN);
}

/* The socket is ready. */
static void
porter_ready_cb(int fd, int events, void *arg)
{
	struct porter	*p = arg;
	int		 err = EAGAIN, failed;

	(void)fd;
	/* An answer may come while we send, and be why we cannot. */
	if (events & KENNEL_READ)
		err = porter_read(p);
	if (err == EAGAIN && (failed = porter_send(p)) != 0)
		err = failed;
	if (err != EAGAIN) {
		porter_end(p, err);
		return;
	}
	kennel_watch_change(p->watch, KENNEL_READ | (porter_owes(p) ?
	    KENNEL_WRITE : 0));
}

/* It takes too long. */
static void
porter_tick_cb(void *arg)
{
	struct porter	*p = arg;

	if (clock_ms() >= p->deadline)
		porter_end(p, ETIMEDOUT);
}

/* There is a connection, or none. */
static void
porter_dialled_cb(int fd, const char *peer, int err, void *arg)
{
	struct porter	*p = arg;

	(void)peer;
	p->dial = NULL;
	p->fd = fd;
	if (fd == -1 || porter_write(p, NULL) == -1 ||
	    (p->watch = kennel_watch(fd, KENNEL_READ | KENNEL_WRITE,
	    porter_ready_cb, p)) == NULL)
		porter_end(p, err != 0 ? err : ENOMEM);
}

struct porter *
porter_new(const struct porter_errand *e, const struct porter_ops *ops,
    void *arg)
{
	struct porter	*p;

	/* Where to go was read in a database: to no socket of this machine's files. */
	if (strlen(e->where) > PORTER_WHERE || strncmp(e->where, "unix:", 5) ==
	    0) {
		errno = EINVAL;
		return (NULL);
	}
	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->ops = ops;
	p->arg = arg;
	p->fd = -1;
	p->file = e->fd;
	p->size = e->size;
	p->max = e->max;
	p->deadline = clock_ms() + PORTER_HEAD_MS;
	if ((p->key = strdup(e->key)) == NULL ||
	    (p->method = strdup(e->method)) == NULL ||
	    (p->target = strdup(e->target)) == NULL ||
	    (p->headers = strdup(e->headers)) == NULL ||
	    (p->where = strdup(e->where)) == NULL ||
	    (p->timer = kennel_timer_new(PORTER_TICK_MS, 1, porter_tick_cb,
	    p)) == NULL || (p->dial = dial_new(surroundings->base, e->where,
	    PORTER_HEAD_MS, porter_dialled_cb, p)) == NULL) {
		porter_free(p);
		return (NULL);
	}
	return (p);
}

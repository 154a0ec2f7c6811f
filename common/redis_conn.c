/*
 * One connection to a Redis server.
 *
 * Of hiredis this takes the reader.  Its asynchronous API asserts what a server may
 * answer, knows no deadlines, and frees behind its callbacks.
 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <hiredis/hiredis.h>

#include "common/clock.h"
#include "common/redis_conn.h"
#include "common/redis_url.h"
#include "common/sock.h"
#include "common/tls.h"

#define REDIS_REPLY_MAX		(64 << 20)	/* bytes of one reply */

static void	 redis_conn_read_cb(evutil_socket_t, short, void *);
static void	 redis_conn_write_cb(evutil_socket_t, short, void *);

void
redis_conn_init(struct redis_conn *c, const struct redis_conn_ops *ops)
{
	c->ops = ops;
	c->fd = -1;
}

const char *
redis_conn_open(struct redis_conn *c, struct event_base *base,
    const struct sock_addr *a, const struct redis_url *url, const char *host)
{
	const struct tls_files	 files = { url->ca_file, url->cert_file,
				    url->key_file };
	int	 one = 1, idle = 10, each = 5, ms = 15000;

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
	if (url->tls && (c->tls = tls_new(c->fd, &files, host, c->why,
	    sizeof(c->why))) == NULL)
		return (c->why);
	c->heard = clock_ms();
	c->reader = redisReaderCreate();
	c->ev_read = event_new(base, c->fd, EV_READ | EV_PERSIST,
	    redis_conn_read_cb, c);
	c->ev_write = event_new(base, c->fd, EV_WRITE, redis_conn_write_cb, c);
	if (c->reader == NULL || c->ev_read == NULL || c->ev_write == NULL ||
	    event_add(c->ev_read, NULL) == -1)
		return ("no memory");
	return (NULL);
}

void
redis_conn_close(struct redis_conn *c)
{
	if (c->ev_read != NULL)
		event_free(c->ev_read);
	if (c->ev_write != NULL)
		event_free(c->ev_write);
	c->ev_read = c->ev_write = NULL;
	if (c->reader != NULL)
		redisReaderFree(c->reader);
	c->reader = NULL;
	tls_free(c->tls);
	c->tls = NULL;
	c->stuck = 0;
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	buf_clear(&c->out);
	c->out_at = 0;
	c->unfinished = 0;
}

/* "*2", "$11": how many follow, as a line. */
static void
redis_conn_count(struct buf *b, char kind, size_t n)
{
	char	 text[24], *at = text + sizeof(text);

	*--at = '\n';
	*--at = '\r';
	do
		*--at = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	*--at = kind;
	buf_add(b, at, (size_t)(text + sizeof(text) - at));
}

int
redis_conn_write(struct redis_conn *c, int argc, const char *const *argv,
    const size_t *argvlen)
{
	size_t	 before = c->out.len, len;

	redis_conn_count(&c->out, '*', (size_t)argc);
	for (int i = 0; i < argc; i++) {
		len = argvlen != NULL ? argvlen[i] : strlen(argv[i]);
		redis_conn_count(&c->out, '$', len);
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

/* Bytes that came: replies, as far as they are whole. */
static void
redis_conn_input(struct redis_conn *c, const char *data, size_t len)
{
	const char	*why;
	void		*raw;

	c->heard_ns = clock_ns();
	c->heard = c->heard_ns / 1000000;
	c->unfinished += len;
	if (redisReaderFeed(c->reader, data, len) != REDIS_OK) {
		c->ops->lost(c, c->reader->errstr);
		return;
	}
	while (c->fd != -1) {		/* a callback may have closed c */
		if (redisReaderGetReply(c->reader, &raw) != REDIS_OK) {
			c->ops->lost(c, c->reader->errstr);
			return;
		}
		if (raw == NULL)
			break;
		c->unfinished = 0;
		if ((why = c->ops->reply(c, raw)) != NULL)
			c->ops->lost(c, why);
		freeReplyObject(raw);
	}
	if (c->unfinished > REDIS_REPLY_MAX)
		c->ops->lost(c, "a reply is too large");
}

int
redis_conn_shaking(const struct redis_conn *c)
{
	return (c->tls != NULL && !tls_up(c->tls));
}

/* Why a call has failed. */
static const char *
redis_conn_fault(const struct redis_conn *c)
{
	return (c->tls != NULL && errno == EPROTO ? tls_why(c->tls) :
	    strerror(errno));
}

static void
redis_conn_read_cb(evutil_socket_t fd, short what, void *arg)
{
	static char		 buf[1 << 16];
	struct redis_conn	*c = arg;
	ssize_t			 n;

	(void)what;
	c->ops->enter(c);
	do {
		n = c->tls != NULL ? tls_recv(c->tls, buf, sizeof(buf)) :
		    recv((int)fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n > 0)
			redis_conn_input(c, buf, (size_t)n);
		else if (n == 0)
			c->ops->lost(c, redis_conn_shaking(c) ?
			    "closed before TLS had come about" : "closed");
		else if (errno != EAGAIN && errno != EINTR)
			c->ops->lost(c, redis_conn_fault(c));
	} while (n > 0 && c->tls != NULL && tls_pending(c->tls));
	if (c->stuck) {
		c->stuck = 0;
		event_active(c->ev_write, EV_WRITE, 0);
	}
	c->ops->leave(c);
}

static void
redis_conn_write_cb(evutil_socket_t fd, short what, void *arg)
{
	struct redis_conn	*c = arg;
	ssize_t			 n;

	(void)what;
	if (c->out.len == 0)
		return;
	n = c->tls != NULL ? tls_send(c->tls, c->out.data + c->out_at,
	    c->out.len - c->out_at) : send((int)fd, c->out.data + c->out_at,
	    c->out.len - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		c->ops->enter(c);
		c->ops->lost(c, redis_conn_fault(c));
		c->ops->leave(c);
		return;
	}
	c->stuck = n == -1 && c->tls != NULL && tls_must_read(c->tls);
	if (n > 0)
		buf_pass(&c->out, &c->out_at, (size_t)n);
	if (c->stuck)
		return;
	if (c->out.len > 0)
		event_add(c->ev_write, NULL);
	else if (c->out.cap > 1 << 16)
		buf_clear(&c->out);
}

void
redis_conn_flush(struct redis_conn *c, unsigned ms)
{
	uint64_t	 now, end = clock_ms() + ms;
	struct pollfd	 pfd = { .events = POLLOUT };

	while (c->fd != -1 && c->out.len > 0 && !c->stuck &&
	    (now = clock_ms()) < end) {
		pfd.fd = c->fd;
		if (poll(&pfd, 1, (int)(end - now)) == 1)
			redis_conn_write_cb(c->fd, EV_WRITE, c);
	}
}

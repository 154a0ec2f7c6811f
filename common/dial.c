/* A connection to another server, to be opened. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/dial.h"
#include "common/resolve.h"
#include "common/sock.h"

#define DIAL_ADDRS	8		/* of a name, that are tried */
#define DIAL_HOST	256

struct dial {
	struct event_base *base;
	dial_cb		*cb;
	void		*arg;
	struct resolve	*resolve;	/* under way, or NULL */
	struct event	*timer;		/* the deadline; at once for a path */
	struct event	*ev;		/* of fd */
	int		 fd;
	int		 err;		/* of the last address */
	unsigned	 ms;
	size_t		 n, i;		/* addresses; the next to be tried */
	struct {
		struct sockaddr_storage	ss;
		socklen_t		len;
	}		 addrs[DIAL_ADDRS];
};

static void	 dial_next(struct dial *d);

/* Give up the address that is being tried. */
static void
dial_drop(struct dial *d)
{
	if (d->ev != NULL)
		event_free(d->ev);
	d->ev = NULL;
	if (d->fd != -1)
		close(d->fd);
	d->fd = -1;
}

void
dial_cancel(struct dial *d)
{
	if (d == NULL)
		return;
	dial_drop(d);
	resolve_cancel(d->resolve);
	if (d->timer != NULL)
		event_free(d->timer);
	free(d);
}

/* It is over without a connection.  Frees d. */
static void
dial_fail(struct dial *d, int err)
{
	dial_cb	*cb = d->cb;
	void	*arg = d->arg;

	dial_cancel(d);
	cb(-1, "", err, arg);
}

/* An address has answered.  Frees d. */
static void
dial_done(struct dial *d)
{
	struct sockaddr	*sa = (struct sockaddr *)&d->addrs[d->i - 1].ss;
	char		 peer[sizeof(struct sockaddr_un) + 8];
	dial_cb		*cb = d->cb;
	void		*arg = d->arg;
	int		 fd = d->fd, one = 1;

	sock_format(peer, sizeof(peer), sa, d->addrs[d->i - 1].len);
	if (sa->sa_family != AF_UNIX)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
	d->fd = -1;
	dial_cancel(d);
	cb(fd, peer, 0, arg);
}

/* The address that is being tried has said yes or no. */
static void
dial_ready_cb(evutil_socket_t fd, short what, void *arg)
{
	struct dial	*d = arg;
	socklen_t	 len = sizeof(d->err);

	(void)what;
	if (getsockopt((int)fd, SOL_SOCKET, SO_ERROR, &d->err, &len) == -1)
		d->err = errno;
	if (d->err == 0)
		dial_done(d);
	else
		dial_next(d);
}

/* Begin with the next address: 0, or -1 with d->err. */
static int
dial_try(struct dial *d)
{
	struct sockaddr	*sa = (struct sockaddr *)&d->addrs[d->i].ss;
	socklen_t	 len = d->addrs[d->i++].len;

	d->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (d->fd == -1 || (connect(d->fd, sa, len) == -1 &&
	    errno != EINPROGRESS) || (d->ev = event_new(d->base, d->fd,
	    EV_WRITE, dial_ready_cb, d)) == NULL ||
	    event_add(d->ev, NULL) == -1) {
		d->err = errno;
		return (-1);
	}
	return (0);
}

/* Try the others, until one may answer.  May free d. */
static void
dial_next(struct dial *d)
{
	dial_drop(d);
	while (d->i < d->n) {
		if (dial_try(d) == 0)
			return;
		dial_drop(d);
	}
	dial_fail(d, d->err);
}

/* The name's addresses. */
static void
dial_resolved_cb(const struct addrinfo *ai, const char *why, void *arg)
{
	struct dial	*d = arg;

	d->resolve = NULL;
	d->err = EHOSTUNREACH;
	if (why != NULL)
		ai = NULL;
	for (; ai != NULL && d->n < DIAL_ADDRS; ai = ai->ai_next) {
		memcpy(&d->addrs[d->n].ss, ai->ai_addr, ai->ai_addrlen);
		d->addrs[d->n++].len = ai->ai_addrlen;
	}
	dial_next(d);
}

/* Its time is over; or it has a path, and begins. */
static void
dial_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct dial	*d = arg;
	struct timeval	 tv = clock_tv(d->ms);

	(void)fd, (void)what;
	if (d->n == 0 || d->i > 0) {
		dial_fail(d, ETIMEDOUT);
		return;
	}
	evtimer_add(d->timer, &tv);
	dial_next(d);
}

/* The parts of "host:port": 0, or -1. */
static int
dial_split(const char *address, char host[DIAL_HOST], int *port)
{
	const char	*colon = strrchr(address, ':'), *from = address;
	size_t		 n;
	uint64_t	 number;

	if (colon == NULL || slice_u64(slice_str(colon + 1), 65535,
	    &number) == -1 || number == 0)
		return (-1);
	n = (size_t)(colon - address);
	if (n > 2 && address[0] == '[' && address[n - 1] == ']') {
		from++;
		n -= 2;
	}
	if (n == 0 || n >= DIAL_HOST)
		return (-1);
	memcpy(host, from, n);
	host[n] = '\0';
	*port = (int)number;
	return (0);
}

/* The only address of a path: 0, or -1. */
static int
dial_path(struct dial *d, const char *path)
{
	struct sockaddr_un	*un = (void *)&d->addrs[0].ss;

	if (path[0] == '\0' || strlen(path) >= sizeof(un->sun_path))
		return (-1);
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, path);
	d->addrs[0].len = sizeof(*un);
	d->n = 1;
	return (0);
}

struct dial *
dial_new(struct event_base *base, const char *address, unsigned ms,
    dial_cb *cb, void *arg)
{
	struct timeval	 tv = clock_tv(ms);
	struct dial	*d;
	char		 host[DIAL_HOST];
	int		 port = 0, is_path = strncmp(address, "unix:", 5) == 0;
	int		 keep;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return (NULL);
	*d = (struct dial){ .base = base, .cb = cb, .arg = arg, .fd = -1,
	    .ms = ms };
	if (is_path ? dial_path(d, address + 5) == -1 :
	    dial_split(address, host, &port) == -1) {
		free(d);
		errno = EINVAL;
		return (NULL);
	}
	if (is_path)
		tv = clock_tv(0);
	errno = ENOMEM;
	if ((d->timer = evtimer_new(base, dial_timer_cb, d)) == NULL ||
	    evtimer_add(d->timer, &tv) == -1 || (!is_path &&
	    (d->resolve = resolve_new(base, host, port, dial_resolved_cb,
	    d)) == NULL)) {
		keep = errno;
		dial_cancel(d);
		errno = keep;
		return (NULL);
	}
	return (d);
}

/* Accepting, with a descriptor in reserve. */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/listener.h"
#include "common/log.h"

#define LISTENER_BATCH		64
#define LISTENER_PAUSE_MS	200
#define LISTENER_OWN		1u	/* pause bit 0 */

struct listener {
	int		 fd, reserve;
	unsigned	 paused;
	struct event	*ev, *timer;
	listener_accept_cb *accept_cb;
	listener_refuse_cb *refuse_cb;
	void		*arg;
};

static void	 listener_cb(evutil_socket_t, short, void *);
static void	 listener_timer_cb(evutil_socket_t, short, void *);

static int
listener_reserve(void)
{
	return (open("/dev/null", O_RDONLY | O_CLOEXEC));
}

struct listener *
listener_new(struct event_base *base, int fd, listener_accept_cb *accept_cb,
    listener_refuse_cb *refuse_cb, void *arg)
{
	struct listener	*l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	l->fd = fd;
	l->accept_cb = accept_cb;
	l->refuse_cb = refuse_cb;
	l->arg = arg;
	l->reserve = listener_reserve();
	l->ev = event_new(base, fd, EV_READ | EV_PERSIST, listener_cb, l);
	l->timer = evtimer_new(base, listener_timer_cb, l);
	if (l->ev == NULL || l->timer == NULL ||
	    event_add(l->ev, NULL) == -1) {
		l->fd = -1;		/* still the caller's */
		listener_free(l);
		errno = ENOMEM;
		return (NULL);
	}
	return (l);
}

void
listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	if (l->ev != NULL)
		event_free(l->ev);
	if (l->timer != NULL)
		event_free(l->timer);
	if (l->fd != -1)
		close(l->fd);
	if (l->reserve != -1)
		close(l->reserve);
	free(l);
}

void
listener_pause(struct listener *l, unsigned why)
{
	if (l->paused == 0)
		event_del(l->ev);
	l->paused |= why;
}

void
listener_resume(struct listener *l, unsigned why)
{
	if (l->paused == 0)
		return;
	l->paused &= ~why;
	if (l->paused == 0)
		event_add(l->ev, NULL);
}

int
listener_fd(const struct listener *l)
{
	return (l->fd);
}

static void
listener_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct listener	*l = arg;

	(void)fd, (void)what;
	if (l->reserve == -1)
		l->reserve = listener_reserve();
	listener_resume(l, LISTENER_OWN);
}

/*
 * No descriptor is left: the reserve lets one client in to be told so, then
 * we rest, for the others would be refused the same.
 */
static void
listener_exhausted(struct listener *l)
{
	struct timeval	 tv = { 0, LISTENER_PAUSE_MS * 1000 };
	int		 fd;

	log_warn("listener fd=%d out of descriptors or memory, pausing %d ms",
	    l->fd, LISTENER_PAUSE_MS);
	listener_pause(l, LISTENER_OWN);
	event_add(l->timer, &tv);
	if (l->reserve == -1)
		return;
	close(l->reserve);
	fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd != -1)
		l->refuse_cb(fd, l->arg);
	l->reserve = listener_reserve();
}

static void
listener_cb(evutil_socket_t lfd, short what, void *arg)
{
	struct listener		*l = arg;
	struct sockaddr_storage	 ss;
	socklen_t		 len;
	int			 fd;

	(void)what;
	for (int i = 0; i < LISTENER_BATCH && l->paused == 0; i++) {
		len = sizeof(ss);
		fd = accept4((int)lfd, (struct sockaddr *)&ss, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1) {
			l->accept_cb(fd, (struct sockaddr *)&ss, len, l->arg);
			continue;
		}
		switch (errno) {
		case EMFILE:
		case ENFILE:
		case ENOBUFS:
		case ENOMEM:
			listener_exhausted(l);
			return;
		case EAGAIN:
			return;
		default:
			/* The client's own fault (accept(2)): the next one. */
			break;
		}
	}
}

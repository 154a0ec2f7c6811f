/* Descriptors in an epoll set that is one event of the loop. */
#include <sys/epoll.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/poller.h"
#include "common/turn.h"

#define POLLER_BATCH	256

struct poller {
	struct event	*ev;
	poller_cb	*ready;
	int		 fd;
	int		 at, n;		/* in batch; n 0: not in the callback */
	struct epoll_event batch[POLLER_BATCH];
};

static short
poller_what(uint32_t events)
{
	short	 what = 0;

	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		what |= EV_READ;
	if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
		what |= EV_WRITE;
	if (events & EPOLLRDHUP)
		what |= EV_CLOSED;
	return (what);
}

int
poller_run(void *arg)
{
	struct poller		*p = arg;
	struct epoll_event	*e;
	int			 n;

	p->n = n = epoll_wait(p->fd, p->batch, POLLER_BATCH, 0);
	for (p->at = 0; p->at < p->n; p->at++) {
		e = &p->batch[p->at];
		turn_progress();
		if (e->data.ptr != NULL)
			p->ready(e->data.ptr, poller_what(e->events));
	}
	p->n = 0;
	return (n > 0 ? n : 0);
}

static void
poller_event_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	poller_run(arg);
}

struct poller *
poller_new(struct event_base *base, poller_cb *ready)
{
	struct poller	*p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->ready = ready;
	if ((p->fd = epoll_create1(EPOLL_CLOEXEC)) == -1) {
		free(p);
		return (NULL);
	}
	p->ev = event_new(base, p->fd, EV_READ | EV_PERSIST, poller_event_cb,
	    p);
	if (p->ev == NULL || event_add(p->ev, NULL) == -1) {
		poller_free(p);
		errno = ENOMEM;
		return (NULL);
	}
	return (p);
}

void
poller_free(struct poller *p)
{
	if (p == NULL)
		return;
	if (p->ev != NULL)
		event_free(p->ev);
	close(p->fd);
	free(p);
}

/* Forget what was reported for arg and not passed on yet: arg may be freed now. */
static void
poller_revoke(struct poller *p, const void *arg)
{
	for (int i = p->at + 1; i < p->n; i++)
		if (p->batch[i].data.ptr == arg)
			p->batch[i].data.ptr = NULL;
}

int
poller_want(struct poller *p, int fd, uint8_t *have, short what, void *arg)
{
	struct epoll_event	 e = { .data.ptr = arg };
	int			 op;

	if (*have == what)
		return (0);
	op = what == 0 ? EPOLL_CTL_DEL : *have == 0 ? EPOLL_CTL_ADD :
	    EPOLL_CTL_MOD;
	if (what & EV_READ)
		e.events |= EPOLLIN;
	if (what & EV_WRITE)
		e.events |= EPOLLOUT;
	if (what & EV_CLOSED)
		e.events |= EPOLLRDHUP;
	if (epoll_ctl(p->fd, op, fd, &e) == -1)
		return (-1);
	if (what == 0)
		poller_revoke(p, arg);
	*have = (uint8_t)what;
	return (0);
}

/* Looking up a name in a thread that shares one object with the loop. */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/resolve.h"

#define RESOLVE_STACK	(512 << 10)	/* bytes; modules of NSS are greedy */

struct resolve {
	atomic_int	 refs;		/* the loop's and the thread's */
	/* the thread's, until it closes its end of the pipe */
	int		 done_fd;
	int		 err, sys;	/* EAI_*, errno */
	struct addrinfo	*found;
	/* the loop's */
	int		 fd;
	struct event	*ev;
	resolve_cb	*cb;
	void		*arg;
	char		 port[8];
	char		 host[];
};

/* One of two lets go. */
static void
resolve_unref(struct resolve *r)
{
	if (atomic_fetch_sub(&r->refs, 1) > 1)
		return;
	if (r->found != NULL)
		freeaddrinfo(r->found);
	free(r);
}

/* Ask; flags: AI_NUMERICHOST, or 0. */
static void
resolve_ask(struct resolve *r, int flags)
{
	struct addrinfo	 hints = { .ai_socktype = SOCK_STREAM,
			    .ai_flags = AI_NUMERICSERV | flags };

	r->err = getaddrinfo(r->host, r->port, &hints, &r->found);
	r->sys = errno;
	if (r->err != 0)
		r->found = NULL;
}

/* The thread; the end of its pipe tells the loop. */
static void *
resolve_main(void *arg)
{
	struct resolve	*r = arg;
	int		 fd = r->done_fd;

	resolve_ask(r, 0);
	/* The loop reads what is here after this, so its reference stands. */
	close(fd);
	resolve_unref(r);
	return (NULL);
}

/* The loop's part ends. */
static void
resolve_close(struct resolve *r)
{
	if (r->ev != NULL)
		event_free(r->ev);
	r->ev = NULL;
	if (r->fd != -1)
		close(r->fd);
	r->fd = -1;
}

/* The thread is through, or there was no need of one. */
static void
resolve_done_cb(evutil_socket_t fd, short what, void *arg)
{
	struct resolve	*r = arg;

	(void)fd, (void)what;
	resolve_close(r);
	r->cb(r->found, r->err == 0 ? NULL : r->err == EAI_SYSTEM ?
	    strerror(r->sys) : gai_strerror(r->err), r->arg);
	resolve_unref(r);
}

/* Signals are the loop's: the thread gets none. */
static int
resolve_thread(struct resolve *r)
{
	pthread_attr_t	 attr;
	pthread_t	 thread;
	sigset_t	 all, before;
	int		 err;

	if ((err = pthread_attr_init(&attr)) != 0)
		return (err);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, RESOLVE_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, &attr, resolve_main, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attr);
	return (err);
}

struct resolve *
resolve_new(struct event_base *base, const char *host, int port,
    resolve_cb *cb, void *arg)
{
	struct resolve	*r;
	int		 fds[2] = { -1, -1 }, err = ENOMEM;

	if ((r = calloc(1, sizeof(*r) + strlen(host) + 1)) == NULL)
		return (NULL);
	r->refs = 1;
	r->fd = -1;
	r->cb = cb;
	r->arg = arg;
	memcpy(r->host, host, strlen(host) + 1);
	snprintf(r->port, sizeof(r->port), "%d", port);
	resolve_ask(r, AI_NUMERICHOST);
	if (r->err == 0) {
		if ((r->ev = evtimer_new(base, resolve_done_cb, r)) == NULL)
			goto fail;
		event_active(r->ev, EV_TIMEOUT, 1);
		return (r);
	}
	if (pipe2(fds, O_CLOEXEC) == -1) {
		err = errno;
		goto fail;
	}
	r->fd = fds[0];
	r->done_fd = fds[1];
	r->ev = event_new(base, r->fd, EV_READ, resolve_done_cb, r);
	if (r->ev == NULL || event_add(r->ev, NULL) == -1)
		goto fail;
	r->refs = 2;
	if ((err = resolve_thread(r)) == 0)
		return (r);
	r->refs = 1;
fail:
	if (fds[1] != -1)
		close(fds[1]);
	resolve_close(r);
	resolve_unref(r);
	errno = err;
	return (NULL);
}

void
resolve_cancel(struct resolve *r)
{
	if (r == NULL)
		return;
	resolve_close(r);
	resolve_unref(r);
}

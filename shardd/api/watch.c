/* kennel.h: descriptors of the application's own, watched by the loop. */
#include <sys/stat.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/budget.h"
#include "shardd/api/surroundings.h"
#include "shardd/api/watch.h"
#include "shardd/kennel.h"

struct kennel_watch {
	struct event	*ev;
	kennel_watch_cb	*cb;
	void		*arg;
	int		 fd;
	int		 events;	/* wanted: KENNEL_READ, KENNEL_WRITE */
};

static struct kennel_watch	**watch_by_fd;
static size_t			 watch_size;	/* of watch_by_fd */

/* The descriptor is ready. */
static void
watch_ready_cb(evutil_socket_t fd, short what, void *arg)
{
	struct kennel_watch	*w = arg;

	budget_begin();			/* the clock sees what w->cb takes */
	w->cb(fd, (what & EV_READ ? KENNEL_READ : 0) |
	    (what & EV_WRITE ? KENNEL_WRITE : 0), w->arg);	/* may free w */
}

/* Is it a descriptor that can be waited for?  0, or -1 with errno. */
static int
watch_check(int fd, int events, kennel_watch_cb *cb)
{
	struct stat	 st;

	if (cb == NULL || (events & ~(KENNEL_READ | KENNEL_WRITE))) {
		errno = EINVAL;
		return (-1);
	}
	if (fstat(fd, &st) == -1)
		return (-1);		/* EBADF */
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		errno = EPERM;
		return (-1);
	}
	if ((size_t)fd < watch_size && watch_by_fd[fd] != NULL) {
		errno = EEXIST;
		return (-1);
	}
	return (0);
}

/* Make room for fd in the table.  0, or -1 with errno. */
static int
watch_room(int fd)
{
	struct kennel_watch	**more;
	size_t			 size = watch_size == 0 ? 64 : watch_size;

	while (size <= (size_t)fd)
		size *= 2;
	if (size == watch_size)
		return (0);
	if ((more = realloc(watch_by_fd, size * sizeof(struct kennel_watch *))) ==
	    NULL)
		return (-1);
	memset(more + watch_size, 0,
	    (size - watch_size) * sizeof(struct kennel_watch *));
	watch_by_fd = more;
	watch_size = size;
	return (0);
}

struct kennel_watch *
kennel_watch(int fd, int events, kennel_watch_cb *cb, void *arg)
{
	struct kennel_watch	*w;
	int			 e;

	if (watch_check(fd, events, cb) == -1 || watch_room(fd) == -1 ||
	    (w = calloc(1, sizeof(*w))) == NULL)
		return (NULL);
	w->cb = cb;
	w->arg = arg;
	w->fd = fd;
	watch_by_fd[fd] = w;
	if (kennel_watch_change(w, events) == -1) {
		e = errno;
		kennel_watch_free(w);
		errno = e;
		return (NULL);
	}
	return (w);
}

int
kennel_watch_change(struct kennel_watch *w, int events)
{
	struct event	*ev;
	short		 what = EV_PERSIST;

	if (w == NULL || (events & ~(KENNEL_READ | KENNEL_WRITE))) {
		errno = w == NULL ? ENOTCONN : EINVAL;
		return (-1);
	}
	if (events == w->events)
		return (0);
	what |= (short)((events & KENNEL_READ ? EV_READ : 0) |
	    (events & KENNEL_WRITE ? EV_WRITE : 0));
	if (events == 0)
		event_del(w->ev);
	else if (w->ev == NULL) {
		if ((ev = event_new(surroundings->base, w->fd, what,
		    watch_ready_cb, w)) == NULL) {
			errno = ENOMEM;
			return (-1);
		}
		w->ev = ev;
		if (event_add(ev, NULL) == -1)
			return (-1);
	} else if (event_del(w->ev) == -1 || event_assign(w->ev,
	    surroundings->base, w->fd, what, watch_ready_cb, w) == -1 ||
	    event_add(w->ev, NULL) == -1)
		return (-1);
	w->events = events;
	return (0);
}

void
kennel_watch_free(struct kennel_watch *w)
{
	if (w == NULL)
		return;
	if (w->ev != NULL)
		event_free(w->ev);
	watch_by_fd[w->fd] = NULL;
	free(w);
}

void
watch_end(void)
{
	for (size_t fd = 0; fd < watch_size; fd++)
		kennel_watch_free(watch_by_fd[fd]);
	free(watch_by_fd);
	watch_by_fd = NULL;
	watch_size = 0;
}

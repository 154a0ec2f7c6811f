/* control.sock: who connects, and who it is. */
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/list.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/sock.h"
#include "gatewayd/door.h"
#include "gatewayd/heritage.h"
#include "gatewayd/paths.h"
#include "proto/channel.h"
#include "proto/control.h"
#include "proto/limits.h"

#define DOOR_FIRST_MS	2000		/* until its first message */
#define DOOR_ANSWER_MS	30000		/* until kennelctl has its answer */
#define DOOR_MAX	(2 * SLOTS_MAX)	/* channels */

struct control_door {
	struct event_base *base;
	const struct door_ops *ops;
	void		*arg;
	struct listener	*listener;
	char		*path;
	struct list	 visitors;
	size_t		 nvisitors;
};

/* One channel for as long as it lives. */
struct visitor {
	struct list	 at;
	struct control_door *door;
	struct control	*control;
	struct shard	*shard;		/* NULL: not a shard, or not yet */
	struct event	*timer;
	pid_t		 pid;
};

static void	 door_accept_cb(int, const struct sockaddr *, socklen_t,
		    void *);
static void	 door_refuse_cb(int, void *);
static int	 visitor_message_cb(struct control *, const struct ctl *, int *,
		    size_t, int, void *);
static void	 visitor_packet_cb(struct control *, void *);
static void	 visitor_sent_cb(struct control *, void *);
static void	 visitor_end_cb(struct control *, const char *, void *);
static void	 visitor_timer_cb(evutil_socket_t, short, void *);
static void	 visitor_free(struct visitor *);

/* What the program before this one listened on, if clients still find it; or -1. */
static int
door_inherit(const char *path)
{
	struct stat	 st;
	int		 fd = heritage_take(HEIR_DOOR, path);

	if (fd != -1 && (lstat(path, &st) == -1 || !S_ISSOCK(st.st_mode))) {
		close(fd);
		return (-1);
	}
	return (fd);
}

struct control_door *
door_new(struct event_base *base, const char *run_dir,
    const struct door_ops *ops, void *arg)
{
	struct control_door	*d;
	struct sock_addr	 a;
	const char		*why;
	char			*text = NULL;
	int			 fd = -1, save;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return (NULL);
	d->base = base;
	d->ops = ops;
	d->arg = arg;
	list_init(&d->visitors);
	if ((d->path = paths_in(run_dir, "control.sock")) == NULL ||
	    asprintf(&text, "unix:%s", d->path) == -1)
		goto fail;
	fd = door_inherit(d->path);
	if (sock_parse(text, &a, &why) == -1 || (fd == -1 &&
	    (fd = sock_listen(&a, SOCK_SEQPACKET, SLOTS_MAX)) == -1) ||
	    chmod(d->path, 0600) == -1)
		goto fail;
	d->listener = listener_new(base, fd, door_accept_cb, door_refuse_cb,
	    d);
	if (d->listener == NULL)
		goto fail;
	free(text);
	return (d);
fail:
	save = errno;
	if (fd != -1)
		close(fd);
	free(text);
	free(d->path);
	free(d);
	errno = save;
	return (NULL);
}

void
door_free(struct control_door *d)
{
	struct list	*l, *tmp;

	if (d == NULL)
		return;
	list_each(l, tmp, &d->visitors)
		visitor_free(list_entry(l, struct visitor, at));
	listener_free(d->listener);
	unlink(d->path);
	free(d->path);
	free(d);
}

void
door_leave_to(const struct control_door *d, struct buf *will)
{
	const struct heir	 h = { .kind = HEIR_DOOR,
				    .fd = listener_fd(d->listener),
				    .name = slice_str(d->path) };

	heritage_leave(will, &h);
}

/* Somebody connects: one of ours has 2 s to say who it is. */
static void
door_accept_cb(int fd, const struct sockaddr *sa, socklen_t len, void *arg)
{
	struct control_door	*d = arg;
	struct visitor		*v;
	struct timeval		 tv = { DOOR_FIRST_MS / 1000,
				    DOOR_FIRST_MS % 1000 * 1000 };
	uid_t			 uid;
	pid_t			 pid;
	char			 name[32];

	(void)sa, (void)len;
	if (sock_peer(fd, &pid, &uid) == -1 ||
	    (uid != geteuid() && uid != 0) || d->nvisitors >= DOOR_MAX) {
		log_warn("control refused: another user, or too many");
		close(fd);
		return;
	}
	if ((v = calloc(1, sizeof(*v))) == NULL) {
		close(fd);
		return;
	}
	v->door = d;
	v->pid = pid;
	list_push(&d->visitors, &v->at);
	d->nvisitors++;
	snprintf(name, sizeof(name), "pid=%d", (int)pid);
	v->control = control_new(d->base, fd, name,
	    visitor_message_cb, visitor_packet_cb, visitor_end_cb, v);
	v->timer = evtimer_new(d->base, visitor_timer_cb, v);
	if (v->control == NULL || v->timer == NULL) {
		if (v->control == NULL)
			close(fd);
		visitor_free(v);
		return;
	}
	control_set_sent_cb(v->control, visitor_sent_cb);
	evtimer_add(v->timer, &tv);
}

/* We are out of descriptors. */
static void
door_refuse_cb(int fd, void *arg)
{
	(void)arg;
	close(fd);
}

/* A message of a visitor: 0, or -1: drop the channel. */
static int
visitor_message_cb(struct control *c, const struct ctl *m, int *fds,
    size_t nfds, int cut, void *arg)
{
	struct visitor			*v = arg;
	const struct control_door	*d = v->door;
	struct timeval			 tv = { DOOR_ANSWER_MS / 1000, 0 };

	if (v->shard != NULL)
		return (d->ops->message(v->shard, m, fds, nfds, cut, d->arg));
	switch (m->type) {
	case CTL_HELLO:
		v->shard = d->ops->hello(c, m, nfds > 0 ? fds : NULL, v->pid,
		    d->arg);
		if (v->shard == NULL)
			return (-1);
		evtimer_del(v->timer);
		return (0);
	case CTL_STATUS_ASK:
	case CTL_FORGET:
	case CTL_ACT:
		evtimer_add(v->timer, &tv);
		return (d->ops->ask(c, m, d->arg));
	default:
		log_warn("control pid=%d message=%s from nobody we know",
		    (int)v->pid, ctl_name(m->type));
		return (-1);
	}
}

/* The end of a packet. */
static void
visitor_packet_cb(struct control *c, void *arg)
{
	struct visitor	*v = arg;

	(void)c;
	if (v->shard != NULL)
		v->door->ops->packet(v->shard, v->door->arg);
}

/* More was sent on a channel that had been stuck. */
static void
visitor_sent_cb(struct control *c, void *arg)
{
	struct visitor	*v = arg;

	(void)c;
	if (v->shard != NULL)
		v->door->ops->sent(v->shard, v->door->arg);
}

/* A channel has ended. */
static void
visitor_end_cb(struct control *c, const char *why, void *arg)
{
	struct visitor	*v = arg;
	struct shard	*s = v->shard;

	(void)c;
	if (s != NULL)
		v->door->ops->end(s, why, v->door->arg);
	visitor_free(v);
}

/* A visitor said nothing, or did not get an answer, in time. */
static void
visitor_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct visitor	*v = arg;

	(void)fd, (void)what;
	log_warn("control pid=%d said nothing in time", (int)v->pid);
	visitor_free(v);
}

/* End a channel, whoever it was. */
static void
visitor_free(struct visitor *v)
{
	list_remove(&v->at);
	v->door->nvisitors--;
	v->door->ops->gone(v->control, v->door->arg);
	control_free(v->control);
	if (v->timer != NULL)
		event_free(v->timer);
	free(v);
}

/* The sockets that clients connect to. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/log.h"
#include "common/proc.h"
#include "common/sock.h"
#include "gatewayd/sockets.h"

#define SOCKETS_PAUSE	0x2u		/* our bit of listener_pause() */

static void	 sockets_unlink_first(const struct sockets *, size_t);

void
sockets_bind(struct sockets *ss, const struct settings *s)
{
	socklen_t		 len = sizeof(int);
	size_t			 n = (size_t)proc_listen_fds();
	int			 listening, keep;

	if (n > LISTEN_MAX)
		fatalx("%zu sockets were passed; at most %d are possible", n,
		    LISTEN_MAX);
	ss->settings = s;
	ss->passed = n > 0;
	ss->nbound = n > 0 ? n : s->nlisten;
	for (size_t i = 0; i < n; i++) {
		ss->bound[i] = 3 + (int)i;
		if (getsockopt(ss->bound[i], SOL_SOCKET, SO_ACCEPTCONN, &listening,
		    &len) == -1 || !listening)
			fatalx("the socket passed as descriptor %d does not "
			    "listen", ss->bound[i]);
	}
	if (ss->passed)
		return;
	for (size_t i = 0; i < s->nlisten; i++) {
		ss->bound[i] = sock_listen(&s->listen[i], SOCK_STREAM,
		    (int)s->backlog);
		if (ss->bound[i] != -1)
			continue;
		keep = errno;
		sockets_unlink_first(ss, i);
		fatalx("cannot listen on %s: %s%s", s->listen_text[i],
		    strerror(keep), keep == EPERM && s->listen[i].perms ?
		    "; only root gives a file to another owner, or to a group "
		    "that it is not in" : keep != EADDRINUSE ? "" : "; is "
		    "another server running? choose another with --listen");
	}
}

int
sockets_give(const struct sockets *ss, const char **path)
{
	const struct settings		*s = ss->settings;
	const struct sockaddr_un	*un;
	unsigned			 perms;

	for (size_t i = 0; i < s->nlisten && !ss->passed; i++) {
		un = (const void *)&s->listen[i].ss;
		perms = s->listen[i].perms;
		if (un->sun_family != AF_UNIX || lchown(un->sun_path,
		    perms & SOCK_OWNER ? (uid_t)-1 : s->uid,
		    perms & SOCK_GROUP ? (gid_t)-1 : s->gid) == 0)
			continue;
		*path = un->sun_path;
		return (-1);
	}
	return (0);
}

int
sockets_listen(struct sockets *ss, struct event_base *base,
    listener_accept_cb *accept_cb, listener_refuse_cb *refuse_cb, void *arg,
    struct buf *where)
{
	struct sockaddr_storage	 sa;
	socklen_t		 len;
	char			 text[128];
	int			 fd;

	for (size_t i = 0; i < ss->nbound; i++) {
		fd = ss->bound[i];
		len = sizeof(sa);
		if (getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
			buf_addf(where, "%s%s", i > 0 ? "," : "",
			    sock_format(text, sizeof(text),
			    (struct sockaddr *)&sa, len));
		ss->listeners[i] = listener_new(base, fd, accept_cb, refuse_cb,
		    arg);
		if (ss->listeners[i] == NULL)
			return (-1);
		ss->nlisteners++;
	}
	ss->nbound = 0;
	return (0);
}

void
sockets_pause(struct sockets *ss, int on)
{
	for (size_t i = 0; i < ss->nlisteners; i++)
		if (on)
			listener_pause(ss->listeners[i], SOCKETS_PAUSE);
		else
			listener_resume(ss->listeners[i], SOCKETS_PAUSE);
}

void
sockets_close(struct sockets *ss)
{
	while (ss->nbound > 0)
		close(ss->bound[--ss->nbound]);
	while (ss->nlisteners > 0)
		listener_free(ss->listeners[--ss->nlisteners]);
}

void
sockets_unlink(const struct sockets *ss)
{
	if (!ss->passed)
		sockets_unlink_first(ss, ss->settings->nlisten);
}

/* The Unix sockets among the first n that we made. */
static void
sockets_unlink_first(const struct sockets *ss, size_t n)
{
	const struct sockaddr_un	*un;

	for (size_t i = 0; i < n; i++) {
		un = (const void *)&ss->settings->listen[i].ss;
		if (un->sun_family == AF_UNIX)
			unlink(un->sun_path);
	}
}

/* The sockets that clients connect to. */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/proc.h"
#include "common/sock.h"
#include "gatewayd/heritage.h"
#include "gatewayd/sockets.h"

#define SOCKETS_PAUSE	0x2u		/* our bit of listener_pause() */

/* How clients come in by a socket that was passed to us without a name of ours. */
static const struct inlet sockets_plain;

/* ---- opening ---- */

/* Another socket. */
static void
sockets_add(struct sockets *ss, const struct inlet *in, int fd, int passed)
{
	struct opening	*o = &ss->list[ss->n++];

	o->all = ss;
	o->inlet = in;
	o->fd = fd;
	o->passed = passed;
	o->awaited = 0;
	o->listener = NULL;
}

/* Sockets that were passed to us, from descriptor 3 on; how many. */
static size_t
sockets_take(struct sockets *ss)
{
	const struct inlet	*in;
	char			*names;
	const char		*at;
	socklen_t		 len = sizeof(int);
	size_t			 n = (size_t)proc_listen_fds(&names), size;
	int			 fd, listening;

	if (n > INLETS_MAX)
		fatalx("%zu sockets were passed; at most %d are possible", n,
		    INLETS_MAX);
	at = names == NULL ? "" : names;
	for (size_t i = 0; i < n; i++) {
		fd = 3 + (int)i;
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening,
		    &len) == -1 || !listening)
			fatalx("the socket passed as descriptor %d does not "
			    "listen", fd);
		size = strcspn(at, ":");
		in = inlets_find(&ss->settings->inlets, at, size);
		sockets_add(ss, in == NULL ? &sockets_plain : in, fd, 1);
		at += size + (at[size] == ':');
	}
	free(names);
	return (n);
}

/* Was a socket passed for a section? */
static int
sockets_has(const struct sockets *ss, const struct inlet *in)
{
	for (size_t i = 0; i < ss->n; i++)
		if (ss->list[i].inlet == in)
			return (1);
	return (0);
}

/* Does fd listen at that address? */
static int
sockets_same(int fd, const struct sock_addr *a)
{
	struct sockaddr_storage	 sa;
	socklen_t		 len = sizeof(sa);
	char			 mine[160], its[160];

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == -1)
		return (0);
	sock_format(its, sizeof(its), (struct sockaddr *)&sa, len);
	sock_format(mine, sizeof(mine), (const struct sockaddr *)&a->ss,
	    a->len);
	return (strcmp(mine, its) == 0);
}

/* Those that were passed to the program before this one in our process; how many. */
static size_t
sockets_inherit_passed(struct sockets *ss)
{
	const struct inlet	*in;
	struct heir		 h;
	size_t			 at = 0, n = 0;

	while (heritage_next(&at, &h)) {
		if (h.kind != HEIR_LISTENER || !(h.flags & HEIR_PASSED) ||
		    ss->n == nitems(ss->list))
			continue;
		in = inlets_find(&ss->settings->inlets, h.name.data,
		    h.name.len);
		sockets_add(ss, in == NULL ? &sockets_plain : in, h.fd, 1);
		n++;
	}
	return (n);
}

/* What the program before this one listened on at that address, or -1. */
static int
sockets_inherit(const struct inlet *in)
{
	struct heir	 h;
	size_t		 at = 0;

	while (heritage_next(&at, &h))
		if (h.kind == HEIR_LISTENER && !(h.flags & HEIR_PASSED) &&
		    sockets_same(h.fd, &in->address))
			return (h.fd);
	return (-1);
}

/* Those that it listened on and that are none of ours any more: nobody is to wait
 * there. */
static void
sockets_disown(const struct sockets *ss)
{
	struct heir	 h;
	size_t		 at = 0, i;

	while (heritage_next(&at, &h)) {
		if (h.kind != HEIR_LISTENER)
			continue;
		for (i = 0; i < ss->n && ss->list[i].fd != h.fd; i++)
			;
		if (i < ss->n)
			continue;
		shutdown(h.fd, SHUT_RDWR);
		close(h.fd);
	}
}

void
sockets_leave_to(const struct sockets *ss, struct buf *will)
{
	const struct opening	*o;
	struct heir		 h;

	for (size_t i = 0; i < ss->n; i++) {
		o = &ss->list[i];
		if (o->listener == NULL)
			continue;
		h = (struct heir){ .kind = HEIR_LISTENER,
		    .fd = listener_fd(o->listener),
		    .flags = o->passed ? HEIR_PASSED : 0,
		    .name = slice_str(!o->passed ? o->inlet->text :
		    o->inlet->label == NULL ? "" : o->inlet->label) };
		heritage_leave(will, &h);
	}
}

/* What the operator can do about it, behind the error's text; "" if nobody knows. */
static const char *
sockets_hint(const struct inlet *in, int error)
{
	switch (error) {
	case EADDRINUSE:
		return ("; is another server running? choose another with "
		    "--listen");
	case EADDRNOTAVAIL:
		return ("; this machine has no such address: ip address shows "
		    "which it has");
	case EACCES:
		return (in->address.ss.ss_family != AF_UNIX ? "; ports below 1024 are "
		    "root's (see --user) or systemd's (kennel.socket)" : "");
	case EPERM:
		return (in->address.perms ? "; only root gives a file to "
		    "another owner, or to a group that it is not in" : "");
	default:
		return ("");
	}
}

/* It cannot be listened on. */
static void
sockets_die(const struct sockets *ss, const struct inlet *in, int error)
{
	sockets_unlink(ss);
	fatalx("cannot listen on %s: %s%s", in->text, strerror(error),
	    sockets_hint(in, error));
}

void
sockets_bind(struct sockets *ss, const struct settings *s, int held)
{
	const struct inlet	*in;
	size_t			 passed;
	int			 fd;

	ss->settings = s;
	ss->n = 0;
	passed = sockets_take(ss) + sockets_inherit_passed(ss);
	for (size_t i = 0; i < s->inlets.n; i++) {
		in = &s->inlets.list[i];
		if (passed > 0 && (in->label == NULL || sockets_has(ss, in)))
			continue;
		if ((fd = sockets_inherit(in)) != -1) {
			sockets_add(ss, in, fd, 0);
			continue;
		}
		fd = sock_listen(&in->address, SOCK_STREAM, (int)s->backlog);
		if (fd != -1) {
			sockets_add(ss, in, fd, 0);
			continue;
		}
		if (errno == EADDRINUSE && held) {
			sockets_add(ss, in, -1, 0);
			ss->list[ss->n - 1].awaited = 1;
			continue;
		}
		if (!in->built_in)
			sockets_die(ss, in, errno);
		log_warn("cannot listen on %s (%s): [listener %s] of the "
		    "built-in configuration is left out; give it another "
		    "address in a file, or name what to listen on",
		    in->text, strerror(errno), in->label);
	}
	sockets_disown(ss);
}

void
sockets_return(struct sockets *ss, int fd)
{
	struct opening	*o;

	for (size_t i = 0; i < ss->n; i++) {
		o = &ss->list[i];
		if (!o->awaited || o->fd != -1 ||
		    !sockets_same(fd, &o->inlet->address))
			continue;
		o->fd = fd;
		o->awaited = 0;
		log_info("listen=%s was held by a shard", o->inlet->text);
		return;
	}
	close(fd);
}

void
sockets_rebind(struct sockets *ss)
{
	struct opening	*o;

	for (size_t i = 0; i < ss->n; i++) {
		o = &ss->list[i];
		if (!o->awaited)
			continue;
		o->awaited = 0;
		o->fd = sock_listen(&o->inlet->address, SOCK_STREAM,
		    (int)ss->settings->backlog);
		if (o->fd == -1)
			sockets_die(ss, o->inlet, errno);
	}
}

int
sockets_next(const struct sockets *ss, size_t *at, const char **name)
{
	const struct opening	*o;

	while (*at < ss->n) {
		o = &ss->list[(*at)++];
		if (o->passed || o->listener == NULL)
			continue;
		*name = o->inlet->text;
		return (listener_fd(o->listener));
	}
	return (-1);
}

/* The path of a Unix socket that we made, or NULL. */
static const char *
sockets_path(const struct opening *o)
{
	const struct sockaddr_un	*un = (const void *)
					    &o->inlet->address.ss;

	return (o->passed || un->sun_family != AF_UNIX ? NULL : un->sun_path);
}

int
sockets_give(const struct sockets *ss, const char **path)
{
	const struct settings	*s = ss->settings;
	unsigned		 perms;

	for (size_t i = 0; i < ss->n; i++) {
		if ((*path = sockets_path(&ss->list[i])) == NULL)
			continue;
		perms = ss->list[i].inlet->address.perms;
		if (lchown(*path, perms & SOCK_OWNER ? (uid_t)-1 : s->uid,
		    perms & SOCK_GROUP ? (gid_t)-1 : s->gid) == -1)
			return (-1);
	}
	return (0);
}

/* ---- accepting ---- */

/* A client has come in. */
static void
sockets_accepted_cb(int fd, const struct sockaddr *sa, socklen_t len,
    void *arg)
{
	const struct opening	*o = arg;

	o->all->accept_cb(fd, sa, len, o->inlet, o->all->arg);
}

/* A client has come, and there is no descriptor for it. */
static void
sockets_refused_cb(int fd, void *arg)
{
	const struct opening	*o = arg;

	o->all->refuse_cb(fd, o->inlet, o->all->arg);
}

int
sockets_listen(struct sockets *ss, struct event_base *base,
    sockets_accept_cb *accept_cb, sockets_refuse_cb *refuse_cb, void *arg,
    struct buf *where)
{
	struct sockaddr_storage	 sa;
	struct opening		*o;
	socklen_t		 len;
	char			 text[128];

	ss->accept_cb = accept_cb;
	ss->refuse_cb = refuse_cb;
	ss->arg = arg;
	for (size_t i = 0; i < ss->n; i++) {
		o = &ss->list[i];
		len = sizeof(sa);
		if (getsockname(o->fd, (struct sockaddr *)&sa, &len) == 0)
			buf_addf(where, "%s%s", i > 0 ? "," : "",
			    sock_format(text, sizeof(text),
			    (struct sockaddr *)&sa, len));
		o->listener = listener_new(base, o->fd, sockets_accepted_cb,
		    sockets_refused_cb, o);
		if (o->listener == NULL)
			return (-1);
		o->fd = -1;
	}
	return (0);
}

int
sockets_listening(const struct sockets *ss)
{
	return (ss->n > 0 && ss->list[0].listener != NULL);
}

void
sockets_pause(struct sockets *ss, int on)
{
	for (size_t i = 0; i < ss->n; i++) {
		if (ss->list[i].listener == NULL)
			continue;
		if (on)
			listener_pause(ss->list[i].listener, SOCKETS_PAUSE);
		else
			listener_resume(ss->list[i].listener, SOCKETS_PAUSE);
	}
}

void
sockets_close(struct sockets *ss)
{
	struct opening	*o;

	for (size_t i = 0; i < ss->n; i++) {
		o = &ss->list[i];
		/* Shards hold it, too: nobody is to wait there any longer. */
		if (o->listener != NULL && !o->passed)
			shutdown(listener_fd(o->listener), SHUT_RDWR);
		listener_free(o->listener);
		o->listener = NULL;
		if (o->fd != -1)
			close(o->fd);
		o->fd = -1;
	}
}

void
sockets_unlink(const struct sockets *ss)
{
	const char	*path;

	for (size_t i = 0; i < ss->n; i++)
		if ((path = sockets_path(&ss->list[i])) != NULL)
			unlink(path);
}

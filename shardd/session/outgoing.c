/* Connections that an application opens itself. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/dial.h"
#include "proto/capsule.h"
#include "shardd/session/outgoing.h"
#include "shardd/session/session.h"
#include "shardd/session/sessions.h"

#define OUTGOING_MS	10000

/* One that is under way. */
struct outgoing {
	struct list	 at;		/* sessions->outgoing */
	struct sessions	*sessions;
	const struct kennel_app *app;
	struct dial	*dial;
	kennel_dial_cb	*done;
	void		*arg;
};

/* The connection is there: its session, or NULL with errno.  fd is taken. */
static struct conn *
outgoing_open(struct outgoing *o, int fd, const char *peer)
{
	struct capsule	 cap;
	struct conn	*c;

	memset(&cap, 0, sizeof(cap));
	cap.id = bytes_random64();
	cap.protocol = CAPSULE_RAW;
	cap.flags = CAPSULE_F_DIALED;
	cap.peer = slice_str(peer);
	if ((c = session_adopt(o->sessions, &cap, o->app, NULL, fd)) == NULL) {
		close(fd);
		return (NULL);
	}
	c->data = o->arg;
	session_start(c);
	if ((c->flags & CONN_F_OPENED) && (c->flags & CONN_F_DOOMED) == 0)
		return (c);
	errno = ECONNABORTED;		/* onopen did not want it */
	return (NULL);
}

/* It has come to this. */
static void
outgoing_done_cb(int fd, const char *peer, int err, void *arg)
{
	struct outgoing	*o = arg;
	struct conn	*c = NULL;

	list_remove(&o->at);
	if (fd != -1 && (c = outgoing_open(o, fd, peer)) == NULL)
		err = errno;
	if (o->done != NULL)
		o->done(c == NULL ? NULL : conn_socket(c), err, o->arg);
	free(o);
}

int
outgoing_dial(struct sessions *s, struct event_base *base,
    const struct kennel_app *app, const char *address, unsigned ms,
    kennel_dial_cb *done, void *arg)
{
	struct outgoing	*o;
	int		 keep;

	if ((o = calloc(1, sizeof(*o))) == NULL)
		return (-1);
	*o = (struct outgoing){ .sessions = s, .app = app, .done = done,
	    .arg = arg };
	o->dial = dial_new(base, address, ms == 0 ? OUTGOING_MS : ms,
	    outgoing_done_cb, o);
	if (o->dial == NULL) {
		keep = errno;
		free(o);
		errno = keep;
		return (-1);
	}
	list_push(&s->outgoing, &o->at);
	return (0);
}

void
outgoing_end(struct sessions *s)
{
	struct outgoing	*o;

	while (!list_empty(&s->outgoing)) {
		o = list_entry(s->outgoing.next, struct outgoing, at);
		dial_cancel(o->dial);
		outgoing_done_cb(-1, "", ECANCELED, o);
	}
}

/*
 * Unix sockets between the shards of a node: the carrier of their links.
 *
 * A wire is one connection.  The lower slot dials; both sides say HELLO first, and a
 * wire that was accepted belongs to a link as soon as its HELLO says which one.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/list.h"
#include "common/listener.h"
#include "common/log.h"
#include "common/sock.h"
#include "proto/channel.h"
#include "shardd/peers/link.h"
#include "shardd/peers/wire.h"

#define WIRE_HELLO_MS	2000		/* for the other side's HELLO */
#define WIRE_FEED	(256 << 10)	/* bytes in the queue of frames */
#define WIRE_CALLERS	SLOTS_MAX

struct wires {
	struct links	*links;
	struct listener	*listener;
	struct list	 callers;	/* struct wire, that belong to no link yet */
	char		*path;
};

struct wire {
	struct carrier	 carrier;
	struct list	 at;		/* wires->callers */
	struct wires	*wires;
	struct link	*link;		/* NULL: its caller is not known yet */
	struct frames	*frames;
	struct event	*timer;		/* for its HELLO */
	uint64_t	 passed_over;	/* messages of a later version */
};

static void	 wire_free(struct wire *wire);
static struct wire *wire_new(struct wires *ws, struct link *l, int fd);

/* ---- the carrier ---- */

/* carrier_ops: a message goes into the queue of frames. */
static int
wire_send(struct carrier *c, struct slice head, struct slice payload)
{
	return (frames_send(container_of(c, struct wire, carrier)->frames, head,
	    payload));
}

/* carrier_ops: bytes in that queue. */
static size_t
wire_queued(struct carrier *c)
{
	return (frames_queued(container_of(c, struct wire, carrier)->frames));
}

/* carrier_ops: send what the socket takes now. */
static void
wire_flush(struct carrier *c)
{
	frames_flush(container_of(c, struct wire, carrier)->frames);
}

/* carrier_ops: the link lets go of its wire. */
static void
wire_free_carrier(struct carrier *c)
{
	wire_free(container_of(c, struct wire, carrier));
}

static const struct carrier_ops wire_ops = {
	wire_send, wire_queued, wire_flush, wire_free_carrier
};

/* Close a wire. */
static void
wire_free(struct wire *wire)
{
	list_remove(&wire->at);
	if (wire->timer != NULL)
		event_free(wire->timer);
	frames_free(wire->frames);
	free(wire);
}

/* A wire ended, whoever it belongs to. */
static void
wire_end(struct wire *wire, const char *why)
{
	if (wire->link != NULL)
		link_down(wire->link, why);	/* frees wire */
	else {
		log_debug("link caller ended: %s", why);
		wire_free(wire);
	}
}

/* The socket ended, or sent what is no frame. */
static void
wire_end_cb(struct frames *f, const char *why, void *arg)
{
	(void)f;
	wire_end(arg, why);
}

/* No HELLO came in time. */
static void
wire_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	wire_end(arg, "no hello");
}

/* The queue of frames has room again. */
static void
wire_drained_cb(struct frames *f, void *arg)
{
	struct wire	*wire = arg;

	(void)f;
	if (wire->link != NULL)
		link_drained(wire->link);
}

/* Our HELLO.  0, or -1 without memory. */
static int
wire_say_hello(struct wire *wire)
{
	const struct peer_id *self = links_self(wire->wires->links);
	struct gossip	 m = { .type = GOSSIP_HELLO, .slot = self->slot,
			    .incarnation = self->incarnation,
			    .low = WIRE_OLDEST,
			    .high = links_version(wire->wires->links) };
	struct buf	 b = { 0 };
	int		 rv = -1;

	gossip_encode(&b, &m, WIRE_VERSION);
	if (!b.failed)
		rv = frames_send(wire->frames, slice_of(b.data, b.len),
		    slice_of(NULL, 0));
	buf_clear(&b);
	return (rv);
}

/* The other side's HELLO.  NULL: it may go on; else why it may not. */
static const char *
wire_hello(struct wire *wire, const struct gossip *m)
{
	const struct peer_id	 peer = { NULL, m->slot, m->incarnation };
	struct links		*ls = wire->wires->links;
	struct link		*l = wire->link;
	unsigned		 version;

	if (m->type != GOSSIP_HELLO)
		return ("it did not say hello");
	version = wire_common(m->low, m->high, links_version(ls));
	if (version == 0)
		return ("no version in common");
	if (m->incarnation == links_self(ls)->incarnation)
		return ("it says that it is us");
	if (l == NULL) {
		if (m->slot > links_self(ls)->slot)
			return ("the lower slot dials");
		if ((l = link_get(ls, &peer, NULL)) == NULL)
			return ("no memory");
		if (link_carrier(l) != NULL)
			return ("there is a link already");
		if (wire_say_hello(wire) == -1)
			return ("no memory");
		list_remove(&wire->at);
		wire->link = l;
	} else if (!peer_same(&peer, link_peer(l)))
		return ("somebody else answered");
	event_free(wire->timer);
	wire->timer = NULL;
	link_up(l, &wire->carrier, version);
	return (NULL);
}

/* A frame: HELLO, or a message for the link. */
static int
wire_message_cb(struct frames *f, const char *data, size_t len, void *arg)
{
	struct wire	*wire = arg;
	struct gossip	 m;
	const char	*why;

	(void)f;
	switch (gossip_decode(&m, data, len)) {
	case -1:
		log_warn("link peer=%d error=\"not a message\"",
		    wire->link == NULL ? -1 : (int)link_slot(wire->link));
		return (-1);
	case 1:
		if (wire->timer != NULL)
			return (-1);		/* HELLO comes first */
		if (wire->passed_over++ == 0)
			log_info("link slot=%u sends messages of a later version,"
			    " which are passed over", link_slot(wire->link));
		return (0);
	}
	if (wire->timer == NULL)
		return (link_message(wire->link, &m));
	if ((why = wire_hello(wire, &m)) != NULL) {
		log_warn("link slot=%u refused: %s", m.slot, why);
		return (-1);
	}
	return (0);
}

/* fd is taken, unless NULL with errno.  l NULL: its HELLO will say whose it is. */
static struct wire *
wire_new(struct wires *ws, struct link *l, int fd)
{
	struct timeval	 tv = { WIRE_HELLO_MS / 1000, 0 };
	struct event_base *base = links_base(ws->links);
	struct wire	*wire;
	char		 name[32];
	uid_t		 uid;

	if (sock_peer(fd, NULL, &uid) == -1)
		return (NULL);
	if (uid != geteuid()) {
		log_warn("link uid=%u refused: not ours", (unsigned)uid);
		errno = EPERM;
		return (NULL);
	}
	if (l != NULL)
		snprintf(name, sizeof(name), "shard/%u", link_slot(l));
	else
		snprintf(name, sizeof(name), "shard/caller");
	if ((wire = calloc(1, sizeof(*wire))) == NULL)
		return (NULL);
	wire->carrier.ops = &wire_ops;
	wire->carrier.room = WIRE_FEED;
	list_init(&wire->at);
	wire->wires = ws;
	wire->link = l;
	if ((wire->timer = evtimer_new(base, wire_timer_cb, wire)) == NULL ||
	    evtimer_add(wire->timer, &tv) == -1)
		goto fail;
	wire->frames = frames_new(base, fd, name, wire_message_cb, wire_end_cb,
	    wire_drained_cb, WIRE_FEED, wire);
	if (wire->frames == NULL)
		goto fail;
	if (l == NULL)
		list_push(&ws->callers, &wire->at);
	return (wire);
fail:
	if (wire->timer != NULL)
		event_free(wire->timer);
	free(wire);
	errno = ENOMEM;
	return (NULL);
}

/* ---- dialling and listening ---- */

/* The lower slot dials; of two incarnations of one slot, the lower. */
static int
wires_are_to_dial(const struct peer_id *self, const struct peer_id *peer)
{
	if (self->slot != peer->slot)
		return (self->slot < peer->slot);
	return (self->incarnation < peer->incarnation);
}

/* If that shard of our node is ours to dial: a wire, which has said HELLO. */
static struct carrier *
wires_dial(void *arg, struct link *l, const char *path)
{
	const struct peer_id	*peer = link_peer(l);
	struct wires		*ws = arg;
	struct wire		*wire;
	int			 fd;

	if (path == NULL ||
	    !wires_are_to_dial(links_self(ws->links), peer))
		return (NULL);
	if ((fd = sock_connect_unix(path, SOCK_STREAM)) == -1) {
		log_debug("link slot=%u dial failed: %s", peer->slot,
		    strerror(errno));
		return (NULL);
	}
	if ((wire = wire_new(ws, l, fd)) == NULL) {
		close(fd);
		return (NULL);
	}
	if (wire_say_hello(wire) == -1) {
		wire_free(wire);
		return (NULL);
	}
	return (&wire->carrier);
}

/* Another shard dialled. */
static void
wires_accept_cb(int fd, const struct sockaddr *peer, socklen_t len, void *arg)
{
	(void)peer, (void)len;
	if (wire_new(arg, NULL, fd) == NULL)
		close(fd);		/* it dials again */
}

/* Out of descriptors: the caller will dial again. */
static void
wires_refuse_cb(int fd, void *arg)
{
	(void)arg;
	close(fd);
}

/* The listening socket at path.  -1 with errno. */
static int
wires_socket(const char *path)
{
	struct sock_addr	 a;
	struct buf		 text = { 0 };
	const char		*why;
	int			 rv;

	if (buf_addf(&text, "unix:%s", path) == -1)
		return (-1);
	rv = sock_parse(text.data, &a, &why);
	buf_clear(&text);
	return (rv == -1 ? -1 : sock_listen(&a, SOCK_STREAM, WIRE_CALLERS));
}

struct wires *
wires_new(struct links *ls, const char *path)
{
	struct wires	*ws;
	int		 fd;

	if ((ws = calloc(1, sizeof(*ws))) == NULL)
		return (NULL);
	ws->links = ls;
	list_init(&ws->callers);
	if ((ws->path = strdup(path)) == NULL)
		goto fail;
	if ((fd = wires_socket(path)) == -1)
		goto fail;
	ws->listener = listener_new(links_base(ls), fd, wires_accept_cb,
	    wires_refuse_cb, ws);
	if (ws->listener == NULL) {
		close(fd);
		errno = ENOMEM;
		goto fail;
	}
	links_set_dial(ls, LINKS_NODE, wires_dial, ws);
	return (ws);
fail:
	free(ws->path);
	free(ws);
	return (NULL);
}

void
wires_free(struct wires *ws)
{
	if (ws == NULL)
		return;
	listener_free(ws->listener);
	unlink(ws->path);
	links_set_dial(ws->links, LINKS_NODE, NULL, NULL);
	while (!list_empty(&ws->callers))
		wire_free(list_entry(ws->callers.next, struct wire, at));
	free(ws->path);
	free(ws);
}

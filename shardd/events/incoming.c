/* Streams that clients send. */
#include <errno.h>

#include "common/log.h"
#include "common/spare.h"
#include "shardd/events/handlers.h"
#include "shardd/events/incoming.h"
#include "shardd/events/inside.h"
#include "shardd/events/message.h"
#include "shardd/events/relay.h"
#include "shardd/events/sockets.h"

struct events_incoming {
	struct list	 at;		/* socket->incoming */
	struct bag_node	 by_id;		/* server->incoming */
	struct events_socket *socket;
	uint32_t	 id;
	struct relay	*relay;		/* NULL: it is for the server */
	const struct events_stream_ops *ops;
	void		*data;		/* the program's */
	int		 held;		/* by the program */
};

/* The receivers are over their marks, or no more: their sender waits. */
static void
incoming_press(void *arg, int high)
{
	struct events_incoming	*in = arg;

	sockets_hold(in->socket, high);
}

static const struct relay_source incoming_source = { incoming_press };

/* Of a client and an id, which it has chosen. */
static uint32_t
incoming_hash(const struct events_socket *s, uint32_t id)
{
	const uint64_t	 key[2] = { (uintptr_t)s, id };

	return (bag_hash(key, sizeof(key)));
}

/* The stream id of s, or NULL. */
static struct events_incoming *
incoming_find(const struct events_socket *s, uint32_t id)
{
	struct bag_node		*n = bag_find(&s->server->incoming,
				    incoming_hash(s, id));
	struct events_incoming	*in;

	for (; n != NULL; n = bag_again(n)) {
		in = container_of(n, struct events_incoming, by_id);
		if (in->socket == s && in->id == id)
			return (in);
	}
	return (NULL);
}

/* in is over; cut: its sender did not say so. */
static void
incoming_end(struct events_incoming *in, int cut)
{
	struct events_socket	*s = in->socket;

	bag_remove(&s->server->incoming, &in->by_id);
	list_remove(&in->at);
	s->nincoming--;
	if (in->relay != NULL)
		relay_end(in->relay, cut ? NULL : s);
	else if (in->ops != NULL && in->ops->end != NULL)
		in->ops->end(in, cut);
	if (in->held)
		sockets_hold(s, 0);
	spare_put(in, sizeof(*in));
}

/* A stream of s, in place of one with its id that is still open.  NULL: it has too many,
 * or there is no memory. */
static struct events_incoming *
incoming_new(struct events_socket *s, uint32_t id)
{
	struct events_incoming	*in = incoming_find(s, id);

	if (in != NULL)
		incoming_end(in, 1);
	if (s->nincoming >= STREAMS_MAX) {
		if (!s->warned)
			log_info("events id=%s has %d streams open, more are "
			    "passed over", events_socket_id(s), STREAMS_MAX);
		s->warned = 1;
		return (NULL);
	}
	if ((in = spare_zero(sizeof(*in))) == NULL)
		return (NULL);
	in->socket = s;
	in->id = id;
	if (bag_insert(&s->server->incoming, &in->by_id,
	    incoming_hash(s, id)) == -1) {
		spare_put(in, sizeof(*in));
		return (NULL);
	}
	list_push(&s->incoming, &in->at);
	s->nincoming++;
	return (in);
}

void
incoming_open_relay(struct events_socket *s, const struct fasttcp_frame *f,
    const struct targets *t)
{
	struct events_incoming	*in;

	if ((in = incoming_new(s, f->id)) == NULL)
		return;
	if ((in->relay = relay_open(s->server, s, t, f, &incoming_source,
	    in)) == NULL) {
		log_debug("events id=%s stream not opened: %s",
		    events_socket_id(s), strerror(errno));
		incoming_end(in, 1);
	}
}

/* A stream for the server, and who may want it. */
struct offer {
	struct events_incoming *in;
	const struct handler *handler;
};

/* Does the program want it? */
static void
incoming_offer(struct events_socket *s, const struct events_message *m,
    void *arg)
{
	const struct offer		*o = arg;
	const struct events_stream_ops	*ops = o->handler->stream;

	(void)s;
	if (ops->open(o->in, m, o->handler->stream_arg) == 0)
		o->in->ops = ops;
}

void
incoming_open_own(struct events_socket *s, const struct fasttcp_frame *f,
    int ack)
{
	struct offer	 o = { .handler = handlers_find(s->server->events,
			    f->event) };

	if (o.handler == NULL || o.handler->stream == NULL) {
		if ((o.in = incoming_find(s, f->id)) != NULL)
			incoming_end(o.in, 1);
		return;
	}
	if ((o.in = incoming_new(s, f->id)) == NULL)
		return;
	message_give(s, f, ack, incoming_offer, &o);
	if (o.in->ops == NULL)
		incoming_end(o.in, 1);
}

void
incoming_chunk(struct events_socket *s, const struct fasttcp_frame *f)
{
	struct events_incoming	*in = incoming_find(s, f->id);

	/* A receiver would not survive others. */
	if (in == NULL || (f->data_type != FASTTCP_STRING &&
	    f->data_type != FASTTCP_BINARY))
		return;
	if (in->relay != NULL)
		relay_chunk(in->relay, s, f->data_type, f->data);
	else if (in->ops->data != NULL)
		in->ops->data(in, f->data.data, f->data.len);
}

void
incoming_close(struct events_socket *s, const struct fasttcp_frame *f)
{
	struct events_incoming	*in = incoming_find(s, f->id);

	if (in != NULL)
		incoming_end(in, 0);
}

void
incoming_socket_gone(struct events_socket *s)
{
	size_t	 cut = s->nincoming;

	while (!list_empty(&s->incoming))
		incoming_end(list_entry(s->incoming.next,
		    struct events_incoming, at), 1);
	if (cut > 0)
		log_debug("events id=%s was lost amid streams=%zu, which end",
		    events_socket_id(s), cut);
}

/* ---- kennel-events.h ---- */

struct events_socket *
events_incoming_socket(const struct events_incoming *in)
{
	return (in->socket);
}

void
events_incoming_set_data(struct events_incoming *in, void *data)
{
	in->data = data;
}

void *
events_incoming_data(const struct events_incoming *in)
{
	return (in->data);
}

void
events_incoming_pause(struct events_incoming *in)
{
	if (in->held)
		return;
	in->held = 1;
	sockets_hold(in->socket, 1);
}

void
events_incoming_resume(struct events_incoming *in)
{
	if (!in->held)
		return;
	in->held = 0;
	sockets_hold(in->socket, 0);
}

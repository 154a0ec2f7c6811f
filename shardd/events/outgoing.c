/* Streams of the server's own. */
#include <errno.h>

#include "common/spare.h"
#include "common/turn.h"
#include "shardd/events/acks.h"
#include "shardd/events/inside.h"
#include "shardd/events/lists.h"
#include "shardd/events/outgoing.h"
#include "shardd/events/relay.h"
#include "shardd/events/values.h"

struct events_outgoing {
	struct list	 at;		/* server->outgoing */
	struct list	 of_socket;	/* socket->outgoing; or in none */
	struct events_server *server;
	struct events_socket *socket;	/* for it alone; NULL: for several */
	struct relay	*relay;
	uint32_t	 id;		/* of its frames, for one socket */
	uint8_t		 asked;		/* the client is to answer */
	uint8_t		 high;		/* wait */
	struct turn_work drained;	/* no more */
	const struct events_outgoing_ops *ops;
	void		*arg;
};

static const struct events_outgoing_ops outgoing_no_ops;

/* Receivers are over their marks, or no more. */
static void
outgoing_press(void *arg, int high)
{
	struct events_outgoing	*o = arg;

	o->high = high != 0;
	if (!high && o->relay != NULL && o->ops->drained != NULL)
		turn_add(&o->drained, TURN_CLIENTS);
}

/* The work of a turn, for the program may end its stream in it: it may go on. */
static void
outgoing_drained(void *arg)
{
	struct events_outgoing	*o = arg;

	if (!o->high)
		o->ops->drained(o);
}

static const struct relay_source outgoing_source = { outgoing_press };

/* The client answers, or has gone. */
static void
outgoing_answer_cb(struct events_server *v, const struct events_value *answer,
    void *arg)
{
	struct events_outgoing	*o = arg;

	(void)v;
	o->asked = 0;
	o->ops->answer(o, answer);
}

/* A stream that is not open yet.  NULL without memory. */
static struct events_outgoing *
outgoing_new(struct events_server *v, const struct events_outgoing_ops *ops,
    void *arg)
{
	struct events_outgoing	*o;

	if ((o = spare_zero(sizeof(*o))) == NULL)
		return (NULL);
	o->server = v;
	o->ops = ops != NULL ? ops : &outgoing_no_ops;
	o->arg = arg;
	turn_work_init(&o->drained, outgoing_drained, o);
	list_init(&o->of_socket);
	list_push(&v->outgoing, &o->at);
	return (o);
}

/* o is over; the receivers have been told, if there are any. */
static void
outgoing_free(struct events_outgoing *o)
{
	list_remove(&o->at);
	list_remove(&o->of_socket);
	turn_cancel(&o->drained);
	if (o->asked)
		asked_forget(o->socket, o->id);
	spare_put(o, sizeof(*o));
}

/* o ends, and its receivers hear so. */
static void
outgoing_end(struct events_outgoing *o)
{
	struct relay	*r = o->relay;

	o->relay = NULL;		/* it is drained no more */
	if (r != NULL)
		relay_end(r, NULL);
	if (o->ops->end != NULL)
		o->ops->end(o);
	outgoing_free(o);
}

struct events_outgoing *
events_stream(struct events_server *v, const char *name,
    struct events_value info, const struct events_to *to,
    const struct events_outgoing_ops *ops, void *arg)
{
	struct fasttcp_frame	 f = { .event = slice_str(name) };
	struct events_outgoing	*o;
	struct targets		 t;
	struct value_bytes	 b;
	struct lists		 l;

	if (lists_of(&l, to, &t) == -1)
		return (NULL);
	if ((o = outgoing_new(v, ops, arg)) == NULL)
		goto out;
	if (value_frame(&f, &info, v->events->serializer, &b) == 0)
		o->relay = relay_open(v, NULL, &t, &f, &outgoing_source, o);
	value_bytes_clear(&b);
	if (o->relay == NULL) {
		outgoing_free(o);
		o = NULL;
	}
out:
	lists_clear(&l);
	return (o);
}

struct events_outgoing *
events_socket_stream(struct events_socket *s, const char *name,
    struct events_value info, const struct events_outgoing_ops *ops, void *arg)
{
	struct fasttcp_frame	 f = { .event = slice_str(name) };
	struct events_outgoing	*o;
	struct value_bytes	 b;

	if ((o = outgoing_new(s->server, ops, arg)) == NULL)
		return (NULL);
	o->socket = s;
	list_push(&s->outgoing, &o->of_socket);
	if (value_frame(&f, &info, s->server->events->serializer, &b) == 0)
		o->relay = relay_open_one(s, o->ops->answer != NULL, &f,
		    &outgoing_source, o, &o->id);
	value_bytes_clear(&b);
	if (o->relay == NULL) {
		outgoing_free(o);
		return (NULL);
	}
	if (o->ops->answer != NULL && asked_new(s, o->id, outgoing_answer_cb,
	    o) == 0)
		o->asked = 1;
	return (o);
}

void *
events_stream_arg(const struct events_outgoing *o)
{
	return (o->arg);
}

int
events_stream_write(struct events_outgoing *o, const char *data, size_t len)
{
	int	 r = relay_chunk(o->relay, NULL, FASTTCP_BINARY,
		    slice_of(data, len));

	return (r == 0 ? o->high : r);
}

void
events_stream_close(struct events_outgoing *o)
{
	if (o != NULL)
		outgoing_end(o);
}

void
outgoing_socket_gone(struct events_socket *s)
{
	/* The first each time: the program may end others meanwhile. */
	while (!list_empty(&s->outgoing))
		outgoing_end(list_entry(s->outgoing.next,
		    struct events_outgoing, of_socket));
}

void
outgoing_clear(struct events_server *v)
{
	while (!list_empty(&v->outgoing))
		outgoing_end(list_entry(v->outgoing.next,
		    struct events_outgoing, at));
}

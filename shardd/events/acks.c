/* Answers, both ways. */
#include <errno.h>

#include "common/spare.h"
#include "shardd/events/acks.h"
#include "shardd/events/inside.h"
#include "shardd/events/sockets.h"
#include "shardd/events/transit.h"
#include "shardd/events/values.h"

struct events_ack {
	struct list	 at;		/* socket->acks */
	struct events_socket *socket;	/* NULL: it has gone */
	uint32_t	 id;
	uint8_t		 kept;
	uint8_t		 answered;	/* by its handler, which still has it */
	uint8_t		 handling;
};

struct asked {
	struct list	 at;		/* socket->asked */
	struct bag_node	 by_id;		/* server->asked */
	struct events_socket *socket;
	uint32_t	 id;
	events_answer_cb *cb;		/* NULL: there is raw */
	void		*arg;
	asked_raw_cb	*raw;
	uint64_t	 number;	/* for raw */
};

/* ---- what clients wait for ---- */

struct events_ack *
acks_new(struct events_socket *s, uint32_t id)
{
	struct events_ack	*ack;

	if ((ack = spare_zero(sizeof(*ack))) == NULL)
		return (NULL);
	ack->socket = s;
	ack->id = id;
	ack->handling = 1;
	list_push(&s->acks, &ack->at);
	return (ack);
}

/* Nobody has ack any more. */
static void
acks_free(struct events_ack *ack)
{
	list_remove(&ack->at);
	if (ack->socket != NULL)
		transit_touch(ack->socket);
	spare_put(ack, sizeof(*ack));
}

void
acks_handled(struct events_ack *ack)
{
	if (ack == NULL)
		return;
	ack->handling = 0;
	if (ack->answered || !ack->kept)
		acks_free(ack);
}

struct events_ack *
events_ack_keep(struct events_ack *ack)
{
	if (ack != NULL)
		ack->kept = 1;
	return (ack);
}

/* Send the answer, if the client is there: 0, or -1 with errno. */
static int
acks_send(const struct events_ack *ack, const struct events_value *v)
{
	struct fasttcp_frame	 f = { .type = FASTTCP_ACK, .id = ack->id };
	struct value_bytes	 b;
	int			 r;

	if (ack->socket == NULL || ack->answered)
		return (0);
	if ((r = value_frame(&f, v, ack->socket->server->events->serializer,
	    &b)) == 0)
		r = sockets_send(ack->socket, &f);
	value_bytes_clear(&b);
	return (r);
}

int
events_answer(struct events_ack *ack, struct events_value v)
{
	int	 r;

	if (ack == NULL)
		return (0);
	r = acks_send(ack, &v);
	ack->answered = 1;
	if (!ack->handling)
		acks_free(ack);
	return (r);
}

/* ---- what is awaited of clients ---- */

/* Of s and an id. */
static uint32_t
asked_hash(const struct events_socket *s, uint32_t id)
{
	return (bag_hash_id((uint64_t)(uintptr_t)s * 31 + id));
}

/* One more of s.  NULL with errno ENOMEM. */
static struct asked *
asked_add(struct events_socket *s, uint32_t id)
{
	struct asked	*a;

	if ((a = spare_zero(sizeof(*a))) == NULL)
		return (NULL);
	a->socket = s;
	a->id = id;
	if (bag_insert(&s->server->asked, &a->by_id, asked_hash(s, id)) ==
	    -1) {
		spare_put(a, sizeof(*a));
		return (NULL);
	}
	list_push(&s->asked, &a->at);
	transit_touch(s);
	return (a);
}

int
asked_new(struct events_socket *s, uint32_t id, events_answer_cb *cb,
    void *arg)
{
	struct asked	*a = asked_add(s, id);

	if (a == NULL)
		return (-1);
	a->cb = cb;
	a->arg = arg;
	return (0);
}

int
asked_new_raw(struct events_socket *s, uint32_t id, asked_raw_cb *cb,
    uint64_t number)
{
	struct asked	*a = asked_add(s, id);

	if (a == NULL)
		return (-1);
	a->raw = cb;
	a->number = number;
	return (0);
}

/* The question id to s, or NULL. */
static struct asked *
asked_find(const struct events_socket *s, uint32_t id)
{
	struct bag_node	*n = bag_find(&s->server->asked, asked_hash(s, id));
	struct asked	*a;

	for (; n != NULL; n = bag_again(n)) {
		a = container_of(n, struct asked, by_id);
		if (a->socket == s && a->id == id)
			return (a);
	}
	return (NULL);
}

/* a is no more. */
static void
asked_free(struct asked *a)
{
	bag_remove(&a->socket->server->asked, &a->by_id);
	list_remove(&a->at);
	transit_touch(a->socket);
	spare_put(a, sizeof(*a));
}

void
asked_forget(struct events_socket *s, uint32_t id)
{
	struct asked	*a = asked_find(s, id);

	if (a != NULL)
		asked_free(a);
}

/* a is answered with f, or never will be (NULL). */
static void
asked_end(struct asked *a, const struct fasttcp_frame *f)
{
	struct events_server		*server = a->socket->server;
	const struct events_serializer	*how = server->events->serializer;
	const struct asked		 was = *a;
	struct events_value		 v;

	asked_free(a);
	if (was.cb == NULL)
		was.raw(server, f, was.number);
	else if (f == NULL)
		was.cb(server, NULL, was.arg);
	else {
		value_of(&v, f->data_type, f->data, how);
		was.cb(server, &v, was.arg);
		value_end(&v, how);
	}
}

void
asked_answer(struct events_socket *s, const struct fasttcp_frame *f)
{
	struct asked	*a = asked_find(s, f->id);

	if (a != NULL)
		asked_end(a, f);
}

void
acks_socket_gone(struct events_socket *s)
{
	struct events_ack	*ack;

	while (!list_empty(&s->asked))
		asked_end(list_entry(s->asked.next, struct asked, at), NULL);
	while (!list_empty(&s->acks)) {
		ack = list_entry(s->acks.next, struct events_ack, at);
		list_remove(&ack->at);
		ack->socket = NULL;	/* its keeper frees it */
	}
}

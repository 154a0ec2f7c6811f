/* What the holder of the network has for other hosts, and what comes from there. */
#include <stdlib.h>

#include "common/log.h"
#include "shardd/events/abroad.h"
#include "shardd/events/asking.h"
#include "shardd/events/holder_far.h"
#include "shardd/events/holder_in.h"
#include "shardd/events/inside.h"
#include "shardd/events/network.h"
#include "shardd/events/notices.h"
#include "shardd/events/say.h"
#include "shardd/events/uplink.h"
#include "shardd/events/waits.h"

/* ---- of the network ---- */

/* The network has f for a link; whoever says it waits while that is over its mark. */
static void
holder_send(void *arg, uint64_t number, const struct fasttcp_frame *f)
{
	struct port		*p;
	static struct buf	 b;
	struct fasttcp_frame	 numbered = *f;
	struct holder		*h = arg;
	const struct word	 w = { .type = WORD_LINK_SEND,
				    .number = number };
	struct uplink		*l = uplink_find(h->server, number);

	numbered.id = ID_SHARED;
	if (holder_encode(&b, &numbered) == -1)
		return;
	if ((p = ports_find(&h->ports, number)) == NULL)
		return;
	if (l != NULL)
		uplink_send(l, b.data, b.len);
	else
		holder_tell(h, p->replica, &w, slice_of(b.data, b.len));
	h->filled |= p->high;
	ports_said(&h->ports, p);
}

/* A message of another host for clients of this one, in whatever process. */
static void
holder_deliver(void *arg, const struct letter *l)
{
	struct holder			*h = arg;
	const struct fasttcp_frame	 f = { .event = l->event,
					    .data_type = l->data_type,
					    .data = l->data };
	const struct targets		 t = { .whom = l->whom,
					    .names = l->names,
					    .except = l->except };
	const struct word		 w = { .type = WORD_DELIVER,
					    .whom = l->whom,
					    .names = l->names,
					    .except = l->except,
					    .data_type = l->data_type,
					    .event = l->event };

	say_here(h->server, &t, &f);
	if (kennel_replica_neighbour(h->server->replica, 0) != 0)
		holder_tell(h, 0, &w, l->data);
}

/* A room has another number of members, anywhere. */
static void
holder_room_has(void *arg, struct slice room)
{
	struct holder	*h = arg;

	notices_changed(h->notices, room);
}

/* The peer of a link is a kennel. */
static void
holder_kennel(void *arg, uint64_t number)
{
	struct holder	*h = arg;
	struct port	*p = ports_find(&h->ports, number);
	struct uplink	*l = uplink_find(h->server, number);

	if (l != NULL)
		uplink_kennel(l);
	else if (p != NULL)
		holder_tell_number(h, p->replica, WORD_LINK_KENNEL, number);
}

/* That host is not reached any more. */
static void
holder_gone(void *arg, unsigned host)
{
	struct holder	*h = arg;

	abroad_gone(h->abroad, host);
	asking_host_gone(h->server, host);
}

/* ---- questions of other hosts ---- */

/* Who has asked. */
struct asker {
	uint64_t	 number;
	size_t		 len;
	char		 host[];
};

/* The answer, or why there is none, to a host. */
static void
holder_answer(struct holder *h, struct slice host, uint64_t number,
    const struct fasttcp_frame *answer, enum asking_why why)
{
	struct parcel	 p = { .kind = PARCEL_ANSWER, .number = number,
			    .flags = why };
	struct hosts	 to;
	int		 i = h->network == NULL ? -1 :
			    network_find(h->network, host);

	if (i < 1)
		return;
	if (answer != NULL) {
		p.letter.data_type = answer->data_type;
		p.letter.data = answer->data;
	}
	to = hosts_one((unsigned)i);
	network_parcel(h->network, &p, &to);
}

static void
holder_answer_cb(struct events_server *v, const struct fasttcp_frame *answer,
    enum asking_why why, void *arg)
{
	struct asker	*a = arg;

	if (v->holder != NULL)
		holder_answer(v->holder, slice_of(a->host, a->len), a->number,
		    answer, why);
	free(a);
}

/* A host asks a client of ours. */
static void
holder_asked(struct holder *h, const struct parcel *p)
{
	const struct fasttcp_frame	 f = { .event = p->letter.event,
					    .data_type = p->letter.data_type,
					    .data = p->letter.data };
	enum asking_why			 why = ASKING_NOBODY;
	struct asker			*a = NULL;

	if (!asking_is_far(h->server, p->letter.names)) {
		why = ASKING_FAILED;
		a = malloc(sizeof(*a) + p->origin.len);
	}
	if (a != NULL) {
		a->number = p->number;
		a->len = p->origin.len;
		memcpy(a->host, p->origin.data, a->len);
		why = asking_ask(h->server, p->letter.names, p->wait, &f,
		    holder_answer_cb, a);
	}
	if (why == ASKING_ANSWERED)
		return;
	free(a);
	holder_answer(h, p->origin, p->number, NULL, why);
}

/* Another kennel says p to us. */
static void
holder_parcel(void *arg, const struct parcel *p)
{
	struct holder			*h = arg;
	const struct fasttcp_frame	 f = { .type = FASTTCP_ACK,
					    .data_type = p->letter.data_type,
					    .data = p->letter.data };
	const int			 host = network_find(h->network,
					    p->origin);

	if (p->kind == PARCEL_ASK)
		holder_asked(h, p);
	else if (p->kind == PARCEL_ANSWER)
		asking_answered(h->server, p->number, p->flags < ASKING_NWHYS ?
		    (enum asking_why)p->flags : ASKING_FAILED,
		    p->flags == ASKING_ANSWERED ? &f : NULL);
	else if (host > 0)
		abroad_told(h->abroad, (unsigned)host, p);
}

const struct network_ops	 holder_far_network = {
	holder_send, holder_deliver, holder_room_has, holder_parcel,
	holder_gone, holder_kennel
};

/* ---- what is said here ---- */

/* f to those of t elsewhere: 1, too much waits for a link there. */
static int
holder_letter(struct holder *h, const struct targets *t,
    const struct fasttcp_frame *f)
{
	const struct letter	 l = { .whom = t->whom, .names = t->names,
				    .except = t->except, .event = f->event,
				    .data_type = f->data_type,
				    .data = f->data };

	h->filled = 0;
	if (h->network != NULL)
		network_say(h->network, &l);
	return (h->filled);
}

static int
holder_say(struct events_server *v, struct events_socket *by,
    const struct targets *t, const struct fasttcp_frame *f)
{
	int	 filled = holder_letter(v->holder, t, f);

	if (filled && by != NULL)
		waits_hold(by);
	return (filled);
}

static int
holder_say_for(struct events_server *v, uint64_t neighbour, uint64_t by,
    const struct targets *t, const struct fasttcp_frame *f)
{
	int	 filled = holder_letter(v->holder, t, f);

	if (filled && by != 0) {
		holder_tell_number(v->holder, neighbour, WORD_WAIT, by);
		v->holder->waiting = 1;
	}
	return (filled);
}

static struct voyage *
holder_open(struct events_server *v, struct relay *r, const struct targets *t,
    const struct fasttcp_frame *f)
{
	return (abroad_open(v->holder->abroad, r, t, f));
}

/* A question to a client of another host. */
static int
holder_ask(struct events_server *v, uint64_t number, unsigned ms,
    struct slice id, const struct fasttcp_frame *f, struct asking_way *way)
{
	struct holder		*h = v->holder;
	const struct word	 w = { .type = WORD_ASK, .number = number,
				    .flags = ms, .names = id,
				    .data_type = f->data_type,
				    .event = f->event };
	struct parcel		 p = { .kind = PARCEL_ASK, .number = number,
				    .wait = ms, .letter = {
				    .whom = WHOM_SOCKETS, .names = id,
				    .event = f->event, .data = f->data,
				    .data_type = f->data_type } };
	struct hosts		 to;

	if (h->network == NULL) {
		if (h->who == 0)
			return (-1);
		way->neighbour = h->who;
		return (say_tell(v, NULL, h->who, &w, f->data) == -1 ? -1 : 0);
	}
	if ((way->host = network_host_of(h->network, id)) == 0)
		return (-1);
	to = hosts_one(way->host);
	network_parcel(h->network, &p, &to);
	return (hosts_empty(&to) ? 0 : -1);
}

const struct far_ops	 holder_far_ops = {
	holder_say, holder_say_for, holder_open, abroad_chunk, abroad_end,
	holder_ask
};

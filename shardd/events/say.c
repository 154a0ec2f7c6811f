/* Messages to clients, wherever they are. */
#include <errno.h>

#include "common/budget.h"
#include "common/log.h"
#include "shardd/events/inside.h"
#include "shardd/events/names.h"
#include "shardd/events/say.h"
#include "shardd/events/sockets.h"

/* Mark those who are left out, for one round. */
static void
say_except(struct events_server *v, struct slice except)
{
	struct events_socket	*s;
	struct slice		 id;

	if (++v->round == 0) {		/* marks of long ago would count again */
		for (size_t i = 0; i < v->n; i++)
			v->sockets[i]->excepted = 0;
		v->round = 1;
	}
	while (names_next(&except, &id)) {
		budget_charge(BUDGET_ENTRY);
		if ((s = sockets_find(v, id)) != NULL)
			s->excepted = v->round;
	}
}

/* The members of one room. */
static void
say_each_in(struct events_server *v, const struct targets *t,
    struct slice name, say_each_cb *cb, void *arg)
{
	struct room		*room = rooms_find(&v->rooms, name);
	struct events_socket	*s;

	for (size_t i = 0; room != NULL && i < room->n; i++) {
		s = container_of(room->stays[i]->roomer, struct events_socket,
		    rooms);
		if (s != t->but && s->excepted != v->round)
			cb(s, arg);
	}
}

void
say_each(struct events_server *v, const struct targets *t, say_each_cb *cb,
    void *arg)
{
	struct events_socket	*s;
	struct slice		 names = t->names, name;

	say_except(v, t->except);
	if (t->whom == WHOM_ALL) {
		for (size_t i = 0; i < v->n; i++)
			if (v->sockets[i] != t->but &&
			    v->sockets[i]->excepted != v->round)
				cb(v->sockets[i], arg);
		return;
	}
	while (names_next(&names, &name)) {
		budget_charge(BUDGET_ENTRY);
		if (t->whom == WHOM_ROOMS)
			say_each_in(v, t, name, cb, arg);
		else if ((s = sockets_find(v, name)) != NULL &&
		    s->excepted != v->round)
			cb(s, arg);
	}
}

size_t
say_means(const struct targets *t, const struct events_socket *s)
{
	const struct rooms	*rooms = &s->server->rooms;
	struct slice		 except = t->except, names = t->names, name;
	size_t			 n = 0;

	while (names_next(&except, &name))
		if (slice_eq(name, s->id))
			return (0);
	if (t->whom == WHOM_ALL)
		return (1);
	while (names_next(&names, &name))
		n += t->whom == WHOM_ROOMS ?
		    rooms_has(rooms, &s->rooms, name) != 0 :
		    slice_eq(name, s->id) != 0;
	return (n);
}

/* One receiver. */
static void
say_cb(struct events_socket *s, void *arg)
{
	shared_send(arg, s);
}

void
say_here(struct events_server *v, const struct targets *t,
    const struct fasttcp_frame *f)
{
	struct fasttcp_frame	 data = *f;
	struct shared		 sh;

	data.type = FASTTCP_DATA;
	data.id = ID_SHARED;
	shared_init(&sh, &data);
	say_each(v, t, say_cb, &sh);
	shared_end(&sh);
}

int
say_tell(struct events_server *v, struct events_socket *by,
    uint64_t neighbour, const struct word *w, struct slice data)
{
	static struct buf	 head;
	int			 r;

	buf_reset(&head);
	word_encode(&head, w);
	if (head.failed) {
		errno = EMSGSIZE;
		r = -1;
	} else if (by != NULL)
		r = kennel_tell(by->socket, neighbour, head.data, head.len,
		    data.data, data.len);
	else
		r = kennel_replica_tell(v->replica, neighbour, head.data,
		    head.len, data.data, data.len);
	if (r == -1 && errno != ENOENT)
		log_debug("events word %d not told: %s", w->type,
		    strerror(errno));
	return (r);
}

int
say(struct events_server *v, struct events_socket *by,
    const struct targets *t, const struct fasttcp_frame *f)
{
	struct word	 w = { .type = WORD_SAY, .whom = t->whom,
			    .names = t->names, .except = t->except,
			    .data_type = f->data_type, .event = f->event };
	int		 far = 0, r;

	say_here(v, t, f);
	if (v->far != NULL) {
		far = v->far->say(v, by, t, f);
		w.number = by == NULL ? 0 : kennel_socket_id(by->socket);
	}
	if (kennel_replica_neighbour(v->replica, 0) == 0)
		return (far);
	r = say_tell(v, by, 0, &w, f->data);
	return (r == 0 ? far : r);
}

/* Messages to clients, wherever they are. */
#include <errno.h>

#include "common/budget.h"
#include "common/clock.h"
#include "common/log.h"
#include "shardd/events/inside.h"
#include "shardd/events/names.h"
#include "shardd/events/say.h"
#include "shardd/events/sockets.h"

#define SAY_COPIES	65536		/* of a message, in this process */
#define SAY_TIMES	8		/* and as often for each client here */
#define SAY_OVERDONE_MS	1000

/* Receivers, one after the other. */
struct say_walk {
	const struct events_socket *but; /* left out, and */
	uint32_t	 round;		/* who is excepted in this one */
	say_each_cb	*cb;
	void		*arg;
	size_t		 left;		/* that there may be */
	int		 full;		/* there were more */
};

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

/* One receiver, unless it is left out, or there were too many before it. */
static void
say_one(struct say_walk *w, struct events_socket *s)
{
	if (s == w->but || s->excepted == w->round)
		return;
	if (w->left == 0) {
		w->full = 1;
		return;
	}
	w->left--;
	w->cb(s, w->arg);
}

/* The members of one room. */
static void
say_each_in(struct say_walk *w, const struct room *room)
{
	for (size_t i = 0; room != NULL && i < room->n && !w->full; i++)
		say_one(w, container_of(room->stays[i]->roomer,
		    struct events_socket, rooms));
}

/* A list means more than may be: that is said, but not as often as it happens. */
static void
say_overdone(struct events_server *v, const struct targets *t, size_t most)
{
	uint64_t	 now = clock_ms();

	if (v->overdone != 0 && now - v->overdone < SAY_OVERDONE_MS)
		return;
	v->overdone = now;
	log_info("events a list of %zu bytes means more than %zu receivers here, "
	    "those behind them are passed over", t->names.len, most);
}

void
say_each(struct events_server *v, const struct targets *t, size_t most,
    say_each_cb *cb, void *arg)
{
	struct say_walk		 w = { .but = t->but, .cb = cb, .arg = arg,
				    .left = most + SAY_TIMES * v->n };
	struct events_socket	*s;
	struct slice		 names = t->names, name;

	say_except(v, t->except);
	w.round = v->round;
	for (size_t i = 0; t->whom == WHOM_ALL && i < v->n; i++)
		say_one(&w, v->sockets[i]);
	while (t->whom != WHOM_ALL && !w.full && names_next(&names, &name)) {
		budget_charge(BUDGET_ENTRY);
		if (t->whom == WHOM_ROOMS)
			say_each_in(&w, rooms_find(&v->rooms, name));
		else if ((s = sockets_find(v, name)) != NULL)
			say_one(&w, s);
	}
	if (w.full)
		say_overdone(v, t, most + SAY_TIMES * v->n);
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
	say_each(v, t, SAY_COPIES, say_cb, &sh);
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

/* What the server itself says to its clients, and the rooms into which it puts them. */
#include <errno.h>

#include "shardd/events/acks.h"
#include "shardd/events/inside.h"
#include "shardd/events/lists.h"
#include "shardd/events/say.h"
#include "shardd/events/sockets.h"
#include "shardd/events/transit.h"
#include "shardd/events/values.h"

/* ---- one client ---- */

const char *
events_socket_id(const struct events_socket *s)
{
	return (s->id.data);
}

struct events_server *
events_socket_server(const struct events_socket *s)
{
	return (s->server);
}

struct kennel_socket *
events_socket_kennel(const struct events_socket *s)
{
	return (s->socket);
}

void
events_socket_set_data(struct events_socket *s, void *data)
{
	s->data = data;
}

void *
events_socket_data(const struct events_socket *s)
{
	return (s->data);
}

int
events_socket_emit(struct events_socket *s, const char *name,
    struct events_value v, events_answer_cb *cb, void *arg)
{
	struct fasttcp_frame	 f = { .event = slice_str(name) };
	struct value_bytes	 b;
	int			 r;

	f.type = cb == NULL ? FASTTCP_DATA : FASTTCP_DATA_WITH_ACK;
	f.id = socket_next_id(s);
	if ((r = value_frame(&f, &v, s->server->events->serializer, &b)) == 0 &&
	    (cb == NULL || (r = asked_new(s, f.id, cb, arg)) == 0) &&
	    (r = sockets_send(s, &f)) == -1 && cb != NULL)
		asked_forget(s, f.id);
	value_bytes_clear(&b);
	return (r);
}

/* The client id enters or leaves rooms, as the flags of a word say: the others hear so. */
static int
emit_stay_told(struct events_server *v, struct slice id, const char *room,
    uint32_t flags)
{
	const struct word	 w = { .type = WORD_ROOMS, .flags = flags,
				    .names = slice_str(room), .event = id };
	int			 r;

	if (strchr(room, ',') != NULL) {
		errno = EINVAL;
		return (-1);
	}
	r = say_tell(v, NULL, 0, &w, slice_of(NULL, 0));
	return (r == 1 ? 0 : r);
}

/* The same of s, which is here, or on its way. */
static int
emit_stay(struct events_socket *s, const char *room, uint32_t flags)
{
	struct rooms	*rooms = &s->server->rooms;
	int		 way = kennel_socket_way(s->socket), r = 0;

	if (way != 0 && emit_stay_told(s->server, s->id, room, flags) == -1)
		return (-1);
	if (way == KENNEL_COMING)
		return (0);		/* it is told */
	if (flags & WORD_F_JOIN)
		r = rooms_join(rooms, &s->rooms, slice_str(room));
	else if (flags & WORD_F_ALL)
		rooms_leave_all(rooms, &s->rooms);
	else
		rooms_leave(rooms, &s->rooms, slice_str(room));
	transit_touch_rooms(s);
	return (r);
}

int
events_socket_join(struct events_socket *s, const char *room)
{
	return (emit_stay(s, room, WORD_F_JOIN));
}

int
events_socket_leave(struct events_socket *s, const char *room)
{
	return (emit_stay(s, room, 0));
}

int
events_socket_leave_all(struct events_socket *s)
{
	return (emit_stay(s, "", WORD_F_ALL));
}

/* ---- all of them ---- */

/* f to what to names; both, rooms and sockets, if it names both. */
static int
emit_frame(struct events_server *v, const struct fasttcp_frame *f,
    const struct events_to *to)
{
	struct targets	 t;
	struct lists	 l;
	int		 r;

	if (f->event.len > FASTTCP_EVENT_MAX) {
		errno = EMSGSIZE;
		return (-1);
	}
	if (lists_of(&l, to, &t) == -1)
		return (-1);
	r = say(v, NULL, &t, f);
	lists_clear(&l);
	return (r);
}

int
events_emit(struct events_server *v, const char *name, struct events_value value,
    const struct events_to *to)
{
	struct fasttcp_frame	 f = { .event = slice_str(name) };
	struct events_to	 one;
	struct value_bytes	 b;
	int			 r, more = 0;

	if ((r = value_frame(&f, &value, v->events->serializer, &b)) == 0) {
		if (to != NULL && to->rooms != NULL && to->sockets != NULL) {
			one = *to;
			one.rooms = NULL;
			more = emit_frame(v, &f, &one);
			one = *to;
			one.sockets = NULL;
			to = &one;
		}
		r = more == -1 ? -1 : emit_frame(v, &f, to);
	}
	value_bytes_clear(&b);
	return (r == 0 ? more : r);
}

/* The client id, wherever it is, enters or leaves. */
static int
emit_rooms(struct events_server *v, const char *id, const char *room,
    uint32_t flags)
{
	struct events_socket	*s = sockets_find(v, slice_str(id));

	if (strchr(room, ',') != NULL) {
		errno = EINVAL;
		return (-1);
	}
	return (s != NULL ? emit_stay(s, room, flags) :
	    emit_stay_told(v, slice_str(id), room, flags));
}

int
events_join(struct events_server *v, const char *id, const char *room)
{
	return (emit_rooms(v, id, room, WORD_F_JOIN));
}

int
events_leave(struct events_server *v, const char *id, const char *room)
{
	return (emit_rooms(v, id, room, 0));
}

int
events_leave_all(struct events_server *v, const char *id)
{
	return (emit_rooms(v, id, "", WORD_F_ALL));
}

size_t
events_count(const struct events_server *v)
{
	return (v->n);
}

struct kennel_replica *
events_server_replica(const struct events_server *v)
{
	return (v->replica);
}

/* How many members a room has, said to clients. */
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "shardd/events/inside.h"
#include "shardd/events/members.h"
#include "shardd/events/notices.h"
#include "shardd/events/say.h"
#include "shardd/events/sockets.h"

#define NOTICES_MS	100		/* what happens within is one notice */
#define NOTICES_SETTLE_MS 5000		/* a new holder hears of everybody */
#define NOTICES_MAX	256		/* rooms at a time */

enum notices_to { TO_NOBODY, TO_V2, TO_ALL };

/* A room of which something was said, or is to be. */
struct notice {
	struct map_node	 by_room;
	struct list	 at;		/* notices->due; of itself if it is not */
	uint64_t	 told;		/* members, as was said last */
	size_t		 len;
	char		 room[];
};

struct notices {
	struct events_server *server;
	enum notices_to	 to;
	struct map	 by_room;
	struct list	 due;		/* struct notice; of the holder */
	struct kennel_timer *timer;	/* while there are some */
	uint64_t	 settled;	/* clock_ms: not before */
	int		 holds;
	notices_total_cb *total;
	void		*arg;
};

/* What the option says, or nothing. */
static enum notices_to
notices_option(void)
{
	static const char *const words[] = {
		[TO_NOBODY] = "off", [TO_V2] = "v2", [TO_ALL] = "all",
	};
	const char	*value = kennel_option("app.room_events");

	for (size_t i = 0; value != NULL && i < nitems(words); i++)
		if (strcmp(value, words[i]) == 0)
			return ((enum notices_to)i);
	if (value != NULL)
		log_warn("events app.room_events=%s is neither off, nor v2, nor "
		    "all: it is off", value);
	return (TO_NOBODY);
}

int
notices_new(struct notices **out, struct events_server *v,
    notices_total_cb *total, void *arg)
{
	enum notices_to	 to = notices_option();
	struct notices	*n;

	*out = NULL;
	if (to == TO_NOBODY && v->events->room == NULL)
		return (0);
	if ((n = calloc(1, sizeof(*n))) == NULL)
		return (-1);
	n->server = v;
	n->to = to;
	list_init(&n->due);
	n->total = total;
	n->arg = arg;
	*out = n;
	return (0);
}

/* Nothing is left to say of that room. */
static void
notices_drop(struct notices *n, struct notice *o)
{
	list_remove(&o->at);
	map_remove(&n->by_room, &o->by_room);
	free(o);
}

void
notices_free(struct notices *n)
{
	struct map_node	*o;

	if (n == NULL)
		return;
	while ((o = map_first(&n->by_room)) != NULL)
		notices_drop(n, container_of(o, struct notice, by_room));
	map_clear(&n->by_room);
	kennel_timer_free(n->timer);
	free(n);
}

/* That room's.  NULL: there is none, and it is not to be made, or there is no memory. */
static struct notice *
notices_get(struct notices *n, struct slice room, int make)
{
	struct map_node	*at = map_find(&n->by_room, room.data, room.len);
	struct notice	*o;

	if (at != NULL)
		return (container_of(at, struct notice, by_room));
	if (!make || (o = calloc(1, sizeof(*o) + room.len)) == NULL)
		return (NULL);
	o->len = room.len;
	if (room.len > 0)
		memcpy(o->room, room.data, room.len);
	if (map_insert(&n->by_room, &o->by_room, o->room, o->len) == -1) {
		free(o);
		return (NULL);
	}
	list_init(&o->at);
	return (o);
}

/* ---- what was said ---- */

/* Is s to hear of rooms? */
static int
notices_is_for(const struct notices *n, const struct events_socket *s)
{
	return (n->to == TO_ALL ||
	    (n->to == TO_V2 && s->in.dialect == fasttcp_d2));
}

/* To clients here, those that are to hear it; or to this one (one) alone. */
static void
notices_say_here(struct notices *n, struct slice room, uint64_t ref, int more,
    struct events_socket *one)
{
	struct events_server	*v = n->server;
	struct fasttcp_frame	 f = { .type = FASTTCP_DATA,
				    .data_type = FASTTCP_OBJECT,
				    .id = ID_SHARED };
	struct shared		 sh;
	struct buf		 text = { 0 };

	buf_adds(&text, "{\"room\":");
	members_quote(&text, room);
	buf_addf(&text, ",\"ref\":%llu}", (unsigned long long)ref);
	f.event = slice_str(more ? "room/register" : "room/unregister");
	f.data = slice_of(text.data, text.len);
	if (!text.failed && one != NULL)
		sockets_send(one, &f);
	else if (!text.failed) {
		shared_init(&sh, &f);
		for (size_t i = 0; i < v->n; i++)
			if (notices_is_for(n, v->sockets[i]))
				shared_send(&sh, v->sockets[i]);
		shared_end(&sh);
	}
	buf_clear(&text);
}

void
notices_told(struct notices *n, const struct word *w)
{
	struct notice	*o;
	struct events	*e;

	if (n == NULL)
		return;
	if ((o = notices_get(n, w->event, w->number > 0)) != NULL) {
		o->told = w->number;
		if (o->told == 0 && list_empty(&o->at))
			notices_drop(n, o);
	}
	if (n->to != TO_NOBODY)
		notices_say_here(n, w->event, w->number,
		    (w->flags & WORD_F_JOIN) != 0, NULL);
	if ((e = n->server->events)->room != NULL)
		e->room(n->server, w->event.data, w->event.len, w->number,
		    (w->flags & WORD_F_JOIN) != 0, e->room_arg);
}

void
notices_told_one(struct notices *n, struct events_socket *s,
    const struct word *w)
{
	if (n != NULL && notices_is_for(n, s))
		notices_say_here(n, w->event, w->number,
		    (w->flags & WORD_F_JOIN) != 0, s);
}

/* ---- what is to be said ---- */

/* o's room, as it is now, if that is not what was said last. */
static void
notices_say(struct notices *n, struct notice *o)
{
	char		*room = slice_dup(slice_of(o->room, o->len));
	struct word	 w = { .type = WORD_NOTICE };

	list_remove(&o->at);
	if (room == NULL)
		return;
	w.event = slice_of(room, o->len);
	w.number = n->total(n->arg, w.event);
	w.flags = w.number > o->told ? WORD_F_JOIN : 0;
	if (w.number != o->told) {
		notices_told(n, &w);	/* may free o */
		if (kennel_replica_neighbour(n->server->replica, 0) != 0)
			say_tell(n->server, NULL, 0, &w, slice_of(NULL, 0));
	} else if (o->told == 0)
		notices_drop(n, o);
	free(room);
}

/* Their time has come. */
static void
notices_cb(void *arg)
{
	struct notices	*n = arg;

	if (clock_ms() < n->settled)
		return;
	for (size_t i = 0; i < NOTICES_MAX && !list_empty(&n->due); i++)
		notices_say(n, list_entry(n->due.next, struct notice, at));
	if (!list_empty(&n->due))
		return;
	kennel_timer_free(n->timer);
	n->timer = NULL;
}

/* Of this room something is to be said. */
static void
notices_add(struct notices *n, struct notice *o)
{
	if (!list_empty(&o->at))
		return;
	list_push(&n->due, &o->at);
	if (n->timer == NULL)
		n->timer = kennel_timer_new(NOTICES_MS, 1, notices_cb, n);
}

void
notices_changed(struct notices *n, struct slice room)
{
	struct notice	*o;

	if (n != NULL && n->holds && (o = notices_get(n, room, 1)) != NULL)
		notices_add(n, o);
}

void
notices_hold(struct notices *n, int again)
{
	struct map_node	*at;

	if (n == NULL)
		return;
	n->holds = 1;
	n->settled = again ? clock_ms() + NOTICES_SETTLE_MS : 0;
	for (at = map_first(&n->by_room); at != NULL;
	    at = map_next(&n->by_room, at))
		notices_add(n, container_of(at, struct notice, by_room));
}

void
notices_resign(struct notices *n)
{
	struct notice	*o;

	if (n == NULL)
		return;
	n->holds = 0;
	while (!list_empty(&n->due)) {
		o = list_entry(n->due.next, struct notice, at);
		list_remove(&o->at);
		if (o->told == 0)
			notices_drop(n, o);
	}
	kennel_timer_free(n->timer);
	n->timer = NULL;
}

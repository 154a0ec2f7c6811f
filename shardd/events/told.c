/* What neighbours tell: each word is a row. */
#include <inttypes.h>

#include "common/log.h"
#include "shardd/events/asking.h"
#include "shardd/events/holder.h"
#include "shardd/events/inside.h"
#include "shardd/events/names.h"
#include "shardd/events/relay.h"
#include "shardd/events/say.h"
#include "shardd/events/sockets.h"
#include "shardd/events/told.h"
#include "shardd/events/transit.h"

/* Whom w is for. */
static struct targets
told_targets(const struct word *w)
{
	return ((struct targets){ (enum word_whom)w->whom, w->names,
	    w->except.len == 0 ? slice_of(NULL, 0) : w->except, NULL,
	    (w->flags & WORD_F_HOME) != 0 });
}

static void
told_say(struct events_server *v, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	const struct fasttcp_frame	 f = { .event = w->event, .data = data,
					    .data_type = (uint8_t)w->data_type };
	const struct targets		 t = told_targets(w);

	say_here(v, &t, &f);
	if (w->type == WORD_SAY && v->far != NULL)
		v->far->say_for(v, neighbour, w->number, &t, &f);
}

static void
told_open(struct events_server *v, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	const struct targets	 t = told_targets(w);

	relay_told_open(v, neighbour, w, &t, data);
}

static void
told_chunk(struct events_server *v, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	relay_told_chunk(v, neighbour, w, data);
}

static void
told_end(struct events_server *v, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	(void)data;
	relay_told_end(v, neighbour, w);
}

static void
told_nobody(struct events_server *v, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	(void)data;
	relay_told_nobody(v, neighbour, w);
}

static void
told_press(struct events_server *v, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	(void)data;
	relay_told_press(v, neighbour, w);
}

/* s enters rooms, or leaves. */
static void
told_rooms_of(struct events_socket *s, const struct word *w)
{
	struct rooms	*rooms = &s->server->rooms;
	struct slice	 names = w->names, name;

	if (w->flags & WORD_F_ALL)
		rooms_leave_all(rooms, &s->rooms);
	else while (names_next(&names, &name))
		if (w->flags & WORD_F_JOIN)
			rooms_join(rooms, &s->rooms, name);
		else
			rooms_leave(rooms, &s->rooms, name);
	transit_touch_rooms(s);
}

static void
told_rooms(struct events_server *v, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	struct events_socket	*s = sockets_find(v, w->event);

	(void)neighbour, (void)data;
	/* Who is coming is told again. */
	if (s != NULL && kennel_socket_way(s->socket) != KENNEL_COMING)
		told_rooms_of(s, w);
}

/* ---- by one alone, who was on its way ---- */

static void
told_one_say(struct events_socket *s, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	const struct fasttcp_frame	 f = { .type = FASTTCP_DATA,
					    .id = ID_SHARED, .event = w->event,
					    .data_type = (uint8_t)w->data_type,
					    .data = data };
	const struct targets		 t = told_targets(w);

	(void)neighbour;
	for (size_t n = say_means(&t, s); n > 0; n--)
		sockets_send(s, &f);
}

static void
told_one_open(struct events_socket *s, uint64_t neighbour, const struct word *w,
    struct slice data)
{
	const struct targets	 t = told_targets(w);

	for (size_t n = say_means(&t, s); n > 0; n--)
		relay_told_open_one(s, neighbour, w, data);
}

static void
told_one_rooms(struct events_socket *s, uint64_t neighbour,
    const struct word *w, struct slice data)
{
	(void)neighbour, (void)data;
	if (slice_eq(w->event, s->id))
		told_rooms_of(s, w);
}

/* ---- all ---- */

static void (*const told_rows[WORD_NTYPES])(struct events_server *,
    uint64_t, const struct word *, struct slice) = {
	[WORD_SAY]	= told_say,
	[WORD_OPEN]	= told_open,
	[WORD_CHUNK]	= told_chunk,
	[WORD_END]	= told_end,
	[WORD_NOBODY]	= told_nobody,
	[WORD_PRESS]	= told_press,
	[WORD_ROOMS]	= told_rooms,
	[WORD_DELIVER]	= told_say,
	[WORD_LINK_UP]	= holder_told,
	[WORD_LINK_SAYS] = holder_told,
	[WORD_LINK_SEND] = holder_told,
	[WORD_LINK_DOWN] = holder_told,
	[WORD_MEMBERS]	= holder_told,
	[WORD_HOLDER]	= holder_told,
	[WORD_NOTICE]	= holder_told,
	[WORD_LINK_PRESS] = holder_told,
	[WORD_WAIT]	= holder_told,
	[WORD_LINK_KENNEL] = holder_told,
	[WORD_ASK]	= asking_told,
	[WORD_ANSWER]	= asking_told_answer,
};

static void (*const told_one_rows[WORD_NTYPES])(struct events_socket *,
    uint64_t, const struct word *, struct slice) = {
	[WORD_SAY]	= told_one_say,
	[WORD_OPEN]	= told_one_open,
	[WORD_ROOMS]	= told_one_rooms,
	[WORD_DELIVER]	= told_one_say,
	[WORD_NOTICE]	= holder_told_one,
	[WORD_ASK]	= asking_told_one,
};

void
told(struct events_server *v, uint64_t neighbour, const struct kennel_word *kw)
{
	struct word	 w;

	switch (word_decode(&w, slice_of(kw->head, kw->head_len))) {
	case 0:
		told_rows[w.type](v, neighbour, &w, slice_of(kw->data,
		    kw->len));
		break;
	case -1:
		log_warn("events replica=%" PRIu64 " says what is no word",
		    neighbour);
		break;
	default:			/* a later version's */
		break;
	}
}

void
told_one(struct events_socket *s, uint64_t neighbour,
    const struct kennel_word *kw)
{
	struct word	 w;

	if (word_decode(&w, slice_of(kw->head, kw->head_len)) == 0 &&
	    told_one_rows[w.type] != NULL)
		told_one_rows[w.type](s, neighbour, &w, slice_of(kw->data,
		    kw->len));
}

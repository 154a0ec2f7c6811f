/* What clients say: each frame is a row. */
#include <errno.h>

#include "common/budget.h"
#include "common/log.h"
#include "shardd/events/acks.h"
#include "shardd/events/frames.h"
#include "shardd/events/handlers.h"
#include "shardd/events/incoming.h"
#include "shardd/events/inside.h"
#include "shardd/events/json.h"
#include "shardd/events/message.h"
#include "shardd/events/names.h"
#include "shardd/events/say.h"
#include "shardd/events/sockets.h"
#include "shardd/events/transit.h"

/* Events that the clients' own library raises: somebody who listens to them would
 * take a message for one of these. */
static const char *const frames_reserved[] = {
	"close", "connect", "end", "error", "ready", "reconnecting",
	"socket_connect", "socket_drain",
};

/* Is f's event one that s may not say to others? */
static int
frames_is_refused(const struct events_socket *s, struct slice event)
{
	if (!s->no_reserved)
		return (0);
	for (size_t i = 0; i < nitems(frames_reserved); i++)
		if (slice_is(event, frames_reserved[i]))
			return (1);
	return (0);
}

/* ---- to the server ---- */

/* A message for the server, to be answered perhaps. */
static void
frames_data(struct events_socket *s, const struct fasttcp_frame *f)
{
	const struct handler	*h = handlers_find(s->server->events, f->event);

	if (h != NULL && h->run != NULL)
		message_give(s, f, f->type == FASTTCP_DATA_WITH_ACK, h->run,
		    h->arg);
}

static void
frames_ack(struct events_socket *s, const struct fasttcp_frame *f)
{
	asked_answer(s, f);
}

static void
frames_stream_own(struct events_socket *s, const struct fasttcp_frame *f)
{
	incoming_open_own(s, f, f->type == FASTTCP_STREAM_OPEN_WITH_ACK);
}

/* ---- to others ---- */

/* Whom f is for, and its event alone.  0: for nobody, it is not as it should be. */
static int
frames_targets(struct events_socket *s, struct fasttcp_frame *f,
    enum word_whom whom, struct targets *t)
{
	*t = (struct targets){ .whom = whom };
	if (whom != WHOM_SOCKETS)
		t->but = s;
	if (whom == WHOM_ALL)
		t->names = slice_of("", 0);
	else if (!names_split(f->event, &t->names, &f->event))
		return (0);
	return (!frames_is_refused(s, f->event));
}

/* Whom a type of frame is for. */
static enum word_whom
frames_whom(enum fasttcp_type type)
{
	switch (type) {
	case FASTTCP_TO_SOCKET:
	case FASTTCP_STREAM_OPEN_TO_SOCKET:
		return (WHOM_SOCKETS);
	case FASTTCP_TO_ROOM:
	case FASTTCP_STREAM_OPEN_TO_ROOM:
		return (WHOM_ROOMS);
	default:
		return (WHOM_ALL);
	}
}

static void
frames_others(struct events_socket *s, const struct fasttcp_frame *f)
{
	struct fasttcp_frame	 bare = *f;
	struct targets		 t;

	if (frames_targets(s, &bare, frames_whom(f->type), &t))
		say(s->server, s, &t, &bare);
}

static void
frames_stream_others(struct events_socket *s, const struct fasttcp_frame *f)
{
	struct fasttcp_frame	 bare = *f;
	struct targets		 t;

	if (frames_targets(s, &bare, frames_whom(f->type), &t))
		incoming_open_relay(s, &bare, &t);
}

/* ---- rooms ---- */

static void
frames_join(struct events_socket *s, const struct fasttcp_frame *f)
{
	struct slice	 names = f->data, name;

	if (f->data_type != FASTTCP_STRING)
		return;
	s->kept = 0;			/* transit_touch() follows */
	while (names_next(&names, &name)) {
		budget_charge(BUDGET_ENTRY);
		if (f->type == FASTTCP_LEAVE)
			rooms_leave(&s->server->rooms, &s->rooms, name);
		else if (rooms_join(&s->server->rooms, &s->rooms, name) ==
		    -1) {
			if (!s->warned || errno != EDQUOT)
				log_info("events id=%s enters no more rooms "
				    "than %zu: %s", events_socket_id(s),
				    s->rooms.n, strerror(errno));
			s->warned = 1;
			return;
		}
	}
}

static void
frames_leave_all(struct events_socket *s, const struct fasttcp_frame *f)
{
	(void)f;
	s->kept = 0;
	rooms_leave_all(&s->server->rooms, &s->rooms);
}

/* ---- all ---- */

/* NULL: from a client it means nothing. */
static void (*const frames_rows[FASTTCP_NTYPES])(struct events_socket *,
    const struct fasttcp_frame *) = {
	[FASTTCP_DATA]			= frames_data,
	[FASTTCP_DATA_WITH_ACK]		= frames_data,
	[FASTTCP_ACK]			= frames_ack,
	[FASTTCP_TO_SOCKET]		= frames_others,
	[FASTTCP_TO_ROOM]		= frames_others,
	[FASTTCP_BROADCAST]		= frames_others,
	[FASTTCP_JOIN]			= frames_join,
	[FASTTCP_LEAVE]			= frames_join,
	[FASTTCP_LEAVE_ALL]		= frames_leave_all,
	[FASTTCP_STREAM_OPEN]		= frames_stream_own,
	[FASTTCP_STREAM_OPEN_WITH_ACK]	= frames_stream_own,
	[FASTTCP_STREAM_OPEN_TO_SOCKET]	= frames_stream_others,
	[FASTTCP_STREAM_OPEN_TO_ROOM]	= frames_stream_others,
	[FASTTCP_STREAM_OPEN_BROADCAST]	= frames_stream_others,
	[FASTTCP_STREAM_DATA]		= incoming_chunk,
	[FASTTCP_STREAM_CLOSE]		= incoming_close,
};

ssize_t
frames_input(struct events_socket *s, const char *data, size_t len)
{
	struct fasttcp_frame	 f;
	enum fasttcp_verdict	 v;
	const char		*why;
	size_t			 used;

	v = fasttcp_next(&s->in, slice_of(data, len), &used, &f, &why);
	if (v == FASTTCP_GOT && f.data_type == FASTTCP_OBJECT &&
	    s->check_json && !json_valid(f.data)) {
		v = FASTTCP_BAD;
		why = "an object that is not JSON";
	}
	if (v == FASTTCP_BAD) {
		log_debug("events id=%s closed: it has sent %s",
		    events_socket_id(s), why);
		return (-1);
	}
	if (v == FASTTCP_GOT && frames_rows[f.type] != NULL)
		frames_rows[f.type](s, &f);
	transit_touch(s);
	return ((ssize_t)used);
}

/* kennel-ape.h: the application's callbacks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/ape/call.h"
#include "shardd/ape/courier.h"
#include "shardd/ape/data.h"
#include "shardd/ape/fetch.h"
#include "shardd/ape/grove.h"
#include "shardd/ape/http.h"
#include "shardd/ape/journey.h"
#include "shardd/ape/poll.h"
#include "shardd/ape/push.h"
#include "shardd/ape/registry.h"
#include "shardd/ape/signpost.h"
#include "shardd/ape/upload.h"
#include "shardd/ape/cookie.h"

/* What other shards bring. */
static courier_cb	*const app_notes[COURIER_NKINDS] = {
	[COURIER_ASK_LINK]	= fetch_asked,
	[COURIER_ASK_SHARE]	= fetch_asked,
	[COURIER_ANSWER]	= fetch_answered,
	[COURIER_PART]		= upload_note,
};

int
ape_onstart(struct kennel_replica *r)
{
	struct room	*room = room_new(r);

	courier_open(app_notes);
	grove_open(push_foreign);
	signpost_open();
	kennel_replica_set_data(r, room);
	return (room == NULL ? -1 : 0);
}

void
ape_onstop(struct kennel_replica *r)
{
	room_end(room_of(r));
	kennel_replica_set_data(r, NULL);
}

void
ape_receive(struct kennel_request *q)
{
	courier_open(app_notes);
	signpost_open();
	http_receive(q);
}

void
ape_onhead(struct kennel_request *q)
{
	http_head(q);
}

void
ape_onbody(struct kennel_request *q, const char *data, size_t len)
{
	data_body(q, data, len);
}

void
ape_onabort(struct kennel_request *q)
{
	data_abort(q);
}

void
ape_onpressure(struct kennel_socket *s, int high)
{
	if (kennel_socket_replica(s) == NULL)
		fetch_pressure(s, high);
}

int
ape_onopen(struct kennel_socket *s)
{
	struct kennel_replica	*r = kennel_socket_replica(s);
	char			 session[APE_ID + 1];
	struct ape_client	*c;
	const char		*id;
	int			 stream, rv = 0;

	if (r == NULL) {		/* a file that comes */
		fetch_open(s);
		return (0);
	}
	cookie_session(session, kennel_socket_cookie(s, COOKIE_SESSION),
	    kennel_socket_uid(s, NULL));
	stream = kennel_socket_kind(s) == KENNEL_STREAM;
	if ((c = room_add(room_of(r), s, session, stream ? session : NULL)) ==
	    NULL)
		return (-1);
	kennel_socket_set_data(s, c);
	if (stream)
		poll_begin(c);
	if ((id = kennel_socket_cookie(s, "sessionId")) != NULL)
		c->session_id = strdup(id);
	if (registry_hooks()->onconnect != NULL)
		rv = registry_hooks()->onconnect(c);
	if (rv == -1) {
		kennel_socket_set_data(s, NULL);
		call_abandon(c);
		room_remove(c);
		return (-1);
	}
	grove_add(c);
	if (rv == 0)
		c->ready = 1;
	journey_touch(c);
	return (0);
}

void
ape_onmessage(struct kennel_socket *s, const struct kennel_message *m)
{
	struct ape_client	*c = kennel_socket_data(s);

	call_message(c, m->data, m->len, !m->binary);
	journey_touch(c);
}

void
ape_onclose(struct kennel_socket *s, const struct kennel_close *why)
{
	struct ape_client	*c = kennel_socket_data(s);

	if (kennel_socket_replica(s) == NULL) {
		fetch_close(s);
		return;
	}
	if (c == NULL)
		return;
	call_abandon(c);
	if (registry_hooks()->ondisconnect != NULL)
		registry_hooks()->ondisconnect(c, why);
	kennel_socket_set_data(s, NULL);
	grove_remove(c);
	room_remove(c);
}

int
ape_onfreeze(struct kennel_socket *s, struct kennel_blob *b)
{
	struct ape_client	*c = kennel_socket_data(s);

	errno = EAGAIN;			/* a file that comes */
	return (kennel_socket_replica(s) == NULL || c == NULL ? -1 :
	    journey_pack(c, b));
}

int
ape_onthaw(struct kennel_socket *s, const char *data, size_t len, int how)
{
	struct ape_client	*c;

	if ((c = journey_unpack(s, data, len, how)) == NULL)
		return (-1);
	kennel_socket_set_data(s, c);
	if (c->stream)
		poll_watch(c->room);
	grove_add(c);
	c->ready = 1;
	return (0);
}

void
ape_onmoved(struct kennel_socket *s, int how)
{
	struct ape_client	*c = kennel_socket_data(s);

	if (registry_hooks()->onmoved != NULL)
		registry_hooks()->onmoved(c, how);
	kennel_socket_set_data(s, NULL);
	room_remove(c);
}

void
ape_ontold(struct kennel_socket *s, uint64_t neighbour,
    const struct kennel_word *w)
{
	(void)neighbour;
	push_told_one(kennel_socket_data(s), w);
}

void
ape_ongossip(struct kennel_replica *r, struct kennel_answer *a,
    const char *msg, size_t len)
{
	push_gossip(room_of(r), a, msg, len);
}

void
ape_ontell(struct kennel_replica *r, uint64_t neighbour,
    const struct kennel_word *w)
{
	if (w->head_len == 1)
		upload_told(r, neighbour, w);
	else
		push_told(room_of(r), w);
}

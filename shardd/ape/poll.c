/* Clients without WebSocket: a stream from the server, and calls by POST. */
#include <string.h>

#include "shardd/ape/call.h"
#include "shardd/ape/cookie.h"
#include "shardd/ape/poll.h"
#include "shardd/ape/refuse.h"

#define POLL_BEAT_MS	20000

static const char	 poll_beat[] = "{\"type\":\"__heartbeat__\"}";

/* To streams, so that nothing on the way takes them for dead. */
static void
poll_beat_each(struct ape_client *c, void *arg)
{
	(void)arg;
	if (c->stream)
		kennel_send(c->socket, poll_beat, sizeof(poll_beat) - 1, 0);
}

/* It is time for that. */
static void
poll_beat_cb(void *arg)
{
	struct room	*room = arg;

	ape_each(room->replica, poll_beat_each, NULL);
}

void
poll_watch(struct room *room)
{
	if (room->beat == NULL)
		room->beat = kennel_timer_new(POLL_BEAT_MS, 1, poll_beat_cb,
		    room);
}

void
poll_begin(struct ape_client *c)
{
	c->stream = 1;
	poll_watch(c->room);
	poll_beat_each(c, NULL);
}

void
poll_receive(struct kennel_request *q)
{
	char	 session[APE_ID + 1];

	if (kennel_request_replica(q) == NULL)
		refuse(q, 404, "The route of this path has no group");
	else if (strcmp(kennel_request_method(q), "POST") != 0) {
		cookie_keep(q);
		kennel_stream(q, 200, "application/json");
	} else if (!cookie_request(session, q))
		refuse(q, 401, "Missing session. GET /api/ape/poll first.");
	else
		call_request(q, session);
}

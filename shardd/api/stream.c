/* kennel.h: responses that go on, as bytes or as server-sent events. */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "proto/event.h"
#include "proto/http_reply.h"
#include "proto/utf8.h"
#include "shardd/api/api.h"
#include "shardd/api/socket.h"
#include "shardd/client/conn.h"
#include "shardd/client/http.h"
#include "shardd/client/payload.h"
#include "shardd/client/request.h"
#include "shardd/client/stream.h"
#include "shardd/kennel.h"
#include "shardd/session/verbs.h"

/* What caches and proxies must know of a stream, unless the application has said it. */
static void
api_stream_header(struct kennel_request *q, const char *name,
    const char *value)
{
	if (!request_says(q, name))
		kennel_header(q, name, value);
}

/* Answer q with a stream. */
static void
api_stream(struct kennel_request *q, int status, const char *type,
    conn_start *start, conn_start *start_old)
{
	api_stream_header(q, "Cache-Control", "no-cache");
	api_stream_header(q, "X-Accel-Buffering", "no");
	http_stream(q, status, type, q->h.minor == 0 ? start_old : start);
}

void
kennel_stream(struct kennel_request *q, int status, const char *type)
{
	if (q == NULL)
		return;
	if (status < 200 || status > 599 || status == 204 || status == 205 ||
	    status == 304 || (type != NULL && !http_field_ok(slice_str("t"),
	    slice_str(type)))) {
		log_warn("stream status=%d is not a response with a body",
		    status);
		kennel_respond(q, 500, NULL, NULL, 0);
		return;
	}
	api_stream(q, status, type, stream_start, stream_start_old);
}

void
kennel_events(struct kennel_request *q)
{
	if (q != NULL)
		api_stream(q, 200, "text/event-stream", stream_start_events,
		    stream_start_events_old);
}

enum kennel_kind
kennel_socket_kind(const struct kennel_socket *s)
{
	switch (s == NULL ? STREAM_NONE : stream_kind(conn_of(s))) {
	case STREAM_BYTES:
		return (KENNEL_STREAM);
	case STREAM_EVENTS:
		return (KENNEL_EVENTS);
	default:
		return (KENNEL_WEBSOCKET);
	}
}

/* Is s an open stream, of that kind unless STREAM_NONE?  0, or -1 with errno. */
static int
api_stream_check(const struct kennel_socket *s, enum stream_kind kind)
{
	enum stream_kind	 is;

	if (s == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	is = stream_kind(conn_of(s));
	if (is == STREAM_NONE || (kind != STREAM_NONE && is != kind)) {
		errno = ENOTSUP;
		return (-1);
	}
	if (conn_of(s)->state != CONN_OPEN ||
	    (conn_of(s)->flags & CONN_F_DOOMED)) {
		errno = EPIPE;
		return (-1);
	}
	return (0);
}

int
kennel_heartbeat(struct kennel_socket *s, const char *data, size_t len)
{
	if (api_stream_check(s, STREAM_NONE) == -1)
		return (-1);
	return (stream_set_beat(conn_of(s), api_text(data, len)));
}

int
kennel_send_event(struct kennel_socket *s, const struct kennel_event *e)
{
	struct verb	 v = { .kind = VERB_SEND };
	struct buf	 lines = { 0 };
	struct event_out out;
	int		 r = -1;

	if (api_stream_check(s, STREAM_EVENTS) == -1)
		return (-1);
	if (e == NULL || (e->data == NULL && e->len > 0) ||
	    !event_line_ok(e->id) || !event_line_ok(e->event)) {
		errno = EINVAL;
		return (-1);
	}
	out = (struct event_out){ .id = e->id, .name = e->event,
	    .data = api_text(e->data, e->len), .retry = e->retry_ms };
	if (!utf8_valid(out.data.data, out.data.len) ||
	    !utf8_valid(e->id, slice_str(e->id).len) ||
	    !utf8_valid(e->event, slice_str(e->event).len)) {
		errno = EILSEQ;
		return (-1);
	}
	event_encode(&lines, &out);
	if (!lines.failed && (v.p = stream_event(conn_of(s), slice_of(
	    lines.data, lines.len))) != NULL) {
		r = verbs_call(conn_of(s), &v);
		payload_unref(v.p);
	} else
		errno = ENOMEM;
	buf_clear(&lines);
	return (r);
}

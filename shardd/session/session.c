/* A client's stay with its application. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/spare.h"
#include "shardd/client/clients.h"
#include "shardd/client/http.h"
#include "shardd/client/policy.h"
#include "shardd/client/request.h"
#include "shardd/client/tcp.h"
#include "shardd/group/meeting.h"
#include "shardd/group/replica.h"
#include "shardd/group/topics.h"
#include "shardd/kennel.h"
#include "shardd/session/opening.h"
#include "shardd/session/parting.h"
#include "shardd/session/session.h"
#include "shardd/session/sessions.h"
#include "shardd/session/verbs.h"

/* A request has come whole. */
static void
session_request(struct kennel_request *q)
{
	const struct kennel_app	*app = q->conn->app;

	if (app->receive != NULL)
		app->receive(q);
	else
		http_answer(q, 404, "text/plain", slice_str("Not Found\n"));
}

/* A request's head has come. */
static void
session_head(struct kennel_request *q)
{
	q->app->onhead(q);
}

/* A piece of its body. */
static void
session_body(struct kennel_request *q, const char *data, size_t len)
{
	if (q->app->onbody != NULL)
		q->app->onbody(q, data, len);
}

/* Its client has gone. */
static void
session_left(struct kennel_request *q)
{
	if (q->app->onabort != NULL)
		q->app->onabort(q);
}

/* A message of an open client. */
static void
session_message(struct conn *c, const struct kennel_message *m)
{
	if (c->app->onmessage != NULL)
		c->app->onmessage(conn_socket(c), m);
}

/* Bytes of a raw client. */
static ssize_t
session_data(struct conn *c, const char *data, size_t len)
{
	return (c->app->ondata(conn_socket(c), data, len));
}

/* A raw client sends nothing more. */
static int
session_ended(struct conn *c)
{
	return (c->app->onend != NULL && c->app->onend(conn_socket(c)));
}

/* The queue of c has passed a mark. */
static void
session_pressure(struct conn *c, int high)
{
	c->app->onpressure(conn_socket(c), high);
}

/* c is about to be freed. */
static void
session_freed(struct conn *c)
{
	topics_leave_all(c);
	if (c->replica != NULL)
		replica_unref(c->replica);
}

/* c is to be closed, which its application in another shard has said. */
static void
session_close(struct conn *c, int code, const char *reason)
{
	verbs_close(c, code, slice_str(reason));
}

static const struct conn_ops	 session_ops = {
	.close = session_close,
	.request = session_request,
	.head = session_head,
	.body = session_body,
	.left = session_left,
	.upgraded = opening_begin,
	.message = session_message,
	.data = session_data,
	.ended = session_ended,
	.pressure = session_pressure,
	.departed = parting_begin,
	.freed = session_freed,
};

int
session_init(struct sessions *s, struct event_base *base,
    const struct options *opt, struct gate *gate)
{
	parting_init(s);
	list_init(&s->outgoing);
	return (clients_init(&s->clients, base, opt, gate, &session_ops));
}

void
session_clear(struct sessions *s)
{
	clients_clear(&s->clients);
	policies_clear(&s->policies);
	policies_clear(&s->listeners);
	applications_clear(&s->apps);
}

struct conn *
session_adopt(struct sessions *s, const struct capsule *cap,
    const struct kennel_app *app, struct replica *r, int fd)
{
	struct conn	*c;
	struct buf	*early;
	size_t		 max = applications_message_max(&s->apps, app);
	size_t		 n = (size_t)(app - s->apps.at);
	int		 raw = cap->protocol == CAPSULE_RAW;

	if ((early = spare_zero(sizeof(*early))) == NULL)
		goto fail;
	if (buf_add(early, cap->early.data, cap->early.len) == -1 ||
	    (c = conn_new(&s->clients, cap, meter_new(raw ? &s->listeners :
	    &s->policies, cap->route), fd)) == NULL) {
		buf_clear(early);
		spare_put(early, sizeof(*early));
		goto fail;
	}
	c->app = app;
	if (raw)
		c->flags |= CONN_F_RAW;
	c->app_n = (uint8_t)(n < COUNTERS_APPS ? n : COUNTERS_APPS - 1);
	if (meter_message_max(c->meter) != 0)
		max = meter_message_max(c->meter);
	c->message_max = max > UINT32_MAX ? UINT32_MAX : (uint32_t)max;
	c->proto = early;
	if ((c->replica = r) != NULL)
		replica_ref(r);
	return (c);
fail:
	errno = ENOMEM;
	return (NULL);
}

/* c's request is read from here on. */
static int
session_http(struct conn *c, struct buf *early)
{
	const struct replica	*r = c->replica;
	enum close_why		 why;

	conn_set_state(c, CONN_HTTP);
	why = http_start(c, early, r == NULL ? slice_of(NULL, 0) :
	    slice_of(r->group, r->group_len), r == NULL ? 0 : r->id);
	if (why != CLOSE_NONE)
		conn_doom(c, why);
	else if ((c->flags & CONN_F_DOOMED) == 0)
		conn_arm(c);
	return (0);
}

void
session_start(struct conn *c)
{
	const struct replica	*r = c->replica;
	struct buf		*early = c->proto;

	c->proto = NULL;
	c->flags |= CONN_F_BEGUN;
	if (c->flags & CONN_F_RAW) {
		opening_begin(c, NULL, early, tcp_start);
		spare_put(early, sizeof(*early));
		conn_arm(c);
		return;
	}
	if (r != NULL && !r->ready && !meeting_is_over(r->meeting))
		opening_request(c, early, session_http);
	else
		session_http(c, early);
	spare_put(early, sizeof(*early));
}

void
session_drop(struct conn *c)
{
	struct buf	*early = c->proto;

	buf_clear(early);
	spare_put(early, sizeof(*early));
	c->proto = NULL;
	close(c->fd);			/* it is somebody else's: no shutdown */
	c->fd = -1;
	conn_free(c);
}

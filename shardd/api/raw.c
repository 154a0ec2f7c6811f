/* kennel.h: raw TCP, and what it needs of flow and sharing. */
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "common/turn.h"
#include "proto/ws_frame.h"
#include "shardd/api/api.h"
#include "shardd/api/socket.h"
#include "shardd/api/surroundings.h"
#include "shardd/client/conn.h"
#include "shardd/client/pace.h"
#include "shardd/client/payload.h"
#include "shardd/client/policy.h"
#include "shardd/kennel.h"
#include "shardd/session/outgoing.h"
#include "shardd/session/sessions.h"
#include "shardd/session/verbs.h"

#define RAW_HEAD_MAX	(64 << 10)	/* bytes before a payload */

static inline struct payload *
payload_of(const struct kennel_payload *p)
{
	return ((struct payload *)(uintptr_t)p);
}

int
kennel_socket_raw(const struct kennel_socket *s)
{
	return (s != NULL && (conn_of(s)->flags & CONN_F_RAW) != 0);
}

const char *
kennel_socket_setting(const struct kennel_socket *s, const char *key)
{
	return (s == NULL || key == NULL ? NULL :
	    meter_setting(conn_of(s)->meter, key));
}

void
kennel_pause(struct kennel_socket *s)
{
	if (s != NULL && conn_of(s)->state == CONN_OPEN)
		conn_pause(conn_of(s), PAUSE_APP);
}

void
kennel_resume(struct kennel_socket *s)
{
	if (s != NULL)
		conn_resume(conn_of(s), PAUSE_APP);
}

size_t
kennel_socket_queued(const struct kennel_socket *s)
{
	return (s == NULL ? 0 : outbox_queued(&conn_of(s)->out));
}

size_t
kennel_socket_owed(const struct kennel_socket *s)
{
	return (s == NULL ? 0 : pace_owed(conn_of(s)));
}

int
kennel_socket_patience(struct kennel_socket *s, unsigned ms)
{
	struct conn	*c;

	if (s == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	c = conn_of(s);
	if (c->fd == -1 || (c->flags & CONN_F_DOOMED)) {
		errno = EPIPE;
		return (-1);
	}
	return (setsockopt(c->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms,
	    sizeof(ms)));
}

struct kennel_payload *
kennel_payload_new(const char *data, size_t len, int flags)
{
	struct payload	*p;

	if (data == NULL && (flags & KENNEL_BINARY))
		p = payload_frame_empty(len);
	else
		p = api_payload(data, len, flags);
	if (p != NULL)
		p->told = (flags & KENNEL_TOLD) != 0;
	return ((struct kennel_payload *)p);
}

struct kennel_payload *
kennel_payload_ref(struct kennel_payload *p)
{
	if (p != NULL)
		payload_ref(payload_of(p));
	return (p);
}

void
kennel_payload_free(struct kennel_payload *p)
{
	if (p != NULL)
		payload_unref(payload_of(p));
}

char *
kennel_payload_data(struct kennel_payload *p)
{
	return (p == NULL ? NULL :
	    (char *)(uintptr_t)payload_data(payload_of(p)).data);
}

/* Send p, behind head unless that is NULL. */
static int
raw_send(struct kennel_socket *s, struct payload *head, struct payload *p)
{
	struct verb	 v = { .kind = VERB_SEND, .p = p, .head = head };
	struct conn	*c = conn_of(s);

	switch (api_may_send(c, p->told)) {
	case 0:
		return (verbs_call(c, &v));
	case 1:
		return (api_gather(c, head, p));
	default:
		return (-1);
	}
}

int
kennel_send_payload(struct kennel_socket *s, struct kennel_payload *p)
{
	if (s == NULL || p == NULL) {
		errno = s == NULL ? ENOTCONN : EINVAL;
		return (-1);
	}
	return (raw_send(s, NULL, payload_of(p)));
}

size_t
kennel_send_many(struct kennel_socket *const *to, size_t n,
    struct kennel_payload *p)
{
	size_t	 sent = 0;

	if (to == NULL || p == NULL || n == 0)
		return (0);
	if (to[0] != NULL)
		conn_crowd(conn_of(to[0])->clients, n > CONN_CROWD);
	turn_progress();
	for (size_t i = 0; i < n; i++)
		sent += kennel_send_payload(to[i], p) == 0;
	if (to[0] != NULL)
		conn_crowd(conn_of(to[0])->clients, 0);
	return (sent);
}

int
kennel_send_headed(struct kennel_socket *s, const char *head, size_t head_len,
    struct kennel_payload *p)
{
	struct payload	*h;
	int		 r;

	if (s == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if (p == NULL || !kennel_socket_raw(s) || head_len > RAW_HEAD_MAX) {
		errno = EINVAL;
		return (-1);
	}
	if ((h = api_message(head, head_len, KENNEL_MORE)) == NULL)
		return (-1);
	r = raw_send(s, h, payload_of(p));
	payload_unref(h);
	return (r);
}

int
kennel_dial(const struct kennel_app *app, const char *address, unsigned ms,
    kennel_dial_cb *done, void *arg)
{
	struct sessions			*s = surroundings->sessions;
	const struct applications	*apps = &s->apps;

	if (app < apps->at || app >= apps->at + apps->n ||
	    app->ondata == NULL || address == NULL) {
		errno = EINVAL;
		return (-1);
	}
	return (outgoing_dial(s, surroundings->base, app, address, ms, done,
	    arg));
}

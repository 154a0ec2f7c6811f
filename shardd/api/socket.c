/* kennel.h: sockets, and what they are told to do. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "proto/capsule.h"
#include "proto/cover.h"
#include "proto/ws_frame.h"
#include "shardd/api/api.h"
#include "shardd/api/socket.h"
#include "shardd/client/conn.h"
#include "shardd/client/payload.h"
#include "shardd/client/who.h"
#include "shardd/kennel.h"
#include "shardd/session/verbs.h"

int
kennel_socket_way(const struct kennel_socket *s)
{
	if (s == NULL)
		return (0);
	return (conn_of(s)->state == CONN_MOVING ? KENNEL_LEAVING :
	    conn_of(s)->state == CONN_PARKED ? KENNEL_COMING : 0);
}

int
api_may_send(const struct conn *c, int told)
{
	if (c->flags & CONN_F_DOOMED)
		errno = EPIPE;
	else if (c->state == CONN_MOVING || c->state == CONN_PARKED) {
		if (told)
			return (1);
		errno = EAGAIN;
	} else if (c->state != CONN_OPEN)
		errno = EPIPE;
	else
		return (0);
	return (-1);
}

int
api_gather(struct conn *c, struct payload *head, struct payload *p)
{
	if (c->state != CONN_MOVING || c->fd == -1)
		return (0);		/* it does not stay */
	return (head != NULL ? conn_send_both(c, head, p) : conn_send(c, p));
}

int
api_call(struct kennel_socket *s, struct verb *v, const char *data,
    size_t len)
{
	struct conn	*c = conn_of(s);
	int		 r, away = 0;

	if (c == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	/* Send and close are for the open; the group hears farewells too. */
	if (v->kind == VERB_SEND)
		away = api_may_send(c, v->flags & KENNEL_TOLD);
	else if (c->flags & CONN_F_DOOMED) {
		errno = EPIPE;
		return (-1);
	}
	if (away == -1)
		return (-1);
	if (v->kind == VERB_SEND && (c->flags & CONN_F_RAW))
		v->p = api_message(data, len, v->flags);
	else
		v->p = api_payload(data, len, v->flags);
	if (v->p == NULL)
		return (-1);
	r = away ? api_gather(c, NULL, v->p) : verbs_call(c, v);
	payload_unref(v->p);
	return (r);
}

int
kennel_send(struct kennel_socket *s, const char *data, size_t len, int flags)
{
	struct verb	 v = { .kind = VERB_SEND, .flags = flags };

	return (api_call(s, &v, data, len));
}

int
kennel_emit(struct kennel_socket *s, const char *data, size_t len, int flags)
{
	struct verb	 v = { .kind = VERB_EMIT, .flags = flags };

	return (api_call(s, &v, data, len));
}

int
kennel_broadcast(struct kennel_socket *s, const char *data, size_t len,
    int flags, kennel_done_cb *done, void *arg)
{
	struct verb	 v = { .kind = VERB_BROADCAST, .flags = flags,
			    .done = done, .arg = arg };

	return (api_call(s, &v, data, len));
}

int
kennel_whisper(struct kennel_socket *s, const char *uid, size_t uid_len,
    const char *data, size_t len, int flags, kennel_done_cb *done, void *arg)
{
	struct verb	 v = { .kind = VERB_WHISPER, .flags = flags,
			    .uid = api_text(uid, uid_len), .done = done,
			    .arg = arg };

	return (api_call(s, &v, data, len));
}

int
kennel_gossip(struct kennel_socket *s, const char *msg, size_t len,
    unsigned deadline_ms, kennel_gossip_cb *cb, void *arg)
{
	struct verb	 v = { .kind = VERB_GOSSIP, .flags = KENNEL_BINARY,
			    .deadline_ms = deadline_ms, .gossip = cb,
			    .arg = arg };

	if (s != NULL && cb == NULL) {
		errno = EINVAL;
		return (-1);
	}
	return (api_call(s, &v, msg, len));
}

int
kennel_tell(struct kennel_socket *s, uint64_t neighbour, const char *head,
    size_t head_len, const char *data, size_t len)
{
	struct conn	*c = conn_of(s);

	if (c == NULL || (head == NULL && head_len > 0) ||
	    (data == NULL && len > 0)) {
		errno = c == NULL ? ENOTCONN : EINVAL;
		return (-1);
	}
	if (c->flags & CONN_F_DOOMED) {
		errno = EPIPE;
		return (-1);
	}
	return (verbs_tell(c, neighbour, slice_of(head, head_len),
	    slice_of(data, len)));
}

int
kennel_step(struct kennel_socket *s, const char *data, size_t len,
    kennel_done_cb *done, void *arg)
{
	struct verb	 v = { .kind = VERB_STEP, .flags = KENNEL_BINARY,
			    .done = done, .arg = arg };

	return (api_call(s, &v, data, len));
}

int
kennel_close(struct kennel_socket *s, int code, const char *reason)
{
	if (s == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	return (verbs_close(conn_of(s), code, slice_str(reason == NULL ? "" :
	    reason)));
}

const char *
kennel_socket_uid(const struct kennel_socket *s, size_t *len)
{
	return (api_slice(s == NULL ? slice_str("") : conn_uid(conn_of(s)),
	    len));
}

const char *
kennel_socket_peer(const struct kennel_socket *s)
{
	return (s == NULL ? "" : who_peer(conn_of(s)));
}

int
kennel_socket_proxied(const struct kennel_socket *s)
{
	return (s != NULL && (conn_of(s)->told & CAPSULE_F_PROXIED) != 0);
}

int
kennel_socket_secure(const struct kennel_socket *s)
{
	return (s != NULL && (conn_of(s)->told & CAPSULE_F_SECURE) != 0);
}

const char *
kennel_socket_header(const struct kennel_socket *s, const char *name)
{
	return (s == NULL || name == NULL ? NULL :
	    who_header(conn_of(s), name));
}

const char *
kennel_socket_param(const struct kennel_socket *s, const char *name)
{
	return (s == NULL || name == NULL ? NULL :
	    who_kept(conn_of(s), "path", name));
}

const char *
kennel_socket_query(const struct kennel_socket *s, const char *key)
{
	return (s == NULL || key == NULL ? NULL :
	    who_kept(conn_of(s), "query", key));
}

const char *
kennel_socket_cookie(const struct kennel_socket *s, const char *name)
{
	return (s == NULL || name == NULL ? NULL :
	    who_kept(conn_of(s), "cookie", name));
}

uint64_t
kennel_socket_id(const struct kennel_socket *s)
{
	return (s == NULL ? 0 : conn_of(s)->id);
}

uint64_t
kennel_socket_last(const struct kennel_socket *s)
{
	static uint64_t	 epoch;		/* of clock_ms; one, or it would jitter */
	uint64_t	 now = clock_ms();

	if (s == NULL)
		return (0);
	if (epoch == 0)
		epoch = clock_wall_ms() - now;
	return (epoch + now - (uint32_t)((uint32_t)now - conn_of(s)->last));
}

struct kennel_replica *
kennel_socket_replica(const struct kennel_socket *s)
{
	return (s == NULL ? NULL :
	    (struct kennel_replica *)conn_of(s)->replica);
}

void
kennel_socket_set_data(struct kennel_socket *s, void *data)
{
	if (s != NULL)
		conn_of(s)->data = data;
}

void *
kennel_socket_data(const struct kennel_socket *s)
{
	return (s == NULL ? NULL : conn_of(s)->data);
}

_Static_assert(KENNEL_CHECKPOINT_MAX == CAPSULE_KEPT_MAX, "as is promised");

int
kennel_checkpoint(struct kennel_socket *s, const void *data, size_t len)
{
	struct conn	*c = conn_of(s);

	errno = ENOTCONN;
	if (s == NULL || (c->flags & CONN_F_GONE) ||
	    (c->slot == 0 && c->state != CONN_OPEN))
		return (-1);
	errno = EAGAIN;
	if (c->state == CONN_MOVING)
		return (-1);
	errno = EINVAL;
	if (data == NULL && len > 0)
		return (-1);
	errno = EMSGSIZE;
	if (len > CAPSULE_KEPT_MAX)
		return (-1);
	errno = ENOTSUP;
	if (c->slot == 0)
		return (-1);
	return (cover_checkpoint(c->slot, slice_of(data, len), c->app->moves));
}

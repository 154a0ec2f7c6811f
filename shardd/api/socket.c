/* kennel.h: requests, sockets, replicas, surroundings. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/budget.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/networks.h"
#include "proto/http_reply.h"
#include "proto/utf8.h"
#include "proto/ws_frame.h"
#include "shardd/state/authority.h"
#include "shardd/session/verbs.h"
#include "shardd/client/conn.h"
#include "shardd/state/decide.h"
#include "shardd/group/answer.h"
#include "shardd/group/fan.h"
#include "shardd/group/group.h"
#include "shardd/group/neighbours.h"
#include "shardd/client/payload.h"
#include "shardd/group/replica.h"
#include "shardd/client/http.h"
#include "shardd/client/request.h"
#include "shardd/worker.h"
#include "shardd/group/topics.h"

static struct buf	 api_names;	/* for the next one's topics */

struct worker	*worker_self;

static struct conn *
conn_of(const struct kennel_socket *s)
{
	return ((struct conn *)(uintptr_t)s);
}

static struct replica *
replica_of(const struct kennel_replica *r)
{
	return ((struct replica *)(uintptr_t)r);
}

static const char *
api_slice(struct slice s, size_t *len)
{
	if (len != NULL)
		*len = s.len;
	return (s.data);
}

/* What may be NULL is then empty. */
static struct slice
api_text(const char *s, size_t len)
{
	return (s == NULL ? slice_str("") : slice_of(s, len));
}

/* ---- requests ---- */

static const char *
request_text_or_empty(const struct kennel_request *q, struct slice s)
{
	const char	*t;

	t = request_text((struct kennel_request *)(uintptr_t)q, s);
	return (t == NULL ? "" : t);
}

const char *
kennel_request_method(const struct kennel_request *q)
{
	return (q == NULL ? "" : request_text_or_empty(q, q->h.method));
}

const char *
kennel_request_path(const struct kennel_request *q)
{
	return (q == NULL ? "" : request_text_or_empty(q, q->h.path));
}

const char *
kennel_request_query(struct kennel_request *q, const char *key, size_t *len)
{
	struct request_text	*t;
	size_t			 n;
	char			*value;

	if (q == NULL || key == NULL ||
	    (value = http_query_get(q->h.query, key, &n)) == NULL)
		return (NULL);
	if ((t = malloc(sizeof(*t) + n + 1)) == NULL) {
		free(value);
		return (NULL);
	}
	memcpy(t->s, value, n + 1);
	free(value);
	t->next = q->texts;
	q->texts = t;
	if (len != NULL)
		*len = n;
	return (t->s);
}

const char *
kennel_request_header(struct kennel_request *q, const char *name)
{
	const struct http_header	*h = NULL;

	if (q != NULL && name != NULL)
		h = http_head_find(&q->h, name);
	return (h == NULL ? NULL : request_text(q, h->value));
}

const char *
kennel_request_header_at(struct kennel_request *q, size_t i,
    const char **value)
{
	const char	*text;

	if (q == NULL || i >= q->h.nheaders ||
	    (text = request_text(q, q->h.headers[i].value)) == NULL)
		return (NULL);
	if (value != NULL)
		*value = text;
	return (request_text(q, q->h.headers[i].name));
}

const char *
kennel_request_body(const struct kennel_request *q, size_t *len)
{
	size_t	 n = q == NULL ? 0 : q->body.len;

	if (len != NULL)
		*len = n;
	return (n > 0 ? q->body.data : "");
}

const char *
kennel_request_uid(const struct kennel_request *q, size_t *len)
{
	return (api_slice(q == NULL ? slice_str("") : q->uid, len));
}

const char *
kennel_request_group(const struct kennel_request *q, size_t *len)
{
	return (api_slice(q == NULL ? slice_str("") : q->group, len));
}

const char *
kennel_request_peer(const struct kennel_request *q)
{
	return (q == NULL ? "" : q->peer.data);
}

struct kennel_replica *
kennel_request_replica(const struct kennel_request *q)
{
	if (q == NULL || q->replica == 0)
		return (NULL);
	return ((struct kennel_replica *)group_find(&worker_self->groups, q->replica));
}

int
kennel_request_upgrades(const struct kennel_request *q)
{
	return (q != NULL && http_head_lists(&q->h, "Upgrade", "websocket"));
}

int
kennel_header(struct kennel_request *q, const char *name, const char *value)
{
	if (q == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	/* The route has said it. */
	if (q->conn != NULL && name != NULL &&
	    ((strcasecmp(name, "Access-Control-Allow-Origin") == 0 &&
	    (q->conn->told & CAPSULE_F_CORS)) ||
	    (strcasecmp(name, "Sec-WebSocket-Protocol") == 0 &&
	    (q->conn->told & CAPSULE_F_PROTOCOL))))
		return (0);
	if (name == NULL || value == NULL ||
	    !http_field_ok(slice_str(name), slice_str(value)) ||
	    http_field_ours(slice_str(name))) {
		errno = EINVAL;
		return (-1);
	}
	return (buf_addf(&q->extra, "%s: %s\r\n", name, value));
}

void
kennel_respond(struct kennel_request *q, int status, const char *type,
    const char *body, size_t len)
{
	char	 text[64];

	if (q == NULL)
		return;
	if (body == NULL)
		len = 0;
	if (status < 200 || status > 599 ||
	    (type != NULL && !http_field_ok(slice_str("t"), slice_str(type)))) {
		log_warn("respond status=%d is not a response", status);
		status = 500;
		type = NULL;
		len = 0;
	}
	/* An error without words says at least which. */
	if (status >= 400 && len == 0 && type == NULL) {
		type = "text/plain";
		len = (size_t)snprintf(text, sizeof(text), "%s\n",
		    http_status_text(status));
		body = text;
	}
	http_answer(q, status, type, slice_of(body, len));
}

void
kennel_connect(struct kennel_request *q)
{
	if (q != NULL)
		http_upgrade(q);
}

/* ---- sockets ---- */

/* Make the payload of a message: text must be UTF-8 (RFC 6455 5.6). */
static struct payload *
api_payload(const char *data, size_t len, int flags)
{
	if (data == NULL && len > 0) {
		errno = EINVAL;
		return (NULL);
	}
	if ((flags & KENNEL_BINARY) == 0 && !utf8_valid(data, len)) {
		errno = EILSEQ;
		return (NULL);
	}
	return (payload_frame(flags & KENNEL_BINARY ? WS_BINARY : WS_TEXT,
	    slice_of(data, len)));
}

static int
api_call(struct kennel_socket *s, struct verb *v, const char *data,
    size_t len)
{
	struct conn	*c = conn_of(s);
	int		 r;

	if (c == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	/* Send and close are for the open; the group hears farewells too. */
	if ((v->kind == VERB_SEND && c->state != CONN_OPEN) ||
	    (c->flags & CONN_F_DOOMED)) {
		errno = EPIPE;
		return (-1);
	}
	if ((v->p = api_payload(data, len, v->flags)) == NULL)
		return (-1);
	r = verbs_call(c, v);
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
kennel_publish(struct kennel_socket *s, const char *const *topics,
    const char *data, size_t len, int flags, kennel_done_cb *done, void *arg)
{
	struct verb	 v = { .kind = VERB_PUBLISH, .flags = flags,
			    .done = done, .arg = arg };
	struct buf	 names;
	int		 r = -1;

	if (s == NULL || topics == NULL) {
		errno = s == NULL ? ENOTCONN : EINVAL;
		return (-1);
	}
	names = buf_take(&api_names);
	if (topics_pack(&names, topics) == 0) {
		v.uid = slice_of(names.data, names.len);
		r = api_call(s, &v, data, len);
	}
	buf_give(&api_names, &names);
	return (r);
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
	struct conn	*c = conn_of(s);
	struct verb	*v;
	size_t		 n = reason == NULL ? 0 : strlen(reason);

	if (c == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if (!ws_close_ok(code, slice_of(reason, n))) {
		errno = EINVAL;
		return (-1);
	}
	if (c->state != CONN_OPEN) {
		errno = EPIPE;
		return (-1);
	}
	if ((v = calloc(1, sizeof(*v) + n + 1)) == NULL) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return (0);
	}
	v->kind = VERB_CLOSE;
	v->code = code;
	if (n > 0)
		memcpy(v->text, reason, n);
	verbs_call(c, v);
	free(v);
	return (0);
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
	return (s == NULL ? "" : conn_peer(conn_of(s)));
}

const char *
kennel_socket_header(const struct kennel_socket *s, const char *name)
{
	return (s == NULL || name == NULL ? NULL :
	    conn_header(conn_of(s), name));
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

/* ---- replicas ---- */

/* A completion for a replica, which may end before it comes. */
struct api_done {
	kennel_replica_done_cb *done;
	kennel_replica_gossip_cb *gossip;
	void		*arg;
	uint64_t	 replica;
};

static struct kennel_replica *
api_done_replica(const struct api_done *d)
{
	return ((struct kennel_replica *)group_find(&worker_self->groups,
	    d->replica));
}

static void
api_done_cb(int err, void *arg)
{
	struct api_done	*d = arg;

	d->done(api_done_replica(d), err, d->arg);
	free(d);
}

static void
api_gossip_cb(const struct kennel_slot *slots, size_t n, void *arg)
{
	struct api_done	*d = arg;

	d->gossip(api_done_replica(d), slots, n, d->arg);
	free(d);
}

static void
api_settled_cb(int over, void *arg)
{
	(void)over, (void)arg;	/* what a replica does next need not wait */
}

static struct api_done *
api_promise(struct replica *r, kennel_replica_done_cb *done,
    kennel_replica_gossip_cb *gossip, void *arg)
{
	struct api_done	*d;

	if ((d = malloc(sizeof(*d))) == NULL)
		return (NULL);
	d->done = done;
	d->gossip = gossip;
	d->arg = arg;
	d->replica = r->id;
	return (d);
}

int
kennel_replica_emit(struct kennel_replica *r, const char *data, size_t len,
    int flags)
{
	struct payload	*p;

	if (r == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if ((p = api_payload(data, len, flags)) == NULL)
		return (-1);
	replica_emit(replica_of(r), p, (struct slice){ NULL, 0 });
	payload_unref(p);
	return (0);
}

/* Broadcast, or whisper when uid is given. */
static int
api_replica_call(struct replica *r, const struct slice *uid, const char *data,
    size_t len, int flags, kennel_replica_done_cb *done, void *arg)
{
	struct slice	 nobody = { NULL, 0 };
	struct api_done	*d = NULL;
	struct payload	*p;
	int		 waiting, n = -1;

	if (r == NULL || r->neighbours == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if (fan_is_over(r->neighbours)) {
		errno = EAGAIN;		/* no client can be paused for it */
		return (-1);
	}
	if ((p = api_payload(data, len, flags)) == NULL)
		return (-1);
	if (done != NULL && (d = api_promise(r, done, NULL, arg)) == NULL)
		goto out;
	if (uid == NULL) {
		replica_emit(r, p, nobody);
		n = fan_cast(r->neighbours, p, nobody,
		    d != NULL ? api_done_cb : NULL, d);
	} else {
		replica_whisper(r, *uid, p);
		n = fan_whisper(r->neighbours, replica_group(r), *uid, p, &waiting,
		    api_settled_cb, NULL, d != NULL ? api_done_cb : NULL, d);
	}
	if (n == -1)
		free(d);
out:
	payload_unref(p);
	return (n == -1 ? -1 : 0);
}

int
kennel_replica_broadcast(struct kennel_replica *r, const char *data,
    size_t len, int flags, kennel_replica_done_cb *done, void *arg)
{
	return (api_replica_call(replica_of(r), NULL, data, len, flags, done,
	    arg));
}

int
kennel_replica_whisper(struct kennel_replica *r, const char *uid,
    size_t uid_len, const char *data, size_t len, int flags,
    kennel_replica_done_cb *done, void *arg)
{
	struct slice	 to = api_text(uid, uid_len);

	return (api_replica_call(replica_of(r), &to, data, len, flags, done,
	    arg));
}

int
kennel_replica_gossip(struct kennel_replica *kr, const char *msg, size_t len,
    unsigned deadline_ms, kennel_replica_gossip_cb *cb, void *arg)
{
	struct replica	*r = replica_of(kr);
	struct api_done	*d;

	if (r == NULL || r->neighbours == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if (cb == NULL || (msg == NULL && len > 0)) {
		errno = EINVAL;
		return (-1);
	}
	if ((d = api_promise(r, NULL, cb, arg)) == NULL)
		return (-1);
	if (fan_gossip(r->neighbours, slice_of(msg, len), deadline_ms,
	    api_gossip_cb, d) == 0)
		return (0);
	free(d);
	return (-1);
}

int
kennel_replica_step(struct kennel_replica *kr, const char *data, size_t len,
    kennel_replica_done_cb *done, void *arg)
{
	struct replica	*r = replica_of(kr);
	struct api_done	*d = NULL;

	if (r == NULL || r->authority == NULL) {
		errno = r == NULL || r->neighbours == NULL ? ENOTCONN : ENOTSUP;
		return (-1);
	}
	if (data == NULL && len > 0) {
		errno = EINVAL;
		return (-1);
	}
	if (done != NULL && (d = api_promise(r, done, NULL, arg)) == NULL)
		return (-1);
	if (authority_step(r->authority, slice_of(data, len),
	    d != NULL ? api_done_cb : NULL, d) == 0)
		return (0);
	free(d);
	return (-1);
}

/* ---- topics ---- */

/* Is there a socket, and a name?  Else errno says which is missing. */
static int
api_may_subscribe(const struct kennel_socket *s, const char *topic)
{
	errno = s == NULL ? ENOTCONN : EINVAL;
	return (s != NULL && topic != NULL);
}

int
kennel_subscribe(struct kennel_socket *s, const char *topic)
{
	if (!api_may_subscribe(s, topic))
		return (-1);
	return (topics_join(conn_of(s), topic));
}

int
kennel_unsubscribe(struct kennel_socket *s, const char *topic)
{
	if (!api_may_subscribe(s, topic))
		return (-1);
	return (topics_leave(conn_of(s), topic));
}

const char *
kennel_topic(const struct kennel_socket *s, size_t i)
{
	return (s == NULL ? NULL : topics_at(conn_of(s), i));
}

int
kennel_replica_publish(struct kennel_replica *r, const char *const *topics,
    const char *data, size_t len, int flags)
{
	struct buf	 names;
	struct payload	*p = NULL;

	if (r == NULL || topics == NULL) {
		errno = r == NULL ? ENOTCONN : EINVAL;
		return (-1);
	}
	names = buf_take(&api_names);
	if (topics_pack(&names, topics) == 0 &&
	    (p = api_payload(data, len, flags)) != NULL) {
		topics_emit(replica_of(r), slice_of(names.data, names.len), p,
		    (struct slice){ NULL, 0 });
		payload_unref(p);
	}
	buf_give(&api_names, &names);
	return (p == NULL ? -1 : 0);
}

/* ---- shared state ---- */

static const struct maps *
api_maps(const struct kennel_replica *r)
{
	static const struct maps	 none;
	const struct authority		*a;

	a = r == NULL ? NULL : replica_of(r)->authority;
	return (a == NULL ? &none : authority_maps(a));
}

const char *
kennel_get(const struct kennel_replica *r, const char *map, const char *key,
    size_t key_len, size_t *len)
{
	return (api_slice(maps_get(api_maps(r), slice_str(map),
	    api_text(key, key_len)), len));
}

size_t
kennel_count(const struct kennel_replica *r, const char *map)
{
	return (maps_count(api_maps(r), slice_str(map)));
}

struct api_each {
	kennel_each_cb	*cb;
	void		*arg;
};

static void
api_each_cb(struct slice key, struct slice value, void *arg)
{
	const struct api_each	*e = arg;

	budget_charge(BUDGET_ENTRY);
	e->cb(key.data, key.len, value.data, value.len, e->arg);
}

void
kennel_each(const struct kennel_replica *r, const char *map,
    kennel_each_cb *cb, void *arg)
{
	struct api_each	 e = { cb, arg };

	if (cb != NULL)
		maps_each(api_maps(r), slice_str(map), api_each_cb, &e);
}

void
kennel_some(const struct kennel_replica *r, const char *map, uint64_t *cursor,
    size_t max, kennel_each_cb *cb, void *arg)
{
	struct api_each	 e = { cb, arg };

	maps_some(api_maps(r), slice_str(map), cursor, max, api_each_cb, &e);
}

const char *
kennel_get_in(const struct kennel_step *t, const char *map, const char *key,
    size_t key_len, size_t *len)
{
	return (api_slice(t == NULL ? slice_of(NULL, 0) :
	    decide_get(t, slice_str(map), api_text(key, key_len)), len));
}

size_t
kennel_count_in(const struct kennel_step *t, const char *map)
{
	return (t == NULL ? 0 : decide_count(t, slice_str(map)));
}

void
kennel_each_in(const struct kennel_step *t, const char *map,
    kennel_each_cb *cb, void *arg)
{
	struct api_each	 e = { cb, arg };

	if (t != NULL && cb != NULL)
		decide_each(t, slice_str(map), api_each_cb, &e);
}

void
kennel_some_in(const struct kennel_step *t, const char *map, uint64_t *cursor,
    size_t max, kennel_each_cb *cb, void *arg)
{
	struct api_each	 e = { cb, arg };

	decide_some(t, slice_str(map), cursor, max, api_each_cb, &e);
}

int
kennel_put(struct kennel_step *t, const char *map, const char *key,
    size_t key_len, const char *value, size_t len)
{
	if (t == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	return (decide_put(t, slice_str(map), api_text(key, key_len),
	    slice_of(value, len)));
}

size_t
kennel_put_left(const struct kennel_step *t)
{
	return (t == NULL ? 0 : decide_left(t));
}

size_t
kennel_room_left(const struct kennel_step *t)
{
	return (decide_room(t));
}

void
kennel_passing(struct kennel_step *t)
{
	t->passing = 1;
}

const char *
kennel_replica_group(const struct kennel_replica *r, size_t *len)
{
	return (api_slice(r == NULL ? slice_str("") : slice_of(
	    replica_of(r)->group, replica_of(r)->group_len), len));
}

uint64_t
kennel_replica_id(const struct kennel_replica *r)
{
	return (r == NULL ? 0 : replica_of(r)->id);
}

size_t
kennel_replica_count(const struct kennel_replica *r)
{
	return (r == NULL ? 0 : replica_of(r)->nmembers);
}

size_t
kennel_replica_neighbours(const struct kennel_replica *r)
{
	return (r == NULL || replica_of(r)->neighbours == NULL ? 0 :
	    neighbours_count(replica_of(r)->neighbours));
}

void
kennel_replica_set_data(struct kennel_replica *r, void *data)
{
	if (r != NULL)
		replica_of(r)->data = data;
}

void *
kennel_replica_data(const struct kennel_replica *r)
{
	return (r == NULL ? NULL : replica_of(r)->data);
}

void
kennel_answer(struct kennel_answer *a, const char *data, size_t len)
{
	if (a != NULL)
		answer_send(a, api_text(data, len), 0);
}

void
kennel_answer_error(struct kennel_answer *a, const char *text)
{
	if (a != NULL)
		answer_send(a, slice_str(text == NULL ? "" : text), 1);
}

/* ---- timers ---- */

struct kennel_timer {
	struct event	*ev;
	kennel_timer_cb	*cb;
	void		*arg;
};

static void
api_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct kennel_timer	*t = arg;

	(void)fd, (void)what;
	t->cb(t->arg);		/* may free t */
}

struct kennel_timer *
kennel_timer_new(unsigned ms, int repeat, kennel_timer_cb *cb, void *arg)
{
	struct timeval		 tv = { ms / 1000, (ms % 1000) * 1000 };
	struct kennel_timer	*t;

	if (cb == NULL) {
		errno = EINVAL;
		return (NULL);
	}
	if ((t = malloc(sizeof(*t))) == NULL)
		return (NULL);
	t->cb = cb;
	t->arg = arg;
	t->ev = event_new(worker_self->base, -1, repeat ? EV_PERSIST : 0,
	    api_timer_cb, t);
	if (t->ev == NULL || event_add(t->ev, &tv) == -1) {
		kennel_timer_free(t);
		errno = ENOMEM;
		return (NULL);
	}
	return (t);
}

void
kennel_timer_free(struct kennel_timer *t)
{
	if (t == NULL)
		return;
	if (t->ev != NULL)
		event_free(t->ev);
	free(t);
}

/* ---- surroundings ---- */

uint64_t
kennel_time(void)
{
	return (clock_wall_ms());
}

const char *
kennel_node(void)
{
	return (worker_self->node);
}

const char *
kennel_address(void)
{
	return (worker_self->address);
}

unsigned
kennel_slot(void)
{
	return (worker_self->slot);
}

const char *
kennel_version(void)
{
	return (KENNEL_VERSION);
}

const char *
kennel_option(const char *key)
{
	return (key == NULL ? NULL : options_get(&worker_self->opt, key));
}

int
kennel_trusts(const char *peer)
{
	static struct networks	*proxies;
	const char		*list = kennel_option("trusted_proxies");

	if (proxies == NULL && list != NULL)
		proxies = networks_new(list);	/* it stays as it is */
	return (peer != NULL && networks_have(proxies, slice_str(peer)));
}

void
kennel_log(const char *fmt, ...)
{
	char	 text[1024];
	va_list	 ap;

	if (fmt == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_info("app %s", text);
}

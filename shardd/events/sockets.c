/* The clients of a server that are in this process. */
#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "proto/limits.h"
#include "shardd/events/inside.h"
#include "shardd/events/sockets.h"

/* May id stand in a list of ids? */
static int
sockets_id_ok(struct slice id)
{
	for (size_t i = 0; i < id.len; i++)
		if ((unsigned char)id.data[i] <= ' ' || id.data[i] == ',' ||
		    id.data[i] == '|' || id.data[i] == 0x7f)
			return (0);
	return (id.len > 0);
}

/* Room for one more: 0, or -1 without memory. */
static int
sockets_reserve(struct events_server *v)
{
	struct events_socket	**at;
	size_t			  cap = v->cap == 0 ? 16 : v->cap * 2;

	if (v->n < v->cap)
		return (0);
	if ((at = realloc(v->sockets, cap * sizeof(struct events_socket *))) == NULL)
		return (-1);
	v->sockets = at;
	v->cap = cap;
	return (0);
}

/* s's id: its uid, or where we are a host of a network host/down/xx/uid, xx being the
 * first of the uid, as others find it by the host.  0, or -1 without memory. */
static int
sockets_set_id(struct events_socket *s)
{
	const struct slice	 host = s->server->host;
	struct buf		 b = { 0 };
	size_t			 cut;

	s->id.data = kennel_socket_uid(s->socket, &s->id.len);
	if (host.len == 0 || s->id.len == 0)
		return (0);
	cut = s->id.len < 4 ? 1 : 2;
	buf_addf(&b, "%.*s/down/%.*s/%.*s", (int)host.len, host.data, (int)cut,
	    s->id.data, (int)(s->id.len - cut), s->id.data + cut);
	buf_add(&b, "", 1);
	if (b.failed) {
		buf_clear(&b);
		return (-1);
	}
	s->own_id = b.data;
	s->id = slice_of(b.data, b.len - 1);
	return (0);
}

void
sockets_free(struct events_socket *s)
{
	free(s->own_id);
	free(s);
}

struct events_socket *
sockets_new(struct events_server *v, struct kennel_socket *ks)
{
	struct events_socket	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	s->server = v;
	s->socket = ks;
	if (sockets_set_id(s) == -1) {
		free(s);
		return (NULL);
	}
	s->last_id = ID_REGISTER;
	s->since = clock_ms();
	roomer_init(&s->rooms);
	list_init(&s->incoming);
	list_init(&s->lanes);
	list_init(&s->asked);
	list_init(&s->acks);
	list_init(&s->outgoing);
	list_init(&s->waits);
	return (s);
}

int
sockets_add(struct events_socket *s)
{
	struct events_server	*v = s->server;
	struct slice		 id = socket_id(s);

	if (!sockets_id_ok(id) || sockets_find(v, id) != NULL) {
		errno = sockets_id_ok(id) ? EEXIST : EINVAL;
		return (-1);
	}
	if (sockets_reserve(v) == -1 ||
	    map_insert(&v->by_id, &s->by_id, id.data, id.len) == -1)
		return (-1);
	if (bag_insert(&v->by_number, &s->by_number, bag_hash_id(
	    kennel_socket_id(s->socket))) == -1) {
		map_remove(&v->by_id, &s->by_id);
		return (-1);
	}
	s->index = v->n;
	v->sockets[v->n++] = s;
	return (0);
}

void
sockets_remove(struct events_socket *s)
{
	struct events_server	*v = s->server;
	struct events_socket	*moved = v->sockets[--v->n];

	v->sockets[s->index] = moved;
	moved->index = s->index;
	map_remove(&v->by_id, &s->by_id);
	bag_remove(&v->by_number, &s->by_number);
	rooms_leave_all(&v->rooms, &s->rooms);
}

struct events_socket *
sockets_find(const struct events_server *v, struct slice id)
{
	struct map_node	*n = map_find(&v->by_id, id.data, id.len);

	return (n == NULL ? NULL :
	    container_of(n, struct events_socket, by_id));
}

struct events_socket *
sockets_find_number(const struct events_server *v, uint64_t number)
{
	struct bag_node		*n = bag_find(&v->by_number,
				    bag_hash_id(number));
	struct events_socket	*s;

	for (; n != NULL; n = bag_again(n)) {
		s = container_of(n, struct events_socket, by_number);
		if (kennel_socket_id(s->socket) == number)
			return (s);
	}
	return (NULL);
}

/* Bytes that s's machine has taken; only differences mean something. */
static uint64_t
sockets_taken(const struct events_socket *s)
{
	return (s->queued - kennel_socket_owed(s->socket));
}

void
sockets_reads(struct events_socket *s, uint64_t now)
{
	s->taken = sockets_taken(s);
	s->since = now;
}

uint64_t
sockets_stuck(struct events_socket *s, uint64_t now)
{
	uint64_t	 taken = sockets_taken(s), age = now - s->since, ms = 0;

	if ((int64_t)(taken - s->taken) > 0)
		ms = (taken - s->taken) * 1000 / PACE_LEAST;
	s->taken = taken;
	s->since += ms < age ? ms : age;
	return (now - s->since);
}

void
sockets_hold(struct events_socket *s, int on)
{
	if (on && s->holds++ == 0)
		kennel_pause(s->socket);
	else if (!on && --s->holds == 0)
		kennel_resume(s->socket);
}

/* f as it is sent in dialect d; flags: KENNEL_TOLD, or 0.  NULL with errno EMSGSIZE or ENOMEM. */
static struct kennel_payload *
sockets_encode(const struct fasttcp_dialect *d, const struct fasttcp_frame *f,
    int flags, size_t *len)
{
	struct kennel_payload	*p;
	size_t			 n = fasttcp_head_len(d, f);
	char			*to;

	if (n == 0) {
		errno = EMSGSIZE;
		return (NULL);
	}
	*len = n + f->data.len;
	if ((p = kennel_payload_new(NULL, *len, KENNEL_BINARY | flags)) ==
	    NULL)
		return (NULL);
	to = kennel_payload_data(p);
	fasttcp_head(to, d, f);
	if (f->data.len > 0)
		memcpy(to + n, f->data.data, f->data.len);
	return (p);
}

/* Send f; flags: KENNEL_TOLD, or 0. */
static int
sockets_send_as(struct events_socket *s, const struct fasttcp_frame *f,
    int flags)
{
	struct kennel_payload	*p;
	size_t			 len;
	int			 r;

	if ((p = sockets_encode(s->in.dialect, f, flags, &len)) == NULL)
		return (-1);
	r = kennel_send_payload(s->socket, p);
	kennel_payload_free(p);
	if (r == 0)
		s->queued += len;
	return (r);
}

int
sockets_send(struct events_socket *s, const struct fasttcp_frame *f)
{
	return (sockets_send_as(s, f, 0));
}

int
sockets_send_told(struct events_socket *s, const struct fasttcp_frame *f)
{
	return (sockets_send_as(s, f, KENNEL_TOLD));
}

int
sockets_send_with(struct events_socket *s, const struct fasttcp_frame *f,
    struct kennel_payload *p)
{
	static char	 head[FASTTCP_HEAD_MAX];
	size_t		 n = fasttcp_head_len(s->in.dialect, f);

	if (n == 0) {
		errno = EMSGSIZE;
		return (-1);
	}
	fasttcp_head(head, s->in.dialect, f);
	if (n <= 32 << 10) {
		if (kennel_send_headed(s->socket, head, n, p) == -1)
			return (-1);
	} else if (kennel_send(s->socket, head, n,
	    KENNEL_BINARY | KENNEL_MORE | KENNEL_TOLD) == -1 ||
	    kennel_send_payload(s->socket, p) == -1)
		return (-1);
	s->queued += n + f->data.len;
	return (0);
}

/* ---- for many ---- */

/* Those who get the frame of the moment, in each dialect. */
static struct {
	struct kennel_socket	**at;
	size_t			  n, cap;
} shared_to[2];

/* One more of them: 0, or -1 without memory. */
static int
shared_gather(unsigned i, struct kennel_socket *ks)
{
	struct kennel_socket	**at;
	size_t			  cap = shared_to[i].cap == 0 ? 256 :
				    shared_to[i].cap * 2;

	if (shared_to[i].n == shared_to[i].cap) {
		if ((at = realloc(shared_to[i].at,
		    cap * sizeof(struct kennel_socket *))) == NULL)
			return (-1);
		shared_to[i].at = at;
		shared_to[i].cap = cap;
	}
	shared_to[i].at[shared_to[i].n++] = ks;
	return (0);
}

void
shared_init(struct shared *sh, const struct fasttcp_frame *f)
{
	*sh = (struct shared){ .f = *f };
	for (size_t i = 0; i < nitems(shared_to); i++)
		shared_to[i].n = 0;
}

void
shared_send(struct shared *sh, struct events_socket *s)
{
	unsigned	 i = fasttcp_version(s->in.dialect) - 1;

	if (sh->made[i].p == NULL && (sh->made[i].p =
	    sockets_encode(s->in.dialect, &sh->f, KENNEL_TOLD,
	    &sh->made[i].len)) == NULL)
		return;
	if (shared_gather(i, s->socket) == -1 &&
	    kennel_send_payload(s->socket, sh->made[i].p) == -1)
		return;
	s->queued += sh->made[i].len;
}

void
shared_end(struct shared *sh)
{
	for (size_t i = 0; i < nitems(sh->made); i++) {
		kennel_send_many(shared_to[i].at, shared_to[i].n,
		    sh->made[i].p);
		kennel_payload_free(sh->made[i].p);
	}
}

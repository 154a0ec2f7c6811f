/* kennel.h: replicas, and what they say by themselves. */
#include <errno.h>
#include <stdlib.h>

#include "shardd/api/api.h"
#include "shardd/api/surroundings.h"
#include "shardd/client/payload.h"
#include "shardd/group/answer.h"
#include "shardd/group/fan.h"
#include "shardd/group/group.h"
#include "shardd/group/neighbours.h"
#include "shardd/group/replica.h"
#include "shardd/group/shelf.h"
#include "shardd/group/topics.h"
#include "shardd/kennel.h"
#include "shardd/state/authority.h"

/* A completion for a replica, which may end before it comes. */
struct api_done {
	kennel_replica_done_cb *done;
	kennel_replica_gossip_cb *gossip;
	void		*arg;
	uint64_t	 replica;
};

/* The replica of d, or NULL: it has ended. */
static struct kennel_replica *
api_done_replica(const struct api_done *d)
{
	return ((struct kennel_replica *)group_find(surroundings->groups,
	    d->replica));
}

/* A replica's call is done. */
static void
api_done_cb(int err, void *arg)
{
	struct api_done	*d = arg;

	d->done(api_done_replica(d), err, d->arg);
	free(d);
}

/* A replica's question is answered. */
static void
api_gossip_cb(const struct kennel_slot *slots, size_t n, void *arg)
{
	struct api_done	*d = arg;

	d->gossip(api_done_replica(d), slots, n, d->arg);
	free(d);
}

/* A whisper's lookup is over. */
static void
api_settled_cb(int over, void *arg)
{
	(void)over, (void)arg;	/* what a replica does next need not wait */
}

/* Remember what the application is promised.  NULL without memory. */
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
	group_emitted(replica_of(r), slice_of(NULL, 0), p,
	    (struct slice){ NULL, 0 });
	payload_unref(p);
	return (0);
}

/* Whom a replica's call is for: all, a uid, or the subscribers of topics. */
struct api_reach {
	enum { API_ALL, API_UID, API_TOPICS } kind;
	struct slice	 name;		/* the uid, or topics_pack()'s */
};

/* p, here and at all neighbours.  -1 with errno. */
static int
api_replica_say(struct replica *r, const struct api_reach *to,
    struct payload *p, fan_done_cb *done, void *arg)
{
	struct slice	 nobody = { NULL, 0 };
	int		 waiting;

	switch (to->kind) {
	case API_UID:
		replica_whisper(r, to->name, p, 0);
		return (fan_whisper(r->neighbours, replica_group(r), to->name,
		    p, &waiting, api_settled_cb, NULL, done, arg));
	case API_TOPICS:
		topics_emit(r, to->name, p, nobody);
		return (fan_publish(r->neighbours, to->name, p, nobody, done,
		    arg));
	case API_ALL:
		break;
	}
	replica_emit(r, p, nobody);
	return (fan_cast(r->neighbours, p, nobody, done, arg));
}

/* What nobody in particular says to the group. */
static int
api_replica_call(struct replica *r, const struct api_reach *to,
    const char *data, size_t len, int flags, kennel_replica_done_cb *done,
    void *arg)
{
	struct api_done	*d = NULL;
	struct payload	*p;
	int		 n = -1;

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
	n = api_replica_say(r, to, p, d != NULL ? api_done_cb : NULL, d);
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
	const struct api_reach	 to = { .kind = API_ALL };

	return (api_replica_call(replica_of(r), &to, data, len, flags, done,
	    arg));
}

int
kennel_replica_whisper(struct kennel_replica *r, const char *uid,
    size_t uid_len, const char *data, size_t len, int flags,
    kennel_replica_done_cb *done, void *arg)
{
	const struct api_reach	 to = { API_UID, api_text(uid, uid_len) };

	return (api_replica_call(replica_of(r), &to, data, len, flags, done,
	    arg));
}

int
kennel_replica_publish_all(struct kennel_replica *r,
    const char *const *topics, const char *data, size_t len, int flags,
    kennel_replica_done_cb *done, void *arg)
{
	struct api_reach	 to = { .kind = API_TOPICS };
	struct buf		 names = { 0 };
	int			 rv = -1;

	if (r == NULL || topics == NULL) {
		errno = r == NULL ? ENOTCONN : EINVAL;
		return (-1);
	}
	if (topics_pack(&names, topics) == 0) {
		to.name = slice_of(names.data, names.len);
		rv = api_replica_call(replica_of(r), &to, data, len, flags,
		    done, arg);
	}
	buf_clear(&names);
	return (rv);
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

uint64_t
kennel_replica_expected(const struct kennel_replica *kr, uint64_t *oldest)
{
	uint64_t	 none;

	return (shelf_expected(kr == NULL ? NULL :
	    ((const struct replica *)kr)->shelf,
	    oldest == NULL ? &none : oldest));
}

int
kennel_replica_tell(struct kennel_replica *kr, uint64_t neighbour,
    const char *head, size_t head_len, const char *data, size_t len)
{
	struct replica	*r = replica_of(kr);

	if (r == NULL || r->neighbours == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if ((head == NULL && head_len > 0) || (data == NULL && len > 0)) {
		errno = EINVAL;
		return (-1);
	}
	return (fan_tell(r->neighbours, neighbour, slice_of(head, head_len),
	    slice_of(data, len)));
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

uint64_t
kennel_replica_neighbour(const struct kennel_replica *r, size_t i)
{
	return (i < kennel_replica_neighbours(r) ?
	    neighbours_id(replica_of(r)->neighbours, i) : 0);
}

const struct kennel_app *
kennel_replica_app(const struct kennel_replica *r)
{
	return (r == NULL ? NULL : replica_of(r)->app);
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

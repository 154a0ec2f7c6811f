/* kennel.h: who is in a group, here and elsewhere. */
#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "proto/limits.h"
#include "proto/ws_frame.h"
#include "shardd/api/api.h"
#include "shardd/api/surroundings.h"
#include "shardd/client/conn.h"
#include "shardd/group/group.h"
#include "shardd/group/query.h"
#include "shardd/group/replica.h"
#include "shardd/group/roll.h"
#include "shardd/kennel.h"

/* What the application is promised for a replica that may end before. */
struct members_promise {
	uint64_t	 replica;
	kennel_uids_cb	*uids;
	kennel_replica_done_cb *done;
	void		*arg;
};

struct members_each {
	kennel_each_socket_cb *cb;
	void		*arg;
};

/* The application's replica, or NULL: it has ended. */
static struct kennel_replica *
members_replica(const struct members_promise *p)
{
	return ((struct kennel_replica *)group_find(surroundings->groups,
	    p->replica));
}

/* One member. */
static void
members_each_cb(struct conn *c, void *arg)
{
	const struct members_each	*e = arg;

	e->cb((struct kennel_socket *)c, e->arg);
}

/* All members, or those of uid (data not NULL). */
static int
members_each(struct kennel_replica *r, struct slice uid,
    kennel_each_socket_cb *cb, void *arg)
{
	struct members_each	 e = { cb, arg };

	if (r == NULL || cb == NULL) {
		errno = r == NULL ? ENOTCONN : EINVAL;
		return (-1);
	}
	return (roll_each(replica_of(r), uid, members_each_cb, &e));
}

int
kennel_replica_each(struct kennel_replica *r, kennel_each_socket_cb *cb,
    void *arg)
{
	return (members_each(r, slice_of(NULL, 0), cb, arg));
}

int
kennel_replica_each_of(struct kennel_replica *r, const char *uid,
    size_t uid_len, kennel_each_socket_cb *cb, void *arg)
{
	return (members_each(r, api_text(uid, uid_len), cb, arg));
}

/* A page of uids. */
static void
members_uids_cb(const struct kennel_uid *uids, size_t n, int more, int err,
    void *arg)
{
	struct members_promise	*p = arg;

	p->uids(members_replica(p), uids, n, more, err, p->arg);
	free(p);
}

/* All have closed a uid. */
static void
members_done_cb(int err, void *arg)
{
	struct members_promise	*p = arg;

	p->done(members_replica(p), err, p->arg);
	free(p);
}

/* Remember whom to tell.  NULL without memory. */
static struct members_promise *
members_promise(const struct replica *r, void *arg)
{
	struct members_promise	*p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return (NULL);
	p->replica = r->id;
	p->arg = arg;
	return (p);
}

int
kennel_replica_uids(struct kennel_replica *kr, const char *after,
    size_t after_len, size_t max, unsigned deadline_ms, kennel_uids_cb *cb,
    void *arg)
{
	struct replica		*r = replica_of(kr);
	struct members_promise	*p;

	if (r == NULL || r->neighbours == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if (cb == NULL || max > ROLL_MAX || after_len > UID_MAX) {
		errno = EINVAL;
		return (-1);
	}
	if ((p = members_promise(r, arg)) == NULL)
		return (-1);
	p->uids = cb;
	if (query_uids(r, api_text(after, after_len), max, deadline_ms,
	    members_uids_cb, p) == 0)
		return (0);
	free(p);
	return (-1);
}

struct members_farewell {
	int		 code;
	const char	*reason;
};

/* One socket of the uid here. */
static void
members_close_cb(struct conn *c, void *arg)
{
	const struct members_farewell	*f = arg;

	kennel_close((struct kennel_socket *)c, f->code, f->reason);
}

int
kennel_close_uid(struct kennel_replica *kr, const char *uid, size_t uid_len,
    int code, const char *reason, kennel_replica_done_cb *done, void *arg)
{
	struct replica		*r = replica_of(kr);
	struct members_farewell	 f = { code, reason };
	struct members_promise	*p = NULL;
	struct slice		 who = api_text(uid, uid_len);
	struct slice		 why = slice_str(reason == NULL ? "" : reason);

	if (r == NULL || r->neighbours == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	if (!ws_close_ok(code, why) || who.len > UID_MAX) {
		errno = EINVAL;
		return (-1);
	}
	if (done != NULL) {
		if ((p = members_promise(r, arg)) == NULL)
			return (-1);
		p->done = done;
	}
	if (query_close(r, who, code, why, done == NULL ? NULL :
	    members_done_cb, p) == -1) {
		free(p);
		return (-1);
	}
	/* Those here may be r's last: it lives to the end of the turn. */
	if (roll_each(r, who, members_close_cb, &f) == -1)
		log_warn("replica id=%llu a uid is not closed here: no memory",
		    (unsigned long long)r->id);
	return (0);
}

/*
 * What the library itself asks of a group's other replicas: whom they have, and to
 * close the sockets of a uid.
 */
#ifndef SHARDD_QUERY_H
#define SHARDD_QUERY_H

#include <stddef.h>

#include "common/bytes.h"

struct gossip;
struct kennel_uid;
struct link;
struct replica;

/* uids: the first n of the group, in order, each once.  err: 0, or ETIMEDOUT: somebody's
 * are missing; ECANCELED: our replica has ended. */
typedef void	query_uids_cb(const struct kennel_uid *uids, size_t n, int more,
		    int err, void *arg);

/* The first max uids of the group behind `after` (empty: from the first), also of r's
 * own.  cb comes once, never from within.  0, or -1 with errno ENOMEM. */
int	 query_uids(struct replica *r, struct slice after, size_t max,
	    unsigned ms, query_uids_cb *cb, void *arg);
/* Close the sockets of uid at all others.  done (may be NULL) comes once, never from
 * within, with 0, ETIMEDOUT or ECANCELED.  0, or -1 with errno ENOMEM. */
int	 query_close(struct replica *r, struct slice uid, int code,
	    struct slice reason, void (*done)(int err, void *arg), void *arg);

/* A neighbour asks so over l. */
void	 query_uids_asked(struct replica *r, struct link *l,
	    const struct gossip *m);
void	 query_close_asked(struct replica *r, struct link *l,
	    const struct gossip *m);

#endif

/*
 * Bodies that clients put for their calls.  A call and its bodies come on different
 * connections, to different shards, in any order: what a call wants is told to all shards
 * of the group, and a body that nobody wants yet waits a while for its call.
 */
#ifndef SHARDD_APE_UPLOAD_H
#define SHARDD_APE_UPLOAD_H

#include "shardd/ape/courier.h"
#include "shardd/ape/download.h"

#define UPLOAD_NAME_MAX	64		/* bytes of a call's or a body's name */

/* fd is the callee's; -1: it did not come in time. */
typedef void	upload_cb(int fd, void *arg);

struct want;

/*
 * A call of that name wants a body; cb comes once, perhaps from within, unless it is
 * cancelled.  NULL: cb will not come.
 */
struct want *upload_want(struct kennel_replica *r, const char *query,
	    const char *hash, const char *session, const char *client,
	    upload_cb *cb, void *arg);
void	 upload_cancel(struct want *w);
/* A neighbour's call wants one, or it has one that no call wants, or has announced a
 * file. */
void	 upload_told(struct kennel_replica *r, uint64_t neighbour,
	    const struct kennel_word *w);
/*
 * A body has come, into fd, which is the callee's; the request is answered when a call
 * wants it, or none does.  1: it waits for its call; and where a shared file of that name
 * is announced meanwhile, again gets all of it, fd included.
 */
typedef void	upload_again(struct kennel_request *q, const char *query,
		    const char *hash, const struct asker *who, int fd);
int	 upload_put(struct kennel_request *q, const char *query,
	    const char *hash, const struct asker *who, int fd,
	    upload_again *again);
/* A shared file of that name is announced, in some shard: here, which tells the
 * others; or there. */
void	 upload_announce(struct kennel_replica *r, const char *hash);
void	 upload_announced(const char *hash);
/* The same, by another server. */
void	 upload_elsewhere(const char *hash, const char *server);
/* A body of a call of ours has come to another shard. */
void	 upload_note(const struct courier_note *n, int fd);

#endif

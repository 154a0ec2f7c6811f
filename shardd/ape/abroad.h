/*
 * Files that other servers have: a client of ours asks for one, and it is brought here as
 * it comes; or a client of theirs has put one here, and it is brought there.
 */
#ifndef SHARDD_APE_ABROAD_H
#define SHARDD_APE_ABROAD_H

#include <stdint.h>

#include "shardd/ape/asker.h"

struct kennel_request;

/*
 * fd: a file of share.h's form, the callee's, that is whole or comes; -1: it is not to be
 * had, for status: 404, or 503 (too many are on their way).
 */
typedef void	abroad_cb(int fd, int status, void *arg);

/* The shared file of that id; q's path is where other servers have it, too.  cb comes once,
 * perhaps from within. */
void	 abroad_share(struct kennel_request *q, const char *id, abroad_cb *cb,
	    void *arg);
/* The same for what only who may have; server has it. */
void	 abroad_link(struct kennel_request *q, const char *server,
	    const struct asker *who, abroad_cb *cb, void *arg);
/*
 * The body of q, size bytes of fd, goes where it is waited for: to that server, or, NULL, to
 * the one where the id is announced.  What that answers is q's answer.  fd is borrowed
 * during the call.  0: nobody is to answer q here; or -1, and it is as before.
 */
int	 abroad_put(struct kennel_request *q, const char *where,
	    const struct asker *who, int fd, uint64_t size);

#endif

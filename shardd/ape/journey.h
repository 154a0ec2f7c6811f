/* A client goes to another process, with what is known of it, and comes from one. */
#ifndef SHARDD_APE_JOURNEY_H
#define SHARDD_APE_JOURNEY_H

#include "shardd/kennel-ape.h"

struct ape_client;

/* Can c go?  Then what is known of it is added to the blob: 0.  -1 with errno EAGAIN: not
 * now; ENOTSUP: never. */
int	 journey_pack(const struct ape_client *c, struct kennel_blob *b);
/* c has begun something, or ended it: as long as nothing of it is under way, it has a
 * checkpoint, with which it goes on if this process dies. */
void	 journey_touch(struct ape_client *c);
/* The client of a socket that has come with these bytes; it is listed, and not ready.
 * NULL: they are not to be read, or there is no memory.  Of a checkpoint (KENNEL_RESUMED)
 * they are less. */
struct ape_client *journey_unpack(struct kennel_socket *s, const char *data,
	    size_t len, int how);

#endif

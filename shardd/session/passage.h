/*
 * A session moves to another process: with what its group has said to it, and what its
 * application gives along.
 */
#ifndef SHARDD_PASSAGE_H
#define SHARDD_PASSAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

struct capsule;
struct conn;
struct kennel_app;
struct replica;
struct sessions;
struct shelf_user;

/* Can c go now, to a neighbour?  NULL, or why not, and *never: it cannot at all. */
const char *passage_hinders(const struct conn *c, int *never);
/* The version of the blobs that c's application writes; 0: c does not move. */
unsigned passage_version(const struct conn *c);
/*
 * Append the record for replica `to` to b; nobody has read c since `paused` (clock_ns).
 * c is MOVING.  0, or -1 with errno and c as it was: EAGAIN (not now), ENOTSUP (never),
 * or another.
 */
int	 passage_pack(struct conn *c, uint64_t to, uint64_t paused,
	    struct buf *b);
/* c stays. */
void	 passage_back(struct conn *c);
/* c is there, and no member here any more; its application still knows it. */
void	 passage_leave(struct conn *c);
/* Its application lets go of it, then it is no more. */
void	 passage_end(struct conn *c);

/* The connection of a record, for r (NULL: no group), of which the application knows
 * nothing yet; fd is taken on success.  NULL with errno. */
struct conn *passage_make(struct sessions *s, const struct capsule *cap,
	    const struct kennel_app *app, struct replica *r, int fd);
/* Subscribe it to what it had subscribed to: terminated names. */
void	 passage_topics(struct conn *c, struct slice topics);
/* The session of a record, for r (NULL: no group), not begun; fd is taken on success.
 * NULL with errno: the application has refused it, or cannot read it. */
struct conn *passage_unpack(struct sessions *s, const struct capsule *cap,
	    const struct kennel_app *app, struct replica *r, int fd);
/* It is ours: it gets what was kept for it (u, unless NULL), and is a member of its
 * group. */
void	 passage_begin(struct conn *c, const struct capsule *cap,
	    const struct shelf_user *u);
/* It is not: nothing was touched. */
void	 passage_drop(struct conn *c);

#endif

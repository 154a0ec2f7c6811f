/*
 * A connection is packed for a journey to another process, at any byte, and unpacked
 * there.  Until it is known who has it, the sender keeps all of it, and gathers what
 * its group says to it: if it comes back, nothing was lost.
 */
#ifndef SHARDD_FREEZE_H
#define SHARDD_FREEZE_H

#include "common/bytes.h"
#include "proto/capsule.h"

struct clients;
struct conn;
struct meter;

/* A record in the making: cap's slices may point into these, which are kept from one to
 * the next. */
struct frozen {
	struct capsule	 cap;
	struct buf	 state, early, owed, topics, blob;
};

/*
 * Can c go now?  NULL, or why not, and *never: it cannot at all.  Paused for its move
 * and with nothing else under way, it can.
 */
const char *freeze_hinders(const struct conn *c, int *never);
/* What the kernel takes is written first; then c is MOVING.  What the floor above
 * knows of c is not filled in.  0, or -1 with errno, and c is as it was. */
int	 freeze_pack(struct conn *c, struct frozen *f);
/* c stays, and goes on with what has gathered. */
void	 freeze_undo(struct conn *c);
/* c is another process's: the descriptor is closed here, and no more; c is to be
 * freed. */
void	 freeze_leave(struct conn *c);

/*
 * The connection of a record, PARKED until freeze_begin(); fd is taken on success.
 * message_max: what its application takes.  NULL with errno.
 */
struct conn *freeze_unpack(struct clients *all, const struct capsule *cap,
	    struct meter *meter, size_t message_max, int fd);
/* It is ours: OPEN.  What it is owed is written at the end of the turn. */
void	 freeze_begin(struct conn *c);

#endif

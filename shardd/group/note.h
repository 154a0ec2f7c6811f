/*
 * A note stands in the place of a message that was lost: for the same receivers, so
 * that who misses something learns of it, and nobody else.
 */
#ifndef SHARDD_NOTE_H
#define SHARDD_NOTE_H

#include "proto/gossip.h"
#include "shardd/peers/backlog.h"

struct link;

/*
 * m does not fit into what waits for l.  Who asked is told that nobody acted.  What
 * clients were to have becomes a note for whom it was; what an authority says, one
 * that both are to compare what they have.  What is small and waited for is sent all
 * the same.  many: a note for one receiver more would be one too many.
 */
enum backlog_fate note_drop(const struct link *l, struct gossip *m, int many);
/* m is for a replica that is not here, and is not kept: what is to be known of m when
 * its replica comes.  Returns 1 if there is a note, else 0. */
int	 note_absent(const struct gossip *m, struct gossip *note);

#endif

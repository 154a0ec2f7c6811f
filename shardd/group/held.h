/*
 * Messages for replicas that are not here: those that the gateway is about to
 * make, whose messages wait in order, and those that have ended.
 */
#ifndef SHARDD_HELD_H
#define SHARDD_HELD_H

#include <stdint.h>

#include "proto/gossip.h"

struct link;
struct links;

#define HELD_MS		2000		/* that a message waits */
#define HELD_NOTE_MS	60000		/* that a note of it does */
#define HELD_MAX	(1 << 20)	/* bytes of all that wait; as many of notes */

/*
 * Keep a copy of m, which came over l.  If there is no room, or its replica does not
 * come in time, whoever waits for an answer gets one, and only a note stays: nobody
 * can have lost m, for its replica has no members yet, but its number is not to
 * look like a loss when it comes.
 */
void	 held_add(struct link *l, const struct gossip *m);
/* replica is here: hand what waited for it to cb, oldest first. */
void	 held_release(struct links *ls, uint64_t replica,
	    void (*cb)(struct link *l, const struct gossip *m, void *arg),
	    void *arg);
/*
 * Replicas, ours and others', that have ended: the latest 4096 are remembered, so that what was
 * still on its way from one does not make it a neighbour again.  The two below look at all of
 * them (32 KiB, some microseconds), which is done for each meeting and for words of or for who
 * is not known here, and never for those of a neighbour.
 */
void	 held_set_ended(uint64_t replica);
int	 held_ended(uint64_t replica);
/* It was given up, but lives. */
void	 held_clear_ended(uint64_t replica);

#endif

/*
 * Who decides where several nodes share a Redis: whoever holds the group's epoch there.
 * The gateway of each node nominates one replica, which claims the epoch when nobody
 * holds it, or who did is dead; the others hear of the holder by its REIGN.  Terms are
 * made of epochs, which rise: no clock has a part in it, and nothing is renewed.
 *
 * Without Redis a node that cannot reach the holder goes on by itself, under a
 * provisional term: what is not in Redis changes there, too.  When the two meet again,
 * the holder's state counts, and the other side is reset to it.
 */
#ifndef SHARDD_CANDIDACY_H
#define SHARDD_CANDIDACY_H

#include <stdint.h>

struct authority;

/* The gateway says: replica head is its node's candidate, as of that nomination. */
void	 candidacy_named(struct authority *a, uint64_t nomination,
	    uint64_t head);
/* We know all who were in the group before us: only now may one without a state claim,
 * for what is in no Redis is theirs. */
void	 candidacy_acquainted(struct authority *a);
/* That replica, perhaps the head, has ended. */
void	 candidacy_vacant(struct authority *a, uint64_t replica);
/* We are in office, and Redis says that we are not, or was away: claim again. */
void	 candidacy_claim(struct authority *a);
/* May whoever says that term be followed, rather than the head that is known? */
int	 candidacy_yields(const struct authority *a, uint64_t term);
/* Is what we have of a provisional term, and gives way to what that term has? */
int	 candidacy_gives_way(const struct authority *a, uint64_t term);
/* Each 100 ms, while the authority is restless.  Returns whether it is to stay so. */
int	 candidacy_tick(struct authority *a);
/* We are in office, and a member remembers that term.  If Redis has lost it, the member
 * would follow nobody: we claim an epoch that is above it. */
void	 candidacy_outdone(struct authority *a, uint64_t term);
/* We end. */
void	 candidacy_end(struct authority *a);

#endif

/*
 * Who of this node's connections move, and why: a shard is to be emptied, or some have
 * more than others.  Everything else that moves connections (upgrade.h) asks for it
 * here, too, so that a shard is one transfer's at a time.
 */
#ifndef GATEWAYD_BALANCE_H
#define GATEWAYD_BALANCE_H

#include <stddef.h>
#include <stdint.h>

struct balance;
struct event_base;
struct json_t;
struct placement;
struct roster;
struct settings;
struct shard;
struct totals;
struct transfer;
struct transfer_plan;

/* All is borrowed.  NULL with errno. */
struct balance *balance_new(struct event_base *base,
	    const struct settings *settings, struct placement *placement,
	    struct roster *roster, struct totals *totals);
void	 balance_free(struct balance *b);	/* b may be NULL */

/*
 * Empty a shard whose program is replaced, within ms: who can moves, the others are closed
 * as by a drain, and it leaves.  Returns how many are to move; 0: nobody can.  s is READY.
 * Nobody who could move is closed before: where others have no room, one more of the
 * current program is started, as long as those that stay are fewer than max_shards; if
 * nobody else serves, s does, as long as another one is to come.  Whoever could move if
 * another shard answered is waited for upgrade_wait longer.
 */
size_t	 balance_empty(struct balance *b, struct shard *s, unsigned ms);
/*
 * The same because the operator asked for it, and within ms: what, a constant, is its
 * name.  Nobody who could move is closed before, as long as one more shard may be
 * started, is starting, or starts again; if nobody else serves, s does until then.
 * again: another process follows in its place.  Then that may be started before, in
 * another slot, where nobody else serves or has room; if it does not start, s stays.
 */
size_t	 balance_drain(struct balance *b, struct shard *s, unsigned ms,
	    const char *what, int again);
/* How many wait until others have room, of all that are being emptied. */
size_t	 balance_waiting(const struct balance *b);
/* Is s, which is READY, being emptied, or going to be when another shard is there? */
int	 balance_emptying(const struct balance *b, const struct shard *s);
/* Even out now, not only what is far from even.  Returns how many are to move. */
size_t	 balance_even(struct balance *b);
/* How far they are, moves.h.  The caller's; NULL: no memory. */
struct json_t *balance_moves(const struct balance *b);
/* Is a transfer from or to s, or any (NULL), under way? */
int	 balance_busy(const struct balance *b, const struct shard *s);
/* One of somebody else's; plan->done is called first.  NULL with errno, EBUSY: there
 * is one from this shard. */
struct transfer *balance_transfer(struct balance *b,
	    const struct transfer_plan *plan);
/* Nobody is evened out while this is on. */
void	 balance_hold(struct balance *b, int on);

#endif

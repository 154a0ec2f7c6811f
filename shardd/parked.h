/* Connections handed over by the gateway, whose ADOPTED may not be with the kernel. */
#ifndef SHARDD_PARKED_H
#define SHARDD_PARKED_H

#include <stdint.h>

struct ctl;
struct worker;

/*
 * An ADOPT with its descriptors, of which those that are taken become -1; cut: some
 * did not come.  It is parked and ADOPTED said, or REFUSED.  0, or -1 with errno: the
 * channel cannot take the word.
 */
int	 parked_adopt(struct worker *w, const struct ctl *m, int *fds, int cut);
/* Begin those whose ADOPTED is with the kernel: sent is control_sent(). */
void	 parked_begin(struct worker *w, uint64_t sent);
/*
 * The channel ended before our ADOPTED was out.  If the gateway is dead, nobody
 * else has these connections; if it lives, it is placing them afresh already.
 * Its sockets are closed a moment before it counts as dead.
 */
void	 parked_orphans(struct worker *w);
/* They stay the gateway's: let go. */
void	 parked_drop(struct worker *w);

#endif

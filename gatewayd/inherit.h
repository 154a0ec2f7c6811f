/* Arrivals that one program leaves to the next in the gateway's process. */
#ifndef GATEWAYD_INHERIT_H
#define GATEWAYD_INHERIT_H

struct arrivals;
struct buf;
struct heir;
struct inlet;

/* Leave all to the program that is executed in our place (heritage.h).  Whose head has
 * been read is not among them. */
void	 arrivals_leave_to(const struct arrivals *as, struct buf *will);
/* One that an earlier program left: takes h->fd; inlet: of its name, or NULL. */
void	 arrival_inherit(struct arrivals *as, const struct heir *h,
	    const struct inlet *inlet);

#endif

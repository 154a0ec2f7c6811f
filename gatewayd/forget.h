/*
 * kennelctl room rm: what a group has kept in Redis is removed.  Refused while the
 * group is open, for its replicas have a copy of it, which would be written again.
 */
#ifndef GATEWAYD_FORGET_H
#define GATEWAYD_FORGET_H

struct control;
struct ctl;
struct forget;
struct gateway;

/*
 * ask: FORGET.  The answer goes to c, now or later; until then *at is what
 * forget_cancel() takes, else NULL.  0, or -1: drop c.
 */
int	 forget_begin(struct gateway *g, struct control *c,
	    const struct ctl *ask, struct forget **at);
/* c has ended: nobody is to be told.  NULL is harmless. */
void	 forget_cancel(struct forget *f);

#endif

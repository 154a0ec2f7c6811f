/* What kennelctl asks: everything in one JSON object, in pieces. */
#ifndef GATEWAYD_STATUS_H
#define GATEWAYD_STATUS_H

struct control;
struct ctl;
struct gateway;

/* ask: STATUS_ASK; text "check": count everything afresh.  0, or -1: drop c. */
int	 status_answer(struct gateway *g, struct control *c,
	    const struct ctl *ask);

#endif

/* What the gateway tells us, and what we tell it when it is there again. */
#ifndef SHARDD_ORDERS_H
#define SHARDD_ORDERS_H

struct worker;

/* Dial the gateway: 0, or -1 with errno; tries again by itself later. */
int	 orders_dial(struct worker *w);

#endif

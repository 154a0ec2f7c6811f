/* A gateway from start to end. */
#ifndef GATEWAYD_GATEWAY_H
#define GATEWAYD_GATEWAY_H

struct gateway;

/* settings are loaded, the run directory is ours.  From start to end; the exit
 * status. */
int	 gateway_run(struct gateway *g);

#endif

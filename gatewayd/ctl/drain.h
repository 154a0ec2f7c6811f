/* Emptying a shard, and watching how it goes; the exit status. */
#ifndef GATEWAYD_CTL_DRAIN_H
#define GATEWAYD_CTL_DRAIN_H

struct invocation;

int	 drain_run(const struct invocation *v);	/* drain and restart */

#endif

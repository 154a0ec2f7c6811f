/* Other workers in the place of those that run, and watching how it goes. */
#ifndef GATEWAYD_CTL_UPGRADE_H
#define GATEWAYD_CTL_UPGRADE_H

struct invocation;

int	 upgrade_run(const struct invocation *v);	/* upgrade, canary */
int	 upgrade_decide(const struct invocation *v);	/* back, commit */
int	 upgrade_rebalance(const struct invocation *v);

#endif

/* The status again and again, with what has changed since; the exit status. */
#ifndef GATEWAYD_CTL_TOP_H
#define GATEWAYD_CTL_TOP_H

struct invocation;

int	 top_run(const struct invocation *v);

#endif

/*
 * The gateway, as the parts of a shard see it: somebody to tell things to, who may
 * be away.  The channel itself is the worker's.
 */
#ifndef SHARDD_GATE_H
#define SHARDD_GATE_H

#include <stdint.h>

struct control;
struct ctl;

struct gate {
	struct control	*control;	/* NULL: there is no gateway now */
	int		 leaving;	/* this shard drains: nothing new begins */
	int		 covers;	/* it keeps copies of clients' descriptors */
};

/* Tell the gateway m.  0, or -1 with errno: ENOTCONN, there is none; or the
 * channel's. */
int	 gate_tell(struct gate *g, const struct ctl *m);
/* The same with descriptors, which are taken on success; fds ends with -1. */
int	 gate_send(struct gate *g, const struct ctl *m, const int *fds);
/* The gateway gets a copy of fd, the descriptor of connection id, if it wants one. */
void	 gate_cover(struct gate *g, uint64_t id, int fd);

#endif

/* The gateway, as the parts of a shard see it. */
#include <errno.h>

#include "proto/channel.h"
#include "shardd/gate.h"

int
gate_send(struct gate *g, const struct ctl *m, const int *fds)
{
	if (g->control == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	return (control_send(g->control, m, fds));
}

int
gate_tell(struct gate *g, const struct ctl *m)
{
	return (gate_send(g, m, NULL));
}

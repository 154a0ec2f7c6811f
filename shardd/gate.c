/* The gateway, as the parts of a shard see it. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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

void
gate_cover(struct gate *g, uint64_t id, int fd)
{
	const struct ctl	 m = { .type = CTL_COVER, .id = id };
	int			 copy;

	if (g->control == NULL || !g->covers ||
	    (copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1)
		return;
	if (control_send(g->control, &m, &copy) == -1)
		close(copy);
}

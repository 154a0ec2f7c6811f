/* Sockets that clients connect to, held for the next gateway. */
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "proto/channel.h"
#include "shardd/doorway.h"

/* Let go of the last one; its descriptor is the caller's. */
static int
doorway_drop(struct doorways *d)
{
	struct doorway	*last = &d->list[--d->n];

	free(last->name);
	return (last->fd);
}

void
doorways_close(struct doorways *d)
{
	while (d->n > 0)
		close(doorway_drop(d));
}

void
doorways_hold(struct doorways *d, int fd, struct slice name, int first)
{
	char	*copy;

	if (first)
		doorways_close(d);
	if (d->n == DOORWAYS_MAX || (copy = slice_dup(name)) == NULL) {
		close(fd);
		return;
	}
	d->list[d->n++] = (struct doorway){ fd, copy };
}

void
doorways_give(struct doorways *d, struct control *gateway)
{
	struct ctl	 m = { .type = CTL_LISTENING };

	log_debug("gives sockets=%zu to the gateway", d->n);
	while (d->n > 0) {
		m.text = slice_str(d->list[d->n - 1].name);
		if (control_send(gateway, &m, &d->list[d->n - 1].fd) == -1)
			close(d->list[d->n - 1].fd);
		(void)doorway_drop(d);
	}
}

/* The way of an idle HTTP connection back to the gateway. */
#include <unistd.h>

#include "proto/capsule.h"
#include "proto/control.h"
#include "shardd/client/conn.h"
#include "shardd/client/home.h"
#include "shardd/client/who.h"
#include "shardd/gate.h"

void
home_send(struct conn *c, struct slice early)
{
	struct capsule	 cap = {
		.id = c->id, .protocol = CAPSULE_HTTP,
		.flags = c->told & CAPSULE_F_TLS,
		.peer = slice_str(who_peer(c)),
		.via = slice_str(who_via(c)),
		.early = early,
	};
	struct ctl	 m = { .type = CTL_ADOPT, .id = c->id };
	struct buf	 b = { 0 };
	int		 fds[2] = { c->fd, -1 };

	if (capsule_encode(&b, &cap) == -1)
		goto fail;
	if (b.len > CAPSULE_INLINE) {
		m.flags |= CTL_F_MEMFD;
		if ((fds[1] = capsule_memfd(b.data, b.len)) == -1)
			goto fail;
	} else
		m.value = slice_of(b.data, b.len);
	if (gate_send(c->clients->gate, &m, fds) == -1) {
		if (fds[1] != -1)
			close(fds[1]);
		goto fail;
	}
	buf_clear(&b);
	return;
fail:
	buf_clear(&b);
	conn_doom(c, CLOSE_LOST);
}

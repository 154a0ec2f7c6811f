/* Arrivals that one program leaves to the next. */
#include <event2/event.h>

#include "common/sock.h"
#include "gatewayd/arrival_in.h"
#include "gatewayd/heritage.h"
#include "gatewayd/inherit.h"
#include "gatewayd/inlet.h"
#include "proto/capsule.h"

void
arrivals_leave_to(const struct arrivals *as, struct buf *will)
{
	struct list	*e, *tmp;
	struct arrival	*a;
	struct heir	 h;

	for (size_t i = 0; i < ARRIVAL_NSTATES; i++)
		list_each(e, tmp, &as->states[i].list) {
			a = list_entry(e, struct arrival, at);
			h = (struct heir){ .kind = i == ARRIVAL_HOME ?
			    HEIR_HOME : HEIR_HANDSHAKE, .fd = a->fd,
			    .peer = slice_str(a->peer),
			    .early = slice_of(a->in.data, a->in.len) };
			h.flags = (a->flags & CAPSULE_F_TLS ? HEIR_TLS : 0) |
			    (a->inlet != NULL ? HEIR_PROXY : 0);
			if (a->inlet != NULL || a->raw != NULL)
				h.name = slice_str((a->inlet != NULL ?
				    a->inlet : a->raw)->text);
			heritage_leave(will, &h);
		}
}

void
arrival_inherit(struct arrivals *as, const struct heir *h,
    const struct inlet *inlet)
{
	struct arrival	*a;

	/* How it is to be read is not known any more. */
	if ((h->name.len > 0 && inlet == NULL) || (a = arrival_new(as, h->fd,
	    h->peer, h->flags & HEIR_PROXY ? PEER_MAX : 0,
	    h->flags & HEIR_TLS ? CAPSULE_F_TLS : 0)) == NULL) {
		sock_end(h->fd, 0);
		return;
	}
	if (inlet != NULL && inlet->route != NULL)
		a->raw = inlet;
	if (h->flags & HEIR_PROXY)
		a->inlet = inlet;
	else
		(void)arrival_count(a, a->peer);	/* it was let in before */
	if (h->early.len > 0 &&
	    buf_add(&a->in, h->early.data, h->early.len) == -1) {
		arrival_close(a);
		return;
	}
	arrival_enter(a, h->kind == HEIR_HOME ? ARRIVAL_HOME : ARRIVAL_HEAD);
	if (h->early.len > 0)
		event_active(&a->ev, EV_TIMEOUT, 1);
}

/* What a connection is to have, by its request or by its listener. */
#include <string.h>

#include "gatewayd/ask.h"
#include "gatewayd/forwarded.h"
#include "gatewayd/handoff_ask.h"
#include "gatewayd/inlet.h"
#include "gatewayd/origin.h"
#include "gatewayd/route.h"
#include "gatewayd/routes.h"
#include "proto/capsule.h"
#include "proto/http_head.h"

void
ask_request(struct handoff_ask *ask, const struct http_head *h,
    const struct route_match *m, const struct forwarded *from,
    const struct origin_here *here, uint32_t flags)
{
	const char	*why;

	memset(ask, 0, sizeof(*ask));
	ask->group = m->has_group ? m->group : slice_of(NULL, 0);
	ask->uid = m->uid;
	ask->app = slice_str(m->app);
	ask->route = slice_str(m->label);
	ask->peer = slice_str(from->peer);
	ask->limit = m->limit;
	ask->limit_group = m->route->limit_group;
	ask->place = m->route->place;
	ask->flags = flags | (m->uid_made ? CAPSULE_F_UID_MADE : 0) |
	    (from->trusted ? CAPSULE_F_PROXIED : 0) |
	    (slice_caseis(here->scheme, "https") ? CAPSULE_F_SECURE : 0) |
	    (m->cors ? CAPSULE_F_CORS : 0) |
	    (m->protocol ? CAPSULE_F_PROTOCOL : 0);
	if (http_head_websocket(h, &why) == 0)
		ask->flags |= CAPSULE_F_UPGRADE;
	else
		ask->http = !route_lasts(m->route, h);
	ask->head_only = slice_is(h->method, "HEAD");
	ask->headers = m->headers;
	ask->nheaders = m->nheaders;
}

int
ask_raw(struct handoff_ask *ask, const struct inlet *in, struct slice peer,
    uint32_t flags)
{
	static struct route_match m;
	const char		*why;

	memset(ask, 0, sizeof(*ask));
	if (routes_raw(in->route, &m, &why) == -1)
		return (-1);
	ask->raw = 1;
	ask->group = m.has_group ? m.group : slice_of(NULL, 0);
	ask->uid = m.uid;
	ask->app = slice_str(m.app);
	ask->route = slice_str(m.label);
	ask->peer = peer;
	ask->limit = m.limit;
	ask->limit_group = m.route->limit_group;
	ask->place = in->route->place;
	ask->flags = flags | (m.uid_made ? CAPSULE_F_UID_MADE : 0) |
	    (flags & CAPSULE_F_TLS ? CAPSULE_F_SECURE : 0);
	return (0);
}

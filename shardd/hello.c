/* Who this shard is and what it has, for a gateway that does not know it. */
#include <unistd.h>

#include "proto/capsule.h"
#include "proto/channel.h"
#include "shardd/client/clients.h"
#include "shardd/group/replica.h"
#include "shardd/hello.h"
#include "shardd/kennel.h"
#include "shardd/worker.h"

/* We have this connection. */
static void
hello_have_conn_cb(const struct conn *k, void *control)
{
	struct ctl	 m = {
		.type = CTL_HAVE_CONN, .id = k->id,
		.replica = k->replica == NULL ? 0 : k->replica->id,
		.uid = conn_uid(k), .hops = k->hops,
		.flags = k->state == CONN_MOVING ? CTL_F_MOVING : 0,
	};

	/* A handshake has a place of its own from the beginning. */
	if (k->state == CONN_HTTP && (k->told & CAPSULE_F_UPGRADE) == 0)
		m.flags = CTL_F_HTTP;
	if (k->state == CONN_MOVING && conn_move(k) != NULL)
		m.neighbour = journeys_neighbour(conn_move(k));
	if (k->state != CONN_PARKED)
		control_send(control, &m, NULL);
}

/* Which applications move their connections. */
static void
hello_have_apps(struct worker *w, struct control *c)
{
	const struct kennel_app	*app = w->sessions.apps.at;
	struct ctl		 m = { .type = CTL_HAVE_APP };

	for (; app < w->sessions.apps.at + w->sessions.apps.n; app++) {
		m.app = slice_str(app->name == NULL ? "" : app->name);
		m.high = app->moves;
		control_send(c, &m, NULL);
	}
}

/* Say what this shard has: replicas, then connections. */
static void
hello_have(struct worker *w, struct control *c)
{
	struct map_node	*n;

	for (n = map_first(&w->groups.replicas); n != NULL;
	    n = map_next(&w->groups.replicas, n)) {
		struct replica	*r = container_of(n, struct replica, by_id);
		struct ctl	 m = {
			.type = CTL_HAVE_REPLICA, .replica = r->id,
			.group = slice_of(r->group, r->group_len),
			.app = slice_str(r->app_name),
			.limit = (uint32_t)r->limit,
		};

		if (r->authority != NULL &&
		    authority_reigns(r->authority, &m.time))
			m.flags = CTL_F_AUTHORITY;
		control_send(c, &m, NULL);
	}
	clients_each(&w->sessions.clients, hello_have_conn_cb, c);
}

void
hello_say(struct worker *w, struct control *c)
{
	struct ctl	 m = {
		.type = CTL_HELLO, .slot = w->slot,
		.incarnation = w->incarnation, .pid = (uint32_t)getpid(),
		.low = WIRE_OLDEST, .high = w->version,
		.limit = (uint32_t)w->capacity, .time = w->started,
		.text = slice_str(w->link_path),
		.flags = CTL_F_PAGE | (w->draining ? CTL_F_LEAVE : 0),
		.capsule = w->version > 1 ? capsule_spoken() : 1,
	};

	control_send(c, &m, &w->page_fd);
	hello_have_apps(w, c);
	hello_have(w, c);
	m = (struct ctl){ .type = CTL_HELD };
	control_send(c, &m, NULL);
	journeys_greeted(&w->journeys);
}

/* What the gateway tells us. */
#include <sys/socket.h>
#include <sys/pidfd.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/sock.h"
#include "proto/capsule.h"
#include "proto/channel.h"
#include "proto/uids.h"
#include "shardd/client/clients.h"
#include "shardd/client/http.h"
#include "shardd/client/policy.h"
#include "shardd/group/groups.h"
#include "shardd/group/mourning.h"
#include "shardd/group/neighbours.h"
#include "shardd/group/replica.h"
#include "shardd/hello.h"
#include "shardd/kennel.h"
#include "shardd/orders.h"
#include "shardd/parked.h"
#include "shardd/peers/bus.h"
#include "shardd/session/parting.h"
#include "shardd/session/resuming.h"
#include "shardd/session/session.h"
#include "shardd/state/authority.h"
#include "shardd/worker.h"

struct order_in {
	const struct ctl *m;
	int		*fds;
	size_t		 nfds;
	int		 cut;
};

/* ---- the beginning ---- */

/* WELCOME: which node this is, and where Redis is. */
static int
orders_welcome(struct worker *w, struct order_in *o)
{
	const struct ctl	*m = o->m;

	if (wire_common(m->high, m->high, w->version) == 0 || m->text.len > NODE_MAX ||
	    m->text.len == 0) {
		errno = EPROTO;
		return (-1);
	}
	memcpy(w->node, m->text.data, m->text.len);
	w->node[m->text.len] = '\0';
	keys_address(w->address, sizeof(w->address), w->node, w->slot,
	    w->incarnation);
	w->gate.covers = (m->flags & CTL_F_COVER) != 0;
	if (w->gate.covers)
		lending_begin(&w->lending);
	if (m->capsule >= DOORWAYS_CAPSULE)
		doorways_give(&w->doorways, w->gate.control);
	return (options_set(&w->opt, slice_str("redis"), m->value) == -1 ||
	    options_set(&w->opt, slice_str("redis_prefix"), m->app) == -1 ?
	    -1 : 0);
}

/* LISTENING: a socket that clients connect to, to be held for the next gateway. */
static int
orders_listening(struct worker *w, struct order_in *o)
{
	if (o->cut)
		return (0);
	doorways_hold(&w->doorways, o->fds[0], o->m->text,
	    (o->m->flags & CTL_F_FIRST) != 0);
	o->fds[0] = -1;
	return (0);
}

/* How much this shard says from now on; a level that it does not know changes
 * nothing. */
static int
orders_log_level(struct slice value)
{
	char		 name[16];
	enum log_level	 level;

	snprintf(name, sizeof(name), "%.*s", (int)value.len, value.data);
	if (log_level_parse(name, &level) == 0)
		log_level_set(level);
	return (0);
}

/* OPTION: of [worker], of a route, or the level of the log. */
static int
orders_option(struct worker *w, struct order_in *o)
{
	if (o->m->text.len > 6 && memcmp(o->m->text.data, "route.", 6) == 0) {
		/* One that it does not know is of a newer gateway. */
		if (policy_option(&w->sessions.policies, o->m->text, o->m->value) == -1 &&
		    errno != EINVAL)
			return (-1);
		return (0);
	}
	if (o->m->text.len > 9 && memcmp(o->m->text.data, "listener ", 9) == 0) {
		if (policy_listener(&w->sessions.listeners, o->m->text,
		    o->m->value) == -1)
			return (-1);
		return (0);
	}
	if (slice_is(o->m->text, "log_level"))
		return (orders_log_level(o->m->value));
	return (options_set(&w->opt, o->m->text, o->m->value));
}

/* START: all options are told. */
static int
orders_start(struct worker *w, struct order_in *o)
{
	(void)o;
	if (worker_start(w) == -1)
		return (-1);
	worker_get_ready(w);
	backoff_reset(&w->redial);
	http_rehome(&w->sessions.clients);
	return (0);
}

/* ---- replicas ---- */

/* REPLICA: a group is to live here, too. */
static int
orders_replica(struct worker *w, struct order_in *o)
{
	const struct kennel_app	*app = applications_find(&w->sessions.apps, o->m->app);
	struct replica		*r;
	char			 name[2 * APP_MAX];

	if (group_find(&w->groups, o->m->replica) != NULL)
		return (0);
	if (app == NULL) {
		log_warn("order replica app=%s: this worker has no such "
		    "application", log_escape(name, sizeof(name),
		    o->m->app.data, o->m->app.len));
		return (0);		/* its capsules will be refused */
	}
	r = group_new(&w->groups, o->m->replica, o->m->group, o->m->app, app);
	if (r == NULL)
		log_warn("order replica id=%llx: %s",
		    (unsigned long long)o->m->replica, strerror(errno));
	else
		r->limit = o->m->limit;
	return (0);
}

/* NEIGHBOUR: another replica of a group. */
static int
orders_neighbour(struct worker *w, struct order_in *o)
{
	struct replica	*r = group_find(&w->groups, o->m->replica);
	char		 path[sizeof(((struct sockaddr_un *)0)->sun_path)];

	if (r == NULL)
		return (0);
	if (o->m->text.len >= sizeof(path)) {
		errno = EPROTO;
		return (-1);
	}
	memcpy(path, o->m->text.data, o->m->text.len);
	path[o->m->text.len] = '\0';
	neighbours_introduce(r->neighbours, o->m->neighbour,
	    &(struct peer_id){ NULL, o->m->slot, o->m->incarnation }, path);
	return (0);
}

/* FAREWELL: another replica of a group has ended. */
static int
orders_farewell(struct worker *w, struct order_in *o)
{
	struct replica	*r = group_find(&w->groups, o->m->replica);

	if (r != NULL)
		neighbours_farewell(r->neighbours, o->m->neighbour);
	return (0);
}

/* DISMISS: a group lives here no longer. */
static int
orders_dismiss(struct worker *w, struct order_in *o)
{
	struct replica	*r = group_find(&w->groups, o->m->replica);

	if (r != NULL)
		group_dismiss(r);
	return (0);
}

/* AUTHORITY: who decides in a group. */
static int
orders_authority(struct worker *w, struct order_in *o)
{
	struct replica	*r = group_find(&w->groups, o->m->replica);

	if (r != NULL && r->authority != NULL)
		authority_named(r->authority, o->m->time, o->m->neighbour);
	return (0);
}

/* POISON: a step that killed a shard is not to be tried again. */
static int
orders_poison(struct worker *w, struct order_in *o)
{
	struct replica	*r = group_find(&w->groups, o->m->replica);

	if (r != NULL && r->authority != NULL)
		authority_poison(r->authority, o->m->neighbour, o->m->id);
	return (0);
}

/* LOST: a neighbour was, with its shard. */
static int
orders_lost(struct worker *w, struct order_in *o)
{
	const struct peer_id	 peer = { NULL, o->m->slot, o->m->incarnation };
	struct replica		*r = group_find(&w->groups, o->m->replica);
	int			 flags = 0;

	if (r == NULL)
		return (0);
	if ((o->m->flags & CTL_F_AWAIT) != 0) {
		mourning_begin(r, &peer, o->m->neighbour);
		return (0);
	}
	if ((o->m->flags & CTL_F_MORE) != 0)
		flags |= KENNEL_LOST_MORE;
	if ((o->m->flags & CTL_F_HERE) != 0)
		flags |= KENNEL_LOST_HERE;
	return (mourning_tell(r, o->m->neighbour, o->m->text, flags));
}

/* The node of that name to peer, which is of ours without one.  0, or -1: there is no
 * other node, or no memory. */
static int
orders_peer(struct worker *w, struct slice node, struct peer_id *peer)
{
	if (node.len == 0)
		return (0);
	if (w->groups.hood.bus == NULL)
		return (-1);
	peer->node = bus_node(w->groups.hood.bus, node);
	return (peer->node == NULL ? -1 : 0);
}

/* OBITUARY: who went with a shard, of whatever node. */
static int
orders_obituary(struct worker *w, struct order_in *o)
{
	struct peer_id	 peer = { NULL, o->m->slot, o->m->incarnation };

	if (orders_peer(w, o->m->value, &peer) == -1)
		return (0);
	return (groups_obituary(&w->groups, &peer, o->m->group, o->m->text));
}

/* DEAD: another shard's process has ended. */
static int
orders_dead(struct worker *w, struct order_in *o)
{
	struct peer_id	 peer = { NULL, o->m->slot, o->m->incarnation };

	if (orders_peer(w, o->m->text, &peer) == -1)
		return (0);
	if (peer.node != NULL && peer.incarnation == 0)
		groups_node_dead(&w->groups, peer.node);
	else
		groups_shard_dead(&w->groups, &peer);
	return (0);
}

/* ---- connections ---- */

/* Say that a capsule is not taken, and why. */
static int
orders_refuse(struct worker *w, const struct ctl *a, enum close_why why,
    const char *text)
{
	struct ctl	 m = { .type = CTL_REFUSED, .id = a->id, .why = why,
			    .replica = a->replica, .text = slice_str(text) };

	log_debug("order adopt id=%llx refused: %s",
	    (unsigned long long)a->id, text);
	worker_tell(w, &m);
	return (0);
}

/* The record, in the message or in a memfd; *mapped is to be freed. */
static struct slice
orders_record(struct order_in *o, void **mapped)
{
	struct slice	 s = o->m->value;

	*mapped = NULL;
	if ((o->m->flags & CTL_F_MEMFD) == 0)
		return (s);
	if ((*mapped = capsule_map(o->fds[1], &s.len)) == NULL)
		s.len = 0;
	s.data = *mapped;
	return (s);
}

/* Is that what a gateway hands over: a new connection, or one whose shard has died? */
static int
orders_takes(const struct capsule *cap)
{
	if (cap->bits & CAPSULE_B_RESUMED)
		return (cap->protocol != CAPSULE_HTTP && cap->early.len == 0 &&
		    cap->owed.len == 0);
	return (cap->protocol == CAPSULE_HTTP || cap->protocol == CAPSULE_RAW);
}

/* The connection in a capsule, PARKED; NULL, and why not. */
static struct conn *
orders_unpack(struct worker *w, struct order_in *o, int *resumed,
    const char **why)
{
	struct capsule		 cap;
	struct replica		*r = NULL;
	const struct kennel_app	*app;
	struct conn		*c = NULL;
	struct slice		 record;
	void			*mapped;

	record = orders_record(o, &mapped);
	*why = "not a capsule";
	if (capsule_decode(&cap, record.data, record.len) == -1 ||
	    !orders_takes(&cap) || cap.id != o->m->id)
		goto out;
	*why = "no such application";
	if ((app = applications_find(&w->sessions.apps, cap.app)) == NULL)
		goto out;
	*why = "its application serves no raw connections";
	if (cap.protocol == CAPSULE_RAW && app->ondata == NULL)
		goto out;
	*why = "no such replica";
	if (cap.replica != 0 && (r = group_find(&w->groups, cap.replica)) == NULL)
		goto out;
	*resumed = (cap.bits & CAPSULE_B_RESUMED) != 0;
	if (*resumed && (*why = resuming_hinders(app, &cap)) != NULL)
		goto out;
	*why = "no memory";
	c = (*resumed ? resuming_adopt : session_adopt)(&w->sessions, &cap,
	    app, r, o->fds[0]);
	if (c != NULL)
		o->fds[0] = -1;
out:
	free(mapped);
	return (c);
}

/* ADOPT: a connection is handed over. */
static int
orders_adopt(struct worker *w, struct order_in *o)
{
	struct ctl	 m = { .type = CTL_ADOPTED, .id = o->m->id,
			    .replica = o->m->replica };
	struct parked	*p;
	struct conn	*c;
	const char	*why;
	int		 resumed;

	if (o->cut)
		return (orders_refuse(w, o->m, CLOSE_NO_MEMORY,
		    "out of descriptors"));
	if (parked_late(o->m->time))
		return (orders_refuse(w, o->m, CLOSE_LOST, "too late"));
	if (w->draining)
		return (orders_refuse(w, o->m, CLOSE_GOING, "leaving"));
	if ((c = orders_unpack(w, o, &resumed, &why)) == NULL)
		return (orders_refuse(w, o->m, CLOSE_LOST, why));
	if ((p = parked_new(c, resumed, o->m->time)) == NULL)
		return (orders_refuse(w, o->m, CLOSE_NO_MEMORY,
		    "no memory"));
	if (worker_tell(w, &m) == -1) {
		parked_drop(p);
		return (-1);
	}
	parked_add(&w->parked, p, control_queued(w->gate.control));
	return (0);
}

/* ADOPTED: a connection that went home is the gateway's. */
static int
orders_adopted(struct worker *w, struct order_in *o)
{
	http_homed(&w->sessions.clients, o->m->id, 1);
	return (0);
}

/* REFUSED: a connection that went home is not wanted there. */
static int
orders_refused(struct worker *w, struct order_in *o)
{
	http_homed(&w->sessions.clients, o->m->id, 0);
	return (0);
}

/* PARTED: the gateway knows that a connection is gone. */
static int
orders_parted(struct worker *w, struct order_in *o)
{
	parting_said(&w->sessions, o->m->id, (o->m->flags & CTL_F_LAST) != 0);
	return (0);
}

/* FERRY: a journey begins, from here or to here. */
static int
orders_ferry(struct worker *w, struct order_in *o)
{
	if (o->cut)
		log_warn("order ferry: out of descriptors");
	else if (journeys_ferry(&w->journeys, o->m, o->fds[0]) == -1)
		log_warn("order ferry: %s", strerror(errno));
	else
		o->fds[0] = -1;
	return (0);
}

/* MOVE: a connection is to go. */
static int
orders_move(struct worker *w, struct order_in *o)
{
	journeys_move(&w->journeys, o->m);
	return (0);
}

/* JOURNEY_END: those were all. */
static int
orders_no_more(struct worker *w, struct order_in *o)
{
	journeys_no_more(&w->journeys, o->m);
	return (0);
}

/* ---- the rest ---- */

/* PING: say that we live. */
static int
orders_ping(struct worker *w, struct order_in *o)
{
	struct ctl	 m = { .type = CTL_PONG, .id = o->m->id };

	return (worker_tell(w, &m));
}

/* How many do we have, in the gateway's sense? */
static int
orders_status_ask(struct worker *w, struct order_in *o)
{
	struct ctl	 m = { .type = CTL_STATUS, .id = o->m->id,
			    .limit = clients_count(&w->sessions.clients) +
				parting_untold(&w->sessions) +
				journeys_leaving(&w->journeys) };

	return (worker_tell(w, &m));
}

/* END: close a connection, for the operator wants it; HTTP is cut off. */
static int
orders_end(struct worker *w, struct order_in *o)
{
	enum close_why	 why = o->m->why < CLOSE_NWHYS ?
			    (enum close_why)o->m->why : CLOSE_OPERATOR;
	struct conn	*c;
	struct list	*e, *tmp;

	list_each(e, tmp, &w->sessions.clients.conns) {
		c = list_entry(e, struct conn, at);
		if (c->id != o->m->id)
			continue;
		if (c->state == CONN_HTTP)
			conn_doom(c, why);
		else
			conn_close(c, why, close_code(why), close_sentence(why));
		break;
	}
	return (0);
}

/* DRAIN: leave, within so long. */
static int
orders_drain(struct worker *w, struct order_in *o)
{
	worker_drain(w, o->m->ms, o->m->why == CLOSE_DRAINED ? CLOSE_DRAINED :
	    CLOSE_GOING);
	return (0);
}

static const struct order {
	int	(*run)(struct worker *, struct order_in *);
} orders[CTL_NTYPES] = {
	[CTL_WELCOME]	= { orders_welcome },
	[CTL_OPTION]	= { orders_option },
	[CTL_START]	= { orders_start },
	[CTL_REPLICA]	= { orders_replica },
	[CTL_NEIGHBOUR]	= { orders_neighbour },
	[CTL_FAREWELL]	= { orders_farewell },
	[CTL_DISMISS]	= { orders_dismiss },
	[CTL_ADOPT]	= { orders_adopt },
	[CTL_ADOPTED]	= { orders_adopted },
	[CTL_REFUSED]	= { orders_refused },
	[CTL_PARTED]	= { orders_parted },
	[CTL_PING]	= { orders_ping },
	[CTL_DEAD]	= { orders_dead },
	[CTL_DRAIN]	= { orders_drain },
	[CTL_END]	= { orders_end },
	[CTL_STATUS_ASK] = { orders_status_ask },
	[CTL_AUTHORITY]	= { orders_authority },
	[CTL_POISON]	= { orders_poison },
	[CTL_LOST]	= { orders_lost },
	[CTL_OBITUARY]	= { orders_obituary },
	[CTL_LISTENING]	= { orders_listening },
	[CTL_FERRY]	= { orders_ferry },
	[CTL_MOVE]	= { orders_move },
	[CTL_JOURNEY_END] = { orders_no_more },
};

/* A message of the gateway's. */
static int
orders_message_cb(struct control *c, const struct ctl *m, int *fds,
    size_t nfds, int cut, void *arg)
{
	struct worker	*w = arg;
	struct order_in	 o = { m, fds, nfds, cut };

	(void)c;
	if (m->type >= CTL_NTYPES || orders[m->type].run == NULL ||
	    (!w->started_up && m->type > CTL_START && m->type != CTL_PING &&
	    m->type != CTL_DRAIN)) {
		log_warn("control unexpected message %s", ctl_name(m->type));
		errno = EPROTO;
		return (-1);
	}
	return (orders[m->type].run(w, &o));
}

/* A packet of messages is done: begin those whose ADOPTED went out. */
static void
orders_packet_cb(struct control *c, void *arg)
{
	struct worker	*w = arg;

	if (list_empty(&w->parked))
		return;
	control_flush(c);
	parked_begin(&w->parked, &w->gate, control_sent(c));
}

/* More was sent, after the kernel had been full. */
static void
orders_sent_cb(struct control *c, void *arg)
{
	struct worker	*w = arg;

	parked_begin(&w->parked, &w->gate, control_sent(c));
	lending_go_on(&w->lending);
}

/* The channel ended. */
static void
orders_end_cb(struct control *c, const char *why, void *arg)
{
	struct worker	*w = arg;

	if (!w->draining)
		log_warn("control lost why=\"%s\"", why);
	w->gate.control = NULL;
	lending_end(&w->lending);
	control_free(c);
	w->orphan_since = clock_ms();
	w->ready_since = 0;
	parked_orphaned(&w->parked, &w->gate, w->gateway_pidfd,
	    w->gateway_pid);
	parting_all(&w->sessions);
	journeys_orphaned(&w->journeys);
	/* Who leaves says so to the next gateway, too. */
	if (w->draining < 2)
		orders_dial(w);
}

/* Try again. */
static void
orders_redial_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	orders_dial(arg);
}

/* Whose channel is this?  Asked when it ends. */
static void
orders_watch(struct worker *w, int fd)
{
	if (w->gateway_pidfd != -1)
		close(w->gateway_pidfd);
	w->gateway_pidfd = -1;
	if (sock_peer(fd, &w->gateway_pid, NULL) == 0)
		w->gateway_pidfd = pidfd_open(w->gateway_pid, 0);
}

int
orders_dial(struct worker *w)
{
	struct timeval	 tv;
	uint32_t	 ms;
	int		 fd;

	fd = sock_connect_unix(w->control_path, SOCK_SEQPACKET);
	if (fd != -1) {
		orders_watch(w, fd);
		journeys_settle(&w->journeys);
		w->gate.control = control_new(w->base, fd, "gateway",
		    orders_message_cb, orders_packet_cb, orders_end_cb, w);
		if (w->gate.control != NULL) {
			control_set_sent_cb(w->gate.control, orders_sent_cb);
			w->orphan_since = 0;
			hello_say(w, w->gate.control);
			return (0);
		}
		close(fd);
	}
	if (w->redial_timer == NULL && (w->redial_timer = evtimer_new(w->base,
	    orders_redial_cb, w)) == NULL)
		return (-1);
	ms = backoff_next(&w->redial);
	tv.tv_sec = ms / 1000;
	tv.tv_usec = (ms % 1000) * 1000;
	return (event_add(w->redial_timer, &tv));
}

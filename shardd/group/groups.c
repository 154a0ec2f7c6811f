/* All groups of a shard, and what comes over its links. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "shardd/group/abreast.h"
#include "shardd/group/answer.h"
#include "shardd/group/ask.h"
#include "shardd/group/groups.h"
#include "shardd/group/hear.h"
#include "shardd/group/held.h"
#include "shardd/group/mourning.h"
#include "shardd/group/note.h"
#include "shardd/group/replica.h"
#include "shardd/state/authority.h"

#define GROUPS_TELL_MS	500	/* "ask me" */

/* Walk the replicas: r is each of them. */
#define groups_each(gs, e, r)						\
	for (e = map_first(&(gs)->replicas); e != NULL && (r =		\
	    container_of(e, struct replica, by_id), 1);			\
	    e = map_next(&(gs)->replicas, e))

/* ---- from a link: messages between two shards ---- */

/* DONE: a neighbour has acted, on one thing or on all up to a number. */
static void
groups_done(struct groups *gs, struct link *l, const struct gossip *m)
{
	struct replica		*r;
	struct neighbour	*nb;

	r = group_find(gs, m->to);
	nb = r == NULL || r->neighbours == NULL ? NULL :
	    neighbours_find(r->neighbours, m->from);
	if (m->ask == 0) {
		if (nb != NULL)
			acted_upto(&nb->acted, m->said, l);
		return;
	}
	/* A fence's answer says how much was said. */
	if (nb != NULL && neighbours_know(nb, m->said, m->prior) == -1)
		ask_missed(m->ask, l);
	else
		ask_answer(m->ask, l, slice_of(NULL, 0), 0);
}

/* ANSWER: a neighbour's answer, or why there is none. */
static void
groups_answer(struct groups *gs, struct link *l, const struct gossip *m)
{
	(void)gs;
	ask_answer(m->ask, l, slice_of(m->payload.len == 0 ? "" :
	    m->payload.data, m->payload.len), (m->flags & GOSSIP_F_ERROR) != 0);
}

/* ASKME: not all of the peer's entries are in Redis, or all again. */
static void
groups_askme(struct groups *gs, struct link *l, const struct gossip *m)
{
	(void)gs;
	link_set_askme(l, (m->flags & GOSSIP_F_ON) != 0);
	answer_done(l, 0, m->ask);
}

/* JOIN: a replica of another node is there, or here, too. */
static void
groups_join(struct groups *gs, struct link *l, const struct gossip *m)
{
	struct replica	*r;
	struct bag_node	*n;

	for (n = bag_find(&gs->by_group, bag_hash(m->group.data,
	    m->group.len)); n != NULL; n = bag_again(n)) {
		r = container_of(n, struct replica, by_group);
		if (slice_eq(replica_group(r), m->group) &&
		    slice_is(m->app, r->app_name) && r->meeting != NULL &&
		    m->from != 0)
			meeting_joined(r->meeting, l, m);
	}
	answer_done(l, 0, m->ask);
}

/* Messages between two replicas are in hear.c. */
static const struct shard_message {
	void	(*run)(struct groups *gs, struct link *l,
		    const struct gossip *m);
} shard_messages[GOSSIP_NTYPES] = {
	[GOSSIP_DONE]	= { groups_done },
	[GOSSIP_ANSWER]	= { groups_answer },
	[GOSSIP_ASKME]	= { groups_askme },
	[GOSSIP_JOIN]	= { groups_join },
};

/* m is for one of ours, which has ended: who is on another node and has not heard its LEAVE
 * hears it now, and all others have been told. */
static void
groups_ended(struct link *l, const struct gossip *m)
{
	const struct gossip	 leave = { .type = GOSSIP_LEAVE, .to = m->from,
				    .from = m->to };

	answer_absent(l, m);
	if (link_peer(l)->node != NULL && m->type != GOSSIP_LEAVE)
		link_send(l, &leave);
}

/* m is for one replica, which may be still to come, or gone. */
static int
groups_for_replica(struct groups *gs, struct link *l, const struct gossip *m)
{
	struct replica	*r = group_find(gs, m->to);

	if (m->to == 0 || m->from == 0) {
		log_warn("link slot=%u error=\"%s without replicas\"",
		    link_slot(l), gossip_name(m->type));
		return (-1);
	}
	if (r != NULL && r->neighbours != NULL)
		group_message(r, l, m);
	else if (r == NULL && !held_ended(m->to))
		held_add(l, m);
	else
		groups_ended(l, m);
	return (0);
}

/* link_ops: a message came. */
static int
groups_message(void *arg, struct link *l, const struct gossip *m)
{
	if (hear_takes(m->type))
		return (groups_for_replica(arg, l, m));
	if (shard_messages[m->type].run == NULL) {
		log_warn("link slot=%u error=\"unexpected %s\"", link_slot(l),
		    gossip_name(m->type));
		return (-1);
	}
	shard_messages[m->type].run(arg, l, m);
	return (0);
}

/* ---- what becomes of a link ---- */

/* link_ops: the peer hears "ask me" first, if need be. */
static void
groups_link_up(void *arg, struct link *l)
{
	const struct gossip	 m = { .type = GOSSIP_ASKME,
				    .flags = GOSSIP_F_ON };
	struct groups		*gs = arg;
	struct map_node		*e;
	struct replica		*r;

	if (gs->hood.lookup != NULL && lookup_is_asking(gs->hood.lookup))
		link_send(l, &m);
	if (link_peer(l)->node == NULL)
		return;
	groups_each(gs, e, r)
		if (r->meeting != NULL)
			meeting_link_up(r->meeting, l);
}

/* link_ops: an authority here asks the replicas behind l where they are. */
static void
groups_link_back(void *arg, struct link *l)
{
	struct groups	*gs = arg;
	struct map_node	*e;
	struct replica	*r;

	groups_each(gs, e, r)
		neighbours_link_back(r->neighbours, l);
}

/* What was asked over l has no answer, and nobody finds l any more. */
static void
groups_forget(struct groups *gs, struct link *l, int dead)
{
	struct map_node	*e;
	struct replica	*r;

	ask_link_lost(l, dead);
	groups_each(gs, e, r)
		if (r->neighbours != NULL)
			neighbours_link_lost(r->neighbours, l);
}

/* link_ops: what the carrier of l had is lost. */
static void
groups_link_lost(void *arg, struct link *l, const char *why)
{
	struct groups	*gs = arg;
	struct map_node	*e;
	struct replica	*r;

	if (link_peer(l)->node == NULL)
		gs->ops->link_lost(gs->arg, link_peer(l), why);
	groups_forget(gs, l, 0);
	groups_each(gs, e, r)
		neighbours_link_mark(r->neighbours, l);
}

/* link_ops: l is about to be freed. */
static void
groups_link_ended(void *arg, struct link *l, int dead)
{
	struct groups	*gs = arg;

	groups_forget(gs, l, dead);
	if (!dead)
		return;
	if (link_peer(l)->node != NULL)
		bus_part(l);
	gs->ops->links_eased(gs->arg);
}

/* link_ops: that group may go on. */
static void
groups_link_eased(void *arg, struct link *l, uint64_t replica)
{
	struct replica	*r = group_find(arg, replica);

	(void)l;
	if (r != NULL)
		replica_eased(r);
}

/* link_ops: what stands in the place of m. */
static enum backlog_fate
groups_drop(void *arg, struct link *l, struct gossip *m, int many)
{
	(void)arg;
	return (note_drop(l, m, many));
}

static const struct link_ops groups_link_ops = {
	.message = groups_message,
	.up = groups_link_up,
	.back = groups_link_back,
	.lost = groups_link_lost,
	.ended = groups_link_ended,
	.eased = groups_link_eased,
	.drop = groups_drop,
};

/* ---- what the bus leads to ---- */

/* bus_ops: replicas meet those of other nodes, or, without Redis, wait for none. */
static void
groups_bus_up(void *arg, int up)
{
	struct groups	*gs = arg;
	struct map_node	*e;
	struct replica	*r;

	if (up) {
		meetings_up(&gs->meetings);
		gs->ops->connected(gs->arg);
		return;
	}
	groups_each(gs, e, r)
		if (r->meeting != NULL)
			r->neighbours->ops->all_met(r);
}

/* bus_ops: a replica is in its room. */
static void
groups_bus_entered(void *arg, void *room)
{
	(void)arg;
	meeting_entered(room);
}

/* bus_ops: a neighbour says that to all; of those that our replica has not met, it
 * does not count. */
static void
groups_bus_said(void *arg, void *room, struct link *l, const struct gossip *m)
{
	struct neighbours	*n = meeting_neighbours(room);
	struct neighbour	*nb = neighbours_find(n, m->from);
	struct gossip		 ours = *m;
	struct replica		*r = group_find(arg, n->id);

	if (nb == NULL || !nb->based || r == NULL ||
	    (m->type != GOSSIP_CAST && m->type != GOSSIP_PUBLISH &&
	    m->type != GOSSIP_TELL) ||
	    neighbour_link(n, nb) != l)
		return;
	ours.to = n->id;
	ours.seq = 0;
	group_message(r, l, &ours);
}

/* bus_ops: all that was published until lately is heard. */
static void
groups_bus_echoed(void *arg)
{
	struct groups	*gs = arg;

	abreast_look(&gs->hood);
}

/* bus_ops: the peer of l is to know what the replicas here have said to it. */
static void
groups_bus_quiet(void *arg, struct link *l)
{
	struct groups	*gs = arg;
	struct map_node	*e;
	struct replica	*r;

	groups_each(gs, e, r)
		neighbours_link_tail(r->neighbours, l);
}

static const struct bus_ops groups_bus_ops = {
	.up = groups_bus_up,
	.entered = groups_bus_entered,
	.said = groups_bus_said,
	.quiet = groups_bus_quiet,
	.echoed = groups_bus_echoed,
};

/* ---- what the lookup wants to know, and to have said ---- */

/* lookup_ops: is uid a member of a replica of that group? */
static int
groups_has(void *arg, struct slice group, struct slice uid)
{
	const struct groups	*gs = arg;
	const struct replica	*r;
	struct bag_node		*n;

	for (n = bag_find(&gs->by_group, bag_hash(group.data, group.len));
	    n != NULL; n = bag_again(n)) {
		r = container_of(n, struct replica, by_group);
		if (slice_eq(replica_group(r), group) && replica_has(r, uid))
			return (1);
	}
	return (0);
}

/* lookup_ops: every member of every replica. */
static void
groups_each_uid(void *arg, void (*cb)(void *, struct slice, struct slice),
    void *cb_arg)
{
	struct groups	*gs = arg;
	struct bag_node	*n;

	for (n = bag_first(&gs->by_group); n != NULL;
	    n = bag_next(&gs->by_group, n))
		replica_each_uid(container_of(n, struct replica, by_group), cb,
		    cb_arg);
}

/* "Ask me" (to be answered, with an ask), or not any more. */
static void
groups_say_cb(struct link *l, void *arg)
{
	struct gossip	 m = { .type = GOSSIP_ASKME };
	struct ask	*a = arg;

	if (a != NULL) {
		ask_add(a, l, 0);
		m.flags = GOSSIP_F_ON;
		m.ask = a->id;
	}
	if (link_send(l, &m) == -1 && a != NULL)
		ask_unsent(a);
}

/* All know "ask me", or had time to. */
static void
groups_told_cb(const struct ask *a, int err, void *arg)
{
	struct groups	*gs = arg;

	(void)a;
	if (err != ECANCELED)
		gs->told(gs->told_arg);
}

/* One link more. */
static void
groups_count_cb(struct link *l, void *arg)
{
	size_t	*n = arg;

	(void)l;
	(*n)++;
}

/* lookup_ops: "ask me" for all neighbours. */
static int
groups_tell_all(void *arg, int on, void (*told)(void *), void *told_arg)
{
	struct groups	*gs = arg;
	struct ask	*a = NULL;
	size_t		 n = 0;

	if (on) {
		links_each(gs->hood.links, groups_count_cb, &n);
		if ((a = ask_new(gs->hood.base, &gs->asks, GROUPS_TELL_MS, n,
		    groups_told_cb, gs)) == NULL)
			return (-1);
		gs->told = told;
		gs->told_arg = told_arg;
	}
	links_each(gs->hood.links, groups_say_cb, a);
	if (a != NULL)
		ask_go(a);
	return (0);
}

/* lookup_ops: all of ours is in Redis. */
static void
groups_listed(void *arg)
{
	struct groups	*gs = arg;

	gs->ops->connected(gs->arg);
}

/* lookup_ops: who came to our groups on other nodes meanwhile has not met us. */
static void
groups_forgotten(void *arg)
{
	struct groups	*gs = arg;
	struct map_node	*e;
	struct replica	*r;

	groups_each(gs, e, r)
		if (r->meeting != NULL)
			meeting_forgotten(r->meeting);
}

/* lookup_ops: what the heart-beat tells. */
static void
groups_load(void *arg, size_t *connections, size_t *groups)
{
	struct groups	*gs = arg;

	*connections = gs->ops->connections(gs->arg);
	*groups = gs->replicas.count;
}

static const struct lookup_ops groups_lookup_ops = {
	.has = groups_has,
	.each_uid = groups_each_uid,
	.tell_all = groups_tell_all,
	.listed = groups_listed,
	.forgotten = groups_forgotten,
	.load = groups_load,
};

/* ---- what is said of the dead ---- */

/* vigil_ops: who has mourned a replica of the peer hears whom it had. */
static void
groups_tell_lost(void *arg, const struct peer_id *peer, struct slice group,
    struct slice uids)
{
	struct groups	*gs = arg;
	struct map_node	*e;
	struct bag_node	*n;
	struct replica	*r;

	if (uids.len == 0) {
		groups_each(gs, e, r)
			mourning_hear(r, peer, uids);
		return;
	}
	for (n = bag_find(&gs->by_group, bag_hash(group.data, group.len));
	    n != NULL; n = bag_again(n)) {
		r = container_of(n, struct replica, by_group);
		if (slice_eq(replica_group(r), group) && r->neighbours != NULL)
			mourning_hear(r, peer, uids);
	}
}

/* vigil_ops: it does not answer. */
static void
groups_vigil_dead(void *arg, const struct peer_id *peer)
{
	groups_shard_dead(arg, peer);
}

static const struct vigil_ops groups_vigil_ops = {
	.dead = groups_vigil_dead,
	.tell = groups_tell_lost,
};

/* ---- life ---- */

int
groups_init(struct groups *gs, struct event_base *base,
    const struct peer_id *self, const char *node, const unsigned *whisper_ask,
    struct authority_desk *desk, struct clients *clients,
    const struct groups_ops *ops, void *arg)
{
	memset(gs, 0, sizeof(*gs));
	list_init(&gs->asks);
	list_init(&gs->hood.behind);
	gs->hood.base = base;
	gs->hood.node = node;
	gs->hood.whisper_ask = whisper_ask;
	gs->desk = desk;
	gs->clients = clients;
	gs->ops = ops;
	gs->arg = arg;
	gs->hood.links = links_new(base, self, &groups_link_ops, gs);
	if (gs->hood.links == NULL)
		return (-1);
	return (vigils_init(&gs->vigils, &gs->hood, &groups_vigil_ops, gs));
}

int
groups_start(struct groups *gs, const struct lookup_self *self,
    const char *url, const char *prefix)
{
	gs->hood.lookup = lookup_new(gs->hood.base, self, url, prefix,
	    &groups_lookup_ops, gs);
	return (gs->hood.lookup == NULL ? -1 : 0);
}

int
groups_start_bus(struct groups *gs, const struct bus_self *self)
{
	gs->hood.bus = bus_new(gs->hood.links, self, &groups_bus_ops, gs);
	if (gs->hood.bus == NULL)
		return (-1);
	lookup_set_shared(gs->hood.lookup);
	return (meetings_init(&gs->meetings, gs->hood.base, gs->hood.bus,
	    self->prefix, self->address));
}

int
groups_are_connected(const struct groups *gs)
{
	return (lookup_listed(gs->hood.lookup) && (gs->hood.bus == NULL ||
	    bus_up(gs->hood.bus)));
}

void
groups_end_links(struct groups *gs)
{
	vigils_clear(&gs->vigils);
	bus_end(gs->hood.bus);
	links_free(gs->hood.links);
	gs->hood.links = NULL;
	meetings_clear(&gs->meetings);
	bus_free(gs->hood.bus);
	gs->hood.bus = NULL;
}

void
groups_clear(struct groups *gs)
{
	ask_cancel(&gs->asks);
	lookup_free(gs->hood.lookup);
	gs->hood.lookup = NULL;
	map_clear(&gs->replicas);
	bag_clear(&gs->by_group);
}

void
groups_dismiss(struct groups *gs)
{
	struct map_node	*n;

	while ((n = map_first(&gs->replicas)) != NULL)
		group_dismiss(container_of(n, struct replica, by_id));
}

void
groups_shard_dead(struct groups *gs, const struct peer_id *peer)
{
	struct map_node	*e;
	struct replica	*r;

	link_dead(gs->hood.links, peer);
	groups_each(gs, e, r)
		neighbours_shard_dead(r->neighbours, peer);
	vigil_over(&gs->vigils, peer);
}

/* A node that is dead. */
struct groups_node {
	struct groups	*gs;
	const char	*node;
};

/* One link: is it to a shard of that node? */
static void
groups_node_dead_cb(struct link *l, void *arg)
{
	const struct groups_node	*dead = arg;
	const struct peer_id		 peer = *link_peer(l);

	if (peer.node != NULL && strcmp(peer.node, dead->node) == 0)
		groups_shard_dead(dead->gs, &peer);
}

void
groups_node_dead(struct groups *gs, const char *node)
{
	struct groups_node	 dead = { gs, node };

	links_each(gs->hood.links, groups_node_dead_cb, &dead);
}

int
groups_obituary(struct groups *gs, const struct peer_id *peer,
    struct slice group, struct slice uids)
{
	if (mourning_check(uids) == -1)
		return (-1);
	/* Who is mourned there may be dead, whatever our gateway has heard. */
	if (!vigil_keep(&gs->vigils, peer, group, uids))
		groups_tell_lost(gs, peer, group, uids);
	return (0);
}

void
groups_tick(struct groups *gs)
{
	struct map_node	*e;
	struct replica	*r;

	abreast_look(&gs->hood);
	if (gs->hood.bus == NULL)
		return;
	bus_tick(gs->hood.bus);
	groups_each(gs, e, r)
		mourning_late(r);
}

/* A group: its replica here, its neighbours, its state. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "proto/cover.h"
#include "shardd/group/abreast.h"
#include "shardd/group/answer.h"
#include "shardd/group/fan.h"
#include "shardd/group/group.h"
#include "shardd/group/hear.h"
#include "shardd/group/held.h"
#include "shardd/group/lookup.h"
#include "shardd/group/meeting.h"
#include "shardd/group/mourning.h"
#include "shardd/group/replica.h"
#include "shardd/group/shelf.h"
#include "shardd/kennel.h"
#include "shardd/state/authority.h"

static void	 group_begin(void *arg);
static void	 group_free(struct replica *r);
static void	 group_try_ready(void *arg);

/* ---- what the neighbours lead to ---- */

/* neighbours_ops: the state has one member more. */
static void
group_met(void *arg, uint64_t neighbour)
{
	struct replica	*r = arg;

	if (r->authority != NULL)
		authority_met(r->authority, neighbour);
}

/* neighbours_ops: the state has one member less. */
static void
group_parted(void *arg, uint64_t neighbour)
{
	struct replica	*r = arg;

	if (r->authority != NULL)
		authority_parted(r->authority, neighbour);
}

/* neighbours_ops: that shard is dead, and only Redis, if that, knows whom it had. */
static void
group_mourned(void *arg, uint64_t neighbour, const struct peer_id *peer)
{
	struct replica	*r = arg;

	if (r->groups->hood.bus != NULL)
		mourning_begin(r, peer, neighbour);
	else
		mourning_unknown(r, neighbour);
}

/* neighbours_ops: the state is to be compared. */
static void
group_doubted(void *arg, uint64_t neighbour)
{
	struct replica	*r = arg;

	if (r->authority != NULL)
		authority_missed(r->authority, neighbour);
}

/* neighbours_ops: members missed something. */
static void
group_missed(void *arg, const struct gossip *m, enum gossip_type of,
    const char *why)
{
	hear_missed(arg, m, of, why);
}

/* neighbours_ops: how many have joined. */
static uint64_t
group_joins(void *arg)
{
	const struct replica	*r = arg;

	return (r->joins);
}

/* neighbours_ops: a whisper, for those who joined after that. */
static void
group_late(void *arg, struct slice uid, struct payload *p, uint64_t since)
{
	replica_whisper(arg, uid, p, since);
}

/* neighbours_ops: our replica said it; who is expected hears it, too. */
static void
group_said(void *arg, const struct gossip *m, struct payload *p)
{
	struct replica	*r = arg;

	if (r->shelf == NULL)
		return;
	if (p != NULL)
		shelf_put(r->shelf, &(struct shelf_said){ .origin = r->id,
		    .number = m->said, .type = m->type, .uid = m->uid,
		    .but = (m->flags & GOSSIP_F_NOT_UID) != 0,
		    .topics = m->topics, .p = p });
	else if (r->app->ontold != NULL)
		shelf_tell(r->shelf, r->id, m->said, m->head, m->payload);
}

/* Has everybody been met who was there before? */
static int
group_is_met(const struct replica *r)
{
	return (neighbours_are_met(r->neighbours) &&
	    meeting_is_over(r->meeting));
}

/* neighbours_ops: nobody is waited for any more, here or on other nodes. */
static void
group_all_met(void *arg)
{
	struct replica	*r = arg;

	if (r->authority != NULL)
		authority_acquainted(r->authority);
	group_try_ready(r);
}

static const struct neighbours_ops group_neighbours_ops = {
	.met = group_met,
	.parted = group_parted,
	.mourned = group_mourned,
	.doubted = group_doubted,
	.all_met = group_all_met,
	.missed = group_missed,
	.joins = group_joins,
	.late = group_late,
	.said = group_said,
};

/* ---- what the state leads to ---- */

/* authority_ops: a message to one neighbour. */
static int
group_tell(void *arg, uint64_t neighbour, struct gossip *m)
{
	struct replica	*r = arg;

	return (neighbours_tell(r->neighbours, neighbour, m));
}

/* authority_ops: how many neighbours there are. */
static size_t
group_count(void *arg)
{
	struct replica	*r = arg;

	return (neighbours_count(r->neighbours));
}

/* authority_ops: the id of neighbour i. */
static uint64_t
group_at(void *arg, size_t i)
{
	struct replica	*r = arg;

	return (neighbours_id(r->neighbours, i));
}

/* authority_ops: is that a neighbour? */
static int
group_has(void *arg, uint64_t neighbour)
{
	struct replica	*r = arg;

	return (neighbours_has(r->neighbours, neighbour));
}

/* authority_ops: is that a neighbour on another node? */
static int
group_far(void *arg, uint64_t neighbour)
{
	struct replica		*r = arg;
	struct neighbour	*nb = neighbours_find(r->neighbours, neighbour);

	return (nb != NULL && neighbour_is_remote(nb));
}

/* authority_ops: is that a neighbour, whose link is up? */
static int
group_reaches(void *arg, uint64_t neighbour)
{
	struct replica		*r = arg;
	struct neighbour	*nb = neighbours_find(r->neighbours, neighbour);
	struct link		*l = nb == NULL ? NULL : neighbour_link(
				    r->neighbours, nb);

	return (l != NULL && link_is_up(l));
}

/*
 * authority_ops: do we know all who were here before us?  Who has the state waits for
 * them as its clients do; who has not waits for each that may have it.
 */
static int
group_acquainted(void *arg)
{
	const struct replica	*r = arg;

	return (r->ready || (group_is_met(r) &&
	    (authority_ready(r->authority) || meeting_knows_all(r->meeting))));
}

static const struct authority_ops group_authority_ops = {
	.tell = group_tell,
	.ready = group_try_ready,
	.count = group_count,
	.at = group_at,
	.has = group_has,
	.far = group_far,
	.reaches = group_reaches,
	.acquainted = group_acquainted,
};

/* ---- life ---- */

struct replica *
group_new(struct groups *gs, uint64_t id, struct slice group,
    struct slice app_name, const struct kennel_app *app)
{
	struct replica		*r;
	struct authority_of	 of;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->clients = gs->clients;
	r->groups = gs;
	r->id = id;
	r->app = app;
	r->refs = 1;			/* the gateway's */
	r->free = group_free;
	list_init(&r->waiting);
	list_init(&r->answers);
	list_init(&r->mourned);
	abreast_init(r);
	turn_work_init(&r->begin, group_begin, r);
	r->group_len = group.len;
	if ((r->group = slice_dup(group)) == NULL ||
	    (r->app_name = slice_dup(app_name)) == NULL ||
	    (r->neighbours = neighbours_new(&gs->hood, id,
	    &group_neighbours_ops, r)) == NULL)
		goto fail;
	of = (struct authority_of){ id, replica_group(r),
	    slice_str(r->app_name), app, (struct kennel_replica *)r };
	if ((app->decide != NULL && (r->authority = authority_new(gs->desk,
	    &of, &group_authority_ops, r)) == NULL) ||
	    bag_insert(&gs->by_group, &r->by_group, bag_hash(r->group,
	    r->group_len)) == -1)
		goto fail;
	if (map_insert(&gs->replicas, &r->by_id, &r->id, sizeof(r->id)) == -1)
		goto unlist;
	if (app->onstart != NULL &&
	    app->onstart((struct kennel_replica *)r) == -1) {
		map_remove(&gs->replicas, &r->by_id);
		errno = ECANCELED;
		goto unlist;
	}
	turn_add(&r->begin, TURN_CLIENTS);
	lookup_group_enter(gs->hood.lookup, replica_group(r));
	if (gs->hood.bus != NULL && (r->meeting = meeting_new(&gs->meetings,
	    r->neighbours, replica_group(r), slice_str(r->app_name))) == NULL)
		log_warn("replica id=%llx is not heard by other nodes: %s",
		    (unsigned long long)id, strerror(errno));
	log_debug("replica id=%llx begins", (unsigned long long)id);
	return (r);
unlist:
	bag_remove(&gs->by_group, &r->by_group);
fail:
	authority_free(r->authority);
	neighbours_free(r->neighbours);
	free(r->group);
	free(r->app_name);
	free(r);
	return (NULL);
}

/* Nobody refers to r any more. */
static void
group_free(struct replica *r)
{
	if (r->app->onstop != NULL)
		r->app->onstop((struct kennel_replica *)r);
	bag_remove(&r->groups->by_group, &r->by_group);
	bag_clear(&r->uids);
	map_clear(&r->topics);
	shelf_free(r->shelf);
	cover_place_free(r->place);
	free(r->members);
	free(r->group);
	free(r->app_name);
	free(r);
}

struct replica *
group_find(const struct groups *gs, uint64_t id)
{
	struct map_node	*n = map_find(&gs->replicas, &id, sizeof(id));

	return (n == NULL ? NULL : container_of(n, struct replica, by_id));
}

void
group_dismiss(struct replica *r)
{
	struct groups		*gs = r->groups;
	struct replica_waiter	*w;
	struct authority	*a;
	struct neighbours	*n;
	struct list		*e, *tmp;

	log_debug("replica id=%llx ends", (unsigned long long)r->id);
	r->dismissed = 1;
	map_remove(&gs->replicas, &r->by_id);
	turn_cancel(&r->begin);
	replica_dismissed(r);
	list_each(e, tmp, &r->waiting) {
		w = list_entry(e, struct replica_waiter, at);
		w->gone(w);
	}
	abreast_dismissed(r);
	mourning_clear(r);
	lookup_group_leave(gs->hood.lookup, replica_group(r));
	/* Cancelled completions may call again: they find nobody. */
	a = r->authority;
	r->authority = NULL;
	authority_free(a);
	meeting_free(r->meeting);
	r->meeting = NULL;
	n = r->neighbours;
	r->neighbours = NULL;
	fan_cancel(n);
	neighbours_free(n);
	answers_end(&r->answers);
	replica_unref(r);
}

/* Open for clients, if the state is here and nobody is waited for. */
static void
group_try_ready(void *arg)
{
	struct replica		*r = arg;
	struct replica_waiter	*w;

	if (r->ready || r->begin.queued || (r->authority != NULL &&
	    !authority_ready(r->authority)) || !group_is_met(r))
		return;
	r->ready = 1;
	neighbours_set_ready(r->neighbours);
	while (!list_empty(&r->waiting)) {
		w = list_entry(r->waiting.next, struct replica_waiter, at);
		list_remove(&w->at);
		w->ready(w);
	}
}

/* ---- messages ---- */

void
group_emitted(struct replica *r, struct slice topics, struct payload *p,
    struct slice but)
{
	struct shelf_said	 said = {
		.type = topics.len == 0 ? GOSSIP_CAST : GOSSIP_PUBLISH,
		.uid = but, .but = but.data != NULL, .topics = topics, .p = p
	};
	uint64_t		 era;

	if (r->shelf == NULL || r->authority == NULL ||
	    !authority_in_step(r->authority))
		return;
	said.origin = SHELF_NEWS;
	authority_where(r->authority, &said.number, &era);
	shelf_put(r->shelf, &said);
}

/* One message that came before its replica. */
static void
group_held_cb(struct link *l, const struct gossip *m, void *arg)
{
	hear(arg, l, m);
}

/* What came before the replica; then, with nobody to wait for, it is ready. */
static void
group_begin(void *arg)
{
	struct replica	*r = arg;

	held_release(r->groups->hood.links, r->id, group_held_cb, r);
	group_try_ready(r);
}

void
group_message(struct replica *r, struct link *l, const struct gossip *m)
{
	/* Not before those that waited. */
	if (r->begin.queued)
		held_release(r->groups->hood.links, r->id, group_held_cb, r);
	hear(r, l, m);
}

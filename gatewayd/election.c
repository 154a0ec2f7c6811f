/* Who decides in a group, and what shards are told when replicas come and go. */
#include <inttypes.h>
#include <time.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "gatewayd/election.h"
#include "gatewayd/order.h"
#include "gatewayd/placement.h"
#include "gatewayd/shard.h"
#include "proto/channel.h"
#include "proto/control.h"
#include "proto/page.h"
#include "proto/uids.h"

static void	 election_mourn(struct election *, struct replica *,
		    struct replica *);
static void	 election_neighbour(struct replica *, struct replica *);
static int	 election_elect(struct group *);
static void	 election_name(struct election *, struct group *,
		    struct replica *);
static void	 election_warn_of(struct group *, struct replica *,
		    const struct suspect *);

void
election_init(struct election *e, struct placement *placement,
    int (*shared)(void *), void *arg)
{
	e->placement = placement;
	e->holding = NULL;
	e->shared = shared;
	e->arg = arg;
	postmortem_init(&e->postmortem);
}

void
election_clear(struct election *e)
{
	postmortem_clear(&e->postmortem);
}

/* ---- replicas come and go ---- */

void
election_replica_made(struct election *e, struct replica *rep)
{
	struct shard	*s = rep->site->owner;

	if (s->state == SHARD_READY)
		election_introduce(e, s, rep);
}

void
election_replica_ended(struct election *e, struct replica *rep)
{
	struct ctl	 m = { .type = CTL_FAREWELL, .neighbour = rep->id };
	struct list	*l, *tmp;
	struct replica	*other;

	list_each(l, tmp, &rep->group->replicas) {
		other = list_entry(l, struct replica, at);
		m.replica = other->id;
		if (shard_has(other->site->owner, other->id))
			order_give(e->holding, other->site->owner, &m);
	}
	m = (struct ctl){ .type = CTL_DISMISS, .replica = rep->id };
	if (shard_has(rep->site->owner, rep->id))
		order_give(e->holding, rep->site->owner, &m);
	if (rep->site->dead)
		list_each(l, tmp, &rep->group->replicas)
			election_mourn(e, rep,
			    list_entry(l, struct replica, at));
	if (election_elect(rep->group))
		election_name(e, rep->group, NULL);
}

/*
 * Tell `other` that `dead` was lost with its shard, and whom it took along.  It is
 * with the kernel before anybody of these is handed to a shard again.
 */
static void
election_mourn(struct election *e, struct replica *dead, struct replica *other)
{
	struct shard	*s = other->site->owner;
	struct slice	 left = slice_of(dead->lost.data, dead->lost.len);
	const struct shard *was = dead->site->owner;
	struct ctl	 m = { .type = CTL_LOST, .replica = other->id,
			    .neighbour = dead->id, .slot = was->slot,
			    .incarnation = was->incarnation };
	uint32_t	 flags = 0;

	if (!shard_has(s, other->id))
		return;
	switch (e->shared(e->arg)) {
	case 1:
		flags = CTL_F_AWAIT;
		left.len = 0;
		break;
	case -1:
		flags = CTL_F_HERE;
		break;
	}
	do {
		m.text = uids_cut(&left, CTL_TEXT_MAX, CTL_LOST_MAX);
		m.flags = flags | (left.len > 0 ? CTL_F_MORE : 0);
		shard_tell(s, &m, NULL);
	} while (left.len > 0);
	control_flush(s->control);
}

void
election_introduce(struct election *e, struct shard *s, struct replica *rep)
{
	struct group	*group = rep->group;
	struct ctl	 m = { .type = CTL_REPLICA, .replica = rep->id,
			    .limit = group->limit,
			    .group = slice_of(group->name, group->name_len),
			    .app = slice_str(group->app) };
	const struct suspect *step = NULL;
	struct list	*l, *tmp;
	struct replica	*other;

	if (!shard_noted(s, rep->id))
		shard_tell(s, &m, NULL);
	while ((step = postmortem_next(&e->postmortem, m.app,
	    m.group, step)) != NULL)
		election_warn_of(group, rep, step);
	list_each(l, tmp, &group->replicas) {
		other = list_entry(l, struct replica, at);
		if (other == rep || !shard_serves(other->site->owner))
			continue;
		election_neighbour(rep, other);
		election_neighbour(other, rep);
	}
	election_name(e, group, election_elect(group) ? NULL : rep);
}

/* Tell `of` about `other`. */
static void
election_neighbour(struct replica *of, struct replica *other)
{
	struct shard	*s = other->site->owner;
	struct ctl	 m = { .type = CTL_NEIGHBOUR, .replica = of->id,
			    .neighbour = other->id, .slot = s->slot,
			    .incarnation = s->incarnation,
			    .text = slice_str(s->link_path) };

	shard_tell(of->site->owner, &m, NULL);
}

/* ---- who decides ---- */

/*
 * Who decides in this group?  Whoever does, while its shard answers, leaving or
 * not; else the oldest replica that can be spoken with, rather of a shard that
 * stays.  Returns whether it is another one.
 */
static int
election_elect(struct group *group)
{
	struct list	*l, *tmp;
	struct replica	*rep, *best = NULL;
	struct timespec	 ts;
	uint64_t	 now;
	int		 rank, most = 0;

	list_each(l, tmp, &group->replicas) {
		rep = list_entry(l, struct replica, at);
		if (!shard_serves(rep->site->owner))
			continue;
		if (rep->site->usable && rep->id == group->authority)
			return (0);
		rank = !rep->site->usable ? 1 : rep->site->leaving ? 2 : 3;
		if (rank > most) {
			most = rank;
			best = rep;
		}
	}
	rep = best;
	if (rep == NULL || rep->id == group->authority)
		return (0);
	/* Terms rise over restarts of the gateway, too: microseconds do. */
	clock_gettime(CLOCK_REALTIME, &ts);
	now = (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
	group->term = now > group->term ? now : group->term + 1;
	group->authority = rep->id;
	return (1);
}

/* Tell this replica, or all (NULL), who decides. */
static void
election_name(struct election *e, struct group *group, struct replica *only)
{
	struct ctl	 m = { .type = CTL_AUTHORITY, .time = group->term,
			    .neighbour = group->authority };
	struct list	*l, *tmp;
	struct replica	*rep;

	if (group->authority == 0)
		return;
	list_each(l, tmp, &group->replicas) {
		rep = list_entry(l, struct replica, at);
		if ((only != NULL && rep != only) ||
		    !shard_serves(rep->site->owner))
			continue;
		m.replica = rep->id;
		order_give(e->holding, rep->site->owner, &m);
	}
}

void
election_doubt(struct election *e, struct shard *s)
{
	struct list	*l, *tmp;
	struct group	*group;

	s->site->usable = 0;
	list_each(l, tmp, &s->site->replicas) {
		group = list_entry(l, struct replica, at_site)->group;
		if (election_elect(group))
			election_name(e, group, NULL);
	}
}

void
election_suspect(struct election *e, struct shard *s)
{
	if (!shard_open(s) || s->site == NULL || s->hopeless)
		return;
	/* The answer comes after those to all that was sent before. */
	if (s->asked)
		shard_ping(s);
	if (s->site->usable) {
		/* The next one who decides gets what this one hangs in. */
		if (!pulse_moved(&s->pulse, s->pulse.asked, clock_ms()))
			election_examine(e, s, "hangs");
		election_doubt(e, s);
	}
}

/* ---- what shards died of ---- */

void
election_examine(struct election *e, struct shard *s, const char *how)
{
	struct postmortem	*p = &e->postmortem;
	const struct suspect	*step = NULL;
	struct page_work	 w;
	struct replica		*rep;
	struct slice		 app, group;
	char			 name[256];
	unsigned		 deaths;

	if (pulse_work(&s->pulse, &w) == -1 || w.what == PAGE_NOTHING ||
	    (rep = placement_replica(e->placement, w.replica)) ==
	    NULL || rep->site != s->site)
		return;
	app = slice_str(rep->group->app);
	group = slice_of(rep->group->name, rep->group->name_len);
	log_warn("shard slot=%" PRIu32 " %s amid=%s group=%s origin=%" PRIu64
	    " number=%" PRIu64, s->slot, how, page_what_name(w.what),
	    log_escape(name, sizeof(name), group.data, group.len), w.origin,
	    w.number);
	deaths = postmortem_blame(p, app, group, w.origin, w.number,
	    s->incarnation);
	if (deaths < POSTMORTEM_DEATHS)
		return;
	log_warn("group=%s origin=%" PRIu64 " number=%" PRIu64 " shards=%u "
	    "died or hung of this, it is refused from now on", name,
	    w.origin, w.number, deaths);
	while ((step = postmortem_next(p, app, group, step)) != NULL)
		election_warn_of(rep->group, NULL, step);
}

/* Tell this replica, or all (NULL), of a step that shards do not survive. */
static void
election_warn_of(struct group *group, struct replica *only,
    const struct suspect *step)
{
	struct ctl	 m = { .type = CTL_POISON, .neighbour = step->origin,
			    .id = step->number };
	struct list	*l, *tmp;
	struct replica	*rep;

	list_each(l, tmp, &group->replicas) {
		rep = list_entry(l, struct replica, at);
		if ((only != NULL && rep != only) ||
		    ((struct shard *)rep->site->owner)->state != SHARD_READY)
			continue;
		m.replica = rep->id;
		shard_tell(rep->site->owner, &m, NULL);
	}
}

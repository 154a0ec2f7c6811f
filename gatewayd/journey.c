/* Connections on their way from one shard to another. */
#include <sys/socket.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "gatewayd/journey.h"
#include "gatewayd/placement.h"
#include "gatewayd/reserve.h"
#include "gatewayd/shard.h"
#include "gatewayd/totals.h"
#include "proto/channel.h"
#include "proto/control.h"

#define JOURNEY_CAPSULE	2		/* version of capsules that can move */
#define JOURNEY_END_MS	10000		/* for the last answers */
#define JOURNEY_WORD_MS	3000		/* for the word about what a dead one sent */

struct journey {
	struct list	 at;
	struct journeys	*all;
	uint64_t	 id;
	struct shard	*from, *to;	/* NULL: dead */
	size_t		 unanswered;
	int		 landed;	/* `to` has said all that it has to say */
	struct shard	*dead;		/* of the two, waits to be buried until the
					   other one has had its word; or NULL */
	const struct journey_ops *ops;
	void		*arg;
	struct event	*timer;
};

struct journeys {
	struct event_base *base;
	struct placement *placement;
	struct totals	*totals;
	void		(*buried)(struct shard *, void *);
	void		*arg;
	struct list	 list;
	uint64_t	 last;		/* id */
};

static void	 journey_timer_cb(evutil_socket_t, short, void *);

struct journeys *
journeys_new(struct event_base *base, struct placement *placement,
    struct totals *totals, void (*buried)(struct shard *, void *), void *arg)
{
	struct journeys	*js;

	if ((js = calloc(1, sizeof(*js))) == NULL)
		return (NULL);
	js->base = base;
	js->placement = placement;
	js->totals = totals;
	js->buried = buried;
	js->arg = arg;
	list_init(&js->list);
	/* Those of an earlier gateway had other numbers. */
	js->last = bytes_random64() >> 8;
	return (js);
}

/* Forget one. */
static void
journey_free(struct journey *j)
{
	list_remove(&j->at);
	if (j->timer != NULL)
		event_free(j->timer);
	free(j);
}

void
journeys_free(struct journeys *js)
{
	if (js == NULL)
		return;
	while (!list_empty(&js->list))
		journey_free(list_entry(js->list.next, struct journey, at));
	free(js);
}

/* ---- one ---- */

int
journey_may_leave(const struct shard *from)
{
	return (from->state == SHARD_READY && shard_open(from) &&
	    !from->hopeless && from->capsule >= JOURNEY_CAPSULE);
}

int
journey_possible(const struct shard *from, const struct shard *to,
    const char *app)
{
	unsigned	 blob;

	if (from == to || !journey_may_leave(from) || !journey_may_leave(to))
		return (0);
	if (app == NULL)
		return (1);
	blob = shard_blob(from, app);
	return (blob > 0 && shard_blob(to, app) >= blob);
}

/* Give one end of a ferry away: 0, or -1, and it is still ours. */
static int
journey_ferry(const struct journey *j, struct shard *s,
    const struct shard *other, uint32_t flags, int fd)
{
	const struct ctl	 m = { .type = CTL_FERRY, .journey = j->id,
				    .flags = flags, .slot = other->slot,
				    .pid = (uint32_t)other->pid,
				    .incarnation = other->incarnation };

	return (shard_tell(s, &m, &fd));
}

struct journey *
journey_begin(struct journeys *js, struct shard *from, struct shard *to,
    const struct journey_ops *ops, void *arg)
{
	struct journey	*j;
	int		 fds[2];

	if (!journey_possible(from, to, NULL)) {
		errno = EOPNOTSUPP;
		return (NULL);
	}
	if ((j = calloc(1, sizeof(*j))) == NULL)
		return (NULL);
	list_push(&js->list, &j->at);
	j->all = js;
	j->id = ++js->last;
	j->from = from;
	j->to = to;
	j->ops = ops;
	j->arg = arg;
	errno = ENOMEM;
	if ((j->timer = evtimer_new(js->base, journey_timer_cb, j)) == NULL ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK,
	    0, fds) == -1) {
		journey_free(j);
		return (NULL);
	}
	if (journey_ferry(j, to, from, 0, fds[0]) == -1) {
		close(fds[0]);
		close(fds[1]);
		journey_free(j);
		errno = ENOMEM;
		return (NULL);
	}
	if (journey_ferry(j, from, to, CTL_F_SENDER, fds[1]) == -1) {
		/* The other end reads that nobody comes. */
		close(fds[1]);
		journey_free(j);
		errno = ENOMEM;
		return (NULL);
	}
	log_debug("journey id=%" PRIu64 " from=%" PRIu32 " to=%" PRIu32, j->id,
	    from->slot, to->slot);
	return (j);
}

int
journey_send(struct journey *j, struct place *place)
{
	struct ctl	 m = { .type = CTL_MOVE, .journey = j->id,
			    .id = place->id };
	struct placement *p = j->all->placement;
	struct reserve	*v;

	if (j->from == NULL || j->to == NULL || j->dead != NULL ||
	    j->to->site == NULL || place_site(place) != j->from->site) {
		errno = EINVAL;
		return (-1);
	}
	if ((v = reserve_take(p, place, j->to->site)) == NULL)
		return (-1);
	if (v->replica != NULL) {
		m.replica = place->replica->id;
		m.neighbour = v->replica->id;
	}
	if (shard_tell(j->from, &m, NULL) == -1) {
		reserve_cancel(p, v);
		errno = ENOMEM;
		return (-1);
	}
	j->unanswered++;
	return (0);
}

void
journey_end(struct journey *j, int stop)
{
	struct timeval	 tv = clock_tv(JOURNEY_END_MS);
	struct ctl	 m = { .type = CTL_JOURNEY_END, .journey = j->id,
			    .flags = stop ? CTL_F_STOP : 0 };

	if (j->from != NULL)
		shard_tell(j->from, &m, NULL);
	if (j->dead == NULL)
		evtimer_add(j->timer, &tv);
}

void
journey_stop(struct journey *j)
{
	if (!evtimer_pending(j->timer, NULL))
		journey_end(j, 1);
}

void
journey_abandon(struct journey *j)
{
	j->ops = NULL;
	journey_stop(j);
}

size_t
journey_unanswered(const struct journey *j)
{
	return (j->unanswered);
}

struct shard *
journey_to(const struct journey *j)
{
	return (j->to);
}

/* A journey is over: tell whose it is.  word: so says one of its shards. */
static void
journey_done(struct journey *j, int word)
{
	struct journeys	*js = j->all;
	struct shard	*dead = j->dead;

	log_debug("journey id=%" PRIu64 " done unanswered=%zu", j->id,
	    j->unanswered);
	if (dead != NULL && (!word || dead->heard == 0))
		dead->heard = word ? 1 : -1;
	else if (dead == NULL && !word && j->from != NULL)
		j->from->heard = -1;	/* it never said where some are */
	if (j->ops != NULL)
		j->ops->done(j, j->arg);
	journey_free(j);
	/* Another one may still have something to say of it. */
	if (dead != NULL && !journeys_dead(js, dead))
		js->buried(dead, js->arg);
}

/* The last answers do not come, or nobody is left to give them. */
static void
journey_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct journey	*j = arg;

	(void)fd, (void)what;
	journey_done(j, 0);
}

/* ---- what shards say ---- */

/* The journey of that number that s has a part in, or NULL. */
static struct journey *
journey_find(const struct journeys *js, uint64_t id, const struct shard *s)
{
	struct list	*l, *tmp;
	struct journey	*j;

	list_each(l, tmp, &js->list) {
		j = list_entry(l, struct journey, at);
		if (j->id == id && (j->from == s || j->to == s))
			return (j);
	}
	return (NULL);
}

/* One of those that were asked for is answered. */
static void
journey_answered(struct journey *j, const struct shard *s)
{
	if (j != NULL && j->from == s && j->unanswered > 0)
		j->unanswered--;
}

/* The seat where a connection is that two shards know, if it comes from s. */
static struct site *
journey_source(const struct reserve *v)
{
	return (v->arrived ? v->site : place_site(v->place));
}

/*
 * An earlier gateway, or an earlier channel, had it moved: it has a place where s does
 * not say that it is.
 */
static struct reserve *
journey_late(struct journeys *js, struct place *place, struct site *site,
    uint64_t replica)
{
	struct replica	*r = replica == 0 ? NULL :
			    placement_replica(js->placement, replica);

	if (site == NULL && r != NULL)
		site = r->site;
	if (site == NULL || (replica != 0 && (r == NULL || r->site != site)))
		return (NULL);
	return (reserve_force(js->placement, place, site, r));
}

/* It is not in `replica` any more, but in `neighbour`. */
static int
journey_moved(struct journeys *js, struct shard *s, const struct ctl *m)
{
	struct journey	*j = journey_find(js, m->journey, s);
	struct reserve	*v = reserve_find(js->placement, m->id);
	struct place	*place = placement_find(js->placement, m->id);

	if (v != NULL && journey_source(v) != s->site)
		return (-1);
	journey_answered(j, s);
	if (v == NULL && place != NULL && place_site(place) == s->site) {
		v = journey_late(js, place, j == NULL || j->to == NULL ? NULL :
		    j->to->site, m->neighbour);
		if (v == NULL) {
			/* Who has taken it has died since. */
			js->totals->gone[CLOSE_SHARD_DIED]++;
			placement_release(js->placement, m->id, NULL);
		}
	}
	if (v != NULL) {
		js->totals->moved += !v->arrived;
		v->site->early += !v->arrived;
		reserve_settle(js->placement, v);
	}
	if (j != NULL && j->from == s && j->ops != NULL)
		j->ops->moved(j, j->arg);
	return (0);
}

/* It is where it was. */
static int
journey_stayed(struct journeys *js, struct shard *s, const struct ctl *m)
{
	struct journey	*j = journey_find(js, m->journey, s);
	struct reserve	*v = reserve_find(js->placement, m->id);

	if (v != NULL && journey_source(v) != s->site)
		return (-1);
	journey_answered(j, s);
	if (v != NULL && v->arrived) {
		log_warn("shard slot=%" PRIu32 " id=%016" PRIx64 " stayed, and "
		    "another shard has it", s->slot, m->id);
		reserve_settle(js->placement, v);
	} else if (v != NULL)
		reserve_cancel(js->placement, v);
	if ((m->flags & CTL_F_ENDED) == 0)
		js->totals->stayed++;
	if (j != NULL && j->from == s && j->ops != NULL &&
	    (m->flags & CTL_F_ENDED) == 0)
		j->ops->stayed(j, m->id, m->flags, m->text, j->arg);
	return (0);
}

/* It is in `replica` from now on. */
static int
journey_arrived(struct journeys *js, struct shard *s, const struct ctl *m)
{
	const struct ctl end = { .type = CTL_END, .id = m->id,
			    .why = CLOSE_LOST };
	struct reserve	*v = reserve_find(js->placement, m->id);
	struct place	*place = placement_find(js->placement, m->id);
	int		 known = 1;

	if (v == NULL && place != NULL && place_site(place) != s->site)
		v = journey_late(js, place, s->site, m->replica);
	if (v != NULL && v->place != NULL && !v->arrived &&
	    v->site == s->site) {
		reserve_arrived(v);
		js->totals->moved++;
	} else {
		s->site->early -= s->site->early > 0;	/* MOVED came before */
		known = place != NULL && place_site(place) == s->site;
	}
	if (!known) {
		log_warn("shard slot=%" PRIu32 " id=%016" PRIx64 " arrived: it "
		    "was not expected there", s->slot, m->id);
		shard_tell(s, &end, NULL);
		return (0);
	}
	histogram_add(js->totals->pauses, m->time < UINT64_MAX / 1000 ?
	    m->time * 1000 : UINT64_MAX);
	if (m->time > js->totals->pause_max)
		js->totals->pause_max = m->time;
	return (0);
}

int
journeys_message(struct journeys *js, struct shard *s, const struct ctl *m)
{
	struct journey	*j;

	switch (m->type) {
	case CTL_MOVED:
		return (journey_moved(js, s, m));
	case CTL_STAYED:
		return (journey_stayed(js, s, m));
	case CTL_ARRIVED:
		return (journey_arrived(js, s, m));
	default:
		j = journey_find(js, m->journey, s);
		if (j != NULL && (j->from == s || j->dead != NULL))
			journey_done(j, 1);
		else if (j != NULL)
			j->landed = 1;
		return (0);
	}
}

/* ---- ends ---- */

/* A journey is to be over: from the loop, for the caller may walk their list. */
static void
journey_doom(struct journey *j)
{
	event_active(j->timer, EV_TIMEOUT, 1);
}

void
journeys_hello(struct journeys *js, struct shard *s)
{
	struct list	*l, *tmp;
	struct journey	*j;

	list_each(l, tmp, &js->list) {
		j = list_entry(l, struct journey, at);
		if (j->from == s || j->to == s)
			journey_doom(j);
	}
}

int
journeys_dead(struct journeys *js, struct shard *s)
{
	struct timeval	 tv = clock_tv(JOURNEY_WORD_MS);
	struct list	*l, *tmp;
	struct journey	*j;
	struct shard	**mine, *other;
	int		 wait = 0;

	list_each(l, tmp, &js->list) {
		j = list_entry(l, struct journey, at);
		if (j->from != s && j->to != s)
			continue;
		mine = j->from == s ? &j->from : &j->to;
		other = j->from == s ? j->to : j->from;
		if (j->dead == s)
			wait = 1;
		else if (j->from == s && j->landed && j->dead == NULL) {
			s->heard += s->heard == 0;
			j->from = NULL;
			journey_doom(j);
		} else if (j->dead != NULL || other == NULL ||
		    !shard_open(other)) {
			/* Nobody is left to say anything. */
			s->heard = -1;
			*mine = NULL;
			journey_doom(j);
		} else {
			j->dead = s;
			evtimer_add(j->timer, &tv);
			wait = 1;
		}
	}
	/* Each of its journeys has ended, and all was said. */
	if (!wait && s->heard == 0)
		s->heard = 1;
	return (wait);
}

/* How our replica meets those of other nodes. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/redis.h"
#include "proto/keys.h"
#include "shardd/group/ask.h"
#include "shardd/group/held.h"
#include "shardd/group/meeting.h"
#include "shardd/group/neighbours.h"
#include "shardd/peers/bus.h"

#define MEETING_MS		1000	/* the first clients wait so long for who is silent */
#define MEETING_SLOW_MS		4000	/* and for who has been heard meanwhile */
#define MEETING_LOOK_MS		100	/* between two looks at that */
#define MEETING_LATE_MS		10000	/* when the replica has opened; and in all, for
					   who is silent and may have the state */
#define MEETING_REDIS_MS	1000
#define MEETING_AGAIN_MS	200
#define MEETING_MANY		200	/* that ask Redis at a time */

/* KEYS: group.  ARGV: our address.  We are in it, and who else is. */
static const char	 meeting_script[] =
	"redis.call('SADD', KEYS[1], ARGV[1])\n"
	"return redis.call('SMEMBERS', KEYS[1])\n";

struct meeting {
	struct list	 at;		/* meetings->due */
	struct list	 waits;		/* meetings->patient */
	struct meetings	*all;
	struct neighbours *n;
	struct bus_room	*room;
	struct meeting_call *call;	/* to Redis; NULL: none */
	struct slice	 group, app;	/* borrowed */
	int		 met;		/* all have answered once, or had time to */
	int		 looked;	/* was told who is there, and not listed */
	int		 knows_all;	/* the same, with time enough to be taken for dead */
	int		 lacks;		/* somebody has not answered the last question */
	uint64_t	 since;		/* clock_ms: of the first question */
	const struct ask *ask;		/* its answers, while clients wait for them */
	uint64_t	 asked;		/* clock_ms: of that one */
	struct list	 asks;		/* struct ask: our questions */
};

struct meeting_call {
	struct meeting	*t;		/* NULL: ended meanwhile */
	struct meetings	*all;
	int		 looks;		/* only at who is there */
};

static int	 meeting_ask(struct meeting *t, int looks);
static void	 meetings_pump(struct meetings *ms);
static void	 meetings_patience_cb(evutil_socket_t, short, void *);

/* ---- all of them ---- */

/* Those that Redis has not answered try again. */
static void
meetings_again_cb(evutil_socket_t fd, short what, void *arg)
{
	struct meetings	*ms = arg;

	(void)fd, (void)what;
	ms->rests = 0;
	meetings_pump(ms);
}

int
meetings_init(struct meetings *ms, struct event_base *base, struct bus *bus,
    const char *prefix, const char *address)
{
	list_init(&ms->due);
	list_init(&ms->patient);
	ms->bus = bus;
	ms->prefix = prefix;
	ms->address = address;
	if (bus != NULL && ((ms->again = evtimer_new(base, meetings_again_cb,
	    ms)) == NULL || (ms->patience = evtimer_new(base,
	    meetings_patience_cb, ms)) == NULL)) {
		errno = ENOMEM;
		return (-1);
	}
	return (0);
}

void
meetings_clear(struct meetings *ms)
{
	if (ms->again != NULL)
		event_free(ms->again);
	ms->again = NULL;
	if (ms->patience != NULL)
		event_free(ms->patience);
	ms->patience = NULL;
	ms->bus = NULL;
}

/* ---- JOIN ---- */

/* Tell l's peer that our replica is here; ask 0: it need not answer. */
static int
meeting_say(struct meeting *t, struct link *l, uint64_t ask)
{
	const struct gossip	 m = { .type = GOSSIP_JOIN, .ask = ask,
				    .from = t->n->id, .said = t->n->said,
				    .group = t->group, .app = t->app };

	return (link_send(l, &m));
}

/*
 * A replica that was given up with its node may be one that lives: it comes back as who it is,
 * by a meeting only, and is told what it missed.  With another id it would have ended for the
 * nodes that never gave it up, too, and their clients would be told of a loss that was none;
 * and an id is the gateway's to give, which may be what has died.
 */
void
meeting_joined(struct meeting *t, struct link *l, const struct gossip *m)
{
	struct neighbours	*n = t->n;
	struct neighbour	*nb;
	int			 known = neighbours_has(n, m->from);

	held_clear_ended(m->from);
	if ((nb = neighbours_join(n, m->from, l)) == NULL) {
		log_warn("replica id=%" PRIu64 " neighbour=%" PRIu64
		    " not introduced: %s", n->id, m->from, strerror(errno));
		return;
	}
	if (!nb->based) {
		nb->based = 1;
		neighbours_skip(nb, m->said, 0);
	}
	/* Before all else that is said to it. */
	if (m->ask != 0 || !known)
		meeting_say(t, l, 0);
	/* Whoever has come since one was mourned may be that one. */
	if (!known && n->mourned)
		neighbours_back(n, nb, l);
	if (!known)
		n->ops->met(n->arg, m->from);
}

void
meeting_link_up(struct meeting *t, struct link *l)
{
	struct neighbours	*n = t->n;
	struct gossip		 m = { .type = GOSSIP_MEET, .from = n->id };
	int			 say = t->lacks || !list_empty(&t->asks);

	for (size_t i = 0; i < n->n && !say; i++)
		say = neighbour_link(n, &n->at[i]) == l;
	if (say)
		meeting_say(t, l, 0);
	/* Who has ended says so, on another node: its LEAVE may be lost. */
	for (size_t i = 0; link_peer(l)->node != NULL && i < n->n; i++) {
		m.to = n->at[i].id;
		if (neighbour_link(n, &n->at[i]) == l)
			link_send(l, &m);
	}
}

/* ---- who is there ---- */

/* All have answered, or had time to. */
static void
meeting_answered_cb(const struct ask *a, int err, void *arg)
{
	struct meeting		*t = arg;
	struct timeval		 tv = { 0, MEETING_AGAIN_MS * 1000 };

	list_remove(&t->waits);
	t->ask = NULL;
	if (err == ECANCELED)
		return;
	if (err != 0)
		t->lacks = 1;		/* until it is told, with its link */
	t->knows_all = err == 0 || t->n->ready ||
	    clock_ms() - t->since >= MEETING_LATE_MS;
	for (size_t i = 0; err != 0 && i < a->nparts; i++)
		if (a->parts[i].error != NULL)
			log_info("replica id=%" PRIu64 " another node's shard "
			    "is silent: %s", t->n->id, a->parts[i].error);
	t->met = 1;
	/* Who is in the set and silent is slow, or dead, and will be known to be. */
	if (!t->knows_all && list_empty(&t->at)) {
		list_push(&t->all->due, &t->at);
		evtimer_add(t->all->again, &tv);
	}
	t->n->ops->all_met(t->n->arg);
}

/* Has somebody of whom an answer is missing been heard since it was asked?  Where Redis is
 * slow, the two shards meet first, and only then it hears the question. */
static int
meeting_is_heard(const struct meeting *t)
{
	const struct link	*l;

	for (size_t i = 0; i < t->ask->nparts; i++)
		if ((l = t->ask->parts[i].link) != NULL &&
		    bus_last(l) > t->asked)
			return (1);
	return (0);
}

/* Look again at who waits, soon. */
static void
meetings_look(struct meetings *ms)
{
	struct timeval	 tv = { 0, MEETING_LOOK_MS * 1000 };

	if (!list_empty(&ms->patient) && ms->patience != NULL &&
	    !evtimer_pending(ms->patience, NULL))
		evtimer_add(ms->patience, &tv);
}

/* Who has waited long enough for those who are silent goes on without them. */
static void
meetings_patience_cb(evutil_socket_t fd, short what, void *arg)
{
	struct list	 over = { &over, &over }, *e, *tmp;
	struct meetings	*ms = arg;
	struct meeting	*t;

	(void)fd, (void)what;
	list_each(e, tmp, &ms->patient) {
		t = list_entry(e, struct meeting, waits);
		if (clock_ms() - t->asked < MEETING_MS || meeting_is_heard(t))
			continue;
		list_remove(&t->waits);
		list_push(&over, &t->waits);
	}
	while (!list_empty(&over)) {
		t = list_entry(over.next, struct meeting, waits);
		list_remove(&t->waits);
		t->met = 1;
		t->n->ops->all_met(t->n->arg);
	}
	meetings_look(ms);
}

/* Redis has said who else is in the group: each is told.  0, or -1. */
static int
meeting_tell(struct meeting *t, const struct redis_value *v)
{
	struct neighbours	*n = t->n;
	struct redis_value	 one;
	struct peer_id		 peer;
	struct link		*l;
	struct ask		*a;

	if (t->since == 0)
		t->since = clock_ms();
	if ((a = ask_new(n->hood->base, &t->asks, n->ready ? MEETING_LATE_MS :
	    MEETING_SLOW_MS, v->n, meeting_answered_cb, t)) == NULL)
		return (-1);
	t->ask = a;
	t->lacks = 0;
	t->asked = clock_ms();
	list_remove(&t->waits);
	if (!t->met)
		list_push(&t->all->patient, &t->waits);
	meetings_look(t->all);
	for (size_t i = 0; i < v->n; i++) {
		one = redis_at(v, i);
		if (one.kind != REDIS_STRING || bus_peer(t->all->bus,
		    slice_of(one.str, one.len), &peer) == -1 ||
		    peer.node == NULL ||
		    (l = link_get(n->hood->links, &peer, NULL)) == NULL)
			continue;
		ask_add(a, l, 0);
		if (meeting_say(t, l, a->id) == -1)
			ask_unsent(a);
	}
	ask_go(a);
	return (0);
}

/* t asks again, as all do, after a while. */
static void
meeting_again(struct meeting *t)
{
	if (list_empty(&t->at))
		list_push(&t->all->due, &t->at);
}

/* Nobody asks for a while. */
static void
meetings_rest(struct meetings *ms)
{
	struct timeval	 tv = { 0, MEETING_AGAIN_MS * 1000 };

	ms->rests = clock_ms() + MEETING_AGAIN_MS;
	if (ms->again != NULL)
		evtimer_add(ms->again, &tv);
}

/* Redis answers and takes nothing (it is out of memory, say): those who are listed are met
 * all the same, once, and we shall be listed when it does. */
static void
meeting_refused(struct meeting *t, const struct redis_value *v)
{
	struct meetings	*ms = t->all;

	if (!ms->refused)
		log_warn("redis lists no replicas for other nodes: %s", v->str);
	ms->refused = 1;
	if (t->met || t->looked || meeting_ask(t, 1) == -1)
		meeting_again(t);
	t->looked = 1;
}

/* Redis has answered, or has not. */
static void
meeting_call_cb(const struct redis_value *v, int err, void *arg)
{
	struct meeting_call	*call = arg;
	struct meetings		*ms = call->all;
	struct meeting		*t = call->t;
	int			 looks = call->looks;
	int			 refused = err == 0 && v->kind == REDIS_ERROR;

	free(call);
	ms->asking--;
	if (t != NULL)
		t->call = NULL;
	if (err == ECANCELED)
		return;
	if (t != NULL && refused && !looks)
		meeting_refused(t, v);
	else if (t != NULL && (err != 0 || v->kind != REDIS_ARRAY ||
	    meeting_tell(t, v) == -1 || looks))
		meeting_again(t);
	if (err != 0 || refused || looks) {
		meetings_rest(ms);
		return;
	}
	if (ms->refused)
		log_info("redis lists replicas again");
	ms->refused = 0;
	meetings_pump(ms);
}

/* Ask Redis who is in the group (looks: and do not enter it).  0, or -1 with errno. */
static int
meeting_ask(struct meeting *t, int looks)
{
	struct meetings		*ms = t->all;
	struct meeting_call	*call = NULL;
	char			*key;
	int			 rv = -1;

	key = keys_group(ms->prefix, t->group);
	if (key != NULL && (call = calloc(1, sizeof(*call))) != NULL)
		rv = looks ? redis_do(bus_redis(ms->bus), MEETING_REDIS_MS,
		    meeting_call_cb, call, "SMEMBERS", key, NULL) :
		    redis_do(bus_redis(ms->bus), MEETING_REDIS_MS,
		    meeting_call_cb, call, "EVAL", meeting_script, "1", key,
		    ms->address, NULL);
	free(key);
	if (rv == -1) {
		free(call);
		return (-1);
	}
	call->t = t;
	call->all = ms;
	call->looks = looks;
	t->call = call;
	ms->asking++;
	return (0);
}

/* Those whose turn it is ask. */
static void
meetings_pump(struct meetings *ms)
{
	struct meeting	*t;

	if (clock_ms() < ms->rests)
		return;
	while (ms->bus != NULL && bus_up(ms->bus) &&
	    ms->asking < MEETING_MANY && !list_empty(&ms->due)) {
		t = list_entry(ms->due.next, struct meeting, at);
		if (t->call == NULL && meeting_ask(t, 0) == -1) {
			meetings_rest(ms);
			return;
		}
		list_remove(&t->at);
	}
}

void
meeting_entered(struct meeting *t)
{
	if (list_empty(&t->at))
		list_push(&t->all->due, &t->at);
	meetings_pump(t->all);
}

void
meeting_forgotten(struct meeting *t)
{
	if (t->since != 0)		/* else it is about to ask */
		meeting_entered(t);
}

void
meetings_up(struct meetings *ms)
{
	meetings_pump(ms);
}

/* ---- life ---- */

struct meeting *
meeting_new(struct meetings *ms, struct neighbours *n, struct slice group,
    struct slice app)
{
	struct meeting	*t;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return (NULL);
	list_init(&t->at);
	list_init(&t->waits);
	list_init(&t->asks);
	t->all = ms;
	t->n = n;
	t->group = group;
	t->app = app;
	if ((t->room = bus_enter(ms->bus, group, app, t)) == NULL) {
		free(t);
		return (NULL);
	}
	n->room = t->room;
	return (t);
}

int
meeting_is_over(const struct meeting *t)
{
	/* Redis is away: nobody of another node can be met. */
	return (t == NULL || t->met || bus_away(t->all->bus));
}

int
meeting_knows_all(const struct meeting *t)
{
	return (t == NULL || t->knows_all || bus_away(t->all->bus));
}

struct neighbours *
meeting_neighbours(const struct meeting *t)
{
	return (t->n);
}

void
meeting_free(struct meeting *t)
{
	struct neighbours	*n;
	struct gossip		 m = { .type = GOSSIP_LEAVE };
	struct link		*l;

	if (t == NULL)
		return;
	n = t->n;
	m.from = n->id;
	for (size_t i = 0; i < n->n; i++) {
		if (!neighbour_is_remote(&n->at[i]))
			continue;
		m.to = n->at[i].id;
		if ((l = neighbour_link(n, &n->at[i])) != NULL)
			link_send(l, &m);
	}
	ask_cancel(&t->asks);
	list_remove(&t->at);
	list_remove(&t->waits);
	if (t->call != NULL)
		t->call->t = NULL;
	n->room = NULL;
	bus_leave(t->all->bus, t->room);
	free(t);
}

/* Who moves from shard to shard, and why. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "gatewayd/balance.h"
#include "gatewayd/gather.h"
#include "gatewayd/journey.h"
#include "gatewayd/moves.h"
#include "gatewayd/placement.h"
#include "gatewayd/relief.h"
#include "gatewayd/retreat.h"
#include "gatewayd/roster.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "gatewayd/transfer.h"

#define BALANCE_LOOK_MS		1000
#define BALANCE_MS		600000	/* that evening out may take */
#define BALANCE_APART		64	/* connections: not worth while before */
#define BALANCE_APART_PART	10	/* nor before this part of the most */
#define BALANCE_EVEN		4	/* the same, when it was asked for */
#define BALANCE_AFTER_MS	10000	/* apart for so long */
#define BALANCE_CLOSE_MS	1000	/* at least, for those who did not move */
#define BALANCE_RETREAT_MS 60000
#define BALANCE_WAIT_MS		100	/* from look to look, for a place */

struct balancing {			/* a transfer */
	struct list	 at;
	struct balance	*all;
	struct transfer	*transfer;
	struct transfer_plan plan;	/* as it was asked for */
	struct shard	*from, *to;	/* to: NULL: any */
	uint64_t	 incarnation;	/* of from */
	uint64_t	 deadline;	/* clock_ms; to be emptied by then; 0: it stays */
	unsigned	 await_ms;	/* longer, as transfer_plan's */
	int		 more;		/* not only these are to move */
	int		 retreat;	/* from leaves if all have moved */
	int		 again;		/* another process follows in its place */
	struct event	*timer;		/* there is no transfer yet: it waits for one
					   more shard; or NULL */
	struct moves_row *row;		/* the operator asked for it; or NULL */
};

struct balance {
	struct event_base *base;
	const struct settings *settings;
	struct placement *placement;
	struct roster	*roster;
	struct retreat	*retreat;
	struct moves	 moves;
	struct list	 list;
	struct event	*timer;
	int		 held;
	struct moves_row *asked;	/* by the operator, and not done yet */
	uint64_t	 apart;		/* clock_ms since when; 0: even */
};

static void	 balance_timer_cb(evutil_socket_t, short, void *);
static void	 balance_done(struct transfer *, void *);
static void	 balance_wait_cb(evutil_socket_t, short, void *);
static int	 balance_room(void *);

struct balance *
balance_new(struct event_base *base, const struct settings *settings,
    struct placement *placement, struct roster *roster, struct totals *totals)
{
	struct timeval	 tv = clock_tv(BALANCE_LOOK_MS);
	struct balance	*b;

	if ((b = calloc(1, sizeof(*b))) == NULL)
		return (NULL);
	b->base = base;
	b->settings = settings;
	b->placement = placement;
	b->roster = roster;
	b->moves.totals = totals;
	list_init(&b->list);
	b->retreat = retreat_new();
	b->timer = event_new(base, -1, EV_PERSIST, balance_timer_cb, b);
	if (b->retreat != NULL && b->timer != NULL && event_add(b->timer, &tv) == 0)
		return (b);
	balance_free(b);
	errno = ENOMEM;
	return (NULL);
}

/* From s, or NULL; on no list yet. */
static struct balancing *
balancing_new(struct balance *b, struct shard *s)
{
	struct balancing	*g;

	if ((g = calloc(1, sizeof(*g))) == NULL)
		return (NULL);
	g->all = b;
	g->from = s;
	g->incarnation = s->incarnation;
	return (g);
}

/* Emptied by when, how and for whom, as that one. */
static void
balancing_as(struct balancing *g, const struct balancing *as)
{
	g->deadline = as->deadline;
	g->await_ms = as->await_ms;
	g->again = as->again;
	g->row = as->row;
}

/* It is off the list, and so is its transfer. */
static void
balancing_free(struct balancing *g)
{
	if (g->timer != NULL) {
		event_free(g->timer);
		if (g->row != NULL)
			g->row->waits = NULL;
	}
	free(g);
}

void
balance_free(struct balance *b)
{
	struct list		*l, *tmp;
	struct balancing	*g;

	if (b == NULL)
		return;
	list_each(l, tmp, &b->list) {
		g = list_entry(l, struct balancing, at);
		transfer_free(g->transfer);
		balancing_free(g);
	}
	if (b->timer != NULL)
		event_free(b->timer);
	retreat_free(b->retreat);
	free(b);
}

/* ---- transfers ---- */

/* May somebody be moved there? */
static int
balance_may(const struct shard *to, void *arg)
{
	const struct balancing	*g = arg;

	if (g->plan.may != NULL)
		return (g->plan.may(to, g->plan.arg));
	return (to->state == SHARD_READY && !to->site->leaving &&
	    (g->to == NULL || g->to == to));
}

/* Of s, or NULL. */
static struct balancing *
balance_from(const struct balance *b, const struct shard *s)
{
	struct list		*l, *tmp;
	struct balancing	*g;

	list_each(l, tmp, &b->list) {
		g = list_entry(l, struct balancing, at);
		if (g->from == s)
			return (g);
	}
	return (NULL);
}

/* Begin one, for row, which may be NULL: NULL with errno. */
static struct balancing *
balance_begin(struct balance *b, struct shard *to,
    const struct transfer_plan *plan, struct moves_row *row)
{
	struct transfer_plan	 ours = *plan;
	struct balancing	*g;

	if (balance_from(b, plan->from) != NULL) {
		errno = EBUSY;
		return (NULL);
	}
	if ((g = balancing_new(b, plan->from)) == NULL)
		return (NULL);
	g->plan = *plan;
	g->to = to;
	ours.may = balance_may;
	ours.done = balance_done;
	ours.arg = g;
	g->transfer = transfer_begin(b->base, roster_journeys(b->roster),
	    b->placement, roster_shards(b->roster), &ours);
	if (g->transfer == NULL) {
		balancing_free(g);
		return (NULL);
	}
	if ((g->row = row) != NULL)
		moves_transfer(row, g->transfer);
	list_push(&b->list, &g->at);
	return (g);
}

struct transfer *
balance_transfer(struct balance *b, const struct transfer_plan *plan)
{
	struct balancing	*g = balance_begin(b, NULL, plan, NULL);

	return (g == NULL ? NULL : g->transfer);
}

/* Who has not moved, or cannot, is closed, and s leaves; row: or NULL. */
static void
balance_close(struct shard *s, uint64_t deadline, struct moves_row *row)
{
	uint64_t	 now = clock_ms();
	unsigned	 ms = deadline > now + BALANCE_CLOSE_MS ?
			    (unsigned)(deadline - now) : BALANCE_CLOSE_MS;

	if (row != NULL)
		moves_end(row, s->site->count);
	shard_leave(s, ms);
	shard_drain(s, ms, CLOSE_DRAINED);
}

/* ---- a shard that is to be emptied, and no other is there ---- */

/*
 * Those of g find no place: is there to be one, by and by?  In the place of what restarts,
 * or has an older program, another one is started now, if others leave no room.
 */
static int
balance_comes(struct balancing *g)
{
	struct roster	*r = g->all->roster;

	if (g->row == NULL)
		return (relief_beside(r, g->from, NULL) ||
		    relief_comes(r, g->from));
	if (relief_comes(r, g->from))
		return (1);
	if (!g->again || g->row->beside ||
	    !relief_beside(r, g->from, g->from->generation))
		return (0);
	log_info("shard slot=%" PRIu32 " restarts when its successor serves, "
	    "in another slot", g->from->slot);
	g->row->beside = 1;
	return (1);
}

/* Is one more shard to come?  plan.room of what is emptied. */
static int
balance_room(void *arg)
{
	return (balance_comes(arg));
}

/*
 * Nobody else serves: g's shard does, for newcomers and for those of a shard that is being
 * emptied before it, until one more is there; then it is emptied, or when time is over.
 * 0, or -1: it is of no use.
 */
static int
balance_wait(struct balancing *g)
{
	struct timeval	 tv = clock_tv(BALANCE_WAIT_MS);
	struct shard	*s = g->from;
	struct roster	*r = g->all->roster;

	if (s->site->count == 0 || !journey_may_leave(s) ||
	    relief_serves(r, s) || !balance_comes(g))
		return (-1);
	g->timer = evtimer_new(g->all->base, balance_wait_cb, g);
	if (g->timer == NULL || evtimer_add(g->timer, &tv) == -1)
		return (-1);
	log_info("shard slot=%" PRIu32 " connections=%zu is emptied when another "
	    "one is there", s->slot, s->site->count);
	s->site->leaving = 0;
	if (g->row != NULL)
		g->row->waits = s;
	list_push(&g->all->list, &g->at);
	return (0);
}

/* Empty s as `as` says (not its list, timer and transfer): how many are to move. */
static size_t
balance_empties(const struct balancing *as)
{
	struct balance		*b = as->all;
	struct shard		*s = as->from;
	uint64_t		 now = clock_ms();
	const struct transfer_plan	 plan = { .from = s, .most = SIZE_MAX,
					    .rate = b->settings->move_rate,
					    .ms = as->deadline > now ? (unsigned)
					    (as->deadline - now) : 0,
					    .patient = 1,
					    .await_ms = as->await_ms,
					    .room = balance_room };
	struct balancing		*g = balance_from(b, s);

	if (g == NULL && (g = balancing_new(b, s)) != NULL) {
		balancing_as(g, as);
		if (balance_wait(g) == 0)
			return (s->site->count);
		balancing_free(g);
		g = NULL;
	}
	s->site->leaving = 1;
	if (g != NULL) {
		/* Some go already; all do when that is over. */
		if (g->row != NULL)
			moves_transferred(g->row, g->transfer);
		balancing_as(g, as);
		g->more = 1;
		transfer_stop(g->transfer);
		return (s->site->count);
	}
	if ((g = balance_begin(b, NULL, &plan, as->row)) == NULL) {
		balance_close(s, as->deadline, as->row);
		return (0);
	}
	balancing_as(g, as);
	return (transfer_count(g->transfer)->total);
}

size_t
balance_empty(struct balance *b, struct shard *s, unsigned ms)
{
	const struct balancing	 as = { .all = b, .from = s,
				    .deadline = clock_ms() + ms,
				    .await_ms = b->settings->upgrade_wait_ms };

	return (balance_empties(&as));
}

size_t
balance_drain(struct balance *b, struct shard *s, unsigned ms, const char *what,
    int again)
{
	const struct balancing	 as = { .all = b, .from = s,
				    .deadline = clock_ms() + ms,
				    .again = again,
				    .row = moves_begin(&b->moves, s->slot, what,
				    b->settings->move_rate) };

	return (balance_empties(&as));
}

void
balance_orders(const struct balance *b, balance_order_cb *cb, void *arg)
{
	struct list		*l, *tmp;
	const struct balancing	*g;
	uint64_t		 now = clock_ms();

	list_each(l, tmp, &b->list) {
		g = list_entry(l, struct balancing, at);
		if (g->row != NULL && g->deadline > now)
			cb(g->row->what, g->from->slot,
			    (unsigned)(g->deadline - now), arg);
	}
	if (b->asked != NULL)
		cb(b->asked->what, 0, 0, arg);
}

size_t
balance_waiting(const struct balance *b)
{
	struct list		*l, *tmp;
	const struct balancing	*g;
	size_t			 n = 0;

	list_each(l, tmp, &b->list) {
		g = list_entry(l, struct balancing, at);
		n += g->transfer == NULL ? g->from->site == NULL ? 0 :
		    g->from->site->count : transfer_count(g->transfer)->lacks;
	}
	return (n);
}

/* How many connections are more than their shards would have if all had as many. */
static size_t
balance_uneven(const struct balance *b)
{
	const struct shard	*s;
	size_t			 n = 0, sum = 0, over = 0;

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < roster_nslots(b->roster); i++) {
			s = roster_slot(b->roster, i);
			if (s->state != SHARD_READY || s->site->leaving)
				continue;
			if (pass == 0) {
				n++;
				sum += s->site->count;
			} else if (s->site->count > sum / n)
				over += s->site->count - sum / n;
		}
	return (over);
}

struct json_t *
balance_moves(const struct balance *b)
{
	return (moves_json(&b->moves, b->asked == NULL ? 0 :
	    balance_uneven(b)));
}

/* What the operator asked for (or NULL) is over, as far as it moves somebody. */
static void
balance_settled(struct balance *b, struct moves_row *row)
{
	if (row == NULL)
		return;
	moves_end(row, 0);
	if (b->asked == row)
		b->asked = NULL;
}

/* The successor of g's shard did not start: that one stays as it is. */
static void
balance_give_up(struct balancing *g)
{
	log_warn("shard slot=%" PRIu32 " does not restart: its successor did not "
	    "start; connections=%zu stay", g->from->slot, g->from->site->count);
	g->from->site->leaving = 0;
	g->row->given_up = 1;
	balance_settled(g->all, g->row);
}

/* Was a successor of g's shard to start in another slot, and has not? */
static int
balance_bereft(const struct balancing *g)
{
	return (g->row != NULL && g->row->beside &&
	    !relief_came(g->all->roster, g->from, g->row->began));
}

/* Is another shard there, or to come no more, or is time over? */
static void
balance_wait_cb(evutil_socket_t fd, short what, void *arg)
{
	struct balancing	*g = arg;
	struct balance		*b = g->all;
	struct shard		*s = g->from;
	struct timeval		 tv = clock_tv(BALANCE_WAIT_MS);

	(void)fd, (void)what;
	if (s->incarnation != g->incarnation || s->state != SHARD_READY) {
		list_remove(&g->at);
		balance_settled(b, g->row);
	} else if (clock_ms() >= g->deadline) {
		list_remove(&g->at);
		s->site->leaving = 1;
		balance_close(s, g->deadline, g->row);
	} else if (relief_serves(b->roster, s)) {
		list_remove(&g->at);
		(void)balance_empties(g);
	} else if (balance_comes(g)) {
		evtimer_add(g->timer, &tv);
		return;
	} else {
		list_remove(&g->at);
		if (g->row != NULL && g->row->beside)
			balance_give_up(g);
		else
			(void)balance_empties(g);
	}
	balancing_free(g);
}

/* The few of s are somewhere else, and it leaves; or not all of them, and it stays. */
static void
balance_retreated(struct balance *b, struct shard *s)
{
	if (s->site->count == 0) {
		log_info("shard slot=%" PRIu32 " had few, who are elsewhere, "
		    "and leaves", s->slot);
		balance_close(s, 0, NULL);
		return;
	}
	s->site->leaving = 0;
	retreat_failed(b->retreat, s, clock_ms());
}

/* A transfer is over: a shard that was to be emptied closes those who are left. */
static void
balance_done(struct transfer *t, void *arg)
{
	struct balancing		*g = arg;
	const struct transfer_count	*n = transfer_count(t);
	struct shard			*s = g->from;
	uint64_t			 now = clock_ms();
	int				 lives;

	list_remove(&g->at);
	if (g->row != NULL && g->row->now == t)
		moves_transferred(g->row, t);
	lives = s->incarnation == g->incarnation && s->state == SHARD_READY;
	log_info("shard slot=%" PRIu32 " moved=%zu of=%zu cannot=%zu", s->slot,
	    n->moved, n->total, n->never);
	if (g->plan.done != NULL)
		g->plan.done(t, g->plan.arg);
	else if (g->retreat && g->deadline == 0) {
		if (lives)
			balance_retreated(g->all, s);
	} else if (g->deadline != 0 && lives && g->more && g->deadline > now)
		(void)balance_empties(g);
	else if (g->deadline != 0 && lives && s->site->count > n->never &&
	    balance_bereft(g))
		balance_give_up(g);
	else if (g->deadline != 0 && lives)
		balance_close(s, g->deadline, g->row);
	else if (g->row != NULL && (n->moved == 0 || g->deadline != 0))
		balance_settled(g->all, g->row);
	balancing_free(g);
}

int
balance_emptying(const struct balance *b, const struct shard *s)
{
	const struct balancing	*g = balance_from(b, s);

	return (s->site->leaving || (g != NULL && g->deadline != 0));
}

int
balance_busy(const struct balance *b, const struct shard *s)
{
	struct list		*l, *tmp;
	const struct balancing	*g;

	list_each(l, tmp, &b->list) {
		g = list_entry(l, struct balancing, at);
		if (s == NULL || g->from == s || g->to == s)
			return (1);
	}
	return (0);
}

void
balance_hold(struct balance *b, int on)
{
	b->held = on;
	if (on && b->asked != NULL)
		balance_settled(b, b->asked);
	b->apart = 0;
}

/* ---- evening out ---- */

/* The shards with most and with fewest connections: how far they are apart. */
static size_t
balance_ends(const struct balance *b, struct shard **most, struct shard **least)
{
	struct shard	*s;

	*most = *least = NULL;
	for (size_t i = 0; i < roster_nslots(b->roster); i++) {
		s = roster_slot(b->roster, i);
		if (s->state != SHARD_READY || s->site->leaving ||
		    !s->site->usable)
			continue;
		if (*most == NULL || s->site->count > (*most)->site->count)
			*most = s;
		if (*least == NULL || s->site->count < (*least)->site->count)
			*least = s;
	}
	return (*most == NULL ? 0 :
	    (*most)->site->count - (*least)->site->count);
}

/* How far they may be apart. */
static size_t
balance_bound(const struct balance *b, const struct shard *most)
{
	size_t	 part = most == NULL ? 0 :
		    most->site->count / BALANCE_APART_PART;

	if (b->asked)
		return (part / 5 > BALANCE_EVEN ? part / 5 : BALANCE_EVEN);
	return (part > BALANCE_APART ? part : BALANCE_APART);
}

/* From the fullest to the emptiest, until they are half as far apart as they may be;
 * how many are to move. */
static size_t
balance_level(struct balance *b)
{
	struct transfer_plan	 plan = { .rate = b->settings->balance_rate,
				    .ms = BALANCE_MS };
	struct balancing	*g;
	struct shard		*most, *least;
	size_t			 apart = balance_ends(b, &most, &least);
	size_t			 bound = balance_bound(b, most);

	if (apart <= bound || balance_busy(b, NULL))
		return (0);
	plan.from = most;
	plan.most = (apart - bound / 2) / 2;
	if ((g = balance_begin(b, least, &plan, b->asked)) == NULL)
		return (0);
	log_info("balance from=%" PRIu32 " to=%" PRIu32 " connections=%zu",
	    most->slot, least->slot, transfer_count(g->transfer)->total);
	return (transfer_count(g->transfer)->total);
}

size_t
balance_even(struct balance *b)
{
	struct shard	*most, *least;
	size_t		 n;

	/* Somebody else has asked for it: then both wait for the same. */
	if (b->asked != NULL)
		return (balance_uneven(b));
	b->asked = moves_begin(&b->moves, MOVES_REBALANCE, "rebalance",
	    b->settings->balance_rate);
	n = balance_level(b);
	/* Others move already: these when that is over. */
	if (n == 0 && balance_busy(b, NULL) &&
	    balance_ends(b, &most, &least) > balance_bound(b, most))
		n = balance_uneven(b);
	if (n == 0)
		balance_settled(b, b->asked);
	return (n);
}

/* A small group comes together: gather_one()'s begin. */
static int
balance_gather(struct shard *from, struct shard *to, uint64_t replica,
    void *arg)
{
	struct balance			*b = arg;
	const struct transfer_plan	 plan = { .from = from,
					    .most = SIZE_MAX,
					    .replica = replica,
					    .rate = b->settings->balance_rate,
					    .ms = BALANCE_MS };

	return (balance_begin(b, to, &plan, NULL) == NULL ? -1 : 0);
}

/* A shard that few use, and that need not be, is emptied, if one is. */
static void
balance_retreat(struct balance *b, uint64_t now)
{
	struct shard		*s = retreat_due(b->retreat,
				    roster_shards(b->roster), now);
	struct transfer_plan	 plan = { .from = s, .most = SIZE_MAX,
				    .rate = b->settings->balance_rate,
				    .ms = BALANCE_RETREAT_MS };
	struct balancing	*g;

	if (s == NULL)
		return;
	s->site->leaving = 1;		/* nobody else comes meanwhile */
	if ((g = balance_begin(b, NULL, &plan, NULL)) != NULL) {
		g->retreat = 1;
		return;
	}
	s->site->leaving = 0;
	retreat_failed(b->retreat, s, now);
}

/* Are they even?  If not for a while, or if that was asked for, some move. */
static void
balance_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct balance	*b = arg;
	struct shard	*most, *least;
	size_t		 apart = balance_ends(b, &most, &least);
	uint64_t	 now = clock_ms();

	(void)fd, (void)what;
	if (b->held || balance_busy(b, NULL))
		return;
	if (b->asked) {
		if (balance_level(b) == 0)
			balance_settled(b, b->asked);
		return;
	}
	if (!b->settings->balance) {
		balance_retreat(b, now);
		return;
	}
	if (apart <= balance_bound(b, most)) {
		b->apart = 0;
		gather_one(b->placement, balance_gather, b);
		if (!balance_busy(b, NULL))
			balance_retreat(b, now);
	} else if (b->apart == 0)
		b->apart = now;
	else if (now - b->apart >= BALANCE_AFTER_MS)
		(void)balance_level(b);
}

/* Other workers in the place of those that run. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "gatewayd/ailment.h"
#include "gatewayd/balance.h"
#include "gatewayd/generation.h"
#include "gatewayd/interrupted.h"
#include "gatewayd/placement.h"
#include "gatewayd/roster.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "gatewayd/totals.h"
#include "gatewayd/transfer.h"
#include "gatewayd/upgrade.h"
#include "gatewayd/upgrade_in.h"

#define UPGRADE_LOOK_MS		50
#define UPGRADE_FOUND_MS	1000	/* from look to look, interrupted */
#define UPGRADE_TRANSFER_MS	600000	/* that the connections of a shard have */

static const char *const upgrade_phases[] = {
	[UPGRADE_NONE]	= "none",
	[UPGRADE_STARTING] = "starting",
	[UPGRADE_MOVING] = "moving",
	[UPGRADE_HOLDING] = "holding",
	[UPGRADE_COMMITTING] = "committing",
	[UPGRADE_BACK]	= "back",
	[UPGRADE_LEAVING] = "leaving",
	[UPGRADE_INTERRUPTED] = "interrupted",
};

static const char *const upgrade_ends[] = {
	[UPGRADE_DONE]	= "done",
	[UPGRADE_UNDONE] = "back",
	[UPGRADE_FAILED] = "failed",
};

static void	 upgrade_timer_cb(evutil_socket_t, short, void *);
static void	 upgrade_transfer_done(struct transfer *, void *);
static void	 upgrade_retreat(struct upgrade *, enum upgrade_end, const char *);

struct upgrade *
upgrade_new(struct event_base *base, const struct settings *settings,
    struct placement *placement, struct roster *roster,
    struct balance *balance, struct totals *totals)
{
	struct upgrade	*u;

	if ((u = calloc(1, sizeof(*u))) == NULL)
		return (NULL);
	u->base = base;
	u->settings = settings;
	u->placement = placement;
	u->roster = roster;
	u->balance = balance;
	u->totals = totals;
	if ((u->timer = evtimer_new(base, upgrade_timer_cb, u)) == NULL) {
		free(u);
		errno = ENOMEM;
		return (NULL);
	}
	return (u);
}

void
upgrade_free(struct upgrade *u)
{
	if (u == NULL)
		return;
	event_free(u->timer);
	free(u);
}

int
upgrade_busy(const struct upgrade *u)
{
	return (u->phase != UPGRADE_NONE && u->phase != UPGRADE_INTERRUPTED);
}

const char *
upgrade_phase_name(enum upgrade_phase phase)
{
	return (upgrade_phases[phase]);
}

const char *
upgrade_end_name(enum upgrade_end end)
{
	return (upgrade_ends[end]);
}

/* ---- its phases ---- */

/* From one phase to the next; it is looked at now, and then again and again. */
static void
upgrade_enter(struct upgrade *u, enum upgrade_phase phase)
{
	if (u->phase != phase)
		log_info("upgrade generation=%u phase=%s", u->number,
		    upgrade_phases[phase]);
	u->phase = phase;
	event_active(u->timer, EV_TIMEOUT, 1);
}

/* It is over. */
static void
upgrade_end(struct upgrade *u, int ok, const char *how)
{
	u->ok = ok;
	u->ended = clock_ms();
	u->ended_wall = clock_wall_ms();
	u->ends[ok ? UPGRADE_DONE : u->end]++;
	if (u->result[0] == '\0')
		snprintf(u->result, sizeof(u->result), "%s", how);
	log_info("upgrade generation=%u %s moved=%zu seconds=%" PRIu64 ".%" PRIu64
	    " pause_max_us=%" PRIu64 ": %s", u->number, ok ? "done" : "undone",
	    u->sum.moved, (u->ended - u->began) / 1000,
	    (u->ended - u->began) / 100 % 10, u->totals->pause_max, u->result);
	upgrade_enter(u, UPGRADE_NONE);
	u->npairs = u->at = 0;
	generation_set(&roster_shards(u->roster)->generations, &u->old, NULL);
	generation_set(&roster_shards(u->roster)->generations, &u->new, NULL);
	balance_hold(u->balance, 0);
}

/* Is it the process that it was, and does it serve? */
int
upgrade_lives(const struct shard *s, uint64_t incarnation)
{
	return (s != NULL && s->incarnation == incarnation &&
	    s->state == SHARD_READY && !s->hopeless);
}

/* The shards that are to have successors. */
static void
upgrade_pair(struct upgrade *u)
{
	struct shard	*s;

	u->npairs = 0;
	for (size_t i = 0; i < roster_nslots(u->roster); i++) {
		s = roster_slot(u->roster, i);
		if (s->state != SHARD_READY || s->site->leaving)
			continue;
		u->pairs[u->npairs++] = (struct pair){ .old = s,
		    .was = s->incarnation };
	}
}

/* How many pairs are this time's. */
size_t
upgrade_turns(const struct upgrade *u)
{
	return ((u->npairs * u->percent + 99) / 100);
}

/* Nobody has moved yet, this time. */
static void
upgrade_reset(struct upgrade *u, unsigned percent)
{
	u->number = u->new->number;
	u->percent = percent;
	u->at = 0;
	memset(&u->sum, 0, sizeof(u->sum));
	pauses_begin(&u->pauses, u->totals);
	u->began = u->asked = clock_ms();
	u->began_wall = clock_wall_ms();
	u->result[0] = '\0';
	u->ok = 0;
	balance_hold(u->balance, 1);
}

/* An earlier gateway had begun one: shards of two programs are there. */
static int
upgrade_take_up(struct upgrade *u, struct slice worker, unsigned percent,
    char *why, size_t size)
{
	if (worker.len != 0 || percent != 100) {
		snprintf(why, size, "an upgrade was interrupted: kennelctl "
		    "upgrade goes on with it, kennelctl back undoes it");
		return (-1);
	}
	upgrade_reset(u, 100);
	log_info("upgrade generation=%u worker=%s goes on", u->number,
	    u->worker);
	upgrade_enter(u, UPGRADE_STARTING);
	return (0);
}

void
upgrade_look(struct upgrade *u)
{
	if (u->phase == UPGRADE_NONE && interrupted_find(u)) {
		log_warn("upgrade generation=%u: %s", u->number, u->result);
		upgrade_enter(u, UPGRADE_INTERRUPTED);
	}
}

/* What can be done about one that is under way. */
const char *
upgrade_advice(const struct upgrade *u)
{
	switch (u->phase) {
	case UPGRADE_STARTING:
	case UPGRADE_MOVING:
		return ("an upgrade is under way: wait until it is done (kennelctl "
		    "status shows how far it is), or undo it by kennelctl back");
	case UPGRADE_HOLDING:
		return (u->percent < 100 ? "a canary is under way: kennelctl "
		    "upgrade moves the rest, too, kennelctl back undoes it" :
		    "an upgrade is under way, whose old shards are kept: "
		    "kennelctl commit ends that, kennelctl back undoes it");
	default:
		return ("an upgrade is under way, which ends by itself now: try "
		    "again when that is done (kennelctl status)");
	}
}

int
upgrade_begin(struct upgrade *u, struct slice worker, unsigned percent,
    char *why, size_t size)
{
	struct generations	*gs = &roster_shards(u->roster)->generations;
	struct generation	*g;

	if (u->phase == UPGRADE_HOLDING && u->percent < 100 &&
	    percent == 100 && worker.len == 0) {
		u->percent = 100;	/* the others, too */
		u->at = 0;
		upgrade_enter(u, UPGRADE_STARTING);
		return (0);
	}
	if (u->phase == UPGRADE_INTERRUPTED && interrupted_find(u))
		return (upgrade_take_up(u, worker, percent, why, size));
	if (upgrade_busy(u)) {
		snprintf(why, size, "%s", upgrade_advice(u));
		return (-1);
	}
	if (roster_leaving(u->roster)) {
		snprintf(why, size, "the gateway leaves");
		return (-1);
	}
	upgrade_pair(u);
	if (u->npairs == 0 || u->npairs > SLOTS_MAX / 2) {
		snprintf(why, size, u->npairs == 0 ? "no shard is ready" :
		    "the new shards would need more than %d slots", SLOTS_MAX);
		return (-1);
	}
	if (worker.len == 0)
		worker = slice_str(u->settings->worker);
	if (worker.len >= sizeof(u->worker)) {
		snprintf(why, size, "%s", strerror(ENAMETOOLONG));
		return (-1);
	}
	snprintf(u->worker, sizeof(u->worker), "%.*s", (int)worker.len,
	    worker.data);
	if ((g = generation_open(gs, u->worker)) == NULL) {
		snprintf(why, size, "%s: %s%s", u->worker, strerror(errno),
		    errno == EACCES ? ": gatewayd's user may not execute it "
		    "(chmod +x?)" : "");
		return (-1);
	}
	generation_set(gs, &u->new, g);
	generation_set(gs, &u->old, gs->current);
	upgrade_reset(u, percent);
	log_info("upgrade generation=%u worker=%s shards=%zu of=%zu", u->number,
	    u->worker, upgrade_turns(u), u->npairs);
	upgrade_enter(u, UPGRADE_STARTING);
	return (0);
}

void
upgrade_dying(struct upgrade *u, const struct shard *s)
{
	char	 why[sizeof(u->result)];

	if (u == NULL || u->phase == UPGRADE_NONE ||
	    u->phase >= UPGRADE_COMMITTING || roster_leaving(u->roster))
		return;
	if (ailment_death(u, s, why, sizeof(why)))
		upgrade_retreat(u, UPGRADE_FAILED, why);
	else
		event_active(u->timer, EV_TIMEOUT, 1);
}

int
upgrade_back(struct upgrade *u, char *why, size_t size)
{
	if (u->phase == UPGRADE_INTERRUPTED && interrupted_find(u))
		upgrade_reset(u, 100);
	else if (u->phase != UPGRADE_STARTING && u->phase != UPGRADE_MOVING &&
	    u->phase != UPGRADE_HOLDING) {
		snprintf(why, size, !upgrade_busy(u) ?
		    "there is no upgrade that could go back" :
		    u->phase == UPGRADE_COMMITTING ?
		    "it is committed: the old shards leave" :
		    "it goes back already");
		return (-1);
	}
	upgrade_retreat(u, UPGRADE_UNDONE, "the operator wanted it back");
	return (0);
}

int
upgrade_commit(struct upgrade *u, char *why, size_t size)
{
	if (u->phase != UPGRADE_HOLDING || u->percent < 100) {
		snprintf(why, size, "%s", u->phase == UPGRADE_INTERRUPTED ?
		    "it was interrupted: kennelctl upgrade goes on with it" :
		    u->phase == UPGRADE_NONE ?
		    "there is no upgrade to be committed" :
		    u->phase == UPGRADE_HOLDING ? "only a part has moved: "
		    "kennelctl upgrade moves the rest, kennelctl back all back" :
		    u->phase == UPGRADE_COMMITTING ?
		    "it is committed already: the old shards leave" :
		    u->phase == UPGRADE_BACK || u->phase == UPGRADE_LEAVING ?
		    "it goes back: there is nothing to be committed" :
		    "not everybody has moved: try again when it is holding "
		    "(kennelctl status)");
		return (-1);
	}
	upgrade_enter(u, UPGRADE_COMMITTING);
	return (0);
}

/* ---- forth ---- */

/* Is it a shard of the new generation that serves? */
static int
upgrade_is_new(const struct shard *to, void *arg)
{
	const struct upgrade	*u = arg;

	return (to->generation == u->new && to->state == SHARD_READY &&
	    !to->site->leaving);
}

/* Is it an old one that serves? */
static int
upgrade_is_old(const struct shard *to, void *arg)
{
	const struct upgrade	*u = arg;

	return (to->generation != u->new && to->state == SHARD_READY &&
	    !to->site->leaving);
}

/* How many of a shard's connections are this time's: all, or a part. */
size_t
upgrade_part(const struct upgrade *u, const struct shard *s)
{
	if (u->percent >= 100)
		return (SIZE_MAX);
	return ((s->site->count * u->percent + 99) / 100);
}

/* Connections of s to others.  0, or -1: nobody can. */
static int
upgrade_transfer(struct upgrade *u, struct shard *s, size_t most,
    int (*may)(const struct shard *, void *))
{
	const struct transfer_plan	 plan = {
		.from = s, .most = most, .rate = u->settings->move_rate,
		.ms = UPGRADE_TRANSFER_MS, .await_ms = u->settings->upgrade_wait_ms,
		.may = may,
		.done = upgrade_transfer_done, .arg = u
	};

	u->transfer = balance_transfer(u->balance, &plan);
	return (u->transfer == NULL ? -1 : 0);
}

/* A new shard for this pair, which needs one: it is started, or waited for. */
static void
upgrade_start(struct upgrade *u, struct pair *p)
{
	char	 why[sizeof(u->result)];

	if (p->new == NULL) {
		if ((p->new = roster_spare(u->roster, u->new)) == NULL) {
			snprintf(why, sizeof(why), "the new program cannot be "
			    "started: %s%s", strerror(errno),
			    errno == ENOEXEC ? ": it is no program for this "
			    "machine, and no script that begins with #!" :
			    errno == ENOENT ? ": what its first line names "
			    "(#!), or its loader, is not there" : "");
			upgrade_retreat(u, UPGRADE_FAILED, why);
			return;
		}
		p->is = p->new->incarnation;
		u->asked = clock_ms();
		u->until = u->asked + SHARD_START_MS + 2000;
		return;
	}
	if (upgrade_lives(p->new, p->is)) {
		p->new->kept = 1;
		if (u->percent >= 100)
			upgrade_enter(u, UPGRADE_MOVING);
		else if (++u->at == upgrade_turns(u)) {
			u->at = 0;	/* a part of each goes to these */
			upgrade_enter(u, UPGRADE_MOVING);
		}
	} else if (ailment_start(u, p, why, sizeof(why)))
		upgrade_retreat(u, UPGRADE_FAILED, why);
}

/* The connections of an old shard go to new ones: 1 as long as they do, or it is over. */
static int
upgrade_move_one(struct upgrade *u, struct pair *p)
{
	char	 why[sizeof(u->result)];
	int	 lives = upgrade_lives(p->old, p->was);

	if (p->moved == u->percent) {
		if (!lives || !ailment_stuck(u, p, why, sizeof(why)))
			return (0);
		upgrade_retreat(u, UPGRADE_FAILED, why);
		return (1);
	}
	if (!lives)
		return (0);
	if (balance_busy(u->balance, p->old))
		return (1);
	p->moved = u->percent;
	memset(&u->last, 0, sizeof(u->last));
	if (u->percent >= 100)
		p->old->retires = p->old->site->leaving = 1;
	if (upgrade_transfer(u, p->old, upgrade_part(u, p->old),
	    upgrade_is_new) == 0)
		return (1);
	if (!ailment_speech(u, p, why, sizeof(why)))
		return (0);
	upgrade_retreat(u, UPGRADE_FAILED, why);
	return (1);
}

/* From one old shard to the next. */
static void
upgrade_move(struct upgrade *u)
{
	if (u->transfer != NULL || upgrade_move_one(u, &u->pairs[u->at]))
		return;
	if (++u->at < u->npairs) {
		if (u->percent >= 100)
			upgrade_enter(u, UPGRADE_STARTING);
		return;
	}
	if (u->percent >= 100)
		generation_use(&roster_shards(u->roster)->generations, u->new);
	u->until = clock_ms() + u->settings->upgrade_hold_ms;
	upgrade_enter(u, UPGRADE_HOLDING);
}

/* All have moved, or the part that was to: it is watched for a while. */
static void
upgrade_hold(struct upgrade *u)
{
	if (clock_ms() < u->until)
		return;
	if (u->percent >= 100) {
		upgrade_enter(u, UPGRADE_COMMITTING);
		return;
	}
	u->percent = 100;		/* the others, too */
	u->at = 0;
	upgrade_enter(u, UPGRADE_STARTING);
}

/* The old ones leave; whoever has not moved is closed as by a drain. */
static void
upgrade_finish(struct upgrade *u)
{
	struct shard	*s;
	int		 left = 0;

	for (size_t i = 0; i < roster_nslots(u->roster); i++) {
		s = roster_slot(u->roster, i);
		if (s->generation == NULL || s->generation == u->new)
			continue;
		s->kept = s->retires = 0;
		if (s->state == SHARD_READY && !balance_busy(u->balance, s))
			(void)balance_empty(u->balance, s,
			    u->settings->drain_ms);
		left |= s->state != SHARD_EMPTY;
	}
	if (!left)
		upgrade_end(u, 1, "all shards are of the new program");
}

/* ---- back ---- */

/* Something is wrong, or the operator wants it: everything is to be as before. */
static void
upgrade_retreat(struct upgrade *u, enum upgrade_end end, const char *why)
{
	struct pair	*p;

	u->end = end;
	snprintf(u->result, sizeof(u->result), "%s", why);
	log_warn("upgrade generation=%u goes back: %s", u->number, u->result);
	generation_use(&roster_shards(u->roster)->generations, u->old);
	for (size_t i = 0; i < u->npairs; i++) {
		p = &u->pairs[i];
		if (p->old->retires && p->old->site != NULL &&
		    p->old->incarnation == p->was)
			p->old->site->leaving = 0;
		p->old->retires = 0;
		if (p->new == NULL)
			continue;
		p->new->kept = 0;
		if (p->new->site != NULL)
			p->new->site->leaving = 1;
	}
	u->at = 0;
	if (u->transfer != NULL)
		transfer_stop(u->transfer);
	upgrade_enter(u, UPGRADE_BACK);
}

/* The connections of the new ones go back, a shard after the other. */
static void
upgrade_return(struct upgrade *u)
{
	struct pair	*p;

	if (u->transfer != NULL)
		return;
	for (; u->at < u->npairs; u->at++) {
		p = &u->pairs[u->at];
		if (p->new == NULL || !upgrade_lives(p->new, p->new->incarnation)
		    || p->new->generation != u->new)
			continue;
		p->new->site->leaving = 1;
		if (upgrade_transfer(u, p->new, SIZE_MAX, upgrade_is_old) == 0) {
			u->at++;
			return;
		}
	}
	upgrade_enter(u, UPGRADE_LEAVING);
}

/* The new ones leave. */
static void
upgrade_undo(struct upgrade *u)
{
	struct shard	*s;
	int		 left = 0;

	for (size_t i = 0; i < u->npairs; i++) {
		if ((s = u->pairs[i].new) == NULL || s->generation != u->new)
			continue;
		s->kept = 0;
		if (s->state == SHARD_READY && !balance_busy(u->balance, s))
			(void)balance_empty(u->balance, s,
			    u->settings->drain_ms);
		else if (s->state == SHARD_STARTING)
			shard_kill(s, "the upgrade goes back");
		left |= s->state != SHARD_EMPTY;
	}
	if (!left)
		upgrade_end(u, 0, "");
}

/* ---- time ---- */

/* Look how things are, and do what is next. */
static void
upgrade_timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct upgrade	*u = arg;
	struct timeval	 tv = clock_tv(UPGRADE_LOOK_MS);
	char		 why[sizeof(u->result)];

	(void)fd, (void)what;
	if (u->phase == UPGRADE_NONE || roster_leaving(u->roster))
		return;
	if (u->phase == UPGRADE_INTERRUPTED) {
		if (interrupted_find(u))
			tv = clock_tv(UPGRADE_FOUND_MS);
		else
			upgrade_end(u, 1, "all shards are of one program");
	}
	evtimer_add(u->timer, &tv);
	if (u->phase < UPGRADE_COMMITTING &&
	    ailment_errors(u, why, sizeof(why))) {
		upgrade_retreat(u, UPGRADE_FAILED, why);
		return;
	}
	switch (u->phase) {
	case UPGRADE_STARTING:
		upgrade_start(u, &u->pairs[u->at]);
		break;
	case UPGRADE_MOVING:
		upgrade_move(u);
		break;
	case UPGRADE_HOLDING:
		upgrade_hold(u);
		break;
	case UPGRADE_COMMITTING:
		upgrade_finish(u);
		break;
	case UPGRADE_BACK:
		upgrade_return(u);
		break;
	case UPGRADE_LEAVING:
		upgrade_undo(u);
		break;
	case UPGRADE_INTERRUPTED:
	case UPGRADE_NONE:
	case UPGRADE_NPHASES:
		break;
	}
}

/* A transfer is over. */
static void
upgrade_transfer_done(struct transfer *t, void *arg)
{
	struct upgrade			*u = arg;
	const struct transfer_count	*n = transfer_count(t);

	u->transfer = NULL;
	u->last = *n;
	u->sum.moved += n->moved;
	u->sum.total += n->total;
	u->sum.failed += n->failed;
	u->sum.never += n->never;
	event_active(u->timer, EV_TIMEOUT, 1);
}

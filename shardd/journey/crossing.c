/* A few connections of one group that leave together. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "shardd/client/conn.h"
#include "shardd/group/fan.h"
#include "shardd/group/group.h"
#include "shardd/journey/crossing.h"
#include "shardd/journey/move.h"
#include "shardd/session/passage.h"
#include "shardd/state/authority.h"

/* x has come to the next state. */
static void
crossing_set_state(struct crossing *x, enum crossing_state state)
{
	x->state = state;
	x->since = clock_ms();
}

/* How long x is in its state. */
static uint64_t
crossing_age(const struct crossing *x)
{
	return (clock_ms() - x->since);
}

/* Their replica; NULL: none, or it has ended. */
static struct replica *
crossing_replica(const struct crossing *x)
{
	struct replica	*r = x->replica == 0 ? NULL :
			    group_find(x->departure->js->groups, x->replica);

	return (r == NULL || r->neighbours == NULL ? NULL : r);
}

/* The neighbours have answered, or have not. */
static void
crossing_fenced_cb(int err, void *arg)
{
	struct crossing	*x = arg;

	x->asking = 0;
	if (x->departure == NULL) {	/* this process ends */
		free(x);
		return;
	}
	turn_add(&x->departure->js->work, TURN_LAST);
	if (x->state == CROSSING_FAILED)
		return;
	if (x->state == CROSSING_LEAVING)
		crossing_set_state(x, CROSSING_LEFT);
	else if (err != 0) {
		x->why = "another shard of its group does not answer";
		x->awaits = err == ETIMEDOUT;
		crossing_set_state(x, CROSSING_FAILED);
	} else
		crossing_set_state(x, x->state == CROSSING_PROBE ?
		    CROSSING_PAUSED : CROSSING_PACK);
}

/* Ask all neighbours; without any, that is answered. */
static void
crossing_ask(struct crossing *x, enum crossing_state state, unsigned ms)
{
	struct replica	*r = crossing_replica(x);

	crossing_set_state(x, state);
	x->asking = 1;
	if (x->replica == 0)
		crossing_fenced_cb(0, x);
	else if (r == NULL)
		crossing_fenced_cb(ECANCELED, x);
	else if (fan_fence(r->neighbours, 0, ms, crossing_fenced_cb, x) == -1)
		crossing_fenced_cb(errno, x);
}

int
crossing_begin(struct move *m, size_t max)
{
	struct departure	*d = m->departure;
	struct crossing		*x;
	struct list		*e, *tmp;

	if ((x = calloc(1, sizeof(*x))) == NULL)
		return (-1);
	x->departure = d;
	x->replica = m->replica;
	list_init(&x->moves);
	list_each(e, tmp, &d->expected) {
		m = list_entry(e, struct move, at);
		if (m->state != MOVE_READY || m->replica != x->replica)
			continue;
		move_set_state(m, MOVE_CROSSING, &x->moves);
		m->crossing = x;
		d->ncrossing++;
		if (++x->n == max || x->n == JOURNEY_CROSSING_MAX)
			break;
	}
	list_push(&d->crossings, &x->at);
	d->ncrossings++;
	crossing_ask(x, CROSSING_PROBE, JOURNEY_PROBE_MS);
	return (0);
}

/* None of x is left. */
static void
crossing_free(struct crossing *x)
{
	x->departure->ncrossings--;
	list_remove(&x->at);
	free(x);
}

/* How long the others wait for what m has begun: the first times not for long. */
static uint64_t
crossing_patience(const struct move *m)
{
	uint64_t	 ms = (uint64_t)JOURNEY_PATIENCE_MS << m->tries;

	return (ms > JOURNEY_PAUSE_MS ? JOURNEY_PAUSE_MS : ms);
}

/* Those of x that cannot go any more stay; returns how many others wait for
 * something. */
static size_t
crossing_hindered(struct crossing *x)
{
	struct list	*e, *tmp;
	struct move	*m;
	const char	*why;
	size_t		 n = 0;
	int		 never;

	list_each(e, tmp, &x->moves) {
		m = list_entry(e, struct move, at);
		if (m->state != MOVE_CROSSING ||
		    (why = passage_hinders(m->conn, &never)) == NULL)
			continue;
		if (never)
			move_stayed(m, CTL_F_NEVER, why);
		else if (crossing_age(x) > crossing_patience(m))
			move_again(m, 0, why);
		else
			n++;
	}
	return (n);
}

/* Nobody reads them from now on; what they have begun ends. */
static void
crossing_pause(struct crossing *x)
{
	const struct replica	*r = crossing_replica(x);
	struct list		*e, *tmp;
	struct move		*m;

	list_each(e, tmp, &x->moves) {
		m = list_entry(e, struct move, at);
		if (m->conn->pauses & PAUSE_MOVE)
			continue;
		m->paused = clock_ns();
		m->conn->pauses &= (uint8_t)~PAUSE_SAID;
		conn_pause(m->conn, PAUSE_MOVE);
	}
	if (crossing_hindered(x) > 0 || x->n == 0)
		return;
	if (r != NULL && r->authority != NULL) {
		if (x->steps == 0)
			x->steps = authority_steps(r->authority);
		if (!authority_settled(r->authority, x->steps)) {
			if (crossing_age(x) > 2 * JOURNEY_PAUSE_MS) {
				x->why = "steps of its group are under way";
				x->awaits = 1;
				crossing_set_state(x, CROSSING_FAILED);
			}
			return;
		}
	}
	list_each(e, tmp, &x->moves) {
		m = list_entry(e, struct move, at);
		m->conn->pauses &= (uint8_t)~PAUSE_SAID;
	}
	crossing_ask(x, CROSSING_FENCE, JOURNEY_FENCE_MS);
}

/* m goes, or why not. */
static void
crossing_send(struct crossing *x, struct move *m)
{
	if (m->conn->pauses & PAUSE_SAID)
		move_again(m, 0, "its application speaks for it");
	else if (move_send(m) == 0) {
		move_set_state(m, MOVE_SENT, &x->moves);
		if (x->departure->sent == 0)
			x->departure->sent = clock_ms();
	} else if (m->conn->flags & CONN_F_DOOMED)
		move_again(m, 0, "it ends");
	else if (errno == EAGAIN)
		move_again(m, 0, "its application cannot let it go now");
	else if (errno == ENOTSUP)
		move_stayed(m, CTL_F_NEVER, "its application keeps it");
	else
		move_stayed(m, 0, strerror(errno));
}

/* Freeze and send, all in one turn, who can go. */
static void
crossing_pack(struct crossing *x)
{
	struct list	*e, *tmp;
	struct move	*m;
	size_t		 waiting = crossing_hindered(x);
	int		 never;

	list_each(e, tmp, &x->moves) {
		m = list_entry(e, struct move, at);
		if (m->state == MOVE_CROSSING &&
		    passage_hinders(m->conn, &never) == NULL)
			crossing_send(x, m);
	}
	if (waiting == 0)
		crossing_set_state(x, CROSSING_SENT);
}

/* The application lets go of those who have moved. */
static void
crossing_end_moves(struct crossing *x)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &x->moves)
		if (list_entry(e, struct move, at)->state == MOVE_GONE)
			move_end(list_entry(e, struct move, at));
}

/* None of them goes. */
static void
crossing_give_up(struct crossing *x)
{
	crossing_end_moves(x);
	while (!list_empty(&x->moves))
		move_again(list_entry(x->moves.next, struct move, at),
		    x->awaits ? CTL_F_AWAITS : 0, x->why);
}

/*
 * Those who have moved are known to their application a little longer: whoever asks all
 * replicas who is there, and was answered by the new one before they were there, has
 * asked this one before its answer to this.
 */
static void
crossing_leave(struct crossing *x)
{
	struct list	*e, *tmp;

	if (x->state == CROSSING_SENT) {
		list_each(e, tmp, &x->moves)
			if (list_entry(e, struct move, at)->state != MOVE_GONE)
				return;
		if (x->n > 0)
			crossing_ask(x, CROSSING_LEAVING, JOURNEY_LEAVE_MS);
	}
	if (x->state == CROSSING_LEFT)
		crossing_end_moves(x);
}

void
crossing_run(struct crossing *x)
{
	if (x->state == CROSSING_PAUSED)
		crossing_pause(x);
	if (x->state == CROSSING_PACK)
		crossing_pack(x);
	crossing_leave(x);
	if (x->state == CROSSING_FAILED)
		crossing_give_up(x);
	if (x->n == 0 && !x->asking)
		crossing_free(x);
}

void
crossing_end(struct crossing *x)
{
	crossing_end_moves(x);
	list_remove(&x->at);
	x->departure = NULL;
	if (!x->asking)
		free(x);
}

void
crossing_fail(struct crossing *x, const char *why)
{
	crossing_end_moves(x);
	while (!list_empty(&x->moves))
		move_stayed(list_entry(x->moves.next, struct move, at), 0,
		    why);
	crossing_set_state(x, CROSSING_FAILED);
	x->why = why;
	if (!x->asking)
		crossing_free(x);
}

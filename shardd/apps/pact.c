/*
 * pact: rooms with profiles, chat, polls, counters and a configuration.
 *
 * This file has the rooms and their sockets, coming and going, and the pings.  The
 * others, from above: pact_http answers requests, pact_users tells who is there,
 * pact_say takes what clients say, pact_tell has what sockets hear of that; below
 * them pact_room is what a room's state becomes of a step, and pact_place makes
 * place in it; pact_socket, pact_roll, pact_sign and pact_names know none of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/apps.h"
#include "shardd/apps/pact_http.h"
#include "shardd/apps/pact_names.h"
#include "shardd/apps/pact_room.h"
#include "shardd/apps/pact_say.h"
#include "shardd/apps/pact_tell.h"
#include "shardd/apps/pact_users.h"

#define PACT_PING_MS	25000		/* between two pings */
#define PACT_RETRY_MS	1000		/* until joining is tried again */
#define PACT_TICK_MS	250

/* The sockets for which something is due, a queue for each delay: a socket that comes
 * is the last of its queue. */
static struct pact_due {
	unsigned	 ms;
	struct pact_socket *first, *last;
}				 due_pings = { .ms = PACT_PING_MS },
				 due_joins = { .ms = PACT_RETRY_MS };
static struct kennel_timer	*due_timer;
static size_t			 nrooms;

static void	 pact_join(struct pact_socket *ps);

/* ---- what is due ---- */

/* Nothing is due for ps. */
static void
due_remove(struct pact_socket *ps)
{
	struct pact_due	*q = ps->queue;

	if (q == NULL)
		return;
	ps->queue = NULL;
	*(ps->before == NULL ? &q->first : &ps->before->after) = ps->after;
	*(ps->after == NULL ? &q->last : &ps->after->before) = ps->before;
}

/* Something is due for ps when the delay of q has passed. */
static void
due_add(struct pact_socket *ps, struct pact_due *q)
{
	due_remove(ps);
	ps->queue = q;
	ps->due = kennel_time() + q->ms;
	ps->before = q->last;
	ps->after = NULL;
	*(q->last == NULL ? &q->first : &q->last->after) = ps;
	q->last = ps;
}

/* Ping the client, and again later. */
static void
due_ping(struct pact_socket *ps, uint64_t now)
{
	struct js_text	 t;

	due_add(ps, &due_pings);
	if (js_begin(&t) == -1)
		return;
	fprintf(t.f, "{\"type\":\"ping\",\"data\":%.0f}", (double)now);
	pact_send(ps, &t);
}

/* Time has passed: join, ping. */
static void
due_cb(void *arg)
{
	struct pact_socket	*ps;
	uint64_t		 now = kennel_time();

	(void)arg;
	while ((ps = due_joins.first) != NULL && ps->due <= now) {
		due_remove(ps);
		pact_join(ps);
	}
	while ((ps = due_pings.first) != NULL && ps->due <= now)
		due_ping(ps, now);
}

/* ---- coming and going ---- */

/* The step that joins was decided: the client hears of its room. */
static void
pact_joined_cb(struct kennel_socket *s, int err, void *arg)
{
	struct pact_socket	*ps = kennel_socket_data(s);
	struct kennel_replica	*r = kennel_socket_replica(s);
	struct js_text		 t;

	(void)arg;
	if (err == ECANCELED)
		return;
	if (err != 0) {
		if (!ps->told)
			pact_error(ps, pact_refusal(err));
		ps->told = 1;
		ps->asked = err == ETIMEDOUT;
		/* The socket may have joined yet: another try would count twice. */
		if (err == ETIMEDOUT)
			kennel_close(s, 1013, "try again later");
		if (err == EAGAIN)
			due_add(ps, &due_joins);
		return;
	}
	ps->joined = 1;
	ps->suffix = pact_number(r, "suffixes", ps->session);
	due_add(ps, &due_pings);
	if (js_begin(&t) == 0) {
		pact_write_config(t.f, r);
		pact_send(ps, &t);
	}
	pact_profile(ps);
}

/* Ask to join the room. */
static void
pact_join(struct pact_socket *ps)
{
	char		 hex[PACT_REPLICA + 1];
	const char	*words[] = { "join", ps->session, hex, NULL };

	pact_replica_hex(hex, kennel_replica_id(kennel_socket_replica(
	    ps->socket)));
	ps->asked = 1;
	if (pact_do(ps, pact_joined_cb, NULL, words) == -1) {
		ps->asked = 0;
		due_add(ps, &due_joins);
	}
}

/* kennel_app's onopen. */
static int
pact_open(struct kennel_socket *s)
{
	struct pact_room	*room;
	struct pact_socket	*ps;
	const char		*uid;
	size_t			 len;

	if (kennel_socket_replica(s) == NULL ||
	    (ps = calloc(1, sizeof(*ps))) == NULL)
		return (-1);
	uid = kennel_socket_uid(s, &len);
	room = kennel_replica_data(kennel_socket_replica(s));
	ps->on_roll.session = ps->session = pact_name(uid, len);
	if (ps->session == NULL ||
	    pact_roll_add(&room->roll, &ps->on_roll) == -1) {
		free(ps->session);
		free(ps);
		return (-1);
	}
	ps->socket = s;
	ps->room = room;
	kennel_socket_set_data(s, ps);
	if (due_timer == NULL)
		due_timer = kennel_timer_new(PACT_TICK_MS, 1, due_cb, NULL);
	pact_join(ps);
	return (0);
}

/* kennel_app's onclose. */
static void
pact_close(struct kennel_socket *s, const struct kennel_close *why)
{
	struct pact_socket	*ps = kennel_socket_data(s);
	char			 hex[PACT_REPLICA + 1];
	const char		*words[] = { "leave", ps->session, hex, NULL };

	(void)why;
	pact_replica_hex(hex, kennel_replica_id(kennel_socket_replica(s)));
	pact_end_relays(ps, NULL);
	if (ps->asked)
		pact_do(ps, NULL, NULL, words);
	due_remove(ps);
	pact_roll_remove(&ps->room->roll, &ps->on_roll);
	json_decref(ps->waiting);
	free(ps->session);
	free(ps->public);
	free(ps);
}

/* ---- rooms ---- */

/* kennel_app's onstart: a room. */
static int
pact_start(struct kennel_replica *r)
{
	struct pact_room	*room;

	if (nrooms >= pact_limits()->rooms ||
	    (room = calloc(1, sizeof(*room))) == NULL)
		return (-1);
	nrooms++;
	kennel_replica_set_data(r, room);
	return (0);
}

/* kennel_app's onstop. */
static void
pact_stop(struct kennel_replica *r)
{
	struct pact_room	*room = kennel_replica_data(r);

	pact_roll_clear(&room->roll);
	free(room);
	nrooms--;
}

const struct kennel_app pact_app = {
	.name = "pact",
	.message_max = 128 << 10,
	.onstart = pact_start,
	.onstop = pact_stop,
	.receive = pact_receive,
	.onopen = pact_open,
	.onmessage = pact_message,
	.onclose = pact_close,
	.ongossip = pact_gossip,
	.decide = pact_decide,
	.ongone = pact_gone,
	.onstep = pact_step,
	.onreset = pact_reset,
};

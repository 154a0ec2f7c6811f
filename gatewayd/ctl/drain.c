/* Emptying a shard, and watching how it goes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "gatewayd/ctl/ask.h"
#include "gatewayd/ctl/drain.h"
#include "gatewayd/ctl/draw.h"
#include "gatewayd/ctl/say.h"
#include "gatewayd/ctl/verb.h"
#include "proto/control.h"

#define DRAIN_MORE_MS	15000		/* to leave, and for the next to start */

struct drain {
	json_int_t	 slot, pid;	/* pid 0: nobody was there */
	json_int_t	 total, left;	/* connections */
	const char	*state;		/* of what is in the slot now, or "empty" */
	json_int_t	 now;		/* its pid */
	json_t		*moves;		/* what was moved of it, or NULL */
	struct drawing	 drawing;
};

/* Look at the slot; status keeps the texts. */
static void
drain_look(struct drain *d, const json_t *status)
{
	json_t	*s;
	size_t		 i;

	d->state = "empty";
	d->now = d->left = 0;
	json_array_foreach(json_object_get(status, "shards"), i, s) {
		if (json_integer_value(json_object_get(s, "slot")) != d->slot)
			continue;
		d->state = json_string_value(json_object_get(s, "state"));
		d->now = json_integer_value(json_object_get(s, "pid"));
		if (d->now == d->pid)
			d->left = json_integer_value(json_object_get(s,
			    "connections"));
	}
	json_array_foreach(json_object_get(status, "moves"), i, s)
		if (!json_is_null(json_object_get(s, "slot")) &&
		    json_integer_value(json_object_get(s, "slot")) == d->slot) {
			json_decref(d->moves);
			d->moves = json_incref(s);
		}
}

/* Is that so of what was moved? */
static int
drain_said(const struct drain *d, const char *key)
{
	return (json_is_true(json_object_get(d->moves, key)));
}

/* How far it is. */
static void
drain_draw(struct drain *d, int end)
{
	json_int_t	 gone = d->total - d->left;
	char		 text[2 * DRAW_TEXT];
	struct sight	 s = { .phase = d->now == d->pid ||
			    (d->pid == 0 && !end) ? d->state : d->now == 0 ?
			    "left" : "started again", .text = text, .tail = "",
			    .moves = d->moves, .end = end };

	if (d->pid == 0)
		snprintf(text, sizeof(text), "nobody was there");
	else
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT " of %"
		    JSON_INTEGER_FORMAT " gone: %s", gone, d->total, d->moves ==
		    NULL ? "" : draw_moves(d->moves));
	s.part = d->total <= 0 ? 1 : (double)gone / (double)d->total;
	draw(&d->drawing, &s);
}

/* Is it as it was to be?  What restarts may do so in another slot. */
static int
drain_done(const struct drain *d, int restart)
{
	if (d->now == d->pid)
		return (0);
	return (!restart || strcmp(d->state, "ready") == 0 ||
	    (d->now == 0 && drain_said(d, "beside")));
}

/* Until the slot is as it is to be: 0, or -1 when that takes too long, or is given up. */
static int
drain_watch(struct drain *d, const struct invocation *v, int restart,
    uint64_t ms)
{
	uint64_t	 deadline = clock_ms() + ms + DRAIN_MORE_MS;
	json_t		*status;
	char		 on[128];
	int		 done;

	snprintf(on, sizeof(on), "slot %" JSON_INTEGER_FORMAT " is emptied; "
	    "kennelctl shards shows how far it is", d->slot);
	draw_begin(&d->drawing, v, on);
	do {
		status = ask_status(v->dir, "");
		drain_look(d, status);
		done = drain_done(d, restart);
		drain_draw(d, done);
		json_decref(status);
		if (!done && drain_said(d, "given_up"))
			return (-1);
		if (!done)
			draw_wait(&d->drawing);
	} while (!done && clock_ms() < deadline);
	return (done ? 0 : -1);
}

int
drain_run(const struct invocation *v)
{
	int		 restart = strcmp(v->verb, "restart") == 0;
	struct ctl	 m = { .type = CTL_ACT, .id = 1,
			    .text = slice_str(v->verb), .ms = v->within_ms };
	struct drain	 d = { .slot = 0 };
	const char	*why;
	uint64_t	 slot;
	json_t		*json;
	int		 done = 1, none, elsewhere = 0, given_up = 0;

	if (slice_u64(slice_str(v->args[0]), SLOTS_MAX - 1, &slot) == -1)
		say_die(EXIT_USAGE, "a slot is a number, as kennelctl shards "
		    "shows it behind the node's name: beta/3#1f is slot 3");
	m.slot = (uint32_t)slot;
	json = ask(v->dir, &m);
	why = json_string_value(json_object_get(json, "error"));
	none = json_is_true(json_object_get(json, "nothing")) ? EXIT_NOTHING :
	    EXIT_NONE;
	if (why == NULL && !v->no_wait) {
		d.slot = (json_int_t)slot;
		d.pid = json_integer_value(json_object_get(json, "pid"));
		d.total = json_integer_value(json_object_get(json,
		    "connections"));
		done = drain_watch(&d, v, restart, (uint64_t)
		    json_integer_value(json_object_get(json, "ms"))) == 0;
		json_object_set_new(json, "done", json_boolean(done));
		draw_facts(json, d.moves);
		elsewhere = d.now == 0;
		given_up = drain_said(&d, "given_up");
		json_decref(d.moves);
	}
	if (v->json)
		say_last(json, why == NULL && done ? 0 : none);
	else if (why != NULL)
		say_die(none, "%s", why);
	else if (!done && given_up)
		say_die(EXIT_NONE, "slot %" PRIu64 " stays as it was: its "
		    "successor did not start, see gatewayd's log", slot);
	else if (!done)
		say_die(EXIT_NONE, "slot %" PRIu64 " is not done in time: see "
		    "kennelctl shards, and gatewayd's log", slot);
	else if (v->no_wait)
		printf("slot %" PRIu64 " begins to leave\n", slot);
	else if (restart && elsewhere)
		printf("slot %" PRIu64 " has left: its successor is in another "
		    "slot\n", slot);
	else
		printf(restart ? "slot %" PRIu64 " has started again\n" :
		    "slot %" PRIu64 " is empty; kennelctl restart %" PRIu64
		    " fills it again\n", slot, slot);
	json_decref(json);
	say_end();
	return (why == NULL && done ? 0 : none);
}

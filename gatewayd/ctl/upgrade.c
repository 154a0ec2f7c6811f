/* Moving connections, and watching how it goes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/bytes.h"
#include "gatewayd/ctl/act.h"
#include "gatewayd/ctl/ask.h"
#include "gatewayd/ctl/draw.h"
#include "gatewayd/ctl/say.h"
#include "gatewayd/ctl/upgrade.h"
#include "gatewayd/ctl/verb.h"
#include "proto/control.h"

#define UPGRADE_GOES_ON	"the upgrade goes on; kennelctl status shows how far it is, " \
			"kennelctl back undoes it"

/* A number of the state of an upgrade. */
static json_int_t
upgrade_number(const json_t *u, const char *key)
{
	return (json_integer_value(json_object_get(u, key)));
}

/* Its phase, or how it has ended. */
static const char *
upgrade_text(const json_t *u, const char *key)
{
	const char	*text = json_string_value(json_object_get(u, key));

	return (text == NULL ? "" : text);
}

/* How far it is. */
static void
upgrade_draw(struct drawing *d, const json_t *u, int over)
{
	json_int_t	 moved = upgrade_number(u, "moved");
	json_int_t	 left = upgrade_number(u, "left");
	json_int_t	 hold = (upgrade_number(u, "hold_ms") + 999) / 1000;
	char		 tail[DRAW_TEXT] = "";
	struct sight	 s = { .phase = upgrade_text(u, "phase"),
			    .text = draw_moves(u), .tail = tail, .moves = u,
			    .end = over };

	if (strcmp(s.phase, "none") == 0)
		s.phase = json_is_true(json_object_get(u, "ok")) ? "done" :
		    "undone";
	else if (hold > 0 && !over)
		snprintf(tail, sizeof(tail), "; the old shards are kept for %"
		    JSON_INTEGER_FORMAT " s, unless kennelctl commit ends that, "
		    "or kennelctl back all", hold);
	s.part = moved + left <= 0 ? 1 : (double)moved / (double)(moved + left);
	draw(d, &s);
}

/* Until it is over, or (part) until the part has moved.  Its last state. */
static json_t *
upgrade_watch(const struct invocation *v, int part)
{
	struct drawing	 d;
	json_t		*status, *u;
	const char	*phase;
	int		 over;

	draw_begin(&d, v, UPGRADE_GOES_ON);
	for (;;) {
		status = ask_status(v->dir, "");
		u = json_incref(json_object_get(status, "upgrade"));
		json_decref(status);
		phase = upgrade_text(u, "phase");
		/* Of another gateway meanwhile: it waits for the operator. */
		over = strcmp(phase, "none") == 0 ||
		    strcmp(phase, "interrupted") == 0 || (part && strcmp(phase, "holding") == 0);
		upgrade_draw(&d, u, over);
		if (over)
			return (u);
		json_decref(u);
		draw_wait(&d);
	}
}

/* Say how it is, or has ended.  To have gone back is what kennelctl back wants. */
static int
upgrade_say(const struct invocation *v, json_t *u, int waited)
{
	const char	*phase = upgrade_text(u, "phase");
	int		 over = waited && strcmp(phase, "none") == 0;
	int		 cut = waited && strcmp(phase, "interrupted") == 0;
	int		 back = over && strcmp(v->verb, "back") == 0;
	int		 ok = back || (over ? json_is_true(json_object_get(u,
			    "ok")) : !cut);

	if (v->json)
		say_last(u, ok ? 0 : EXIT_NONE);
	else if (cut)
		say_die(EXIT_NONE, "%s", upgrade_text(u, "result"));
	else if (!ok)
		say_die(EXIT_NONE, "everything is as it was: %s",
		    upgrade_text(u, "result"));
	else if (back)
		printf("everything is as it was\n");
	else if (over)
		printf("%s\n", upgrade_text(u, "result"));
	else if (waited)
		printf("a part runs the new program: kennelctl upgrade moves "
		    "the rest, which it does by itself later; kennelctl back "
		    "undoes it\n");
	else
		printf("%s: kennelctl status shows how far it is\n", phase);
	json_decref(u);
	say_end();
	return (ok ? 0 : EXIT_NONE);
}

/* Ask for it; an error ends the process. */
static json_t *
upgrade_ask(const struct invocation *v, struct ctl *m)
{
	m->type = CTL_ACT;
	m->id = 1;
	m->text = slice_str(v->verb);
	return (act_ask(v, m));
}

/* The gateway's own program: until another one answers, or says why not. */
static int
upgrade_gateway(const struct invocation *v)
{
	struct ctl	 m = { .type = CTL_ACT, .id = 1,
			    .text = slice_str("gateway") };
	json_t		*status = ask_status(v->dir, ""), *json;
	json_int_t	 was = upgrade_number(status, "started");
	struct drawing	 d;
	const char	*why = "";
	int		 done = 0;

	json_decref(status);
	json = act_ask(v, &m);
	draw_begin(&d, v, "the gateway tries the other program; kennelctl status "
	    "--json says in \"started\" when it has begun, in "
	    "\"succession_fault\" why not");
	while (!v->no_wait && !done) {
		draw_wait(&d);
		if ((status = ask_again(v->dir)) == NULL)
			continue;
		why = upgrade_text(status, "succession_fault");
		done = upgrade_number(status, "started") != was;
		if (!done && *why != '\0')
			say_die(EXIT_NONE, "the gateway is as it was: %s", why);
		json_decref(status);
	}
	json_object_set_new(json, "done", json_boolean(done));
	if (v->json)
		say_last(json, 0);
	else
		printf(done ? "the gateway runs the program at its path\n" :
		    "kennelctl status shows when another one has started\n");
	json_decref(json);
	return (say_end());
}

int
upgrade_run(const struct invocation *v)
{
	int		 part = strcmp(v->verb, "canary") == 0;
	struct ctl	 m = { .slot = 0 };
	const char	*worker = v->nargs > part ? v->args[part] : NULL;
	char		*path = NULL, text[8];
	uint64_t	 percent;
	size_t		 len;
	json_t		*u;

	if (worker != NULL && strcmp(worker, "gateway") == 0 && !part)
		return (upgrade_gateway(v));
	if (part) {
		len = strlen(v->args[0]);
		snprintf(text, sizeof(text), "%s", v->args[0]);
		if (len > 0 && len < sizeof(text) && text[len - 1] == '%')
			text[len - 1] = '\0';
		if (slice_u64(slice_str(text), 99, &percent) == -1 ||
		    percent == 0 || len >= sizeof(text))
			say_die(EXIT_USAGE, "canary %s: must be from 1%% to 99%%",
			    v->args[0]);
		m.slot = (uint32_t)percent;
	}
	/* gatewayd may be in another directory. */
	if (worker != NULL && (path = realpath(worker, NULL)) == NULL)
		say_die(EXIT_USAGE, "%s: %s", worker, errno == ENOENT ?
		    "there is no such program" : strerror(errno));
	if (path != NULL)
		m.value = slice_str(path);
	u = upgrade_ask(v, &m);
	free(path);
	if (!v->no_wait) {
		json_decref(u);
		u = upgrade_watch(v, part);
	}
	return (upgrade_say(v, u, !v->no_wait));
}

int
upgrade_decide(const struct invocation *v)
{
	struct ctl	 m = { .slot = 0 };
	json_t		*u = upgrade_ask(v, &m);

	if (!v->no_wait) {
		json_decref(u);
		u = upgrade_watch(v, 0);
	}
	return (upgrade_say(v, u, !v->no_wait));
}

/* The row of what was asked for last, or NULL; the caller's. */
static json_t *
upgrade_rebalanced(const struct invocation *v)
{
	json_t	*status = ask_status(v->dir, ""), *m, *row = NULL;
	size_t	 i;

	json_array_foreach(json_object_get(status, "moves"), i, m)
		if (strcmp(upgrade_text(m, "what"), "rebalance") == 0)
			row = json_incref(m);
	json_decref(status);
	return (row);
}

/* Until they are even, or no more can be done: what was moved; the caller's. */
static json_t *
upgrade_level(const struct invocation *v)
{
	struct drawing	 d;
	struct sight	 s = { .tail = "" };
	json_t		*m;
	json_int_t	 moved, left;

	draw_begin(&d, v, "the connections are evened out; kennelctl shards "
	    "shows how they are spread");
	for (;;) {
		/* Of another gateway meanwhile: nothing is known of it. */
		if ((m = upgrade_rebalanced(v)) == NULL)
			say_die(EXIT_NONE, "another gateway has begun meanwhile: "
			    "do it again");
		moved = upgrade_number(m, "moved");
		left = upgrade_number(m, "left");
		s.part = moved + left == 0 ? 1 : (double)moved /
		    (double)(moved + left);
		s.end = json_is_true(json_object_get(m, "over"));
		s.phase = s.end ? "done" : "moving";
		s.text = draw_moves(m);
		s.moves = m;
		draw(&d, &s);
		if (s.end)
			return (m);
		json_decref(m);
		draw_wait(&d);
	}
}

int
upgrade_rebalance(const struct invocation *v)
{
	struct ctl	 m = { .slot = 0 };
	json_t		*json = upgrade_ask(v, &m), *moved = NULL;
	json_int_t	 n = upgrade_number(json, "moving");

	if (n > 0 && !v->no_wait) {
		moved = upgrade_level(v);
		json_object_update(json, moved);
	}
	if (v->json)
		say_last(json, 0);
	else if (n == 0)
		printf("nobody has to move, or can\n");
	else if (moved == NULL)
		printf("%" JSON_INTEGER_FORMAT " connections move first: "
		    "kennelctl shards shows how they are spread\n", n);
	else
		printf("%" JSON_INTEGER_FORMAT " connections have moved\n",
		    upgrade_number(moved, "moved"));
	json_decref(moved);
	json_decref(json);
	return (say_end());
}

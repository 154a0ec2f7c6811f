/* Moving connections, and watching how it goes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "gatewayd/ctl/act.h"
#include "gatewayd/ctl/ask.h"
#include "gatewayd/ctl/say.h"
#include "gatewayd/ctl/upgrade.h"
#include "gatewayd/ctl/verb.h"
#include "proto/control.h"

#define UPGRADE_LOOK_MS	200
#define UPGRADE_SAY_MS	1000		/* from line to line, not on a terminal */
#define UPGRADE_BAR	30		/* columns */

/* How it is drawn. */
struct drawing {
	int		 terminal;
	uint64_t	 said;		/* clock_ms */
	char		 last[64];	/* phase, then */
};

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

/* Milliseconds from a number of microseconds. */
static double
upgrade_pause(const json_t *u, const char *key)
{
	return ((double)json_integer_value(json_object_get(
	    json_object_get(u, "pause_us"), key)) / 1000);
}

/* A line about how far it is: over the last one on a terminal, else each second. */
static void
upgrade_draw(struct drawing *d, const json_t *u, int end)
{
	json_int_t	 moved = upgrade_number(u, "moved");
	json_int_t	 left = upgrade_number(u, "left");
	const char	*phase = upgrade_text(u, "phase");
	uint64_t	 now = clock_ms();
	char		 line[320];
	int		 full = moved + left <= 0 ? UPGRADE_BAR :
			    (int)(moved * UPGRADE_BAR / (moved + left));

	if (!d->terminal && !end && strcmp(d->last, phase) == 0 &&
	    now - d->said < UPGRADE_SAY_MS)
		return;
	d->said = now;
	snprintf(d->last, sizeof(d->last), "%s", phase);
	snprintf(line, sizeof(line), "%s: %" JSON_INTEGER_FORMAT " moved, %"
	    JSON_INTEGER_FORMAT " skipped, %" JSON_INTEGER_FORMAT " failed, %"
	    JSON_INTEGER_FORMAT " left (%" JSON_INTEGER_FORMAT " s); pause p50 "
	    "%.1f ms, p99 %.1f ms, max %.1f ms", strcmp(phase, "none") == 0 ?
	    "done" : phase, moved, upgrade_number(u, "skipped"),
	    upgrade_number(u, "failed"), left,
	    (upgrade_number(u, "left_ms") + 999) / 1000, upgrade_pause(u, "p50"),
	    upgrade_pause(u, "p99"), upgrade_pause(u, "max"));
	if (d->terminal)
		fprintf(stderr, "\r[%.*s%.*s] %s\033[K%s", full,
		    "##############################", UPGRADE_BAR - full,
		    "..............................", line, end ? "\n" : "");
	else
		fprintf(stderr, "%s\n", line);
}

/* Until it is over, or (part) until the part has moved.  Its last state. */
static json_t *
upgrade_watch(const struct invocation *v, int part)
{
	struct drawing	 d = { .terminal = !v->json && isatty(STDERR_FILENO) };
	json_t		*status, *u;
	const char	*phase;
	int		 over;

	do {
		status = ask_status(v->dir, "");
		u = json_incref(json_object_get(status, "upgrade"));
		json_decref(status);
		phase = upgrade_text(u, "phase");
		over = strcmp(phase, "none") == 0 ||
		    (part && strcmp(phase, "holding") == 0);
		if (!v->json)
			upgrade_draw(&d, u, over);
		if (!over) {
			json_decref(u);
			usleep(UPGRADE_LOOK_MS * 1000);
		}
	} while (!over);
	return (u);
}

/* Say how it is, or has ended. */
static int
upgrade_say(const struct invocation *v, json_t *u, int waited)
{
	const char	*phase = upgrade_text(u, "phase");
	int		 over = waited && strcmp(phase, "none") == 0;
	int		 ok = !over || json_is_true(json_object_get(u, "ok"));

	if (v->json)
		say_json(u);
	else if (!ok)
		say_die(EXIT_NONE, "everything is as it was: %s",
		    upgrade_text(u, "result"));
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
	const char	*why = "";
	int		 done = 0;

	json_decref(status);
	json = act_ask(v, &m);
	while (!v->no_wait && !done) {
		usleep(UPGRADE_LOOK_MS * 1000);
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
		say_json(json);
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
		say_die(EXIT_USAGE, "%s: there is no such program", worker);
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
	int		 back = strcmp(v->verb, "back") == 0;
	struct ctl	 m = { .slot = 0 };
	json_t		*u = upgrade_ask(v, &m);

	if (!v->no_wait) {
		json_decref(u);
		u = upgrade_watch(v, 0);
	}
	/* To have gone back is what was asked for. */
	if (back && !v->json && !v->no_wait) {
		printf("everything is as it was\n");
		json_decref(u);
		return (say_end());
	}
	(void)upgrade_say(v, u, !v->no_wait);
	return (0);
}

int
upgrade_rebalance(const struct invocation *v)
{
	struct ctl	 m = { .slot = 0 };
	json_t		*json = upgrade_ask(v, &m);
	json_int_t	 n = upgrade_number(json, "moving");

	if (v->json)
		say_json(json);
	else if (n == 0)
		printf("nobody has to move, or can\n");
	else
		printf("%" JSON_INTEGER_FORMAT " connections move first: "
		    "kennelctl shards shows how they are spread\n", n);
	json_decref(json);
	return (say_end());
}

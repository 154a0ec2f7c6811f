/* What a gatewayd says of itself: the node, its shards, its groups. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/bytes.h"
#include "common/list.h"
#include "common/log.h"
#include "gatewayd/ctl/ask.h"
#include "gatewayd/ctl/draw.h"
#include "gatewayd/ctl/look.h"
#include "gatewayd/ctl/say.h"
#include "gatewayd/ctl/table.h"
#include "gatewayd/ctl/verb.h"

/* A member's text, "" if there is none. */
static const char *
look_text(const json_t *object, const char *key)
{
	const char	*text = json_string_value(json_object_get(object, key));

	return (text == NULL ? "" : text);
}

/* A member's number. */
static json_int_t
look_number(const json_t *object, const char *key)
{
	return (json_integer_value(json_object_get(object, key)));
}

/* What a check has found. */
static void
look_check(const json_t *json, FILE *out)
{
	const json_t	*exact = json_object_get(json, "exact"), *slot;
	size_t		 i;

	if (!json_is_null(exact)) {
		fprintf(out, "the books are %sexact\n", json_is_true(exact) ? "" :
		    "not ");
		return;
	}
	fprintf(out, "unknown: silent are shards");
	json_array_foreach(json_object_get(json, "silent"), i, slot)
		fprintf(out, " %" JSON_INTEGER_FORMAT, json_integer_value(slot));
	putc('\n', out);
}

void
look_shards(const json_t *shards, FILE *out)
{
	struct table	 t = { .ncolumns = 7,
	    .heads = { "SHARD", "PID", "STATE", "CONNECTIONS", "REPLICAS", "UP",
	      "RESTARTS" },
	    .right = { 0, 1, 0, 1, 1, 1, 1 } };
	json_t		*s;
	size_t		 i;

	json_array_foreach(shards, i, s) {
		table_text(&t, json_object_get(s, "address"));
		table_number(&t, json_object_get(s, "pid"));
		table_text(&t, json_object_get(s, "state"));
		table_number(&t, json_object_get(s, "connections"));
		table_number(&t, json_object_get(s, "replicas"));
		table_duration(table_cell(&t), CELL_MAX,
		    json_object_get(s, "uptime_ms"));
		table_number(&t, json_object_get(s, "restarts"));
	}
	table_show(&t, out);
}

void
look_groups(const json_t *groups, FILE *out)
{
	struct table	 t = { .ncolumns = 7,
	    .heads = { "GROUP", "APP", "LIMIT", "CONNECTIONS", "OVER",
	      "REPLICAS", "ALL NODES" },
	    .right = { 0, 0, 1, 1, 1, 1, 1 } };
	json_int_t	 n, over, limit;
	json_t		*g, *r, *replicas;
	size_t		 i, j;

	if (json_array_size(groups) == 0)
		return;
	json_array_foreach(groups, i, g) {
		n = over = 0;
		replicas = json_object_get(g, "replicas");
		json_array_foreach(replicas, j, r) {
			n += look_number(r, "connections");
			over += look_number(r, "over");
		}
		table_text(&t, json_object_get(g, "group"));
		table_text(&t, json_object_get(g, "app"));
		table_number(&t, json_object_get(g, "limit"));
		snprintf(table_cell(&t), CELL_MAX, "%" JSON_INTEGER_FORMAT, n);
		snprintf(table_cell(&t), CELL_MAX, "%" JSON_INTEGER_FORMAT,
		    over);
		snprintf(table_cell(&t), CELL_MAX, "%zu",
		    json_array_size(replicas));
		limit = look_number(g, "limit_group");
		if (limit == 0)
			strcpy(table_cell(&t), "-");
		else
			snprintf(table_cell(&t), CELL_MAX,
			    "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT,
			    look_number(g, "all_nodes"), limit);
	}
	table_show(&t, out);
}

/* Are there some that end with their shard, and what can be done? */
static void
look_uncovered(const json_t *json, FILE *out)
{
	json_int_t	 n = look_number(json, "uncovered");

	if (n > 0)
		fprintf(out, "%" JSON_INTEGER_FORMAT " connections would end "
		    "with their shard, as %s\n", n,
		    look_number(json, "covers_max") > 0 ? "the gateway had "
		    "no descriptors left to cover them: raise its limit "
		    "(LimitNOFILE of the unit, ulimit -Hn; prlimit --nofile "
		    "changes one that runs), then kennelctl upgrade gateway" :
		    "none is covered: cover = no, or too few descriptors "
		    "(LimitNOFILE of the unit, ulimit -Hn)");
}

/* An upgrade that is under way, was interrupted, or what became of the last one. */
static void
look_upgrade(const json_t *u, FILE *out)
{
	const char	*phase = look_text(u, "phase");
	int		 over = strcmp(phase, "none") == 0;

	if (look_number(u, "generation") == 0)
		return;
	fprintf(out, "upgrade to generation %" JSON_INTEGER_FORMAT ", %s",
	    look_number(u, "generation"), over ? look_text(u, "result") : phase);
	if (!over && look_number(u, "percent") < 100)
		fprintf(out, " %" JSON_INTEGER_FORMAT " %%",
		    look_number(u, "percent"));
	fprintf(out, ": %s\n", draw_moves(u));
	if (strcmp(phase, "interrupted") == 0)
		fprintf(out, "%s\n", look_text(u, "result"));
}

static void
look_totals(const json_t *totals, FILE *out)
{
	static const char *const	 keys[] = { "accepted", "requests",
	    "raw", "handed", "home", "refused", "proxy_refused",
	    "survived", "lost_by_death", "second_release" };
	json_t				*gone, *n;
	const char			*key, *comma = "";

	fprintf(out, "\nsince its start:");
	for (size_t i = 0; i < nitems(keys); i++)
		fprintf(out, " %s %" JSON_INTEGER_FORMAT, keys[i],
		    look_number(totals, keys[i]));
	fprintf(out, "\ngone:");
	gone = json_object_get(totals, "gone");
	json_object_foreach(gone, key, n)
		if (json_integer_value(n) != 0) {
			fprintf(out, "%s %s %" JSON_INTEGER_FORMAT, comma, key,
			    json_integer_value(n));
			comma = ",";
		}
	fprintf(out, "%s\n", *comma == '\0' ? " nobody" : "");
}

void
look_all(const json_t *json, FILE *out)
{
	const json_t	*redis = json_object_get(json, "redis");
	char		 up[CELL_MAX], url[300];

	table_duration(up, sizeof(up), json_object_get(json, "uptime_ms"));
	fprintf(out, "node %s, gatewayd %s, pid %" JSON_INTEGER_FORMAT ", up %s%s\n",
	    look_text(json, "node"), look_text(json, "version"),
	    look_number(json, "pid"), up,
	    json_is_true(json_object_get(json, "leaving")) ? ", leaving" : "");
	log_escape(url, sizeof(url), look_text(redis, "url"),
	    strlen(look_text(redis, "url")));
	if (strcmp(look_text(redis, "mode"), "none") == 0)
		fprintf(out, "redis none\n");
	else
		fprintf(out, "redis %s, %s\n", url,
		    json_is_true(json_object_get(redis, "up")) ? "up" : "down");
	fprintf(out, "%" JSON_INTEGER_FORMAT " places taken, %"
	    JSON_INTEGER_FORMAT " covered; in the gateway: %"
	    JSON_INTEGER_FORMAT " handshakes, %" JSON_INTEGER_FORMAT
	    " at home, %" JSON_INTEGER_FORMAT " on their way\n",
	    look_number(json, "places"), look_number(json, "covered"),
	    look_number(json, "handshakes"),
	    look_number(json, "home"), look_number(json, "handing_over"));
	look_uncovered(json, out);
	look_upgrade(json_object_get(json, "upgrade"), out);
	putc('\n', out);
	look_shards(json_object_get(json, "shards"), out);
	if (json_array_size(json_object_get(json, "groups")) > 0)
		putc('\n', out);
	look_groups(json_object_get(json, "groups"), out);
	if (look_number(json, "groups_left") > 0)
		fprintf(out, "and %" JSON_INTEGER_FORMAT " groups more\n",
		    look_number(json, "groups_left"));
	look_totals(json_object_get(json, "totals"), out);
	if (json_object_get(json, "exact") != NULL)
		look_check(json, out);
}

/* ---- verbs ---- */

/* Say whether the books are exact, after what is shown: the exit status. */
static int
look_exact(const json_t *json)
{
	const json_t	*exact = json_object_get(json, "exact");

	say_end();
	if (json_is_true(exact))
		return (0);
	fprintf(stderr, "kennelctl: %s\n", json_is_null(exact) ?
	    "unknown: a shard does not say what it has" :
	    "the books are not exact");
	return (EXIT_NONE);
}

int
look_status(const struct invocation *v)
{
	json_t	*json = ask_status(v->dir, v->check ? "check" : "");
	int	 status;

	if (v->json)
		say_json(json);
	else
		look_all(json, stdout);
	status = v->check ? look_exact(json) : say_end();
	json_decref(json);
	return (status);
}

/* One member of the status. */
static int
look_member(const struct invocation *v, const char *key,
    void (*show)(const json_t *, FILE *),
    void (*more)(const json_t *, FILE *))
{
	json_t	*json = ask_status(v->dir, "");

	if (v->json)
		say_json(json_object_get(json, key));
	else {
		show(json_object_get(json, key), stdout);
		if (more != NULL)
			more(json, stdout);
	}
	json_decref(json);
	return (say_end());
}

int
look_shards_verb(const struct invocation *v)
{
	return (look_member(v, "shards", look_shards,
	    look_uncovered));
}

int
look_groups_verb(const struct invocation *v)
{
	return (look_member(v, "groups", look_groups, NULL));
}

int
look_check_verb(const struct invocation *v)
{
	json_t	*json = ask_status(v->dir, "check"), *answer;
	int	 status;

	if (v->json) {
		answer = json_pack("{s:O, s:O}", "exact",
		    json_object_get(json, "exact"), "silent",
		    json_object_get(json, "silent"));
		say_json(answer);
		json_decref(answer);
	} else
		look_check(json, stdout);
	status = look_exact(json);
	json_decref(json);
	return (status);
}

/* For health checks. */
int
look_ready(const struct invocation *v)
{
	json_t	*json = ask_status(v->dir, "ready"), *why;
	int	 ready = json_is_true(json_object_get(json, "ready"));
	size_t	 i;

	if (json_object_get(json, "ready") == NULL)
		say_die(EXIT_NONE, "gatewayd is of an older version, which "
		    "does not say");
	if (v->json)
		say_json(json);
	else
		puts(ready ? "ready" : "not ready");
	json_array_foreach(json_object_get(json, "missing"), i, why)
		if (!v->json)
			fprintf(stderr, "kennelctl: %s\n",
			    json_string_value(why));
	json_decref(json);
	say_end();
	return (ready ? 0 : EXIT_NONE);
}

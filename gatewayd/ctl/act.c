/* Verbs that have gatewayd do something, or tell of somebody. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/log.h"
#include "gatewayd/ctl/act.h"
#include "gatewayd/ctl/ask.h"
#include "gatewayd/ctl/say.h"
#include "gatewayd/ctl/table.h"
#include "gatewayd/ctl/verb.h"
#include "proto/control.h"

json_t *
act_ask(const struct invocation *v, const struct ctl *m)
{
	json_t		*json = ask(v->dir, m);
	const char	*why = json_string_value(json_object_get(json,
			    "error"));
	size_t		 n;

	if (why == NULL)
		return (json);
	if (v->json) {
		say_last(json, EXIT_NONE);
		exit(EXIT_NONE);
	}
	do {
		n = strcspn(why, "\n");
		fprintf(stderr, "kennelctl: %.*s\n", (int)n, why);
		why += n;
	} while (*why++ == '\n');
	exit(EXIT_NONE);
}

/* A member's text as the terminal may have it; static. */
static const char *
act_text(const json_t *object, const char *key)
{
	static char	 text[4][256];
	static size_t	 turn;
	const json_t	*v = json_object_get(object, key);

	turn = (turn + 1) % 4;
	return (log_escape(text[turn], sizeof(text[turn]),
	    json_is_string(v) ? json_string_value(v) : "",
	    json_string_length(v)));
}

/* ---- somebody ---- */

/* An argument that names connections: a uid, or an id. */
static struct ctl
act_somebody(const struct invocation *v, const char *what)
{
	const char	*name = v->args[0];
	struct ctl	 m = { .type = CTL_ACT, .id = 1,
			    .text = slice_str(what), .uid = slice_str(name) };

	if (m.uid.len > UID_MAX)
		say_die(EXIT_USAGE, "a uid has at most %d bytes", UID_MAX);
	if (m.uid.len == 16 && name[strspn(name, "0123456789abcdef")] == '\0')
		m.value = m.uid;
	return (m);
}

/* A table of connections. */
static void
act_list(const json_t *connections)
{
	struct table	 t = { .ncolumns = 6,
	    .heads = { "ID", "UID", "GROUP", "APP", "SHARD", "KIND" } };
	const json_t	*c;
	size_t		 i;

	json_array_foreach(connections, i, c) {
		table_text(&t, json_object_get(c, "id"));
		table_text(&t, json_object_get(c, "uid"));
		table_text(&t, json_object_get(c, "group"));
		table_text(&t, json_object_get(c, "app"));
		table_text(&t, json_object_get(c, "shard"));
		snprintf(table_cell(&t), CELL_MAX, "%s", json_is_true(
		    json_object_get(c, "http")) ? "http" : "websocket");
	}
	table_show(&t, stdout);
}

/* A table of what other nodes have: how many rows. */
static size_t
act_elsewhere(const json_t *json, int show)
{
	struct table	 t = { .ncolumns = 4,
	    .heads = { "NODE", "SHARD", "GROUP", "CONNECTIONS" },
	    .right = { 0, 0, 0, 1 } };
	const json_t	*list = json_object_get(json, "elsewhere"), *c;
	size_t		 i;

	if (!show)
		return (json_array_size(list));
	json_array_foreach(list, i, c) {
		table_text(&t, json_object_get(c, "node"));
		table_text(&t, json_object_get(c, "shard"));
		table_text(&t, json_object_get(c, "group"));
		table_number(&t, json_object_get(c, "connections"));
	}
	if (json_array_size(list) > 0) {
		printf("on other nodes:\n");
		table_show(&t, stdout);
	}
	if (json_is_true(json_object_get(json, "elsewhere_missing")))
		printf("Redis has not said all: there may be more on other "
		    "nodes\n");
	return (json_array_size(list));
}

/* The answer about connections: 0, or 3 when there are none. */
static int
act_tell_connections(const struct invocation *v, const char *what,
    const char *done)
{
	struct ctl	 m = act_somebody(v, what);
	json_t		*json = act_ask(v, &m);
	const json_t	*list = json_object_get(json, "connections");
	json_int_t	 left = json_integer_value(json_object_get(json,
			    "left"));
	size_t		 n = json_array_size(list);

	if (v->json)
		say_json(json);
	else if (n > 0) {
		act_list(list);
		if (done != NULL)
			printf("%s %zu\n", done, n);
		if (left > 0)
			printf("and %" JSON_INTEGER_FORMAT " more%s\n", left,
			    done == NULL ? "" : ", which are still there: "
			    "do it again");
	}
	n += act_elsewhere(json, !v->json);
	say_end();
	if (n == 0 && !v->json)
		fprintf(stderr, "kennelctl: nobody of that uid or id has a "
		    "connection here\n");
	json_decref(json);
	return (n == 0 ? EXIT_NOTHING : 0);
}

/* How a node is, in a word. */
static const char *
act_node_state(const json_t *n)
{
	if (json_is_true(json_object_get(n, "left")))
		return ("left");
	if (json_is_true(json_object_get(n, "dead")))
		return ("dead");
	return (json_is_true(json_object_get(n, "ours")) ? "this one" :
	    "alive");
}

/* A table of nodes. */
static void
act_nodes(const json_t *nodes)
{
	struct table	 t = { .ncolumns = 8,
	    .heads = { "NODE", "ADDRESS", "VERSION", "SHARDS", "CONNECTIONS",
	      "GROUPS", "BEAT_MS", "STATE" },
	    .right = { 0, 0, 0, 1, 1, 1, 1, 0 } };
	const json_t	*n;
	size_t		 i;

	json_array_foreach(nodes, i, n) {
		table_text(&t, json_object_get(n, "node"));
		table_text(&t, json_object_get(n, "address"));
		table_text(&t, json_object_get(n, "version"));
		table_number(&t, json_object_get(n, "shards"));
		table_number(&t, json_object_get(n, "connections"));
		table_number(&t, json_object_get(n, "groups"));
		table_number(&t, json_object_get(n, "beat_age_ms"));
		snprintf(table_cell(&t), CELL_MAX, "%s", act_node_state(n));
	}
	table_show(&t, stdout);
}

int
act_cluster(const struct invocation *v)
{
	struct ctl	 m = { .type = CTL_ACT, .id = 1,
			    .text = slice_str("cluster") };
	json_t		*json = act_ask(v, &m);
	const json_t	*n;
	const char	*key;

	if (v->json)
		say_json(json);
	else if (json_is_true(json_object_get(json, "alone")))
		printf("this node is alone\n");
	else {
		act_nodes(json_object_get(json, "nodes"));
		printf("bus");
		json_object_foreach(json_object_get(json, "bus"), key, n)
			printf(" %s=%" JSON_INTEGER_FORMAT, key,
			    json_integer_value(n));
		putchar('\n');
	}
	say_end();
	json_decref(json);
	return (0);
}

int
act_who(const struct invocation *v)
{
	return (act_tell_connections(v, "who", NULL));
}

int
act_close(const struct invocation *v)
{
	return (act_tell_connections(v, "close", "closing:"));
}

int
act_place(const struct invocation *v)
{
	struct ctl	 m = { .type = CTL_ACT, .id = 1,
			    .text = slice_str("place"),
			    .group = slice_str(v->args[0]),
			    .uid = slice_str(v->args[1]),
			    .app = slice_str(v->app == NULL ? "" : v->app) };
	json_t		*json;
	int		 placed;

	if (m.group.len == 0 || m.group.len > GROUP_MAX ||
	    m.uid.len > UID_MAX || m.app.len > APP_MAX)
		say_die(EXIT_USAGE, "a group has 1 to %d bytes, a uid at most "
		    "%d, an application at most %d", GROUP_MAX, UID_MAX,
		    APP_MAX);
	json = act_ask(v, &m);
	placed = json_is_string(json_object_get(json, "shard"));
	if (v->json)
		say_json(json);
	else if (placed)
		printf("\"%s\" would go to %s (group \"%s\" of %s): %s\n",
		    act_text(json, "uid"), act_text(json, "shard"),
		    act_text(json, "group"), act_text(json, "app"),
		    json_string_value(json_object_get(json, "why")));
	else
		printf("nowhere for now: %s\n",
		    json_string_value(json_object_get(json, "why")));
	json_decref(json);
	say_end();
	return (placed ? 0 : EXIT_NOTHING);
}

/* ---- the gateway ---- */

int
act_reload(const struct invocation *v)
{
	const struct ctl	 m = { .type = CTL_ACT, .id = 1,
				    .text = slice_str("reload") };
	json_t			*json = act_ask(v, &m);
	const char		*taken = json_string_value(json_object_get(
				    json, "taken"));
	const char		*left = json_string_value(json_object_get(json,
				    "restart"));

	if (v->json)
		say_json(json);
	else {
		printf("taken: %s\n", taken == NULL || *taken == '\0' ?
		    "nothing has changed" : taken);
		if (left != NULL && *left != '\0')
			printf("counts after a restart: %s\n", left);
	}
	json_decref(json);
	return (say_end());
}

int
act_log_level(const struct invocation *v)
{
	const struct ctl	 m = { .type = CTL_ACT, .id = 1,
				    .text = slice_str("log-level"),
				    .value = slice_str(v->args[0]) };
	enum log_level		 level;
	json_t			*json;

	if (log_level_parse(v->args[0], &level) == -1)
		say_die(EXIT_USAGE, "a level is one of warn, info, debug");
	json = act_ask(v, &m);
	if (v->json)
		say_json(json);
	else
		printf("log level %s, was %s; gatewayd and its shards\n",
		    act_text(json, "level"), act_text(json, "was"));
	json_decref(json);
	return (say_end());
}

/* Names on the terminal are as status shows them. */
int
act_room(const struct invocation *v)
{
	const char	*group = v->args[1], *why;
	struct ctl	 m = { .type = CTL_FORGET, .id = 1,
			    .group = slice_str(group) };
	char		 name[4 * GROUP_MAX + 8];
	json_int_t	 n;
	json_t		*json;

	if (strcmp(v->args[0], "rm") != 0)
		say_die(EXIT_USAGE, "what shall it do with which room? try "
		    "kennelctl room rm NAME, or kennelctl --help");
	if (m.group.len == 0 || m.group.len > GROUP_MAX)
		say_die(EXIT_USAGE, "the name of a room has 1 to %d bytes",
		    GROUP_MAX);
	json = ask(v->dir, &m);
	log_escape(name, sizeof(name), group, m.group.len);
	why = json_string_value(json_object_get(json, "error"));
	n = json_integer_value(json_object_get(json, "removed"));
	if (v->json) {
		say_json(json);
		say_end();
		return (why != NULL ? EXIT_NONE : n == 0 ? EXIT_NOTHING : 0);
	}
	if (why != NULL)
		say_die(EXIT_NONE, "room \"%s\" was not removed: %s", name, why);
	json_decref(json);
	if (n == 0)
		say_die(EXIT_NOTHING, "nothing is kept of a room \"%s\"", name);
	printf("room \"%s\" removed: %" JSON_INTEGER_FORMAT " keys in Redis\n",
	    name, n);
	return (say_end());
}

/* The status again and again, with what has changed since. */
#include <sys/ioctl.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/bytes.h"
#include "common/clock.h"
#include "common/log.h"
#include "gatewayd/ctl/ask.h"
#include "gatewayd/ctl/look.h"
#include "gatewayd/ctl/say.h"
#include "gatewayd/ctl/table.h"
#include "gatewayd/ctl/top.h"
#include "gatewayd/ctl/verb.h"

#define TOP_GROUPS	100		/* the largest */

/* How many connections a group has here. */
static json_int_t
top_connections(const json_t *group)
{
	const json_t	*r;
	json_int_t	 n = 0;
	size_t		 i;

	json_array_foreach(json_object_get(group, "replicas"), i, r)
		n += json_integer_value(json_object_get(r, "connections"));
	return (n);
}

/* For qsort: the larger group first. */
static int
top_larger(const void *a, const void *b)
{
	json_int_t	 x = top_connections(*(json_t *const *)a);
	json_int_t	 y = top_connections(*(json_t *const *)b);

	return (x < y ? 1 : x > y ? -1 : 0);
}

/* The largest groups, a list. */
static json_t *
top_groups(const json_t *groups)
{
	size_t	  n = json_array_size(groups);
	json_t	**all = calloc(n + 1, sizeof(*all)), *list = json_array();

	if (all == NULL || list == NULL)
		say_die(EXIT_NONE, "out of memory");
	for (size_t i = 0; i < n; i++)
		all[i] = json_array_get(groups, i);
	qsort(all, n, sizeof(*all), top_larger);
	for (size_t i = 0; i < n && i < TOP_GROUPS; i++)
		json_array_append(list, all[i]);
	free(all);
	return (list);
}

/* A total, and how fast it grows. */
static void
top_total(FILE *out, const json_t *now, const json_t *before, const char *key,
    double seconds)
{
	json_int_t	 n = json_integer_value(json_object_get(
			    json_object_get(now, "totals"), key));
	json_int_t	 was = json_integer_value(json_object_get(
			    json_object_get(before, "totals"), key));

	fprintf(out, "  %s %" JSON_INTEGER_FORMAT, key, n);
	if (before != NULL && seconds > 0)
		fprintf(out, " (%.1f/s)", (double)(n - was) / seconds);
}

/* One look at all, as text, malloc'd. */
static char *
top_text(const json_t *now, const json_t *before, double seconds)
{
	static const char *const	 keys[] = { "accepted", "requests",
	    "handed", "refused" };
	char	*text = NULL, up[CELL_MAX], node[CELL_MAX];
	size_t	 size;
	FILE	*out = open_memstream(&text, &size);
	json_t	*groups = top_groups(json_object_get(now, "groups"));
	const json_t *name = json_object_get(now, "node");
	const json_t *redis = json_object_get(now, "redis");

	if (out == NULL)
		say_die(EXIT_NONE, "out of memory");
	table_duration(up, sizeof(up), json_object_get(now, "uptime_ms"));
	log_escape(node, sizeof(node), json_string_value(name),
	    json_string_length(name));
	fprintf(out, "node %s  up %s  connections %" JSON_INTEGER_FORMAT
	    "  handshakes %" JSON_INTEGER_FORMAT "%s%s\n", node, up,
	    json_integer_value(json_object_get(now, "places")),
	    json_integer_value(json_object_get(now, "handshakes")),
	    json_is_true(json_object_get(now, "leaving")) ? "  leaving" : "",
	    json_is_true(json_object_get(redis, "up")) ||
	    strcmp(json_string_value(json_object_get(redis, "mode")),
	    "none") == 0 ? "" : "  redis down");
	for (size_t i = 0; i < nitems(keys); i++)
		top_total(out, now, before, keys[i], seconds);
	fputs("\n\n", out);
	look_shards(json_object_get(now, "shards"), out);
	if (json_array_size(groups) > 0)
		putc('\n', out);
	look_groups(groups, out);
	json_decref(groups);
	if (fclose(out) == EOF)
		say_die(EXIT_NONE, "out of memory");
	return (text);
}

/* As much of it as the window holds, over what was there. */
static void
top_draw(const char *text)
{
	struct winsize	 w;
	size_t		 rows = 24, columns = 80, n;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > 1 &&
	    w.ws_col > 0) {
		rows = w.ws_row;
		columns = w.ws_col;
	}
	fputs("\033[H", stdout);
	for (size_t i = 0; i + 1 < rows && *text != '\0'; i++) {
		n = strcspn(text, "\n");
		printf("%.*s\033[K\n", (int)(n < columns ? n : columns), text);
		text += n + (text[n] == '\n');
	}
	fputs("\033[J", stdout);
}

int
top_run(const struct invocation *v)
{
	int		 terminal = !v->json && isatty(STDOUT_FILENO);
	json_t		*now, *before = NULL;
	uint64_t	 at, was = 0;
	char		*text;

	if (terminal)
		fputs("\033[2J", stdout);
	for (unsigned i = 0; v->times == 0 || i < v->times; i++) {
		if (i > 0)
			usleep(v->interval_ms * 1000);
		now = ask_status(v->dir, "");
		at = clock_ms();
		if (v->json) {
			json_dumpf(now, stdout, JSON_COMPACT);
			putchar('\n');
		} else {
			text = top_text(now, before, (double)(at - was) / 1e3);
			if (terminal)
				top_draw(text);
			else
				printf("%s%s", i > 0 ? "\n" : "", text);
			free(text);
		}
		say_end();
		json_decref(before);
		before = now;
		was = at;
	}
	json_decref(before);
	return (0);
}

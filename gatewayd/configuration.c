/* Flags and INI files. */
#include <sys/stat.h>

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/config.h"
#include "common/secret.h"
#include "gatewayd/advise.h"
#include "gatewayd/complete.h"
#include "gatewayd/configuration.h"
#include "gatewayd/routes.h"
#include "gatewayd/serving.h"
#include "gatewayd/settings.h"
#include "gatewayd/settings_in.h"

/* gatewayd/default.ini, byte by byte. */
static const char configuration_default_ini[] = {
#include "default_ini.inc"
	0
};

/* gatewayd/own.ini, for a worker that is not ours. */
static const char configuration_own_ini[] = {
#include "own_ini.inc"
	0
};

static void	 configuration_flags(struct load *, int, char **);
static int	 configuration_read(struct load *, const char *, char *, size_t);
static void	 configuration_help(void);

void
configuration_load(struct settings *s, int argc, char **argv)
{
	struct load	 l = { .s = s };
	char		 err[sizeof(struct config_error)];

	settings_init(s);
	configuration_flags(&l, argc, argv);
	for (size_t i = 0; i < ROW_N; i++)
		if (l.given[i] == FROM_FLAG)
			s->flags |= UINT64_C(1) << i;
	if (configuration_read(&l, NULL, err, sizeof(err)) == -1)
		settings_fault(s, "%s", err);
	for (size_t i = 0; i < ROW_N; i++)
		s->read[i] = settings_say(s, (enum row)i);
	complete_secrets(s);
	complete_settings(&l);
	complete_ape(s);
	complete_user(s);
	complete_worker(&l);
	complete_fit(&l);
	if (s->check && s->faults == 0)
		advise(s);		/* may find more */
	if (s->faults > 0)
		exit(EXIT_CONFIG);
	if (s->check) {
		printf("configuration ok\n");
		exit(0);
	}
}

/* ---- flags ---- */

enum { FLAG_CONFIG = ROW_N, FLAG_CHECK, FLAG_VERSION, FLAG_HELP };

/*
 * Flags are applied at once and marked, so that the file, which is read later,
 * does not change what they set.
 */
static void
configuration_flags(struct load *l, int argc, char **argv)
{
	static const struct option	 longs[] = {
		{ "worker",	required_argument, NULL, ROW_WORKER },
		{ "listen",	required_argument, NULL, ROW_LISTEN },
		{ "limit",	required_argument, NULL, ROW_LIMIT },
		{ "shards",	required_argument, NULL, ROW_SHARDS },
		{ "max-shards",	required_argument, NULL, ROW_MAX_SHARDS },
		{ "redis",	required_argument, NULL, ROW_REDIS },
		{ "redis-password-file", required_argument, NULL,
		    ROW_REDIS_PASSWORD_FILE },
		{ "node",	required_argument, NULL, ROW_NODE },
		{ "run-dir",	required_argument, NULL, ROW_RUN_DIR },
		{ "state-dir",	required_argument, NULL, ROW_STATE_DIR },
		{ "user",	required_argument, NULL, ROW_USER },
		{ "log-level",	required_argument, NULL, ROW_LOG_LEVEL },
		{ "admin",	required_argument, NULL, ROW_ADMIN },
		{ "log-format",	required_argument, NULL, ROW_LOG_FORMAT },
		{ "config",	required_argument, NULL, FLAG_CONFIG },
		{ "check",	no_argument, NULL, FLAG_CHECK },
		{ "version",	no_argument, NULL, FLAG_VERSION },
		{ "help",	no_argument, NULL, FLAG_HELP },
		{ NULL, 0, NULL, 0 }
	};
	char		 shown[256];
	const char	*why;
	int		 flag, which;

	l->origin = FROM_FLAG;
	opterr = 0;
	optind = 0;
	for (;;) {
		which = -1;
		flag = getopt_long(argc, argv, ":h", longs, &which);
		if (flag == -1)
			break;
		switch (flag) {
		case 'h':
		case FLAG_HELP:
			configuration_help();
			exit(0);
		case FLAG_VERSION:
			printf("gatewayd (kennel) %s\n", KENNEL_VERSION);
			exit(0);
		case FLAG_CHECK:
			l->s->check = 1;
			break;
		case FLAG_CONFIG:
			free(l->s->config);
			l->s->config = settings_strdup(optarg);
			break;
		case ':':
			settings_die(EXIT_USAGE, "%s needs a value; try "
			    "gatewayd --help", argv[optind - 1]);
		case '?':
			if (optopt > ' ')
				settings_die(EXIT_USAGE, "unknown option -%c; "
				    "try gatewayd --help", optopt);
			settings_die(EXIT_USAGE, "unknown option %s; try "
			    "gatewayd --help", secret_shown(shown,
			    sizeof(shown), argv[optind - 1]));
		default:
			if (settings_set(l, settings_rows[flag].key, optarg,
			    &why) == -1)
				settings_die(EXIT_USAGE, "--%s %s: %s",
				    longs[which].name, secret_shown(shown,
				    sizeof(shown), optarg), why);
			/* ps shows the arguments to everybody. */
			if (flag == ROW_REDIS)
				secret_hide(optarg);
		}
	}
	if (optind < argc)
		settings_die(EXIT_USAGE, "unexpected argument \"%s\"; try "
		    "gatewayd --help", secret_shown(shown, sizeof(shown),
		    argv[optind]));
}

/* What --help prints. */
static void
configuration_help(void)
{
	static const char	 text[] =
"Usage: gatewayd [options]\n"
"\n"
"Keeps many client connections (WebSocket and HTTP) open, spread over worker\n"
"processes that it starts and watches.  A worker is a program that decides what\n"
"the clients say to each other; the one that comes along has a chat room and\n"
"more.  Clients of one group hear each other whatever worker they are on.\n"
"\n"
"  gatewayd                     the built-in applications; open\n"
"                               http://localhost:8080/ in a browser\n"
"  gatewayd --worker ./mine     your own worker\n"
"\n"
"Options:\n"
"  --worker PROGRAM     what to run as workers; a name without '/' is looked for\n"
"                       beside gatewayd, then in PATH (default: shardd)\n"
"  --listen ADDRESS     8080, 127.0.0.1:8080, [::1]:8080 or unix:/path; may be\n"
"                       repeated (default: 8080, 9010, and 5000 for fast-tcp)\n"
"  --shards N           workers to start with (default: one for each CPU that\n"
"                       affinity and control group allow, at least 2)\n"
"  --max-shards N       most workers, when all are full (default: 32)\n"
"  --limit N            most connections of a group in one worker, for every\n"
"                       route (default: as the routes say)\n"
"  --redis WHERE        redis://[user:password@]host[:port][/db], rediss:// for\n"
"                       TLS, sentinel://host[:port][,host[:port]...]/NAME[/db],\n"
"                       sentinels:// for TLS, unix:/path, \"auto\": a\n"
"                       redis-server of its own, or \"none\": what a room keeps\n"
"                       ends with its last client (default: auto)\n"
"  --redis-password-file FILE\n"
"                       the password of that Redis, read for each connection\n"
"  --node NAME          name of this machine to others, which no other gateway\n"
"                       has (default: host name and four letters, made once and\n"
"                       kept in the state directory)\n"
"  --run-dir DIR        sockets and locks (default: /run/kennel for root, else\n"
"                       $XDG_RUNTIME_DIR/kennel or /tmp/kennel-<uid>)\n"
"  --state-dir DIR      what must last (default: /var/lib/kennel for root, else\n"
"                       $XDG_STATE_HOME/kennel or ~/.local/state/kennel)\n"
"  --user NAME          started as root: listen, make the directories, then be\n"
"                       this user (default: stay root)\n"
"  --config FILE        more settings; its routes, if any, replace the built-in\n"
"                       ones.  Options given here win.\n"
"  --admin ADDRESS      where /healthz, /readyz, /status and /metrics are, over\n"
"                       HTTP, apart from clients: 9100 (of this machine only),\n"
"                       10.0.0.1:9100, unix:/path, or none (default: the Unix\n"
"                       socket admin.sock in the run directory)\n"
"  --log-level LEVEL    warn, info or debug (default: info)\n"
"  --log-format FORMAT  text, json (an object a line) or journald (default:\n"
"                       text)\n"
"  --check              check all of this, print \"configuration ok\", exit\n"
"  --version, --help\n"
"\n"
"Stop it with Ctrl-C or SIGTERM; it lets the workers finish first.\n"
"`kennelctl status` shows what is running.  Every key of FILE is explained in\n"
"kennel.ini, which comes along, and in gatewayd(8).\n";

	fputs(text, stdout);
}

/* ---- the files ---- */

/* A section of a file begins. */
static int
configuration_section_cb(void *arg, const char *section, const char *label,
    const char **why)
{
	struct load	*l = arg;

	if (strcmp(section, "listener") == 0) {
		if (l->origin == FROM_FILE)
			inlets_drop_built_in(&l->s->inlets);
		return (inlets_section(&l->s->inlets, label, why));
	}
	if (strcmp(section, "uplink") == 0)
		return (uplinks_section(&l->s->uplinks, label, why));
	if (strcmp(section, "route") != 0)
		return (0);
	if (l->routes != l->origin) {
		/* The first route of a file: the built-in ones go. */
		routes_free(l->s->routes);
		if ((l->s->routes = routes_new()) == NULL) {
			*why = "out of memory";
			return (-1);
		}
		l->routes = l->origin;
	}
	return (routes_section(l->s->routes, label, why));
}

/* A key of [gateway]. */
static int
configuration_gateway_cb(void *arg, const char *key, const char *value,
    const char **why)
{
	return (settings_set(arg, key, value, why));
}

/* A key of [worker]. */
static int
configuration_worker_cb(void *arg, const char *key, const char *value,
    const char **why)
{
	struct load	*l = arg;

	return (settings_worker_set(l->s, key, value, why));
}

/* A key of [ape] is one of [worker] without what stands before it there. */
static int
configuration_ape_cb(void *arg, const char *key, const char *value,
    const char **why)
{
	struct load	*l = arg;
	char		 full[64];

	if ((size_t)snprintf(full, sizeof(full), "ape_%s", key) >= sizeof(full)) {
		*why = "unknown key";
		return (-1);
	}
	return (settings_worker_set(l->s, full, value, why));
}

/* A key of [listener NAME]. */
static int
configuration_listener_cb(void *arg, const char *key, const char *value,
    const char **why)
{
	struct load	*l = arg;

	return (inlets_option(&l->s->inlets, key, value, why));
}

/* A key of [uplink NAME]. */
static int
configuration_uplink_cb(void *arg, const char *key, const char *value,
    const char **why)
{
	struct load	*l = arg;

	return (uplinks_option(&l->s->uplinks, key, value, why));
}

/* A key of the route that is being read. */
static int
configuration_route_cb(void *arg, const char *key, const char *value,
    const char **why)
{
	struct load	*l = arg;

	return (routes_option(l->s->routes, key, value, why));
}

/* Both files; the routes are then complete.  worker: the one that runs, or NULL. */
static int
configuration_read(struct load *l, const char *worker, char *text, size_t size)
{
	static const struct config_option	 sections[] = {
		{ "gateway", "*", configuration_gateway_cb, NULL },
		{ "worker", "*", configuration_worker_cb, NULL },
		{ "ape", "*", configuration_ape_cb, NULL },
		{ "listener", "*", configuration_listener_cb, NULL },
		{ "route", "*", configuration_route_cb, NULL },
		{ "uplink", "*", configuration_uplink_cb, NULL },
	};
	struct settings		*s = l->s;
	struct config_error	 err;
	char			 why[512];

	l->origin = BUILT_IN;
	if (config_text("built-in configuration", configuration_default_ini, sections,
	    nitems(sections), configuration_section_cb, l, &err) == -1)
		goto bad;
	inlets_set_built_in(&s->inlets);
	l->origin = FROM_FILE;
	if (s->config != NULL && config_file(s->config, sections,
	    nitems(sections), configuration_section_cb, l, &err) == -1)
		goto bad;
	/* A file without routes keeps those that are built in. */
	s->own_routes = l->routes == BUILT_IN && !complete_is_ours(worker == NULL ? s->worker : worker);
	if (s->own_routes && config_text("built-in configuration",
	    configuration_own_ini, sections, nitems(sections), configuration_section_cb,
	    l, &err) == -1)
		goto bad;
	/* Who has listeners of his own does not ask for the built-in ones. */
	if (l->given[ROW_LISTEN] == BUILT_IN && inlets_sections(&s->inlets))
		inlets_unlisten(&s->inlets);
	if (l->given[ROW_LISTEN] != BUILT_IN || !complete_is_ours(worker ==
	    NULL ? s->worker : worker))
		inlets_drop_built_in(&s->inlets);
	if (s->limit != 0)
		serving_set_limit(s, s->limit);
	if (inlets_check(&s->inlets, why, sizeof(why)) == 0 &&
	    uplinks_check(&s->uplinks, settings_find(s, "app.host"), why,
	    sizeof(why)) == 0 &&
	    routes_check(s->routes, why, sizeof(why)) == 0 &&
	    serving_check(s, why, sizeof(why)) == 0)
		return (0);
	snprintf(text, size, "%s: %s", s->config == NULL ?
	    "built-in configuration" : s->config, why);
	return (-1);
bad:
	snprintf(text, size, "%s", err.text);
	return (-1);
}

/* ---- reading it again ---- */

/* A key that has changed, to the list of them. */
static void
configuration_name(struct buf *names, const char *section, const char *key)
{
	buf_addf(names, "%s[%s] %s", names->len > 0 ? ", " : "", section, key);
}

/* [gateway]: take what is asked at each use, name the rest. */
static void
configuration_take_rows(struct settings *s, struct settings *fresh,
    struct buf *taken, struct buf *left)
{
	const struct settings_row	*row;
	char				*now;

	for (size_t i = 0; i < ROW_N; i++) {
		row = &settings_rows[i];
		now = settings_say(fresh, (enum row)i);
		if (s->flags & UINT64_C(1) << i || strcmp(now, s->read[i]) == 0) {
			free(now);
			continue;
		}
		if (!row->live) {
			configuration_name(left, "gateway", row->key);
			free(now);
			continue;
		}
		configuration_name(taken, "gateway", row->key);
		memcpy((char *)s + row->at, (char *)fresh + row->at,
		    row->kind == SIZE ? sizeof(size_t) : sizeof(unsigned));
		free(s->read[i]);
		s->read[i] = now;
	}
}

/* Of [worker]: what a has and b has not, or (same) has otherwise. */
static void
configuration_name_options(const struct settings *a, const struct settings *b,
    int same, struct buf *names)
{
	const struct settings_option	*x, *y;

	for (size_t i = 0; i < a->noptions; i++) {
		x = &a->options[i];
		y = settings_find_option(b, x->key);
		if (!x->said || (y != NULL && y->said &&
		    (!same || strcmp(x->value, y->value) == 0)))
			continue;
		configuration_name(names, "worker", settings_worker_key(x->key));
	}
}

/* Sections [listener NAME] that a has and b has not, or (same) has otherwise. */
static void
configuration_name_listeners(const struct settings *a, const struct settings *b,
    int same, struct buf *names)
{
	const struct inlet	*x, *y;

	for (size_t i = 0; i < a->inlets.n; i++) {
		x = &a->inlets.list[i];
		if (x->label == NULL)
			continue;
		y = inlets_find(&b->inlets, x->label, strlen(x->label));
		if (y == NULL || (same && !inlet_same(x, y)))
			buf_addf(names, "%s[listener %s]", names->len > 0 ?
			    ", " : "", x->label);
	}
}

/* Raw listeners: take what their connections are to be, and name those that change. */
static void
configuration_take_listeners(struct settings *s, struct settings *fresh,
    struct buf *taken)
{
	struct inlet	*in, *now;

	for (size_t i = 0; i < s->inlets.n; i++) {
		in = &s->inlets.list[i];
		if (in->label == NULL || (now = (struct inlet *)(uintptr_t)
		    inlets_find(&fresh->inlets, in->label,
		    strlen(in->label))) == NULL || inlet_same_route(in, now))
			continue;
		inlet_swap_route(in, now);
		buf_addf(taken, "%s[listener %s]", taken->len > 0 ? ", " : "",
		    in->label);
	}
}

/* A route in words, and what its clients are allowed. */
static void
configuration_describe_cb(const char *label, const char *text, void *arg)
{
	buf_addf(arg, "%s %s\n", label, text);
}

static void
configuration_allow_cb(const char *label, const char *key, const char *value,
    void *arg)
{
	buf_addf(arg, "%s %s %s\n", label, key, value);
}

/* Have the routes changed? */
static void
configuration_name_routes(const struct routes *old, const struct routes *fresh,
    struct buf *names)
{
	struct buf	 was = { 0 }, is = { 0 };

	routes_describe(old, configuration_describe_cb, &was);
	routes_policies(old, configuration_allow_cb, &was);
	routes_describe(fresh, configuration_describe_cb, &is);
	routes_policies(fresh, configuration_allow_cb, &is);
	if (was.failed || is.failed || was.len != is.len ||
	    (is.len > 0 && memcmp(was.data, is.data, is.len) != 0))
		buf_addf(names, "%sthe routes", names->len > 0 ? ", " : "");
	buf_clear(&was);
	buf_clear(&is);
}

/* Links to other clusters: take them, and say so if they are others. */
static void
configuration_take_uplinks(struct settings *s, struct settings *fresh,
    struct buf *taken)
{
	const struct uplinks	 old = s->uplinks;
	struct buf		 was = { 0 }, is = { 0 };

	uplinks_tell(&s->uplinks, &was);
	uplinks_tell(&fresh->uplinks, &is);
	if (was.failed || is.failed || !slice_eq(slice_of(was.data, was.len),
	    slice_of(is.data, is.len)))
		buf_addf(taken, "%sthe uplinks", taken->len > 0 ? ", " : "");
	s->uplinks = fresh->uplinks;
	fresh->uplinks = old;
	buf_clear(&was);
	buf_clear(&is);
}

/* A list of names as text; b is freed. */
static void
configuration_names(char *text, size_t size, struct buf *b)
{
	snprintf(text, size, "%.*s%s", (int)b->len, b->len > 0 ? b->data : "",
	    b->failed ? " and more" : "");
	buf_clear(b);
}

/* What workers are told of routes that there are no more. */
static void
configuration_forget_routes(struct settings *s)
{
	size_t	 n = 0;

	for (size_t i = 0; i < s->noptions; i++) {
		if (!s->options[i].live) {
			s->options[n++] = s->options[i];
			continue;
		}
		free(s->options[i].key);
		free(s->options[i].value);
	}
	s->noptions = n;
}

/*
 * Is there anything to read a second time?  A pipe is empty by now, which would mean
 * that nothing is configured, or waits for somebody to write.  0, or -1 with text.
 */
static int
configuration_lasts(const struct settings *s, char *text, size_t size)
{
	struct stat	 st;

	if (s->config == NULL)
		return (0);
	if (stat(s->config, &st) == -1)
		snprintf(text, size, "%s: %s", s->config, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		snprintf(text, size, "%s: it is no regular file, and cannot be "
		    "read again", s->config);
	else
		return (0);
	return (-1);
}

int
configuration_reload(struct settings *s, struct configuration_news *news)
{
	struct settings	 fresh;
	struct load	 l = { .s = &fresh };
	struct routes	*old = s->routes;
	struct buf	 taken = { .max = sizeof(news->taken) };
	struct buf	 left = { .max = sizeof(news->left) };

	memset(news, 0, sizeof(*news));
	if (configuration_lasts(s, news->error, sizeof(news->error)) == -1)
		return (-1);
	settings_init(&fresh);
	fresh.config = s->config == NULL ? NULL : settings_strdup(s->config);
	for (size_t i = 0; i < ROW_N; i++)
		if (s->flags & UINT64_C(1) << i)
			l.given[i] = FROM_FLAG;
	if (l.given[ROW_LIMIT] == FROM_FLAG)
		fresh.limit = s->limit;
	/* Whose routes are the default: those of the worker that runs. */
	if (configuration_read(&l, s->worker, news->error,
	    sizeof(news->error)) == -1)
		goto bad;
	if (fresh.line_max > fresh.head_max) {
		snprintf(news->error, sizeof(news->error), "line_max (%zu) is more than head_max (%zu), "
		    "of which it is a part", fresh.line_max, fresh.head_max);
		goto bad;
	}
	configuration_take_rows(s, &fresh, &taken, &left);
	configuration_name_routes(old, fresh.routes, &taken);
	configuration_name_options(&fresh, s, 1, &left);
	configuration_name_options(s, &fresh, 0, &left);
	configuration_name_listeners(&fresh, s, 1, &left);
	configuration_name_listeners(s, &fresh, 0, &left);
	configuration_take_listeners(s, &fresh, &taken);
	configuration_take_uplinks(s, &fresh, &taken);
	configuration_names(news->taken, sizeof(news->taken), &taken);
	configuration_names(news->left, sizeof(news->left), &left);
	s->routes = fresh.routes;
	fresh.routes = old;
	settings_free(&fresh);
	configuration_forget_routes(s);
	complete_routes(s);
	return (0);
bad:
	settings_free(&fresh);
	return (-1);
}

/* Flags and the INI file, as one struct. */
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/config.h"
#include "common/memory.h"
#include "common/networks.h"
#include "common/proc.h"
#include "common/redis.h"
#include "common/secret.h"
#include "gatewayd/cpus.h"
#include "gatewayd/paths.h"
#include "gatewayd/route.h"
#include "gatewayd/settings.h"
#include "proto/http_head.h"
#include "proto/keys.h"
#include "proto/limits.h"

#define EXIT_CONFIG	1
#define EXIT_USAGE	2
#define UNFINISHED_LEAST ((size_t)32 << 20)	/* two large messages */
#define DESCRIPTORS	256	/* kept for other than client connections */

/* gatewayd/default.ini, byte by byte. */
static const char settings_default_ini[] = {
#include "default_ini.inc"
	0
};

/* gatewayd/own.ini, for a worker that is not ours. */
static const char settings_own_ini[] = {
#include "own_ini.inc"
	0
};

enum origin { BUILT_IN, FROM_FILE, FROM_FLAG };	/* the later wins */

enum kind { TEXT, PATH, FILE_PATH, NETWORKS, UINT, LIMIT, SIZE, DURATION,
    LIFETIME, LEVEL, LISTEN, YESNO };

/* Also the flags' table: --log-level is log_level. */
enum row {
	ROW_WORKER, ROW_LISTEN, ROW_LIMIT, ROW_SHARDS, ROW_MAX_SHARDS,
	ROW_REDIS, ROW_NODE, ROW_RUN_DIR, ROW_STATE_DIR, ROW_USER, ROW_LOG_LEVEL,
	ROW_NFLAGS,
	ROW_REDIS_PREFIX = ROW_NFLAGS, ROW_CAPACITY, ROW_HEAD_TIMEOUT,
	ROW_LINE_MAX, ROW_HEAD_MAX, ROW_HEADERS_MAX, ROW_KEEP_MAX,
	ROW_HANDSHAKES_MAX,
	ROW_HOME_MAX, ROW_HOME_TIMEOUT, ROW_WAITING_MAX, ROW_WATCHDOG,
	ROW_DRAIN, ROW_IDLE_SHARD, ROW_BACKLOG, ROW_SECCOMP, ROW_CORE,
	ROW_PER_ADDRESS,
	ROW_ACCEPT_RATE, ROW_LINGER_MAX, ROW_ORPHAN,
	ROW_N
};

_Static_assert(ROW_N <= SETTINGS_ROWS && ROW_N <= 64, "a bit a key");

#define AT(field)	offsetof(struct settings, field)

static const struct settings_row {
	const char	*key;
	enum kind	 kind;
	size_t		 at;
	unsigned	 min, max;
} settings_rows[ROW_N] = {
	[ROW_WORKER]	= { "worker", TEXT, AT(worker), 0, 0 },
	[ROW_LISTEN]	= { "listen", LISTEN, 0, 0, 0 },
	[ROW_LIMIT]	= { "limit", UINT, AT(limit), 1, ROUTE_LIMIT_MAX },
	[ROW_SHARDS]	= { "shards", UINT, AT(shards), 1, SLOTS_MAX },
	[ROW_MAX_SHARDS] = { "max_shards", UINT, AT(max_shards), 1, SLOTS_MAX },
	[ROW_REDIS]	= { "redis", TEXT, AT(redis), 0, 0 },
	[ROW_NODE]	= { "node", TEXT, AT(node), 0, 0 },
	[ROW_RUN_DIR]	= { "run_dir", PATH, AT(run_dir), 0, 0 },
	[ROW_STATE_DIR]	= { "state_dir", PATH, AT(state_dir), 0, 0 },
	[ROW_USER]	= { "user", TEXT, AT(user), 0, 0 },
	[ROW_LOG_LEVEL]	= { "log_level", LEVEL, AT(log_level), 0, 0 },
	[ROW_REDIS_PREFIX] = { "redis_prefix", TEXT, AT(redis_prefix), 0, 0 },
	[ROW_CAPACITY]	= { "capacity", UINT, AT(capacity), 1, 10000000 },
	[ROW_HEAD_TIMEOUT] = { "head_timeout", DURATION, AT(head_ms), 100,
	    3600000 },
	[ROW_LINE_MAX]	= { "line_max", SIZE, AT(line_max), 64, 1 << 20 },
	[ROW_HEAD_MAX]	= { "head_max", SIZE, AT(head_max), 256, 1 << 20 },
	[ROW_HEADERS_MAX] = { "headers_max", SIZE, AT(headers_max), 1,
	    HTTP_HEADERS_MAX },
	[ROW_KEEP_MAX]	= { "keep_max", SIZE, AT(keep_max), 1, 1 << 20 },
	[ROW_HANDSHAKES_MAX] = { "handshakes_max", UINT, AT(handshakes_max), 1,
	    10000000 },
	[ROW_HOME_MAX]	= { "home_max", UINT, AT(home_max), 0, 10000000 },
	[ROW_HOME_TIMEOUT] = { "home_timeout", DURATION, AT(home_ms), 100,
	    3600000 },
	[ROW_WAITING_MAX] = { "waiting_max", UINT, AT(waiting_max), 0,
	    10000000 },
	[ROW_LINGER_MAX] = { "linger_max", UINT, AT(linger_max), 0,
	    10000000 },
	[ROW_WATCHDOG]	= { "watchdog", DURATION, AT(watchdog_ms), 100,
	    3600000 },
	[ROW_DRAIN]	= { "drain", DURATION, AT(drain_ms), 0, 3600000 },
	[ROW_IDLE_SHARD] = { "idle_shard", DURATION, AT(idle_shard_ms), 100,
	    86400000 },
	[ROW_ORPHAN]	= { "orphan", DURATION, AT(orphan_ms), 0, 86400000 },
	[ROW_BACKLOG]	= { "backlog", UINT, AT(backlog), 1, 65535 },
	[ROW_PER_ADDRESS] = { "per_address", LIMIT, AT(per_address), 1,
	    10000000 },
	[ROW_ACCEPT_RATE] = { "accept_rate", LIMIT, AT(accept_rate), 1,
	    10000000 },
	[ROW_SECCOMP]	= { "seccomp", YESNO, AT(seccomp), 0, 0 },
	[ROW_CORE]	= { "core", YESNO, AT(core), 0, 0 },
};

/* Of these keys the value is asked for at each use. */
static const enum row	 settings_live[] = {
	ROW_LIMIT, ROW_HEAD_TIMEOUT, ROW_LINE_MAX, ROW_HEAD_MAX,
	ROW_HEADERS_MAX, ROW_KEEP_MAX, ROW_HOME_TIMEOUT, ROW_PER_ADDRESS,
	ROW_ACCEPT_RATE,
};

/* [worker]: what the built-in keys are called when the worker hears of them. */
static const struct worker_row {
	const char	*key, *option;
	enum kind	 kind;
	unsigned	 min, max;
} worker_rows[] = {
	{ "message_max",	"message_max",	SIZE, 1, 1 << 30 },
	{ "chat_message_max",	"chat_message_max", SIZE, 1, 1 << 30 },
	{ "pact_message_max",	"pact_message_max", SIZE, 1, 1 << 30 },
	{ "turn",		"turn_ms",	DURATION, 1, 10000 },
	{ "body_max",		"body_max",	SIZE, 0, 1 << 30 },
	{ "unfinished_max",	"unfinished_max", SIZE, 1 << 16, UINT_MAX },
	{ "out_max",		"out_max",	SIZE, 1024, 1 << 30 },
	{ "request_timeout",	"request_ms",	DURATION, 100, 3600000 },
	{ "closing_timeout",	"closing_ms",	DURATION, 100, 3600000 },
	{ "ping_interval",	"ping_ms",	DURATION, 100, 3600000 },
	{ "whisper_ask",	"whisper_ask",	UINT, 0, SLOTS_MAX },
	{ "deflate",		"deflate",	YESNO, 0, 0 },
	{ "pages",		"pages",	PATH, 0, 0 },
	{ "io_uring",		"io_uring",	YESNO, 0, 0 },
	{ "store_max",		"store_max",	SIZE, 1 << 16, 24 << 20 },
	{ "store_ttl",		"store_ttl",	LIFETIME, 1, 10 * 365 * 86400 },
	{ "store_visit_ttl",	"store_visit_ttl", LIFETIME, 1,
	    10 * 365 * 86400 },
	{ "trusted_proxies",	"trusted_proxies", NETWORKS, 0, 0 },
	{ "signing_key_file",	"signing_key_file", FILE_PATH, 0, 0 },
	{ "pact_details",	"pact_details",	TEXT, 0, 0 },
	{ "pact_rooms",		"pact_rooms",	UINT, 1, 10000000 },
	{ "pact_sessions",	"pact_sessions", UINT, 1, 10000000 },
	{ "pact_counters",	"pact_counters", UINT, 0, 1000000 },
	{ "pact_polls",		"pact_polls",	UINT, 0, 1000000 },
	{ "pact_answers",	"pact_answers",	UINT, 1, 1000000 },
	{ "pact_name",		"pact_name",	UINT, 1, 256 },
	{ "pact_properties",	"pact_properties", SIZE, 2, 1 << 19 },
	{ "pact_config",	"pact_config",	SIZE, 0, 1 << 19 },
	{ "pact_subscriptions",	"pact_subscriptions", UINT, 0, 100000 },
	{ "pact_relays",	"pact_relays",	UINT, 0, 100000 },
	{ "pact_page",		"pact_page",	SIZE, 1000, 1 << 20 },
};

/* While loading. */
struct load {
	struct settings	*s;
	enum origin	 origin;	/* of what is being read */
	enum origin	 given[ROW_N];
	enum origin	 routes;
};

static void	 settings_init(struct settings *);
static void	 settings_flags(struct load *, int, char **);
static int	 settings_read(struct load *, const char *, char *, size_t);
static char	*settings_say(const struct settings *, enum row);
static void	 settings_secrets(struct settings *);
static void	 settings_complete(struct load *);
static void	 settings_routes(struct settings *);
static void	 settings_find_user(struct settings *);
static void	 settings_find_worker(struct load *);
static void	 settings_too_many(struct load *, size_t, size_t)
		    __attribute__((noreturn));
static void	 settings_fit(struct load *);
static int	 settings_set(struct load *, const char *, const char *,
	    const char **);
static int	 settings_worker_set(struct settings *, const char *,
	    const char *, const char **);
static int	 settings_proxies(struct settings *, const char *);
static struct settings_option *settings_option(struct settings *, const char *,
	    const char *);
static void	 settings_help(void);
static void	 settings_die(int, const char *, ...)
	    __attribute__((format(printf, 2, 3), noreturn));
static char	*settings_have(char *);
static char	*settings_strdup(const char *);
static char	*settings_printf(const char *, ...)
	    __attribute__((format(printf, 1, 2)));

void
settings_load(struct settings *s, int argc, char **argv)
{
	struct load	 l = { .s = s };
	char		 err[1024];

	settings_init(s);
	settings_flags(&l, argc, argv);
	for (size_t i = 0; i < ROW_N; i++)
		if (l.given[i] == FROM_FLAG)
			s->flags |= UINT64_C(1) << i;
	if (settings_read(&l, NULL, err, sizeof(err)) == -1)
		settings_die(EXIT_CONFIG, "%s", err);
	for (size_t i = 0; i < ROW_N; i++)
		s->read[i] = settings_say(s, (enum row)i);
	settings_secrets(s);
	settings_complete(&l);
	settings_find_user(s);
	settings_find_worker(&l);
	settings_fit(&l);
	if (s->check) {
		printf("configuration ok\n");
		exit(0);
	}
}

void
settings_free(struct settings *s)
{
	for (size_t i = 0; i < ROW_N; i++)
		if (settings_rows[i].kind == TEXT ||
		    settings_rows[i].kind == PATH)
			free(*(char **)(void *)((char *)s +
			    settings_rows[i].at));
	for (size_t i = 0; i < ROW_N; i++)
		free(s->read[i]);
	for (size_t i = 0; i < s->nlisten; i++)
		free(s->listen_text[i]);
	for (size_t i = 0; i < s->noptions; i++) {
		free(s->options[i].key);
		free(s->options[i].value);
	}
	free(s->options);
	free(s->config);
	networks_free(s->proxies);
	routes_free(s->routes);
	memset(s, 0, sizeof(*s));
}

static void
settings_init(struct settings *s)
{
	memset(s, 0, sizeof(*s));
	s->log_level = LOG_LEVEL_INFO;
	s->head_ms = 10000;
	s->line_max = http_limits_default.line_max;
	s->head_max = http_limits_default.head_max;
	s->headers_max = http_limits_default.headers_max;
	s->keep_max = 4096;
	s->handshakes_max = 10000;
	s->home_max = 10000;
	s->home_ms = 15000;
	s->waiting_max = 1000;
	s->linger_max = 1000;
	s->watchdog_ms = 10000;
	s->drain_ms = 10000;
	s->idle_shard_ms = 60000;
	s->orphan_ms = 60000;
	s->backlog = 4096;
	s->seccomp = -1;		/* as the worker is */
	if ((s->routes = routes_new()) == NULL)
		settings_die(EXIT_CONFIG, "out of memory");
}

/* ---- flags ---- */

enum { FLAG_CONFIG = ROW_N, FLAG_CHECK, FLAG_VERSION, FLAG_HELP };

/*
 * Flags are applied at once and marked, so that the file, which is read later,
 * does not change what they set.
 */
static void
settings_flags(struct load *l, int argc, char **argv)
{
	static const struct option	 longs[] = {
		{ "worker",	required_argument, NULL, ROW_WORKER },
		{ "listen",	required_argument, NULL, ROW_LISTEN },
		{ "limit",	required_argument, NULL, ROW_LIMIT },
		{ "shards",	required_argument, NULL, ROW_SHARDS },
		{ "max-shards",	required_argument, NULL, ROW_MAX_SHARDS },
		{ "redis",	required_argument, NULL, ROW_REDIS },
		{ "node",	required_argument, NULL, ROW_NODE },
		{ "run-dir",	required_argument, NULL, ROW_RUN_DIR },
		{ "state-dir",	required_argument, NULL, ROW_STATE_DIR },
		{ "user",	required_argument, NULL, ROW_USER },
		{ "log-level",	required_argument, NULL, ROW_LOG_LEVEL },
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
			settings_help();
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

static void
settings_help(void)
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
"                       repeated (default: 8080)\n"
"  --shards N           workers to start with (default: one for each CPU that\n"
"                       affinity and control group allow, at least 2)\n"
"  --max-shards N       most workers, when all are full (default: 32)\n"
"  --limit N            most connections of a group in one worker, for every\n"
"                       route (default: as the routes say)\n"
"  --redis WHERE        redis://[user:password@]host[:port][/db], unix:/path,\n"
"                       \"auto\": a redis-server of its own, or \"none\":\n"
"                       what a room keeps ends with its last client\n"
"                       (default: auto)\n"
"  --node NAME          name of this machine to others, which no other gateway\n"
"                       has (default: host name)\n"
"  --run-dir DIR        sockets and locks (default: /run/kennel for root, else\n"
"                       $XDG_RUNTIME_DIR/kennel or /tmp/kennel-<uid>)\n"
"  --state-dir DIR      what must last (default: /var/lib/kennel for root, else\n"
"                       $XDG_STATE_HOME/kennel or ~/.local/state/kennel)\n"
"  --user NAME          started as root: listen, make the directories, then be\n"
"                       this user (default: stay root)\n"
"  --config FILE        more settings; its routes, if any, replace the built-in\n"
"                       ones.  Options given here win.\n"
"  --log-level LEVEL    warn, info or debug (default: info)\n"
"  --check              check all of this, print \"configuration ok\", exit\n"
"  --version, --help\n"
"\n"
"Stop it with Ctrl-C or SIGTERM; it lets the workers finish first.\n"
"`kennelctl status` shows what is running.  Every key of FILE is explained in\n"
"kennel.ini, which comes along, and in gatewayd(8).\n";

	fputs(text, stdout);
}

/* ---- the files ---- */

static int
settings_section_cb(void *arg, const char *section, const char *label,
    const char **why)
{
	struct load	*l = arg;

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
	return (route_section(l->s->routes, label, why));
}

static int
settings_gateway_cb(void *arg, const char *key, const char *value,
    const char **why)
{
	return (settings_set(arg, key, value, why));
}

static int
settings_worker_cb(void *arg, const char *key, const char *value,
    const char **why)
{
	struct load	*l = arg;

	return (settings_worker_set(l->s, key, value, why));
}

static int
settings_route_cb(void *arg, const char *key, const char *value,
    const char **why)
{
	struct load	*l = arg;

	return (route_option(l->s->routes, key, value, why));
}

/* Is it the worker that comes along?  NULL: nobody asked for another. */
static int
settings_is_ours(const char *worker)
{
	const char	*slash;

	if (worker == NULL)
		return (1);
	slash = strrchr(worker, '/');
	return (strcmp(slash == NULL ? worker : slash + 1, "shardd") == 0);
}

/* Both files; the routes are then complete.  worker: the one that runs, or NULL. */
static int
settings_read(struct load *l, const char *worker, char *text, size_t size)
{
	static const struct config_option	 sections[] = {
		{ "gateway", "*", settings_gateway_cb, NULL },
		{ "worker", "*", settings_worker_cb, NULL },
		{ "route", "*", settings_route_cb, NULL },
	};
	struct settings		*s = l->s;
	struct config_error	 err;
	char			 why[512];

	l->origin = BUILT_IN;
	if (config_text("built-in configuration", settings_default_ini, sections,
	    nitems(sections), settings_section_cb, l, &err) == -1)
		goto bad;
	l->origin = FROM_FILE;
	if (s->config != NULL && config_file(s->config, sections,
	    nitems(sections), settings_section_cb, l, &err) == -1)
		goto bad;
	/* A file without routes keeps those that are built in. */
	s->own_routes = l->routes == BUILT_IN && !settings_is_ours(worker == NULL ? s->worker : worker);
	if (s->own_routes && config_text("built-in configuration",
	    settings_own_ini, sections, nitems(sections), settings_section_cb,
	    l, &err) == -1)
		goto bad;
	if (s->limit != 0)
		routes_set_limit(s->routes, s->limit);
	if (routes_check(s->routes, why, sizeof(why)) == 0)
		return (0);
	snprintf(text, size, "%s: %s", s->config == NULL ?
	    "built-in configuration" : s->config, why);
	return (-1);
bad:
	snprintf(text, size, "%s", err.text);
	return (-1);
}

/* ---- values ---- */

static int
settings_listen(struct load *l, const char *value, int fresh,
    const char **why)
{
	struct settings	*s = l->s;
	struct sock_addr a;

	if (sock_parse(value, &a, why) == -1)
		return (-1);
	while (fresh && s->nlisten > 0)
		free(s->listen_text[--s->nlisten]);
	if (s->nlisten == LISTEN_MAX) {
		*why = "too many addresses to listen on";
		return (-1);
	}
	s->listen[s->nlisten] = a;
	s->listen_text[s->nlisten++] = settings_strdup(value);
	return (0);
}

static int
settings_text(enum row row, const char *value, const char **why)
{
	if (value[0] == '\0') {
		*why = "is empty";
		return (-1);
	}
	if (row == ROW_REDIS && strcmp(value, "auto") != 0 &&
	    strcmp(value, "none") != 0)
		return (redis_url_check(value, why));
	if (row == ROW_NODE && (strlen(value) > NODE_MAX ||
	    value[strspn(value, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] != '\0')) {
		*why = "a name has 1 to 64 letters, digits, '.', '_' or '-'";
		return (-1);
	}
	if (row == ROW_REDIS_PREFIX && (strlen(value) > 64 ||
	    value[strcspn(value, " \t\"\\*?[]")] != '\0')) {
		*why = "a prefix has at most 64 bytes, no spaces, quotes or any "
		    "of *?[]\\";
		return (-1);
	}
	return (0);
}

/* A path that stays right when somebody changes directory. */
static char *
settings_absolute(const char *path)
{
	char	 cwd[PATH_MAX];

	if (path[0] == '/' || getcwd(cwd, sizeof(cwd)) == NULL)
		return (settings_strdup(path));
	return (settings_printf("%s/%s", cwd, path));
}

static int
settings_set(struct load *l, const char *key, const char *value,
    const char **why)
{
	const struct settings_row *row;
	char			*field, **text;
	size_t			 i;
	int			 fresh;

	for (i = 0; i < ROW_N; i++)
		if (strcmp(settings_rows[i].key, key) == 0)
			break;
	if (i == ROW_N) {
		*why = "unknown key";
		return (-1);
	}
	row = &settings_rows[i];
	if (l->given[i] > l->origin)
		return (0);		/* a flag has said it */
	fresh = l->given[i] != l->origin;
	l->given[i] = l->origin;
	field = (char *)l->s + row->at;
	switch (row->kind) {
	case TEXT:
	case PATH:
		if (settings_text((enum row)i, value, why) == -1)
			return (-1);
		text = (char **)(void *)field;
		free(*text);
		*text = row->kind == PATH ? settings_absolute(value) :
		    settings_strdup(value);
		return (0);
	case UINT:
		return (config_uint(value, row->min, row->max,
		    (unsigned *)(void *)field, why));
	case LIMIT:
		return (config_limit(value, row->max,
		    (unsigned *)(void *)field, why));
	case SIZE:
		return (config_size(value, row->min, row->max,
		    (size_t *)(void *)field, why));
	case DURATION:
		return (config_duration(value, row->min, row->max,
		    (unsigned *)(void *)field, why));
	case LEVEL:
		if (log_level_parse(value,
		    (enum log_level *)(void *)field) == 0)
			return (0);
		*why = "is not one of warn, info, debug";
		return (-1);
	case LISTEN:
		return (settings_listen(l, value, fresh, why));
	case YESNO:
		return (config_bool(value, (int *)(void *)field, why));
	case FILE_PATH:
	case NETWORKS:
	case LIFETIME:
		break;			/* of [worker] only */
	}
	return (-1);
}

static int
settings_worker_set(struct settings *s, const char *key, const char *value,
    const char **why)
{
	const struct worker_row	*row = NULL;
	struct stat		 st;
	char			 text[32], *path;
	unsigned		 number = 0;
	size_t			 size;
	int			 rc, yes = 0;

	if (strncmp(key, "x-", 2) == 0 || strncmp(key, "app.", 4) == 0) {
		settings_option(s, key, value)->said = 1;
		return (0);
	}
	for (size_t i = 0; i < nitems(worker_rows) && row == NULL; i++)
		if (strcmp(worker_rows[i].key, key) == 0)
			row = &worker_rows[i];
	if (row == NULL) {
		*why = "unknown key; keys for applications of your own begin "
		    "with \"app.\" or \"x-\"";
		return (-1);
	}
	if (row->kind == NETWORKS && settings_proxies(s, value) == -1) {
		*why = "must be addresses and networks, or \"unix\": "
		    "127.0.0.1 10.0.0.0/8 fd00::/8 unix";
		return (-1);
	}
	if (row->kind == TEXT || row->kind == NETWORKS) {
		settings_option(s, row->option, value)->said = 1;
		return (0);
	}
	if (row->kind == PATH || row->kind == FILE_PATH) {
		if (stat(value, &st) == -1 || (row->kind == PATH ?
		    !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode))) {
			*why = row->kind == PATH ? "is not a directory" :
			    "is not a file";
			return (-1);
		}
		path = settings_absolute(value);
		settings_option(s, row->option, path)->said = 1;
		free(path);
		return (0);
	}
	if (row->kind == SIZE) {
		rc = config_size(value, row->min, row->max, &size, why);
		number = rc == 0 ? (unsigned)size : 0;
	} else if (row->kind == DURATION)
		rc = config_duration(value, row->min, row->max, &number, why);
	else if (row->kind == LIFETIME)
		rc = config_lifetime(value, row->min, row->max, &number, why);
	else if (row->kind == YESNO) {
		rc = config_bool(value, &yes, why);
		number = (unsigned)yes;
	} else
		rc = config_uint(value, row->min, row->max, &number, why);
	if (rc == -1)
		return (-1);
	snprintf(text, sizeof(text), "%u", number);
	settings_option(s, row->option, text)->said = 1;
	return (0);
}

static int
settings_proxies(struct settings *s, const char *list)
{
	struct networks	*n = networks_new(list);

	if (n == NULL)
		return (-1);
	networks_free(s->proxies);
	s->proxies = n;
	return (0);
}

static const struct settings_option *
settings_find_option(const struct settings *s, const char *key)
{
	for (size_t i = 0; i < s->noptions; i++)
		if (strcmp(s->options[i].key, key) == 0)
			return (&s->options[i]);
	return (NULL);
}

const char *
settings_find(const struct settings *s, const char *key)
{
	const struct settings_option	*o = settings_find_option(s, key);

	return (o == NULL ? NULL : o->value);
}

/* The last value of a key counts. */
static struct settings_option *
settings_option(struct settings *s, const char *key, const char *value)
{
	struct settings_option	*o;

	for (size_t i = 0; i < s->noptions; i++) {
		if (strcmp(s->options[i].key, key) == 0) {
			free(s->options[i].value);
			s->options[i].value = settings_strdup(value);
			return (&s->options[i]);
		}
	}
	o = realloc(s->options, (s->noptions + 1) * sizeof(*o));
	if (o == NULL)
		settings_die(EXIT_CONFIG, "out of memory");
	s->options = o;
	o += s->noptions++;
	memset(o, 0, sizeof(*o));
	o->key = settings_strdup(key);
	o->value = settings_strdup(value);
	return (o);
}

/* ---- what nobody said, and what does not go together ---- */

static unsigned
settings_cpus(void)
{
	unsigned	 n = cpus_allowed();

	return (n < 2 ? 2 : n > SLOTS_MAX ? SLOTS_MAX : n);
}

static char *
settings_node(void)
{
	char	 name[NODE_MAX + 1], *p;

	if (gethostname(name, sizeof(name)) == -1 || name[0] == '\0')
		return (settings_strdup("node"));
	name[NODE_MAX] = '\0';
	for (p = name; *p != '\0'; p++)
		if (strchr("/#: %", *p) != NULL || *p <= ' ' || *p > '~')
			*p = '-';
	return (settings_strdup(name));
}

static void
settings_link_cb(const char *link, const char *about, void *arg)
{
	buf_addf(arg, "%s %s\n", link, about);
}

static void
settings_complete(struct load *l)
{
	struct settings	*s = l->s;
	char		 text[32];
	int		 shards = l->given[ROW_SHARDS] != BUILT_IN;
	int		 most = l->given[ROW_MAX_SHARDS] != BUILT_IN;
	size_t		 unfinished;

	if (!shards)
		s->shards = settings_cpus();
	if (!most)
		s->max_shards = s->shards > 32 ? s->shards : 32;
	else if (!shards && s->shards > s->max_shards)
		s->shards = s->max_shards;
	if (s->max_shards < s->shards)
		settings_die(EXIT_CONFIG, "max_shards is %u, less than the %u "
		    "shards to start with; give --max-shards %u or more",
		    s->max_shards, s->shards, s->shards);
	if (s->line_max > s->head_max)
		settings_die(EXIT_CONFIG, "line_max (%zu) is more than head_max "
		    "(%zu), of which it is a part", s->line_max, s->head_max);
	if (s->redis == NULL)
		s->redis = settings_strdup("auto");
	if (s->redis_prefix == NULL)
		s->redis_prefix = settings_strdup(KEYS_PREFIX);
	if (s->node == NULL)
		s->node = settings_node();
	if (s->run_dir == NULL)
		s->run_dir = settings_have(paths_run_dir());
	if (s->state_dir == NULL)
		s->state_dir = settings_have(paths_state_dir());
	if (strlen(s->run_dir) > RUN_DIR_MAX)
		settings_die(EXIT_CONFIG, "the run directory's path %s is %zu "
		    "bytes, too long for the sockets in it; choose one of at "
		    "most %d with --run-dir", s->run_dir, strlen(s->run_dir),
		    RUN_DIR_MAX);

	if (settings_find(s, "unfinished_max") == NULL) {
		unfinished = memory_allowed("") / 4 / s->shards;
		snprintf(text, sizeof(text), "%zu", unfinished <
		    UNFINISHED_LEAST ? UNFINISHED_LEAST : unfinished);
		settings_option(s, "unfinished_max", text);
	}
	snprintf(text, sizeof(text), "%u", s->drain_ms);
	settings_option(s, "drain_ms", text);
	snprintf(text, sizeof(text), "%u", s->orphan_ms);
	settings_option(s, "orphan_ms", text);
	snprintf(text, sizeof(text), "%u", s->shards);
	settings_option(s, "shards", text);
	settings_routes(s);
}

/* What the environment has for us, and children need not. */
static void
settings_secrets(struct settings *s)
{
	static const char	 scheme[] = "redis://";
	const size_t		 n = sizeof(scheme) - 1;
	char			*key = secret_take("KENNEL_SIGNING_KEY");
	char			*password = secret_take(
				    "KENNEL_REDIS_PASSWORD");
	struct buf		 url = { 0 };

	if (key != NULL && strlen(key) > SIGNING_KEY_MAX)
		settings_die(EXIT_CONFIG, "KENNEL_SIGNING_KEY is longer than "
		    "%d bytes", SIGNING_KEY_MAX);
	if (key != NULL)
		settings_option(s, "signing_key", key);
	free(key);
	if (password != NULL && s->redis != NULL &&
	    strncmp(s->redis, scheme, n) == 0 &&
	    strchr(s->redis, '@') == NULL) {
		buf_adds(&url, "redis://:");
		bytes_percent(&url, slice_str(password));
		buf_addf(&url, "@%s", s->redis + n);
		if (url.failed)
			settings_die(EXIT_CONFIG, "out of memory");
		free(s->redis);
		s->redis = settings_strdup(url.data);
		buf_clear(&url);
	}
	free(password);
}

static void
settings_policy_cb(const char *label, const char *key, const char *value,
    void *arg)
{
	char	*option = settings_printf("route.%s.%s", label, key);

	settings_option(arg, option, value)->live = 1;
	free(option);
}

/* What workers hear of the routes. */
static void
settings_routes(struct settings *s)
{
	struct buf	 links = { .max = 32 << 10 };	/* fits into a packet */

	routes_policies(s->routes, settings_policy_cb, s);

	routes_links(s->routes, settings_link_cb, &links);
	settings_option(s, "links", buf_add(&links, "", 1) == -1 ? "" :
	    links.data)->live = 1;
	buf_clear(&links);
}

/* Why path cannot be run, or NULL. */
static const char *
settings_program_fault(const char *path)
{
	struct stat	 st;

	if (stat(path, &st) == -1)
		return (strerror(errno));
	if (S_ISDIR(st.st_mode))
		return ("is a directory");
	if (!S_ISREG(st.st_mode) || access(path, X_OK) == -1)
		return ("is not executable");
	return (NULL);
}

/* Who to be: somebody else only if root says so. */
static void
settings_find_user(struct settings *s)
{
	const struct passwd	*pw;

	s->uid = geteuid();
	s->gid = getegid();
	if (s->user == NULL)
		return;
	if ((pw = getpwnam(s->user)) == NULL)
		settings_die(EXIT_CONFIG, "user %s: no such user; useradd "
		    "--system %s makes one", s->user, s->user);
	if (s->uid != 0 && s->uid != pw->pw_uid)
		settings_die(EXIT_CONFIG, "only root can become user %s; start "
		    "as root, or leave user out", s->user);
	s->uid = pw->pw_uid;
	s->gid = pw->pw_gid;
}

static void
settings_find_worker(struct load *l)
{
	struct settings	*s = l->s;
	char		 exe[PATH_MAX], *path = NULL, *built;
	const char	*name = s->worker == NULL ? "shardd" : s->worker;
	const char	*why;

	if (strchr(name, '/') != NULL) {
		if ((why = settings_program_fault(name)) != NULL)
			settings_die(EXIT_CONFIG, "worker %s: %s", name, why);
		path = settings_absolute(name);
	} else if (proc_exe_dir(exe, sizeof(exe)) == 0) {
		path = paths_program(exe, name);
		if (path == NULL && s->worker == NULL) {
			/* Not installed: the build's own. */
			built = settings_printf("%s/../shardd", exe);
			path = paths_program(built, name);
			free(built);
		}
	}
	if (path == NULL &&
	    (path = paths_program(NULL, name)) == NULL)
		settings_die(EXIT_CONFIG, "worker %s: no such program beside "
		    "gatewayd or in PATH; give its path with --worker", name);
	free(s->worker);
	s->worker = path;
	/* Of ours we know what it needs. */
	if (l->given[ROW_SECCOMP] == BUILT_IN)
		s->seccomp = settings_is_ours(path);

	if (strcmp(s->redis, "auto") != 0)
		return;
	if ((path = paths_program(NULL, "redis-server")) == NULL)
		settings_die(EXIT_CONFIG, "redis-server is not in PATH; install "
		    "it, give another with --redis URL, or do without: --redis "
		    "none");
	free(path);
}

/* Bounds on connections that the gateway itself has. */
static const enum row settings_bounds[] = { ROW_HANDSHAKES_MAX, ROW_HOME_MAX,
    ROW_WAITING_MAX, ROW_LINGER_MAX };

static unsigned *
settings_bound(struct settings *s, size_t i)
{
	return ((unsigned *)(void *)((char *)s +
	    settings_rows[settings_bounds[i]].at));
}

/*
 * need is more than hard: say what must be raised, or which keys must be lowered,
 * the largest first, if that is enough.
 */
static void
settings_too_many(struct load *l, size_t need, size_t hard)
{
	struct {
		const char	*key;
		size_t		 takes;
	}		 keys[nitems(settings_bounds) + 3], *most;
	struct settings	*s = l->s;
	struct buf	 text = { .max = 1024 };
	size_t		 n = 0, left = need;

	if (s->capacity != 0 && need == (size_t)s->capacity + DESCRIPTORS) {
		keys[n].key = "capacity";
		keys[n++].takes = s->capacity;
	} else if (s->limit != 0 && need == (size_t)s->limit + DESCRIPTORS) {
		keys[n].key = "limit";
		keys[n++].takes = s->limit;
	} else {
		keys[n].key = "max_shards";
		keys[n++].takes = 4 * (size_t)s->max_shards;
		for (size_t i = 0; i < nitems(settings_bounds); i++) {
			if (l->given[settings_bounds[i]] == BUILT_IN)
				continue;
			keys[n].key = settings_rows[settings_bounds[i]].key;
			keys[n++].takes = *settings_bound(s, i);
		}
	}
	while (left > hard) {
		most = &keys[0];
		for (size_t i = 1; i < n; i++)
			if (keys[i].takes > most->takes)
				most = &keys[i];
		if (most->takes == 0) {
			buf_reset(&text);
			break;
		}
		(void)buf_addf(&text, "%s %s, which takes %zu", text.len > 0 ?
		    " and" : " or lower", most->key, most->takes);
		left -= most->takes;
		most->takes = 0;
	}
	(void)buf_add(&text, "", 1);
	settings_die(EXIT_CONFIG, "this needs %zu file descriptors, but %zu are "
	    "allowed; raise that (ulimit -Hn %zu, or LimitNOFILE=%zu in the "
	    "unit)%s", need, hard, need, need, text.data);
}

/*
 * Into the descriptors that this process may have.  Bounds that nobody asked
 * for are lowered until they fit; those asked for are an error.
 */
static void
settings_fit(struct load *l)
{
	struct settings	*s = l->s;
	struct rlimit	 rl;
	unsigned	*field;
	size_t		 hard, need, left, share, free_rows = 0;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1 ||
	    rl.rlim_max == RLIM_INFINITY)
		return;
	hard = (size_t)rl.rlim_max;
	left = DESCRIPTORS + 4 * (size_t)s->max_shards;
	for (size_t i = 0; i < nitems(settings_bounds); i++) {
		if (l->given[settings_bounds[i]] == BUILT_IN)
			free_rows++;
		else
			left += *settings_bound(s, i);
	}
	need = left + 16 * free_rows;
	/* A shard, too, must bear what is asked of it. */
	if (s->capacity != 0 && need < (size_t)s->capacity + DESCRIPTORS)
		need = (size_t)s->capacity + DESCRIPTORS;
	if (s->limit != 0 && need < (size_t)s->limit + DESCRIPTORS)
		need = (size_t)s->limit + DESCRIPTORS;
	if (need > hard)
		settings_too_many(l, need, hard);
	left = hard - left;
	for (size_t i = 0; i < nitems(settings_bounds); i++) {
		if (l->given[settings_bounds[i]] != BUILT_IN)
			continue;
		field = settings_bound(s, i);
		share = left / free_rows;
		if (*field > share)
			*field = (unsigned)share;
	}
}

/* ---- reading it again ---- */

/* The value of a key of [gateway] in words, malloc'd. */
static char *
settings_say(const struct settings *s, enum row row)
{
	const char	*field = (const char *)s + settings_rows[row].at;
	const char	*text;
	struct buf	 b = { 0 };

	switch (settings_rows[row].kind) {
	case TEXT:
	case PATH:
		text = *(char *const *)(const void *)field;
		buf_adds(&b, text == NULL ? "" : text);
		break;
	case SIZE:
		buf_addf(&b, "%zu", *(const size_t *)(const void *)field);
		break;
	case LISTEN:
		for (size_t i = 0; i < s->nlisten; i++)
			buf_addf(&b, "%s ", s->listen_text[i]);
		break;
	default:
		buf_addf(&b, "%u", *(const unsigned *)(const void *)field);
	}
	buf_add(&b, "", 1);
	if (b.failed)
		settings_die(EXIT_CONFIG, "out of memory");
	return (b.data);
}

/* A key that has changed, to the list of them. */
static void
settings_name(struct buf *names, const char *section, const char *key)
{
	buf_addf(names, "%s[%s] %s", names->len > 0 ? ", " : "", section, key);
}

static int
settings_is_live(enum row row)
{
	for (size_t i = 0; i < nitems(settings_live); i++)
		if (settings_live[i] == row)
			return (1);
	return (0);
}

/* [gateway]: take what is asked at each use, name the rest. */
static void
settings_take_rows(struct settings *s, struct settings *fresh,
    struct buf *names)
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
		if (!settings_is_live((enum row)i)) {
			settings_name(names, "gateway", row->key);
			free(now);
			continue;
		}
		memcpy((char *)s + row->at, (char *)fresh + row->at,
		    row->kind == SIZE ? sizeof(size_t) : sizeof(unsigned));
		free(s->read[i]);
		s->read[i] = now;
	}
}

/* Of [worker]: what a has and b has not, or (same) has otherwise. */
static void
settings_name_options(const struct settings *a, const struct settings *b,
    int same, struct buf *names)
{
	const struct settings_option	*x, *y;
	const char			*key;

	for (size_t i = 0; i < a->noptions; i++) {
		x = &a->options[i];
		y = settings_find_option(b, x->key);
		if (!x->said || (y != NULL && y->said &&
		    (!same || strcmp(x->value, y->value) == 0)))
			continue;
		key = x->key;
		for (size_t k = 0; k < nitems(worker_rows); k++)
			if (strcmp(worker_rows[k].option, key) == 0)
				key = worker_rows[k].key;
		settings_name(names, "worker", key);
	}
}

/* What workers are told of routes that there are no more. */
static void
settings_forget_routes(struct settings *s)
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

int
settings_reload(struct settings *s, char *text, size_t size)
{
	struct settings	 fresh;
	struct load	 l = { .s = &fresh };
	struct routes	*old = s->routes;
	struct buf	 names = { .max = size };

	settings_init(&fresh);
	fresh.config = s->config == NULL ? NULL : settings_strdup(s->config);
	for (size_t i = 0; i < ROW_N; i++)
		if (s->flags & UINT64_C(1) << i)
			l.given[i] = FROM_FLAG;
	if (l.given[ROW_LIMIT] == FROM_FLAG)
		fresh.limit = s->limit;
	/* Whose routes are the default: those of the worker that runs. */
	if (settings_read(&l, s->worker, text, size) == -1)
		goto bad;
	if (fresh.line_max > fresh.head_max) {
		snprintf(text, size, "line_max (%zu) is more than head_max (%zu), "
		    "of which it is a part", fresh.line_max, fresh.head_max);
		goto bad;
	}
	settings_take_rows(s, &fresh, &names);
	settings_name_options(&fresh, s, 1, &names);
	settings_name_options(s, &fresh, 0, &names);
	snprintf(text, size, "%.*s", (int)names.len, names.len > 0 ?
	    names.data : "");
	buf_clear(&names);
	s->routes = fresh.routes;
	fresh.routes = old;
	settings_free(&fresh);
	settings_forget_routes(s);
	settings_routes(s);
	return (0);
bad:
	settings_free(&fresh);
	return (-1);
}

/* ---- helpers ---- */

static void
settings_die(int status, const char *fmt, ...)
{
	va_list	 ap;

	fputs("gatewayd: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

/* text, which must not be NULL. */
static char *
settings_have(char *text)
{
	if (text == NULL)
		settings_die(EXIT_CONFIG, "out of memory");
	return (text);
}

static char *
settings_strdup(const char *text)
{
	return (settings_have(strdup(text)));
}

static char *
settings_printf(const char *fmt, ...)
{
	va_list	 ap;
	char	*text;
	int	 n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n == -1)
		settings_die(EXIT_CONFIG, "out of memory");
	return (text);
}

/* The keys of [gateway] and [worker], and their values. */
#include <sys/stat.h>

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/config.h"
#include "common/networks.h"
#include "common/redis.h"
#include "gatewayd/route.h"
#include "gatewayd/routes.h"
#include "gatewayd/settings.h"
#include "gatewayd/settings_in.h"
#include "proto/http_head.h"
#include "proto/limits.h"

_Static_assert(ROW_N <= SETTINGS_ROWS && ROW_N <= 64, "a bit a key");

#define AT(field)	offsetof(struct settings, field)

const struct settings_row settings_rows[ROW_N] = {
	[ROW_WORKER]	= { "worker", TEXT, AT(worker), 0, 0, 0 },
	[ROW_LISTEN]	= { "listen", LISTEN, 0, 0, 0, 0 },
	[ROW_LIMIT]	= { "limit", UINT, AT(limit), 1, ROUTE_LIMIT_MAX, 1 },
	[ROW_SHARDS]	= { "shards", UINT, AT(shards), 1, SLOTS_MAX, 0 },
	[ROW_MAX_SHARDS] = { "max_shards", UINT, AT(max_shards), 1, SLOTS_MAX,
	    0 },
	[ROW_REDIS]	= { "redis", TEXT, AT(redis), 0, 0, 0 },
	[ROW_REDIS_PASSWORD_FILE] = { "redis_password_file", PATH,
	    AT(redis_password_file), 0, 0, 0 },
	[ROW_REDIS_USER] = { "redis_user", TEXT, AT(redis_user), 0, 0, 0 },
	[ROW_REDIS_CA_FILE] = { "redis_ca_file", PATH, AT(redis_ca_file), 0, 0,
	    0 },
	[ROW_REDIS_CERT_FILE] = { "redis_cert_file", PATH, AT(redis_cert_file),
	    0, 0, 0 },
	[ROW_REDIS_KEY_FILE] = { "redis_key_file", PATH, AT(redis_key_file), 0,
	    0, 0 },
	[ROW_NODE]	= { "node", TEXT, AT(node), 0, 0, 0 },
	[ROW_RUN_DIR]	= { "run_dir", PATH, AT(run_dir), 0, 0, 0 },
	[ROW_STATE_DIR]	= { "state_dir", PATH, AT(state_dir), 0, 0, 0 },
	[ROW_USER]	= { "user", TEXT, AT(user), 0, 0, 0 },
	[ROW_LOG_LEVEL]	= { "log_level", LEVEL, AT(log_level), 0, 0, 1 },
	[ROW_LOG_FORMAT] = { "log_format", FORMAT, AT(log_format), 0, 0, 0 },
	[ROW_ADMIN]	= { "admin", TEXT, AT(admin), 0, 0, 0 },
	[ROW_REDIS_PREFIX] = { "redis_prefix", TEXT, AT(redis_prefix), 0, 0,
	    0 },
	[ROW_CAPACITY]	= { "capacity", UINT, AT(capacity), 1, 10000000, 0 },
	[ROW_HEAD_TIMEOUT] = { "head_timeout", DURATION, AT(head_ms), 100,
	    3600000, 1 },
	[ROW_LINE_MAX]	= { "line_max", SIZE, AT(line_max), 64, 1 << 20, 1 },
	[ROW_HEAD_MAX]	= { "head_max", SIZE, AT(head_max), 256, 1 << 20, 1 },
	[ROW_HEADERS_MAX] = { "headers_max", SIZE, AT(headers_max), 1,
	    HTTP_HEADERS_MAX, 1 },
	[ROW_KEEP_MAX]	= { "keep_max", SIZE, AT(keep_max), 1, 1 << 20, 1 },
	[ROW_HANDSHAKES_MAX] = { "handshakes_max", UINT, AT(handshakes_max), 1,
	    10000000, 0 },
	[ROW_HOME_MAX]	= { "home_max", UINT, AT(home_max), 0, 10000000, 0 },
	[ROW_HOME_TIMEOUT] = { "home_timeout", DURATION, AT(home_ms), 100,
	    3600000, 1 },
	[ROW_WAITING_MAX] = { "waiting_max", UINT, AT(waiting_max), 0,
	    10000000, 0 },
	[ROW_LINGER_MAX] = { "linger_max", UINT, AT(linger_max), 0,
	    10000000, 0 },
	[ROW_WATCHDOG]	= { "watchdog", DURATION, AT(watchdog_ms), 100,
	    3600000, 0 },
	[ROW_DRAIN]	= { "drain", DURATION, AT(drain_ms), 0, 3600000, 0 },
	[ROW_COVER]	= { "cover", YESNO, AT(cover), 0, 0, 0 },
	[ROW_MOVE_RATE]	= { "move_rate", UINT, AT(move_rate), 1, 1000000, 1 },
	[ROW_BALANCE]	= { "balance", YESNO, AT(balance), 0, 0, 1 },
	[ROW_BALANCE_RATE] = { "balance_rate", UINT, AT(balance_rate), 1,
	    1000000, 1 },
	[ROW_UPGRADE_HOLD] = { "upgrade_hold", DURATION, AT(upgrade_hold_ms), 0,
	    86400000, 1 },
	[ROW_UPGRADE_WAIT] = { "upgrade_wait", DURATION, AT(upgrade_wait_ms),
	    1000, 86400000, 1 },
	[ROW_IDLE_SHARD] = { "idle_shard", DURATION, AT(idle_shard_ms), 100,
	    86400000, 0 },
	[ROW_ORPHAN]	= { "orphan", DURATION, AT(orphan_ms), 0, 86400000, 0 },
	[ROW_BACKLOG]	= { "backlog", UINT, AT(backlog), 1, 65535, 0 },
	[ROW_PER_ADDRESS] = { "per_address", LIMIT, AT(per_address), 1,
	    10000000, 1 },
	[ROW_ACCEPT_RATE] = { "accept_rate", LIMIT, AT(accept_rate), 1,
	    10000000, 1 },
	[ROW_SECCOMP]	= { "seccomp", YESNO, AT(seccomp), 0, 0, 0 },
	[ROW_CORE]	= { "core", YESNO, AT(core), 0, 0, 0 },
	[ROW_CLUSTER_KEY_FILE] = { "cluster_key_file", PATH,
	    AT(cluster_key_file), 0, 0, 0 },
	[ROW_LEAVE_PAUSE] = { "leave_pause", DURATION, AT(leave_pause_ms), 0,
	    3600000, 0 },
	[ROW_READY_REDIS] = { "ready_redis", YESNO, AT(ready_redis), 0, 0, 1 },
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
	{ "body_memory",	"body_memory",	SIZE, 0, 1 << 30 },
	{ "spool_max",		"spool_max",	SIZE, 0, UINT_MAX },
	{ "spool",		"spool",	PATH, 0, 0 },
	{ "unfinished_max",	"unfinished_max", SIZE, 1 << 16, UINT_MAX },
	{ "out_max",		"out_max",	SIZE, 1024, 1 << 30 },
	{ "request_timeout",	"request_ms",	DURATION, 100, 3600000 },
	{ "closing_timeout",	"closing_ms",	DURATION, 100, 3600000 },
	{ "ping_interval",	"ping_ms",	DURATION, 100, 3600000 },
	{ "come_back",		"come_back_ms",	DURATION, 0, 3600000 },
	{ "whisper_ask",	"whisper_ask",	UINT, 0, SLOTS_MAX },
	{ "deflate",		"deflate",	YESNO, 0, 0 },
	{ "pages",		"pages",	PATH, 0, 0 },
	{ "io_uring",		"io_uring",	YESNO, 0, 0 },
	{ "work_threads",	"work_threads",	UINT, 1, 64 },
	{ "work_queue",		"work_queue",	UINT, 1, 1000000 },
	{ "store_max",		"store_max",	SIZE, 1 << 16, 24 << 20 },
	{ "store_ttl",		"store_ttl",	LIFETIME, 1, 10 * 365 * 86400 },
	{ "store_visit_ttl",	"store_visit_ttl", LIFETIME, 1,
	    10 * 365 * 86400 },
	{ "store_replicas",	"store_replicas", UINT, 0, 16 },
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
	{ "ape_skew",		"ape_skew_ms",	DURATION, 0, 86400000 },
	{ "ape_age",		"ape_age_ms",	DURATION, 100, 86400000 },
	{ "ape_calls",		"ape_calls",	UINT, 1, 1000000 },
	{ "ape_file_max",	"ape_file_max",	SIZE, 1, UINT_MAX },
	{ "ape_session_max",	"ape_session_max", SIZE, 1, UINT_MAX },
	{ "ape_files_max",	"ape_files_max", SIZE, 1, UINT_MAX },
	{ "ape_tree_max",	"ape_tree_max",	SIZE, 1 << 16, 1 << 30 },
	{ "ape_namespace",	"ape_namespace", WORD, 0, 0 },
	{ "ape_server_id",	"ape_server_id", WORD, 0, 0 },
	{ "ape_forest",		"ape_forest",	FOREST, 0, 0 },
	{ "ape_key_file",	"ape_key_file",	FILE_PATH, 0, 0 },
	{ "ape_address",	"ape_address",	TEXT, 0, 0 },
	{ "pact_page",		"pact_page",	SIZE, 1000, 1 << 20 },
};

static int	 settings_listen(struct load *, const char *, int,
		    const char **);
static int	 settings_text(enum row, const char *, const char **);
static int	 settings_proxies(struct settings *, const char *);

void
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
	s->cover = 1;
	s->move_rate = 2000;
	s->balance_rate = 500;
	s->upgrade_hold_ms = 60000;
	s->upgrade_wait_ms = 600000;
	s->idle_shard_ms = 60000;
	s->orphan_ms = 60000;
	s->backlog = 4096;
	s->seccomp = -1;		/* as the worker is */
	if ((s->routes = routes_new()) == NULL)
		settings_die(EXIT_CONFIG, "out of memory");
}

int
settings_shared(const struct settings *s)
{
	return (strcmp(s->redis, "auto") != 0 && strcmp(s->redis, "none") != 0);
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
	inlets_clear(&s->inlets);
	uplinks_clear(&s->uplinks);
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

/* ---- values ---- */

int
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
	case FORMAT:
		if (log_format_parse(value,
		    (enum log_format *)(void *)field) == 0)
			return (0);
		*why = "is not one of text, json, journald";
		return (-1);
	case LISTEN:
		return (settings_listen(l, value, fresh, why));
	case YESNO:
		return (config_bool(value, (int *)(void *)field, why));
	case FILE_PATH:
	case NETWORKS:
	case LIFETIME:
	case WORD:
	case FOREST:
		break;			/* of [worker] only */
	}
	return (-1);
}

/* One address more to listen on; fresh: the first of its origin, which replaces
 * the others. */
static int
settings_listen(struct load *l, const char *value, int fresh,
    const char **why)
{
	if (fresh)
		inlets_unlisten(&l->s->inlets);
	return (inlets_listen(&l->s->inlets, value, why));
}

/* Is the value right for that key? */
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

/* Is it a name that may stand in keys?  0, or -1 with *why. */
static int
settings_word(const char *value, const char **why)
{
	if (strlen(value) >= 1 && strlen(value) <= 40 &&
	    value[strspn(value, "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")] == '\0')
		return (0);
	*why = "must be 1 to 40 letters, digits, '.', '_' or '-'";
	return (-1);
}

/* Is it an address by which servers can find each other?  0, or -1 with *why. */
static int
settings_forest(const char *value, const char **why)
{
	if (strcmp(value, "none") == 0 ||
	    strncmp(value, "postgresql://", 13) == 0 ||
	    strncmp(value, "postgres://", 11) == 0)
		return (0);
	return (redis_url_check(value, why));
}

int
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
	if (row->kind == WORD && settings_word(value, why) == -1)
		return (-1);
	if (row->kind == FOREST && settings_forest(value, why) == -1)
		return (-1);
	if (row->kind == TEXT || row->kind == NETWORKS || row->kind == WORD ||
	    row->kind == FOREST) {
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

/* Whose headers are believed. */
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

char *
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
		for (size_t i = 0; i < s->inlets.n; i++)
			if (s->inlets.list[i].label == NULL)
				buf_addf(&b, "%s ", s->inlets.list[i].text);
		break;
	default:
		buf_addf(&b, "%u", *(const unsigned *)(const void *)field);
	}
	buf_add(&b, "", 1);
	if (b.failed)
		settings_die(EXIT_CONFIG, "out of memory");
	return (b.data);
}

/* ---- what workers are told ---- */

struct settings_option *
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

const struct settings_option *
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

const char *
settings_worker_key(const char *option)
{
	for (size_t i = 0; i < nitems(worker_rows); i++)
		if (strcmp(worker_rows[i].option, option) == 0)
			return (worker_rows[i].key);
	return (option);
}

/* ---- helpers ---- */

char *
settings_absolute(const char *path)
{
	char	 cwd[PATH_MAX];

	if (path[0] == '/' || getcwd(cwd, sizeof(cwd)) == NULL)
		return (settings_strdup(path));
	return (settings_printf("%s/%s", cwd, path));
}

/* A line of what is wrong. */
static void
settings_complain(const char *fmt, va_list ap)
{
	fputs("gatewayd: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

void
settings_die(int status, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	settings_complain(fmt, ap);
	va_end(ap);
	exit(status);
}

void
settings_fault(struct settings *s, const char *fmt, ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	settings_complain(fmt, ap);
	va_end(ap);
	if (!s->check)
		exit(EXIT_CONFIG);
	s->faults++;
}

char *
settings_have(char *text)
{
	if (text == NULL)
		settings_die(EXIT_CONFIG, "out of memory");
	return (text);
}

char *
settings_strdup(const char *text)
{
	return (settings_have(strdup(text)));
}

char *
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

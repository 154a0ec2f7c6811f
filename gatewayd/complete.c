/* What nobody said in the settings, and what does not go together. */
#include <sys/resource.h>
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "common/bytes.h"
#include "common/memory.h"
#include "common/proc.h"
#include "common/redis_url.h"
#include "common/secret.h"
#include "gatewayd/complete.h"
#include "gatewayd/cpus.h"
#include "gatewayd/paths.h"
#include "gatewayd/routes.h"
#include "gatewayd/settings.h"
#include "gatewayd/settings_in.h"
#include "proto/keys.h"
#include "proto/limits.h"

#define UNFINISHED_LEAST ((size_t)32 << 20)	/* two large messages */
#define DESCRIPTORS	256	/* kept for other than client connections */

/* As many shards as there are processors for us. */
static unsigned
complete_cpus(void)
{
	unsigned	 n = cpus_allowed();

	return (n < 2 ? 2 : n > SLOTS_MAX ? SLOTS_MAX : n);
}

/* Where the administrator asks: a port alone is of this machine only. */
static void
complete_admin(struct settings *s)
{
	const char	*port, *why;
	char		*text;

	if (s->admin == NULL)
		s->admin = settings_printf("unix:%s/admin.sock mode=0600",
		    s->run_dir);
	if (strcmp(s->admin, "none") == 0)
		return;
	port = s->admin + (s->admin[0] == ':');
	if (port[0] != '\0' && port[strspn(port, "0123456789")] == '\0') {
		text = settings_printf("127.0.0.1:%s", port);
		free(s->admin);
		s->admin = text;
	}
	if (sock_parse(s->admin, &s->admin_addr, &why) == -1)
		settings_fault(s, "admin %s: %s", s->admin, why);
}

void
complete_settings(struct load *l)
{
	struct settings	*s = l->s;
	char		 text[32];
	int		 shards = l->given[ROW_SHARDS] != BUILT_IN;
	int		 most = l->given[ROW_MAX_SHARDS] != BUILT_IN;
	size_t		 unfinished;

	/* Also instead of wrong ones, which are said already. */
	if (!shards || s->shards == 0)
		s->shards = complete_cpus();
	if (!most || s->max_shards == 0)
		s->max_shards = s->shards > 32 ? s->shards : 32;
	else if (!shards && s->shards > s->max_shards)
		s->shards = s->max_shards;
	if (s->max_shards < s->shards)
		settings_fault(s, "max_shards is %u, less than the %u "
		    "shards to start with; give --max-shards %u or more",
		    s->max_shards, s->shards, s->shards);
	if (s->line_max > s->head_max)
		settings_fault(s, "line_max (%zu) is more than head_max "
		    "(%zu), of which it is a part", s->line_max, s->head_max);
	if (s->redis == NULL)
		s->redis = settings_strdup("auto");
	if (s->redis_prefix == NULL)
		s->redis_prefix = settings_strdup(KEYS_PREFIX);
	if (s->run_dir == NULL)
		s->run_dir = settings_have(paths_run_dir());
	if (s->state_dir == NULL)
		s->state_dir = settings_have(paths_state_dir());
	if (strlen(s->run_dir) <= RUN_DIR_MAX)
		complete_admin(s);
	else
		settings_fault(s, "the run directory's path %s is %zu "
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
	complete_routes(s);
}

#define CLUSTER_KEY_MIN	16		/* bytes */

/* The password of the environment goes into the URL, if that has none. */
static void
complete_password(struct settings *s, const char *password)
{
	const char	*door = redis_url_door(s->redis);
	struct buf	 url = { 0 };

	if (door == NULL || strchr(s->redis, '@') != NULL ||
	    s->redis_password_file != NULL ||
	    strstr(door, "?password_file=") != NULL ||
	    strstr(door, "&password_file=") != NULL)
		return;
	buf_addf(&url, "%.*s:", (int)(door - s->redis), s->redis);
	bytes_percent(&url, slice_str(password));
	buf_addf(&url, "@%s", door);
	if (url.failed)
		settings_die(EXIT_CONFIG, "out of memory");
	free(s->redis);
	s->redis = settings_strdup(url.data);
	explicit_bzero(url.data, url.len);
	buf_clear(&url);
}

/*
 * What else is said of Redis goes behind the URL: with that a shard, too, knows all
 * that is to be known for a connection.
 */
static void
complete_redis(struct settings *s)
{
	static const enum row	 rows[] = { ROW_REDIS_USER,
				    ROW_REDIS_PASSWORD_FILE, ROW_REDIS_CA_FILE,
				    ROW_REDIS_CERT_FILE, ROW_REDIS_KEY_FILE };
	const char		*key, *value, *why, *mode = s->redis;
	struct buf		 url = { 0 };

	buf_adds(&url, mode == NULL ? "auto" : mode);
	for (size_t i = 0; i < nitems(rows); i++) {
		key = settings_rows[rows[i]].key;
		value = *(char *const *)(const void *)((const char *)s +
		    settings_rows[rows[i]].at);
		if (value == NULL)
			continue;
		if (mode == NULL || strcmp(mode, "auto") == 0 ||
		    strcmp(mode, "none") == 0)
			settings_die(EXIT_CONFIG, "%s is for a Redis of yours; "
			    "say where it is with redis = URL, or leave %s out",
			    key, key);
		buf_addf(&url, "%c%s=", memchr(url.data, '?', url.len) == NULL ?
		    '?' : '&', key + strlen("redis_"));
		bytes_percent(&url, slice_str(value));
	}
	if (buf_add(&url, "", 1) == -1)
		settings_die(EXIT_CONFIG, "out of memory");
	if (mode != NULL && strlen(mode) + 1 != url.len) {
		if (redis_url_check(url.data, &why) == -1)
			settings_die(EXIT_CONFIG, "redis, with the redis_ keys "
			    "beside it: %s", why);
		free(s->redis);
		s->redis = settings_strdup(url.data);
	}
	explicit_bzero(url.data, url.len);
	buf_clear(&url);
}

/* Can nobody but us and Redis hear and say what goes between us? */
static int
complete_is_private(const struct redis_url *u)
{
	size_t	 away = 0;

	for (size_t i = 0; i < u->nplaces; i++)
		if (strncmp(u->places[i].host, "127.", 4) != 0 &&
		    strcmp(u->places[i].host, "::1") != 0 &&
		    strcmp(u->places[i].host, "localhost") != 0)
			away++;
	return (u->path != NULL || u->tls || away == 0);
}

/*
 * May this be one of several nodes?  Who may publish may speak as any of them: where
 * others could, nodes know each other by a key.
 */
static void
complete_cluster(struct settings *s)
{
	struct redis_url	 url;
	const char		*why = NULL;
	char			*key = NULL;

	if (s->redis == NULL || !settings_shared(s))
		return;
	if (s->cluster_key_file != NULL &&
	    ((key = secret_read(s->cluster_key_file, &why)) == NULL ||
	    strlen(key) < CLUSTER_KEY_MIN)) {
		settings_fault(s, "cluster_key_file %s: %s", s->cluster_key_file,
		    key == NULL ? why : "the key is shorter than 16 bytes");
		free(key);
		return;
	}
	s->cluster = key != NULL || (redis_url_parse(&url, s->redis) == NULL &&
	    complete_is_private(&url));
	if (key == NULL)
		redis_url_clear(&url);
	else {
		settings_option(s, "cluster_key", key);
		explicit_bzero(key, strlen(key));
	}
	free(key);
	if (s->cluster)
		settings_option(s, "cluster", "yes");
}

/* Where other servers reach the admin listener, or NULL: nowhere. */
static char *
complete_ape_address(const struct settings *s)
{
	const char			*said = settings_find(s, "ape_address");
	const struct sockaddr_in	*in = (const void *)&s->admin_addr.ss;
	const struct sockaddr_in6	*in6 = (const void *)&s->admin_addr.ss;
	char				 host[65] = "", text[128];
	int				 any;

	if (said != NULL)
		return (settings_strdup(said));
	if (s->admin_addr.len == 0 || in->sin_family == AF_UNIX)
		return (NULL);
	any = in->sin_family == AF_INET ?
	    in->sin_addr.s_addr == htonl(INADDR_ANY) :
	    IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
	if (!any)
		return (settings_strdup(sock_format(text, sizeof(text),
		    (const struct sockaddr *)in, s->admin_addr.len)));
	gethostname(host, sizeof(host) - 1);
	return (settings_printf("%s:%u", host, ntohs(in->sin_family == AF_INET ?
	    in->sin_port : in6->sin6_port)));
}

/*
 * By what servers know each other that bring each other files, at their admin listeners:
 * a key of their own, or that of the cluster.
 */
void
complete_ape(struct settings *s)
{
	const char	*path = settings_find(s, "ape_key_file");
	const char	*known = settings_find(s, "cluster_key"), *why = NULL;
	char		*key = NULL, *address;

	if (path == NULL && known == NULL)
		return;
	key = path == NULL ? settings_strdup(known) : secret_read(path, &why);
	if (key == NULL || strlen(key) < CLUSTER_KEY_MIN)
		settings_fault(s, "ape_key_file %s: %s", path, key == NULL ?
		    why : "the key is shorter than 16 bytes");
	else {
		settings_option(s, "ape_key", key);
		if ((address = complete_ape_address(s)) != NULL)
			settings_option(s, "ape_address", address);
		free(address);
	}
	if (key != NULL)
		explicit_bzero(key, strlen(key));
	free(key);
}

void
complete_secrets(struct settings *s)
{
	char	*key = secret_take("KENNEL_SIGNING_KEY");
	char	*password = secret_take("KENNEL_REDIS_PASSWORD");

	if (key != NULL && strlen(key) > SIGNING_KEY_MAX)
		settings_fault(s, "KENNEL_SIGNING_KEY is longer than "
		    "%d bytes", SIGNING_KEY_MAX);
	if (key != NULL)
		settings_option(s, "signing_key", key);
	free(key);
	if (password != NULL && s->redis != NULL)
		complete_password(s, password);
	free(password);
	complete_redis(s);
	complete_cluster(s);
}

/* ---- the routes ---- */

/* A route that the front page links to. */
static void
complete_link_cb(const char *link, const char *about, void *arg)
{
	buf_addf(arg, "%s %s\n", link, about);
}

/* A key of a route that the workers are to know. */
static void
complete_policy_cb(const char *label, const char *key, const char *value,
    void *arg)
{
	char	*option = settings_printf("route.%s.%s", label, key);

	settings_option(arg, option, value)->live = 1;
	free(option);
}

/* What the workers are to know of raw listeners. */
static void
complete_listeners(struct settings *s)
{
	const struct inlet	*in;
	struct buf		 b = { 0 };
	char			*option;

	for (size_t i = 0; i < s->inlets.n; i++) {
		in = &s->inlets.list[i];
		if (in->route == NULL)
			continue;
		buf_reset(&b);
		inlet_tell(in, &b);
		if (buf_add(&b, "", 1) == -1)
			settings_have(NULL);
		option = settings_printf("listener %s", in->label);
		settings_option(s, option, b.data)->live = 1;
		free(option);
	}
	buf_clear(&b);
}

/* What the workers are to know of other clusters, which are said in words of their
 * own. */
static void
complete_uplinks(struct settings *s)
{
	struct buf	 b = { 0 };

	uplinks_tell(&s->uplinks, &b);
	if (buf_add(&b, "", 1) == -1)
		settings_have(NULL);
	settings_option(s, "uplinks", b.data)->live = 1;
	buf_clear(&b);
}

void
complete_routes(struct settings *s)
{
	struct buf	 links = { .max = 32 << 10 };	/* fits into a packet */

	routes_policies(s->routes, complete_policy_cb, s);
	complete_listeners(s);
	complete_uplinks(s);

	routes_links(s->routes, complete_link_cb, &links);
	settings_option(s, "links", buf_add(&links, "", 1) == -1 ? "" :
	    links.data)->live = 1;
	buf_clear(&links);
	settings_option(s, "log_level", log_level_name(s->log_level))->live =
	    1;
}

/* ---- users and programs ---- */

void
complete_user(struct settings *s)
{
	const struct passwd	*pw;

	s->uid = geteuid();
	s->gid = getegid();
	if (s->user == NULL)
		return;
	if ((pw = getpwnam(s->user)) == NULL) {
		settings_fault(s, "user %s: no such user; useradd "
		    "--system %s makes one", s->user, s->user);
		return;
	}
	if (s->uid != 0 && s->uid != pw->pw_uid)
		settings_fault(s, "only root can become user %s; start "
		    "as root, or leave user out", s->user);
	s->uid = pw->pw_uid;
	s->gid = pw->pw_gid;
}

int
complete_is_ours(const char *worker)
{
	const char	*slash;

	if (worker == NULL)
		return (1);
	slash = strrchr(worker, '/');
	return (strcmp(slash == NULL ? worker : slash + 1, "shardd") == 0);
}

/* Why path cannot be run, or NULL. */
static const char *
complete_program_fault(const char *path)
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

void
complete_worker(struct load *l)
{
	struct settings	*s = l->s;
	char		 exe[PATH_MAX], *path = NULL, *built;
	const char	*name = s->worker == NULL ? "shardd" : s->worker;
	const char	*why = NULL;

	if (strchr(name, '/') != NULL) {
		if ((why = complete_program_fault(name)) != NULL)
			settings_fault(s, "worker %s: %s", name, why);
		else
			path = settings_absolute(name);
	} else if (proc_exe_dir(exe, sizeof(exe)) == 0) {
		path = paths_program(exe, name);
		if (path == NULL && s->worker == NULL) {
			/* gatewayd is not installed: the worker of the build. */
			built = settings_printf("%s/../shardd", exe);
			path = paths_program(built, name);
			free(built);
		}
	}
	if (path == NULL && why == NULL &&
	    (path = paths_program(NULL, name)) == NULL)
		settings_fault(s, "worker %s: no such program beside "
		    "gatewayd or in PATH; give its path with --worker", name);
	free(s->worker);
	s->worker = path;
	/* Of ours we know what it needs. */
	if (l->given[ROW_SECCOMP] == BUILT_IN)
		s->seccomp = complete_is_ours(path);

	if (strcmp(s->redis, "auto") != 0)
		return;
	if ((path = paths_program(NULL, "redis-server")) == NULL)
		settings_fault(s, "redis-server is not in PATH; install "
		    "it, give another with --redis URL, or do without: --redis "
		    "none");
	free(path);
}

/* ---- descriptors ---- */

/* Bounds on connections that the gateway itself has. */
static const enum row complete_bounds[] = { ROW_HANDSHAKES_MAX, ROW_HOME_MAX,
    ROW_WAITING_MAX, ROW_LINGER_MAX };

/* The value of a bound. */
static unsigned *
complete_bound(struct settings *s, size_t i)
{
	return ((unsigned *)(void *)((char *)s +
	    settings_rows[complete_bounds[i]].at));
}

/*
 * need is more than hard: say what must be raised, or which keys must be lowered,
 * the largest first, if that is enough.
 */
static void
complete_too_many(struct load *l, size_t need, size_t hard)
{
	struct {
		const char	*key;
		size_t		 takes;
	}		 keys[nitems(complete_bounds) + 3], *most;
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
		for (size_t i = 0; i < nitems(complete_bounds); i++) {
			if (l->given[complete_bounds[i]] == BUILT_IN)
				continue;
			keys[n].key = settings_rows[complete_bounds[i]].key;
			keys[n++].takes = *complete_bound(s, i);
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
	settings_fault(s, "this needs %zu file descriptors, but %zu are "
	    "allowed; raise that (ulimit -Hn %zu, or LimitNOFILE=%zu in the "
	    "unit)%s", need, hard, need, need, text.data);
	buf_clear(&text);
}

void
complete_fit(struct load *l)
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
	for (size_t i = 0; i < nitems(complete_bounds); i++) {
		if (l->given[complete_bounds[i]] == BUILT_IN)
			free_rows++;
		else
			left += *complete_bound(s, i);
	}
	need = left + 16 * free_rows;
	/* A shard, too, must bear what is asked of it. */
	if (s->capacity != 0 && need < (size_t)s->capacity + DESCRIPTORS)
		need = (size_t)s->capacity + DESCRIPTORS;
	if (s->limit != 0 && need < (size_t)s->limit + DESCRIPTORS)
		need = (size_t)s->limit + DESCRIPTORS;
	if (need > hard) {
		complete_too_many(l, need, hard);
		return;
	}
	left = hard - left;
	for (size_t i = 0; i < nitems(complete_bounds); i++) {
		if (l->given[complete_bounds[i]] != BUILT_IN)
			continue;
		field = complete_bound(s, i);
		share = left / free_rows;
		if (*field > share)
			*field = (unsigned)share;
	}
}

/* Flags and the INI file, as one struct. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <check.h>

#include "common/bytes.h"
#include "gatewayd/routes.h"
#include "gatewayd/configuration.h"
#include "gatewayd/settings.h"
#include "proto/limits.h"

static char		 dir[] = "/tmp/kennel-settings-XXXXXX";
static char		 file[64], worker[64];
static struct settings	 s;
static char		 out[8192];	/* what a run said */

static void
make(const char *path, const char *text, mode_t mode)
{
	FILE	*f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_int_eq(chmod(path, mode), 0);
}

static void
setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/kennel.ini", dir);
	snprintf(worker, sizeof(worker), "%s/shardd", dir);
	make(worker, "#!/bin/sh\n", 0755);
}

static void
teardown(void)
{
	char	 cmd[128];

	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
}

#define ARGS_MAX	24

/* argv of NULL-terminated words, behind the flags that every test needs. */
static int
arguments(char **argv, const char *const *words)
{
	static char	 text[ARGS_MAX][256];
	int		 argc = 0;

	argv[argc++] = strcpy(text[0], "gatewayd");
	for (; *words != NULL; words++, argc++)
		argv[argc] = strcpy(text[argc], *words);
	argv[argc] = NULL;
	return (argc);
}

static void
load(const char *const *words)
{
	char	*argv[ARGS_MAX];
	int	 argc = arguments(argv, words);

	configuration_load(&s, argc, argv);
}
#define LOAD(...)							\
	load((const char *const []){ "--worker", worker, "--redis", "none",	\
	    __VA_ARGS__, NULL })

/* Load in a process of its own: its status, and out is what it printed. */
static int
run(const char *const *words)
{
	char	*argv[ARGS_MAX];
	int	 argc = arguments(argv, words), fds[2], status;
	size_t	 len = 0;
	ssize_t	 n;
	pid_t	 pid;

	ck_assert_int_eq(pipe(fds), 0);
	fflush(NULL);
	if ((pid = fork()) == 0) {
		dup2(fds[1], 1);
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		configuration_load(&s, argc, argv);
		settings_free(&s);
		exit(99);
	}
	close(fds[1]);
	while ((n = read(fds[0], out + len, sizeof(out) - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return (WEXITSTATUS(status));
}

static void
fails_with(int status, const char *word, const char *const *words)
{
	int	 got = run(words);

	ck_assert_msg(got == status && strstr(out, word) != NULL,
	    "status %d: %s", got, out);
	/* One sentence, on one line. */
	ck_assert_int_eq(strncmp(out, "gatewayd: ", 10), 0);
	ck_assert_ptr_eq(strchr(out, '\n'), out + strlen(out) - 1);
}
#define FAILS(status, word, ...)					\
	fails_with(status, word, (const char *const []){ "--worker", worker,	\
	    "--redis", "none", __VA_ARGS__, NULL })

static const char *
option(const char *key)
{
	for (size_t i = 0; i < s.noptions; i++)
		if (strcmp(s.options[i].key, key) == 0)
			return (s.options[i].value);
	return (NULL);
}

static int
routed(const char *target, struct route_match *m)
{
	static struct http_head	 h;
	static char		 text[1024];
	const char		*why;
	size_t			 scanned = 0;
	int			 n;

	n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n\r\n",
	    target);
	ck_assert_int_eq(http_head_parse(&h, text, (size_t)n, &scanned,
	    &http_limits_default), PARSE_DONE);
	return (routes_find(s.routes, &h, m, &why));
}

START_TEST(nothing_need_be_said)
{
	struct route_match	 m;

	LOAD("--log-level", "warn");
	ck_assert_uint_eq(s.inlets.n, 3);
	ck_assert_str_eq(s.inlets.list[0].text, "8080");
	ck_assert_str_eq(s.inlets.list[1].text, "9010");
	ck_assert_str_eq(s.inlets.list[2].text, "5000");
	ck_assert(s.inlets.list[2].built_in);
	ck_assert_uint_ge(s.shards, 2);
	ck_assert_uint_eq(s.max_shards, 32);
	ck_assert_uint_eq(s.limit, 0);
	ck_assert_uint_eq(s.head_ms, 10000);
	ck_assert_uint_eq(s.line_max, 8192);
	ck_assert_uint_eq(s.head_max, 32768);
	ck_assert_uint_eq(s.headers_max, 100);
	ck_assert_uint_eq(s.home_ms, 15000);
	ck_assert_uint_eq(s.watchdog_ms, 10000);
	ck_assert_uint_eq(s.backlog, 4096);
	ck_assert_str_eq(s.redis_prefix, "kennel:");
	ck_assert_str_eq(s.worker, worker);
	ck_assert_int_eq(s.run_dir[0], '/');
	ck_assert_int_eq(s.state_dir[0], '/');
	ck_assert_ptr_null(s.node);
	ck_assert_str_eq(option("drain_ms"), "10000");
	ck_assert_str_eq(option("orphan_ms"), "60000");
	ck_assert_ptr_nonnull(strstr(option("links"),
	    "/lobby/kennel Chat room"));
	ck_assert_ptr_nonnull(strstr(option("links"), "\n/echo Echo"));
	ck_assert_str_eq(option("shards"), s.shards == 2 ? "2" :
	    option("shards"));
	ck_assert_ptr_null(option("message_max"));

	ck_assert_int_eq(routed("/", &m), 0);
	ck_assert_str_eq(m.app, "front");
	ck_assert_int_eq(m.has_group, 0);
	ck_assert_int_eq(routed("/pages/chat.css", &m), 0);
	ck_assert_int_eq(routed("/healthz", &m), 0);
	ck_assert_int_eq(routed("/favicon.ico", &m), 0);
	ck_assert_str_eq(m.app, "front");
	ck_assert_int_eq(routed("/lobby/x", &m), 0);
	ck_assert_str_eq(m.app, "chat");
	ck_assert_int_eq(m.has_group, 0);
	for (int i = 0; i < 4; i++) {
		static const char	*const verbs[] = { "/ws", "/broadcast",
		    "/whisper", "/emit" };
		char			 target[64];

		snprintf(target, sizeof(target), "/lobby/a%%20b%s?u=bob",
		    verbs[i]);
		ck_assert_int_eq(routed(target, &m), 0);
		ck_assert(slice_is(m.group, "a b"));
		ck_assert(slice_is(m.uid, "bob"));
		ck_assert_uint_eq(m.limit, 2);
		ck_assert_int_eq(routed(verbs[i], &m), 0);
		ck_assert(slice_is(m.group, "lobby-id"));
		ck_assert(slice_is(m.uid, "anon"));
		ck_assert_uint_eq(m.limit, 2);
	}
	ck_assert_int_eq(routed("/echo", &m), 0);
	ck_assert_str_eq(m.app, "echo");
	ck_assert_int_eq(routed("/chats", &m), -1);
	ck_assert_int_eq(routed("/api/x", &m), -1);
	settings_free(&s);
}
END_TEST

START_TEST(flags_win_over_the_file)
{
	make(file,
	    "[gateway]\n"
	    "listen = 9001\n"
	    "listen = 127.0.0.1:9002\n"
	    "shards = 3\n"
	    "max_shards = 5\n"
	    "limit = 7\n"
	    "node = alpha\n"
	    "log_level = warn\n"
	    "head_timeout = 500ms\n"
	    "head_max = 16k\n"
	    "home_max = 0\n"
	    "drain = 2\n"
	    "redis_prefix = k2:\n", 0644);
	LOAD("--config", file);
	ck_assert_uint_eq(s.inlets.n, 2);
	ck_assert_str_eq(s.inlets.list[1].text, "127.0.0.1:9002");
	ck_assert_uint_eq(s.shards, 3);
	ck_assert_uint_eq(s.max_shards, 5);
	ck_assert_uint_eq(s.limit, 7);
	ck_assert_str_eq(s.node, "alpha");
	ck_assert_int_eq(s.log_level, LOG_LEVEL_WARN);
	ck_assert_uint_eq(s.head_ms, 500);
	ck_assert_uint_eq(s.head_max, 16384);
	ck_assert_uint_eq(s.home_max, 0);
	ck_assert_uint_eq(s.drain_ms, 2000);
	ck_assert_str_eq(s.redis_prefix, "k2:");
	settings_free(&s);

	LOAD("--config", file, "--listen", "unix:/tmp/x", "--shards", "4",
	    "--limit", "9", "--node", "beta", "--log-level", "debug");
	ck_assert_uint_eq(s.inlets.n, 1);
	ck_assert_str_eq(s.inlets.list[0].text, "unix:/tmp/x");
	ck_assert_uint_eq(s.shards, 4);
	ck_assert_uint_eq(s.max_shards, 5);
	ck_assert_uint_eq(s.limit, 9);
	ck_assert_str_eq(s.node, "beta");
	ck_assert_int_eq(s.log_level, LOG_LEVEL_DEBUG);
	settings_free(&s);
}
END_TEST

/* Of its name, too. */
START_TEST(the_built_in_listener_goes_with_the_first_of_a_file)
{
	make(file, "[listener events]\naddress = 5001\napp = events\n"
	    "group = const:g\n", 0644);
	LOAD("--config", file);
	ck_assert_uint_eq(s.inlets.n, 1);
	ck_assert_str_eq(s.inlets.list[0].text, "5001");
	ck_assert(!s.inlets.list[0].built_in);
	settings_free(&s);

	make(file, "[worker]\nmessage_max = 1M\n", 0644);
	LOAD("--config", file);
	ck_assert_uint_eq(s.inlets.n, 3);
	settings_free(&s);
	LOAD("--config", file, "--listen", "1234");
	ck_assert_uint_eq(s.inlets.n, 1);
	settings_free(&s);
}
END_TEST

START_TEST(a_limit_is_for_every_route)
{
	struct route_match	 m;

	LOAD("--limit", "5");
	ck_assert_int_eq(routed("/ws", &m), 0);
	ck_assert_uint_eq(m.limit, 5);
	settings_free(&s);
}
END_TEST

START_TEST(a_file_with_routes_replaces_the_built_in_ones)
{
	struct route_match	 m;

	make(file, "[worker]\nping_interval = 1s\n", 0644);
	LOAD("--config", file);
	ck_assert_int_eq(routed("/echo", &m), 0);
	settings_free(&s);

	make(file,
	    "[route mine]\n"
	    "path = /mine/*\n"
	    "app = mine\n"
	    "[route front]\n"
	    "path = /\n"
	    "app = mine\n"
	    "link = /\n", 0644);
	LOAD("--config", file);
	ck_assert_int_eq(routed("/mine/1", &m), 0);
	ck_assert_str_eq(m.app, "mine");
	ck_assert_int_eq(routed("/", &m), 0);
	ck_assert_int_eq(routed("/echo", &m), -1);
	ck_assert_str_eq(option("links"), "/ front\n");
	settings_free(&s);
}
END_TEST

START_TEST(another_worker_has_every_path)
{
	char			 theirs[80];
	struct route_match	 m;

	snprintf(theirs, sizeof(theirs), "%s/theirs", dir);
	make(theirs, "#!/bin/sh\n", 0755);
	LOAD("--worker", theirs);
	ck_assert(s.own_routes);
	ck_assert_int_eq(routed("/a/b?u=ann", &m), 0);
	ck_assert_str_eq(m.app, "main");
	ck_assert(slice_is(m.group, "a") && slice_is(m.uid, "ann"));
	ck_assert_int_eq(routed("/", &m), 0);
	ck_assert(slice_is(m.group, "main") && m.uid.len == 36);
	ck_assert_int_eq(routed("//x", &m), 0);
	ck_assert(slice_is(m.group, "main"));
	settings_free(&s);
}
END_TEST

START_TEST(routes_may_be_read_again)
{
	static const char	 one[] = "[route a]\npath = /a\napp = x\n";
	struct route_match	 m;
	struct configuration_news news;

	make(file, one, 0644);
	LOAD("--config", file, "--shards", "3");
	make(file, "[gateway]\nlimit = 5\nshards = 9\n[route b]\npath = /b\n"
	    "app = x\nlink = /b\n", 0644);
	ck_assert_int_eq(configuration_reload(&s, &news), 0);
	ck_assert_int_eq(routed("/a", &m), -1);
	ck_assert_int_eq(routed("/b", &m), 0);
	ck_assert_uint_eq(m.limit, 5);
	ck_assert_uint_eq(s.shards, 3);
	ck_assert_str_eq(option("links"), "/b b\n");
	ck_assert_str_eq(news.taken, "[gateway] limit, the routes, "
	    "[listener events]");
	ck_assert_str_eq(news.left, "");
	/* A mistake changes nothing. */
	for (int i = 0; i < 3; i++) {
		static const char	*const texts[] = {
			"[route a]\npath = /a\n", "[gateway]\nlimit = x\n",
			"nonsense" };

		make(file, texts[i], 0644);
		ck_assert_int_eq(configuration_reload(&s, &news), -1);
		ck_assert_ptr_nonnull(strstr(news.error, "kennel.ini:"));
		ck_assert_int_eq(routed("/b", &m), 0);
	}
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(configuration_reload(&s, &news), -1);
	settings_free(&s);

	LOAD("--limit", "7");
	ck_assert_int_eq(configuration_reload(&s, &news), 0);
	ck_assert_int_eq(routed("/ws", &m), 0);
	ck_assert_uint_eq(m.limit, 7);
	settings_free(&s);
}
END_TEST

START_TEST(worker_options_are_plain_numbers)
{
	make(file,
	    "[gateway]\n"
	    "drain = 1500ms\n"
	    "orphan = 5m\n"
	    "[worker]\n"
	    "message_max = 2M\n"
	    "chat_message_max = 5k\n"
	    "pact_message_max = 1M\n"
	    "turn = 20ms\n"
	    "body_max = 4k\n"
	    "out_max = 1M\n"
	    "request_timeout = 3s\n"
	    "closing_timeout = 250ms\n"
	    "ping_interval = 1m\n"
	    "whisper_ask = 0\n"
	    "deflate = yes\n"
	    "pages = /tmp\n"
	    "app.greeting = hello, world\n"
	    "x-thing = 10s\n"
	    "x-thing = 20s\n", 0644);
	LOAD("--config", file);
	ck_assert_str_eq(option("message_max"), "2097152");
	ck_assert_str_eq(option("chat_message_max"), "5120");
	ck_assert_str_eq(option("pact_message_max"), "1048576");
	ck_assert_str_eq(option("turn_ms"), "20");
	ck_assert_str_eq(option("body_max"), "4096");
	ck_assert_str_eq(option("out_max"), "1048576");
	ck_assert_str_eq(option("request_ms"), "3000");
	ck_assert_str_eq(option("closing_ms"), "250");
	ck_assert_str_eq(option("ping_ms"), "60000");
	ck_assert_str_eq(option("whisper_ask"), "0");
	ck_assert_str_eq(option("deflate"), "1");
	ck_assert_str_eq(option("drain_ms"), "1500");
	ck_assert_str_eq(option("orphan_ms"), "300000");
	ck_assert_str_eq(option("pages"), "/tmp");
	ck_assert_str_eq(option("app.greeting"), "hello, world");
	ck_assert_str_eq(option("x-thing"), "20s");
	settings_free(&s);
}
END_TEST

/* Zero is no way to say "as much as you like": each is refused, or means zero. */
static const struct {
	const char	*section, *key, *taken;	/* NULL: refused */
} zeros[] = {
	{ "gateway", "limit", NULL }, { "gateway", "shards", NULL },
	{ "gateway", "max_shards", NULL }, { "gateway", "capacity", NULL },
	{ "gateway", "head_timeout", NULL }, { "gateway", "line_max", NULL },
	{ "gateway", "head_max", NULL }, { "gateway", "headers_max", NULL },
	{ "gateway", "handshakes_max", NULL }, { "gateway", "home_max", "" },
	{ "gateway", "home_timeout", NULL }, { "gateway", "waiting_max", "" },
	{ "gateway", "watchdog", NULL }, { "gateway", "drain", "" },
	{ "gateway", "backlog", NULL }, { "gateway", "per_address", NULL },
	{ "gateway", "accept_rate", NULL },
	{ "worker", "message_max", NULL }, { "worker", "body_max", "body_max" },
	{ "worker", "out_max", NULL }, { "worker", "request_timeout", NULL },
	{ "worker", "closing_timeout", NULL },
	{ "worker", "ping_interval", NULL },
	{ "worker", "whisper_ask", "whisper_ask" },
	{ "worker", "store_max", NULL }, { "worker", "pact_rooms", NULL },
	{ "worker", "pact_sessions", NULL },
	{ "worker", "pact_counters", "pact_counters" },
	{ "worker", "pact_polls", "pact_polls" },
	{ "worker", "pact_answers", NULL }, { "worker", "pact_name", NULL },
	{ "worker", "pact_properties", NULL },
	{ "worker", "pact_config", "pact_config" },
	{ "worker", "pact_subscriptions", "pact_subscriptions" },
	{ "worker", "pact_relays", "pact_relays" },
	{ "route x", "limit", NULL }, { "route x", "message_rate", NULL },
	{ "route x", "message_burst", NULL }, { "route x", "byte_rate", NULL },
};

START_TEST(zero_is_refused_or_means_zero)
{
	char	 text[256], word[64];

	snprintf(text, sizeof(text), "[%s]\n%s = 0\n%s", zeros[_i].section,
	    zeros[_i].key, zeros[_i].section[0] == 'r' ?
	    "path = /\napp = x\n" : "");
	make(file, text, 0644);
	if (zeros[_i].taken == NULL) {
		snprintf(word, sizeof(word), "[%s] %s: must be ",
		    zeros[_i].section, zeros[_i].key);
		FAILS(1, word, "--config", file);
		return;
	}
	LOAD("--config", file);
	if (zeros[_i].taken[0] != '\0')
		ck_assert_str_eq(option(zeros[_i].taken), "0");
	settings_free(&s);
}
END_TEST

START_TEST(no_limit_is_none)
{
	make(file, "[gateway]\nper_address = 5\nper_address = none\n"
	    "accept_rate = none\n[route x]\npath = /\napp = x\n"
	    "message_rate = none\nbyte_rate = none\n", 0644);
	LOAD("--config", file);
	ck_assert_uint_eq(s.per_address, 0);
	ck_assert_uint_eq(s.accept_rate, 0);
	ck_assert_str_eq(option("route.x.message_rate"), "0");
	ck_assert_str_eq(option("route.x.byte_rate"), "0");
	settings_free(&s);
	make(file, "[gateway]\nper_address = 0\n", 0644);
	FAILS(1, "\"none\" is no limit", "--config", file);
}
END_TEST

START_TEST(wrong_flags_are_named)
{
	FAILS(2, "unknown option --frob; try gatewayd --help", "--frob");
	FAILS(2, "unknown option --frob=1", "--frob=1");
	FAILS(2, "unknown option -x", "-x");
	FAILS(2, "unexpected argument \"start\"", "start");
	FAILS(2, "--limit needs a value", "--limit");
	FAILS(2, "--limit many", "--limit", "many");
	FAILS(2, "--limit 0", "--limit", "0");
	FAILS(2, "--shards 257", "--shards", "257");
	FAILS(2, "--shards -1", "--shards", "-1");
	FAILS(2, "--listen nonsense", "--listen", "nonsense");
	FAILS(2, "--listen 99999", "--listen", "99999");
	FAILS(2, "--redis http://x", "--redis", "http://x");
	FAILS(2, "--node a/b", "--node", "a/b");
	FAILS(2, "--node", "--node", "");
	FAILS(2, "--log-level loud", "--log-level", "loud");
	FAILS(1, "max_shards is 2, less than the 4", "--shards", "4",
	    "--max-shards", "2");
}
END_TEST

START_TEST(wrong_files_are_named_with_line_and_key)
{
	static const struct { const char *text, *word; } rows[] = {
		{ "[gateway]\nlisen = 1\n", "kennel.ini:2: [gateway] lisen: " },
		{ "[gateway]\n\nlimit = x\n", "kennel.ini:3: [gateway] limit: " },
		{ "[gateway]\nhead_timeout = 1d\n", "head_timeout" },
		{ "[gateway]\nline_max = 64k\n", "line_max (65536) is more" },
		{ "[gate]\na = b\n", "gate" },
		{ "[worker]\nmessage_max = 0\n", "message_max" },
		{ "[worker]\nchat_message_max = 0\n", "chat_message_max" },
		{ "[worker]\nturn = 0\n", "turn" },
		{ "[worker]\ndeflate = 9\n", "deflate: must be yes or no" },
		{ "[worker]\npages = /nowhere\n", "not a directory" },
		{ "[worker]\ngreeting = x\n", "\"app.\"" },
		{ "[route]\npath = /\n", "[route NAME]" },
		{ "[route a]\npath = /\n", "[route a] needs the key \"app\"" },
		{ "[route a]\npath = x\n", ":2: [route a] path: " },
		{ "nonsense\n", ":1" },
	};

	FAILS(1, "kennel.ini", "--config", file);	/* no such file */
	for (size_t i = 0; i < nitems(rows); i++) {
		make(file, rows[i].text, 0644);
		FAILS(1, rows[i].word, "--config", file);
	}
}
END_TEST

START_TEST(the_worker_must_be_a_program)
{
	char	 path[128];

	snprintf(path, sizeof(path), "%s/none", dir);
	FAILS(1, "No such file", "--worker", path);
	FAILS(1, "is a directory", "--worker", dir);
	make(file, "x", 0644);
	FAILS(1, "is not executable", "--worker", file);
	FAILS(1, "no such program", "--worker", "no-such-worker");
	/* Found by name, made absolute. */
	setenv("PATH", dir, 1);
	LOAD("--worker", "shardd");
	ck_assert_str_eq(s.worker, worker);
	settings_free(&s);
	ck_assert_int_eq(chdir(dir), 0);
	LOAD("--worker", "./shardd", "--run-dir", "run");
	ck_assert_int_eq(s.worker[0], '/');
	snprintf(path, sizeof(path), "%s/run", dir);
	ck_assert_str_eq(s.run_dir, path);
	settings_free(&s);
	setenv("PATH", "/nowhere", 1);
	FAILS(1, "redis-server is not in PATH", "--redis", "auto");
	setenv("PATH", "/usr/bin:/bin", 1);
	ck_assert_int_eq(chdir("/"), 0);
}
END_TEST

START_TEST(a_long_run_directory_is_refused)
{
	FAILS(1, "too long for the sockets in it", "--run-dir",
	    "/tmp/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}
END_TEST

START_TEST(bounds_fit_the_descriptors)
{
	struct rlimit	 rl = { 2000, 2000 };

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	LOAD("--max-shards", "4");
	ck_assert_uint_le(s.handshakes_max + s.home_max + s.waiting_max +
	    s.linger_max + 256 + 16, 2000);
	ck_assert_uint_ge(s.handshakes_max, 400);
	settings_free(&s);
	make(file, "[gateway]\nhandshakes_max = 1200\n", 0644);
	LOAD("--config", file);
	ck_assert_uint_eq(s.handshakes_max, 1200);
	ck_assert_uint_le(s.home_max, 250);
	settings_free(&s);
	make(file, "[gateway]\nhandshakes_max = 3000\n", 0644);
	FAILS(1, "LimitNOFILE=3432", "--config", file);
	FAILS(1, "or lower handshakes_max, which takes 3000\n", "--config",
	    file);
	FAILS(1, "needs 5256 file descriptors", "--limit", "5000");
	make(file, "[gateway]\ncapacity = 1745\n", 0644);
	FAILS(1, "needs 2001 file descriptors, but 2000", "--config", file);
	rl.rlim_cur = rl.rlim_max = 400;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	FAILS(1, "or lower max_shards, which takes 128\n", "--node", "a");
	FAILS(1, "or lower limit, which takes 1000\n", "--limit", "1000");
	rl.rlim_cur = rl.rlim_max = 300;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &rl), 0);
	/* All of them together are not enough. */
	FAILS(1, "in the unit)\n", "--node", "a");
}
END_TEST

START_TEST(help_version_and_check_say_what_was_asked)
{
	ck_assert_int_eq(run((const char *const []){ "--help", NULL }), 0);
	ck_assert_ptr_nonnull(strstr(out, "Usage: gatewayd"));
	ck_assert_ptr_nonnull(strstr(out, "--max-shards"));
	for (char *line = strtok(out, "\n"); line != NULL;
	    line = strtok(NULL, "\n"))
		ck_assert_msg(strlen(line) <= 80, "%s", line);
	ck_assert_int_eq(run((const char *const []){ "--version", NULL }), 0);
	ck_assert_ptr_nonnull(strstr(out, KENNEL_VERSION));
	ck_assert_int_eq(run((const char *const []){ "--worker", worker,
	    "--redis", "none", "--check", NULL }), 0);
	ck_assert_str_eq(out, "configuration ok\n");
}
END_TEST

START_TEST(the_example_file_is_right)
{
	char	 cmd[512];

	/* Every key, in numbers that fit into any descriptor limit. */
	snprintf(cmd, sizeof(cmd), "sed 's/^#\\([a-z[]\\)/\\1/;"
	    "s/^\\(capacity\\|limit\\|[a-z]*_max\\) = [0-9]*$/\\1 = 100/;"
	    "s/^pages = .*/pages = \\/tmp/' '%s/deploy/kennel.ini' > %s",
	    getenv("KENNEL_SOURCE"), file);
	ck_assert_int_eq(system(cmd), 0);
	LOAD("--config", file);
	ck_assert_str_eq(s.node, "alpha");
	ck_assert_uint_eq(s.shards, 2);
	ck_assert_str_eq(option("app.greeting"), "hello");
	ck_assert_str_eq(option("whisper_ask"), "8");
	settings_free(&s);
}
END_TEST

int
main(void)
{
	const TTest	*const tests[] = {
		nothing_need_be_said,
		flags_win_over_the_file,
		the_built_in_listener_goes_with_the_first_of_a_file,
		a_limit_is_for_every_route,
		a_file_with_routes_replaces_the_built_in_ones,
		another_worker_has_every_path,
		routes_may_be_read_again,
		worker_options_are_plain_numbers,
		no_limit_is_none,
		wrong_flags_are_named,
		wrong_files_are_named_with_line_and_key,
		the_worker_must_be_a_program,
		a_long_run_directory_is_refused,
		bounds_fit_the_descriptors,
		help_version_and_check_say_what_was_asked,
		the_example_file_is_right,
	};
	Suite	*suite = suite_create("settings");
	TCase	*t = tcase_create("settings");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 30);
	for (size_t i = 0; i < nitems(tests); i++)
		tcase_add_test(t, tests[i]);
	tcase_add_loop_test(t, zero_is_refused_or_means_zero, 0,
	    nitems(zeros));
	suite_add_tcase(suite, t);
	sr = srunner_create(suite);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return (failed != 0);
}

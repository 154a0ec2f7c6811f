/* kennelctl: what a running gatewayd says of itself, and removing a room. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/clock.h"
#include "common/fdpass.h"
#include "common/log.h"
#include "common/sock.h"
#include "gatewayd/paths.h"
#include "proto/control.h"

#define EXIT_NONE	1		/* nobody answers; not exact; refused */
#define EXIT_USAGE	2
#define EXIT_NOTHING	3		/* there was nothing to be removed */
#define ANSWER_MS	10000
#define ANSWER_MAX	(64 << 20)	/* bytes */
#define CELL_MAX	64
#define COLUMNS_MAX	8

static void	 ctl_help(void);
static int	 ctl_status(const char *dir, int raw, int check);
static int	 ctl_ready(const char *dir, int raw);
static int	 ctl_room(const char *dir, const char *group);
static json_t	*ctl_ask(const char *dir, const struct ctl *ask);
static void	 ctl_show(const json_t *json);
static void	 ctl_die(int status, const char *fmt, ...)
		    __attribute__((format(printf, 2, 3), noreturn));

int
main(int argc, char **argv)
{
	enum { JSON = 256, CHECK, RUN_DIR, VERSION };
	static const struct option	 longs[] = {
		{ "json",	no_argument, NULL, JSON },
		{ "check",	no_argument, NULL, CHECK },
		{ "run-dir",	required_argument, NULL, RUN_DIR },
		{ "version",	no_argument, NULL, VERSION },
		{ "help",	no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	const char	*dir = NULL;
	int		 flag, raw = 0, check = 0, room, ready;

	opterr = 0;
	while ((flag = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		switch (flag) {
		case 'h':
			ctl_help();
			return (0);
		case VERSION:
			printf("kennelctl (kennel) %s\n", KENNEL_VERSION);
			return (0);
		case JSON:
			raw = 1;
			break;
		case CHECK:
			check = 1;
			break;
		case RUN_DIR:
			dir = optarg;
			break;
		case ':':
			ctl_die(EXIT_USAGE, "%s needs a value; try kennelctl "
			    "--help", argv[optind - 1]);
		default:
			ctl_die(EXIT_USAGE, "unknown option %s; try kennelctl "
			    "--help", argv[optind - 1]);
		}
	}
	if (optind == argc)
		ctl_die(EXIT_USAGE, "what shall it do? try kennelctl status, "
		    "or kennelctl --help");
	room = strcmp(argv[optind], "room") == 0;
	ready = strcmp(argv[optind], "ready") == 0;
	if (!room && !ready && strcmp(argv[optind], "status") != 0)
		ctl_die(EXIT_USAGE, "unknown command \"%s\"; try kennelctl "
		    "--help", argv[optind]);
	if (room && (argc - optind < 3 || strcmp(argv[optind + 1], "rm") != 0))
		ctl_die(EXIT_USAGE, "what shall it do with which room? try "
		    "kennelctl room rm NAME, or kennelctl --help");
	if (room && (raw || check))
		ctl_die(EXIT_USAGE, "--json and --check belong to kennelctl "
		    "status");
	if (ready && check)
		ctl_die(EXIT_USAGE, "--check belongs to kennelctl status");
	if (optind + (room ? 3 : 1) < argc)
		ctl_die(EXIT_USAGE, "unexpected argument \"%s\"; try kennelctl "
		    "--help", argv[optind + (room ? 3 : 1)]);
	if (dir == NULL && (dir = paths_run_dir()) == NULL)
		ctl_die(EXIT_NONE, "out of memory");
	return (room ? ctl_room(dir, argv[optind + 2]) :
	    ready ? ctl_ready(dir, raw) : ctl_status(dir, raw, check));
}

static void
ctl_help(void)
{
	static const char	 text[] =
"Usage: kennelctl status [options]\n"
"       kennelctl ready [--json] [--run-dir DIR]\n"
"       kennelctl room rm NAME [--run-dir DIR]\n"
"\n"
"status shows the node, its shards, its groups and their connections, and totals.\n"
"ready says whether the node would take a connection now: exit status 0 if so, 1 if\n"
"not, with what is missing.\n"
"room rm removes what a room (a group) has kept in Redis, for good; it is refused,\n"
"with exit status 1, while anybody is in the room, and 3 says that there was\n"
"nothing.\n"
"\n"
"Options:\n"
"  --json           the same for programs\n"
"  --check          count everything afresh, and ask the shards; exit 1 if the\n"
"                   books are not exact, or a shard does not say what it has\n"
"  --run-dir DIR    gatewayd's run directory (default: /run/kennel for root, else\n"
"                   $XDG_RUNTIME_DIR/kennel or /tmp/kennel-<uid>)\n"
"  --version, --help\n";

	fputs(text, stdout);
}

static int
ctl_status(const char *dir, int raw, int check)
{
	struct ctl	 ask = { .type = CTL_STATUS_ASK, .id = 1,
			    .text = slice_str(check ? "check" : "") };
	json_t		*json = ctl_ask(dir, &ask);
	json_t		*exact;
	int		 fine, unknown;

	exact = json_object_get(json, "exact");
	fine = !check || json_is_true(exact);
	unknown = json_is_null(exact);
	if (raw) {
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
	} else
		ctl_show(json);
	json_decref(json);
	if (fflush(stdout) == EOF)
		ctl_die(EXIT_NONE, "cannot write: %s", strerror(errno));
	if (!fine)
		fprintf(stderr, "kennelctl: %s\n", unknown ? "unknown: a shard "
		    "does not say what it has" : "the books are not exact");
	return (fine ? 0 : EXIT_NONE);
}

/* For health checks. */
static int
ctl_ready(const char *dir, int raw)
{
	struct ctl	 ask = { .type = CTL_STATUS_ASK, .id = 1,
			    .text = slice_str("ready") };
	json_t		*json = ctl_ask(dir, &ask), *why;
	int		 ready = json_is_true(json_object_get(json, "ready"));
	size_t		 i;

	if (json_object_get(json, "ready") == NULL)
		ctl_die(EXIT_NONE, "gatewayd is of an older version, which "
		    "does not say");
	if (raw) {
		json_dumpf(json, stdout, JSON_INDENT(2));
		putchar('\n');
	} else
		puts(ready ? "ready" : "not ready");
	json_array_foreach(json_object_get(json, "missing"), i, why)
		if (!raw)
			fprintf(stderr, "kennelctl: %s\n",
			    json_string_value(why));
	json_decref(json);
	if (fflush(stdout) == EOF)
		ctl_die(EXIT_NONE, "cannot write: %s", strerror(errno));
	return (ready ? 0 : EXIT_NONE);
}

/* Names on the terminal are as status shows them. */
static int
ctl_room(const char *dir, const char *group)
{
	struct ctl	 ask = { .type = CTL_FORGET, .id = 1,
			    .group = slice_str(group) };
	char		 name[4 * GROUP_MAX + 8];
	const char	*why;
	json_int_t	 n;
	json_t		*json;

	if (ask.group.len == 0 || ask.group.len > GROUP_MAX)
		ctl_die(EXIT_USAGE, "the name of a room has 1 to %d bytes",
		    GROUP_MAX);
	json = ctl_ask(dir, &ask);
	log_escape(name, sizeof(name), group, ask.group.len);
	why = json_string_value(json_object_get(json, "error"));
	if (why != NULL)
		ctl_die(EXIT_NONE, "room \"%s\" was not removed: %s", name, why);
	n = json_integer_value(json_object_get(json, "removed"));
	json_decref(json);
	if (n == 0)
		ctl_die(EXIT_NOTHING, "nothing is kept of a room \"%s\"", name);
	printf("room \"%s\" removed: %" JSON_INTEGER_FORMAT " keys in Redis\n",
	    name, n);
	return (0);
}

/* ---- asking ---- */

/* Until fd is ready; what is said when it takes too long is final. */
static void
ctl_wait(int fd, short events, uint64_t deadline)
{
	struct pollfd	 p = { .fd = fd, .events = events };
	uint64_t	 now = clock_ms();

	if (now >= deadline || (poll(&p, 1, (int)(deadline - now)) == 0))
		ctl_die(EXIT_NONE, "gatewayd does not answer; is it stopped?");
}

static int
ctl_connect(const char *dir, uint64_t deadline)
{
	char	*path = paths_in(dir, "control.sock");
	int	 fd;

	if (path == NULL)
		ctl_die(EXIT_NONE, "out of memory");
	while ((fd = sock_connect_unix(path, SOCK_SEQPACKET)) == -1) {
		if (errno == EACCES || errno == EPERM)
			ctl_die(EXIT_NONE, "%s: %s; only its owner and root "
			    "may ask", path, strerror(errno));
		if (errno != EAGAIN)
			ctl_die(EXIT_NONE, "no gatewayd answers in %s: is it "
			    "running? give --run-dir", dir);
		ctl_wait(-1, 0, clock_ms() + 10 > deadline ? deadline :
		    clock_ms() + 10);
	}
	free(path);
	return (fd);
}

/* A packet of the answer, its text to the end of text.  1: another follows. */
static int
ctl_packet(const char *data, size_t len, struct buf *text)
{
	struct pack_in	 in;
	struct ctl	 m;
	int		 more = 1;

	if (pack_open(&in, data, len) == -1)
		goto bad;
	while (pack_in_left(&in) > 0) {
		if (ctl_decode(&m, &in) == -1 || m.type != CTL_STATUS)
			goto bad;
		if (m.text.len > 0)
			buf_add(text, m.text.data, m.text.len);
		more = (m.flags & CTL_F_MORE) != 0;
	}
	return (more);
bad:
	ctl_die(EXIT_NONE, "gatewayd's answer cannot be read; is it of another "
	    "version?");
}

static json_t *
ctl_ask(const char *dir, const struct ctl *ask)
{
	static char	 data[PACKET_MAX];
	struct buf	 out = { 0 }, text = { .max = ANSWER_MAX };
	uint64_t	 deadline = clock_ms() + ANSWER_MS;
	json_t		*json;
	ssize_t		 n;
	size_t		 nfds;
	int		 fds[FDPASS_MAX], cut, fd, more = 1;

	fd = ctl_connect(dir, deadline);
	pack_array(&out, 1);
	ctl_encode(&out, ask);
	if (out.failed || fdpass_send(fd, NULL, 0, out.data, out.len) == -1)
		ctl_die(EXIT_NONE, "cannot ask gatewayd: %s", strerror(errno));
	buf_clear(&out);
	while (more) {
		n = fdpass_recv(fd, fds, &nfds, data, sizeof(data), &cut);
		if (n == -1 && errno == EAGAIN)
			ctl_wait(fd, POLLIN, deadline);
		else if (n > 0)
			more = ctl_packet(data, (size_t)n, &text);
		else if (n == 0 || errno != ECONNRESET)
			ctl_die(EXIT_NONE, "gatewayd ended while it answered");
	}
	close(fd);
	json = text.failed ? NULL : json_loadb(text.data, text.len,
	    JSON_ALLOW_NUL, NULL);
	if (json == NULL)
		ctl_die(EXIT_NONE, "gatewayd's answer cannot be read");
	buf_clear(&text);
	return (json);
}

/* ---- showing ---- */

struct table {
	size_t		 ncolumns;
	const char	*heads[COLUMNS_MAX];
	int		 right[COLUMNS_MAX];	/* numbers */
	char		 (*cells)[CELL_MAX];
	size_t		 ncells;
};

static char *
table_cell(struct table *t)
{
	void	*p;

	if ((t->ncells & (t->ncells - 1)) == 0) {
		p = realloc(t->cells, (t->ncells == 0 ? 1 : t->ncells * 2) *
		    sizeof(*t->cells));
		if (p == NULL)
			ctl_die(EXIT_NONE, "out of memory");
		t->cells = p;
	}
	return (t->cells[t->ncells++]);
}

/* Names come from clients: nothing in them may move the cursor. */
static void
table_text(struct table *t, const json_t *v)
{
	log_escape(table_cell(t), CELL_MAX, json_is_string(v) ?
	    json_string_value(v) : "", json_string_length(v));
}

static void
table_number(struct table *t, const json_t *v)
{
	snprintf(table_cell(t), CELL_MAX, "%" JSON_INTEGER_FORMAT,
	    json_integer_value(v));
}

static void
table_row(const struct table *t, const char *const *row, const size_t *wide)
{
	for (size_t i = 0; i < t->ncolumns; i++) {
		if (t->right[i])
			printf("%s%*s", i == 0 ? "" : "  ", (int)wide[i],
			    row[i]);
		else if (i + 1 < t->ncolumns)
			printf("%s%-*s", i == 0 ? "" : "  ", (int)wide[i],
			    row[i]);
		else
			printf("  %s", row[i]);
	}
	putchar('\n');
}

static void
table_show(struct table *t)
{
	const char	*row[COLUMNS_MAX];
	size_t		 wide[COLUMNS_MAX], len;

	for (size_t i = 0; i < t->ncolumns; i++)
		wide[i] = strlen(t->heads[i]);
	for (size_t i = 0; i < t->ncells; i++)
		if ((len = strlen(t->cells[i])) > wide[i % t->ncolumns])
			wide[i % t->ncolumns] = len;
	putchar('\n');
	table_row(t, t->heads, wide);
	for (size_t i = 0; i < t->ncells; i += t->ncolumns) {
		for (size_t j = 0; j < t->ncolumns; j++)
			row[j] = t->cells[i + j];
		table_row(t, row, wide);
	}
	free(t->cells);
}

static void
ctl_duration(char *dst, size_t size, const json_t *ms)
{
	int64_t	 s = json_integer_value(ms) / 1000;

	if (s < 60)
		snprintf(dst, size, "%" PRId64 "s", s);
	else if (s < 3600)
		snprintf(dst, size, "%" PRId64 "m%02ds", s / 60,
		    (int)(s % 60));
	else if (s < 86400)
		snprintf(dst, size, "%" PRId64 "h%02dm", s / 3600,
		    (int)(s / 60 % 60));
	else
		snprintf(dst, size, "%" PRId64 "d%02dh", s / 86400,
		    (int)(s / 3600 % 24));
}

static const char *
ctl_text(const json_t *object, const char *key)
{
	const char	*text = json_string_value(json_object_get(object, key));

	return (text == NULL ? "" : text);
}

static json_int_t
ctl_number(const json_t *object, const char *key)
{
	return (json_integer_value(json_object_get(object, key)));
}

/* What --check has found. */
static void
ctl_show_check(const json_t *json)
{
	const json_t	*exact = json_object_get(json, "exact"), *slot;
	size_t		 i;

	if (!json_is_null(exact)) {
		printf("the books are %sexact\n", json_is_true(exact) ? "" :
		    "not ");
		return;
	}
	printf("unknown: silent are shards");
	json_array_foreach(json_object_get(json, "silent"), i, slot)
		printf(" %" JSON_INTEGER_FORMAT, json_integer_value(slot));
	putchar('\n');
}

static void
ctl_show_shards(const json_t *shards)
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
		ctl_duration(table_cell(&t), CELL_MAX,
		    json_object_get(s, "uptime_ms"));
		table_number(&t, json_object_get(s, "restarts"));
	}
	table_show(&t);
}

static void
ctl_show_groups(const json_t *groups)
{
	struct table	 t = { .ncolumns = 6,
	    .heads = { "GROUP", "APP", "LIMIT", "CONNECTIONS", "OVER",
	      "REPLICAS" },
	    .right = { 0, 0, 1, 1, 1, 1 } };
	json_int_t	 n, over;
	json_t		*g, *r, *replicas;
	size_t		 i, j;

	if (json_array_size(groups) == 0)
		return;
	json_array_foreach(groups, i, g) {
		n = over = 0;
		replicas = json_object_get(g, "replicas");
		json_array_foreach(replicas, j, r) {
			n += ctl_number(r, "connections");
			over += ctl_number(r, "over");
		}
		table_text(&t, json_object_get(g, "group"));
		table_text(&t, json_object_get(g, "app"));
		table_number(&t, json_object_get(g, "limit"));
		snprintf(table_cell(&t), CELL_MAX, "%" JSON_INTEGER_FORMAT, n);
		snprintf(table_cell(&t), CELL_MAX, "%" JSON_INTEGER_FORMAT,
		    over);
		snprintf(table_cell(&t), CELL_MAX, "%zu",
		    json_array_size(replicas));
	}
	table_show(&t);
}

static void
ctl_show_totals(const json_t *totals)
{
	static const char *const	 keys[] = { "accepted", "requests",
	    "handed", "home", "refused", "proxy_refused", "second_release" };
	json_t				*gone, *n;
	const char			*key, *comma = "";

	printf("\nsince its start:");
	for (size_t i = 0; i < nitems(keys); i++)
		printf(" %s %" JSON_INTEGER_FORMAT, keys[i],
		    ctl_number(totals, keys[i]));
	printf("\ngone:");
	gone = json_object_get(totals, "gone");
	json_object_foreach(gone, key, n)
		if (json_integer_value(n) != 0) {
			printf("%s %s %" JSON_INTEGER_FORMAT, comma, key,
			    json_integer_value(n));
			comma = ",";
		}
	printf("%s\n", *comma == '\0' ? " nobody" : "");
}

static void
ctl_show(const json_t *json)
{
	const json_t	*redis = json_object_get(json, "redis");
	char		 up[CELL_MAX], url[300];

	ctl_duration(up, sizeof(up), json_object_get(json, "uptime_ms"));
	printf("node %s, gatewayd %s, pid %" JSON_INTEGER_FORMAT ", up %s%s\n",
	    ctl_text(json, "node"), ctl_text(json, "version"),
	    ctl_number(json, "pid"), up,
	    json_is_true(json_object_get(json, "leaving")) ? ", leaving" : "");
	log_escape(url, sizeof(url), ctl_text(redis, "url"),
	    strlen(ctl_text(redis, "url")));
	if (strcmp(ctl_text(redis, "mode"), "none") == 0)
		printf("redis none\n");
	else
		printf("redis %s, %s\n", url,
		    json_is_true(json_object_get(redis, "up")) ? "up" : "down");
	printf("%" JSON_INTEGER_FORMAT " places taken; in the gateway: %"
	    JSON_INTEGER_FORMAT " handshakes, %" JSON_INTEGER_FORMAT
	    " at home, %" JSON_INTEGER_FORMAT " on their way\n",
	    ctl_number(json, "places"), ctl_number(json, "handshakes"),
	    ctl_number(json, "home"), ctl_number(json, "handing_over"));
	ctl_show_shards(json_object_get(json, "shards"));
	ctl_show_groups(json_object_get(json, "groups"));
	if (ctl_number(json, "groups_left") > 0)
		printf("and %" JSON_INTEGER_FORMAT " groups more\n",
		    ctl_number(json, "groups_left"));
	ctl_show_totals(json_object_get(json, "totals"));
	if (json_object_get(json, "exact") != NULL)
		ctl_show_check(json);
}

static void
ctl_die(int status, const char *fmt, ...)
{
	va_list	 ap;

	fputs("kennelctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(status);
}

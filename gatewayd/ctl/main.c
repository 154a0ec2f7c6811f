/* kennelctl: the command line, and whose turn it is. */
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/config.h"
#include "gatewayd/ctl/act.h"
#include "gatewayd/ctl/drain.h"
#include "gatewayd/ctl/look.h"
#include "gatewayd/ctl/say.h"
#include "gatewayd/ctl/top.h"
#include "gatewayd/ctl/upgrade.h"
#include "gatewayd/ctl/verb.h"
#include "gatewayd/paths.h"

enum { JSON = 256, CHECK, RUN_DIR, VERSION, APP, WITHIN, NO_WAIT, TIMES,
    INTERVAL };

#define MAY_CHECK	0x1
#define MAY_APP		0x2
#define MAY_WITHIN	0x4
#define MAY_TIMES	0x8
#define MAY_NO_WAIT	0x10

static int	 main_help(const struct invocation *);

static const struct verb {
	const char	*name, *args;
	int		 nargs, more;	/* arguments; others that may follow */
	unsigned	 may;		/* options beside --json */
	int		(*run)(const struct invocation *);
	const char	*help;
} verbs[] = {
	{ "status", "", 0, 0, MAY_CHECK, look_status,
	    "the node, its shards, its groups, and totals" },
	{ "top", "", 0, 0, MAY_TIMES, top_run,
	    "the same again and again, with what has changed" },
	{ "shards", "", 0, 0, 0, look_shards_verb, "the shards" },
	{ "groups", "", 0, 0, 0, look_groups_verb, "the groups" },
	{ "cluster", "", 0, 0, 0, act_cluster,
	    "the nodes that share this Redis, and what the bus has done" },
	{ "who", "UID|ID", 1, 0, 0, act_who,
	    "where a client is: each of its connections" },
	{ "place", "GROUP UID", 2, 0, MAY_APP, act_place,
	    "where a newcomer would go, and why; nothing changes" },
	{ "close", "UID|ID", 1, 0, 0, act_close,
	    "close a client's connections (1008, \"operator\")" },
	{ "drain", "SLOT", 1, 0, MAY_WITHIN | MAY_NO_WAIT, drain_run,
	    "empty a shard: who can moves, others are closed (1012, \"drained\")" },
	{ "restart", "SLOT", 1, 0, MAY_WITHIN | MAY_NO_WAIT, drain_run,
	    "empty a shard and start another; or fill a drained slot" },
	{ "rebalance", "", 0, 0, MAY_NO_WAIT, upgrade_rebalance,
	    "move connections from the fullest shards to the emptiest" },
	{ "upgrade", "[WORKER]", 0, 1, MAY_NO_WAIT, upgrade_run,
	    "run another program in the place of the workers, whose clients move;\n"
	    "                     WORKER gateway: in the place of gatewayd" },
	{ "canary", "N% [WORKER]", 1, 1, MAY_NO_WAIT, upgrade_run,
	    "the same, at first with a part of the shards and connections" },
	{ "back", "", 0, 0, MAY_NO_WAIT, upgrade_decide,
	    "undo an upgrade, as long as its old shards are kept" },
	{ "commit", "", 0, 0, MAY_NO_WAIT, upgrade_decide,
	    "the old shards of an upgrade leave now" },
	{ "room", "rm NAME", 2, 0, 0, act_room,
	    "remove what a room has kept in Redis, for good" },
	{ "reload", "", 0, 0, 0, act_reload,
	    "read the configuration again; says what was taken" },
	{ "log-level", "LEVEL", 1, 0, 0, act_log_level,
	    "warn, info or debug, of gatewayd and its shards" },
	{ "check", "", 0, 0, 0, look_check_verb,
	    "count everything afresh, and ask the shards" },
	{ "ready", "", 0, 0, 0, look_ready,
	    "would it take a connection now? what is missing" },
	{ "help", "", 0, 0, 0, main_help, "this" },
};

/* What it can do, and its options. */
static int
main_help(const struct invocation *v)
{
	char	 text[32];

	(void)v;
	fputs("Usage: kennelctl COMMAND [options]\n\nCommands:\n", stdout);
	for (size_t i = 0; i < nitems(verbs); i++) {
		snprintf(text, sizeof(text), "%s %s", verbs[i].name,
		    verbs[i].args);
		printf("  %-18s %s\n", text, verbs[i].help);
	}
	fputs("\n"
"Options:\n"
"  --json             the same for programs; what is waited for: an object a line,\n"
"                     the last one with \"exit\", the exit status\n"
"  --run-dir DIR      gatewayd's run directory (default: /run/kennel for root,\n"
"                     else $XDG_RUNTIME_DIR/kennel or /tmp/kennel-<uid>)\n"
"  --check            status: count everything afresh, as the command check\n"
"  --app NAME         place: the application, where there are several\n"
"  --within TIME      drain, restart: be done within 30s, 5m (default: the\n"
"                     configuration's drain; at most 1h)\n"
"  --no-wait          drain, restart, rebalance, upgrade, canary, back, commit: do\n"
"                     not wait until it is done\n"
"  --interval TIME    top: from look to look (default: 2s)\n"
"  --times N          top: end after N looks (default: when it is interrupted)\n"
"  --version, --help\n"
"\n"
"Exit status: 0; 1 when nobody answers, it was refused, not done in time, not\n"
"ready, or the books are not exact; 2 for wrong usage; 3 when there is nobody,\n"
"nothing or no place of that name.\n", stdout);
	return (say_end());
}

/* The value of an option that is a time, in milliseconds. */
static unsigned
main_duration(const char *flag, const char *value, unsigned min)
{
	const char	*why;
	unsigned	 ms;

	if (config_duration(value, min, 3600000, &ms, &why) == -1)
		say_die(EXIT_USAGE, "%s %s: %s", flag, value, why);
	return (ms);
}

/* Read the options; *used: those that only some verbs take. */
static void
main_options(struct invocation *v, int argc, char **argv, unsigned *used)
{
	static const struct option	 longs[] = {
		{ "json",	no_argument, NULL, JSON },
		{ "check",	no_argument, NULL, CHECK },
		{ "run-dir",	required_argument, NULL, RUN_DIR },
		{ "app",	required_argument, NULL, APP },
		{ "within",	required_argument, NULL, WITHIN },
		{ "no-wait",	no_argument, NULL, NO_WAIT },
		{ "times",	required_argument, NULL, TIMES },
		{ "interval",	required_argument, NULL, INTERVAL },
		{ "version",	no_argument, NULL, VERSION },
		{ "help",	no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	const char	*why;
	int		 flag;

	opterr = 0;
	while ((flag = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		switch (flag) {
		case 'h':
			exit(main_help(v));
		case VERSION:
			printf("kennelctl (kennel) %s\n", KENNEL_VERSION);
			exit(0);
		case JSON:
			v->json = 1;
			break;
		case CHECK:
			v->check = 1;
			*used |= MAY_CHECK;
			break;
		case RUN_DIR:
			v->dir = optarg;
			break;
		case APP:
			v->app = optarg;
			*used |= MAY_APP;
			break;
		case WITHIN:
			v->within_ms = main_duration("--within", optarg, 1);
			*used |= MAY_WITHIN;
			break;
		case NO_WAIT:
			v->no_wait = 1;
			*used |= MAY_NO_WAIT;
			break;
		case TIMES:
			if (config_uint(optarg, 1, UINT_MAX, &v->times,
			    &why) == -1)
				say_die(EXIT_USAGE, "--times %s: %s", optarg,
				    why);
			*used |= MAY_TIMES;
			break;
		case INTERVAL:
			v->interval_ms = main_duration("--interval", optarg,
			    100);
			*used |= MAY_TIMES;
			break;
		case ':':
			say_die(EXIT_USAGE, "%s needs a value; try kennelctl "
			    "--help", argv[optind - 1]);
		default:
			say_die(EXIT_USAGE, "unknown option %s; try kennelctl "
			    "--help", argv[optind - 1]);
		}
	}
}

int
main(int argc, char **argv)
{
	struct invocation	 v = { .interval_ms = 2000 };
	const struct verb	*verb = NULL;
	unsigned		 used = 0;
	char			*dir = NULL;
	int			 status;

	main_options(&v, argc, argv, &used);
	if (optind == argc)
		say_die(EXIT_USAGE, "what shall it do? try kennelctl status, "
		    "or kennelctl --help");
	v.verb = argv[optind];
	v.args = argv + optind + 1;
	v.nargs = argc - optind - 1;
	for (size_t i = 0; i < nitems(verbs) && verb == NULL; i++)
		if (strcmp(verbs[i].name, v.verb) == 0)
			verb = &verbs[i];
	if (verb == NULL)
		say_die(EXIT_USAGE, "unknown command \"%s\"; try kennelctl "
		    "--help", v.verb);
	if (v.nargs < verb->nargs)
		say_die(EXIT_USAGE, "try kennelctl %s %s, or kennelctl --help",
		    verb->name, verb->args);
	if (v.nargs > verb->nargs + verb->more)
		say_die(EXIT_USAGE, "unexpected argument \"%s\"; try kennelctl "
		    "--help", v.args[verb->nargs + verb->more]);
	if ((used & ~verb->may) != 0)
		say_die(EXIT_USAGE, "an option that does not belong to "
		    "kennelctl %s; try kennelctl --help", verb->name);
	if (v.dir == NULL && (v.dir = dir = paths_run_dir()) == NULL)
		say_die(EXIT_NONE, "out of memory");
	if (v.json && (verb->may & MAY_NO_WAIT) != 0)
		say_begin_lines(verb->name);
	status = verb->run(&v);
	free(dir);
	return (status);
}

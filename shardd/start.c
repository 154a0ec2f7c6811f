/* A worker process, from its arguments to its end. */
#include <sys/prctl.h>

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/budget.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/memory.h"
#include "common/poller.h"
#include "common/proc.h"
#include "proto/capsule.h"
#include "proto/channel.h"
#include "proto/counters.h"
#include "proto/cover.h"
#include "proto/page.h"
#include "shardd/api/surroundings.h"
#include "shardd/api/watch.h"
#include "shardd/api/work.h"
#include "shardd/client/clients.h"
#include "shardd/gauges.h"
#include "shardd/kennel.h"
#include "shardd/leavings.h"
#include "shardd/orders.h"
#include "shardd/parked.h"
#include "shardd/session/parting.h"
#include "shardd/session/outgoing.h"
#include "shardd/session/session.h"
#include "shardd/worker.h"

#define START_LOCK_FD		3
#define START_RESERVE		256	/* descriptors that are not clients' */

/* A signal came. */
static void
start_signal_cb(int signo, void *arg)
{
	struct worker	*w = arg;

	if (signo == SIGTERM)
		worker_drain(w, w->opt.drain_ms, CLOSE_GOING);
	/* SIGINT is the gateway's to decide about. */
}

/* Say what this program is. */
static void
start_usage(const char *name)
{
	fprintf(stderr,
	    "%s is a Kennel worker: it keeps client connections that gatewayd "
	    "hands to it.\nIt is not started by hand.  Start the cluster with:"
	    "  gatewayd --worker %s\n", name, name);
}

/* Read the arguments, which the gateway gives.  0, or -1: not those. */
static int
start_arguments(struct worker *w, int argc, char **argv)
{
	static const struct option	 longs[] = {
		{ "control", 1, NULL, 'c' }, { "slot", 1, NULL, 's' },
		{ "incarnation", 1, NULL, 'i' }, { "run-dir", 1, NULL, 'r' },
		{ "log-level", 1, NULL, 'l' }, { "log-format", 1, NULL, 'f' },
		{ "core", 0, NULL, 'd' },
		{ "apps", 0, NULL, 'a' }, { "wire", 1, NULL, 'w' },
		{ "capsule", 1, NULL, 'p' },
		{ "help", 0, NULL, 'h' },
		{ "version", 0, NULL, 'v' }, { NULL, 0, NULL, 0 },
	};
	enum log_level	 level = LOG_LEVEL_INFO;
	enum log_format	 format = LOG_FORMAT_TEXT;
	const char	*name = strrchr(argv[0], '/');
	static char	 ident[64];
	char		*end;
	uint64_t	 slot = SLOTS_MAX, version = WIRE_VERSION, capsule;
	int		 o, core = 0;

	while ((o = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (o) {
		case 'c':
			w->control_path = optarg;
			break;
		case 's':
			if (slice_u64(slice_str(optarg), SLOTS_MAX - 1,
			    &slot) == -1)
				return (-1);
			break;
		case 'i':
			w->incarnation = strtoull(optarg, &end, 16);
			if (*end != '\0')
				return (-1);
			break;
		case 'r':
			w->run_dir = optarg;
			break;
		case 'l':
			if (log_level_parse(optarg, &level) == -1)
				return (-1);
			break;
		case 'f':
			if (log_format_parse(optarg, &format) == -1)
				return (-1);
			break;
		case 'a':
			for (size_t i = 0; i < w->sessions.apps.n; i++)
				puts(w->sessions.apps.at[i].name);
			exit(0);
		case 'd':
			core = 1;
			break;
		case 'w':	/* as an older release speaks */
			if (slice_u64(slice_str(optarg), WIRE_VERSION,
			    &version) == -1 || version < WIRE_OLDEST)
				return (-1);
			break;
		case 'p':	/* as an older release packs connections */
			if (slice_u64(slice_str(optarg), CAPSULE_VERSION,
			    &capsule) == -1 || capsule < CAPSULE_MOVES)
				return (-1);
			capsule_speak((unsigned)capsule);
			break;
		case 'h':
			start_usage(argv[0]);
			exit(0);
		case 'v':
			printf("%s (kennel %s)\n", argv[0], KENNEL_VERSION);
			exit(0);
		default:
			return (-1);
		}
	if (optind < argc || w->control_path == NULL || w->run_dir == NULL ||
	    slot == SLOTS_MAX || w->incarnation == 0)
		return (-1);
	w->slot = (uint32_t)slot;
	w->version = (unsigned)version;
	if (asprintf(&w->link_path, "%s/link-%u-%016llx.sock", w->run_dir,
	    w->slot, (unsigned long long)w->incarnation) == -1)
		fatal("start");
	/* A worker of somebody's own is called as its program. */
	name = name == NULL ? argv[0] : name + 1;
	snprintf(ident, sizeof(ident), "%.40s/%u", name, w->slot);
	log_init(ident, level);
	/* Executed by a descriptor, a process has the descriptor's name. */
	(void)prctl(PR_SET_NAME, name);
	log_format_set(format);
	if (proc_open_to_debuggers(core) == -1)
		fatal("core");
	return (0);
}

/* What needs no memory and no loop. */
static void
start_init(struct worker *w)
{
	size_t		 nofile = proc_nofile();

	list_init(&w->parked);
	options_init(&w->opt);
	w->gateway_pidfd = -1;
	w->started = clock_wall_ms();
	w->capacity = nofile > 2 * START_RESERVE ? nofile - START_RESERVE :
	    nofile / 2;
	backoff_init(&w->redial, 50, 1000);
	budget_set(w->opt.turn_ms);
}

/* What the application finds around itself. */
static void
start_surround(struct worker *w)
{
	static struct surroundings	 around;

	around = (struct surroundings){
		.base = w->base, .opt = &w->opt, .groups = &w->groups,
		.sessions = &w->sessions,
		.node = w->node, .address = w->address, .slot = w->slot,
	};
	surroundings = &around;
}

/* The loop is over: end what is still here, and free everything. */
static void
start_end(struct worker *w)
{
	int	 stuck;

	budget_set(0);			/* nobody has to wait for us */
	stuck = work_end();
	parked_drop_all(&w->parked);
	journeys_clear(&w->journeys);
	outgoing_end(&w->sessions);
	clients_end(&w->sessions.clients);	/* not fast enough */
	parting_all(&w->sessions);
	turn_end();
	worker_end_groups(w);
	if (stuck == 0)
		applications_exit(&w->sessions.apps);
	watch_end();
	lending_end(&w->lending);
	if (w->gate.control != NULL)
		control_free(w->gate.control);
	if (w->redial_timer != NULL)
		event_free(w->redial_timer);
	if (w->gateway_pidfd != -1)
		close(w->gateway_pidfd);
	doorways_close(&w->doorways);
	close(w->page_fd);
	sweep_stop(&w->sweep);
	leavings_clear(w->run_dir, w->slot, START_LOCK_FD,
	    options_get(&w->opt, "redis"));
	options_clear(&w->opt);
	session_clear(&w->sessions);
	free(w->link_path);
	if (stuck == -1)
		_exit(1);		/* before anybody frees what they use */
}

/* What the run directory is, as a name that no other gateway of this machine has. */
static void
start_mark(struct worker *w)
{
	struct stat	 st;
	char		 id[48];

	if (stat(w->run_dir, &st) == -1)
		fatal("%s", w->run_dir);
	snprintf(id, sizeof(id), "%jx-%jx", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	if (options_set(&w->opt, slice_str("run_id"), slice_str(id)) == -1)
		fatal("start");
}

int
kennel_worker_main(int argc, char **argv, const struct kennel_app *apps,
    size_t n)
{
	static const int	 signos[] = { SIGTERM, SIGINT, 0 };
	static struct worker	 w;
	struct proc_signals	*signals;

	memory_steady();
	w.sessions.apps.at = apps;
	w.sessions.apps.n = n;
	if (start_arguments(&w, argc, argv) == -1) {
		start_usage(argv[0]);
		return (2);
	}
	proc_signals_ignore();
	/* The slot's lock; what follows it is the application's. */
	fcntl(START_LOCK_FD, F_SETFD, FD_CLOEXEC);
	start_init(&w);
	if ((w.page = page_new(w.incarnation, &w.page_fd)) == NULL)
		fatal("memory that is shared with the gateway");
	turn_count_at(&w.page->work.turns);
	counters = page_counters(w.page);
	if (cover_begin(w.page_fd) == -1)
		log_warn("connections will end with this process: %s",
		    strerror(errno));
	gauges_name(apps, n);
	if ((w.base = event_base_new()) == NULL ||
	    session_init(&w.sessions, w.base, &w.opt, &w.gate) == -1 ||
	    (signals = proc_signals_new(w.base, signos, start_signal_cb,
	    &w)) == NULL || sweep_start(&w.sweep, w.base,
	    &w.sessions.clients, worker_tick, &w) == -1)
		fatal("start");
	start_mark(&w);
	lending_init(&w.lending, &w.sessions.clients, &w.gate);
	start_surround(&w);
	if (worker_init_groups(&w) == -1)
		fatal("listen on %s", w.link_path);
	if (journeys_init(&w.journeys, w.base, &w.sessions, &w.groups,
	    &w.gate) == -1)
		fatal("start");
	orders_dial(&w);
	turn_set_eager(poller_run, w.sessions.clients.poller);
	if (turn_loop(w.base) == -1)
		fatal("event loop");
	start_end(&w);
	proc_signals_free(signals);
	event_base_free(w.base);
	return (0);
}

/* A worker process: start, options, draining. */
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
#include "proto/channel.h"
#include "proto/page.h"
#include "shardd/state/authority.h"
#include "shardd/api/surroundings.h"
#include "shardd/client/clients.h"
#include "shardd/client/conn.h"
#include "shardd/kennel.h"
#include "shardd/leavings.h"
#include "shardd/peers/link.h"
#include "shardd/group/lookup.h"
#include "shardd/orders.h"
#include "shardd/group/replica.h"
#include "shardd/state/store.h"
#include "shardd/client/sweep.h"
#include "shardd/client/ws.h"
#include "shardd/session/parting.h"
#include "shardd/session/session.h"
#include "shardd/worker.h"

#define WORKER_LOCK_FD		3
#define WORKER_RESERVE		256	/* descriptors that are not clients' */
#define WORKER_ORPHAN_MS	60000
#define WORKER_LISTED_MS	500	/* that READY waits for Redis */

int
worker_tell(struct worker *w, const struct ctl *m)
{
	return (gate_tell(&w->gate, m));
}

/* ---- the gateway's START ---- */

int
worker_start(struct worker *w)
{
	const char	*url = options_get(&w->opt, "redis");
	const char	*prefix = options_get(&w->opt, "redis_prefix");

	if (w->started_up)
		return (0);
	w->lookup = lookup_new(w, url == NULL ? "" : url,
	    prefix == NULL || *prefix == '\0' ? KEYS_PREFIX : prefix);
	if (w->lookup == NULL || applications_limit(&w->sessions.apps, &w->opt) == -1) {
		log_warn("lookup: %s", strerror(errno));
		return (-1);
	}
	w->sessions.lookup = w->lookup;
	for (size_t i = 0; i < w->sessions.apps.n && url != NULL && *url != '\0'; i++)
		if (w->sessions.apps.at[i].decide != NULL && w->store == NULL &&
		    (w->store = store_new(w->base, url, lookup_prefix(
		    w->lookup), w->opt.store_ttl, w->opt.store_visit_ttl)) ==
		    NULL) {
			log_warn("store: %s", strerror(errno));
			return (-1);
		}
	w->started_up = 1;
	budget_set(w->opt.turn_ms);
	return (0);
}

struct store *
worker_store(struct worker *w)
{
	return (w->store);
}

void
worker_get_ready(struct worker *w)
{
	w->ready_since = clock_ms();
	if (lookup_listed(w->lookup))
		worker_listed(w);
}

void
worker_listed(struct worker *w)
{
	struct ctl	 m = { .type = CTL_READY };

	if (w->ready_since == 0)
		return;
	w->ready_since = 0;
	worker_tell(w, &m);
}

void
worker_links_eased(struct worker *w)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &w->sessions.clients.conns)
		conn_resume(list_entry(e, struct conn, at), PAUSE_LINK);
}

/* ---- leaving ---- */

static void
worker_retired_cb(void *arg)
{
	(void)arg;
	turn_stop();
}

/* Everybody has gone: our entries too, then the end. */
static void
worker_retire(struct worker *w)
{
	struct map_node	*n;

	w->draining = 2;
	while ((n = map_first(&w->replicas)) != NULL)
		replica_dismiss(container_of(n, struct replica, by_id));
	if (w->lookup != NULL)
		lookup_retire(w->lookup, worker_retired_cb, NULL);
	else
		turn_stop();
}

void
worker_drain(struct worker *w, unsigned ms)
{
	const struct ctl	 m = { .type = CTL_LEAVING };

	if (w->draining)
		return;
	log_info("draining connections=%zu within_ms=%u", w->sessions.clients.n, ms);
	w->draining = 1;
	w->gate.leaving = 1;
	w->drain_since = clock_ms();
	w->drain_total = w->sessions.clients.n;
	w->drain_ms = ms == 0 ? 1 : ms;
	worker_tell(w, &m);
}

/*
 * Close so many that all are told after half of the time: in random order, so
 * that a page of clients does not come back as one.
 */
static void
worker_drain_step(struct worker *w)
{
	struct clients	*all = &w->sessions.clients;
	uint64_t	 age = clock_ms() - w->drain_since;
	uint64_t	 half = w->drain_ms / 2;
	uint64_t	 pace = w->drain_total < half ? w->drain_total : half;
	size_t		 keep = 0;
	struct conn	*c;

	if (clients_none(all) && parting_none(&w->sessions) &&
	    (!link_any_waits(w) || age >= w->drain_ms)) {
		worker_retire(w);
		return;
	}
	if (age < pace)
		keep = (size_t)(w->drain_total - w->drain_total * age / pace);
	for (size_t n = list_count(&all->conns); n > keep; n--) {
		c = list_entry(bytes_random64() & 1 ? all->conns.next :
		    all->conns.prev, struct conn, at);
		ws_close(c, CLOSE_GOING, 1001,
		    close_sentence(CLOSE_GOING));
	}
	if (age >= w->drain_ms) {
		log_info("draining is over: cut off connections=%zu",
		    all->n);
		worker_retire(w);
	}
}

/* At most once a second. */
static void
worker_say_dropped(struct worker *w)
{
	uint64_t	 now = clock_ms(), dropped = w->sessions.clients.dropped;

	if (dropped == w->dropped_said || now - w->dropped_at < 1000)
		return;
	log_info("slow clients: dropped messages=%llu total=%llu",
	    (unsigned long long)(dropped - w->dropped_said),
	    (unsigned long long)dropped);
	w->dropped_said = dropped;
	w->dropped_at = now;
}

/* Ten times a second, after the clients. */
static void
worker_tick(void *arg)
{
	struct worker	*w = arg;

	parting_late(&w->sessions);
	/* Without Redis it goes, too: neighbours ask us. */
	if (w->ready_since != 0 &&
	    clock_ms() - w->ready_since > WORKER_LISTED_MS)
		worker_listed(w);
	worker_say_dropped(w);
	log_catch_up();
	memory_tidy(clock_ms());
	authority_tick_all(w);
	if (w->draining == 1)
		worker_drain_step(w);
	else if (!w->draining && w->orphan_since != 0 &&
	    clock_ms() - w->orphan_since > WORKER_ORPHAN_MS) {
		log_warn("no gateway for %d s, leaving",
		    WORKER_ORPHAN_MS / 1000);
		worker_drain(w, w->opt.drain_ms);
	}
}

static void
worker_signal_cb(int signo, void *arg)
{
	struct worker	*w = arg;

	if (signo == SIGTERM)
		worker_drain(w, w->opt.drain_ms);
	/* SIGINT is the gateway's to decide about. */
}

/* ---- start ---- */

static void
worker_usage(const char *name)
{
	fprintf(stderr,
	    "%s is a Kennel worker: it keeps client connections that gatewayd "
	    "hands to it.\nIt is not started by hand.  Start the cluster with:"
	    "  gatewayd --worker %s\n", name, name);
}

static int
worker_arguments(struct worker *w, int argc, char **argv)
{
	static const struct option	 longs[] = {
		{ "control", 1, NULL, 'c' }, { "slot", 1, NULL, 's' },
		{ "incarnation", 1, NULL, 'i' }, { "run-dir", 1, NULL, 'r' },
		{ "log-level", 1, NULL, 'l' }, { "core", 0, NULL, 'd' },
		{ "help", 0, NULL, 'h' },
		{ "version", 0, NULL, 'v' }, { NULL, 0, NULL, 0 },
	};
	enum log_level	 level = LOG_LEVEL_INFO;
	static char	 ident[64];
	char		*end;
	uint64_t	 slot = SLOTS_MAX;
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
		case 'd':
			core = 1;
			break;
		case 'h':
			worker_usage(argv[0]);
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
	if (asprintf(&w->link_path, "%s/link-%u-%016llx.sock", w->run_dir,
	    w->slot, (unsigned long long)w->incarnation) == -1)
		fatal("start");
	snprintf(ident, sizeof(ident), "shardd/%u", w->slot);
	log_init(ident, level);
	if (proc_open_to_debuggers(core) == -1)
		fatal("core");
	return (0);
}

static void
worker_init(struct worker *w)
{
	struct list	*lists[] = { &w->parked, &w->links, &w->restless,
			    &w->keeping };
	size_t		 nofile = proc_nofile();

	for (size_t i = 0; i < nitems(lists); i++)
		list_init(lists[i]);
	options_init(&w->opt);
	w->gateway_pidfd = -1;
	w->started = clock_wall_ms();
	w->capacity = nofile > 2 * WORKER_RESERVE ? nofile - WORKER_RESERVE :
	    nofile / 2;
	backoff_init(&w->redial, 50, 1000);
	budget_set(w->opt.turn_ms);
}

/* What the application finds around itself. */
static void
worker_surround(struct worker *w)
{
	static struct surroundings	 around;

	around = (struct surroundings){
		.base = w->base, .opt = &w->opt, .groups = w,
		.node = w->node, .address = w->address, .slot = w->slot,
	};
	surroundings = &around;
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
	if (worker_arguments(&w, argc, argv) == -1) {
		worker_usage(argv[0]);
		return (2);
	}
	proc_signals_ignore();
	/* The slot's lock; what follows it is the application's. */
	fcntl(WORKER_LOCK_FD, F_SETFD, FD_CLOEXEC);
	worker_init(&w);
	if ((w.page = page_new(w.incarnation, &w.page_fd)) == NULL)
		fatal("memory that is shared with the gateway");
	turn_count_at(&w.page->work.turns);
	if ((w.base = event_base_new()) == NULL ||
	    session_init(&w.sessions, w.base, &w.opt, &w.gate) == -1 ||
	    (signals = proc_signals_new(w.base, signos, worker_signal_cb,
	    &w)) == NULL || sweep_start(&w.sweep, w.base,
	    &w.sessions.clients, worker_tick, &w) == -1)
		fatal("start");
	worker_surround(&w);
	if (link_listen(&w) == -1)
		fatal("listen on %s", w.link_path);
	orders_dial(&w);
	turn_set_eager(poller_run, w.sessions.clients.poller);
	if (turn_loop(w.base) == -1)
		fatal("event loop");
	worker_end(&w);
	proc_signals_free(signals);
	event_base_free(w.base);
	return (0);
}

void
worker_end(struct worker *w)
{
	budget_set(0);			/* nobody has to wait for us */
	orders_drop_parked(w);
	clients_end(&w->sessions.clients);	/* not fast enough */
	parting_all(&w->sessions);
	turn_end();
	link_shutdown(w);
	if (w->lookup != NULL)
		lookup_free(w->lookup);
	store_free(w->store);
	w->lookup = NULL;
	if (w->gate.control != NULL)
		control_free(w->gate.control);
	if (w->redial_timer != NULL)
		event_free(w->redial_timer);
	if (w->gateway_pidfd != -1)
		close(w->gateway_pidfd);
	close(w->page_fd);
	sweep_stop(&w->sweep);
	leavings_clear(w->run_dir, w->slot, WORKER_LOCK_FD,
	    options_get(&w->opt, "redis"));
	options_clear(&w->opt);
	session_clear(&w->sessions);
	map_clear(&w->replicas);
	free(w->link_path);
}

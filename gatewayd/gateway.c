/* Start and stop, in order. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/proc.h"
#include "common/secret.h"
#include "common/turn.h"
#include "gatewayd/admin.h"
#include "gatewayd/anchor.h"
#include "gatewayd/arrival.h"
#include "gatewayd/balance.h"
#include "gatewayd/check.h"
#include "gatewayd/child.h"
#include "gatewayd/cluster.h"
#include "gatewayd/configuration.h"
#include "gatewayd/covers.h"
#include "gatewayd/door.h"
#include "gatewayd/elsewhere.h"
#include "gatewayd/forget.h"
#include "gatewayd/gateway.h"
#include "gatewayd/handoff.h"
#include "gatewayd/identity.h"
#include "gatewayd/jail.h"
#include "gatewayd/leaving.h"
#include "gatewayd/ledger.h"
#include "gatewayd/linger.h"
#include "gatewayd/parts.h"
#include "gatewayd/passages.h"
#include "gatewayd/paths.h"
#include "gatewayd/placement.h"
#include "gatewayd/quota.h"
#include "gatewayd/redisd.h"
#include "gatewayd/registry.h"
#include "gatewayd/report.h"
#include "gatewayd/rescue.h"
#include "gatewayd/rollcall.h"
#include "gatewayd/roster.h"
#include "gatewayd/routes.h"
#include "gatewayd/shard.h"
#include "gatewayd/succession.h"
#include "gatewayd/successor.h"
#include "gatewayd/supervisor.h"
#include "gatewayd/upgrade.h"

static void	 gateway_become(const struct gateway *);
static void	 gateway_name(struct settings *);
static void	 gateway_start(struct gateway *);
static void	 gateway_claim(void *);
static void	 gateway_refused(const char *, void *);
static int	 gateway_alive(uint64_t, void *);
static void	 gateway_shards(void *);
static void	 gateway_ready(void *);
static void	 gateway_replica_made(struct replica *, void *);
static void	 gateway_replica_ended(struct replica *, void *);
static void	 gateway_place_left(const struct group *, void *);
static void	 gateway_counted(struct quota_wait *, void *);
static int	 gateway_keeps(const struct group *, void *);
static void	 gateway_resolved(void *);
static void	 gateway_shard_buried(const char *, void *);
static void	 gateway_room(void *);
static void	 gateway_listening(int, void *);
static struct shard *gateway_hello(struct control *, const struct ctl *,
		    int *, pid_t, void *);
static int	 gateway_message(struct shard *, const struct ctl *, int *,
		    size_t, int, void *);
static void	 gateway_channel_end(struct shard *, const char *, void *);
static void	 gateway_home(const struct capsule *, int, void *);
static void	 gateway_pause(int, void *);
static int	 gateway_serves(const struct http_head *, void *);
static void	 gateway_colleague(int, const char *, const struct http_head *,
		    struct slice, void *);
static void	 gateway_signal_cb(int, void *);
static void	 gateway_tick_cb(evutil_socket_t, short, void *);

static const struct placement_ops gateway_placement_ops = {
	.replica_made = gateway_replica_made,
	.replica_ended = gateway_replica_ended,
	.left = gateway_place_left,
	.keeps = gateway_keeps,
};
static const struct roster_ops gateway_roster_ops = {
	.settled = gateway_ready,
	.resolved = gateway_resolved,
	.ready = passages_ready,
	.dead = passages_dead,
	.dying = passages_dying,
	.buried = gateway_shard_buried,
	.room = gateway_room,
	.adopted = passages_adopted,
	.refused = passages_refused,
	.home = passages_home,
	.left = leaving_left,
	.listening = gateway_listening,
	.shared = cluster_shared,
};

static const struct handoff_ops gateway_handoff_ops = {
	.home = gateway_home,
	.pause = gateway_pause,
};

static const struct rescue_ops gateway_rescue_ops = {
	.grow = roster_grow,
	.suspect = roster_suspect,
};
static const struct admin_ops gateway_admin_ops = {
	.look = report_look,
	.serves = gateway_serves,
	.colleague = gateway_colleague,
};
static const struct door_ops gateway_door_ops = {
	.hello = gateway_hello,
	.message = gateway_message,
	.packet = passages_packet,
	.sent = passages_sent,
	.end = gateway_channel_end,
	.ask = report_ask,
	.gone = report_gone,
};
static const struct registry_ops gateway_registry_ops = {
	.ready = gateway_shards,
	.refused = gateway_refused,
	.alive = gateway_alive,
	.shards = cluster_living,
	.load = cluster_load,
	.dead = cluster_dead,
	.lost = cluster_lost,
	.news = cluster_news,
};

int
gateway_run(struct gateway *g)
{
	static const int	 signos[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1,
				    SIGUSR2, SIGCHLD, 0 };
	const struct timeval	 second = { 1, 0 };
	struct proc_signals	*signals;
	struct event		*tick;
	const char		*why;

	g->incarnation = bytes_random64();
	g->started = clock_wall_ms();
	/* Before there is a socket's file: whoever ends us now, ends it too. */
	if ((g->base = event_base_new()) == NULL ||
	    event_base_priority_init(g->base, 2) == -1)
		fatalx("no event loop");
	signals = proc_signals_new(g->base, signos, gateway_signal_cb, g);
	if (signals == NULL)
		fatal("signals");
	sockets_bind(&g->sockets, &g->settings,
	    shards_live(g->settings.run_dir));
	if (admin_listen(&g->settings, &g->admin_fd) == -1) {
		why = strerror(errno);
		sockets_unlink(&g->sockets);
		fatalx("cannot listen on %s for the administrator: %s; choose "
		    "another address with --admin, or none",
		    g->settings.admin, why);
	}
	gateway_become(g);
	gateway_name(&g->settings);
	tick = event_new(g->base, -1, EV_PERSIST, gateway_tick_cb, g);
	if (tick == NULL || event_add(tick, &second) == -1)
		fatalx("no memory");
	gateway_start(g);
	if (turn_loop(g->base) == -1)
		fatalx("the event loop failed");
	supervisor_free(g->supervisor);
	parts_free(g);
	event_free(tick);
	proc_signals_free(signals);
	event_base_free(g->base);
	log_info("left");
	return (0);
}

/* ---- start ---- */

/* The last that is done as root. */
static void
gateway_become(const struct gateway *g)
{
	const struct settings	*s = &g->settings;
	const char		*path;

	if (s->uid == geteuid())
		return;
	if (sockets_give(&g->sockets, &path) == -1)
		fatal("%s", path);
	if (proc_become(s->user, s->uid, s->gid) == -1 ||
	    proc_open_to_debuggers(s->core) == -1)
		fatal("cannot become user %s", s->user);
	log_info("user=%s", s->user);
}

/* The node's, if nobody gave one: without Redis nobody else hears of it. */
static void
gateway_name(struct settings *s)
{
	if (s->node == NULL && (s->node = identity_node(strcmp(s->redis,
	    "none") == 0 ? NULL : s->state_dir)) == NULL)
		fatal("node");
}

/* Make what stands alone; then a Redis, if it is to be ours. */
static void
gateway_start(struct gateway *g)
{
	const char	*mode = g->settings.redis;

	if (g->settings.seccomp && (g->filter = jail_filter()) == NULL)
		log_warn("workers run without a filter of system calls: %s",
		    strerror(errno));
	if (g->filter != NULL && !jail_has_domains())
		log_info("this kernel has no landlock, which would keep "
		    "workers out of each other");
	g->placement = placement_new(g->incarnation, &gateway_placement_ops, g);
	g->linger = linger_new(g->base, g->settings.linger_max, &g->totals);
	g->totals.ledger = ledger_new();
	if (g->placement == NULL || g->linger == NULL ||
	    g->totals.ledger == NULL || (g->admin_fd != -1 &&
	    (g->admin = admin_new(g->base, g->admin_fd,
	    settings_find(&g->settings, "ape_key"), &gateway_admin_ops, g)) ==
	    NULL))
		fatal("start");
	covers_allow(g->placement, covers_room(&g->settings, proc_nofile()));
	g->supervisor = supervisor_new(g->base, report_summary, g);
	if (strcmp(mode, "auto") == 0) {
		if ((g->redisd = redisd_new(g->base, &g->settings,
		    gateway_claim, g)) == NULL)
			fatalx("no redis-server");
		mode = redisd_url(g->redisd);
	}
	cluster_say_alone(&g->settings);
	g->redis_url = strdup(strcmp(mode, "none") == 0 ? "" : mode);
	if (g->redis_url == NULL)
		fatal("start");
	if (g->redisd == NULL)
		gateway_claim(g);
}

/* Redis is there, or is not to be waited for: whose is the node's name? */
static void
gateway_claim(void *arg)
{
	struct gateway	*g = arg;
	char		 shown[256];

	if (g->redis_url[0] == '\0')
		gateway_shards(g);
	else if ((g->registry = registry_new(g->base, &g->settings,
	    g->redis_url, g->incarnation, g->started, &gateway_registry_ops,
	    g)) == NULL)
		fatal("redis %s", secret_shown(shown, sizeof(shown),
		    g->redis_url));
}

/* Nothing was started yet but, perhaps, a Redis of our own. */
static void
gateway_refused(const char *why, void *arg)
{
	log_warn("%s", why);
	leaving_kill(arg);
}

/* The name is ours, or nobody can say. */
static void
gateway_shards(void *arg)
{
	struct gateway	*g = arg;

	if ((g->door = door_new(g->base, g->settings.run_dir,
	    &gateway_door_ops, g)) == NULL)
		fatal("%s/control.sock", g->settings.run_dir);
	if ((g->quotas = quotas_new(g->placement, gateway_counted, g)) == NULL)
		fatal("start");
	if (cluster_shared(g) != 0)
		quotas_share(g->quotas, registry_redis(g->registry),
		    g->settings.redis_prefix, g->settings.node);
	g->roster = roster_new(g->base, &g->settings, g->placement, &g->totals,
	    g->filter, g->redis_url, g->incarnation, &gateway_roster_ops, g);
	if (g->roster == NULL)
		fatal("shards");
	g->handoffs = handoffs_new(g->base, &g->settings, &g->totals,
	    g->placement, g->quotas, g->roster, g->linger,
	    &gateway_handoff_ops, g);
	g->rescues = rescues_new(g->base, &g->settings, &g->totals,
	    g->placement, g->quotas, g->linger, &gateway_rescue_ops,
	    g->roster);
	g->balance = balance_new(g->base, &g->settings, g->placement,
	    g->roster, &g->totals);
	if (g->balance != NULL)
		g->upgrade = upgrade_new(g->base, &g->settings, g->placement,
		    g->roster, g->balance, &g->totals);
	g->checks = checks_new(g->base, g->roster, g->placement,
	    report_checked, g);
	g->forgets = forgets_new(&g->settings, g->placement);
	g->elsewheres = elsewheres_new(&g->settings);
	if (g->handoffs != NULL)
		g->arrivals = arrivals_new(g->base, &g->settings, &g->totals,
		    g->placement, g->linger, g->handoffs);
	if (successor_init(g) == -1 || g->arrivals == NULL ||
	    g->rescues == NULL || g->upgrade == NULL || g->checks == NULL ||
	    g->forgets == NULL || g->elsewheres == NULL)
		fatal("start");
}

/* Log a route that is built in for a worker not ours. */
static void
gateway_route_cb(const char *label, const char *text, void *arg)
{
	(void)arg;
	log_info("default route=%s %s", label, text);
}

/* All shards have come up, or failed: those who knock are let in. */
static void
gateway_ready(void *arg)
{
	struct gateway		*g = arg;
	struct buf		 where = { .max = 4096 };
	size_t			 up = 0;

	for (size_t i = 0; i < roster_nslots(g->roster); i++)
		up += roster_slot(g->roster, i)->state == SHARD_READY;
	sockets_rebind(&g->sockets);
	if (sockets_listen(&g->sockets, g->base, arrival_accept_cb,
	    arrival_refuse_cb, g->arrivals, &where) == -1)
		fatal("listen");
	if (g->registry != NULL)
		registry_start(g->registry);
	buf_add(&where, "", 1);
	if (g->settings.own_routes)
		routes_describe(g->settings.routes, gateway_route_cb, NULL);
	log_info("ready node=%s listen=%s shards=%zu", g->settings.node,
	    where.data, up);
	if (up == 0)
		log_warn("no shard came up: everybody is refused until one "
		    "does.  Does %s call kennel_worker_main()?  Its own words, "
		    "if any, are above", g->settings.worker);
	buf_clear(&where);
	if ((g->anchors = anchors_new(g->base, &g->settings, g->placement)) ==
	    NULL)
		fatal("anchors");
	upgrade_look(g->upgrade);
	successor_inherit(g);
	supervisor_ready(g->supervisor);
	for (size_t i = 0; i < roster_nslots(g->roster); i++)
		successor_lend(g, roster_slot(g->roster, i));
}

/* ---- what is handed from the lower to the upper ---- */

/* May a shard of this incarnation be alive? */
static int
gateway_alive(uint64_t incarnation, void *arg)
{
	const struct gateway	*g = arg;

	return (g->roster != NULL && roster_knows(g->roster, incarnation));
}

/* Placement has a new replica, or none any more. */
static void
gateway_replica_made(struct replica *rep, void *arg)
{
	struct gateway	*g = arg;

	roster_replica_made(g->roster, rep);
}

/* Placement has a replica no more. */
static void
gateway_replica_ended(struct replica *rep, void *arg)
{
	struct gateway	*g = arg;

	roster_replica_ended(g->roster, rep);
}

/* Is the group to be there without anybody? */
static int
gateway_keeps(const struct group *g, void *arg)
{
	const struct gateway	*gw = arg;

	return (anchors_keep(&gw->settings, slice_str(g->app),
	    slice_of(g->name, g->name_len)));
}

/* Placement has a place less in that group. */
static void
gateway_place_left(const struct group *group, void *arg)
{
	const struct gateway	*g = arg;

	quota_left(g->quotas, group);
}

/* Whoever wants to be in a group may ask again whether it has room. */
static void
gateway_counted(struct quota_wait *w, void *arg)
{
	struct gateway	*g = arg;

	handoff_counted(g->handoffs, w);
}

/* Found shards have spoken: what is in Redis and not alive is dead. */
static void
gateway_resolved(void *arg)
{
	struct gateway	*g = arg;

	if (g->registry != NULL)
		registry_start(g->registry);
}

/* A shard is dead: its entries in Redis go. */
static void
gateway_shard_buried(const char *address, void *arg)
{
	struct gateway	*g = arg;

	if (g->registry != NULL)
		registry_sweep(g->registry, address);
}

/* A shard may be started for those who wait. */
static void
gateway_room(void *arg)
{
	struct gateway	*g = arg;

	handoff_retry(g->handoffs);
	rescue_retry(g->rescues);
}

/* A shard held a socket of ours, for an earlier gateway. */
static void
gateway_listening(int fd, void *arg)
{
	struct gateway	*g = arg;

	sockets_return(&g->sockets, fd);
}

/* admin_ops: would a client be served there? */
static int
gateway_serves(const struct http_head *h, void *arg)
{
	static struct route_match	 m;
	const struct gateway		*g = arg;
	const char			*why;

	return (routes_find(g->settings.routes, h, &m, &why) == 0 ||
	    errno != ENOENT);
}

/* admin_ops: another server asks. */
static void
gateway_colleague(int fd, const char *peer, const struct http_head *h,
    struct slice all, void *arg)
{
	struct gateway	*g = arg;

	if (g->arrivals == NULL)	/* it is too early */
		linger_turn_away(g->linger, fd, 0, REFUSED_LEAVING, 0);
	else
		arrival_colleague(g->arrivals, fd, peer, h, all);
}

/* A connection came home. */
static void
gateway_home(const struct capsule *c, int fd, void *arg)
{
	struct gateway	*g = arg;

	arrival_home(g->arrivals, c, fd);
}

/* Many connections are on their way to shards: accept more slowly, or go on. */
static void
gateway_pause(int on, void *arg)
{
	struct gateway	*g = arg;

	if (!g->succeeded)
		sockets_pause(&g->sockets, on);
}

/* A shard says hello at the door. */
static struct shard *
gateway_hello(struct control *c, const struct ctl *m, int *page, pid_t peer,
    void *arg)
{
	struct gateway	*g = arg;

	return (roster_hello(g->roster, c, m, page, peer));
}

/* A shard says something. */
static int
gateway_message(struct shard *s, const struct ctl *m, int *fds, size_t nfds,
    int cut, void *arg)
{
	struct gateway	*g = arg;

	if (m->type != CTL_STATUS)
		return (roster_message(g->roster, s, m, fds, nfds, cut));
	check_said(g->checks, s, m);
	return (0);
}

/* The channel of a shard has ended. */
static void
gateway_channel_end(struct shard *s, const char *why, void *arg)
{
	struct gateway	*g = arg;

	roster_channel_end(g->roster, s, why);
}

/* What nothing else brings up. */
static void
gateway_tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct gateway	*g = arg;

	(void)fd, (void)what;
	log_catch_up();
	if (g->leave_at != 0 && clock_ms() >= g->leave_at)
		leaving_begin(g);
	refused_say(&g->refused, &g->totals, clock_ms());
}

/* A signal. */
static void
gateway_signal_cb(int signo, void *arg)
{
	struct gateway	*g = arg;
	struct configuration_news news;
	char		 why[512];

	switch (signo) {
	case SIGHUP:
		(void)report_reload(g, &news);
		break;
	case SIGUSR1:
		log_info("signal=USR1 changes nothing: the log is standard "
		    "error, and no file is opened again");
		break;
	case SIGUSR2:
		if (g->upgrade == NULL || upgrade_begin(g->upgrade,
		    slice_of(NULL, 0), 100, why, sizeof(why)) == -1)
			log_warn("signal=USR2 changes nothing: %s",
			    g->upgrade == NULL ? "it is too early" : why);
		break;
	case SIGCHLD:
		child_reap();
		break;
	default:
		if (g->leaving && g->leave_at == 0)
			leaving_at_once(g);
		if (!g->leaving && g->settings.leave_pause_ms > 0)
			leaving_pause(g);
		else
			leaving_begin(g);
	}
}

/* What the gateway and its shards count, in the text format of Prometheus. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/memory.h"
#include "gatewayd/census.h"
#include "gatewayd/covers.h"
#include "gatewayd/cpus.h"
#include "gatewayd/exposition.h"
#include "gatewayd/ledger.h"
#include "gatewayd/metrics.h"
#include "gatewayd/placement.h"
#include "gatewayd/progress.h"
#include "gatewayd/ready.h"
#include "gatewayd/roster.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "gatewayd/status.h"
#include "gatewayd/totals.h"
#include "gatewayd/upgrade_in.h"
#include "gatewayd/usage.h"
#include "proto/counters.h"

/* A metric of the gateway's own: one value, or what writes all of them. */
struct metrics_row {
	const char	*name, *help;
	enum metric_type type;
	uint64_t	(*value)(const struct status *);
	void		(*write)(struct buf *, const struct metrics_row *,
			    const struct status *);
};

/* ---- the gateway ---- */

static void
metrics_build(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	(void)st;
	exposition_labelled(out, row->name, "version", KENNEL_VERSION, 1);
}

static void
metrics_started(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	buf_addf(out, "%s %" PRIu64 ".%03" PRIu64 "\n", row->name,
	    st->started / 1000, st->started % 1000);
}

static uint64_t
metrics_ready(const struct status *st)
{
	const char	*why[READY_MAX];

	return (ready_missing(st, why) == 0);
}

static uint64_t
metrics_leaving(const struct status *st)
{
	return (st->leaving != 0);
}

static uint64_t
metrics_accepted(const struct status *st)
{
	return (st->totals->accepted);
}

static uint64_t
metrics_requests(const struct status *st)
{
	return (st->totals->requests);
}

static uint64_t
metrics_raw(const struct status *st)
{
	return (st->totals->raw);
}

static void
metrics_refused(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	for (int why = 0; why < REFUSED_NWHYS; why++)
		exposition_labelled(out, row->name, "reason",
		    refusal_label((enum refusal)why),
		    st->totals->refusals[why]);
}

static void
metrics_handovers(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	exposition_histogram(out, row->name, st->totals->handover);
}

static uint64_t
metrics_came_home(const struct status *st)
{
	return (st->totals->home);
}

static void
metrics_closed(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	for (int why = CLOSE_NONE + 1; why < CLOSE_NWHYS; why++)
		exposition_labelled(out, row->name, "why",
		    close_label((enum close_why)why), st->totals->gone[why]);
}

static uint64_t
metrics_second(const struct status *st)
{
	return (st->totals->second_release);
}

static uint64_t
metrics_moved(const struct status *st)
{
	return (st->totals->moved);
}

static uint64_t
metrics_stayed(const struct status *st)
{
	return (st->totals->stayed);
}

static uint64_t
metrics_survived(const struct status *st)
{
	return (st->totals->survived);
}

static uint64_t
metrics_lost(const struct status *st)
{
	return (st->totals->lost_by_death);
}

static uint64_t
metrics_covered(const struct status *st)
{
	return (covers_count(st->placement));
}

static uint64_t
metrics_uncovered(const struct status *st)
{
	return (covers_missing(st->placement));
}

static uint64_t
metrics_covers_max(const struct status *st)
{
	return (covers_most(st->placement));
}

static void
metrics_pauses(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	exposition_histogram(out, row->name, st->totals->pauses);
}

static uint64_t
metrics_moving(const struct status *st)
{
	return (placement_moving(st->placement));
}

static uint64_t
metrics_watchdog(const struct status *st)
{
	return (st->totals->watchdog);
}

static uint64_t
metrics_handshakes(const struct status *st)
{
	return (st->handshakes);
}

static uint64_t
metrics_home(const struct status *st)
{
	return (st->home);
}

static uint64_t
metrics_handing_over(const struct status *st)
{
	return (st->handing_over);
}

static uint64_t
metrics_places(const struct status *st)
{
	return (placement_count(st->placement));
}

static uint64_t
metrics_groups(const struct status *st)
{
	return (list_count(placement_groups(st->placement)));
}

static void
metrics_redis(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	/* Without a Redis there is none that could be away. */
	if (strcmp(st->settings->redis, "none") != 0)
		exposition_plain(out, row->name, (uint64_t)st->redis_up);
}

static void
metrics_nodes(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	census_nodes(out, row->name, st);
}

static void
metrics_beats(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	census_beats(out, row->name, st);
}

static uint64_t
metrics_memory(const struct status *st)
{
	(void)st;
	return (memory_allowed(""));
}

static uint64_t
metrics_cpus(const struct status *st)
{
	(void)st;
	return (cpus_allowed());
}

/* ---- an upgrade: under way, or the last one ---- */

/* Which phase it is in: 1, the others 0. */
static void
metrics_phase(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	enum upgrade_phase	 phase = st->upgrade == NULL ? UPGRADE_NONE :
				    st->upgrade->phase;

	for (int i = UPGRADE_NONE; i < UPGRADE_NPHASES; i++)
		exposition_labelled(out, row->name, "phase", upgrade_phase_name(
		    (enum upgrade_phase)i), phase == (enum upgrade_phase)i);
}

static void
metrics_upgraded(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	struct transfer_count	 sum = { 0 };
	size_t			 left = 0;

	if (st->upgrade != NULL) {
		sum = progress_sum(st->upgrade);
		left = progress_left(st->upgrade);
	}
	exposition_labelled(out, row->name, "state", "moved", sum.moved);
	exposition_labelled(out, row->name, "state", "skipped", sum.never);
	exposition_labelled(out, row->name, "state", "failed", sum.failed);
	exposition_labelled(out, row->name, "state", "left", left);
}

static void
metrics_upgrades(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	for (int i = 0; i < UPGRADE_NENDS; i++)
		exposition_labelled(out, row->name, "result", upgrade_end_name(
		    (enum upgrade_end)i), st->upgrade == NULL ? 0 :
		    st->upgrade->ends[i]);
}

static uint64_t
metrics_upgrade_generation(const struct status *st)
{
	return (st->upgrade == NULL ? 0 : st->upgrade->number);
}

static uint64_t
metrics_upgrade_percent(const struct status *st)
{
	return (st->upgrade == NULL ? 0 : st->upgrade->percent);
}

static uint64_t
metrics_upgrade_began(const struct status *st)
{
	return (st->upgrade == NULL ? 0 : st->upgrade->began_wall / 1000);
}

static uint64_t
metrics_upgrade_ended(const struct status *st)
{
	return (st->upgrade == NULL ? 0 : st->upgrade->ended_wall / 1000);
}

/* ---- the shards, as the gateway sees them ---- */

static size_t
metrics_nslots(const struct status *st)
{
	return (st->roster == NULL ? 0 : roster_nslots(st->roster));
}

static void
metrics_states(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	uint64_t	 n[SHARD_WAITING + 1] = { 0 };

	for (size_t i = 0; i < metrics_nslots(st); i++)
		n[roster_slot(st->roster, i)->state]++;
	for (int i = SHARD_EMPTY + 1; i <= SHARD_WAITING; i++)
		exposition_labelled(out, row->name, "state",
		    shard_state_name((enum shard_state)i), n[i]);
}

static uint64_t
metrics_shards_max(const struct status *st)
{
	return (st->settings->max_shards);
}

static void
metrics_connections(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	const struct shard	*s;

	for (size_t i = 0; i < metrics_nslots(st); i++)
		if ((s = roster_slot(st->roster, i))->site != NULL)
			exposition_slot(out, row->name, s->slot,
			    s->site->count - s->site->expected);
}

static void
metrics_replicas(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	const struct shard	*s;

	for (size_t i = 0; i < metrics_nslots(st); i++)
		if ((s = roster_slot(st->roster, i))->site != NULL)
			exposition_slot(out, row->name, s->slot,
			    s->site->nreplicas);
}

static void
metrics_generation(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	const struct shard	*s;

	for (size_t i = 0; i < metrics_nslots(st); i++)
		if ((s = roster_slot(st->roster, i))->generation != NULL)
			exposition_slot(out, row->name, s->slot,
			    s->generation->number);
}

static void
metrics_capacity(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	const struct shard	*s;

	for (size_t i = 0; i < metrics_nslots(st); i++)
		if ((s = roster_slot(st->roster, i))->site != NULL)
			exposition_slot(out, row->name, s->slot,
			    s->site->capacity);
}

static void
metrics_restarts(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	for (size_t i = 0; i < metrics_nslots(st); i++)
		exposition_slot(out, row->name, (uint32_t)i,
		    roster_slot(st->roster, i)->restarts);
}

/* ---- processes ---- */

struct metrics_process {
	char		 name[32];
	struct usage	 usage;
};

/* All processes of ours; the next one for each call, until it returns 0. */
static int
metrics_process(const struct status *st, size_t *at, struct metrics_process *p)
{
	size_t	 n = metrics_nslots(st);
	pid_t	 pid;

	for (;;) {
		if (*at == 0) {
			pid = getpid();
			snprintf(p->name, sizeof(p->name), "gateway");
		} else if (*at <= n) {
			pid = roster_slot(st->roster, *at - 1)->pid;
			snprintf(p->name, sizeof(p->name), "shard/%zu",
			    *at - 1);
		} else if (*at == n + 1) {
			pid = st->redisd_pid;
			snprintf(p->name, sizeof(p->name), "redis");
		} else
			return (0);
		++*at;
		if (pid > 0 && usage_read(pid, &p->usage) == 0)
			return (1);
	}
}

static void
metrics_resident(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	struct metrics_process	 p;
	size_t			 at = 0;

	while (metrics_process(st, &at, &p))
		exposition_labelled(out, row->name, "process", p.name,
		    p.usage.resident);
}

static void
metrics_cpu(struct buf *out, const struct metrics_row *row, const struct status *st)
{
	struct metrics_process	 p;
	size_t			 at = 0;

	while (metrics_process(st, &at, &p))
		buf_addf(out, "%s{process=\"%s\"} %" PRIu64 ".%03" PRIu64 "\n",
		    row->name, p.name, p.usage.cpu_ms / 1000,
		    p.usage.cpu_ms % 1000);
}

static void
metrics_fds(struct buf *out, const struct metrics_row *row, const struct status *st)
{
	struct metrics_process	 p;
	size_t			 at = 0;

	while (metrics_process(st, &at, &p))
		if (p.usage.fds != 0)
			exposition_labelled(out, row->name, "process", p.name,
			    p.usage.fds);
}

static void
metrics_fds_max(struct buf *out, const struct metrics_row *row,
    const struct status *st)
{
	struct metrics_process	 p;
	size_t			 at = 0;

	while (metrics_process(st, &at, &p)) {
		if (p.usage.fds_max == UINT64_MAX)
			buf_addf(out, "%s{process=\"%s\"} +Inf\n", row->name,
			    p.name);
		else if (p.usage.fds_max != 0)
			exposition_labelled(out, row->name, "process", p.name,
			    p.usage.fds_max);
	}
}

static const struct metrics_row metrics_rows[] = {
	{ "kennel_build_info", "1; the version that runs.",
	  METRIC_GAUGE, NULL, metrics_build },
	{ "kennel_start_time_seconds", "When the gateway started, since 1970.",
	  METRIC_GAUGE, NULL, metrics_started },
	{ "kennel_ready", "1 if a connection would be taken now.",
	  METRIC_GAUGE, metrics_ready, NULL },
	{ "kennel_leaving", "1 if the gateway was told to leave.",
	  METRIC_GAUGE, metrics_leaving, NULL },
	{ "kennel_connections_accepted_total", "Connections that were accepted.",
	  METRIC_COUNTER, metrics_accepted, NULL },
	{ "kennel_requests_total", "Heads of requests that the gateway has read.",
	  METRIC_COUNTER, metrics_requests, NULL },
	{ "kennel_connections_raw_total",
	  "Connections to listeners of an application's own protocol.",
	  METRIC_COUNTER, metrics_raw, NULL },
	{ "kennel_connections_refused_total",
	  "Connections that the gateway answered with an error, by reason.",
	  METRIC_COUNTER, NULL, metrics_refused },
	{ "kennel_handover_duration_seconds",
	  "From a request's head until a shard has its connection.",
	  METRIC_HISTOGRAM, NULL, metrics_handovers },
	{ "kennel_connections_came_home_total",
	  "Connections that came back from a shard, to wait for a request.",
	  METRIC_COUNTER, metrics_came_home, NULL },
	{ "kennel_connections_closed_total",
	  "Connections that ended in a shard, by the label of why.",
	  METRIC_COUNTER, NULL, metrics_closed },
	{ "kennel_second_releases_total",
	  "Connections that ended twice; should be 0.",
	  METRIC_COUNTER, metrics_second, NULL },
	{ "kennel_connections_moved_total",
	  "Connections that moved from one shard to another.",
	  METRIC_COUNTER, metrics_moved, NULL },
	{ "kennel_connections_survived_total",
	  "Connections that went on in another shard when theirs died.",
	  METRIC_COUNTER, metrics_survived, NULL },
	{ "kennel_connections_lost_by_death_total",
	  "Connections that ended because their shard died.",
	  METRIC_COUNTER, metrics_lost, NULL },
	{ "kennel_connections_covered",
	  "Connections that would not end with their shard: the gateway has a "
	  "copy of their descriptors.",
	  METRIC_GAUGE, metrics_covered, NULL },
	{ "kennel_connections_uncovered",
	  "Open connections that would end with their shard.",
	  METRIC_GAUGE, metrics_uncovered, NULL },
	{ "kennel_connections_covered_max",
	  "The most connections that are covered; 0: none is to be.",
	  METRIC_GAUGE, metrics_covers_max, NULL },
	{ "kennel_connections_stayed_total",
	  "Connections that were to move and stayed, for then or for good.",
	  METRIC_COUNTER, metrics_stayed, NULL },
	{ "kennel_move_pause_seconds",
	  "For how long a connection that moved was not read from.",
	  METRIC_HISTOGRAM, NULL, metrics_pauses },
	{ "kennel_connections_moving",
	  "Connections on their way from one shard to another.",
	  METRIC_GAUGE, metrics_moving, NULL },
	{ "kennel_upgrade_phase",
	  "1 for the phase in which an upgrade of the workers is; none: there is "
	  "none.",
	  METRIC_GAUGE, NULL, metrics_phase },
	{ "kennel_upgrade_generation",
	  "Which worker program the last upgrade is to; 0: there was none.",
	  METRIC_GAUGE, metrics_upgrade_generation, NULL },
	{ "kennel_upgrade_percent",
	  "Part of the shards that it is for: below 100, a canary.",
	  METRIC_GAUGE, metrics_upgrade_percent, NULL },
	{ "kennel_upgrade_connections",
	  "Connections of the last upgrade, by what became of them so far.",
	  METRIC_GAUGE, NULL, metrics_upgraded },
	{ "kennel_upgrade_start_time_seconds",
	  "When the last upgrade began, since 1970; 0: there was none.",
	  METRIC_GAUGE, metrics_upgrade_began, NULL },
	{ "kennel_upgrade_end_time_seconds",
	  "When the last upgrade that is over ended, since 1970; 0: there was none.",
	  METRIC_GAUGE, metrics_upgrade_ended, NULL },
	{ "kennel_upgrades_total", "Upgrades that have ended, by result.",
	  METRIC_COUNTER, NULL, metrics_upgrades },
	{ "kennel_handshakes", "Connections whose request's head is awaited.",
	  METRIC_GAUGE, metrics_handshakes, NULL },
	{ "kennel_idle_connections",
	  "Connections in the gateway that wait for their next request.",
	  METRIC_GAUGE, metrics_home, NULL },
	{ "kennel_handovers_in_progress",
	  "Connections on their way to a shard, or that wait for one.",
	  METRIC_GAUGE, metrics_handing_over, NULL },
	{ "kennel_places", "Connections that have a place in a shard.",
	  METRIC_GAUGE, metrics_places, NULL },
	{ "kennel_groups", "Groups that have a member on this node.",
	  METRIC_GAUGE, metrics_groups, NULL },
	{ "kennel_redis_up",
	  "1 if the gateway can ask Redis; not there with --redis none.",
	  METRIC_GAUGE, NULL, metrics_redis },
	{ "kennel_cluster_nodes",
	  "Nodes that this one knows, with itself; not there if it is alone.",
	  METRIC_GAUGE, NULL, metrics_nodes },
	{ "kennel_cluster_beat_age_seconds",
	  "Since when another node's beat has not changed, as seen here.",
	  METRIC_GAUGE, NULL, metrics_beats },
	{ "kennel_shards", "Shards, by state.",
	  METRIC_GAUGE, NULL, metrics_states },
	{ "kennel_shards_max", "The most shards that are started.",
	  METRIC_GAUGE, metrics_shards_max, NULL },
	{ "kennel_shard_connections", "Connections of a shard.",
	  METRIC_GAUGE, NULL, metrics_connections },
	{ "kennel_shard_replicas", "Groups that have a part in a shard.",
	  METRIC_GAUGE, NULL, metrics_replicas },
	{ "kennel_shard_generation",
	  "Which worker program a shard runs, counted from 1.",
	  METRIC_GAUGE, NULL, metrics_generation },
	{ "kennel_shard_capacity", "The most connections of a shard.",
	  METRIC_GAUGE, NULL, metrics_capacity },
	{ "kennel_shard_restarts_total",
	  "Shards of this slot that ended and were to be started again.",
	  METRIC_COUNTER, NULL, metrics_restarts },
	{ "kennel_watchdog_kills_total", "Shards that were killed, as they hung.",
	  METRIC_COUNTER, metrics_watchdog, NULL },
	{ "kennel_memory_limit_bytes",
	  "Memory that the machine has, or the control group allows.",
	  METRIC_GAUGE, metrics_memory, NULL },
	{ "kennel_cpus", "CPUs that affinity and the control group allow.",
	  METRIC_GAUGE, metrics_cpus, NULL },
	{ "kennel_process_resident_memory_bytes",
	  "Memory of a process of this node.",
	  METRIC_GAUGE, NULL, metrics_resident },
	{ "kennel_process_cpu_seconds_total",
	  "CPU time of a process of this node.",
	  METRIC_COUNTER, NULL, metrics_cpu },
	{ "kennel_process_open_fds",
	  "Descriptors that a process of this node has open.",
	  METRIC_GAUGE, NULL, metrics_fds },
	{ "kennel_process_max_fds",
	  "The most descriptors that it may have open.",
	  METRIC_GAUGE, NULL, metrics_fds_max },
};

/* ---- what shards count ---- */

static void
metrics_gauge(struct buf *out, const struct counter_row *row,
    const struct status *st)
{
	const struct shard	*s;

	for (size_t i = 0; i < metrics_nslots(st); i++) {
		s = roster_slot(st->roster, i);
		for (unsigned k = 0; s->site != NULL && k < row->n; k++) {
			buf_addf(out, "%s{shard=\"%" PRIu32 "\"", row->name,
			    s->slot);
			if (row->label != NULL)
				buf_addf(out, ",%s=\"%s\"", row->label,
				    row->values[k]);
			buf_addf(out, "} %" PRIu64 "\n", ledger_gauge(
			    st->totals->ledger, s->slot, row->at + k));
		}
	}
}

static void
metrics_counter(struct buf *out, const struct counter_row *row,
    const struct ledger *l)
{
	uint64_t	 cells[HISTOGRAM_CELLS];

	for (unsigned k = 0; k < row->n && k < HISTOGRAM_CELLS; k++)
		cells[k] = ledger_sum(l, row->at + k);
	if (row->type == METRIC_HISTOGRAM)
		exposition_histogram(out, row->name, cells);
	else if (row->label == NULL)
		exposition_plain(out, row->name, cells[0]);
	else
		for (unsigned k = 0; k < row->n; k++)
			exposition_labelled(out, row->name, row->label,
			    row->values[k], cells[k]);
}

int
metrics_write(const struct status *st, struct buf *out)
{
	const struct metrics_row	*own;
	const struct counter_row	*row;

	for (size_t i = 0; i < metrics_nslots(st); i++)
		ledger_look(st->totals->ledger, (uint32_t)i,
		    &roster_slot(st->roster, i)->pulse);
	for (size_t i = 0; i < nitems(metrics_rows); i++) {
		own = &metrics_rows[i];
		exposition_head(out, own->name, own->help, own->type);
		if (own->write != NULL)
			own->write(out, own, st);
		else
			exposition_plain(out, own->name, own->value(st));
	}
	for (size_t i = 0; i < counter_nrows; i++) {
		row = &counter_rows[i];
		exposition_head(out, row->name, row->help, row->type);
		if (row->type == METRIC_GAUGE)
			metrics_gauge(out, row, st);
		else
			metrics_counter(out, row, st->totals->ledger);
	}
	for (size_t i = 0; i < counter_napp_rows; i++) {
		row = &counter_app_rows[i];
		exposition_head(out, row->name, row->help, row->type);
		for (size_t a = 0; a < ledger_napps(st->totals->ledger); a++)
			exposition_labelled(out, row->name, "app",
			    ledger_app(st->totals->ledger, a), ledger_app_sum(
			    st->totals->ledger, a, row->at));
	}
	return (out->failed ? -1 : 0);
}

/* What a shard counts: the table. */
#include "common/bytes.h"
#include "common/redis.h"
#include "proto/counters.h"

_Static_assert(COUNTERS_N <= COUNTERS_MAX, "cells of the page");
_Static_assert(COUNTER_APP_N <= COUNTERS_APP_CELLS, "cells of an application");
_Static_assert(offsetof(struct redis_counts, seconds) / sizeof(uint64_t) ==
    COUNTER_REDIS_SECONDS - COUNTER_REDIS, "redis counts there itself");

static struct counters	 counters_unread;
struct counters		*counters = &counters_unread;

const char *
metric_type_name(enum metric_type type)
{
	static const char *const	 names[] = {
		[METRIC_COUNTER]	= "counter",
		[METRIC_GAUGE]		= "gauge",
		[METRIC_HISTOGRAM]	= "histogram",
	};

	return (names[type]);
}

const struct counter_row counter_rows[] = {
	{ "kennel_shard_queued_bytes",
	  "Bytes that wait to be written to clients of the shard, every 2 s.",
	  METRIC_GAUGE, COUNTER_QUEUED, 1, NULL, { NULL } },
	{ "kennel_shard_clients_behind",
	  "Clients with more to read than half of out_max (low), than out_max "
	  "(high).",
	  METRIC_GAUGE, COUNTER_BEHIND, 2, "mark", { "low", "high" } },
	{ "kennel_shard_unfinished_bytes",
	  "Bytes of messages and bodies that clients have begun and not ended.",
	  METRIC_GAUGE, COUNTER_UNFINISHED, 1, NULL, { NULL } },
	{ "kennel_shard_links",
	  "Links to other shards that are up.",
	  METRIC_GAUGE, COUNTER_LINKS, 1, NULL, { NULL } },
	{ "kennel_shard_link_queued_bytes",
	  "Bytes that wait to be read by other shards.",
	  METRIC_GAUGE, COUNTER_LINK_QUEUED, 1, NULL, { NULL } },
	{ "kennel_shard_redis_up",
	  "1 if the shard can ask Redis, 0 if Redis is away or there is none.",
	  METRIC_GAUGE, COUNTER_REDIS_UP, 1, NULL, { NULL } },
	{ "kennel_shard_listed",
	  "1 if all clients of the shard are in Redis, 0 if neighbours have to "
	  "ask the shard.",
	  METRIC_GAUGE, COUNTER_LISTED, 1, NULL, { NULL } },
	{ "kennel_link_dropped_messages_total",
	  "Messages to another shard that were dropped, for it did not read.",
	  METRIC_COUNTER, COUNTER_LINK_LOST, 1, NULL, { NULL } },
	{ "kennel_gaps_total",
	  "Losses, of one message or more in a row, of what another replica said to "
	  "the shard's.",
	  METRIC_COUNTER, COUNTER_MISSED, 1, NULL, { NULL } },
	{ "kennel_links_lost_total",
	  "Links between shards that ended.",
	  METRIC_COUNTER, COUNTER_LINK_ENDED, 1, NULL, { NULL } },
	{ "kennel_messages_dropped_total",
	  "Messages that clients missed, who read too slowly, by the policy of "
	  "their route.",
	  METRIC_COUNTER, COUNTER_DROPPED, 2, "policy",
	  { "drop-new", "drop-old" } },
	{ "kennel_steps_total",
	  "Steps of this node's groups that ended, by their result.",
	  METRIC_COUNTER, COUNTER_STEPS, STEP_NRESULTS, "result",
	  { "done", "refused", "redis-away", "timeout", "canceled" } },
	{ "kennel_step_duration_seconds",
	  "From a step's proposal until every replica knows it.",
	  METRIC_HISTOGRAM, COUNTER_STEP_SECONDS, HISTOGRAM_CELLS, NULL,
	  { NULL } },
	{ "kennel_lookups_total",
	  "Clients looked up in Redis, by the result; unknown: the neighbours "
	  "are asked.",
	  METRIC_COUNTER, COUNTER_LOOKUPS, LOOKUP_NRESULTS, "result",
	  { "found", "nobody", "unknown" } },
	{ "kennel_lookup_duration_seconds",
	  "From the question where a client is to Redis' answer.",
	  METRIC_HISTOGRAM, COUNTER_LOOKUP_SECONDS, HISTOGRAM_CELLS, NULL,
	  { NULL } },
	{ "kennel_bus_published_total",
	  "Frames that were published for other nodes.",
	  METRIC_COUNTER, COUNTER_BUS_PUBLISHED, 1, NULL, { NULL } },
	{ "kennel_bus_heard_total",
	  "Frames of other nodes that came.",
	  METRIC_COUNTER, COUNTER_BUS_HEARD, 1, NULL, { NULL } },
	{ "kennel_bus_own_total",
	  "Frames of this node that came back to it, and were dropped.",
	  METRIC_COUNTER, COUNTER_BUS_OWN, 1, NULL, { NULL } },
	{ "kennel_bus_afresh_total",
	  "Meetings with a shard of another node that ended by a loss.",
	  METRIC_COUNTER, COUNTER_BUS_AFRESH, 1, NULL, { NULL } },
	{ "kennel_bus_bad_total",
	  "Frames that were forged, garbled or said before, and were dropped.",
	  METRIC_COUNTER, COUNTER_BUS_BAD, 1, NULL, { NULL } },
	{ "kennel_bus_lost_total",
	  "Messages of other nodes that are known not to have come, at least.",
	  METRIC_COUNTER, COUNTER_BUS_LOST, 1, NULL, { NULL } },
	{ "kennel_bus_lag_seconds",
	  "From saying something on the bus to hearing it.",
	  METRIC_HISTOGRAM, COUNTER_BUS_LAG_SECONDS, HISTOGRAM_CELLS, NULL,
	  { NULL } },
	{ "kennel_redis_commands_total",
	  "Commands of shards to Redis, by the result.",
	  METRIC_COUNTER, COUNTER_REDIS, 4, "result",
	  { "ok", "error", "timeout", "lost" } },
	{ "kennel_redis_command_duration_seconds",
	  "From a command of a shard to Redis' answer.",
	  METRIC_HISTOGRAM, COUNTER_REDIS_SECONDS, HISTOGRAM_CELLS, NULL,
	  { NULL } },
};
const size_t counter_nrows = nitems(counter_rows);

const struct counter_row counter_app_rows[] = {
	{ "kennel_websockets_opened_total",
	  "WebSockets that were opened.",
	  METRIC_COUNTER, COUNTER_APP_OPENED, 1, NULL, { NULL } },
	{ "kennel_app_requests_total",
	  "HTTP requests that reached an application, upgrades included.",
	  METRIC_COUNTER, COUNTER_APP_REQUESTS, 1, NULL, { NULL } },
	{ "kennel_messages_received_total",
	  "Messages of clients.",
	  METRIC_COUNTER, COUNTER_APP_MESSAGES_IN, 1, NULL, { NULL } },
	{ "kennel_message_received_bytes_total",
	  "Bytes of messages of clients, decompressed.",
	  METRIC_COUNTER, COUNTER_APP_BYTES_IN, 1, NULL, { NULL } },
	{ "kennel_messages_sent_total",
	  "Messages to clients, one for each receiver.",
	  METRIC_COUNTER, COUNTER_APP_MESSAGES_OUT, 1, NULL, { NULL } },
	{ "kennel_message_sent_bytes_total",
	  "Bytes of messages to clients, before compression.",
	  METRIC_COUNTER, COUNTER_APP_BYTES_OUT, 1, NULL, { NULL } },
	{ "kennel_sockets_resumed_total",
	  "Open connections that went on in another shard after theirs had died.",
	  METRIC_COUNTER, COUNTER_APP_RESUMED, 1, NULL, { NULL } },
};
const size_t counter_napp_rows = nitems(counter_app_rows);

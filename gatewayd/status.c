/* What kennelctl asks: everything in one JSON object, in pieces. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/secret.h"
#include "gatewayd/balance.h"
#include "gatewayd/check.h"
#include "gatewayd/covers.h"
#include "gatewayd/pauses.h"
#include "gatewayd/placement.h"
#include "gatewayd/progress.h"
#include "gatewayd/quota.h"
#include "gatewayd/roster.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "gatewayd/status.h"
#include "gatewayd/succession.h"
#include "gatewayd/totals.h"
#include "gatewayd/upgrade.h"
#include "proto/channel.h"
#include "proto/utf8.h"

#define STATUS_GROUPS	1000		/* groups that are listed */
#define STATUS_MAX	(48 << 20)	/* bytes; a channel queues a little more */

static json_t	*status_json(const struct status *, const struct check_result *);
static json_t	*status_redis(const struct status *);
static json_t	*status_shards(const struct status *);
static json_t	*status_groups(const struct status *, json_int_t *);
static json_t	*status_totals(const struct totals *);
static int	 status_write_cb(const char *, size_t, void *);

int
status_answer(const struct status *st, struct control *c, uint64_t id,
    const struct check_result *check)
{
	return (status_send(c, id, status_json(st, check)));
}

int
status_write(const struct status *st, struct buf *out)
{
	json_t	*json = status_json(st, NULL);
	int	 rc = json == NULL ? -1 : json_dump_callback(json,
		    status_write_cb, out, JSON_COMPACT);

	json_decref(json);
	return (rc == -1 ? -1 : buf_add(out, "\n", 1));
}

int
status_send(struct control *c, uint64_t id, struct json_t *json)
{
	struct ctl	 m = { .type = CTL_STATUS, .id = id };
	struct buf	 text = { .max = STATUS_MAX };
	size_t		 at = 0;
	int		 rc = -1;

	if (json == NULL || json_dump_callback(json, status_write_cb, &text,
	    JSON_COMPACT) == -1) {
		log_warn("status cannot be written: too large, or no memory");
		goto out;
	}
	do {
		m.text = slice_of(text.data + at, text.len - at);
		if (m.text.len > CTL_TEXT_MAX)
			m.text.len = CTL_TEXT_MAX;
		at += m.text.len;
		m.flags = at < text.len ? CTL_F_MORE : 0;
		if (control_send(c, &m, NULL) == -1)
			goto out;
	} while (at < text.len);
	rc = 0;
out:
	json_decref(json);
	buf_clear(&text);
	return (rc);
}

/* NULL: no memory.  A NULL among the values makes the whole pack fail. */
static json_t *
status_json(const struct status *st, const struct check_result *check)
{
	json_int_t	 left;
	json_t		*groups = status_groups(st, &left), *json, *silent;

	json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:I, "
	    "s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}",
	    "version", KENNEL_VERSION,
	    "node", st->settings->node,
	    "succession", st->succession == NULL ? "none" :
	    succession_phase(st->succession),
	    "succession_fault", st->succession == NULL ? "" :
	    succession_fault(st->succession),
	    "pid", (json_int_t)getpid(),
	    "started", (json_int_t)st->started,
	    "uptime_ms", (json_int_t)(clock_wall_ms() - st->started),
	    "leaving", st->leaving,
	    "redis", status_redis(st),
	    "shards", status_shards(st),
	    "groups", groups,
	    "groups_left", left,
	    "handshakes", (json_int_t)st->handshakes,
	    "home", (json_int_t)st->home,
	    "handing_over", (json_int_t)st->handing_over,
	    "places", (json_int_t)placement_count(st->placement),
	    "moving", (json_int_t)placement_moving(st->placement),
	    "covered", (json_int_t)covers_count(st->placement),
	    "uncovered", (json_int_t)covers_missing(st->placement),
	    "covers_max", (json_int_t)covers_most(st->placement),
	    "upgrade", st->upgrade == NULL ? json_null() :
	    progress_json(st->upgrade),
	    "moves", st->balance == NULL ? json_array() :
	    balance_moves(st->balance),
	    "totals", status_totals(st->totals));
	if (json == NULL || check == NULL)
		return (json);
	silent = json_array();
	for (size_t i = 0; i < check->nsilent; i++)
		json_array_append_new(silent,
		    json_integer((json_int_t)check->silent[i]));
	/* What is wrong is wrong, whatever the others would have said. */
	json_object_set_new(json, "exact", check->wrong ? json_false() :
	    check->nsilent > 0 ? json_null() : json_true());
	json_object_set_new(json, "silent", silent);
	return (json);
}

/* Without the password that may be in the URL. */
static json_t *
status_redis(const struct status *st)
{
	const char	*mode = st->settings->redis;
	char		 text[4096];

	if (strcmp(mode, "auto") != 0 && strcmp(mode, "none") != 0)
		mode = "url";
	return (json_pack("{s:s, s:s, s:b}", "mode", mode, "url",
	    secret_shown(text, sizeof(text), st->redis_url),
	    "up", st->redis_up));
}

/* An id, for JSON has no integers of 64 bits. */
static json_t *
status_hex(uint64_t v)
{
	char	 text[17];

	snprintf(text, sizeof(text), "%016" PRIx64, v);
	return (json_string(text));
}

/* The shards. */
static json_t *
status_shards(const struct status *st)
{
	json_t			*list = json_array();
	const struct shard	*s;
	size_t			 n;

	n = roster_nslots(st->roster);
	for (size_t i = 0; i < n; i++) {
		s = roster_slot(st->roster, i);
		if (s->state == SHARD_EMPTY)
			continue;
		json_array_append_new(list, json_pack(
		    "{s:s, s:I, s:o, s:I, s:s, s:I, s:I, s:I, s:I, s:I, "
		    "s:I}",
		    "address", s->address,
		    "slot", (json_int_t)s->slot,
		    "incarnation", status_hex(s->incarnation),
		    "pid", (json_int_t)s->pid,
		    "state", shard_state_name(s->state),
		    "connections", (json_int_t)(s->site == NULL ? 0 :
		    s->site->count - s->site->expected),
		    "replicas", (json_int_t)(s->site == NULL ? 0 :
		    s->site->nreplicas),
		    "expected", (json_int_t)(s->site == NULL ? 0 :
		    s->site->expected),
		    "generation", (json_int_t)(s->generation == NULL ? 0 :
		    s->generation->number),
		    "uptime_ms", (json_int_t)(s->pid == 0 ? 0 :
		    clock_wall_ms() - s->started),
		    "restarts", (json_int_t)s->restarts));
	}
	return (list);
}

/* JSON is UTF-8; a name that is not is shown escaped. */
static json_t *
status_name(const char *name, size_t len)
{
	char	 text[4 * GROUP_MAX + 8];

	if (utf8_valid(name, len))
		return (json_stringn(name, len));
	return (json_string(log_escape(text, sizeof(text), name, len)));
}

/* The replicas of a group. */
static json_t *
status_replicas(const struct group *group)
{
	json_t			*list = json_array();
	const struct replica	*r;
	const struct shard	*s;
	const struct list	*head = &group->replicas;

	for (struct list *e = head->next; e != head; e = e->next) {
		r = list_entry(e, struct replica, at);
		s = r->site->owner;
		json_array_append_new(list, json_pack("{s:o, s:s, s:I, s:I}",
		    "id", status_hex(r->id),
		    "shard", s->address,
		    "connections", (json_int_t)r->count,
		    "over", (json_int_t)r->over));
	}
	return (list);
}

/* The groups, for clients make them: STATUS_GROUPS at most; *left: the others. */
static json_t *
status_groups(const struct status *st, json_int_t *left)
{
	json_t			*list = json_array();
	const struct group	*group;
	const struct list	*head = placement_groups(st->placement);
	uint32_t		 limit;
	uint64_t		 all = 0;

	*left = 0;
	for (struct list *e = head->next; e != head; e = e->next) {
		if (json_array_size(list) >= STATUS_GROUPS) {
			++*left;
			continue;
		}
		group = list_entry(e, struct group, at);
		limit = quota_limit(st->quotas, group, &all);
		json_array_append_new(list, json_pack("{s:o, s:s, s:I, s:o, s:o, s:o}",
		    "group", status_name(group->name, group->name_len),
		    "app", group->app,
		    "limit", (json_int_t)group->limit,
		    "limit_group", limit == 0 ? json_null() :
		    json_integer((json_int_t)limit),
		    "all_nodes", limit == 0 ? json_null() :
		    json_integer((json_int_t)all),
		    "replicas", status_replicas(group)));
	}
	return (list);
}

/* What has happened since the start. */
static json_t *
status_totals(const struct totals *t)
{
	json_t	*gone = json_object(), *refusals = json_object();

	for (int why = CLOSE_NONE + 1; why < CLOSE_NWHYS; why++)
		json_object_set_new(gone, close_label((enum close_why)why),
		    json_integer((json_int_t)t->gone[why]));
	for (int why = 0; why < REFUSED_NWHYS; why++)
		json_object_set_new(refusals, refusal_label((enum refusal)why),
		    json_integer((json_int_t)t->refusals[why]));
	return (json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:o, s:I, "
	    "s:I, s:I, s:o}",
	    "accepted", (json_int_t)t->accepted,
	    "requests", (json_int_t)t->requests,
	    "raw", (json_int_t)t->raw,
	    "handed", (json_int_t)t->handed,
	    "home", (json_int_t)t->home,
	    "refused", (json_int_t)t->refused,
	    "refusals", refusals,
	    "proxy_refused", (json_int_t)t->refusals[REFUSED_PROXY],
	    "moved", (json_int_t)t->moved,
	    "stayed", (json_int_t)t->stayed,
	    "pause_us", pauses_json(NULL, t),
	    "survived", (json_int_t)t->survived,
	    "lost_by_death", (json_int_t)t->lost_by_death,
	    "second_release", (json_int_t)t->second_release,
	    "gone", gone));
}

/* For json_dump_callback. */
static int
status_write_cb(const char *data, size_t len, void *arg)
{
	return (buf_add(arg, data, len));
}

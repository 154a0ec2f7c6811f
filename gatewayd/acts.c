/* What the operator has done by kennelctl. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/bytes.h"
#include "common/log.h"
#include "gatewayd/acts.h"
#include "gatewayd/balance.h"
#include "gatewayd/complete.h"
#include "gatewayd/configuration.h"
#include "gatewayd/member.h"
#include "gatewayd/ledger.h"
#include "gatewayd/placement.h"
#include "gatewayd/progress.h"
#include "gatewayd/rollcall.h"
#include "gatewayd/roster.h"
#include "gatewayd/route.h"
#include "gatewayd/serving.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "gatewayd/upgrade.h"
#include "proto/control.h"
#include "proto/counters.h"
#include "proto/utf8.h"

#define ACTS_PLACES	1000		/* connections that are listed, or ended */
#define ACTS_APPS	512		/* bytes of names */
#define ACTS_MS_MAX	3600000

/* It was not done. */
static json_t *acts_error(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2)));

static json_t *
acts_error(const char *fmt, ...)
{
	char	 text[512];
	va_list	 ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return (json_pack("{s:s}", "error", text));
}

/* JSON is UTF-8; a name that is not is shown escaped. */
static json_t *
acts_name(const char *name, size_t len)
{
	char	 text[4 * GROUP_MAX + 8];

	if (utf8_valid(name, len))
		return (json_stringn(name, len));
	return (json_string(log_escape(text, sizeof(text), name, len)));
}

/* ---- who is where, and its end ---- */

/* Is it one of those that were asked for? */
static int
acts_meant(const struct place *p, const struct ctl *act, uint64_t id)
{
	if (id != 0)
		return (p->id == id);
	return (p->replica != NULL && p->member != NULL &&
	    p->member->uid_len == act->uid.len &&
	    memcmp(p->member->uid, act->uid.data, act->uid.len) == 0);
}

/* Of a connection: its group, its shard, its id. */
static json_t *
acts_place(const struct place *p)
{
	const struct group	*g = p->replica == NULL ? NULL :
				    p->replica->group;
	const struct shard	*s = place_site(p)->owner;
	const struct member	*m = g == NULL ? NULL : p->member;
	char			 id[17];

	snprintf(id, sizeof(id), "%016" PRIx64, p->id);
	return (json_pack("{s:s, s:o, s:o, s:s, s:I, s:s, s:b}",
	    "id", id,
	    "uid", m == NULL ? json_null() : acts_name(m->uid, m->uid_len),
	    "group", g == NULL ? json_null() : acts_name(g->name, g->name_len),
	    "app", g == NULL ? "" : g->app,
	    "slot", (json_int_t)s->slot,
	    "shard", s->address,
	    "http", p->http));
}

/* List those that are meant, ACTS_PLACES at most; end: have them closed. */
static json_t *
acts_each(const struct acts *a, const struct ctl *act, int end)
{
	struct ctl	 m = { .type = CTL_END, .why = CLOSE_OPERATOR };
	struct place	*p;
	json_t		*list = json_array();
	json_int_t	 left = 0;
	uint64_t	 id = 0;
	char		 text[20];
	size_t		 at = 0;

	if (act->value.len == 16) {
		snprintf(text, sizeof(text), "%.16s", act->value.data);
		id = strtoull(text, NULL, 16);
		if (placement_find(a->placement, id) == NULL)
			id = 0;		/* a uid may look like that, too */
	}
	while ((p = placement_next(a->placement, &at)) != NULL) {
		if (!acts_meant(p, act, id))
			continue;
		if (json_array_size(list) >= ACTS_PLACES) {
			left++;
			continue;
		}
		json_array_append_new(list, acts_place(p));
		m.id = p->id;
		if (end)
			shard_tell(place_site(p)->owner, &m, NULL);
	}
	if (end)
		log_info("operator closed connections=%zu",
		    json_array_size(list));
	return (json_pack("{s:o, s:I}", "connections", list, "left", left));
}

static json_t *
acts_who(const struct acts *a, const struct ctl *act)
{
	return (acts_each(a, act, 0));
}

static json_t *
acts_close(const struct acts *a, const struct ctl *act)
{
	return (acts_each(a, act, 1));
}

/* ---- where a newcomer would go ---- */

/* An application more, by a blank from the others. */
static void
acts_app_cb(const char *app, void *arg)
{
	struct buf	*b = arg;

	buf_addf(b, "%s%s", b->len > 0 ? " " : "", app);
}

/* The application that is meant: of the only open group of that name, or of the only
 * one that routes name; all of them, with blanks, are more than can be meant. */
static void
acts_apps(const struct acts *a, struct slice name, struct buf *apps)
{
	const struct list	*groups = placement_groups(a->placement);
	const struct group	*g;

	for (struct list *e = groups->next; e != groups; e = e->next) {
		g = list_entry(e, struct group, at);
		if (g->name_len == name.len &&
		    memcmp(g->name, name.data, name.len) == 0)
			acts_app_cb(g->app, apps);
	}
	if (apps->len == 0)
		serving_apps(a->settings, acts_app_cb, apps);
}

/* Why it goes there, in words. */
static const char *
acts_why(const struct placement_ask *ask, const struct placement_forecast *f)
{
	static char	 text[256];

	switch (f->why) {
	case PLACEMENT_AGAIN:
		return ("this uid was placed in the group's replica there "
		    "before, and there is room");
	case PLACEMENT_CURRENT:
		return ("the group's replica there is the one that is being "
		    "filled");
	case PLACEMENT_LEAST:
		return ("of the group's replicas with room, the one there has "
		    "the fewest connections");
	case PLACEMENT_OVER:
		return ("plain HTTP goes there even over the limit");
	case PLACEMENT_SITE:
		snprintf(text, sizeof(text), "no replica of the group has "
		    "room: it gets a new one, %s", spot_words(ask->place));
		return (text);
	case PLACEMENT_NOWHERE:
		break;
	}
	return (NULL);
}

/* A place is taken, by nobody. */
static json_t *
acts_place_newcomer(const struct acts *a, const struct ctl *act)
{
	struct placement_ask	 ask = { .group = act->group,
				    .uid = act->uid, .app = act->app };
	struct placement_forecast f;
	const struct route	*route;
	const struct shard	*s;
	struct buf		 apps = { .max = ACTS_APPS };
	char			 nowhere[256];
	json_t			*answer;

	if (act->app.len == 0) {
		acts_apps(a, act->group, &apps);
		if (buf_add(&apps, "", 1) == -1 ||
		    strchr(apps.data, ' ') != NULL || apps.data[0] == '\0') {
			answer = acts_error("which application? give --app, "
			    "one of: %s", apps.failed ? "those of the routes" :
			    apps.data);
			buf_clear(&apps);
			return (answer);
		}
		ask.app = slice_str(apps.data);
	}
	if ((route = serving_of(a->settings, ask.app)) == NULL) {
		answer = acts_error("no route has groups of an application "
		    "\"%.*s\"", (int)ask.app.len, ask.app.data);
		buf_clear(&apps);
		return (answer);
	}
	ask.limit = route->limit;
	ask.place = route->place;
	placement_foresee(a->placement, &ask, &f);
	s = f.site == NULL ? NULL : f.site->owner;
	snprintf(nowhere, sizeof(nowhere), roster_serving(a->roster) <
	    a->settings->max_shards ? "no shard has room: one more would be "
	    "started (of at most %u)" : "no shard has room, and there are "
	    "already %u, the most allowed: it would be refused with 503",
	    a->settings->max_shards);
	answer = json_pack("{s:o, s:o, s:o, s:s, s:I, s:o, s:o, s:s}",
	    "group", acts_name(ask.group.data, ask.group.len),
	    "uid", acts_name(ask.uid.data, ask.uid.len),
	    "app", json_stringn(ask.app.data, ask.app.len),
	    "answer", f.answer == PLACED ? "placed" :
	    f.answer == PLACEMENT_NEED_SHARD ? "need-shard" : "full",
	    "limit", (json_int_t)ask.limit,
	    "slot", s == NULL ? json_null() : json_integer((json_int_t)s->slot),
	    "shard", s == NULL ? json_null() : json_string(s->address),
	    "why", s == NULL ? nowhere : acts_why(&ask, &f));
	buf_clear(&apps);
	return (answer);
}

/* ---- a shard ---- */

/* Empty a shard: its clients are closed at a pace.  vacant: nobody comes after it. */
static json_t *
acts_empty(const struct acts *a, const struct ctl *act, int vacant)
{
	unsigned	 ms = act->ms == 0 ? a->settings->drain_ms : act->ms;
	struct shard	*s = roster_slot(a->roster, act->slot);
	json_t		*answer;
	size_t		 moving;

	if (ms > ACTS_MS_MAX)
		return (acts_error("an hour is the longest"));
	if (s->state == SHARD_EMPTY && s->vacant && !vacant) {
		s->vacant = 0;
		log_info("shard slot=%" PRIu32 " is filled again, as the "
		    "operator wants", s->slot);
		shard_wait(s);
		return (json_pack("{s:I, s:s, s:I, s:I}", "slot",
		    (json_int_t)s->slot, "was", "empty", "ms", (json_int_t)0,
		    "connections", (json_int_t)0));
	}
	if (s->state == SHARD_EMPTY && vacant && s->vacant)
		return (acts_error("slot %" PRIu32 " is empty already", s->slot));
	if (s->state == SHARD_EMPTY && !s->vacant) {
		answer = acts_error("there is no shard in slot %" PRIu32 ": "
		    "kennelctl shards shows which there are", s->slot);
		json_object_set_new(answer, "nothing", json_true());
		return (answer);
	}
	if (upgrade_busy(a->upgrade))
		return (acts_error("%s", upgrade_advice(a->upgrade)));
	if (s->state == SHARD_READY && balance_emptying(a->balance, s))
		return (acts_error("slot %" PRIu32 " is being emptied already",
		    s->slot));
	if (s->state != SHARD_READY)
		return (acts_error("slot %" PRIu32 " is %s: only a shard that "
		    "is ready can be emptied", s->slot,
		    shard_state_name(s->state)));
	s->vacant = vacant;
	log_info("shard slot=%" PRIu32 " %s, as the operator wants "
	    "connections=%zu within_ms=%u", s->slot, vacant ?
	    "is emptied" : "restarts", s->site->count, ms);
	moving = balance_drain(a->balance, s, ms, vacant ? "drain" :
	    "restart", !vacant);
	return (json_pack("{s:I, s:s, s:I, s:I, s:I, s:I}", "slot",
	    (json_int_t)s->slot, "was", "ready", "ms", (json_int_t)ms,
	    "connections", (json_int_t)s->site->count, "moving",
	    (json_int_t)moving, "pid", (json_int_t)s->pid));
}

static json_t *
acts_drain(const struct acts *a, const struct ctl *act)
{
	return (acts_empty(a, act, 1));
}

static json_t *
acts_restart(const struct acts *a, const struct ctl *act)
{
	return (acts_empty(a, act, 0));
}

/* Another program in the place of the workers', or what becomes of it. */
static json_t *
acts_upgrade(const struct acts *a, const struct ctl *act)
{
	char	 why[640];
	int	 rc;

	if (slice_is(act->text, "back"))
		rc = upgrade_back(a->upgrade, why, sizeof(why));
	else if (slice_is(act->text, "commit"))
		rc = upgrade_commit(a->upgrade, why, sizeof(why));
	else
		rc = upgrade_begin(a->upgrade, act->value,
		    act->slot == 0 || act->slot > 100 ? 100 : act->slot, why,
		    sizeof(why));
	if (rc == -1)
		return (acts_error("%s", why));
	return (progress_json(a->upgrade));
}

/* Another program in the place of the gateway's own. */
static json_t *
acts_gateway(const struct acts *a, const struct ctl *act)
{
	char	 why[640];

	(void)act;
	if (a->succeed(a->arg, why, sizeof(why)) == -1)
		return (acts_error("%s", why));
	return (json_pack("{s:s}", "succession", "trying"));
}

/* From the fullest to the emptiest, again and again. */
static json_t *
acts_rebalance(const struct acts *a, const struct ctl *act)
{
	(void)act;
	if (upgrade_busy(a->upgrade))
		return (acts_error("%s", upgrade_advice(a->upgrade)));
	return (json_pack("{s:I}", "moving",
	    (json_int_t)balance_even(a->balance)));
}

/* ---- the gateway ---- */

static json_t *
acts_reload(const struct acts *a, const struct ctl *act)
{
	struct configuration_news	 news;

	(void)act;
	if (a->reload(a->arg, &news) == -1)
		return (json_pack("{s:s}", "error", news.error));
	return (json_pack("{s:s, s:s}", "taken", news.taken, "restart",
	    news.left));
}

/* Until the configuration says another one, or the gateway starts again. */
static json_t *
acts_log_level(const struct acts *a, const struct ctl *act)
{
	char		 name[16];
	enum log_level	 level, was = a->settings->log_level;

	snprintf(name, sizeof(name), "%.*s", (int)act->value.len,
	    act->value.data);
	if (act->value.len >= sizeof(name) ||
	    log_level_parse(name, &level) == -1)
		return (acts_error("a level is one of warn, info, debug"));
	a->settings->log_level = level;
	complete_routes(a->settings);
	log_level_set(level);
	roster_tell_options(a->roster);
	log_info("log level=%s, as the operator wants", name);
	return (json_pack("{s:s, s:s}", "level", name, "was",
	    log_level_name(was)));
}

/* ---- the cluster ---- */

/* One node, into the list. */
static void
acts_node_cb(const struct rollcall_node *n, void *arg)
{
	json_array_append_new(arg, json_pack(
	    "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:b, s:b}",
	    "node", n->name, "address", n->address, "version", n->version,
	    "shards", (json_int_t)n->shards,
	    "connections", (json_int_t)n->connections,
	    "groups", (json_int_t)n->groups,
	    "beat_age_ms", (json_int_t)n->age_ms, "dead", n->dead,
	    "left", n->left, "ours", n->ours));
}

/* Which nodes there are, and what this one's bus has had to do. */
static json_t *
acts_cluster(const struct acts *a, const struct ctl *act)
{
	static const struct {
		const char	*name;
		unsigned	 cell;
	} counts[] = {
		{ "published",	COUNTER_BUS_PUBLISHED },
		{ "heard",	COUNTER_BUS_HEARD },
		{ "own",	COUNTER_BUS_OWN },
		{ "afresh",	COUNTER_BUS_AFRESH },
		{ "bad",	COUNTER_BUS_BAD },
		{ "lost",	COUNTER_BUS_LOST },
	};
	json_t		*nodes = json_array(), *bus = json_object();
	uint64_t	 lag, most = 0;

	(void)act;
	for (size_t i = 0; i < roster_nslots(a->roster); i++) {
		ledger_look(a->ledger, (uint32_t)i,
		    &roster_slot(a->roster, i)->pulse);
		lag = ledger_gauge(a->ledger, (uint32_t)i, COUNTER_BUS_LAG);
		most = lag > most ? lag : most;
	}
	json_object_set_new(bus, "lag_us", json_integer((json_int_t)most));
	if (a->rollcall != NULL)
		rollcall_each(a->rollcall, acts_node_cb, nodes);
	for (size_t i = 0; i < nitems(counts); i++)
		json_object_set_new(bus, counts[i].name, json_integer(
		    (json_int_t)ledger_sum(a->ledger, counts[i].cell)));
	return (json_pack("{s:b, s:o, s:o}", "alone", a->rollcall == NULL ||
	    !a->settings->cluster, "nodes", nodes, "bus", bus));
}

static const struct {
	const char	*name;
	json_t		*(*run)(const struct acts *, const struct ctl *);
} acts_rows[] = {
	{ "cluster",	acts_cluster },
	{ "who",	acts_who },
	{ "close",	acts_close },
	{ "place",	acts_place_newcomer },
	{ "drain",	acts_drain },
	{ "restart",	acts_restart },
	{ "upgrade",	acts_upgrade },
	{ "canary",	acts_upgrade },
	{ "back",	acts_upgrade },
	{ "commit",	acts_upgrade },
	{ "gateway",	acts_gateway },
	{ "rebalance",	acts_rebalance },
	{ "reload",	acts_reload },
	{ "log-level",	acts_log_level },
};

json_t *
acts_run(const struct acts *a, const struct ctl *act)
{
	for (size_t i = 0; i < nitems(acts_rows); i++)
		if (slice_is(act->text, acts_rows[i].name))
			return (acts_rows[i].run(a, act));
	return (acts_error("this gatewayd does not know how to do that; is it "
	    "of another version?"));
}

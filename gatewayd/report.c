/* What a gateway tells whoever asks how it is. */
#include "common/bytes.h"
#include "gatewayd/report.h"
#include "gatewayd/acts.h"
#include "gatewayd/arrival.h"
#include "gatewayd/check.h"
#include "gatewayd/cluster.h"
#include "gatewayd/elsewhere.h"
#include "gatewayd/forget.h"
#include "gatewayd/handoff.h"
#include "gatewayd/parts.h"
#include "gatewayd/ready.h"
#include "gatewayd/redisd.h"
#include "gatewayd/registry.h"
#include "gatewayd/reload.h"
#include "gatewayd/status.h"
#include "gatewayd/successor.h"
#include "gatewayd/summary.h"
#include "gatewayd/supervisor.h"
#include "proto/control.h"

/* How things stand. */
void
report_look(struct status *st, void *arg)
{
	struct gateway	*g = arg;

	*st = (struct status){
		.settings = &g->settings,
		.totals = &g->totals,
		.placement = g->placement,
		.roster = g->roster,
		.quotas = g->quotas,
		.upgrade = g->upgrade,
		.balance = g->balance,
		.succession = g->succession,
		.started = g->started,
		.leaving = g->leaving,
		.listening = sockets_listening(&g->sockets),
		.redis_url = g->redis_url == NULL ? "" : g->redis_url,
		.redis_up = g->registry != NULL && registry_up(g->registry),
		.rollcall = cluster_shared(g) == 0 ? NULL :
		    registry_rollcall(g->registry),
		.handshakes = arrivals_count(g->arrivals),
		.home = arrivals_home(g->arrivals),
		.handing_over = handoff_count(g->handoffs),
		.redisd_pid = g->redisd == NULL ? 0 : redisd_pid(g->redisd),
	};
}

/* A check is done.  A channel that cannot take the answer ends by itself. */
void
report_checked(struct control *asker, uint64_t id,
    const struct check_result *check, void *arg)
{
	struct status	 st;

	report_look(&st, arg);
	(void)status_answer(&st, asker, id, check);
}

int
report_reload(void *arg, struct configuration_news *news)
{
	struct gateway	*g = arg;
	int		 rc;

	supervisor_reloading(g->supervisor);
	rc = reload_run(&g->settings, g->roster, news);
	supervisor_reloaded(g->supervisor);
	return (rc);
}

/* An act.  Where somebody is, Redis is asked, too. */
static int
report_act(struct gateway *g, struct control *c, const struct ctl *m)
{
	struct json_t	*answer;

	answer = acts_run(&(struct acts){ &g->settings, g->placement, g->roster,
	    g->balance, g->upgrade, g->registry == NULL ? NULL :
	    registry_rollcall(g->registry), g->totals.ledger, report_reload,
	    successor_begin, g }, m);
	if (slice_is(m->text, "who") && cluster_shared(g) != 0)
		return (elsewhere_begin(g->elsewheres, c, m, answer,
		    registry_redis(g->registry)));
	return (status_send(c, m->id, answer));
}

/* kennelctl asks. */
int
report_ask(struct control *c, const struct ctl *m, void *arg)
{
	struct gateway	*g = arg;
	struct status	 st;

	if (m->type == CTL_FORGET)
		return (forget_begin(g->forgets, c, m, g->registry == NULL ?
		    NULL : registry_redis(g->registry)));
	if (m->type == CTL_ACT)
		return (report_act(g, c, m));
	if (slice_is(m->text, "check"))
		return (check_begin(g->checks, c, m->id));
	report_look(&st, g);
	if (slice_is(m->text, "ready"))
		return (ready_answer(&st, c, m->id));
	return (status_answer(&st, c, m->id, NULL));
}

/* A visitor of the door has gone, perhaps one that asked. */
void
report_gone(struct control *c, void *arg)
{
	struct gateway	*g = arg;

	check_cancel(g->checks, c);
	forget_cancel(g->forgets, c);
	elsewhere_cancel(g->elsewheres, c);
}

/* How we are, for the supervisor. */
void
report_summary(char *dst, size_t size, void *arg)
{
	const struct gateway	*g = arg;
	const struct status	 st = {
		.placement = g->placement,
		.roster = g->roster,
		.leaving = g->leaving,
		.redis_url = g->redis_url,
		.redis_up = g->registry != NULL && registry_up(g->registry),
	};

	summary_write(&st, dst, size);
}

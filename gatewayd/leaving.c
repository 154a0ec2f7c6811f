/* A gateway leaves, in order: the pause, nobody new, the shards, Redis. */
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/turn.h"
#include "gatewayd/arrival.h"
#include "gatewayd/handoff.h"
#include "gatewayd/leaving.h"
#include "gatewayd/parts.h"
#include "gatewayd/paths.h"
#include "gatewayd/redisd.h"
#include "gatewayd/registry.h"
#include "gatewayd/roster.h"
#include "gatewayd/supervisor.h"

/* What ends after the shards: Redis entries, the private Redis. */
#define LEAVING_STOP_MS	15000

static void	 leaving_unlisted(void *);
static void	 leaving_done(void *);

/* Say that we leave, and let balancers see that before anybody is refused. */
void
leaving_pause(struct gateway *g)
{
	log_info("leaving in ms=%u, not ready from now on",
	    g->settings.leave_pause_ms);
	g->leaving = 1;
	g->leave_at = clock_ms() + g->settings.leave_pause_ms;
	supervisor_stopping(g->supervisor, g->settings.leave_pause_ms +
	    g->settings.drain_ms + LEAVING_STOP_MS);
}

/* Leave: nobody is accepted any more, the shards drain. */
void
leaving_begin(struct gateway *g)
{
	log_info("leaving");
	g->leaving = 1;
	g->leave_at = 0;
	supervisor_stopping(g->supervisor, g->settings.drain_ms +
	    LEAVING_STOP_MS);
	sockets_close(&g->sockets);
	if (g->roster == NULL) {
		leaving_left(g);
		return;
	}
	arrivals_leave(g->arrivals);
	handoff_leave(g->handoffs);
	roster_leave(g->roster, g->settings.drain_ms);
}

/* The shards have. */
void
leaving_left(void *arg)
{
	struct gateway	*g = arg;

	if (g->registry != NULL)
		registry_leave(g->registry, leaving_unlisted);
	else
		leaving_unlisted(g);
}

/* Nothing of ours is in Redis any more. */
static void
leaving_unlisted(void *arg)
{
	struct gateway	*g = arg;

	registry_free(g->registry);
	g->registry = NULL;
	if (g->redisd != NULL)
		redisd_leave(g->redisd, leaving_done);
	else
		leaving_done(g);
}

/* All has left. */
static void
leaving_done(void *arg)
{
	(void)arg;
	turn_stop();
}

/* Asked twice. */
void
leaving_at_once(struct gateway *g)
{
	log_warn("leaving at once");
	leaving_kill(g);
}

/* End at once: kill what runs, remove what is ours. */
void
leaving_kill(struct gateway *g)
{
	char	*lock = paths_in(g->settings.run_dir, "lock");

	if (g->roster != NULL)
		roster_kill(g->roster);
	if (g->redisd != NULL)
		redisd_kill(g->redisd);
	parts_unlink(g);
	if (lock != NULL)
		unlink(lock);
	_exit(1);
}

/* The gateway leaves what it has to another program, or takes it from one. */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/log.h"
#include "gatewayd/admin.h"
#include "gatewayd/arrival.h"
#include "gatewayd/balance.h"
#include "gatewayd/door.h"
#include "gatewayd/handoff.h"
#include "gatewayd/heritage.h"
#include "gatewayd/inherit.h"
#include "gatewayd/parts.h"
#include "gatewayd/placement.h"
#include "gatewayd/rescue.h"
#include "gatewayd/roster.h"
#include "gatewayd/shard.h"
#include "gatewayd/succession.h"
#include "gatewayd/successor.h"
#include "gatewayd/supervisor.h"
#include "gatewayd/upgrade.h"
#include "proto/channel.h"

/* Accept nobody for now, or go on. */
static void
successor_pause(int on, void *arg)
{
	struct gateway	*g = arg;

	g->succeeded = on;
	sockets_pause(&g->sockets, on);
	if (g->admin != NULL)
		admin_pause(g->admin, on);
}

/* Is nobody on the way to a shard, is who asks the admin listener answered, and is all
 * that shards were told with the kernel? */
static int
successor_settled(void *arg)
{
	struct gateway	*g = arg;
	struct shard	*s;

	/* Whoever was about to is let go on accepting. */
	sockets_pause(&g->sockets, 1);
	if (handoff_count(g->handoffs) > 0 || rescue_count(g->rescues) > 0 ||
	    (g->admin != NULL && admin_asked(g->admin)))
		return (0);
	for (size_t i = 0; i < roster_nslots(g->roster); i++) {
		s = roster_slot(g->roster, i);
		if (s->control != NULL && control_flush(s->control) == -1)
			return (0);
		if (s->state == SHARD_STARTING)
			return (0);
	}
	return (1);
}

/* Leave what the operator has under way. */
static void
successor_order_cb(const char *what, uint32_t slot, unsigned ms, void *arg)
{
	char		 text[16];
	struct heir	 h = { .kind = HEIR_ORDER, .flags = slot,
			    .name = slice_str(what) };

	snprintf(text, sizeof(text), "%u", ms);
	h.peer = slice_str(text);
	heritage_leave(arg, &h);
}

/* Leave everything, and execute.  Returns when that failed. */
static void
successor_execute(void *arg)
{
	struct gateway	*g = arg;
	struct buf	 will = { 0 };

	sockets_leave_to(&g->sockets, &will);
	arrivals_leave_to(g->arrivals, &will);
	if (g->admin != NULL)
		admin_leave_to(g->admin, &g->settings, &will);
	door_leave_to(g->door, &will);
	balance_orders(g->balance, successor_order_cb, &will);
	supervisor_reloading(g->supervisor);
	log_info("executes program=%s handshakes=%zu idle=%zu",
	    heritage_program(), arrivals_count(g->arrivals),
	    arrivals_home(g->arrivals));
	if (!will.failed)
		heritage_execute(&will);
	supervisor_reloaded(g->supervisor);
	buf_clear(&will);
}

static const struct succession_ops successor_ops = {
	.pause = successor_pause,
	.settled = successor_settled,
	.execute = successor_execute,
};

int
successor_init(struct gateway *g)
{
	g->succession = succession_new(g->base, &successor_ops, g);
	return (g->succession == NULL ? -1 : 0);
}

int
successor_begin(void *arg, char *why, size_t size)
{
	struct gateway	*g = arg;

	if (g->leaving || !sockets_listening(&g->sockets)) {
		snprintf(why, size, g->leaving ? "the gateway leaves" :
		    "the gateway is not ready yet");
		return (-1);
	}
	if (upgrade_busy(g->upgrade)) {
		snprintf(why, size, "%s", upgrade_advice(g->upgrade));
		return (-1);
	}
	return (succession_begin(g->succession, why, size));
}

/* The listener of that address, or NULL. */
static const struct inlet *
successor_inlet(const struct gateway *g, struct slice name)
{
	const struct inlets	*ins = &g->settings.inlets;

	for (size_t i = 0; i < ins->n; i++)
		if (slice_is(name, ins->list[i].text))
			return (&ins->list[i]);
	return (NULL);
}

/* What the operator had under way goes on. */
static void
successor_order(struct gateway *g, const struct heir *h)
{
	int		 drains = slice_is(h->name, "drain");
	struct shard	*s;
	uint64_t	 ms;

	if (slice_is(h->name, "rebalance")) {
		log_info("rebalance goes on connections=%zu",
		    balance_even(g->balance));
		return;
	}
	if (h->flags >= roster_nslots(g->roster) ||
	    slice_u64(h->peer, UINT_MAX, &ms) == -1)
		return;
	s = roster_slot(g->roster, h->flags);
	if (s->state != SHARD_READY || balance_emptying(g->balance, s))
		return;
	log_info("shard slot=%" PRIu32 " %.*s goes on connections=%zu "
	    "within_ms=%" PRIu64, s->slot, (int)h->name.len, h->name.data,
	    s->site->count, ms);
	s->vacant = drains;
	(void)balance_drain(g->balance, s, (unsigned)ms,
	    drains ? "drain" : "restart", !drains);
}

void
successor_inherit(struct gateway *g)
{
	struct heir	 h;
	size_t		 at = 0, n = 0;

	while (heritage_next(&at, &h))
		if (h.kind == HEIR_HANDSHAKE || h.kind == HEIR_HOME) {
			arrival_inherit(g->arrivals, &h,
			    successor_inlet(g, h.name));
			n++;
		} else if (h.kind == HEIR_ORDER)
			successor_order(g, &h);
	if (n > 0)
		log_info("connections=%zu were left by the program before this "
		    "one", n);
	heritage_end();
}

void
successor_lend(const struct gateway *g, struct shard *s)
{
	struct ctl	 m = { .type = CTL_LISTENING, .flags = CTL_F_FIRST };
	const char	*name;
	size_t		 at = 0;
	int		 fd;

	if (s->state != SHARD_READY || s->capsule < 2)
		return;
	while ((fd = sockets_next(&g->sockets, &at, &name)) != -1) {
		m.text = slice_str(name);
		if ((fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) == -1)
			return;
		if (shard_tell(s, &m, &fd) == -1) {
			close(fd);
			return;
		}
		m.flags = 0;
	}
}

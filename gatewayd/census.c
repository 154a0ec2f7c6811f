/* Nodes in the metrics. */
#include <inttypes.h>

#include "common/bytes.h"
#include "gatewayd/census.h"
#include "gatewayd/exposition.h"
#include "gatewayd/rollcall.h"
#include "gatewayd/status.h"

struct census {
	struct buf	*out;
	const char	*name;
	uint64_t	 alive, dead;
	size_t		 left;		/* lines that may be written */
};

/* A node's name comes from Redis, and a scrape is refused for a byte that is wrong: such
 * bytes are percent-encoded. */
static void
census_label(struct buf *out, const char *node)
{
	for (const unsigned char *p = (const unsigned char *)node; *p != '\0';
	    p++)
		if (*p <= ' ' || *p >= 127 || *p == '"' || *p == '\\' ||
		    *p == '%')
			buf_addf(out, "%%%02X", *p);
		else
			buf_add(out, (const char *)p, 1);
}

static void
census_count_cb(const struct rollcall_node *n, void *arg)
{
	struct census	*c = arg;

	c->alive += !n->dead;
	c->dead += n->dead && !n->left;
}

static void
census_beat_cb(const struct rollcall_node *n, void *arg)
{
	struct census	*c = arg;

	if (n->ours || n->dead || c->left == 0)
		return;
	c->left--;
	buf_addf(c->out, "%s{node=\"", c->name);
	census_label(c->out, n->name);
	buf_addf(c->out, "\"} %" PRIu64 ".%03" PRIu64 "\n", n->age_ms / 1000,
	    n->age_ms % 1000);
}

void
census_nodes(struct buf *out, const char *name, const struct status *st)
{
	struct census	c = { .out = out };

	if (st->rollcall == NULL)
		return;
	rollcall_each(st->rollcall, census_count_cb, &c);
	exposition_labelled(out, name, "state", "alive", c.alive);
	exposition_labelled(out, name, "state", "dead", c.dead);
}

void
census_beats(struct buf *out, const char *name, const struct status *st)
{
	struct census	c = { .out = out, .name = name, .left = CENSUS_NODES };

	if (st->rollcall != NULL)
		rollcall_each(st->rollcall, census_beat_cb, &c);
}

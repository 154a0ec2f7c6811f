/* One connection that is expected, until it is ours or does not come. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/channel.h"
#include "proto/counters.h"
#include "shardd/client/conn.h"
#include "shardd/gate.h"
#include "shardd/group/fan.h"
#include "shardd/group/group.h"
#include "shardd/group/lookup.h"
#include "shardd/group/seen.h"
#include "shardd/journey/guest.h"
#include "shardd/kennel.h"
#include "shardd/session/passage.h"
#include "shardd/session/sessions.h"

/* ---- expecting ---- */

/* Nothing is missing: say EXPECTED. */
static void
guest_try_expected(struct guest *g)
{
	const struct ctl	 m = {
		.type = CTL_EXPECTED, .id = g->id,
		.replica = g->replica == NULL ? 0 : g->replica->id,
	};

	if (g->state != GUEST_ENTERING || g->landing->ferry == NULL ||
	    !entrance_is_open(&g->entrance))
		return;
	g->state = GUEST_EXPECTED;
	control_send(g->landing->ferry, &m, NULL);
}

/* Its replica is ready, or its entry in the lookup confirmed. */
static void
guest_nearer(struct entrance *e)
{
	guest_try_expected(container_of(e, struct guest, entrance));
}

/* Its replica was dismissed. */
static void
guest_gone(struct entrance *e)
{
	turn_add(&container_of(e, struct guest, entrance)->landing->js->work,
	    TURN_LAST);
}

static const struct entrance_ops guest_ops = { guest_nearer, guest_gone };

/* What its replica has to do with it.  0, or -1 with errno. */
static int
guest_enter(struct guest *g)
{
	struct replica	*r = g->replica;

	if (r == NULL)
		return (0);
	if (seen_expect(r, &g->shelf, &g->start, &g->nstart) == -1)
		return (-1);
	g->kept = 1;
	return (entrance_begin(&g->entrance, g->landing->js->sessions->lookup,
	    slice_of(g->uid, g->uid_len)));
}

/* The application that m names, if it can read what comes; NULL, and why not. */
static const struct kennel_app *
guest_app(const struct journeys *js, const struct ctl *m, const char **why)
{
	const struct kennel_app	*app;

	*why = "this version cannot read the record";
	if (m->low > capsule_spoken())
		return (NULL);
	*why = "there is no such application";
	if ((app = applications_find(&js->sessions->apps, m->app)) == NULL)
		return (NULL);
	*why = "its application cannot read it there";
	return (m->high > app->moves ? NULL : app);
}

/* A guest of that replica (NULL: of no group); NULL without memory. */
static struct guest *
guest_make(struct landing *l, const struct ctl *m, struct replica *r)
{
	struct guest	*g;

	if ((g = calloc(1, sizeof(*g) + m->uid.len)) == NULL)
		return (NULL);
	g->landing = l;
	g->id = m->id;
	g->neighbour = m->neighbour;
	g->fd = -1;
	g->uid_len = m->uid.len;
	if (m->uid.len > 0)
		memcpy(g->uid, m->uid.data, m->uid.len);
	entrance_init(&g->entrance, r, &guest_ops);
	if (map_insert(&l->by_id, &g->by_id, &g->id, sizeof(g->id)) == -1) {
		free(g);
		return (NULL);
	}
	list_push(&l->guests, &g->at);
	if ((g->replica = r) != NULL)
		replica_ref(r);
	return (g);
}

struct guest *
guest_new(struct landing *l, const struct ctl *m, const char **why,
    uint32_t *flags)
{
	struct journeys		*js = l->js;
	const struct kennel_app	*app;
	struct replica		*r = NULL;
	struct guest		*g;

	*flags = CTL_F_NEVER;
	if ((app = guest_app(js, m, why)) == NULL)
		return (NULL);
	*flags = 0;
	*why = "it is expected already";
	if (map_find(&l->by_id, &m->id, sizeof(m->id)) != NULL)
		return (NULL);
	*why = "too many are expected";
	if (l->by_id.count >= JOURNEY_GUESTS_MAX)
		return (NULL);
	*why = "the shard leaves";
	if (js->gate->leaving || l->stopped)
		return (NULL);
	*why = "there is no such replica";
	if (m->replica != 0 && ((r = group_find(js->groups, m->replica)) ==
	    NULL || r->neighbours == NULL))
		return (NULL);
	*why = "no memory";
	if ((g = guest_make(l, m, r)) == NULL)
		return (NULL);
	g->app = app;
	if (guest_enter(g) == -1) {
		guest_free(g);
		return (NULL);
	}
	guest_try_expected(g);
	return (g);
}

/* Give back what is its own. */
void
guest_free(struct guest *g)
{
	struct replica	*r = g->replica;

	list_remove(&g->at);
	entrance_end(&g->entrance);
	map_remove(&g->landing->by_id, &g->by_id);
	if (g->entrance.listed)
		lookup_leave(g->landing->js->sessions->lookup,
		    replica_group(r), slice_of(g->uid, g->uid_len), NULL);
	if (g->kept)
		seen_expect_no_more(r, &g->shelf);
	if (r != NULL)
		replica_unref(r);
	if (g->fd != -1)
		close(g->fd);		/* it is somebody else's: no shutdown */
	free(g->start);
	free(g->record);
	free(g);
}

void
guest_refuse(struct guest *g, uint32_t flags, const char *why)
{
	const struct ctl	 m = {
		.type = CTL_REFUSED, .id = g->id, .flags = flags,
		.replica = g->replica == NULL ? 0 : g->replica->id,
		.why = CLOSE_LOST, .text = slice_str(why),
	};

	log_debug("conn id=%llx is not taken: %s", (unsigned long long)g->id,
	    why);
	if (g->landing->ferry != NULL)
		control_send(g->landing->ferry, &m, NULL);
	guest_free(g);
}

/* ---- coming ---- */

int
guest_arrived(struct guest *g, struct slice record, int fd)
{
	if ((g->record = malloc(record.len + 1)) == NULL)
		return (-1);
	memcpy(g->record, record.data, record.len);
	g->len = record.len;
	g->fd = fd;
	g->state = GUEST_HELD;
	g->since = clock_ms();
	return (0);
}

/* Somebody has answered, or has not: look again. */
static void
guest_fenced_cb(int err, void *arg)
{
	struct journeys	*js = arg;

	if (err != ECANCELED)
		turn_add(&js->work, TURN_LAST);
}

/* The replica is behind with what that origin says: ask it, once. */
static void
guest_hold(struct guest *g, uint64_t origin)
{
	if (origin == SHELF_NEWS || g->fenced == origin ||
	    neighbours_find(g->replica->neighbours, origin) == NULL)
		return;
	g->fenced = origin;
	fan_fence(g->replica->neighbours, origin, JOURNEY_HOLD_MS,
	    guest_fenced_cb, g->landing->js);
}

/* Its session is made, and ADOPTED said; nobody is left to say it to where the other
 * side is dead. */
static void
guest_adopt(struct guest *g, const struct capsule *cap)
{
	struct landing	*l = g->landing;
	struct ctl	 m = { .type = CTL_ADOPTED, .id = g->id,
			    .replica = cap->replica };

	g->conn = passage_unpack(l->js->sessions, cap, g->app, g->replica,
	    g->fd);
	if (g->conn == NULL && l->dead) {
		log_warn("conn id=%llx is lost: %s", (unsigned long long)g->id,
		    strerror(errno));
		guest_free(g);
		return;
	}
	if (g->conn == NULL) {
		guest_refuse(g, errno == ENOMEM ? 0 : CTL_F_NEVER, errno ==
		    EPROTONOSUPPORT ? "its application did not take it" :
		    strerror(errno));
		return;
	}
	g->fd = -1;
	g->state = GUEST_ADOPTED;
	if (l->dead) {
		guest_begin(g);
		return;
	}
	control_send(l->ferry, &m, NULL);
	g->number = control_queued(l->ferry);
}

/* It cannot go on as if nothing had happened.  If nobody else has it, it is closed, to
 * come again. */
static void
guest_fail(struct guest *g, const struct capsule *cap)
{
	if (!g->landing->dead) {
		guest_refuse(g, 0, "the new replica is behind the old one");
		return;
	}
	if (g->kept)
		g->shelf.spoiled = 1;
	guest_adopt(g, cap);
}

void
guest_try(struct guest *g)
{
	struct capsule		 cap;
	enum seen_verdict	 v = SEEN_YES;
	uint64_t		 origin = 0;

	if (capsule_decode(&cap, g->record, g->len) == -1 ||
	    cap.id != g->id || !slice_eq(cap.uid, slice_of(g->uid,
	    g->uid_len)) || cap.replica != (g->replica == NULL ? 0 :
	    g->replica->id)) {
		guest_refuse(g, CTL_F_NEVER, "that is not its record");
		return;
	}
	if (g->replica != NULL)
		v = seen_compare(g->replica, &g->shelf, g->start, g->nstart,
		    &cap, &origin);
	if (v == SEEN_YES)
		guest_adopt(g, &cap);
	else if (v == SEEN_NEVER || clock_ms() - g->since > JOURNEY_HOLD_MS)
		guest_fail(g, &cap);
	else
		guest_hold(g, origin);
}

void
guest_begin(struct guest *g)
{
	struct landing	*l = g->landing;
	struct conn	*c = g->conn;
	struct capsule	 cap;
	struct ctl	 m = { .type = CTL_ARRIVED, .journey = l->id,
			    .id = g->id, .neighbour = g->neighbour };

	if (capsule_decode(&cap, g->record, g->len) == -1)
		fatal("capsule");	/* it was one before */
	m.replica = cap.replica;
	m.hops = cap.hops;
	m.time = (clock_ns() - cap.paused) / 1000;
	gate_tell(l->js->gate, &m);
	g->entrance.listed = 0;		/* it is the connection's */
	passage_begin(c, &cap, g->kept && !g->shelf.spoiled ? &g->shelf :
	    NULL);
	if (g->kept && g->shelf.spoiled)
		conn_doom(c, CLOSE_MISSED);
	guest_free(g);
}

/* What shards say, and what they are told. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/sock.h"
#include "gatewayd/covers.h"
#include "gatewayd/dialogue.h"
#include "gatewayd/election.h"
#include "gatewayd/journey.h"
#include "gatewayd/ledger.h"
#include "gatewayd/order.h"
#include "gatewayd/placement.h"
#include "gatewayd/reserve.h"
#include "gatewayd/settings.h"
#include "gatewayd/shard.h"
#include "gatewayd/totals.h"
#include "proto/capsule.h"
#include "proto/channel.h"
#include "proto/control.h"
#include "proto/keys.h"

#define LINK_PATH_MAX	107		/* bytes of a Unix socket's path */

static void	 dialogue_options(struct shard *, int);
static void	 dialogue_welcome(const struct dialogue *, struct shard *);

struct shard *
dialogue_hello(struct dialogue *d, struct control *c, const struct ctl *m,
    int *page, pid_t peer)
{
	const struct settings *set = d->shards->settings;
	struct placement *placement = d->shards->placement;
	struct shard	*s = &d->shards->slots[m->slot];
	const char	*why;
	char		*path;
	size_t		 capacity;
	struct timeval	 tv = clock_tv(SHARD_START_MS);

	why = "its process is not the one in this slot (does the worker "
	    "fork?)";
	if (s->pid == 0 || s->pid != peer || s->exited)
		goto refuse;
	why = "another incarnation is in this slot";
	if (m->incarnation == 0 || (s->incarnation != 0 &&
	    s->incarnation != m->incarnation))
		goto refuse;
	why = "no protocol version in common";
	if (wire_common(m->low, m->high, WIRE_VERSION) == 0)
		goto refuse;
	why = "its earlier channel has not ended, or it is leaving";
	if (s->control != NULL || s->hopeless ||
	    (s->state != SHARD_STARTING && s->state != SHARD_SILENT &&
	    (s->state != SHARD_LEAVING || d->shards->leaving)))
		goto refuse;
	why = "no path of its link";
	if (m->text.len == 0 || m->text.len > LINK_PATH_MAX ||
	    memchr(m->text.data, '\0', m->text.len) != NULL)
		goto refuse;
	why = strerror(ENOMEM);
	if ((path = slice_dup(m->text)) == NULL)
		goto refuse;
	free(s->link_path);
	s->link_path = path;
	s->incarnation = m->incarnation;
	s->started = m->time;
	s->version = wire_common(m->low, m->high, WIRE_VERSION);
	s->capsule = m->capsule;
	s->napps = 0;
	journeys_hello(d->journeys, s);
	keys_address(s->address, sizeof(s->address), set->node, s->slot,
	    s->incarnation);

	capacity = set->capacity != 0 &&
	    set->capacity < m->limit ? set->capacity : m->limit;
	if (s->state != SHARD_STARTING && s->site != NULL) {
		/* What it will say is all that it has.  Farewells wait until
		 * that is known. */
		d->election->holding = &s->owed;
		placement_site_remove(placement, s->site);
		d->election->holding = NULL;
		s->site = NULL;
	}
	if (s->site == NULL) {
		s->site = placement_site_add(placement, s->slot,
		    s->incarnation, capacity, s);
		if (s->site == NULL)
			goto refuse;
		s->site->usable = 0;
	}
	s->site->capacity = capacity;
	s->site->leaving = (m->flags & CTL_F_LEAVE) != 0 || s->retires;
	s->control = c;
	s->hello = 1;
	if (pulse_begin(&s->pulse, page == NULL ? -1 : *page,
	    m->incarnation) == -1)
		log_warn("shard slot=%" PRIu32 " has no page that can be read: "
		    "%s", s->slot, strerror(errno));
	ledger_begin(d->totals->ledger, s->slot, &s->pulse, s->ours);
	if (page != NULL)
		*page = -1;
	shard_move(s, SHARD_STARTING);
	evtimer_add(s->timer, &tv);
	return (s);
refuse:
	/* A shard that was just started knows not yet that all leave. */
	if (d->shards->leaving)
		log_debug("shard slot=%" PRIu32 " peer=%d hello refused: the "
		    "gateway leaves", m->slot, (int)peer);
	else
		log_warn("shard slot=%" PRIu32 " peer=%d hello refused: %s",
		    m->slot, (int)peer, why);
	return (NULL);
}

/* ---- what shards say ---- */

/* An application that can move its connections, or cannot (0). */
static int
dialogue_have_app(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	(void)d, (void)fds, (void)cut;
	return (shard_note_app(s, m->app, m->high));
}

/* A replica that a shard has.  0, or -1: it is not to be spoken with any more. */
static int
dialogue_have_replica(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	struct group	*group;

	(void)fds, (void)cut;
	if (placement_have_replica(d->shards->placement, s->site, m->replica,
	    m->group, m->app, m->limit) == -1)
		goto bad;
	/* The replica that decides goes on, unless another one knows of a later term. */
	group = placement_replica(d->shards->placement, m->replica)->group;
	if (m->time > group->term) {
		group->authority = 0;
		group->term = m->time;
	}
	if ((m->flags & CTL_F_AUTHORITY) != 0 && m->time == group->term)
		group->authority = m->replica;
	if (shard_note(s, m->replica) == 0)
		return (0);
bad:
	shard_kill(s, "a replica that it has is not possible");
	return (-1);
}

/* A connection that a shard has. */
static int
dialogue_have_conn(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	(void)fds, (void)cut;
	if (placement_have_place(d->shards->placement, s->site, m->id,
	    m->replica, m->uid, m->flags & CTL_F_HTTP,
	    m->flags & CTL_F_OVER, m->flags & CTL_F_MOVING) == 0) {
		if (m->flags & CTL_F_MOVING)
			s->heard = -1;	/* in no journey of ours */
		return (0);
	}
	shard_kill(s, "a connection that it has is not possible");
	return (-1);
}

/* That was all that the shard has. */
static int
dialogue_held(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	(void)m, (void)fds, (void)cut;
	s->hello = 0;
	/* Replicas that it still has were not ended after all. */
	order_revoke(&s->owed, s);
	order_pay(&s->owed, NULL);
	dialogue_welcome(d, s);
	s->site->usable = 1;
	placement_have_end(d->shards->placement, s->site);
	return (0);
}

/* The shard takes connections from now on. */
static int
dialogue_ready(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	struct list	*l, *tmp;

	(void)m, (void)fds, (void)cut;
	if (s->state != SHARD_STARTING)
		return (s->state == SHARD_LEAVING ? 0 : -1);
	evtimer_del(s->timer);
	s->served = 1;
	s->idle_since = clock_ms();
	shard_move(s, SHARD_READY);
	list_each(l, tmp, &s->site->replicas)
		election_introduce(d->election, s, list_entry(l,
		    struct replica, at_site));
	shard_forget(s);
	d->ops->ready(s, d->arg);
	if (s->site->leaving && !s->retires)
		shard_leave(s, s->all->settings->drain_ms);
	return (0);
}

/* The shard was told to leave, by us or by somebody else. */
static int
dialogue_leaving(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	(void)d, (void)m, (void)fds, (void)cut;
	s->site->leaving = 1;
	if (s->state == SHARD_READY)
		shard_leave(s, s->all->settings->drain_ms);
	return (0);
}

/* A connection is sent home. */
static int
dialogue_adopt(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	struct ctl	 refused = { .type = CTL_REFUSED, .id = m->id,
			    .replica = m->replica, .why = CLOSE_LOST };
	struct capsule	 c;
	void		*record = NULL;
	size_t		 len = m->value.len;
	int		 fd, rc;

	if (cut) {
		refused.text = slice_str("out of descriptors");
		return (shard_tell(s, &refused, NULL));
	}
	if (m->flags & CTL_F_MEMFD) {
		if ((record = capsule_map(fds[1], &len)) == NULL)
			goto refuse;
	}
	rc = capsule_decode(&c, record != NULL ? record : m->value.data, len);
	if (rc == -1 || c.id != m->id || c.protocol != CAPSULE_HTTP) {
		if (rc == 0)
			errno = EPROTO;
		goto refuse;
	}
	fd = fds[0];
	fds[0] = -1;
	d->ops->home(s, &c, fd, d->arg);
	free(record);
	return (0);
refuse:
	refused.text = slice_str(strerror(errno));
	log_warn("shard slot=%" PRIu32 " id=%016" PRIx64 " home refused: %s",
	    s->slot, m->id, strerror(errno));
	free(record);
	return (shard_tell(s, &refused, NULL));
}

/* A connection that was handed over is the shard's. */
static int
dialogue_adopted(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	(void)fds, (void)cut;
	d->ops->adopted(s, m->id, d->arg);
	return (0);
}

/* The shard does not take a connection. */
static int
dialogue_refused(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	(void)fds, (void)cut;
	/* Full of something: others first, until its next PONG. */
	if (m->why == CLOSE_NO_MEMORY)
		s->site->usable = 0;
	if (m->why == CLOSE_GOING)
		s->site->leaving = 1;
	d->ops->refused(s, m->id, m->text, m->why == CLOSE_GOING, d->arg);
	return (0);
}

/*
 * PARTED goes before what the end of the replica, if this was its last place, makes
 * the shards forget: the shard may have something to say about the parting.
 */
static int
dialogue_gone(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	struct placement *placement = d->shards->placement;
	struct place	*place = placement_find(placement, m->id);
	struct ctl	 parted = { .type = CTL_PARTED, .id = m->id,
			    .replica = m->replica, .why = m->why,
			    .uid = m->uid };
	struct list	 orders;
	int		 last = 1;

	(void)fds, (void)cut;
	list_init(&orders);
	if (place != NULL && place_site(place) == s->site) {
		d->totals->gone[m->why < CLOSE_NWHYS ? m->why : CLOSE_ERROR]++;
		/* Of the network's ends nobody here is to blame. */
		s->errors += m->why >= CLOSE_NWHYS ||
		    (close_is_error((enum close_why)m->why) &&
		    m->why != CLOSE_RESET && m->why != CLOSE_IDLE);
		d->election->holding = &orders;
		placement_release(placement, m->id, &last);
		d->election->holding = NULL;
	} else if (reserve_left(placement, m->id, s->site)) {
		/* It has moved, and its old shard has not heard so yet. */
		last = 0;
		log_debug("shard slot=%" PRIu32 " id=%016" PRIx64
		    " gone after it had moved", s->slot, m->id);
	} else {
		d->totals->second_release++;
		log_warn("shard slot=%" PRIu32 " id=%016" PRIx64
		    " gone: it has no place here", s->slot, m->id);
	}
	parted.flags = last ? CTL_F_LAST : 0;
	/* Only a socket of a group is waiting to hear whether it was the last. */
	if ((m->flags & CTL_F_OPENED) && m->replica != 0)
		shard_tell(s, &parted, NULL);
	order_pay(&orders, NULL);
	return (0);
}

/* The answer to a plain request goes on: its place is one like a WebSocket's. */
static int
dialogue_stay(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	struct place	*place = placement_find(d->shards->placement, m->id);

	(void)fds, (void)cut;
	if (place == NULL || place_site(place) != s->site)
		log_warn("shard slot=%" PRIu32 " id=%016" PRIx64
		    " stays: it has no place here", s->slot, m->id);
	else if (placement_stay(d->shards->placement, place,
	    m->uid) == -1)
		log_warn("shard slot=%" PRIu32 " id=%016" PRIx64
		    " stays, and its uid is not known: %s", s->slot, m->id,
		    strerror(errno));
	return (0);
}

/* An application says whose connection it is. */
static int
dialogue_become(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	struct place	*place = placement_find(d->shards->placement, m->id);

	(void)fds, (void)cut;
	if (place == NULL || place_site(place) != s->site)
		log_warn("shard slot=%" PRIu32 " id=%016" PRIx64
		    " becomes: it has no place here", s->slot, m->id);
	else if (placement_become(place, m->uid) == -1)
		log_warn("shard slot=%" PRIu32 " id=%016" PRIx64
		    " is counted for the uid that it came with: %s", s->slot,
		    m->id, strerror(errno));
	return (0);
}

/* The shard goes on. */
static int
dialogue_pong(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	(void)fds, (void)cut;
	if (!pulse_heard(&s->pulse, m->id, clock_ms()))
		return (0);
	postmortem_absolve(&d->election->postmortem, s->incarnation);
	if (!shard_serves(s) || s->hopeless)
		return (0);
	if (s->state == SHARD_READY)
		evtimer_del(s->timer);		/* no accusation stands */
	if (!s->site->usable) {
		s->site->usable = 1;
		d->ops->again(d->arg);
	}
	return (0);
}

/* A shard accuses another one, which is to answer. */
static int
dialogue_link_lost(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	struct shard	*accused = &d->shards->slots[m->slot];
	struct ctl	 dead = { .type = CTL_DEAD, .slot = m->slot,
			    .incarnation = m->incarnation };
	char		 text[128];
	struct timeval	 tv = clock_tv(SHARD_ACCUSED_MS);

	(void)fds, (void)cut;
	log_info("shard slot=%" PRIu32 " lost its link to slot=%" PRIu32 ": %s",
	    s->slot, m->slot, log_escape(text, sizeof(text), m->text.data,
	    m->text.len));
	if (accused->pid == 0 || accused->incarnation != m->incarnation) {
		shard_tell(s, &dead, NULL);
		return (0);
	}
	if (accused->state != SHARD_READY ||
	    evtimer_pending(accused->timer, NULL))
		return (0);
	shard_ping(accused);
	evtimer_add(accused->timer, &tv);
	return (0);
}

/* A socket that an earlier gateway listened on. */
static int
dialogue_listening(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	(void)s, (void)m;
	if (cut)
		return (0);
	d->ops->listening(fds[0], d->arg);
	fds[0] = -1;
	return (0);
}

/* A copy of the descriptor of a connection that this gateway did not hand over. */
static int
dialogue_cover(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	struct placement *placement = d->shards->placement;
	struct place	*place = placement_find(placement, m->id);

	if (cut || place == NULL || place_site(place) != s->site ||
	    !sock_is_stream(fds[0]))
		return (0);
	(void)covers_keep(placement, place, fds[0]);
	fds[0] = -1;
	return (0);
}

/* A connection moves, or not. */
static int
dialogue_journey(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, int cut)
{
	(void)fds, (void)cut;
	return (journeys_message(d->journeys, s, m));
}

static const struct {
	int	(*run)(struct dialogue *, struct shard *,
		    const struct ctl *, int *, int);
	int	 hello;			/* belongs between HELLO and HELD */
} dialogue_rows[CTL_NTYPES] = {
	[CTL_HAVE_APP]	= { dialogue_have_app, 1 },
	[CTL_HAVE_REPLICA] = { dialogue_have_replica, 1 },
	[CTL_HAVE_CONN]	= { dialogue_have_conn, 1 },
	[CTL_HELD]	= { dialogue_held, 1 },
	[CTL_READY]	= { dialogue_ready, 0 },
	[CTL_ADOPT]	= { dialogue_adopt, 0 },
	[CTL_ADOPTED]	= { dialogue_adopted, 0 },
	[CTL_REFUSED]	= { dialogue_refused, 0 },
	[CTL_GONE]	= { dialogue_gone, 0 },
	[CTL_STAY]	= { dialogue_stay, 0 },
	[CTL_COVER]	= { dialogue_cover, 0 },
	[CTL_BECOME]	= { dialogue_become, 0 },
	[CTL_PONG]	= { dialogue_pong, 0 },
	[CTL_LINK_LOST]	= { dialogue_link_lost, 0 },
	[CTL_LEAVING]	= { dialogue_leaving, 0 },
	[CTL_LISTENING]	= { dialogue_listening, 0 },
	[CTL_MOVED]	= { dialogue_journey, 0 },
	[CTL_STAYED]	= { dialogue_journey, 0 },
	[CTL_ARRIVED]	= { dialogue_journey, 0 },
	[CTL_JOURNEY_DONE] = { dialogue_journey, 0 },
};

int
dialogue_message(struct dialogue *d, struct shard *s, const struct ctl *m,
    int *fds, size_t nfds, int cut)
{
	(void)nfds;
	if (s->hopeless && (s->hello || m->type == CTL_READY))
		return (0);
	if (dialogue_rows[m->type].run == NULL ||
	    dialogue_rows[m->type].hello != s->hello) {
		log_warn("shard slot=%" PRIu32 " message=%s out of place",
		    s->slot, ctl_name(m->type));
		return (-1);
	}
	return (dialogue_rows[m->type].run(d, s, m, fds, cut));
}

/* ---- what shards are told ---- */

/* All that workers are told of the configuration, or what may change meanwhile. */
static void
dialogue_options(struct shard *s, int live)
{
	const struct settings	*set = s->all->settings;
	struct ctl		 m = { .type = CTL_OPTION };

	for (size_t i = 0; i < set->noptions; i++) {
		if (live && !set->options[i].live)
			continue;
		m.text = slice_str(set->options[i].key);
		m.value = slice_str(set->options[i].value);
		shard_tell(s, &m, NULL);
	}
}

void
dialogue_tell_options(struct dialogue *d)
{
	for (size_t i = 0; i < d->shards->nslots; i++)
		if (d->shards->slots[i].state == SHARD_READY)
			dialogue_options(&d->shards->slots[i], 1);
}

/* Answer to what a shard has said that it has. */
static void
dialogue_welcome(const struct dialogue *d, struct shard *s)
{
	const struct settings	*set = s->all->settings;
	struct ctl		 m = { .type = CTL_WELCOME,
				    .high = s->version,
				    .capsule = CAPSULE_VERSION,
				    .incarnation = d->incarnation,
				    .flags = covers_wanted(d->shards->placement) ?
					CTL_F_COVER : 0,
				    .text = slice_str(set->node),
				    .value = slice_str(d->redis_url) };

	shard_tell(s, &m, NULL);
	m = (struct ctl){ .type = CTL_OPTION,
	    .text = slice_str("redis_prefix"),
	    .value = slice_str(set->redis_prefix) };
	shard_tell(s, &m, NULL);
	dialogue_options(s, 0);
	m = (struct ctl){ .type = CTL_START };
	shard_tell(s, &m, NULL);
}

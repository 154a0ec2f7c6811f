/* The side of a journey to which connections come. */
#include <sys/pidfd.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/proc.h"
#include "proto/channel.h"
#include "shardd/gate.h"
#include "shardd/journey/guest.h"
#include "shardd/journey/inside.h"
#include "shardd/journey/landing.h"
#include "shardd/session/passage.h"

#define LANDING_DEATH_MS	100	/* from a closed socket to a dead process,
					   where that is not known at once */

static int	 landing_message_cb(struct control *c, const struct ctl *m,
		    int *fds, size_t nfds, int cut, void *arg);
static void	 landing_packet_cb(struct control *c, void *arg);
static void	 landing_sent_cb(struct control *c, void *arg);
static void	 landing_end_cb(struct control *c, const char *why, void *arg);

/* ---- life ---- */

struct landing *
landing_new(struct journeys *js, const struct ctl *m, int fd)
{
	struct landing	*l;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	l->js = js;
	l->id = m->journey;
	l->pid = (pid_t)m->pid;
	l->pidfd = l->pid == 0 ? -1 : pidfd_open(l->pid, 0);
	list_init(&l->guests);
	if ((l->ferry = control_new(js->base, fd, "ferry", landing_message_cb,
	    landing_packet_cb, landing_end_cb, l)) == NULL) {
		if (l->pidfd != -1)
			close(l->pidfd);
		free(l);
		return (NULL);
	}
	control_set_sent_cb(l->ferry, landing_sent_cb);
	list_push(&js->landings, &l->at);
	return (l);
}

/* Forget l, which has no guests. */
static void
landing_free(struct landing *l)
{
	const struct ctl	 m = { .type = CTL_JOURNEY_DONE,
				    .journey = l->id };

	/* Perhaps the other side has died: all that it sent is said by now. */
	if (!l->ended)
		gate_tell(l->js->gate, &m);
	control_free(l->ferry);
	if (l->pidfd != -1)
		close(l->pidfd);
	list_remove(&l->at);
	map_clear(&l->by_id);
	free(l);
}

/* Those who are not here do not come. */
static void
landing_cancel(struct landing *l, const char *why)
{
	struct list	*e, *tmp;
	struct guest	*g;

	list_each(e, tmp, &l->guests) {
		g = list_entry(e, struct guest, at);
		if (g->state < GUEST_HELD)
			guest_refuse(g, 0, why);
	}
}

void
landing_stop(struct landing *l)
{
	l->stopped = 1;
	landing_cancel(l, "there is no gateway");
}

/*
 * Another gateway is about to hear who is here.  Who is held is not yet, and the old shard
 * may have let go of it when it says what it has: then nobody would name it.  So it stays
 * there; unless that shard has died, which leaves no time to wait for others.
 */
void
landing_settle(struct landing *l)
{
	struct list	*e, *tmp;
	struct guest	*g;

	list_each(e, tmp, &l->guests) {
		g = list_entry(e, struct guest, at);
		if (g->state != GUEST_HELD)
			continue;
		if (l->dead) {
			g->since = 0;
			guest_try(g);
		} else if (l->pidfd == -1 || !proc_ended(l->pidfd, l->pid, 0))
			guest_refuse(g, 0, "there is another gateway");
	}
	turn_add(&l->js->work, TURN_LAST);
}

/* ---- who has it ---- */

/* Those begin whose ADOPTED is with the kernel. */
static void
landing_begin(struct landing *l, uint64_t sent)
{
	struct list	*e, *tmp;
	struct guest	*g;

	list_each(e, tmp, &l->guests) {
		g = list_entry(e, struct guest, at);
		if (g->state == GUEST_ADOPTED && g->number <= sent)
			guest_begin(g);
	}
}

/* All that was said at once was heard. */
static void
landing_packet_cb(struct control *c, void *arg)
{
	control_flush(c);
	landing_begin(arg, control_sent(c));
}

/* More was sent, after the kernel had been full. */
static void
landing_sent_cb(struct control *c, void *arg)
{
	landing_begin(arg, control_sent(c));
}

/* Has the other side's process ended? */
static int
landing_bereft(const struct landing *l)
{
	return (!l->ended && l->pidfd != -1 &&
	    proc_ended(l->pidfd, l->pid, LANDING_DEATH_MS));
}

/* Is anybody here who may be ours, or not? */
static int
landing_has_some(const struct landing *l)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &l->guests)
		if (list_entry(e, struct guest, at)->state >= GUEST_HELD)
			return (1);
	return (0);
}

/* It was not adopted in time: it is the other side's. */
static void
landing_leave(struct guest *g)
{
	if (g->conn != NULL)
		passage_drop(g->conn);
	guest_free(g);
}

/*
 * The ferry has ended.  Where the other side's process has, too, all that it sent is
 * ours, for nobody else has it; else only those are who begun.
 */
static void
landing_end_cb(struct control *c, const char *why, void *arg)
{
	struct landing	*l = arg;
	struct list	*e, *tmp;
	struct guest	*g;

	(void)why;
	l->dead = landing_has_some(l) && landing_bereft(l);
	control_free(c);
	l->ferry = NULL;
	list_each(e, tmp, &l->guests) {
		g = list_entry(e, struct guest, at);
		if (!l->dead || g->state < GUEST_HELD)
			landing_leave(g);
		else if (g->state == GUEST_ADOPTED)
			guest_begin(g);
	}
	turn_add(&l->js->work, TURN_LAST);
}

/* ---- what the other side says ---- */

/* EXPECT: somebody is to come. */
static void
landing_expect(struct landing *l, const struct ctl *m)
{
	struct ctl	 out = { .type = CTL_REFUSED, .id = m->id,
			    .replica = m->replica };
	const char	*why;

	if (guest_new(l, m, &why, &out.flags) != NULL)
		return;
	out.text = slice_str(why);
	control_send(l->ferry, &out, NULL);
}

/* The record, in the message or in a memfd; *mapped is to be freed. */
static struct slice
landing_record(const struct ctl *m, const int *fds, void **mapped)
{
	struct slice	 s = m->value;

	*mapped = NULL;
	if ((m->flags & CTL_F_MEMFD) == 0)
		return (s);
	if ((*mapped = capsule_map(fds[1], &s.len)) == NULL)
		s.len = 0;
	s.data = *mapped;
	return (s);
}

/* ADOPT: it is here. */
static void
landing_adopt(struct landing *l, struct guest *g, const struct ctl *m,
    int *fds, int cut)
{
	struct slice	 record;
	void		*mapped;

	(void)l;
	if (cut) {
		guest_refuse(g, 0, "out of descriptors");
		return;
	}
	record = landing_record(m, fds, &mapped);
	if (guest_arrived(g, record, fds[0]) == -1)
		guest_refuse(g, 0, "no memory");
	else {
		fds[0] = -1;
		guest_try(g);
	}
	free(mapped);
}

/* The other side says something. */
static int
landing_message_cb(struct control *c, const struct ctl *m, int *fds,
    size_t nfds, int cut, void *arg)
{
	struct landing	*l = arg;
	struct map_node	*n = map_find(&l->by_id, &m->id, sizeof(m->id));
	struct guest	*g = n == NULL ? NULL : container_of(n, struct guest,
			    by_id);
	struct ctl	 out = { .type = CTL_REFUSED, .id = m->id,
			    .replica = m->replica,
			    .text = slice_str("it is not expected") };

	(void)nfds;
	turn_add(&l->js->work, TURN_LAST);
	switch (m->type) {
	case CTL_EXPECT:
		landing_expect(l, m);
		break;
	case CTL_REFUSED:		/* it does not come */
		if (g != NULL && g->state < GUEST_HELD)
			guest_free(g);
		break;
	case CTL_ADOPT:
		if (g == NULL || g->state != GUEST_EXPECTED)
			return (control_send(c, &out, NULL));
		landing_adopt(l, g, m, fds, cut);
		break;
	case CTL_FERRY_END:
		l->ended = 1;
		landing_cancel(l, "the journey is over");
		break;
	default:
		break;
	}
	return (0);
}

/* ---- going on ---- */

int
landing_run(struct landing *l)
{
	struct list	*e, *tmp;
	struct guest	*g;

	list_each(e, tmp, &l->guests) {
		g = list_entry(e, struct guest, at);
		if (g->state == GUEST_HELD)
			guest_try(g);
		else if (g->state < GUEST_HELD && g->replica != NULL &&
		    g->replica->neighbours == NULL)
			guest_refuse(g, 0, "its group has ended there");
	}
	if (l->ferry != NULL) {
		control_flush(l->ferry);
		landing_begin(l, control_sent(l->ferry));
	}
	if (list_empty(&l->guests) && (l->ferry == NULL || (l->ended &&
	    control_sent(l->ferry) == control_queued(l->ferry)))) {
		landing_free(l);
		return (0);
	}
	return (landing_has_some(l));
}

void
landing_end(struct landing *l)
{
	while (!list_empty(&l->guests))
		landing_leave(list_entry(l->guests.next, struct guest, at));
	landing_free(l);
}

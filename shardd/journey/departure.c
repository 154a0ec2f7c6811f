/* The side of a journey that connections leave. */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>


#include "common/clock.h"
#include "common/log.h"
#include "proto/channel.h"
#include "shardd/client/conn.h"
#include "shardd/gate.h"
#include "shardd/journey/crossing.h"
#include "shardd/journey/departure.h"
#include "shardd/journey/inside.h"
#include "shardd/journey/move.h"
#include "shardd/session/passage.h"

static int	 departure_message_cb(struct control *c, const struct ctl *m,
		    int *fds, size_t nfds, int cut, void *arg);
static void	 departure_end_cb(struct control *c, const char *why,
		    void *arg);

/* ---- life ---- */

struct departure *
departure_new(struct journeys *js, const struct ctl *m, int fd)
{
	struct departure	*d;

	if ((d = calloc(1, sizeof(*d))) == NULL)
		return (NULL);
	d->js = js;
	d->id = m->journey;
	d->pace = m->limit;
	list_init(&d->fresh);
	list_init(&d->later);
	list_init(&d->expected);
	list_init(&d->crossings);
	if ((d->ferry = control_new(js->base, fd, "ferry",
	    departure_message_cb, NULL, departure_end_cb, d)) == NULL) {
		free(d);
		return (NULL);
	}
	list_push(&js->departures, &d->at);
	log_info("journey id=%llx to slot=%u begins",
	    (unsigned long long)d->id, m->slot);
	return (d);
}

/* The journey of that number, or NULL. */
static struct departure *
departure_find(struct journeys *js, uint64_t id)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &js->departures)
		if (list_entry(e, struct departure, at)->id == id)
			return (list_entry(e, struct departure, at));
	return (NULL);
}

/* Forget d, which has no moves and no crossings. */
static void
departure_free(struct departure *d)
{
	const struct ctl	 m = {
		.type = CTL_JOURNEY_DONE, .journey = d->id,
		.limit = d->moved, .stayed = d->stayed,
	};

	log_info("journey id=%llx moved=%u stayed=%u",
	    (unsigned long long)d->id, d->moved, d->stayed);
	gate_tell(d->js->gate, &m);
	control_free(d->ferry);
	list_remove(&d->at);
	map_clear(&d->by_id);
	free(d);
}

/* ---- what the gateway wants ---- */

void
departure_move(struct journeys *js, const struct ctl *m)
{
	struct departure	*d = departure_find(js, m->journey);
	struct ctl		 out = {
		.type = CTL_STAYED, .journey = m->journey, .id = m->id,
		.replica = m->replica, .neighbour = m->neighbour,
		.text = slice_str("there is no such journey"),
	};

	if (d != NULL && !d->stopped && d->ferry != NULL &&
	    move_new(d, m) != NULL) {
		turn_add(&js->work, TURN_LAST);
		return;
	}
	if (d != NULL) {
		d->stayed++;
		out.text = slice_str(d->stopped || d->ferry == NULL ?
		    "the journey is over" : "it is on its way already");
	}
	gate_tell(js->gate, &out);
}

void
departure_no_more(struct journeys *js, const struct ctl *m)
{
	struct departure	*d = departure_find(js, m->journey);

	if (d == NULL)
		return;
	d->no_more = 1;
	if (m->flags & CTL_F_STOP)
		departure_stop(d);
	turn_add(&js->work, TURN_LAST);
}

/* Whoever is in that list stays. */
static void
departure_keep(struct list *in, const char *why)
{
	struct move	*m;

	while (!list_empty(in)) {
		m = list_entry(in->next, struct move, at);
		move_stayed(m, m->state == MOVE_EXPECTING ? CTL_F_AWAITS :
		    m->why, why);
	}
}

/* Nobody who is not frozen goes. */
static void
departure_keep_all(struct departure *d, const char *why)
{
	struct list	*e, *tmp, *k, *ktmp;
	struct crossing	*x;
	struct move	*m;

	departure_keep(&d->fresh, why);
	departure_keep(&d->later, why);
	departure_keep(&d->expected, why);
	list_each(e, tmp, &d->crossings) {
		x = list_entry(e, struct crossing, at);
		list_each(k, ktmp, &x->moves) {
			m = list_entry(k, struct move, at);
			if (m->state == MOVE_CROSSING)
				move_stayed(m, m->why, why);
		}
	}
}

void
departure_stop(struct departure *d)
{
	d->no_more = d->stopped = 1;
	departure_keep_all(d, "the journey was given up");
	turn_add(&d->js->work, TURN_LAST);
}

void
departure_move_ended(struct move *m)
{
	rare_end_move(&m->conn->rare);
	m->conn = NULL;
	turn_add(&m->departure->js->work, TURN_LAST);
	move_stayed(m, CTL_F_ENDED, "it has ended");
}

/* ---- the other side ---- */

/* The move that a message is about; NULL: it is over. */
static struct move *
departure_about(struct departure *d, const struct ctl *m)
{
	struct map_node	*n = map_find(&d->by_id, &m->id, sizeof(m->id));

	return (n == NULL ? NULL : container_of(n, struct move, by_id));
}

/* When has the oldest that waits for ADOPTED been sent? */
static void
departure_oldest(struct departure *d)
{
	struct list	*e, *tmp, *k, *ktmp;
	struct move	*m;

	d->sent = 0;
	list_each(e, tmp, &d->crossings)
		list_each(k, ktmp, &list_entry(e, struct crossing,
		    at)->moves) {
			m = list_entry(k, struct move, at);
			if (m->state == MOVE_SENT &&
			    (d->sent == 0 || m->since < d->sent))
				d->sent = m->since;
		}
}

/* REFUSED: not expected, or not taken; frozen, it goes on here. */
static void
departure_refused(struct departure *d, struct move *m, const struct ctl *in)
{
	char	 text[128];

	snprintf(text, sizeof(text), "%.*s", (int)in->text.len,
	    in->text.len == 0 ? "" : in->text.data);
	if (m->state < MOVE_EXPECTING || m->state == MOVE_GONE)
		return;			/* it was given up here, too */
	if (in->flags & CTL_F_NEVER)
		move_stayed(m, CTL_F_NEVER | CTL_F_DECLINED, text);
	else
		move_again(m, 0, text);
	departure_oldest(d);
}

/* The other side says something. */
static int
departure_message_cb(struct control *c, const struct ctl *in, int *fds,
    size_t nfds, int cut, void *arg)
{
	struct departure	*d = arg;
	struct move		*m = departure_about(d, in);

	(void)c, (void)fds, (void)nfds, (void)cut;
	turn_add(&d->js->work, TURN_LAST);
	if (m == NULL)
		return (0);
	switch (in->type) {
	case CTL_EXPECTED:
		if (m->state == MOVE_EXPECTING)
			move_set_state(m, MOVE_READY, &d->expected);
		break;
	case CTL_ADOPTED:
		if (m->state == MOVE_SENT) {
			move_moved(m);
			departure_oldest(d);
		}
		break;
	case CTL_REFUSED:
		departure_refused(d, m, in);
		break;
	default:
		break;
	}
	return (0);
}

/* All that it said was read: who was not adopted is ours again. */
static void
departure_end_cb(struct control *c, const char *why, void *arg)
{
	struct departure	*d = arg;
	struct list		*e, *tmp;

	(void)why;
	control_free(c);
	d->ferry = NULL;
	d->no_more = 1;
	list_each(e, tmp, &d->crossings)
		crossing_fail(list_entry(e, struct crossing, at),
		    "the other shard has ended, or does not answer");
	departure_keep_all(d, "the other shard has ended, or does not answer");
	turn_add(&d->js->work, TURN_LAST);
}

/* ---- going on ---- */

/* Is there a place in the window?  Then the next is asked for. */
static void
departure_expect(struct departure *d, struct list *from)
{
	struct list	*e, *tmp;
	struct move	*m;
	const char	*why;
	int		 never;

	list_each(e, tmp, from) {
		m = list_entry(e, struct move, at);
		if (d->nexpected == JOURNEY_EXPECT_MAX)
			return;
		if (m->state != MOVE_WAITS || m->since > clock_ms())
			continue;
		why = passage_hinders(m->conn, &never);
		if (why != NULL && never)
			move_stayed(m, CTL_F_NEVER, why);
		else if ((m->conn->replica == NULL ? 0 :
		    m->conn->replica->id) != m->replica)
			move_stayed(m, 0, "it is in another replica");
		else if (move_expect(m) == -1)
			return;
	}
}

/* Those who are ready cross, as many as may at a time. */
static void
departure_cross(struct departure *d)
{
	uint64_t	 now = clock_ns();
	struct list	*e;
	struct move	*m;
	size_t		 before, room;

	for (;;) {
		room = JOURNEY_CROSS_MAX - d->ncrossing;
		if (d->ncrossings >= JOURNEY_CROSSINGS || room == 0 ||
		    (d->pace != 0 && d->next > now))
			return;
		for (e = d->expected.next; e != &d->expected &&
		    list_entry(e, struct move, at)->state != MOVE_READY; )
			e = e->next;
		if (e == &d->expected)
			return;
		m = list_entry(e, struct move, at);
		before = d->ncrossing;
		if (crossing_begin(m, room) == -1)
			return;
		if (d->pace != 0)
			d->next = (d->next < now ? now : d->next) +
			    (d->ncrossing - before) * 1000000000 / d->pace;
	}
}

/* Who was not expected in time is asked for again. */
static void
departure_expire(struct departure *d)
{
	uint64_t	 now = clock_ms();
	struct list	*e, *tmp;
	struct move	*m;

	list_each(e, tmp, &d->expected) {
		m = list_entry(e, struct move, at);
		if (m->state == MOVE_EXPECTING &&
		    now - m->since > JOURNEY_EXPECT_MS)
			move_again(m, CTL_F_AWAITS,
			    "the other shard is not ready for it");
	}
}

/*
 * The other side says nothing of what it was sent: nothing more goes, and what stands
 * in our queue is what it has adopted.
 */
static void
departure_impatient(struct departure *d)
{
	const struct ctl	 m = { .type = CTL_FERRY_END,
				    .journey = d->id };

	if (d->over || d->sent == 0 || clock_ms() - d->sent <=
	    JOURNEY_ADOPT_MS)
		return;
	log_warn("journey id=%llx: the other shard does not answer",
	    (unsigned long long)d->id);
	d->over = 1;
	control_send(d->ferry, &m, NULL);
	control_flush(d->ferry);
	shutdown(control_fd(d->ferry), SHUT_RDWR);
}

/* Everybody has gone or stays.  Returns whether the ferry is done with. */
static int
departure_say_end(struct departure *d)
{
	const struct ctl	 m = { .type = CTL_FERRY_END,
				    .journey = d->id };

	if (d->ferry == NULL)
		return (1);
	if (!d->over)
		control_send(d->ferry, &m, NULL);
	d->over = 1;
	control_flush(d->ferry);
	return (control_sent(d->ferry) == control_queued(d->ferry));
}

int
departure_run(struct departure *d)
{
	struct list	*e, *tmp;

	if (d->js->sought.count > 0)
		move_seek(d->js);
	if (d->ferry != NULL && !d->over) {
		departure_expire(d);
		departure_expect(d, &d->later);
		departure_expect(d, &d->fresh);
		departure_cross(d);
		list_each(e, tmp, &d->crossings)
			crossing_run(list_entry(e, struct crossing, at));
		departure_impatient(d);
	} else
		list_each(e, tmp, &d->crossings)
			crossing_run(list_entry(e, struct crossing, at));
	if (d->no_more && d->by_id.count == 0 && list_empty(&d->crossings) &&
	    departure_say_end(d)) {
		departure_free(d);
		return (0);
	}
	return (d->by_id.count > 0 || !list_empty(&d->crossings) ||
	    d->no_more);
}

/*
 * What was sent is the other side's, for this process is about to end.  The ferry stays
 * open until then: the other side reads its end when nobody is left who could have them.
 */
void
departure_end(struct departure *d)
{
	struct list	*e, *tmp, *k, *ktmp;
	struct move	*m;

	if (d->ferry != NULL)
		(void)fcntl(control_fd(d->ferry), F_DUPFD_CLOEXEC, 0);
	list_each(e, tmp, &d->crossings)
		list_each(k, ktmp, &list_entry(e, struct crossing,
		    at)->moves) {
			m = list_entry(k, struct move, at);
			if (m->state == MOVE_SENT)
				move_moved(m);
		}
	departure_keep_all(d, "its shard ends");
	list_each(e, tmp, &d->crossings)
		crossing_end(list_entry(e, struct crossing, at));
	departure_free(d);
}

/* One connection that is to leave. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "proto/channel.h"
#include "shardd/client/conn.h"
#include "shardd/gate.h"
#include "shardd/journey/move.h"
#include "shardd/kennel.h"
#include "shardd/session/passage.h"
#include "shardd/session/sessions.h"

struct move *
move_new(struct departure *d, const struct ctl *in)
{
	struct journeys	*js = d->js;
	struct move	*m;

	if (map_find(&d->by_id, &in->id, sizeof(in->id)) != NULL ||
	    map_find(&js->sought, &in->id, sizeof(in->id)) != NULL) {
		errno = EEXIST;
		return (NULL);
	}
	if ((m = calloc(1, sizeof(*m))) == NULL)
		return (NULL);
	m->departure = d;
	m->id = in->id;
	m->replica = in->replica;
	m->neighbour = in->neighbour;
	list_init(&m->at);
	if (map_insert(&d->by_id, &m->by_id, &m->id, sizeof(m->id)) == -1)
		goto fail;
	if (map_insert(&js->sought, &m->sought, &m->id, sizeof(m->id)) == -1) {
		map_remove(&d->by_id, &m->by_id);
		goto fail;
	}
	list_push(&d->fresh, &m->at);
	return (m);
fail:
	free(m);
	errno = ENOMEM;
	return (NULL);
}

/* m has no connection any more, which is read again, if it is here. */
static void
move_let_go(struct move *m)
{
	struct conn	*c = m->conn;

	m->conn = NULL;
	if (c == NULL)
		return;
	rare_end_move(&c->rare);
	c->pauses &= (uint8_t)~PAUSE_SAID;
	conn_resume(c, PAUSE_MOVE);
}

/* m is not in a crossing, nor expected. */
static void
move_withdraw(struct move *m)
{
	struct departure	*d = m->departure;

	list_remove(&m->at);
	if (m->crossing != NULL) {
		m->crossing->n--;
		d->ncrossing--;
		m->crossing = NULL;
	}
	if (m->state >= MOVE_EXPECTING)
		d->nexpected--;
}

void
move_free(struct move *m)
{
	struct departure	*d = m->departure;

	move_let_go(m);
	move_withdraw(m);
	if (m->state == MOVE_SOUGHT)
		map_remove(&d->js->sought, &m->sought);
	map_remove(&d->by_id, &m->by_id);
	free(m);
}

void
move_seek(struct journeys *js)
{
	struct map_node	*n;
	struct list	*e, *tmp;
	struct conn	*c;
	struct move	*m;

	list_each(e, tmp, &js->sessions->clients.conns) {
		if (js->sought.count == 0)
			break;
		c = list_entry(e, struct conn, at);
		if (conn_move(c) != NULL ||
		    (n = map_find(&js->sought, &c->id, sizeof(c->id))) == NULL)
			continue;
		m = container_of(n, struct move, sought);
		if (rare_set_move(&c->rare, m) == -1)
			continue;	/* it is as if it were not here */
		map_remove(&js->sought, n);
		m->conn = c;
		m->state = MOVE_WAITS;
	}
	/* Who is not among the open ones is not here, or on its way from it. */
	while ((n = map_first(&js->sought)) != NULL)
		move_stayed(container_of(n, struct move, sought), 0,
		    "it is not open here");
}

void
move_set_state(struct move *m, enum move_state state, struct list *in)
{
	list_remove(&m->at);
	list_push(in, &m->at);
	m->state = state;
	m->since = clock_ms();
}

/* ---- to the other side ---- */

int
move_expect(struct move *m)
{
	struct departure	*d = m->departure;
	const struct conn	*c = m->conn;
	struct ctl		 out = {
		.type = CTL_EXPECT, .id = m->id, .replica = m->neighbour,
		.neighbour = m->replica, .low = CAPSULE_MOVES,
		.high = passage_version(c), .uid = conn_uid(c),
	};

	out.app = c->replica != NULL ? slice_str(c->replica->app_name) :
	    slice_str(c->app->name == NULL ? "main" : c->app->name);
	if (control_send(d->ferry, &out, NULL) == -1)
		return (-1);
	d->nexpected++;
	move_set_state(m, MOVE_EXPECTING, &d->expected);
	return (0);
}

void
move_cancel(struct move *m)
{
	const struct ctl	 out = { .type = CTL_REFUSED, .id = m->id,
				    .replica = m->neighbour };

	if (m->departure->ferry != NULL && m->state >= MOVE_EXPECTING &&
	    m->state <= MOVE_CROSSING)
		control_send(m->departure->ferry, &out, NULL);
}

/* Send the record, with the descriptor, and with another where it is large. */
static int
move_send_record(struct move *m, const struct buf *b)
{
	struct ctl	 out = { .type = CTL_ADOPT, .id = m->id,
			    .replica = m->neighbour };
	int		 fds[2] = { m->conn->fd, -1 };

	if (b->len <= CAPSULE_INLINE)
		out.value = slice_of(b->data, b->len);
	else {
		if ((fds[1] = capsule_memfd(b->data, b->len)) == -1)
			return (-1);
		out.flags = CTL_F_MEMFD;
	}
	if (control_send(m->departure->ferry, &out, fds) == 0)
		return (0);
	if (fds[1] != -1)
		close(fds[1]);
	return (-1);
}

int
move_send(struct move *m)
{
	static struct buf	 b;
	int			 keep;

	buf_reset(&b);
	if (passage_pack(m->conn, m->neighbour, m->paused, &b) == -1)
		return (-1);
	if (move_send_record(m, &b) == 0)
		return (0);
	keep = errno;
	passage_back(m->conn);
	errno = keep;
	return (-1);
}

/* ---- to the gateway ---- */

/* Tell the gateway about m. */
static void
move_tell(struct move *m, struct ctl *out)
{
	out->journey = m->departure->id;
	out->id = m->id;
	out->replica = m->replica;
	out->neighbour = m->neighbour;
	gate_tell(m->departure->js->gate, out);
}

void
move_moved(struct move *m)
{
	m->departure->moved++;
	m->departure->js->leaving++;
	m->hellos = m->departure->js->hellos;
	rare_end_move(&m->conn->rare);
	passage_leave(m->conn);
	m->state = MOVE_GONE;
}

void
move_end(struct move *m)
{
	struct ctl	 out = { .type = CTL_MOVED };
	struct journeys	*js = m->departure->js;
	struct conn	*c = m->conn;

	m->conn = NULL;
	passage_end(c);
	js->leaving -= m->hellos == js->hellos;
	move_tell(m, &out);
	move_free(m);
}

void
move_stayed(struct move *m, uint32_t flags, const char *why)
{
	struct ctl	 out = { .type = CTL_STAYED, .flags = flags,
			    .text = slice_str(why) };

	log_debug("conn id=%llx stays: %s", (unsigned long long)m->id, why);
	m->departure->stayed++;
	if (m->state == MOVE_SENT && m->conn != NULL)
		passage_back(m->conn);
	else
		move_cancel(m);
	move_tell(m, &out);
	move_free(m);
}

void
move_again(struct move *m, uint32_t flags, const char *why)
{
	struct departure	*d = m->departure;

	m->why = flags;
	if (d->stopped || ++m->tries == JOURNEY_TRIES) {
		move_stayed(m, flags, why);
		return;
	}
	if (m->state == MOVE_SENT)
		passage_back(m->conn);
	else
		move_cancel(m);
	m->conn->pauses &= (uint8_t)~PAUSE_SAID;
	conn_resume(m->conn, PAUSE_MOVE);
	move_withdraw(m);
	m->state = MOVE_WAITS;
	m->since = clock_ms() + m->tries * JOURNEY_AGAIN_MS;
	list_push(&d->later, &m->at);
}

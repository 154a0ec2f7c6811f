/* One client's connection: its descriptor, its output, its pauses, its end. */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/budget.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/poller.h"
#include "common/sock.h"
#include "shardd/client/conn.h"
#include "shardd/client/payload.h"
#include "shardd/client/policy.h"
#include "shardd/client/pressure.h"
#include "shardd/client/unfinished.h"
#include "shardd/kennel.h"
#include "shardd/options.h"

#define CONN_DIALED_MAX	((size_t)64 << 20)	/* bytes that may wait */

static uint32_t	 conn_now;

uint32_t
conn_tick(void)
{
	return (conn_now);
}

void
conn_tick_set(void)
{
	conn_now = (uint32_t)(clock_ms() / 100);
}

/* ---- birth and death ---- */

struct conn *
conn_new(struct clients *all, const struct capsule *cap, struct meter *meter,
    int fd)
{
	struct conn	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (NULL);
	if ((c->text = cover_who(cap)) == NULL) {
		free(c);
		return (NULL);
	}
	c->uid_len = (uint16_t)cap->uid.len;
	c->nheaders = (uint8_t)cap->nheaders;
	c->told = (uint8_t)cap->flags;
	c->clients = all;
	c->meter = meter;
	c->fd = fd;
	c->id = cap->id;
	c->state = CONN_PARKED;
	c->since = conn_tick();
	list_push(&all->timed, &c->at);
	all->n++;
	return (c);
}

void
conn_free(struct conn *c)
{
	struct clients		*all = c->clients;
	struct conn_batch	*lists[] = { &all->dirty, &all->late };

	for (size_t k = 0; k < nitems(lists); k++)
		if (c->flags & (k == 0 ? CONN_F_DIRTY : CONN_F_LATE))
			for (size_t i = 0; i < lists[k]->n; i++)
				if (lists[k]->at[i] == c)
					lists[k]->at[i] = NULL;
	if (c->turns & CONN_T_QUEUED)
		for (size_t k = 0; k < nitems(all->lines); k++)
			line_leave(&all->lines[k], c);
	if (c->turns & CONN_T_CROWD)
		line_leave(&all->crowd, c);
	if (c->turns & CONN_T_TELL)
		line_leave(&all->pressed, c);
	conn_uncover(c);
	outbox_clear(&c->out);
	rare_drop(c->rare, &c->data);
	rare_free(c->rare);
	list_remove(&c->at);
	all->n--;
	all->ops->freed(c);
	meter_free(c->meter);
	cover_who_free(c->text);
	free(c);
}

void
conn_discard(struct conn *c)
{
	int	 keep = errno;

	c->fd = -1;
	if (c->proto != NULL)
		c->protocol->clear(c);
	conn_free(c);
	errno = keep;
}

void
conn_uncover(struct conn *c)
{
	cover_remove(c->slot);
	c->slot = 0;
}

void
conn_survives(struct conn *c)
{
	c->strikes = 0;
	cover_strikes(c->slot, 0);
}

/* ---- states and events ---- */

void
conn_set_state(struct conn *c, enum conn_state state)
{
	c->state = (uint8_t)state;
	c->since = conn_tick();
	if (c->flags & CONN_F_DOOMED)
		return;			/* c stays in that list */
	list_remove(&c->at);
	list_push(state == CONN_OPEN ? &c->clients->conns :
	    state == CONN_HOMING ? &c->clients->homing :
	    state == CONN_MOVING ? &c->clients->moving : &c->clients->timed,
	    &c->at);
}

void
conn_arm(struct conn *c)
{
	const unsigned	 flags = c->flags, turns = c->turns;
	short		 want = 0;

	if (c->fd == -1 || (flags & CONN_F_BEGUN) == 0)
		return;
	if (c->state != CONN_MOVING && (flags & CONN_F_DOOMED) == 0) {
		/* What is kept comes first. */
		if (c->pauses == 0 && (turns & CONN_T_QUEUED) == 0 &&
		    (flags & (CONN_F_RESUME | CONN_F_ENDED)) == 0 &&
		    c->state != CONN_HOMING && c->state != CONN_OPENING)
			want |= EV_READ;
		if (c->pauses & PAUSE_WATCH)
			want |= EV_CLOSED;
		if ((!outbox_empty(&c->out) || (turns & CONN_T_MORE)) &&
		    (flags & (CONN_F_DIRTY | CONN_F_LATE)) == 0 &&
		    (turns & CONN_T_CROWD) == 0)
			want |= EV_WRITE;
	}
	if (want != c->armed && poller_want(c->clients->poller, c->fd,
	    &c->armed, want, c) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
}

/* Nothing is heard of c any more. */
static void
conn_disarm(struct conn *c)
{
	if (poller_want(c->clients->poller, c->fd, &c->armed, 0, c) == -1)
		fatal("epoll_ctl");	/* it was armed */
}

void
conn_pause(struct conn *c, unsigned why)
{
	c->pauses |= (uint8_t)why;
	conn_arm(c);
}

/* c is to be flushed at the end of the turn. */
static void
conn_dirty(struct conn *c, struct conn_batch *list, unsigned flag)
{
	struct clients	 *all = c->clients;
	struct conn	**at;
	size_t		  cap;

	if (c->flags & flag)
		return;
	if (list->n == list->cap) {
		cap = list->cap == 0 ? 256 : list->cap * 2;
		if ((at = realloc(list->at, cap * sizeof(*at))) == NULL) {
			conn_doom(c, CLOSE_NO_MEMORY);
			return;
		}
		list->at = at;
		list->cap = cap;
	}
	budget_charge(BUDGET_WRITE);
	list->at[list->n++] = c;
	c->flags |= (uint16_t)flag;
	if (flag == CONN_F_DIRTY)
		turn_add(&all->flush, TURN_CLIENTS);
	else
		turn_add(&all->flush_late, TURN_LAST);
}

/* The same, when there is time for that. */
static void
conn_dirty_crowd(struct conn *c)
{
	struct clients	*all = c->clients;

	if (c->turns & CONN_T_CROWD)
		return;
	if (line_push(&all->crowd, c) == -1) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return;
	}
	c->turns |= CONN_T_CROWD;
	if (!all->flush_crowd.queued)
		turn_add(&all->flush_crowd, TURN_CLIENTS);
}

void
conn_crowd(struct clients *all, int on)
{
	all->crowding = on;
}

void
conn_late(struct conn *c)
{
	conn_dirty(c, &c->clients->late, CONN_F_LATE);
}

void
conn_resume(struct conn *c, unsigned why)
{
	if ((c->pauses & why) == 0)
		return;
	c->pauses &= (uint8_t)~why;
	if (c->pauses != 0 || c->fd == -1)
		return;
	c->flags |= CONN_F_RESUME;
	conn_dirty(c, &c->clients->dirty, CONN_F_DIRTY);
}

void
conn_hold(struct conn *c, struct unfinished_part **part, size_t n)
{
	if (unfinished_set(c->clients->unfinished, part, c, n,
	    c->clients->opt->unfinished_max) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
}

/* ---- output ---- */

int
conn_write(struct conn *c)
{
	size_t	 sent = 0;
	int	 verdict;

	cover_write(0, c->slot, outbox_whole(&c->out));
	cover_writing(1);
	verdict = outbox_flush(&c->out, c->fd, &sent);
	conn_left(c, verdict);
	cover_wrote(c->slot, sent);
	cover_written();
	return (verdict);
}

int
conn_queue(struct conn *c, struct payload *p)
{
	if (c->fd == -1 || (c->flags & CONN_F_DOOMED)) {
		errno = EPIPE;
		return (-1);
	}
	if (c->deflate)
		p = payload_deflated(p, c->deflate);
	else if (c->protocol->form != NULL)
		p = c->protocol->form(c, p);
	if (p == NULL) {
		conn_doom(c, CLOSE_NO_MEMORY);
		errno = ENOMEM;
		return (-1);
	}
	if (payload_wire(p).len == 0)
		return (0);		/* nothing, in that form */
	if (outbox_add(&c->out, p) == -1) {
		conn_doom(c, CLOSE_NO_MEMORY);
		errno = ENOMEM;
		return (-1);
	}
	budget_charge(BUDGET_RECEIVER + p->len / BUDGET_BYTES);
	c->last = (uint32_t)turn_ms();
	if (c->flags & CONN_F_RAW)
		c->turns = (uint8_t)((c->turns & ~CONN_T_PART) |
		    (p->more ? CONN_T_PART : 0));
	if (c->flags & (CONN_F_LATE | CONN_F_DIRTY) || c->state == CONN_MOVING)
		return (0);
	if (c->clients->crowding)
		conn_dirty_crowd(c);
	else
		conn_dirty(c, &c->clients->dirty, CONN_F_DIRTY);
	return (0);
}

/* Bytes that may wait for c; one that was dialled is no client among many. */
static size_t
conn_out_max(const struct conn *c)
{
	uint32_t	 max = meter_out_max(c->meter);

	if (max == 0 && (c->told & CAPSULE_F_DIALED))
		return (CONN_DIALED_MAX);
	return (max != 0 ? max : c->clients->opt->out_max);
}

/*
 * More than its bound is queued, and the kernel does not take it?  What was
 * queued in this turn had no chance to be written yet.
 */
static int
conn_over(struct conn *c)
{
	size_t	 max = conn_out_max(c);

	/* What gathers for one that moves is dropped when it has. */
	if (outbox_queued(&c->out) <= max || c->state == CONN_MOVING)
		return (0);
	/* Not within onopen: a refusal must not stand behind a 101. */
	if ((c->flags & CONN_F_OPENED) &&
	    (c->flags & (CONN_F_LATE | CONN_F_DOOMED)) == 0 && c->fd != -1 &&
	    conn_write(c) == -1)
		conn_doom(c, CLOSE_RESET);
	return (outbox_queued(&c->out) > max);
}

void
conn_throttle(struct conn *c)
{
	if (conn_over(c))
		conn_pause(c, PAUSE_OUT);
}

/* Queue a message, which is counted. */
static int
conn_send_now(struct conn *c, struct payload *p)
{
	uint64_t	*n;

	if (conn_queue(c, p) == -1)
		return (-1);
	if (p->opcode != WS_TEXT && p->opcode != WS_BINARY)
		return (0);
	n = conn_counts(c);
	n[COUNTER_APP_MESSAGES_OUT]++;
	n[COUNTER_APP_BYTES_OUT] += p->len;
	return (0);
}

/* c is over its bound: make room for p, or it is not to have p.  0, or -1 with errno. */
static int
conn_make_room(struct conn *c, const struct payload *p)
{
	size_t	 max = conn_out_max(c), n;

	/* Half a message is worse than none: such a one cannot be dropped. */
	switch (p->more || (c->turns & CONN_T_PART) ? SLOW_CLOSE :
	    meter_slow(c->meter)) {
	case SLOW_DROP_OLD:
		/* A good part, so that it is not done for each message. */
		n = outbox_drop(&c->out, max - max / 4);
		c->clients->dropped += n;
		counter_add(COUNTER_DROPPED + 1, n);
		if (outbox_queued(&c->out) <= max)
			return (0);
		/* FALLTHROUGH */
	case SLOW_DROP_NEW:
		c->clients->dropped++;
		counter_add(COUNTER_DROPPED, 1);
		break;
	case SLOW_CLOSE:
		conn_doom(c, CLOSE_SLOW);
		break;
	}
	errno = EMSGSIZE;
	return (-1);
}

int
conn_send(struct conn *c, struct payload *p)
{
	if (conn_over(c) && conn_make_room(c, p) == -1)
		return (-1);
	return (conn_send_now(c, p));
}

int
conn_send_both(struct conn *c, struct payload *head, struct payload *p)
{
	if (conn_over(c) && conn_make_room(c, p) == -1)
		return (-1);
	return (conn_queue(c, head) == -1 ? -1 : conn_send_now(c, p));
}

int
conn_queue_bytes(struct conn *c, struct slice s)
{
	struct payload	*p;
	int		 r;

	if ((p = payload_raw(s)) == NULL) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return (-1);
	}
	r = conn_queue(c, p);
	payload_unref(p);
	return (r);
}

/* If c's queue has passed a mark now that the kernel had what it takes, the
 * application is told at the end of the turn. */
static void
conn_press(struct conn *c)
{
	struct clients	*all = c->clients;

	if ((c->turns & CONN_T_TELL) || !conn_pressed(c))
		return;
	if (line_push(&all->pressed, c) == -1) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return;
	}
	c->turns |= CONN_T_TELL;
	turn_add(&all->press, TURN_CLIENTS);
}

int
conn_pressed(const struct conn *c)
{
	return (pressure_passed(c->app, outbox_queued(&c->out),
	    c->turns & CONN_T_HIGH));
}

void
conn_written(struct conn *c, int verdict)
{
	switch (verdict) {
	case -1:
		conn_doom(c, CLOSE_RESET);
		return;
	case 0:
		if (c->state == CONN_LINGER && (c->flags & CONN_F_SHUT) == 0) {
			c->flags |= CONN_F_SHUT;
			shutdown(c->fd, SHUT_WR);
			c->since = conn_now;
			if (c->flags & CONN_F_ENDED)
				conn_doom(c, c->why);
		} else if (c->proto != NULL && c->protocol->flushed != NULL)
			c->protocol->flushed(c);
		break;
	}
	if ((c->pauses & PAUSE_OUT) &&
	    outbox_queued(&c->out) <= conn_out_max(c) / 2)
		conn_resume(c, PAUSE_OUT);
	if (c->app->onpressure != NULL && c->state == CONN_OPEN)
		conn_press(c);
	conn_arm(c);
}

void
conn_flush(struct conn *c)
{
	conn_written(c, conn_write(c));
}

enum close_why
conn_resumed(struct conn *c)
{
	enum close_why	 why;

	cover_reading(c->slot);
	why = c->protocol->resume(c);
	cover_reading(0);
	return (why);
}

void
conn_go_on(struct conn *c)
{
	enum close_why	 why;

	c->flags &= (uint16_t)~CONN_F_RESUME;
	if (c->turns & CONN_T_QUEUED)
		return;			/* c has a turn later */
	if (c->pauses == 0 && c->state != CONN_LINGER && budget_over())
		conn_wait(c);
	else if (c->pauses == 0 && c->state != CONN_LINGER &&
	    c->state != CONN_HOMING &&
	    (why = conn_resumed(c)) != CLOSE_NONE)
		conn_doom(c, why);
}

/* ---- turns ---- */

void
conn_queue_up(struct conn *c, int line)
{
	struct clients	*all = c->clients;

	if (c->turns & CONN_T_QUEUED)
		return;
	if (line_push(&all->lines[line], c) == -1) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return;
	}
	c->turns |= CONN_T_QUEUED;
	turn_later(&all->next);
}

void
conn_wait(struct conn *c)
{
	c->turns |= CONN_T_COSTLY;
	conn_queue_up(c, LINE_COSTLY);
}

/* ---- the end ---- */

void
conn_close(struct conn *c, enum close_why why, uint16_t code,
    const char *reason)
{
	if (c->state == CONN_OPEN)
		c->protocol->close(c, why, code, reason);
	else if (c->state == CONN_OPENING)
		conn_doom(c, why);
}

void
conn_doom(struct conn *c, enum close_why why)
{
	struct clients	*all = c->clients;

	if (c->flags & CONN_F_DOOMED)
		return;
	if (c->why == CLOSE_NONE)
		c->why = (uint8_t)why;
	if (c->state == CONN_MOVING)
		return;			/* if it comes back */
	c->flags |= CONN_F_DOOMED;
	if (c->fd != -1)
		conn_disarm(c);
	list_remove(&c->at);
	list_push(&all->doomed, &c->at);
	turn_add(&all->reap, TURN_CLIENTS);
}

void
conn_depart(struct conn *c, enum close_why why, uint16_t code)
{
	if (c->flags & CONN_F_GONE)
		return;
	c->flags |= CONN_F_GONE;
	c->why = (uint8_t)why;
	c->code = code;
	conn_uncover(c);
	log_debug("conn id=%llx gone why=%s",
	    (unsigned long long)c->id, close_label(why));
	c->clients->ops->departed(c);
}

void
conn_linger(struct conn *c)
{
	if (c->proto != NULL)
		c->protocol->clear(c);
	conn_set_state(c, CONN_LINGER);
	c->last = (uint32_t)turn_ms();
	c->pauses = 0;
	if ((c->flags & (CONN_F_DIRTY | CONN_F_LATE)) == 0)
		conn_dirty(c, &c->clients->dirty, CONN_F_DIRTY);
}

void
conn_end(struct conn *c)
{
	if ((c->flags & CONN_F_GONE) == 0)
		conn_depart(c, c->why != CLOSE_NONE ? c->why : CLOSE_RESET,
		    c->why == CLOSE_CLIENT ? 1005 : 1006);
	if (c->fd != -1)
		conn_disarm(c);
	c->flags &= (uint16_t)~(CONN_F_BEGUN | CONN_F_DOOMED);
	if (c->proto != NULL)
		c->protocol->clear(c);
	if (c->flags & CONN_F_BROKEN)
		close(c->fd);		/* nothing is left to shut down */
	else
		sock_end(c->fd, 0);
	c->fd = -1;
	outbox_clear(&c->out);
	conn_set_state(c, CONN_DEPARTED);
	if ((c->flags & CONN_F_AWAITED) == 0)
		conn_free(c);
}


/* One client connection: its descriptor, its output, its end. */
#include <sys/socket.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/budget.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/poller.h"
#include "common/sock.h"
#include "common/spare.h"
#include "proto/control.h"
#include "shardd/client/burst.h"
#include "shardd/client/conn.h"
#include "shardd/group/lookup.h"
#include "shardd/client/payload.h"
#include "shardd/client/policy.h"
#include "shardd/group/replica.h"
#include "shardd/group/topics.h"

/* worker->lines */
enum { LINE_FRESH, LINE_COSTLY };

#define CONN_BURST	BURST_MAX	/* of a crowd, between looks at the clock */
#define CONN_READS	4		/* of CONN_BUF, an event */
#define CONN_BUF	(64 << 10)
/* Bytes read after the end, for at most a second: a message that is refused for
 * its size is on its way, and a reset would overtake the close frame. */
#define CONN_LINGER_MAX	(32 << 20)
#define CONN_PARTED_MS	1000

/* Departed, and the gateway has not said PARTED. */
struct parted {
	struct list	 at;
	struct conn	*conn;
	uint64_t	 since;		/* clock_ms; 0: nobody will say it */
};

static char	 conn_buf[CONN_BUF];

static void	 conn_free(struct conn *c);
static void	 conn_queue_up(struct conn *c, int line);

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

/* ---- who it is ---- */

static size_t
conn_text_len(const struct capsule *cap)
{
	size_t	 n = cap->uid.len + cap->peer.len + 2;

	for (size_t i = 0; i < cap->nheaders; i++)
		n += cap->headers[i].name.len + cap->headers[i].value.len + 2;
	return (n);
}

/* Copy s, terminated; returns what follows. */
static char *
conn_text_put(char *at, struct slice s)
{
	if (s.len > 0)
		memcpy(at, s.data, s.len);
	at[s.len] = '\0';
	return (at + s.len + 1);
}

static void
conn_text_set(struct conn *c, const struct capsule *cap)
{
	char	*at = conn_text_put(c->text, cap->uid);

	at = conn_text_put(at, cap->peer);
	for (size_t i = 0; i < cap->nheaders; i++) {
		at = conn_text_put(at, cap->headers[i].name);
		at = conn_text_put(at, cap->headers[i].value);
	}
	c->uid_len = (uint16_t)cap->uid.len;
	c->nheaders = (uint8_t)cap->nheaders;
	c->told = (uint8_t)cap->flags;
}

const char *
conn_peer(const struct conn *c)
{
	return (c->text + c->uid_len + 1);
}

const char *
conn_header(const struct conn *c, const char *name)
{
	const char	*at = conn_peer(c), *value;

	for (unsigned i = 0; i < c->nheaders; i++) {
		at += strlen(at) + 1;
		value = at + strlen(at) + 1;
		if (strcasecmp(at, name) == 0)
			return (value);
		at = value;
	}
	return (NULL);
}

/* ---- birth ---- */

struct conn *
conn_adopt(struct worker *w, const struct capsule *cap,
    const struct kennel_app *app, struct replica *r, int fd)
{
	struct conn	*c;
	struct buf	*early;

	if ((c = calloc(1, sizeof(*c) + conn_text_len(cap))) == NULL)
		return (NULL);
	conn_text_set(c, cap);
	c->meter = meter_new(w, cap->route);
	if ((early = spare_zero(sizeof(*early))) == NULL)
		goto fail;
	if (buf_add(early, cap->early.data, cap->early.len) == -1) {
		spare_put(early, sizeof(*early));
		goto fail;
	}
	c->worker = w;
	c->fd = fd;
	c->id = cap->id;
	c->app = app;
	c->state = CONN_PARKED;
	c->proto = early;
	if ((c->replica = r) != NULL)
		replica_ref(r);
	c->since = conn_tick();
	list_push(&w->timed, &c->at);
	w->nconns++;
	return (c);
fail:
	free(c);
	errno = ENOMEM;
	return (NULL);
}

void
conn_start(struct conn *c)
{
	struct buf	*early = c->proto;
	enum close_why	 why;

	c->proto = NULL;
	c->flags |= CONN_F_BEGUN;
	conn_set_state(c, CONN_HTTP);
	why = conn_http_start(c, early);
	spare_put(early, sizeof(*early));
	if (why != CLOSE_NONE)
		conn_doom(c, why);
	else if ((c->flags & CONN_F_DOOMED) == 0)
		conn_arm(c);
}

void
conn_drop(struct conn *c)
{
	struct buf	*early = c->proto;

	buf_clear(early);
	spare_put(early, sizeof(*early));
	c->proto = NULL;
	close(c->fd);			/* it is somebody else's: no shutdown */
	c->fd = -1;
	conn_free(c);
}

static void
conn_free(struct conn *c)
{
	struct worker	*w = c->worker;
	struct conns	*lists[] = { &w->dirty, &w->late };

	for (size_t k = 0; k < nitems(lists); k++)
		if (c->flags & (k == 0 ? CONN_F_DIRTY : CONN_F_LATE))
			for (size_t i = 0; i < lists[k]->n; i++)
				if (lists[k]->at[i] == c)
					lists[k]->at[i] = NULL;
	if (c->turns & CONN_T_QUEUED)
		for (size_t k = 0; k < nitems(w->lines); k++)
			line_leave(&w->lines[k], c);
	if (c->turns & CONN_T_CROWD)
		line_leave(&w->crowd, c);
	outbox_clear(&c->out);
	if (c->reason != NULL)
		payload_unref(c->reason);
	list_remove(&c->at);
	w->nconns--;
	topics_leave_all(c);
	if (c->replica != NULL)
		replica_unref(c->replica);
	meter_free(c->meter);
	free(c);
}

/* ---- states and events ---- */

void
conn_set_state(struct conn *c, enum conn_state state)
{
	c->state = (uint8_t)state;
	c->since = conn_tick();
	if (c->flags & CONN_F_DOOMED)
		return;			/* it stays in that list */
	list_remove(&c->at);
	list_push(state == CONN_OPEN ? &c->worker->conns :
	    state == CONN_HOMING ? &c->worker->homing : &c->worker->timed,
	    &c->at);
}

void
conn_arm(struct conn *c)
{
	short	 want = 0;

	if (c->fd == -1 || (c->flags & CONN_F_BEGUN) == 0)
		return;
	/* What is kept comes first. */
	if (c->state != CONN_HOMING && c->state != CONN_OPENING &&
	    c->pauses == 0 && (c->flags & (CONN_F_DOOMED | CONN_F_RESUME)) == 0 &&
	    (c->turns & CONN_T_QUEUED) == 0)
		want |= EV_READ;
	if (!outbox_empty(&c->out) && (c->flags & (CONN_F_DIRTY | CONN_F_LATE |
	    CONN_F_DOOMED)) == 0 && (c->turns & CONN_T_CROWD) == 0)
		want |= EV_WRITE;
	if (want != c->armed && poller_want(c->worker->poller, c->fd,
	    &c->armed, want, c) == -1)
		conn_doom(c, CLOSE_NO_MEMORY);
}

/* Nothing is heard of it any more. */
static void
conn_disarm(struct conn *c)
{
	if (poller_want(c->worker->poller, c->fd, &c->armed, 0, c) == -1)
		fatal("epoll_ctl");	/* it was armed */
}

void
conn_pause(struct conn *c, unsigned why)
{
	c->pauses |= (uint8_t)why;
	conn_arm(c);
}

static const struct conn_ops *
conn_ops(const struct conn *c)
{
	return (c->state == CONN_HTTP || c->state == CONN_HOMING ?
	    &conn_http_ops : &conn_ws_ops);
}

/* To be flushed at the end of the turn. */
static void
conn_dirty(struct conn *c, struct conns *list, unsigned flag)
{
	struct worker	 *w = c->worker;
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
		turn_add(&w->flush, TURN_CLIENTS);
	else
		turn_add(&w->flush_late, TURN_LAST);
}

/* The same, when there is time for it. */
static void
conn_dirty_crowd(struct conn *c)
{
	struct worker	*w = c->worker;

	if (c->turns & CONN_T_CROWD)
		return;
	if (line_push(&w->crowd, c) == -1) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return;
	}
	c->turns |= CONN_T_CROWD;
	if (!w->flush_crowd.queued)
		turn_add(&w->flush_crowd, TURN_CLIENTS);
}

void
conn_crowd(struct worker *w, int on)
{
	w->crowding = on;
}

void
conn_late(struct conn *c)
{
	conn_dirty(c, &c->worker->late, CONN_F_LATE);
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
	conn_dirty(c, &c->worker->dirty, CONN_F_DIRTY);
}

/* ---- output ---- */

int
conn_queue(struct conn *c, struct payload *p)
{
	if (c->fd == -1 || (c->flags & CONN_F_DOOMED)) {
		errno = EPIPE;
		return (-1);
	}
	if (c->deflate)
		p = payload_deflated(p, c->deflate);
	if (outbox_add(&c->out, p) == -1) {
		conn_doom(c, CLOSE_NO_MEMORY);
		errno = ENOMEM;
		return (-1);
	}
	budget_charge(BUDGET_RECEIVER + p->len / BUDGET_BYTES);
	c->last = (uint32_t)turn_ms();
	if (c->flags & (CONN_F_LATE | CONN_F_DIRTY))
		return (0);
	if (c->worker->crowding)
		conn_dirty_crowd(c);
	else
		conn_dirty(c, &c->worker->dirty, CONN_F_DIRTY);
	return (0);
}

/*
 * More than its bound is queued, and the kernel does not take it?  What was
 * queued in this turn had no chance to be written yet.
 */
static int
conn_over(struct conn *c)
{
	size_t	 max = c->worker->opt.out_max;

	if (outbox_queued(&c->out) <= max)
		return (0);
	/* Not within onopen: a refusal must not stand behind a 101. */
	if ((c->flags & CONN_F_OPENED) &&
	    (c->flags & (CONN_F_LATE | CONN_F_DOOMED)) == 0 && c->fd != -1 &&
	    outbox_flush(&c->out, c->fd) == -1)
		conn_doom(c, CLOSE_RESET);
	return (outbox_queued(&c->out) > max);
}

void
conn_throttle(struct conn *c)
{
	if (conn_over(c))
		conn_pause(c, PAUSE_OUT);
}

int
conn_send(struct conn *c, struct payload *p)
{
	size_t	 max = c->worker->opt.out_max;

	if (!conn_over(c))
		return (conn_queue(c, p));
	switch (meter_slow(c->meter)) {
	case SLOW_DROP_OLD:
		/* A good part, so that it is not done for each message. */
		c->worker->dropped += outbox_drop(&c->out, max - max / 4);
		if (outbox_queued(&c->out) <= max)
			return (conn_queue(c, p));
		/* FALLTHROUGH */
	case SLOW_DROP_NEW:
		c->worker->dropped++;
		break;
	case SLOW_CLOSE:
		conn_doom(c, CLOSE_SLOW);
		break;
	}
	errno = EMSGSIZE;
	return (-1);
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

/* verdict of outbox_flush(); c may be gone afterwards. */
static void
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
		} else if (c->state == CONN_HTTP)
			conn_http_flushed(c);
		break;
	}
	if ((c->pauses & PAUSE_OUT) &&
	    outbox_queued(&c->out) <= c->worker->opt.out_max / 2)
		conn_resume(c, PAUSE_OUT);
	conn_arm(c);
}

static void
conn_flush(struct conn *c)
{
	conn_written(c, outbox_flush(&c->out, c->fd));
}

static void
conn_burst_cb(void *who, ssize_t n, size_t len)
{
	struct conn	*c = who;
	int		 verdict = outbox_sent(&c->out, n, len);

	conn_written(c, verdict == 2 ? outbox_flush(&c->out, c->fd) : verdict);
}

static void
conn_burst_send(struct worker *w)
{
	if (w->burst == NULL || burst_count(w->burst) == 0 ||
	    burst_send(w->burst, conn_burst_cb) == 0)
		return;
	log_warn("io_uring failed, it is used no more: %s", strerror(errno));
	burst_free(w->burst);
	w->burst = NULL;
	w->burst_off = 1;
}

/* Are n enough to be written to at once?  Then this is how, unless NULL. */
static struct burst *
conn_burst(struct worker *w, size_t n)
{
	if (n < BURST_MIN || w->burst_off || !w->opt.io_uring)
		return (NULL);
	if (w->burst == NULL && (w->burst = burst_new()) == NULL) {
		log_debug("no io_uring: %s", strerror(errno));
		w->burst_off = 1;
	}
	return (w->burst);
}

/* With others, at the end; whatever is called until then does not touch it. */
static void
conn_flush_burst(struct burst *b, struct conn *c)
{
	struct worker	*w = c->worker;
	char		*scratch;
	size_t		 room;

	if (!burst_room(b)) {
		conn_burst_send(w);
		if (w->burst == NULL) {
			conn_flush(c);
			return;
		}
	}
	scratch = burst_scratch(b, &room);
	burst_add(b, c->fd, outbox_next(&c->out, scratch, room), c);
}

/* Go on with what it has kept. */
static void
conn_go_on(struct conn *c)
{
	enum close_why	 why;

	c->flags &= (uint16_t)~CONN_F_RESUME;
	if (c->turns & CONN_T_QUEUED)
		return;			/* it is its turn later */
	if (c->pauses == 0 && c->state != CONN_LINGER && budget_over())
		conn_wait(c);
	else if (c->pauses == 0 && c->state != CONN_LINGER &&
	    c->state != CONN_HOMING &&
	    (why = conn_ops(c)->resume(c)) != CLOSE_NONE)
		conn_doom(c, why);
}

/* With b, unless NULL: with others. */
static void
conn_flush_one(struct conn *c, struct burst *b)
{
	struct worker	*w = c->worker;

	if (b != NULL && w->burst == b && c->state == CONN_OPEN &&
	    !outbox_empty(&c->out))
		conn_flush_burst(b, c);
	else {
		conn_burst_send(w);
		conn_flush(c);
	}
}

void
conn_flush_all(void *worker)
{
	struct worker	*w = worker;
	struct burst	*b = conn_burst(w, w->dirty.n);
	struct conn	*c;

	for (size_t i = 0; ; i++) {
		if (i == w->dirty.n)
			conn_burst_send(w);	/* may find more to do */
		if (i == w->dirty.n)
			break;
		if ((c = w->dirty.at[i]) == NULL)
			continue;
		turn_progress();
		c->flags &= (uint16_t)~CONN_F_DIRTY;
		if (c->fd == -1 || (c->flags & CONN_F_DOOMED))
			continue;
		if (c->flags & CONN_F_RESUME) {
			conn_burst_send(w);	/* it may say something to all */
			conn_go_on(c);
		}
		if ((c->flags & (CONN_F_LATE | CONN_F_DOOMED)) == 0)
			conn_flush_one(c, b);
	}
	w->dirty.n = 0;
}

void
conn_flush_crowd(void *worker)
{
	struct worker	*w = worker;
	struct burst	*b = conn_burst(w, w->crowd.n);
	struct conn	*c;

	if (w->flush.queued) {		/* first those who are waited for */
		turn_cancel(&w->flush);
		conn_flush_all(w);
	}
	budget_begin();
	for (unsigned i = 1; !budget_over() &&
	    (c = line_pop(&w->crowd)) != NULL; i++) {
		c->turns &= (uint8_t)~CONN_T_CROWD;
		if (c->fd == -1 || outbox_empty(&c->out) || (c->flags &
		    (CONN_F_DIRTY | CONN_F_LATE | CONN_F_DOOMED)))
			continue;
		budget_charge(BUDGET_WRITE);
		conn_flush_one(c, b);
		if (i % CONN_BURST == 0)
			conn_burst_send(w);	/* the clock sees what it took */
	}
	conn_burst_send(w);
	if (w->crowd.n > 0)
		turn_later(&w->flush_crowd);
}

void
conn_flush_late(void *worker)
{
	struct worker	*w = worker;
	struct conn	*c;

	for (size_t i = 0; i < w->late.n; i++) {
		if ((c = w->late.at[i]) == NULL)
			continue;
		c->flags &= (uint16_t)~CONN_F_LATE;
		if (c->fd != -1 && (c->flags & CONN_F_DOOMED) == 0)
			conn_flush(c);
	}
	w->late.n = 0;
}

/* ---- input ---- */

/* Read to the end and throw away: so that the client gets to read. */
static void
conn_discard(struct conn *c)
{
	ssize_t	 n;

	n = recv(c->fd, conn_buf, sizeof(conn_buf), MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	/* mine counts them: it is no member any more. */
	if (n > 0 && (c->by_uid.mine += (uint32_t)n) <= CONN_LINGER_MAX)
		return;
	conn_end(c);
}

/* Is what it sends next to be read now? */
static int
conn_readable(const struct conn *c)
{
	return (c->pauses == 0 &&
	    (c->flags & (CONN_F_DOOMED | CONN_F_RESUME)) == 0 &&
	    (c->turns & CONN_T_QUEUED) == 0 && c->state != CONN_LINGER &&
	    c->state != CONN_HOMING && c->state != CONN_OPENING);
}

static enum close_why
conn_input(struct conn *c)
{
	enum close_why	 why;
	ssize_t		 n;

	for (int i = 0; i < CONN_READS; i++) {
		n = recv(c->fd, conn_buf, sizeof(conn_buf), MSG_DONTWAIT);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return (CLOSE_NONE);
		if (n == -1)
			c->flags |= CONN_F_BROKEN;
		if (n <= 0)
			return (CLOSE_RESET);
		if ((why = conn_ops(c)->input(c, conn_buf, (size_t)n)) !=
		    CLOSE_NONE)
			return (why);
		if ((size_t)n < sizeof(conn_buf) || !conn_readable(c) ||
		    budget_over())
			return (CLOSE_NONE);
	}
	return (CLOSE_NONE);
}

void
conn_ready(void *arg, short what)
{
	struct conn	*c = arg;
	enum close_why	 why;

	what &= c->armed;
	if (c->flags & CONN_F_DOOMED)
		return;
	if (what & EV_WRITE) {
		c->since = conn_now;	/* it reads: it is alive */
		conn_flush(c);
		/* It may have been doomed, or gone home; it is not freed. */
		if ((c->flags & CONN_F_DOOMED) || c->state == CONN_HOMING)
			return;
	}
	if ((what & EV_READ) == 0)
		return;
	if (c->state == CONN_LINGER) {
		conn_discard(c);	/* may free c */
		return;
	}
	budget_begin();
	/* Others come first where the turn is used up, or will be. */
	if ((c->turns & CONN_T_COSTLY) || budget_over()) {
		conn_queue_up(c, c->turns & CONN_T_COSTLY ? LINE_COSTLY :
		    LINE_FRESH);
		conn_arm(c);
		return;
	}
	if ((why = conn_input(c)) != CLOSE_NONE)
		conn_doom(c, why);
	else {
		if (budget_over())
			c->turns |= CONN_T_COSTLY;
		conn_arm(c);
	}
}

/* ---- turns ---- */

static void
conn_queue_up(struct conn *c, int line)
{
	struct worker	*w = c->worker;

	if (c->turns & CONN_T_QUEUED)
		return;
	if (line_push(&w->lines[line], c) == -1) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return;
	}
	c->turns |= CONN_T_QUEUED;
	turn_later(&w->next);
}

void
conn_wait(struct conn *c)
{
	c->turns |= CONN_T_COSTLY;
	conn_queue_up(c, LINE_COSTLY);
}

/* Its turn: what it has kept, then what it has sent. */
static void
conn_turn(struct conn *c)
{
	enum close_why	 why = CLOSE_NONE;

	c->turns &= (uint8_t)~CONN_T_QUEUED;
	if (c->fd == -1 || (c->flags & CONN_F_DOOMED))
		return;
	c->flags &= (uint16_t)~CONN_F_RESUME;	/* this is it */
	if (conn_readable(c)) {
		why = conn_ops(c)->resume(c);
		if (why == CLOSE_NONE && conn_readable(c) && !budget_over())
			why = conn_input(c);
	}
	if (budget_over())
		c->turns |= CONN_T_COSTLY;
	else if ((c->turns & CONN_T_QUEUED) == 0)
		c->turns &= (uint8_t)~CONN_T_COSTLY;
	if (why != CLOSE_NONE)
		conn_doom(c, why);
	else
		conn_arm(c);
}

/*
 * One turn for those in line: as many as it has time for, at least one.  The two
 * lines are served in turns, so that who costs much delays who does not by no
 * more than one of them.
 */
void
conn_next(void *worker)
{
	struct worker	*w = worker;
	struct line	*l;
	struct conn	*c;

	w->line = !w->line;
	if (w->lines[w->line].n == 0)
		w->line = !w->line;
	l = &w->lines[w->line];
	budget_begin();
	/* Who queues up again meanwhile has had this turn. */
	for (size_t n = l->n; n > 0 && (c = line_pop(l)) != NULL; n--) {
		conn_turn(c);
		if (budget_over())
			break;
	}
	if (w->lines[LINE_FRESH].n > 0 || w->lines[LINE_COSTLY].n > 0)
		turn_later(&w->next);
}

/* ---- the end ---- */

void
conn_doom(struct conn *c, enum close_why why)
{
	struct worker	*w = c->worker;

	if (c->flags & CONN_F_DOOMED)
		return;
	c->flags |= CONN_F_DOOMED;
	if (c->why == CLOSE_NONE)
		c->why = (uint8_t)why;
	if (c->fd != -1)
		conn_disarm(c);
	list_remove(&c->at);
	list_push(&w->doomed, &c->at);
	turn_add(&w->reap, TURN_CLIENTS);
}

void
conn_crowded(void *c)
{
	conn_doom(c, CLOSE_CROWDED);
}

void
conn_depart(struct conn *c, enum close_why why, uint16_t code)
{
	struct worker	*w = c->worker;
	struct ctl	 m = { .type = CTL_GONE, .id = c->id, .why = why };
	struct parted	*p;

	if (c->flags & CONN_F_GONE)
		return;
	c->flags |= CONN_F_GONE;
	c->why = (uint8_t)why;
	c->code = code;
	log_debug("conn id=%llx gone why=%s",
	    (unsigned long long)c->id, close_label(why));
	c->flags &= (uint16_t)~CONN_F_JOINING;
	if (c->flags & CONN_F_MEMBER) {
		c->flags &= (uint16_t)~CONN_F_MEMBER;
		replica_leave(c->replica, c);
		c->by_uid.mine = 0;
	}
	if (c->flags & CONN_F_LISTED) {
		c->flags &= (uint16_t)~CONN_F_LISTED;
		lookup_leave(w->lookup, c->replica, conn_uid(c));
	}
	m.replica = c->replica == NULL ? 0 : c->replica->id;
	if ((c->flags & CONN_F_OPENED) &&
	    (c->app->onclose != NULL || c->app->onerror != NULL))
		m.flags |= CTL_F_OPENED;	/* it is to hear PARTED */
	worker_tell(w, &m);
	if ((c->flags & CONN_F_OPENED) == 0)
		return;
	if ((p = malloc(sizeof(*p))) == NULL) {
		/* Then it learns of it now, with what we know ourselves. */
		conn_parted(c, 1);
		return;
	}
	p->conn = c;
	p->since = m.flags & CTL_F_OPENED && c->replica != NULL &&
	    w->gate.control != NULL ? clock_ms() : 0;
	c->flags |= CONN_F_AWAITED;
	list_push(&w->parted, &p->at);
	if (p->since == 0)
		turn_add(&w->reap, TURN_CLIENTS);
}

void
conn_linger(struct conn *c)
{
	if (c->proto != NULL)
		conn_ops(c)->clear(c);
	conn_set_state(c, CONN_LINGER);
	c->pauses = 0;
	if ((c->flags & (CONN_F_DIRTY | CONN_F_LATE)) == 0)
		conn_dirty(c, &c->worker->dirty, CONN_F_DIRTY);
}

void
conn_end(struct conn *c)
{
	if ((c->flags & CONN_F_GONE) == 0)
		conn_depart(c, c->why != CLOSE_NONE ? c->why : CLOSE_RESET,
		    1006);
	if (c->fd != -1)
		conn_disarm(c);
	c->flags &= (uint16_t)~(CONN_F_BEGUN | CONN_F_DOOMED);
	if (c->proto != NULL)
		conn_ops(c)->clear(c);
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

/* The doomed: a WebSocket that can be told why is told. */
static void
conn_reap_one(struct conn *c)
{
	enum close_why	 why = c->why;

	c->flags &= (uint16_t)~CONN_F_DOOMED;
	if (c->state == CONN_OPEN && why != CLOSE_RESET &&
	    why != CLOSE_NO_MEMORY) {
		conn_set_state(c, CONN_OPEN);	/* back in a list */
		conn_ws_close(c, why, close_code(why), close_sentence(why));
		return;
	}
	if (c->state == CONN_HTTP && why == CLOSE_CROWDED) {
		conn_set_state(c, CONN_HTTP);
		if (conn_http_crowded(c))
			return;
	}
	conn_end(c);
}

void
conn_reap(void *worker)
{
	struct worker	*w = worker;
	struct parted	*p;
	struct list	*e, *tmp;

	while (!list_empty(&w->doomed)) {
		conn_reap_one(list_entry(w->doomed.next, struct conn, at));
		budget_charge(BUDGET_END);
		if (budget_over() && !list_empty(&w->doomed)) {
			turn_later(&w->reap);
			break;
		}
	}
	/* Nobody will say PARTED for these. */
	list_each(e, tmp, &w->parted) {
		p = list_entry(e, struct parted, at);
		if (p->since != 0)
			continue;
		conn_parted(p->conn, p->conn->replica == NULL ||
		    !replica_has(p->conn->replica, conn_uid(p->conn)));
		list_remove(&p->at);
		free(p);
	}
}

/* ---- the last callback ---- */

static int
conn_is_error(enum close_why why)
{
	switch (why) {
	case CLOSE_RESET:
	case CLOSE_PROTOCOL:
	case CLOSE_UTF8:
	case CLOSE_TOO_BIG:
	case CLOSE_SLOW:
	case CLOSE_IDLE:
	case CLOSE_TIMEOUT:
	case CLOSE_NO_MEMORY:
	case CLOSE_ERROR:
	case CLOSE_RATE:
	case CLOSE_CROWDED:
		return (1);
	default:
		return (0);
	}
}

void
conn_parted(struct conn *c, int last)
{
	struct kennel_close	 close = {
		.code = c->code, .label = close_label(c->why),
		.reason = "", .last = last,
	};

	if (c->reason != NULL) {
		close.reason = payload_data(c->reason).data;
		close.reason_len = payload_data(c->reason).len - 1;
	}
	c->flags &= (uint16_t)~CONN_F_AWAITED;
	busy_cancel(c);
	if ((c->flags & CONN_F_OPENED) && (c->flags & CONN_F_PARTED) == 0) {
		c->flags |= CONN_F_PARTED;
		if (c->app->onerror != NULL && conn_is_error(c->why))
			c->app->onerror(conn_socket(c), &close);
		else if (c->app->onclose != NULL)
			c->app->onclose(conn_socket(c), &close);
		busy_cancel(c);		/* what it began there */
	}
	topics_leave_all(c);
	if (c->state == CONN_DEPARTED)
		conn_free(c);
}

void
conn_parted_id(struct worker *w, uint64_t id, int last)
{
	struct parted	*p;
	struct list	*e, *tmp;

	/* Asked and answered in order: it is the first, as a rule. */
	list_each(e, tmp, &w->parted) {
		p = list_entry(e, struct parted, at);
		if (p->conn->id != id)
			continue;
		list_remove(&p->at);
		conn_parted(p->conn, last);
		free(p);
		return;
	}
}

void
conn_parted_all(struct worker *w)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &w->parted)
		list_entry(e, struct parted, at)->since = 0;
	turn_add(&w->reap, TURN_CLIENTS);
}

void
conn_parted_late(struct worker *w)
{
	struct parted	*p;
	struct list	*e, *tmp;
	uint64_t	 now = clock_ms();

	list_each(e, tmp, &w->parted) {
		p = list_entry(e, struct parted, at);
		if (p->since != 0 && now - p->since > CONN_PARTED_MS) {
			p->since = 0;
			turn_add(&w->reap, TURN_CLIENTS);
		}
	}
}

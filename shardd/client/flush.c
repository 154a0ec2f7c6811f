/* The end of a turn: what connections are owed is written, to many at once. */
#include <errno.h>
#include <string.h>

#include "common/budget.h"
#include "common/log.h"
#include "common/turn.h"
#include "shardd/client/burst.h"
#include "shardd/client/conn.h"
#include "shardd/client/flush.h"
#include "shardd/options.h"

#define FLUSH_BURST	BURST_MAX	/* of a crowd, between looks at the clock */

_Static_assert(BURST_MAX <= COVER_WRITES, "each has its entry in the cell");

/* One send of a burst was made. */
static void
flush_sent_cb(void *who, ssize_t n, size_t len)
{
	struct conn	*c = who;
	int		 verdict = outbox_sent(&c->out, n, len);
	size_t		 more = 0;

	if (verdict == 2) {
		verdict = outbox_flush(&c->out, c->fd, &more);
		n += (ssize_t)more;
	}
	conn_left(c, verdict);
	if (n > 0)
		cover_wrote(c->slot, (size_t)n);
	conn_written(c, verdict);
}

/* Make the sends that were gathered. */
static void
flush_burst(struct clients *all)
{
	int	 rv;

	if (all->burst == NULL || burst_count(all->burst) == 0)
		return;
	cover_writing(burst_count(all->burst));
	rv = burst_send(all->burst, flush_sent_cb);
	cover_written();
	if (rv == 0)
		return;
	log_warn("io_uring failed, it is used no more: %s", strerror(errno));
	burst_free(all->burst);
	all->burst = NULL;
	all->burst_off = 1;
}

/* Are n enough to be written to at once?  Then this is how, unless NULL. */
static struct burst *
flush_burst_of(struct clients *all, size_t n)
{
	if (n < BURST_MIN || all->burst_off || !all->opt->io_uring)
		return (NULL);
	if (all->burst == NULL && (all->burst = burst_new()) == NULL) {
		log_debug("no io_uring: %s", strerror(errno));
		all->burst_off = 1;
	}
	return (all->burst);
}

/* Send c's with others', at the end; what is called until then leaves c alone. */
static void
flush_with(struct burst *b, struct conn *c)
{
	struct clients	*all = c->clients;
	struct slice	 data;
	char		*scratch;
	size_t		 room, i;

	if (!burst_room(b)) {
		flush_burst(all);
		if (all->burst == NULL) {
			conn_flush(c);
			return;
		}
	}
	scratch = burst_scratch(b, &room);
	data = outbox_next(&c->out, scratch, room);
	i = burst_add(b, c->fd, data, c);
	cover_write(i, c->slot, c->out.one != NULL ? data.len :
	    outbox_whole(&c->out));
}

/* Write what c is owed: with others, unless b is NULL. */
static void
flush_one(struct conn *c, struct burst *b)
{
	struct clients	*all = c->clients;

	if (b != NULL && all->burst == b && c->state == CONN_OPEN &&
	    !outbox_empty(&c->out))
		flush_with(b, c);
	else {
		flush_burst(all);
		conn_flush(c);
	}
}

void
flush_run(void *arg)
{
	struct clients	*all = arg;
	struct burst	*b = flush_burst_of(all, all->dirty.n);
	struct conn	*c;

	for (size_t i = 0; ; i++) {
		if (i == all->dirty.n)
			flush_burst(all);	/* may find more to do */
		if (i == all->dirty.n)
			break;
		if ((c = all->dirty.at[i]) == NULL)
			continue;
		turn_progress();
		c->flags &= (uint16_t)~CONN_F_DIRTY;
		if (c->fd == -1 || (c->flags & CONN_F_DOOMED))
			continue;
		if (c->flags & CONN_F_RESUME) {
			flush_burst(all);	/* c may say something to all */
			conn_go_on(c);
		}
		/* What it said to itself has put it at the end of the list. */
		if ((c->flags & (CONN_F_DIRTY | CONN_F_LATE | CONN_F_DOOMED)) ==
		    0)
			flush_one(c, b);
	}
	all->dirty.n = 0;
}

void
flush_run_crowd(void *arg)
{
	struct clients	*all = arg;
	struct burst	*b = flush_burst_of(all, all->crowd.n);
	struct conn	*c;

	if (all->flush.queued) {		/* first those who are waited for */
		turn_cancel(&all->flush);
		flush_run(all);
	}
	budget_begin();
	for (unsigned i = 1; !budget_over() &&
	    (c = line_pop(&all->crowd)) != NULL; i++) {
		c->turns &= (uint8_t)~CONN_T_CROWD;
		if (c->fd == -1 || outbox_empty(&c->out) || (c->flags &
		    (CONN_F_DIRTY | CONN_F_LATE | CONN_F_DOOMED)))
			continue;
		budget_charge(BUDGET_WRITE);
		flush_one(c, b);
		if (i % FLUSH_BURST == 0)
			flush_burst(all);	/* the clock sees what it took */
	}
	flush_burst(all);
	if (all->crowd.n > 0)
		turn_later(&all->flush_crowd);
}

void
flush_run_late(void *arg)
{
	struct clients	*all = arg;
	struct conn	*c;

	for (size_t i = 0; i < all->late.n; i++) {
		if ((c = all->late.at[i]) == NULL)
			continue;
		c->flags &= (uint16_t)~CONN_F_LATE;
		if (c->fd != -1 && (c->flags & CONN_F_DOOMED) == 0)
			conn_flush(c);
	}
	all->late.n = 0;
}

void
flush_run_pressed(void *arg)
{
	struct clients	*all = arg;
	struct conn	*c;

	for (size_t n = all->pressed.n; n > 0 &&
	    (c = line_pop(&all->pressed)) != NULL; n--) {
		c->turns &= (uint8_t)~CONN_T_TELL;
		if (c->state != CONN_OPEN || !conn_pressed(c) ||
		    (c->flags & (CONN_F_DOOMED | CONN_F_OPENED)) !=
		    CONN_F_OPENED)
			continue;
		c->turns ^= CONN_T_HIGH;
		all->ops->pressure(c, (c->turns & CONN_T_HIGH) != 0);
	}
	if (all->pressed.n > 0)
		turn_later(&all->press);
}

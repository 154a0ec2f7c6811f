/* When a client's queue passes its marks. */
#include "common/line.h"
#include "common/turn.h"
#include "shardd/client/conn.h"
#include "shardd/client/pressure.h"
#include "shardd/kennel.h"

#define PRESSURE_HIGH	(1 << 20)	/* bytes: the mark, if none is set */

/* The mark that c's queue has to pass next. */
static size_t
pressure_mark(const struct conn *c)
{
	size_t	 high = c->app->pressure_high != 0 ? c->app->pressure_high :
		    PRESSURE_HIGH;

	if ((c->turns & CONN_T_HIGH) == 0)
		return (high);
	return (c->app->pressure_low != 0 && c->app->pressure_low < high ?
	    c->app->pressure_low : high / 4);
}

/* Has c's queue passed the mark that it has to pass next? */
static int
pressure_passed(const struct conn *c)
{
	size_t	 n = outbox_queued(&c->out), mark = pressure_mark(c);

	return (c->turns & CONN_T_HIGH ? n <= mark : n > mark);
}

void
pressure_look(struct conn *c)
{
	struct clients	*all = c->clients;

	if ((c->turns & CONN_T_TELL) || !pressure_passed(c))
		return;
	if (line_push(&all->pressed, c) == -1) {
		conn_doom(c, CLOSE_NO_MEMORY);
		return;
	}
	c->turns |= CONN_T_TELL;
	turn_add(&all->press, TURN_CLIENTS);
}

void
pressure_run(void *arg)
{
	struct clients	*all = arg;
	struct conn	*c;

	for (size_t n = all->pressed.n; n > 0 &&
	    (c = line_pop(&all->pressed)) != NULL; n--) {
		c->turns &= (uint8_t)~CONN_T_TELL;
		if (c->state != CONN_OPEN || !pressure_passed(c) ||
		    (c->flags & (CONN_F_DOOMED | CONN_F_OPENED)) !=
		    CONN_F_OPENED)
			continue;
		c->turns ^= CONN_T_HIGH;
		all->ops->pressure(c, (c->turns & CONN_T_HIGH) != 0);
	}
	if (all->pressed.n > 0)
		turn_later(&all->press);
}

/* Clients whose input needs more than one turn of the loop. */
#include "common/budget.h"
#include "common/line.h"
#include "common/turn.h"
#include "shardd/client/conn.h"
#include "shardd/client/reading.h"
#include "shardd/client/turns.h"

/* c's turn: what c has kept, then what the client has sent. */
static void
turns_one(struct conn *c)
{
	enum close_why	 why = CLOSE_NONE;

	c->turns &= (uint8_t)~CONN_T_QUEUED;
	if (c->fd == -1 || (c->flags & CONN_F_DOOMED))
		return;
	c->flags &= (uint16_t)~CONN_F_RESUME;	/* this is it */
	if (reading_may(c)) {
		why = conn_resumed(c);
		if (why == CLOSE_NONE && reading_may(c) && !budget_over())
			why = reading_run(c);
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

void
turns_run(void *arg)
{
	struct clients	*all = arg;
	struct line	*l;
	struct conn	*c;

	all->line = !all->line;
	if (all->lines[all->line].n == 0)
		all->line = !all->line;
	l = &all->lines[all->line];
	budget_begin();
	/* A connection that queues up again meanwhile has had this turn. */
	for (size_t n = l->n; n > 0 && (c = line_pop(l)) != NULL; n--) {
		turns_one(c);
		if (budget_over())
			break;
	}
	if (all->lines[LINE_FRESH].n > 0 || all->lines[LINE_COSTLY].n > 0)
		turn_later(&all->next);
}

/* Links to the peers of a host, and which of them wait. */
#include <stddef.h>

#include "shardd/events/ports.h"

struct port *
ports_find(struct ports *all, uint64_t number)
{
	for (size_t i = 0; number != 0 && i < PORTS_MAX; i++)
		if (all->at[i].number == number)
			return (&all->at[i]);
	return (NULL);
}

struct port *
ports_add(struct ports *all, uint64_t number, uint64_t replica)
{
	for (size_t i = 0; i < PORTS_MAX; i++)
		if (all->at[i].number == 0) {
			all->at[i] = (struct port){ .number = number,
			    .replica = replica };
			return (&all->at[i]);
		}
	return (NULL);
}

/* Is p to be read, or not any more? */
static void
ports_settle(struct ports *all, struct port *p)
{
	int	 held = p->waits != 0 || p->behind;

	if (p->number == 0 || p->held == held)
		return;
	p->held = held != 0;
	all->hold(all->arg, p, held);
}

/* p's bit in the waits of others. */
static uint64_t
ports_bit(const struct ports *all, const struct port *p)
{
	return (UINT64_C(1) << (p - all->at));
}

void
ports_drop(struct ports *all, struct port *p)
{
	ports_high(all, p, 0);
	*p = (struct port){ 0 };
}

void
ports_high(struct ports *all, struct port *p, int high)
{
	p->high = high != 0;
	for (size_t i = 0; !high && i < PORTS_MAX; i++) {
		all->at[i].waits &= ~ports_bit(all, p);
		ports_settle(all, &all->at[i]);
	}
}

void
ports_said(struct ports *all, const struct port *p)
{
	if (!p->high || all->from == NULL || all->from == p)
		return;
	all->from->waits |= ports_bit(all, p);
	ports_settle(all, all->from);
}

void
ports_behind(struct ports *all)
{
	if (all->from == NULL)
		return;
	all->from->behind = 1;
	ports_settle(all, all->from);
}

void
ports_eased(struct ports *all)
{
	for (size_t i = 0; i < PORTS_MAX; i++) {
		all->at[i].behind = 0;
		ports_settle(all, &all->at[i]);
	}
}

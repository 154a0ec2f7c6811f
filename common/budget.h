/*
 * What one turn of the loop may cost.  Code that works for a client
 * charges the work here, about as many nanoseconds as it takes, and whoever is about to
 * begin the next piece asks first whether the turn has any left.  Work that is
 * not charged, an application's own, is seen by the clock.
 *
 * One a process.  A piece of work that was begun is finished, so that a turn
 * costs at most its budget and the largest piece.
 */
#ifndef COMMON_BUDGET_H
#define COMMON_BUDGET_H

#include <stdint.h>

/* ns, about. */
#define BUDGET_MESSAGE	300		/* something decoded and acted upon */
#define BUDGET_RECEIVER	50		/* a payload queued for somebody */
#define BUDGET_WRITE	3000		/* a socket that will be written to */
#define BUDGET_BYTES	4		/* this many take a nanosecond */
#define BUDGET_ENTRY	50		/* an entry of a map that is walked */
#define BUDGET_END	10000		/* a connection that ends */

struct budget {
	uint64_t	 limit;		/* ns; 0: any */
	uint64_t	 spent;		/* ns, charged in this turn */
	uint64_t	 look;		/* spent: when to look at the clock */
	uint64_t	 since;		/* ns, of the clock; 0: not begun */
};
extern struct budget budget;

void	 budget_set(unsigned ms);	/* for each turn; 0: any */
/* A turn is over: the next one has a whole budget. */
static inline void
budget_renew(void)
{
	budget.spent = budget.look = budget.since = 0;
}
/* The turn's work begins; again in the same turn is harmless. */
void	 budget_begin(void);
static inline void
budget_charge(uint64_t ns)
{
	budget.spent += ns;
}
/* Bytes that are copied, checked, or handed to the kernel. */
static inline void
budget_bytes(uint64_t n)
{
	budget.spent += n / BUDGET_BYTES;
}
/* Is nothing left in this turn? */
int	 budget_over(void);

#endif

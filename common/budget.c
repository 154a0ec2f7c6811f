/* What one turn of the loop may cost. */
#include "common/budget.h"
#include "common/clock.h"

#define BUDGET_LOOK	20000	/* ns charged between two looks at the clock */

struct budget	 budget;

void
budget_set(unsigned ms)
{
	budget.limit = (uint64_t)ms * 1000000;
	budget_renew();
}

void
budget_begin(void)
{
	if (budget.since == 0 && budget.limit != 0)
		budget.since = clock_ns();
}

int
budget_over(void)
{
	if (budget.limit == 0)
		return (0);
	if (budget.spent < budget.look)
		return (0);
	if (budget.spent >= budget.limit)
		return (1);
	budget_begin();
	if (clock_ns() - budget.since >= budget.limit) {
		budget.spent = budget.limit;
		budget.look = 0;	/* and that is that */
		return (1);
	}
	budget.look = budget.spent + BUDGET_LOOK;
	if (budget.look > budget.limit)
		budget.look = budget.limit;
	return (0);
}

/* How far a neighbour has acted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/group/acted.h"
#include "shardd/group/ask.h"

/* The oldest of a, which has one. */
static struct acted_ask *
acted_first(struct acted *a)
{
	return (&a->asks[a->first]);
}

/* The oldest of a leaves. */
static void
acted_shift(struct acted *a)
{
	a->first = (a->first + 1) % a->cap;
	a->n--;
}

/* Room for one more.  0, or -1. */
static int
acted_grow(struct acted *a)
{
	size_t			 cap = a->cap == 0 ? 8 : 2 * a->cap, tail;
	struct acted_ask	*asks;

	if (a->n < a->cap)
		return (0);
	if ((asks = malloc(cap * sizeof(*asks))) == NULL)
		return (-1);
	if (a->n > 0) {
		tail = a->cap - a->first;
		memcpy(asks, a->asks + a->first, tail * sizeof(*asks));
		memcpy(asks + tail, a->asks, a->first * sizeof(*asks));
	}
	free(a->asks);
	a->asks = asks;
	a->first = 0;
	a->cap = cap;
	return (0);
}

int
acted_wait(struct acted *a, uint64_t said, uint64_t ask)
{
	/* What has ended otherwise: its time was over, or its link was lost. */
	while (a->n > 0 && !ask_is_open(acted_first(a)->ask))
		acted_shift(a);
	if (acted_grow(a) == -1)
		return (-1);
	a->asks[(a->first + a->n++) % a->cap] = (struct acted_ask){ said, ask };
	return (0);
}

void
acted_upto(struct acted *a, uint64_t said, const struct link *l)
{
	struct acted_ask	 done;

	while (a->n > 0 && acted_first(a)->said <= said) {
		done = *acted_first(a);
		acted_shift(a);
		ask_answer(done.ask, l, slice_of(NULL, 0), 0);
	}
}

void
acted_clear(struct acted *a)
{
	free(a->asks);
	memset(a, 0, sizeof(*a));
}

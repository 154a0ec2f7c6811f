/* What has come already. */
#include <string.h>

#include "shardd/events/once.h"

/* The window of an epoch, which is the latest one now. */
static struct once_window *
once_window(struct once *o, uint64_t epoch)
{
	struct once_window	 w = o->windows[1];

	if (o->windows[0].epoch == epoch)
		return (&o->windows[0]);
	o->windows[1] = o->windows[0];
	if (w.epoch != epoch)
		w = (struct once_window){ .epoch = epoch };
	o->windows[0] = w;
	return (&o->windows[0]);
}

int
once(struct once *o, uint64_t epoch, uint64_t number)
{
	struct once_window	*w = once_window(o, epoch);
	uint64_t		*word = &w->bits[number % ONCE_BITS / 64];
	const uint64_t		 bit = UINT64_C(1) << number % 64;

	if (number <= w->top) {
		if (w->top - number >= ONCE_BITS)
			return (1);
	} else {
		if (number - w->top >= ONCE_BITS)
			memset(w->bits, 0, sizeof(w->bits));
		else while (w->top++ < number)
			w->bits[w->top % ONCE_BITS / 64] &=
			    ~(UINT64_C(1) << w->top % 64);
		w->top = number;
	}
	if (*word & bit)
		return (0);
	*word |= bit;
	return (1);
}

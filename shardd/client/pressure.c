/* The marks of a client's queue. */
#include "shardd/client/pressure.h"
#include "shardd/kennel.h"

#define PRESSURE_HIGH	(1 << 20)	/* bytes: the mark, if none is set */

int
pressure_passed(const struct kennel_app *app, size_t n, int high)
{
	size_t	 mark = app->pressure_high != 0 ? app->pressure_high :
		    PRESSURE_HIGH;

	if (!high)
		return (n > mark);
	return (n <= (app->pressure_low != 0 && app->pressure_low < mark ?
	    app->pressure_low : mark / 4));
}

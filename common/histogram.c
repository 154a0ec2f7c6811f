/* A histogram of durations. */
#include "common/histogram.h"

#define US	UINT64_C(1000)
#define MS	UINT64_C(1000000)

const uint64_t histogram_bounds[HISTOGRAM_BOUNDS] = {
	100 * US, 250 * US, 500 * US, MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS,
	50 * MS, 100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS, 5000 * MS,
	10000 * MS,
};

const char *const histogram_texts[HISTOGRAM_BOUNDS] = {
	"0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01",
	"0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10",
};

void
histogram_add(uint64_t cells[HISTOGRAM_CELLS], uint64_t ns)
{
	unsigned	 i = 0;

	while (i < HISTOGRAM_BOUNDS && ns > histogram_bounds[i])
		i++;
	cells[i]++;
	cells[HISTOGRAM_SUM] += ns;
}

/* Which calls a client has made lately. */
#include <stdlib.h>
#include <string.h>

#include "shardd/ape/recent.h"

#define RECENT_SMALLEST	16
#define RECENT_LARGEST	(32 << 10)	/* rows: half of them are in use */

/* Where a hash stands, or the free row where it would. */
static struct recent_row *
recent_find(const struct recent *r, uint64_t hash)
{
	uint32_t	 i = (uint32_t)(hash * 11400714819323198485ull >> 32);

	while (r->rows[i & (r->size - 1)].ms != 0 &&
	    r->rows[i & (r->size - 1)].hash != hash)
		i++;
	return (&r->rows[i & (r->size - 1)]);
}

/* How many are younger than age. */
static uint32_t
recent_count(const struct recent *r, uint32_t now, uint32_t age)
{
	uint32_t	 n = 0;

	for (uint32_t i = 0; i < r->size; i++)
		n += r->rows[i].ms != 0 && now - r->rows[i].ms < age;
	return (n);
}

/* Forget those that are older than the window, and make room.  0, or -1. */
static int
recent_rebuild(struct recent *r, uint32_t now, uint32_t window)
{
	struct recent	 new = { NULL, RECENT_SMALLEST, 0 };
	uint32_t	 n = recent_count(r, now, window);

	while (n > RECENT_LARGEST / 4) {
		window /= 2;
		n = recent_count(r, now, window);
		if (window == 0)
			break;
	}
	while (new.size < n * 4 && new.size < RECENT_LARGEST)
		new.size *= 2;
	if ((new.rows = calloc(new.size, sizeof(*new.rows))) == NULL)
		return (-1);
	for (uint32_t i = 0; i < r->size; i++)
		if (r->rows[i].ms != 0 && now - r->rows[i].ms < window) {
			*recent_find(&new, r->rows[i].hash) = r->rows[i];
			new.used++;
		}
	free(r->rows);
	*r = new;
	return (0);
}

int
recent_add(struct recent *r, uint64_t hash, uint64_t ms, uint32_t window_ms)
{
	struct recent_row	*row;
	uint32_t		 now = (uint32_t)ms | 1;	/* never 0 */

	if (r->used >= r->size / 2 && recent_rebuild(r, now, window_ms) == -1)
		return (0);
	row = recent_find(r, hash);
	if (row->ms != 0 && now - row->ms < window_ms)
		return (1);
	r->used += row->ms == 0;
	row->hash = hash;
	row->ms = now;
	return (0);
}

void
recent_clear(struct recent *r)
{
	free(r->rows);
	memset(r, 0, sizeof(*r));
}

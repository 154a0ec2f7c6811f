/* Which calls a client has made lately. */
#include <stdlib.h>
#include <string.h>

#include "shardd/ape/recent.h"

#define RECENT_SMALLEST	16
#define RECENT_LARGEST	(32 << 10)	/* rows: half of them are in use */

/* Eight bytes at a time: who finds two texts of one hash has a call of its own refused. */
uint64_t
recent_hash(const char *text, size_t len)
{
	uint64_t	 hash = 14695981039346656037u ^ len, part;

	for (; len > 0; text += sizeof(part)) {
		part = 0;
		memcpy(&part, text, len < sizeof(part) ? len : sizeof(part));
		hash = (hash ^ part) * 11400714819323198485u;
		hash ^= hash >> 29;
		len -= len < sizeof(part) ? len : sizeof(part);
	}
	return (hash);
}

/* Where one begins to look for a hash. */
static uint32_t
recent_start(uint64_t hash)
{
	return ((uint32_t)(hash * 11400714819323198485ull >> 32));
}

void
recent_expect(const struct recent *r, uint64_t hash)
{
	if (r->size > 0)
		__builtin_prefetch(&r->rows[recent_start(hash) & (r->size - 1)],
		    1);
}

/* Where a hash stands, or the free row where it would. */
static struct recent_row *
recent_find(const struct recent *r, uint64_t hash)
{
	uint32_t	 i = recent_start(hash);

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
recent_save(const struct recent *r, struct buf *b, uint64_t ms,
    uint32_t window_ms)
{
	uint32_t	 now = (uint32_t)ms | 1;

	for (uint32_t i = 0; i < r->size; i++)
		if (r->rows[i].ms != 0 && now - r->rows[i].ms < window_ms) {
			buf_add(b, (const char *)&r->rows[i].hash,
			    sizeof(r->rows[i].hash));
			buf_add(b, (const char *)&r->rows[i].ms,
			    sizeof(r->rows[i].ms));
		}
}

int
recent_load(struct recent *r, struct slice s)
{
	const size_t	 each = sizeof(r->rows->hash) + sizeof(r->rows->ms);
	size_t		 n = s.len / each;
	struct recent_row one, *at;

	recent_clear(r);
	if (s.len % each != 0 || n > RECENT_LARGEST / 2)
		return (-1);
	if (n == 0)
		return (0);
	for (r->size = RECENT_SMALLEST; r->size < 2 * n; r->size *= 2)
		;
	if ((r->rows = calloc(r->size, sizeof(*r->rows))) == NULL) {
		r->size = 0;
		return (-1);
	}
	for (; n > 0; n--, s.data += each) {
		memcpy(&one.hash, s.data, sizeof(one.hash));
		memcpy(&one.ms, s.data + sizeof(one.hash), sizeof(one.ms));
		at = recent_find(r, one.hash);
		r->used += at->ms == 0;
		at->hash = one.hash;
		at->ms = one.ms | 1;
	}
	return (0);
}

void
recent_clear(struct recent *r)
{
	free(r->rows);
	memset(r, 0, sizeof(*r));
}

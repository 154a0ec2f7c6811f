/* The room of a shard's page for blocks of bytes. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "proto/cover_room.h"

#define ROOM_STEP	(256 << 10)	/* by which the page grows */

void
cover_room_init(struct cover_room *r, int fd, char *map, uint64_t at,
    uint64_t size, uint64_t max)
{
	memset(r, 0, sizeof(*r));
	r->fd = fd;
	r->base = map + at;
	r->at = at;
	r->size = size;
	r->max = max;
	r->end = 1;			/* 0 is none */
}

int
cover_room_grow(struct cover_room *r, uint64_t size)
{
	if (size <= r->size)
		return (0);
	if (size > r->max) {
		errno = ENOMEM;
		return (-1);
	}
	size = size > r->max - ROOM_STEP ? r->max : size + ROOM_STEP;
	if (ftruncate(r->fd, (off_t)size) == -1)
		return (-1);
	r->size = size;
	return (0);
}

/* The list in which blocks of *units are, which is made what all there have. */
static unsigned
room_list(uint32_t *units)
{
	unsigned	 list = COVER_ROOM_SMALL;
	uint32_t	 n = COVER_ROOM_SMALL;

	if (*units <= COVER_ROOM_SMALL)
		return (*units);
	for (; n < *units; n *= 2)
		list++;
	*units = n;
	return (list);
}

/* Units that a block for len bytes takes. */
static uint32_t
room_units(uint32_t len)
{
	return ((uint32_t)((sizeof(len) + (uint64_t)len + COVER_UNIT - 1) /
	    COVER_UNIT));
}

/* The word with which a block begins. */
static uint32_t *
room_head(const struct cover_room *r, uint32_t unit)
{
	return ((uint32_t *)(void *)(r->base + (uint64_t)unit * COVER_UNIT));
}

uint32_t
cover_room_get(struct cover_room *r, uint32_t len)
{
	uint32_t	 units = room_units(len), unit;
	unsigned	 list = room_list(&units);

	if ((unit = r->free[list]) != 0)
		r->free[list] = *room_head(r, unit);
	else {
		if (cover_room_grow(r, r->at + ((uint64_t)r->end + units) *
		    COVER_UNIT) == -1)
			return (0);
		unit = r->end;
		r->end += units;
	}
	*room_head(r, unit) = len;
	return (unit);
}

void
cover_room_put(struct cover_room *r, uint32_t unit)
{
	uint32_t	 units;
	unsigned	 list;

	if (unit == 0)
		return;
	units = room_units(cover_room_len(r, unit));
	list = room_list(&units);
	*room_head(r, unit) = r->free[list];
	r->free[list] = unit;
}

uint32_t
cover_room_unit(const struct cover_room *r, const char *bytes)
{
	uintptr_t	 base = (uintptr_t)r->base, at = (uintptr_t)bytes;

	if (at < base || at - base >= r->max - r->at)
		return (0);
	return ((uint32_t)((at - base) / COVER_UNIT));
}

char *
cover_room_bytes(const struct cover_room *r, uint32_t unit)
{
	return ((char *)(room_head(r, unit) + 1));
}

uint32_t
cover_room_len(const struct cover_room *r, uint32_t unit)
{
	return (*room_head(r, unit));
}

/* How soon a state may be read from Redis again. */
#include <stdlib.h>
#include <string.h>

#include "common/redis_value.h"
#include "shardd/state/loads.h"

#define LOADS_READING	UINT64_MAX

/* The row of that name, or NULL. */
static struct loads_one *
loads_find(struct loads *l, const char *name)
{
	for (size_t i = 0; i < LOADS_KEPT; i++)
		if (l->at[i].name != NULL && strcmp(l->at[i].name, name) == 0)
			return (&l->at[i]);
	return (NULL);
}

/* The same; else the one that is free, or will be first, if that is before `until`. */
static struct loads_one *
loads_row(struct loads *l, const char *name, uint64_t until)
{
	struct loads_one	*one = loads_find(l, name);

	if (one != NULL)
		return (one);
	one = &l->at[0];
	for (size_t i = 1; i < LOADS_KEPT; i++)
		if (l->at[i].until < one->until)
			one = &l->at[i];
	if (one->until >= until)
		return (NULL);
	free(one->name);
	one->until = 0;
	one->name = strdup(name);
	return (one->name == NULL ? NULL : one);
}

void
loads_begin(struct loads *l, const char *name)
{
	struct loads_one	*one = loads_row(l, name, LOADS_READING);

	if (one != NULL)
		one->until = LOADS_READING;
}

void
loads_end(struct loads *l, const char *name, size_t bytes, uint64_t now)
{
	uint64_t		 ms = bytes / LOADS_PACE, until;
	struct loads_one	*one;

	if (ms > LOADS_REST_MAX)
		ms = LOADS_REST_MAX;
	if (bytes > LOADS_SMALL) {
		if (l->all + LOADS_CREDIT < now)
			l->all = now - LOADS_CREDIT;
		if ((l->all += ms) > now + LOADS_ALL_MAX)
			l->all = now + LOADS_ALL_MAX;
		until = l->all > now + ms ? l->all : now + ms;
		if ((one = loads_row(l, name, until)) != NULL)
			one->until = until;
	} else if ((one = loads_find(l, name)) != NULL) {
		free(one->name);
		*one = (struct loads_one){ NULL, 0 };
	}
}

unsigned
loads_rest(struct loads *l, const char *name, uint64_t now)
{
	const struct loads_one	*one = loads_find(l, name);

	if (one == NULL || one->until <= now)
		return (0);
	return (one->until == LOADS_READING ? LOADS_LOOK :
	    (unsigned)(one->until - now));
}

size_t
loads_size(const struct redis_value *all)
{
	struct redis_value	 fields;
	size_t			 bytes = 0;

	for (size_t i = 1; i < all->n; i += 2) {
		fields = redis_at(all, i);
		for (size_t j = 0; fields.kind == REDIS_ARRAY && j < fields.n;
		    j++)
			bytes += redis_at(&fields, j).len;
	}
	return (bytes);
}

void
loads_clear(struct loads *l)
{
	for (size_t i = 0; i < LOADS_KEPT; i++)
		free(l->at[i].name);
	memset(l, 0, sizeof(*l));
}

/* A hash table of pointers: open addressing, without marks of the removed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/set.h"

#define SET_MIN	8

void
set_clear(struct set *s)
{
	free(s->slots);
	s->slots = NULL;
	s->nslots = s->count = 0;
}

void *
set_find(const struct set *s, uint32_t hash, size_t *at)
{
	if (s->count == 0)
		return (NULL);
	*at = hash & (s->nslots - 1);
	return (s->slots[*at]);
}

void *
set_again(const struct set *s, size_t *at)
{
	*at = (*at + 1) & (s->nslots - 1);
	return (s->slots[*at]);
}

/* Put an entry into the first free slot from its own on. */
static void
set_put(struct set *s, void *entry)
{
	size_t	 i = s->hash(entry) & (s->nslots - 1);

	while (s->slots[i] != NULL)
		i = (i + 1) & (s->nslots - 1);
	s->slots[i] = entry;
}

/* Twice the slots: 0, or -1 without memory and nothing changed. */
static int
set_grow(struct set *s)
{
	struct set	 grown = *s;

	grown.nslots = s->nslots == 0 ? SET_MIN : s->nslots * 2;
	grown.slots = calloc(grown.nslots, sizeof(*grown.slots));
	if (grown.slots == NULL)
		return (-1);
	for (size_t i = 0; i < s->nslots; i++)
		if (s->slots[i] != NULL)
			set_put(&grown, s->slots[i]);
	free(s->slots);
	*s = grown;
	return (0);
}

/* Three quarters full at most; more without memory, but one is always free. */
int
set_insert(struct set *s, void *entry)
{
	if (s->count + 1 > s->nslots / 4 * 3 && set_grow(s) == -1 &&
	    s->count + 1 >= s->nslots) {
		errno = ENOMEM;
		return (-1);
	}
	set_put(s, entry);
	s->count++;
	return (0);
}

/* Entries behind the gap that would not be found across it close it. */
void
set_remove(struct set *s, const void *entry)
{
	size_t	 mask = s->nslots - 1, i = s->hash(entry) & mask, gap, home;

	while (s->slots[i] != entry)
		i = (i + 1) & mask;
	gap = i;
	for (i = (i + 1) & mask; s->slots[i] != NULL; i = (i + 1) & mask) {
		home = s->hash(s->slots[i]) & mask;
		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		s->slots[gap] = s->slots[i];
		gap = i;
	}
	s->slots[gap] = NULL;
	s->count--;
}

void *
set_next(const struct set *s, size_t *at)
{
	while (*at < s->nslots)
		if (s->slots[(*at)++] != NULL)
			return (s->slots[*at - 1]);
	return (NULL);
}

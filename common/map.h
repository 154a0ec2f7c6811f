/*
 * A bag (bag.h) of entries with a key of bytes, each key once.  The hash is seeded at
 * start (keys come from clients).  Keys are borrowed from the owner and unchanged
 * while it is in the map.  Growing failures are harmless: chains get longer.
 */
#ifndef COMMON_MAP_H
#define COMMON_MAP_H

#include <stddef.h>

#include "common/bag.h"

struct map_node {
	struct bag_node	 at;		/* mine: length of the key */
	const void	*key;
};

struct map {
	struct bag	 bag;
	size_t		 count;		/* of entries */
};

/* Zero-initialised is empty and valid. */
void	 map_clear(struct map *m);	/* frees the slots, not the owners */
struct map_node *map_find(const struct map *m, const void *key, size_t klen);
/* The key must not be in m.  Returns 0, or -1 with errno ENOMEM (only the
 * very first insertion can fail). */
int	 map_insert(struct map *m, struct map_node *n, const void *key,
	    size_t klen);
void	 map_remove(struct map *m, struct map_node *n);	/* n is in m */
/* Walk: for (n = map_first(m); n != NULL; n = map_next(m, n)).  To remove
 * while walking, fetch the next one first. */
struct map_node *map_first(const struct map *m);
struct map_node *map_next(const struct map *m, const struct map_node *n);
/*
 * Walk in portions: the entries of slot i, below map_slots(m).  An entry stays in
 * its slot until m grows to twice as many; then it is there or in slot i + the
 * former number, so that a walk that goes on from i leaves none out.
 */
static inline size_t
map_slots(const struct map *m)
{
	return (m->bag.nslots);
}
struct map_node *map_slot(const struct map *m, size_t i);	/* its first */
struct map_node *map_beside(const struct map_node *n);	/* the next in its slot */

#endif

/* A bag by key. */
#include <string.h>

#include "common/bytes.h"
#include "common/map.h"

/* The map's node of a bag's, which may be NULL. */
static struct map_node *
map_node_of(struct bag_node *n)
{
	return (n == NULL ? NULL : container_of(n, struct map_node, at));
}

void
map_clear(struct map *m)
{
	bag_clear(&m->bag);
	m->count = 0;
}

struct map_node *
map_find(const struct map *m, const void *key, size_t klen)
{
	struct map_node	*n;
	struct bag_node	*at;

	if (m->count == 0)
		return (NULL);
	for (at = bag_find(&m->bag, bag_hash(key, klen)); at != NULL;
	    at = bag_again(at)) {
		n = map_node_of(at);
		if (at->mine == klen &&
		    (klen == 0 || memcmp(n->key, key, klen) == 0))
			return (n);
	}
	return (NULL);
}

int
map_insert(struct map *m, struct map_node *n, const void *key, size_t klen)
{
	n->key = key;
	n->at.mine = (uint32_t)klen;
	if (bag_insert(&m->bag, &n->at, bag_hash(key, klen)) == -1)
		return (-1);
	m->count++;
	return (0);
}

void
map_remove(struct map *m, struct map_node *n)
{
	bag_remove(&m->bag, &n->at);
	m->count--;
}

struct map_node *
map_first(const struct map *m)
{
	return (map_node_of(bag_first(&m->bag)));
}

struct map_node *
map_next(const struct map *m, const struct map_node *n)
{
	return (map_node_of(bag_next(&m->bag, &n->at)));
}

struct map_node *
map_slot(const struct map *m, size_t i)
{
	return (map_node_of(m->bag.slots[i]));
}

struct map_node *
map_beside(const struct map_node *n)
{
	return (map_node_of(n->at.next));
}

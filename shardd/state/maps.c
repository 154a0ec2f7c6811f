/* The state of a group: named maps of keys to values. */
#include <stdlib.h>
#include <string.h>

#include "shardd/state/maps.h"

struct maps_one *
maps_find(const struct maps *m, struct slice name)
{
	struct map_node	*n = map_find(&m->by_name, name.data, name.len);

	return (n == NULL ? NULL : container_of(n, struct maps_one, by_name));
}

/* The entry of a key, or NULL. */
static struct maps_entry *
maps_entry(const struct maps_one *one, struct slice key)
{
	struct map_node	*n = NULL;

	if (one != NULL)
		n = map_find(&one->entries, key.data, key.len);
	return (n == NULL ? NULL : container_of(n, struct maps_entry, by_key));
}

/* An empty map of that name.  NULL without memory. */
static struct maps_one *
maps_one_new(struct maps *m, struct slice name)
{
	struct maps_one	*one;

	if ((one = calloc(1, sizeof(*one) + name.len + 1)) == NULL)
		return (NULL);
	memcpy(one->name, name.data, name.len);
	one->name_len = name.len;
	if (map_insert(&m->by_name, &one->by_name, one->name, name.len) == -1) {
		free(one);
		return (NULL);
	}
	m->bytes += name.len + MAPS_ENTRY_COST;
	return (one);
}

/* A map with all its entries. */
static void
maps_one_free(struct maps *m, struct maps_one *one)
{
	m->bytes -= one->name_len + MAPS_ENTRY_COST;
	map_remove(&m->by_name, &one->by_name);
	map_clear(&one->entries);
	free(one);
}

/* One entry of a map less. */
static void
maps_entry_free(struct maps *m, struct maps_one *one, struct maps_entry *e)
{
	m->bytes -= e->key_len + e->len + MAPS_ENTRY_COST;
	map_remove(&one->entries, &e->by_key);
	free(e->value);
	free(e);
}

void
maps_clear(struct maps *m)
{
	struct map_node	*n, *k;
	struct maps_one	*one;

	while ((n = map_first(&m->by_name)) != NULL) {
		one = container_of(n, struct maps_one, by_name);
		while ((k = map_first(&one->entries)) != NULL)
			maps_entry_free(m, one, container_of(k,
			    struct maps_entry, by_key));
		maps_one_free(m, one);
	}
	map_clear(&m->by_name);
}

struct slice
maps_get(const struct maps *m, struct slice name, struct slice key)
{
	struct maps_entry	*e = maps_entry(maps_find(m, name), key);

	return (e == NULL ? slice_of(NULL, 0) : slice_of(e->value, e->len));
}

/* A new entry, with value, which becomes its own. */
static int
maps_add(struct maps *m, struct slice name, struct slice key, char *value)
{
	struct maps_one		*one = maps_find(m, name);
	struct maps_entry	*e;

	if (one == NULL && (one = maps_one_new(m, name)) == NULL)
		return (-1);
	if ((e = calloc(1, sizeof(*e) + key.len + 1)) == NULL)
		goto fail;
	if (key.len > 0)
		memcpy(e->key, key.data, key.len);
	e->key_len = (uint32_t)key.len;
	if (map_insert(&one->entries, &e->by_key, e->key, key.len) == -1) {
		free(e);
		goto fail;
	}
	e->value = value;
	m->bytes += key.len + MAPS_ENTRY_COST;
	return (0);
fail:
	if (one->entries.count == 0)
		maps_one_free(m, one);
	return (-1);
}

int
maps_put(struct maps *m, struct slice name, struct slice key,
    struct slice value)
{
	struct maps_one		*one = maps_find(m, name);
	struct maps_entry	*e = maps_entry(one, key);
	char			*copy;

	if (value.data == NULL) {
		if (e != NULL)
			maps_entry_free(m, one, e);
		if (one != NULL && one->entries.count == 0)
			maps_one_free(m, one);
		return (0);
	}
	if (e != NULL && e->len == value.len) {
		memmove(e->value, value.data, value.len);
		return (0);
	}
	if ((copy = slice_dup(value)) == NULL)
		return (-1);
	if (e != NULL) {
		free(e->value);
		e->value = copy;
		m->bytes -= e->len;
	} else {
		if (maps_add(m, name, key, copy) == -1) {
			free(copy);
			return (-1);
		}
		e = maps_entry(maps_find(m, name), key);
	}
	e->len = (uint32_t)value.len;
	m->bytes += value.len;
	return (0);
}

size_t
maps_count(const struct maps *m, struct slice name)
{
	struct maps_one	*one = maps_find(m, name);

	return (one == NULL ? 0 : one->entries.count);
}

void
maps_each(const struct maps *m, struct slice name, maps_each_cb *cb, void *arg)
{
	struct maps_one		*one = maps_find(m, name);
	struct maps_entry	*e;
	struct map_node		*n;

	for (n = one == NULL ? NULL : map_first(&one->entries); n != NULL;
	    n = map_next(&one->entries, n)) {
		e = container_of(n, struct maps_entry, by_key);
		cb(slice_of(e->key, e->key_len),
		    slice_of(e->value, e->len), arg);
	}
}

void
maps_some(const struct maps *m, struct slice name, uint64_t *cursor, size_t max,
    maps_each_cb *cb, void *arg)
{
	struct maps_one		*one = maps_find(m, name);
	struct maps_entry	*e;
	struct map_node		*n;
	size_t			 slots, count = 0, i = (size_t)*cursor;

	slots = one == NULL ? 0 : map_slots(&one->entries);
	for (; i < slots && count < max; i++)
		for (n = map_slot(&one->entries, i); n != NULL;
		    n = map_beside(n), count++) {
			e = container_of(n, struct maps_entry, by_key);
			cb(slice_of(e->key, e->key_len),
			    slice_of(e->value, e->len), arg);
		}
	*cursor = i < slots ? i : 0;
}

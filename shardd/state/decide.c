/* One step being decided. */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/spare.h"
#include "proto/limits.h"
#include "proto/news.h"
#include "shardd/state/decide.h"

static struct buf	 decide_kept;	/* for the next one's changes */

void
decide_begin(struct kennel_step *t, const struct maps *state,
    const struct maps *batch, size_t max_changes, size_t max_bytes)
{
	memset(t, 0, sizeof(*t));
	t->changes = buf_take(&decide_kept);
	t->state = state;
	t->batch = batch;
	t->max_changes = max_changes;
	t->max_bytes = max_bytes;
	t->now = clock_wall_ms();
}

void
decide_end(struct kennel_step *t)
{
	maps_clear(&t->own);
	buf_give(&decide_kept, &t->changes);
}

/* ---- layers ---- */

/* What a layer says of a key: 1 and *value, data NULL if removed; or 0. */
static int
decide_layer(const struct maps *m, struct slice map, struct slice key,
    struct slice *value)
{
	struct slice	 v = maps_get(m, map, key);

	if (v.data == NULL)
		return (0);
	*value = v.data[0] == '-' ? slice_of(NULL, 0) :
	    slice_of(v.data + 1, v.len - 1);
	return (1);
}

struct slice
decide_get(const struct kennel_step *t, struct slice map, struct slice key)
{
	struct slice	 v;

	if (decide_layer(&t->own, map, key, &v) ||
	    decide_layer(t->batch, map, key, &v))
		return (v);
	return (maps_get(t->state, map, key));
}

/* Write to one layer: a value, or that it was removed. */
static int
decide_layer_put(struct maps *m, struct slice map, struct slice key,
    struct slice value)
{
	char	*tagged;
	int	 rv;

	if (value.data == NULL)
		return (maps_put(m, map, key, slice_str("-")));
	if ((tagged = spare_get(value.len + 1)) == NULL)
		return (-1);
	tagged[0] = '+';
	memcpy(tagged + 1, value.data, value.len);
	rv = maps_put(m, map, key, slice_of(tagged, value.len + 1));
	spare_put(tagged, value.len + 1);
	return (rv);
}

/* May this change be made?  0, or an errno. */
static int
decide_allowed(const struct kennel_step *t, struct slice map,
    struct slice key, struct slice value)
{
	if (map.len == 0 || map.len > MAPS_NAME_MAX)
		return (EINVAL);
	if (key.len > MAPS_KEY_MAX || value.len > MAPS_VALUE_MAX)
		return (EMSGSIZE);
	if (t->nchanges >= t->max_changes || t->changes.len + value.len >
	    t->max_bytes + MAPS_VALUE_MAX)	/* keys written again count */
		return (E2BIG);
	if (value.data != NULL && t->state->bytes + t->batch->bytes +
	    t->own.bytes + map.len + key.len + value.len > t->max_bytes)
		return (ENOSPC);
	return (0);
}

int
decide_refuse(struct kennel_step *t, int err)
{
	if (t->err == 0)
		t->err = err;
	errno = err;
	return (-1);
}

int
decide_put(struct kennel_step *t, struct slice map, struct slice key,
    struct slice value)
{
	size_t	 dot = maps_volatile(map) ? 1 : 0;

	if (map.len > dot && map.data[dot] == '.')
		return (decide_refuse(t, EINVAL));
	return (decide_put_ours(t, map, key, value));
}

int
decide_put_ours(struct kennel_step *t, struct slice map, struct slice key,
    struct slice value)
{
	struct news_change	 c = { .map = map, .key = key, .value = value,
				    .kind = value.data == NULL ? NEWS_REMOVE :
				    NEWS_PUT };
	int			 had = decide_get(t, map, key).data != NULL;
	int			 err = decide_allowed(t, map, key, value);

	if (err == 0 && decide_layer_put(&t->own, map, key, value) == -1)
		err = ENOMEM;
	if (err == 0) {
		maps_find(&t->own, map)->net += (value.data != NULL) - had;
		news_add_change(&t->changes, &c);
		t->nchanges++;
		t->durable |= !maps_volatile(map);
		err = t->changes.failed ? ENOMEM : 0;
	}
	return (err == 0 ? 0 : decide_refuse(t, err));
}

size_t
decide_left(const struct kennel_step *t)
{
	return (t->max_changes - t->nchanges);
}

size_t
decide_room(const struct kennel_step *t)
{
	size_t	 bytes = t->state->bytes + t->batch->bytes + t->own.bytes;

	return (bytes < t->max_bytes ? t->max_bytes - bytes : 0);
}

/* ---- all keys of a map ---- */

struct decide_walk {
	const struct kennel_step *t;
	struct slice	 map;
	size_t		 count;
	void		(*cb)(struct slice key, struct slice value, void *arg);
	void		*arg;
};

/* An entry of a layer, if no layer above speaks of it. */
static void
decide_visit(struct decide_walk *w, const struct maps_entry *e, int level)
{
	struct slice	 key = slice_of(e->key, e->key_len), above;
	struct slice	 value = slice_of(e->value, e->len);

	if (level < 2 && decide_layer(&w->t->own, w->map, key, &above))
		return;
	if (level < 1 && decide_layer(w->t->batch, w->map, key, &above))
		return;
	if (level > 0) {
		if (value.data[0] == '-')
			return;
		value.data++;
		value.len--;
	}
	w->count++;
	w->cb(key, value, w->arg);
}

/* From slot i of the layer on, until max have come: where to go on; 0: nowhere. */
static size_t
decide_walk_layer(struct decide_walk *w, const struct maps *m, int level,
    size_t i, size_t max)
{
	struct maps_one	*one = maps_find(m, w->map);
	struct map_node	*n;
	size_t		 slots = one == NULL ? 0 : map_slots(&one->entries);

	for (; i < slots && w->count < max; i++)
		for (n = map_slot(&one->entries, i); n != NULL;
		    n = map_beside(n))
			decide_visit(w, container_of(n, struct maps_entry,
			    by_key), level);
	return (i < slots ? i : 0);
}

size_t
decide_count(const struct kennel_step *t, struct slice map)
{
	struct maps_one	*own = maps_find(&t->own, map);
	struct maps_one	*batch = maps_find(t->batch, map);
	long		 net = 0;

	net += own == NULL ? 0 : own->net;
	net += batch == NULL ? 0 : batch->net;
	return (maps_count(t->state, map) + (size_t)net);
}

void
decide_some(const struct kennel_step *t, struct slice map, uint64_t *cursor,
    size_t max, void (*cb)(struct slice key, struct slice value, void *arg),
    void *arg)
{
	const struct maps	*layers[] = { t->state, t->batch, &t->own };
	struct decide_walk	 w = { .t = t, .map = map, .cb = cb,
				    .arg = arg };
	/* The layer stands above the slot. */
	size_t			 slot = (size_t)(*cursor & UINT32_MAX);
	int			 level = (int)(*cursor >> 32);

	for (; level < 3; level++, slot = 0) {
		slot = decide_walk_layer(&w, layers[level], level, slot, max);
		if (slot != 0)
			break;
		if (w.count >= max) {
			level++;
			break;
		}
	}
	*cursor = level < 3 ? (uint64_t)level << 32 | slot : 0;
}

void
decide_each(const struct kennel_step *t, struct slice map,
    void (*cb)(struct slice key, struct slice value, void *arg), void *arg)
{
	uint64_t	 cursor = 0;

	decide_some(t, map, &cursor, SIZE_MAX, cb, arg);
}

int
decide_accept(struct kennel_step *t, struct maps *batch)
{
	struct map_node		*n, *k;
	struct maps_one		*one;
	struct maps_entry	*e;

	if (batch->by_name.count == 0) {	/* nearly always */
		maps_clear(batch);
		*batch = t->own;
		memset(&t->own, 0, sizeof(t->own));
		return (0);
	}
	for (n = map_first(&t->own.by_name); n != NULL;
	    n = map_next(&t->own.by_name, n)) {
		one = container_of(n, struct maps_one, by_name);
		for (k = map_first(&one->entries); k != NULL;
		    k = map_next(&one->entries, k)) {
			e = container_of(k, struct maps_entry, by_key);
			if (maps_put(batch, slice_of(one->name,
			    one->name_len), slice_of(e->key,
			    e->key_len), slice_of(e->value, e->len)) == -1)
				return (-1);
		}
		maps_find(batch, slice_of(one->name, one->name_len))->net +=
		    one->net;
	}
	return (0);
}

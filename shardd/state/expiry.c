/* Keys whose time ends. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "shardd/state/decide.h"
#include "shardd/state/expiry.h"
#include "shardd/state/maps.h"

#define EXPIRY_DURABLE	".ttl"
#define EXPIRY_VOLATILE	"~.ttl"

/* The map that has the times of that map's keys. */
static struct slice
expiry_map(struct slice map)
{
	return (slice_str(maps_volatile(map) ? EXPIRY_VOLATILE :
	    EXPIRY_DURABLE));
}

int
expiry_is_map(struct slice name)
{
	return (slice_is(name, EXPIRY_DURABLE) ||
	    slice_is(name, EXPIRY_VOLATILE));
}

int
expiry_any(const struct maps *m)
{
	return (maps_find(m, slice_str(EXPIRY_DURABLE)) != NULL ||
	    maps_find(m, slice_str(EXPIRY_VOLATILE)) != NULL);
}

/* Has any key of such maps a time, as this step sees it? */
static int
expiry_seen(const struct kennel_step *t, struct slice times)
{
	return (maps_find(t->state, times) != NULL ||
	    maps_find(t->batch, times) != NULL ||
	    maps_find(&t->own, times) != NULL);
}

int
expiry_put(struct kennel_step *t, struct slice map, struct slice key,
    struct slice value, uint64_t ms)
{
	struct slice	 times = expiry_map(map), name;
	char		 text[MAPS_NAME_MAX + 1 + MAPS_KEY_MAX], when[24];

	if (ms != 0 && value.data != NULL &&
	    map.len + 1 + key.len > MAPS_KEY_MAX)
		return (decide_refuse(t, EMSGSIZE));
	if (decide_put(t, map, key, value) == -1)
		return (-1);
	if ((ms == 0 || value.data == NULL) && !expiry_seen(t, times))
		return (0);
	memcpy(text, map.data, map.len);
	text[map.len] = '\0';
	if (key.len > 0)
		memcpy(text + map.len + 1, key.data, key.len);
	name = slice_of(text, map.len + 1 + key.len);
	if (ms == 0 || value.data == NULL) {
		if (decide_get(t, times, name).data == NULL)
			return (0);
		return (decide_put_ours(t, times, name, slice_of(NULL, 0)));
	}
	snprintf(when, sizeof(when), "%" PRIu64, t->now + ms);
	return (decide_put_ours(t, times, name, slice_str(when)));
}

/* ---- what has ended ---- */

/* A time as the maps have it; one that is none has ended. */
static uint64_t
expiry_when(struct slice value)
{
	uint64_t	 when;

	return (slice_u64(value, UINT64_MAX, &when) == -1 ? 1 : when);
}

struct expiry_look {
	uint64_t	 first;		/* 0: none */
	size_t		 n;
};

/* One key with a time. */
static void
expiry_look_cb(struct slice name, struct slice value, void *arg)
{
	struct expiry_look	*l = arg;
	uint64_t		 when = expiry_when(value);

	(void)name;
	l->n++;
	if (l->first == 0 || when < l->first)
		l->first = when;
}

uint64_t
expiry_first(const struct maps *m, int durable, size_t *n)
{
	struct expiry_look	 l = { 0, 0 };

	if (durable)
		maps_each(m, slice_str(EXPIRY_DURABLE), expiry_look_cb, &l);
	maps_each(m, slice_str(EXPIRY_VOLATILE), expiry_look_cb, &l);
	*n = l.n;
	return (l.first);
}

#define EXPIRY_ONCE	500	/* keys that a step removes */

/* One key whose time has ended; its name is a copy, for a step's own writes move. */
struct expiry_key {
	uint64_t	 when;
	char		*name;
	size_t		 len;
};

struct expiry_found {
	uint64_t	 now;
	struct expiry_key keys[EXPIRY_ONCE];
	size_t		 n;
	int		 more, failed;
};

/* One key with a time: has it ended? */
static void
expiry_found_cb(struct slice name, struct slice value, void *arg)
{
	struct expiry_found	*f = arg;
	struct expiry_key	*k = &f->keys[f->n];

	if (expiry_when(value) > f->now)
		return;
	if (f->n == EXPIRY_ONCE) {
		f->more = 1;
		return;
	}
	k->when = expiry_when(value);
	k->len = name.len;
	if ((k->name = slice_dup(name)) == NULL)
		f->failed = 1;
	else
		f->n++;
}

/* For qsort: the earliest first. */
static int
expiry_order(const void *a, const void *b)
{
	uint64_t	 x = ((const struct expiry_key *)a)->when;
	uint64_t	 y = ((const struct expiry_key *)b)->when;

	return (x < y ? -1 : x > y);
}

/* Remove a key, and what says when its time ends.  0, or an errno. */
static int
expiry_remove(struct kennel_step *t, const char *times, struct slice name)
{
	const char	*end = memchr(name.data, '\0', name.len);
	struct slice	 map, key, nothing = { NULL, 0 };

	if (decide_left(t) < 2)
		return (EAGAIN);
	if (end != NULL) {
		map = slice_of(name.data, (size_t)(end - name.data));
		key = slice_of(end + 1, name.len - map.len - 1);
		if (decide_get(t, map, key).data != NULL)
			decide_put(t, map, key, nothing);
	}
	return (decide_put_ours(t, slice_str(times), name, nothing) == -1 ?
	    errno : 0);
}

/* Remove what has ended, of the maps that those times are for. */
static int
expiry_sweep(struct kennel_step *t, const char *times, uint64_t now)
{
	static struct expiry_found	 f;
	int				 err;

	f.now = now;
	f.n = 0;
	f.more = f.failed = 0;
	decide_each(t, slice_str(times), expiry_found_cb, &f);
	qsort(f.keys, f.n, sizeof(f.keys[0]), expiry_order);
	err = f.failed ? ENOMEM : 0;
	for (size_t i = 0; i < f.n; i++) {
		if (err == 0)
			err = expiry_remove(t, times, slice_of(f.keys[i].name,
			    f.keys[i].len));
		free(f.keys[i].name);
	}
	return (err == 0 && f.more ? EAGAIN : err);
}

int
expiry_decide(struct kennel_step *t, uint64_t now, int durable)
{
	int	 err = 0;

	t->passing = 1;			/* what was worth more stays so */
	if (durable)
		err = expiry_sweep(t, EXPIRY_DURABLE, now);
	if (err == 0)
		err = expiry_sweep(t, EXPIRY_VOLATILE, now);
	return (err);
}

/* Keys whose time ends. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
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
	snprintf(when, sizeof(when), "%" PRIu64, clock_wall_ms() + ms);
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

/* What is found in one map; the names are copied, for a step's own writes move. */
struct expiry_found {
	uint64_t	 now;
	struct buf	 names;		/* each with its length before it */
	size_t		 n;
	int		 more;
};

/* One key with a time: has it ended? */
static void
expiry_found_cb(struct slice name, struct slice value, void *arg)
{
	struct expiry_found	*f = arg;

	if (expiry_when(value) > f->now)
		return;
	if (f->n == EXPIRY_ONCE) {
		f->more = 1;
		return;
	}
	f->n++;
	buf_add(&f->names, &name.len, sizeof(name.len));
	buf_add(&f->names, name.data, name.len);
}

/* Remove what has ended, of the maps that those times are for. */
static int
expiry_remove(struct kennel_step *t, const char *times, uint64_t now)
{
	struct expiry_found	 f = { .now = now };
	struct slice		 name, map, key;
	const char		*at, *end;
	int			 err = 0;

	decide_each(t, slice_str(times), expiry_found_cb, &f);
	if (f.names.failed)
		err = ENOMEM;
	at = f.names.data;
	for (size_t i = 0; err == 0 && i < f.n; i++) {
		memcpy(&name.len, at, sizeof(name.len));
		name.data = at + sizeof(name.len);
		at = name.data + name.len;
		if (decide_left(t) < 2) {
			err = EAGAIN;
			break;
		}
		end = memchr(name.data, '\0', name.len);
		if (end != NULL) {
			map = slice_of(name.data, (size_t)(end - name.data));
			key = slice_of(end + 1, name.len - map.len - 1);
			if (decide_get(t, map, key).data != NULL)
				decide_put(t, map, key, slice_of(NULL, 0));
		}
		if (decide_put_ours(t, slice_str(times), name, slice_of(NULL,
		    0)) == -1)
			err = errno;
	}
	buf_clear(&f.names);
	return (err == 0 && f.more ? EAGAIN : err);
}

int
expiry_decide(struct kennel_step *t, uint64_t now, int durable)
{
	int	 err = 0;

	t->passing = 1;			/* what was worth more stays so */
	if (durable)
		err = expiry_remove(t, EXPIRY_DURABLE, now);
	if (err == 0)
		err = expiry_remove(t, EXPIRY_VOLATILE, now);
	return (err);
}

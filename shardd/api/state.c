/* kennel.h: the state of a group, and the steps that change it. */
#include <errno.h>

#include "common/budget.h"
#include "shardd/api/api.h"
#include "shardd/group/replica.h"
#include "shardd/kennel.h"
#include "shardd/state/authority.h"
#include "shardd/state/decide.h"
#include "shardd/state/expiry.h"

/* The state of r's group as it is known here; empty where there is none. */
static const struct maps *
api_maps(const struct kennel_replica *r)
{
	static const struct maps	 none;
	const struct authority		*a;

	a = r == NULL ? NULL : replica_of(r)->authority;
	return (a == NULL ? &none : authority_maps(a));
}

const char *
kennel_get(const struct kennel_replica *r, const char *map, const char *key,
    size_t key_len, size_t *len)
{
	return (api_slice(maps_get(api_maps(r), slice_str(map),
	    api_text(key, key_len)), len));
}

size_t
kennel_count(const struct kennel_replica *r, const char *map)
{
	return (maps_count(api_maps(r), slice_str(map)));
}

struct api_each {
	kennel_each_cb	*cb;
	void		*arg;
};

/* Hand one entry to the application. */
static void
api_each_cb(struct slice key, struct slice value, void *arg)
{
	const struct api_each	*e = arg;

	budget_charge(BUDGET_ENTRY);
	e->cb(key.data, key.len, value.data, value.len, e->arg);
}

void
kennel_each(const struct kennel_replica *r, const char *map,
    kennel_each_cb *cb, void *arg)
{
	struct api_each	 e = { cb, arg };

	if (cb != NULL)
		maps_each(api_maps(r), slice_str(map), api_each_cb, &e);
}

void
kennel_some(const struct kennel_replica *r, const char *map, uint64_t *cursor,
    size_t max, kennel_each_cb *cb, void *arg)
{
	struct api_each	 e = { cb, arg };

	if (cb == NULL || cursor == NULL)
		return;
	maps_some(api_maps(r), slice_str(map), cursor, max, api_each_cb, &e);
}

const char *
kennel_get_in(const struct kennel_step *t, const char *map, const char *key,
    size_t key_len, size_t *len)
{
	return (api_slice(t == NULL ? slice_of(NULL, 0) :
	    decide_get(t, slice_str(map), api_text(key, key_len)), len));
}

size_t
kennel_count_in(const struct kennel_step *t, const char *map)
{
	return (t == NULL ? 0 : decide_count(t, slice_str(map)));
}

void
kennel_each_in(const struct kennel_step *t, const char *map,
    kennel_each_cb *cb, void *arg)
{
	struct api_each	 e = { cb, arg };

	if (t != NULL && cb != NULL)
		decide_each(t, slice_str(map), api_each_cb, &e);
}

void
kennel_some_in(const struct kennel_step *t, const char *map, uint64_t *cursor,
    size_t max, kennel_each_cb *cb, void *arg)
{
	struct api_each	 e = { cb, arg };

	if (t == NULL || cb == NULL || cursor == NULL)
		return;
	decide_some(t, slice_str(map), cursor, max, api_each_cb, &e);
}

int
kennel_put(struct kennel_step *t, const char *map, const char *key,
    size_t key_len, const char *value, size_t len)
{
	if (t == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	return (expiry_put(t, slice_str(map), api_text(key, key_len),
	    slice_of(value, len), 0));
}

int
kennel_put_ttl(struct kennel_step *t, const char *map, const char *key,
    size_t key_len, const char *value, size_t len, uint64_t ms)
{
	if (t == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	return (expiry_put(t, slice_str(map), api_text(key, key_len),
	    slice_of(value, len), ms));
}

size_t
kennel_put_left(const struct kennel_step *t)
{
	return (t == NULL ? 0 : decide_left(t));
}

size_t
kennel_room_left(const struct kennel_step *t)
{
	return (t == NULL ? 0 : decide_room(t));
}

void
kennel_passing(struct kennel_step *t)
{
	if (t != NULL)
		t->passing = 1;
}

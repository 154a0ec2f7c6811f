/* How many clients of each other replica are in which room. */
#include <stdlib.h>

#include "shardd/events/tallies.h"

struct tally {
	struct map_node	 by_key;
	uint64_t	 n;
	size_t		 len;
	char		 key[];		/* the replica's number, and the room */
};

void
tallies_clear(struct tallies *t)
{
	tallies_forget(t, 0, NULL, NULL);
	map_clear(&t->by_key);
	buf_clear(&t->tellers);
}

/* The tally of a replica and a room, or NULL. */
static struct tally *
tallies_find(const struct tallies *t, uint64_t replica, struct slice room)
{
	static struct buf	 key;
	struct map_node		*n;

	buf_reset(&key);
	buf_add(&key, &replica, sizeof(replica));
	buf_add(&key, room.data, room.len);
	n = map_find(&t->by_key, key.data, key.len);
	return (n == NULL || key.failed ? NULL :
	    container_of(n, struct tally, by_key));
}

/* The replicas that have some, *n of them. */
static uint64_t *
tallies_tellers(const struct tallies *t, size_t *n)
{
	*n = t->tellers.len / sizeof(uint64_t);
	return ((uint64_t *)(void *)t->tellers.data);
}

/* A replica has some, from now on. */
static void
tallies_add_teller(struct tallies *t, uint64_t replica)
{
	size_t		 n;
	uint64_t	*at = tallies_tellers(t, &n);

	for (size_t i = 0; i < n; i++)
		if (at[i] == replica)
			return;
	buf_add(&t->tellers, &replica, sizeof(replica));
}

/* A replica (0: all) has none any more. */
static void
tallies_drop_teller(struct tallies *t, uint64_t replica)
{
	size_t		 n;
	uint64_t	*at = tallies_tellers(t, &n);

	for (size_t i = 0; i < n; )
		if (replica == 0 || at[i] == replica)
			at[i] = at[--n];
		else
			i++;
	t->tellers.len = n * sizeof(*at);
}

/* A tally that is not there yet.  NULL without memory. */
static struct tally *
tallies_new(struct tallies *all, uint64_t replica, struct slice room)
{
	struct tally	*t;

	if ((t = calloc(1, sizeof(*t) + sizeof(replica) + room.len)) == NULL)
		return (NULL);
	t->len = sizeof(replica) + room.len;
	memcpy(t->key, &replica, sizeof(replica));
	if (room.len > 0)
		memcpy(t->key + sizeof(replica), room.data, room.len);
	if (map_insert(&all->by_key, &t->by_key, t->key, t->len) == -1) {
		free(t);
		return (NULL);
	}
	tallies_add_teller(all, replica);
	return (t);
}

void
tallies_set(struct tallies *all, uint64_t replica, struct slice room,
    uint64_t n)
{
	struct tally	*t = tallies_find(all, replica, room);

	if (t != NULL && n == 0) {
		map_remove(&all->by_key, &t->by_key);
		free(t);
	} else if (t != NULL || (n > 0 &&
	    (t = tallies_new(all, replica, room)) != NULL))
		t->n = n;
}

uint64_t
tallies_sum(const struct tallies *all, struct slice room)
{
	struct tally	*t;
	uint64_t	 sum = 0, *at;
	size_t		 n;

	at = tallies_tellers(all, &n);
	for (size_t i = 0; i < n; i++)
		if ((t = tallies_find(all, at[i], room)) != NULL)
			sum += t->n;
	return (sum);
}

void
tallies_forget(struct tallies *all, uint64_t replica,
    void (*cb)(void *arg, struct slice room), void *arg)
{
	struct map_node	*n = map_first(&all->by_key), *next;
	struct tally	*t;
	uint64_t	 of;

	tallies_drop_teller(all, replica);
	for (; n != NULL; n = next) {
		next = map_next(&all->by_key, n);
		t = container_of(n, struct tally, by_key);
		memcpy(&of, t->key, sizeof(of));
		if (replica != 0 && of != replica)
			continue;
		map_remove(&all->by_key, n);
		if (cb != NULL)
			cb(arg, slice_of(t->key + sizeof(of),
			    t->len - sizeof(of)));
		free(t);
	}
}

/* Rooms: named sets of clients of this process. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/spare.h"
#include "shardd/events/rooms.h"

void
rooms_clear(struct rooms *all)
{
	map_clear(&all->by_name);
	bag_clear(&all->pairs);
}

void
roomer_init(struct roomer *r)
{
	list_init(&r->in);
	r->n = 0;
}

struct room *
rooms_find(const struct rooms *all, struct slice name)
{
	struct map_node	*n = map_find(&all->by_name, name.data, name.len);

	return (n == NULL ? NULL : container_of(n, struct room, by_name));
}

/* Of a roomer and a room, which no client has chosen. */
static uint32_t
rooms_hash(const struct roomer *r, const struct room *room)
{
	return (bag_hash_id((uint64_t)(uintptr_t)r * 31 +
	    (uint64_t)(uintptr_t)room));
}

/* r's stay in that room, or NULL. */
static struct stay *
rooms_stay(const struct rooms *all, const struct roomer *r,
    const struct room *room)
{
	struct bag_node	*n = bag_find(&all->pairs, rooms_hash(r, room));
	struct stay	*s;

	for (; n != NULL; n = bag_again(n)) {
		s = container_of(n, struct stay, by_pair);
		if (s->roomer == r && s->room == room)
			return (s);
	}
	return (NULL);
}

int
rooms_has(const struct rooms *all, const struct roomer *r, struct slice name)
{
	const struct room	*room = rooms_find(all, name);

	return (room != NULL && rooms_stay(all, r, room) != NULL);
}

/* A room of that name, with nobody in it.  NULL without memory. */
static struct room *
rooms_new(struct rooms *all, struct slice name)
{
	struct room	*room;

	if ((room = calloc(1, sizeof(*room) + name.len)) == NULL)
		return (NULL);
	room->len = name.len;
	if (name.len > 0)
		memcpy(room->name, name.data, name.len);
	if (map_insert(&all->by_name, &room->by_name, room->name,
	    room->len) == -1) {
		free(room);
		return (NULL);
	}
	return (room);
}

/* Nobody is in room any more. */
static void
rooms_end(struct rooms *all, struct room *room)
{
	map_remove(&all->by_name, &room->by_name);
	free(room->stays);
	free(room);
}

/* Room for one more stay: 0, or -1 without memory. */
static int
rooms_reserve(struct room *room)
{
	struct stay	**stays;
	size_t		  cap = room->cap == 0 ? 4 : room->cap * 2;

	if (room->n < room->cap)
		return (0);
	if ((stays = realloc(room->stays, cap * sizeof(*stays))) == NULL)
		return (-1);
	room->stays = stays;
	room->cap = cap;
	return (0);
}

int
rooms_join(struct rooms *all, struct roomer *r, struct slice name)
{
	struct room	*room = rooms_find(all, name);
	struct stay	*s = NULL;

	if (room != NULL && rooms_stay(all, r, room) != NULL)
		return (0);
	if (r->n >= ROOMS_MAX) {
		errno = EDQUOT;
		return (-1);
	}
	if ((room == NULL && (room = rooms_new(all, name)) == NULL) ||
	    rooms_reserve(room) == -1 ||
	    (s = spare_get(sizeof(*s))) == NULL ||
	    bag_insert(&all->pairs, &s->by_pair, rooms_hash(r, room)) == -1) {
		spare_put(s, sizeof(*s));
		if (room != NULL && room->n == 0)
			rooms_end(all, room);
		errno = ENOMEM;
		return (-1);
	}
	s->room = room;
	s->roomer = r;
	s->index = room->n;
	room->stays[room->n++] = s;
	list_push(&r->in, &s->at);
	r->n++;
	if (all->changed != NULL)
		all->changed(all, room);
	return (0);
}

/* s ends. */
static void
rooms_part(struct rooms *all, struct stay *s)
{
	struct room	*room = s->room;
	struct stay	*moved = room->stays[--room->n];

	room->stays[s->index] = moved;
	moved->index = s->index;
	bag_remove(&all->pairs, &s->by_pair);
	list_remove(&s->at);
	s->roomer->n--;
	spare_put(s, sizeof(*s));
	if (all->changed != NULL)
		all->changed(all, room);
	if (room->n == 0)
		rooms_end(all, room);
}

void
rooms_leave(struct rooms *all, struct roomer *r, struct slice name)
{
	struct room	*room = rooms_find(all, name);
	struct stay	*s;

	if (room != NULL && (s = rooms_stay(all, r, room)) != NULL)
		rooms_part(all, s);
}

void
rooms_leave_all(struct rooms *all, struct roomer *r)
{
	while (!list_empty(&r->in))
		rooms_part(all, list_entry(r->in.next, struct stay, at));
}

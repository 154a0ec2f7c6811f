/* What a replica knows of its clients. */
#include <stdlib.h>
#include <string.h>

#include "shardd/ape/queryid.h"
#include "shardd/ape/room.h"

#define ROOM_WAITING_MAX	(1 << 20)	/* bytes, of one client */

static struct list	 rooms = { &rooms, &rooms };

struct room *
room_new(struct kennel_replica *r)
{
	struct room	*room;

	if ((room = calloc(1, sizeof(*room))) == NULL)
		return (NULL);
	room->replica = r;
	room->refs = 1;
	list_init(&room->calls);
	list_push(&rooms, &room->at);
	return (room);
}

struct room *
room_of(const struct kennel_replica *r)
{
	return (kennel_replica_data(r));
}

struct list *
room_all(void)
{
	return (&rooms);
}

void
room_ref(struct room *room)
{
	room->refs++;
}

void
room_unref(struct room *room)
{
	if (--room->refs > 0)
		return;
	map_clear(&room->clients);
	free(room);
}

void
room_end(struct room *room)
{
	struct map_node	*n;

	while ((n = map_first(&room->clients)) != NULL)
		room_remove(container_of(n, struct ape_client, by_id));
	list_remove(&room->at);
	kennel_timer_free(room->beat);
	room->beat = NULL;
	room->replica = NULL;
	room_unref(room);
}

struct ape_client *
room_find(const struct room *room, const char *id, size_t len)
{
	struct map_node	*n = map_find(&room->clients, id, len);

	return (n == NULL ? NULL : container_of(n, struct ape_client, by_id));
}

struct ape_client *
room_add(struct room *room, struct kennel_socket *s, const char *session,
    const char *id)
{
	struct ape_client	*c, *first;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (NULL);
	c->room = room;
	c->socket = s;
	list_init(&c->calls);
	list_init(&c->twins);
	list_init(&c->waiting);
	strcpy(c->session, session);
	if (id != NULL)
		strcpy(c->id, id);
	else
		queryid_random(c->id, APE_ID);
	if ((first = room_find(room, c->id, APE_ID)) != NULL)
		list_push(&first->twins, &c->twins);
	else if (map_insert(&room->clients, &c->by_id, c->id, APE_ID) == -1) {
		free(c);
		return (NULL);
	}
	return (c);
}

void
room_remove(struct ape_client *c)
{
	struct room		*room = c->room;
	struct ape_client	*twin;
	struct room_text	*t;

	if (room_find(room, c->id, APE_ID) == c) {
		map_remove(&room->clients, &c->by_id);
		if (!list_empty(&c->twins)) {
			/* Its slot is free: that does not fail. */
			twin = list_entry(c->twins.next, struct ape_client,
			    twins);
			map_insert(&room->clients, &twin->by_id, twin->id,
			    APE_ID);
		}
	}
	list_remove(&c->twins);
	while (!list_empty(&c->waiting)) {
		t = list_entry(c->waiting.next, struct room_text, at);
		list_remove(&t->at);
		free(t);
	}
	recent_clear(&c->recent);
	free(c->session_id);
	free(c);
}

int
room_wait(struct ape_client *c, const char *text, size_t len)
{
	struct room_text	*t;

	if (len > ROOM_WAITING_MAX - c->waiting_bytes ||
	    (t = malloc(sizeof(*t) + len)) == NULL)
		return (-1);
	t->len = len;
	memcpy(t->text, text, len);
	list_push(&c->waiting, &t->at);
	c->waiting_bytes += len + sizeof(*t);
	if (c->waiting_bytes > ROOM_WAITING_MAX)
		c->waiting_bytes = ROOM_WAITING_MAX;
	return (0);
}

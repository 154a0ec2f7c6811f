/* What is said to a replica while connections are expected there. */
#include <stdlib.h>
#include <string.h>

#include "shardd/client/payload.h"
#include "shardd/group/shelf.h"

struct shelved {
	struct list	 at;		/* shelf->items */
	uint64_t	 serial;
	size_t		 bytes;
	struct shelf_said said;		/* slices into data */
	char		 data[];
};

struct shelf *
shelf_new(void)
{
	struct shelf	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return (NULL);
	list_init(&s->items);
	list_init(&s->users);
	return (s);
}

/* Forget one item. */
static void
shelf_drop(struct shelf *s, struct shelved *i)
{
	list_remove(&i->at);
	s->n--;
	s->bytes -= i->bytes;
	payload_unref(i->said.p);
	free(i);
}

/* Forget what is before that one. */
static void
shelf_trim(struct shelf *s, uint64_t serial)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &s->items) {
		if (list_entry(e, struct shelved, at)->serial > serial)
			return;
		shelf_drop(s, list_entry(e, struct shelved, at));
	}
}

void
shelf_free(struct shelf *s)
{
	if (s == NULL)
		return;
	shelf_trim(s, UINT64_MAX);
	free(s);
}

void
shelf_join(struct shelf *s, struct shelf_user *u)
{
	static uint64_t	 numbers;

	u->number = ++numbers;
	u->serial = s->serial;
	u->spoiled = 0;
	list_push(&s->users, &u->at);
}

int
shelf_leave(struct shelf *s, struct shelf_user *u)
{
	list_remove(&u->at);
	if (list_empty(&s->users))
		return (0);
	shelf_trim(s, list_entry(s->users.next, struct shelf_user,
	    at)->serial);
	return (1);
}

void
shelf_spoil(struct shelf *s)
{
	struct list	*e, *tmp;

	list_each(e, tmp, &s->users)
		list_entry(e, struct shelf_user, at)->spoiled = 1;
	shelf_trim(s, UINT64_MAX);
}

void
shelf_put(struct shelf *s, const struct shelf_said *said)
{
	struct shelved	*i;
	size_t		 bytes = sizeof(*i) + said->uid.len +
			    said->topics.len;
	size_t		 all = bytes + said->p->len;

	s->serial++;
	if (s->n == SHELF_ITEMS || all > SHELF_BYTES - s->bytes ||
	    (i = malloc(bytes)) == NULL) {
		shelf_spoil(s);
		return;
	}
	i->serial = s->serial;
	i->bytes = all;
	i->said = *said;
	if (said->uid.len > 0)
		memcpy(i->data, said->uid.data, said->uid.len);
	i->said.uid.data = i->data;
	if (said->topics.len > 0)
		memcpy(i->data + said->uid.len, said->topics.data,
		    said->topics.len);
	i->said.topics.data = i->data + said->uid.len;
	payload_ref(said->p);
	s->n++;
	s->bytes += all;
	list_push(&s->items, &i->at);
}

void
shelf_tell(struct shelf *s, uint64_t origin, uint64_t number,
    struct slice head, struct slice data)
{
	struct payload	*p;

	if ((p = payload_raw(data)) == NULL) {
		shelf_spoil(s);
		return;
	}
	shelf_put(s, &(struct shelf_said){ .origin = origin,
	    .number = number, .type = GOSSIP_TELL, .uid = head, .p = p });
	payload_unref(p);
}

uint64_t
shelf_expected(const struct shelf *s, uint64_t *oldest)
{
	*oldest = 0;
	if (s == NULL || list_empty(&s->users))
		return (0);
	*oldest = list_entry(s->users.next, struct shelf_user, at)->number;
	return (list_entry(s->users.prev, struct shelf_user, at)->number);
}

/* How far those with these marks have it of that origin. */
static uint64_t
shelf_mark(const struct capsule_mark *marks, size_t n, uint64_t origin)
{
	for (size_t i = 0; i < n; i++)
		if (marks[i].origin == origin)
			return (marks[i].seq);
	return (0);
}

void
shelf_each(const struct shelf *s, const struct shelf_user *u,
    const struct capsule_mark *marks, size_t nmarks, uint64_t news,
    void (*cb)(const struct shelf_said *said, void *arg), void *arg)
{
	const struct shelved	*i;
	struct list		*e, *tmp;

	list_each(e, tmp, &s->items) {
		i = list_entry(e, struct shelved, at);
		if (i->serial > u->serial && i->said.number >
		    (i->said.origin == SHELF_NEWS ? news :
		    shelf_mark(marks, nmarks, i->said.origin)))
			cb(&i->said, arg);
	}
}

/* A doubly linked list whose links live inside the entries. */
#ifndef COMMON_LIST_H
#define COMMON_LIST_H

#include "common/bytes.h"

struct list {
	struct list *prev, *next;	/* a head points at itself when empty */
};

static inline void
list_init(struct list *l)
{
	l->prev = l->next = l;
}
static inline int
list_empty(const struct list *l)
{
	return (l->next == l);
}
/* Insert e at the end of the list that head heads. */
static inline void
list_push(struct list *head, struct list *e)
{
	e->prev = head->prev, e->next = head;
	head->prev->next = e, head->prev = e;
}
/* Take e out; it is then empty by itself, and may be removed again. */
static inline void
list_remove(struct list *e)
{
	e->prev->next = e->next, e->next->prev = e->prev;
	e->prev = e->next = e;
}

/* All of the list that from heads go behind those of the list that head heads. */
static inline void
list_move(struct list *head, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = head->prev, head->prev->next = from->next;
	from->prev->next = head, head->prev = from->prev;
	list_init(from);
}

static inline size_t
list_count(const struct list *head)
{
	size_t n = 0;

	for (const struct list *e = head->next; e != head; e = e->next)
		n++;
	return (n);
}

#define list_entry(l, type, member)	container_of(l, type, member)
/* Safe against removing e in the body; not against removing its successor. */
#define list_each(e, tmp, head)						\
	for ((e) = (head)->next; (e) != (head) && ((tmp) = (e)->next, 1);	\
	    (e) = (tmp))

#endif

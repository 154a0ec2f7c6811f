/* What waits to be sent to another shard, by group. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/peers/backlog.h"

#define BACKLOG_QUANTUM	(64 << 10)	/* bytes of a queue's turn */
#define BACKLOG_ALIKE	16		/* queues of about one size that are compared */

struct item {				/* one message */
	struct list	 at;
	size_t		 bytes;		/* of memory */
	int		 note;		/* of a loss: it is never dropped */
	struct gossip	 m;		/* slices into data */
	char		 data[];
};

struct queue {
	struct map_node	 by_replica;
	struct list	 at;		/* backlog->turns */
	struct list	 of_size;	/* backlog->sizes[bits of loose] */
	unsigned	 bits;
	struct list	 items;		/* oldest first */
	uint64_t	 replica;
	size_t		 bytes;
	size_t		 loose;		/* bytes of those that are no notes */
	size_t		 notes;
	size_t		 credit;	/* bytes that it may still send this turn */
	int		 over;		/* passed its mark */
};

void
backlog_init(struct backlog *b, const struct backlog_ops *ops, void *arg)
{
	memset(b, 0, sizeof(*b));
	b->ops = ops;
	b->arg = arg;
	b->max = BACKLOG_MAX;
	list_init(&b->turns);
	for (size_t i = 0; i < BACKLOG_SIZES; i++)
		list_init(&b->sizes[i]);
}

/* ---- messages ---- */

/* The bytes of s are at from now on; returns what is behind them. */
static char *
item_copy(struct slice *s, char *at)
{
	if (s->len > 0)
		memcpy(at, s->data, s->len);
	if (s->data != NULL)		/* NULL says more than none */
		s->data = at;
	return (at + s->len);
}

/* Memory that m takes while it waits. */
static size_t
item_bytes(const struct gossip *m)
{
	return (sizeof(struct item) + m->uid.len + m->topics.len +
	    m->head.len + m->group.len + m->app.len + m->payload.len);
}

/* A copy of m, in no queue. */
static struct item *
item_new(const struct gossip *m, int note)
{
	struct item	*i;
	char		*at;

	if ((i = malloc(item_bytes(m))) == NULL)
		return (NULL);
	i->bytes = item_bytes(m);
	i->note = note;
	i->m = *m;
	list_init(&i->at);
	at = item_copy(&i->m.uid, i->data);
	at = item_copy(&i->m.topics, at);
	at = item_copy(&i->m.head, at);
	at = item_copy(&i->m.group, at);
	at = item_copy(&i->m.app, at);
	item_copy(&i->m.payload, at);
	return (i);
}

/* Do two notes say the same of one receiver? */
static int
item_same(const struct gossip *a, const struct gossip *b)
{
	return (a->type == b->type && a->to == b->to && a->of == b->of &&
	    a->ask == b->ask && a->flags == b->flags && slice_eq(a->uid, b->uid) &&
	    slice_eq(a->topics, b->topics));
}

/* ---- queues ---- */

/* The queue of that replica; NULL: nothing of it waits. */
static struct queue *
queue_find(const struct backlog *b, uint64_t replica)
{
	struct map_node	*n = map_find(&b->queues, &replica, sizeof(replica));

	return (n == NULL ? NULL : container_of(n, struct queue, by_replica));
}

/* That replica's queue, made if there is none. */
static struct queue *
queue_get(struct backlog *b, uint64_t replica)
{
	struct queue	*q;

	if ((q = queue_find(b, replica)) != NULL)
		return (q);
	if ((q = calloc(1, sizeof(*q))) == NULL)
		return (NULL);
	q->replica = replica;
	list_init(&q->items);
	list_init(&q->of_size);
	if (map_insert(&b->queues, &q->by_replica, &q->replica,
	    sizeof(q->replica)) == -1) {
		free(q);
		return (NULL);
	}
	list_push(&b->turns, &q->at);
	list_push(&b->sizes[0], &q->of_size);
	return (q);
}

/* The queue and all that waits in it. */
static void
queue_free(struct backlog *b, struct queue *q)
{
	list_remove(&q->at);
	list_remove(&q->of_size);
	map_remove(&b->queues, &q->by_replica);
	free(q);
}

/* What can be dropped of q is another number of bytes now. */
static void
queue_set_loose(struct backlog *b, struct queue *q, size_t loose)
{
	unsigned	 bits = 0;

	q->loose = loose;
	while (loose > 0 && bits < BACKLOG_SIZES - 1) {
		loose >>= 1;
		bits++;
	}
	if (bits == q->bits)
		return;
	q->bits = bits;
	list_remove(&q->of_size);
	list_push(&b->sizes[bits], &q->of_size);
}

/* Append i, which q owns from now on. */
static void
queue_push(struct backlog *b, struct queue *q, struct item *i)
{
	list_push(&q->items, &i->at);
	q->bytes += i->bytes;
	b->bytes += i->bytes;
	if (i->note)
		q->notes++;
	else
		queue_set_loose(b, q, q->loose + i->bytes);
	if (q->loose > BACKLOG_MARK)
		q->over = 1;
}

/* Take i out, whoever frees it. */
static void
queue_take(struct backlog *b, struct queue *q, struct item *i)
{
	list_remove(&i->at);
	q->bytes -= i->bytes;
	b->bytes -= i->bytes;
	if (i->note)
		q->notes--;
	else
		queue_set_loose(b, q, q->loose - i->bytes);
}

/* After something left q: it may be less than half full, or empty.  Frees q. */
static void
queue_settle(struct backlog *b, struct queue *q)
{
	uint64_t	 replica = q->replica;
	int		 eased;

	if ((eased = q->over && q->loose <= BACKLOG_MARK / 2))
		q->over = 0;
	if (list_empty(&q->items))
		queue_free(b, q);
	if (eased)
		b->ops->eased(b->arg, replica);
}

/*
 * m does not fit; what stands in its place is put into q before that place, unless
 * what is there says the same.
 */
static enum backlog_fate
queue_note(struct backlog *b, struct queue *q, struct gossip *m,
    struct list *before)
{
	struct item		*last = NULL, *i;
	enum backlog_fate	 fate;

	fate = b->ops->drop(b->arg, m, q->notes >= BACKLOG_NOTES);
	if (fate == BACKLOG_GONE)
		return (fate);
	if (before->prev != &q->items)
		last = list_entry(before->prev, struct item, at);
	if (last != NULL && last->note && item_same(&last->m, m)) {
		last->m.seq = m->seq;
		last->m.said = m->said;
		return (fate);
	}
	if ((i = item_new(m, 1)) == NULL)
		return (BACKLOG_GONE);	/* the next number shows the gap */
	queue_push(b, q, i);
	if (before != &q->items) {
		list_remove(&i->at);
		list_push(before, &i->at);
	}
	return (fate);
}

/* Drop all of q but its notes, in whose order those of the dropped stand. */
static void
queue_drop(struct backlog *b, struct queue *q)
{
	struct list	*e, *tmp;
	struct item	*i;

	list_each(e, tmp, &q->items) {
		i = list_entry(e, struct item, at);
		if (i->note)
			continue;
		queue_note(b, q, &i->m, e);
		queue_take(b, q, i);
		free(i);
	}
}

/* ---- what the link calls ---- */

void
backlog_clear(struct backlog *b)
{
	struct queue	*q;

	while (!list_empty(&b->turns)) {
		q = list_entry(b->turns.next, struct queue, at);
		while (!list_empty(&q->items)) {
			struct item *i = list_entry(q->items.next, struct item,
			    at);

			queue_take(b, q, i);
			free(i);
		}
		queue_free(b, q);
	}
	map_clear(&b->queues);
}

/* The longest of some queues that are all about as long, the oldest of those first. */
static struct queue *
backlog_longest_of(const struct list *alike)
{
	struct queue	*longest = NULL, *q;
	struct list	*e, *tmp;
	size_t		 n = 0;

	list_each(e, tmp, alike) {
		if (n++ == BACKLOG_ALIKE)
			break;
		q = list_entry(e, struct queue, of_size);
		if (longest == NULL || q->loose > longest->loose)
			longest = q;
	}
	return (longest);
}

/*
 * The queue with the most that can be dropped, or one with more than half as much: how
 * many queues there are, and so how long a search takes, is for clients to say.
 */
static struct queue *
backlog_longest(const struct backlog *b)
{
	struct queue	*longest = NULL;

	for (size_t i = BACKLOG_SIZES; i > 0 && longest == NULL; i--)
		longest = backlog_longest_of(&b->sizes[i - 1]);
	return (longest);
}

/* Room for bytes more in q, at the cost of longer ones.  0, or -1: q is the longest. */
static int
backlog_make_room(struct backlog *b, const struct queue *q, size_t bytes)
{
	struct queue	*longest;

	if (b->closed)
		return (-1);
	while (b->bytes > b->max || bytes > b->max - b->bytes) {
		longest = backlog_longest(b);
		if (longest == q || longest->loose <= q->loose + bytes)
			return (-1);
		queue_drop(b, longest);
		queue_settle(b, longest);
	}
	return (0);
}

int
backlog_add(struct backlog *b, uint64_t replica, const struct gossip *m)
{
	struct gossip		 lost = *m;
	struct queue		*q;
	struct item		*i = NULL;
	enum backlog_fate	 fate;

	if ((q = queue_get(b, replica)) == NULL) {
		b->ops->drop(b->arg, &lost, 0);
		errno = ENOMEM;
		return (-1);
	}
	if (backlog_make_room(b, q, item_bytes(m)) == 0 &&
	    (i = item_new(m, 0)) != NULL) {
		queue_push(b, q, i);
		return (0);
	}
	fate = queue_note(b, q, &lost, &q->items);
	queue_settle(b, q);
	errno = ENOBUFS;
	return (fate == BACKLOG_KEEP ? 0 : -1);
}

void
backlog_refuse(struct backlog *b, uint64_t replica, const struct gossip *m)
{
	struct gossip	 lost = *m;
	struct queue	*q = queue_get(b, replica);

	if (q == NULL) {
		b->ops->drop(b->arg, &lost, 0);
		return;
	}
	queue_note(b, q, &lost, &q->items);
	queue_settle(b, q);
}

void
backlog_drop(struct backlog *b)
{
	struct list	*e, *tmp;
	struct queue	*q;

	list_each(e, tmp, &b->turns) {
		q = list_entry(e, struct queue, at);
		queue_drop(b, q);
		queue_settle(b, q);
	}
}

const struct gossip *
backlog_next(struct backlog *b)
{
	struct queue	*q;
	struct item	*i;

	while (!list_empty(&b->turns)) {
		q = list_entry(b->turns.next, struct queue, at);
		i = list_entry(q->items.next, struct item, at);
		if (i->bytes <= q->credit || b->turns.prev == &q->at)
			return (&i->m);
		/* The turn of this queue is over; what it has not used it keeps. */
		q->credit += BACKLOG_QUANTUM;
		list_remove(&q->at);
		list_push(&b->turns, &q->at);
	}
	return (NULL);
}

void
backlog_sent(struct backlog *b)
{
	struct queue	*q = list_entry(b->turns.next, struct queue, at);
	struct item	*i = list_entry(q->items.next, struct item, at);

	q->credit = q->credit > i->bytes ? q->credit - i->bytes : 0;
	queue_take(b, q, i);
	free(i);
	queue_settle(b, q);
}

int
backlog_is_over(const struct backlog *b, uint64_t replica)
{
	const struct queue	*q;

	if (list_empty(&b->turns))
		return (0);		/* as a rule */
	q = queue_find(b, replica);
	return (q != NULL && q->over);
}

int
backlog_is_empty(const struct backlog *b)
{
	return (list_empty(&b->turns));
}

size_t
backlog_bytes(const struct backlog *b)
{
	return (b->bytes);
}

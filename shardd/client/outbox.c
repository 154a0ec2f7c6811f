/* A connection's pending output. */
#include <sys/socket.h>

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "common/spare.h"
#include "shardd/client/outbox.h"
#include "shardd/client/payload.h"

#define OUTBOX_MIN	16
#define OUTBOX_SCRATCH	(256 << 10)	/* gathered for one send */
#define OUTBOX_DIRECT	(32 << 10)	/* a payload this long is not copied */

struct outq {
	uint32_t	 head, tail, cap;	/* items[head..tail) */
	size_t		 offset;		/* written of items[head] */
	size_t		 queued;
	int		 parted;		/* the last that was written goes on */
	struct payload	*items[];
};

static char	 outbox_scratch[OUTBOX_SCRATCH];

/* Bytes of a queue with room for so many. */
static size_t
outq_size(uint32_t cap)
{
	return (sizeof(struct outq) + cap * sizeof(struct payload *));
}

/* Free the memory of a queue; its references are gone. */
static void
outq_free(struct outq *q)
{
	spare_put(q, outq_size(q->cap));
}

/* q, or a larger one in its place, with room for one more.  NULL without memory. */
static struct outq *
outq_room(struct outq *q)
{
	uint32_t	 cap;
	struct outq	*n;

	if (q != NULL && q->tail < q->cap)
		return (q);
	if (q != NULL && q->head >= q->cap / 2) {
		memmove(q->items, q->items + q->head,
		    (q->tail - q->head) * sizeof(q->items[0]));
		q->tail -= q->head;
		q->head = 0;
		return (q);
	}
	cap = q == NULL ? OUTBOX_MIN : q->cap * 2;
	if ((n = spare_get(outq_size(cap))) == NULL)
		return (NULL);
	if (q == NULL)
		memset(n, 0, sizeof(*n));
	else {
		memcpy(n, q, outq_size(q->cap));
		outq_free(q);
	}
	n->cap = cap;
	return (n);
}

/* Append p, whose reference is the queue's now. */
static void
outq_push(struct outq *q, struct payload *p)
{
	q->items[q->tail++] = p;
	q->queued += payload_wire(p).len;
}

int
outbox_add(struct outbox *o, struct payload *p)
{
	struct outq	*q;

	if (o->q == NULL && o->one == NULL && !p->more) {
		o->one = payload_ref(p);
		return (0);
	}
	if ((q = outq_room(o->q)) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	o->q = q;
	if (o->one != NULL) {
		outq_push(q, o->one);
		o->one = NULL;
	}
	outq_push(q, payload_ref(p));
	return (0);
}

/* n bytes are with the kernel. */
static void
outq_written(struct outq *q, size_t n)
{
	size_t	 left;

	q->queued -= n;
	while (n > 0) {
		left = payload_wire(q->items[q->head]).len - q->offset;
		if (n < left) {
			q->offset += n;
			return;
		}
		n -= left;
		q->parted = q->items[q->head]->more;
		payload_unref(q->items[q->head++]);
		q->offset = 0;
	}
}

/* The next run to send: a payload itself, or several in scratch. */
static struct slice
outq_gather(const struct outq *q, char *scratch, size_t room)
{
	struct slice	 first = payload_wire(q->items[q->head]), s;
	size_t		 n = 0, k;

	first.data += q->offset;
	first.len -= q->offset;
	if (q->tail - q->head == 1 || first.len >= OUTBOX_DIRECT)
		return (first);
	for (uint32_t i = q->head; i < q->tail && n < room; i++) {
		s = i == q->head ? first : payload_wire(q->items[i]);
		if (s.len >= OUTBOX_DIRECT)
			break;
		k = s.len < room - n ? s.len : room - n;
		memcpy(scratch + n, s.data, k);
		n += k;
	}
	return (slice_of(scratch, n));
}

struct slice
outbox_next(const struct outbox *o, char *scratch, size_t room)
{
	return (o->one != NULL ? payload_wire(o->one) :
	    outq_gather(o->q, scratch, room));
}

/* send(2), which never waits and raises no signal; more follows at once. */
static ssize_t
outbox_send(int fd, struct slice s, int more)
{
	ssize_t	 n;

	do
		n = send(fd, s.data, s.len, MSG_NOSIGNAL | MSG_DONTWAIT |
		    (more ? MSG_MORE : 0));
	while (n == -1 && errno == EINTR);
	return (n);
}

/* The only one, begun: it needs an offset from now on. */
static int
outbox_begin(struct outbox *o, size_t written)
{
	struct outq	*q;

	if ((q = outq_room(NULL)) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	outq_push(q, o->one);
	o->one = NULL;
	o->q = q;
	outq_written(q, written);
	return (1);
}

/* All is written: the queue goes, unless it knows of parts to come. */
static void
outbox_empty_q(struct outbox *o)
{
	if (o->q->parted)
		return;
	outq_free(o->q);
	o->q = NULL;
}

int
outbox_sent_some(struct outbox *o, ssize_t n, size_t len)
{
	if (n == -1)
		return (errno == EAGAIN || errno == EINTR ? 1 : -1);
	if (o->one != NULL)
		return (outbox_begin(o, (size_t)n));
	outq_written(o->q, (size_t)n);
	if ((size_t)n < len)
		return (1);
	if (o->q->head < o->q->tail)
		return (2);
	outbox_empty_q(o);
	return (0);
}

int
outbox_flush(struct outbox *o, int fd, size_t *sent)
{
	struct slice	 s;
	ssize_t		 n;
	int		 rv = outbox_empty(o) ? 0 : 2;

	while (rv == 2) {
		s = outbox_next(o, outbox_scratch, sizeof(outbox_scratch));
		n = outbox_send(fd, s, o->one == NULL && s.len < o->q->queued);
		if (n > 0)
			*sent += (size_t)n;
		rv = outbox_sent(o, n, s.len);
	}
	/* What was dropped may have left nothing behind. */
	if (rv == 0 && o->q != NULL)
		outbox_empty_q(o);
	return (rv);
}

/* Is p a message of others, which may be lost? */
static int
outbox_may_drop(const struct payload *p)
{
	return (p->opcode == WS_TEXT || p->opcode == WS_BINARY);
}

size_t
outbox_drop(struct outbox *o, size_t keep)
{
	struct outq	*q = o->q;
	struct payload	*p;
	size_t		 n = 0;
	uint32_t	 to;
	int		 more = 0;

	if (o->one != NULL && outbox_may_drop(o->one) &&
	    payload_wire(o->one).len > keep) {
		payload_unref(o->one);
		o->one = NULL;
		return (1);
	}
	if (q == NULL)
		return (0);
	/* The message that is begun stays, with all its parts. */
	to = q->head;
	if (q->offset > 0 || q->parted)
		while (to < q->tail && q->items[to++]->more)
			;
	for (uint32_t i = to; i < q->tail; i++) {
		p = q->items[i];
		if (!more && (q->queued <= keep || !outbox_may_drop(p))) {
			q->items[to++] = p;
			continue;
		}
		more = p->more;			/* the next is a part of it */
		q->queued -= payload_wire(p).len;
		payload_unref(p);
		n++;
	}
	q->tail = to;
	return (n);
}

size_t
outbox_queued(const struct outbox *o)
{
	if (o->one != NULL)
		return (payload_wire(o->one).len);
	return (o->q == NULL ? 0 : o->q->queued);
}

size_t
outbox_whole(const struct outbox *o)
{
	if (o->one != NULL)
		return (payload_wire(o->one).len);
	return (o->q == NULL || o->q->tail == o->q->head ||
	    o->q->items[o->q->tail - 1]->more ? 0 : o->q->queued);
}

int
outbox_begun(const struct outbox *o)
{
	return (o->q != NULL && (o->q->offset > 0 || o->q->parted));
}

void
outbox_clear(struct outbox *o)
{
	if (o->one != NULL)
		payload_unref(o->one);
	o->one = NULL;
	if (o->q == NULL)
		return;
	for (uint32_t i = o->q->head; i < o->q->tail; i++)
		payload_unref(o->q->items[i]);
	outq_free(o->q);
	o->q = NULL;
}

int
outbox_copy(const struct outbox *o, struct buf *b)
{
	struct slice	 s;

	if (o->one != NULL) {
		s = payload_wire(o->one);
		return (buf_add(b, s.data, s.len));
	}
	for (uint32_t i = o->q == NULL ? 0 : o->q->head;
	    o->q != NULL && i < o->q->tail; i++) {
		s = payload_wire(o->q->items[i]);
		if (i == o->q->head)
			s.data += o->q->offset, s.len -= o->q->offset;
		buf_add(b, s.data, s.len);
	}
	return (b->failed ? -1 : 0);
}

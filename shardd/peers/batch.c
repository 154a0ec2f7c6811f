/* Messages of one turn, sent together. */
#include "proto/bus_frame.h"
#include "shardd/peers/batch.h"

#define BATCH_LENGTH	4		/* bytes before each message */

static void	 batches_run(void *arg);

void
batches_init(struct batches *bs, void (*sent)(void *), void *arg)
{
	for (size_t i = 0; i < BATCH_NKINDS; i++)
		list_init(&bs->open[i]);
	turn_work_init(&bs->work, batches_run, bs);
	bs->sent = sent;
	bs->arg = arg;
}

void
batches_end(struct batches *bs)
{
	turn_cancel(&bs->work);
	buf_clear(&bs->kept);
}

/* Send b, which is open then no more: 0, or -1 with errno and nothing sent. */
static int
batch_flush(struct batch *b)
{
	struct slice	 all = slice_of(b->body.data, b->body.len);
	unsigned	 flags = BUS_F_MANY;

	if (b->n == 0)
		return (0);
	if (b->n == 1) {
		all = slice_of(all.data + BATCH_LENGTH, all.len - BATCH_LENGTH);
		flags = 0;
	}
	if (b->send(b->arg, flags, all, slice_of(NULL, 0)) == -1)
		return (-1);
	b->n = 0;
	buf_give(&b->all->kept, &b->body);
	list_remove(&b->at);
	return (0);
}

/* Send the batches of one kind: 0, or -1, one of them stays. */
static int
batches_flush_kind(struct batches *bs, enum batch_kind kind)
{
	struct list	*e, *tmp;
	int		 rv = 0;

	list_each(e, tmp, &bs->open[kind])
		rv |= batch_flush(list_entry(e, struct batch, at));
	return (rv);
}

void
batches_flush(struct batches *bs)
{
	int	 rv = 0;

	for (size_t i = 0; i < BATCH_NKINDS; i++)
		rv |= batches_flush_kind(bs, (enum batch_kind)i);
	if (rv == 0)
		bs->sent(bs->arg);
}

/* Turn work. */
static void
batches_run(void *arg)
{
	batches_flush(arg);
}

void
batches_touch(struct batches *bs)
{
	turn_add(&bs->work, TURN_BUS);
}

void
batch_init(struct batch *b, struct batches *all, enum batch_kind kind,
    batch_send_cb *send, void *arg)
{
	*b = (struct batch){ .all = all, .kind = kind, .send = send,
	    .arg = arg };
	list_init(&b->at);
}

void
batch_clear(struct batch *b)
{
	b->n = 0;
	list_remove(&b->at);
	buf_clear(&b->body);
}

/* Put a message behind the others: 0, or -1 without memory. */
static int
batch_put(struct batch *b, struct slice head, struct slice payload)
{
	char	*p;

	if (b->n == 0)
		b->body = buf_take(&b->all->kept);
	b->body.max = BUS_FRAME_MAX;
	p = buf_reserve(&b->body, BATCH_LENGTH + head.len + payload.len);

	if (p == NULL) {
		if (b->n == 0)
			buf_give(&b->all->kept, &b->body);
		b->body.failed = 0;
		return (-1);
	}
	bytes_put_be32(p, (uint32_t)(head.len + payload.len));
	b->body.len += BATCH_LENGTH;
	buf_add(&b->body, head.data, head.len);
	buf_add(&b->body, payload.data, payload.len);
	if (b->n++ == 0)
		list_push(&b->all->open[b->kind], &b->at);
	return (0);
}

int
batch_add(struct batch *b, struct slice head, struct slice payload, int many)
{
	enum batch_kind	 other = b->kind == BATCH_ROOM ? BATCH_SHARD :
			    BATCH_ROOM;
	size_t		 len = head.len + payload.len, room;

	if (batches_flush_kind(b->all, other) == -1)
		return (-1);
	batches_touch(b->all);
	room = many && len <= BUS_FRAME_MAX - BATCH_LENGTH ?
	    BATCH_LENGTH + len : BUS_FRAME_MAX + 1;
	if (b->body.len + room > BUS_FRAME_MAX && batch_flush(b) == -1)
		return (-1);
	if (room <= BUS_FRAME_MAX && batch_put(b, head, payload) == 0)
		return (0);
	return (batch_flush(b) == -1 ? -1 : b->send(b->arg, 0, head, payload));
}

size_t
batch_bytes(const struct batch *b)
{
	return (b->body.len);
}

int
batch_next(struct slice *body, struct slice *message)
{
	size_t	 len;

	if (body->len == 0)
		return (1);
	if (body->len < BATCH_LENGTH)
		return (-1);
	len = bytes_get_be32(body->data);
	if (len > body->len - BATCH_LENGTH)
		return (-1);
	*message = slice_of(body->data + BATCH_LENGTH, len);
	*body = slice_of(body->data + BATCH_LENGTH + len,
	    body->len - BATCH_LENGTH - len);
	return (0);
}

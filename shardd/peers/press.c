/* Frames for other nodes, on channels of Redis. */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/redis.h"
#include "proto/counters.h"
#include "shardd/peers/press.h"

#define PRESS_MS	5000		/* deadline of a command */
#define PRESS_LOG_MS	10000		/* between two lines of what is wrong */

int
press_may_log(struct press *p)
{
	if (p->logged != 0 && clock_ms() - p->logged < PRESS_LOG_MS)
		return (0);
	p->logged = clock_ms();
	return (1);
}

/* Redis has published, or has not. */
static void
press_published_cb(const struct redis_value *v, int err, void *arg)
{
	struct press	*p = arg;
	char		 text[200];

	if (err == ECANCELED)
		return;
	if (err == 0 && v->kind == REDIS_ERROR && press_may_log(p))
		log_warn("bus: Redis refuses what is said to other nodes: %s",
		    log_escape(text, sizeof(text), v->str, v->len));
	if (!p->stuck)
		return;
	p->stuck = 0;
	p->drained(p->arg);
}

int
press_frame(struct press *p, const char *channel, struct bus_frame *f,
    struct slice head, struct slice payload)
{
	const char		*argv[3] = { "PUBLISH", channel };
	size_t			 len[3] = { 7, strlen(channel) };

	f->node = p->node;
	f->slot = p->slot;
	f->incarnation = p->incarnation;
	f->pos = p->pos + head.len + payload.len + 1;
	buf_reset(&p->frame);
	bus_frame_encode(&p->frame, f, head, payload, slice_str(channel),
	    p->key);
	if (p->frame.failed) {
		buf_clear(&p->frame);
		errno = ENOMEM;
		return (-1);
	}
	argv[2] = p->frame.data;
	len[2] = p->frame.len;
	if (redis_command(p->redis, PRESS_MS, press_published_cb, p, 3,
	    argv, len) == -1) {
		p->stuck |= errno == EAGAIN;
		return (-1);
	}
	p->pos = f->pos;
	counter_add(COUNTER_BUS_PUBLISHED, 1);
	return (0);
}

/* What is behind the first n bytes of two slices that follow each other. */
static void
press_behind(struct slice *head, struct slice *payload, size_t n)
{
	size_t	 h = n < head->len ? n : head->len;

	if (h > 0)			/* what is empty may be at NULL */
		*head = slice_of(head->data + h, head->len - h);
	if (n > h)
		*payload = slice_of(payload->data + (n - h), payload->len -
		    (n - h));
}

int
press_message(struct press *p, const char *channel, struct bus_frame *f,
    struct slice head, struct slice payload, uint64_t *n)
{
	struct slice	 h, t;
	unsigned	 flags = f->flags;
	size_t		 len;

	do {
		len = head.len + payload.len;
		if (len > BUS_FRAME_MAX)
			len = BUS_FRAME_MAX;
		h = slice_of(head.data, head.len < len ? head.len : len);
		t = slice_of(payload.data, len - h.len);
		press_behind(&head, &payload, len);
		f->flags = flags | (head.len + payload.len > 0 ? BUS_F_MORE :
		    0);
		f->n = *n + 1;
		if (press_frame(p, channel, f, h, t) == -1)
			return (-1);
		++*n;
	} while (head.len + payload.len > 0);
	return (0);
}

void
press_clear(struct press *p)
{
	buf_clear(&p->frame);
}

/* News of a group: batches of steps that took effect. */
#include <errno.h>

#include "proto/limits.h"
#include "proto/news.h"

void
news_begin(struct buf *b, uint64_t durable, size_t nsteps)
{
	pack_array(b, 1 + nsteps);
	pack_u64(b, durable);
}

void
news_add_step(struct buf *b, uint64_t origin, uint64_t number, uint32_t err,
    struct slice data, size_t nchanges)
{
	pack_array(b, 5);
	pack_u64(b, origin);
	pack_u64(b, number);
	pack_u64(b, err);
	pack_str(b, data);
	pack_array(b, nchanges);
}

void
news_add_change(struct buf *b, const struct news_change *c)
{
	pack_array(b, 4);
	pack_u64(b, c->kind);
	pack_str(b, c->map);
	pack_str(b, c->key);
	pack_str(b, c->value);
}

int
news_step(struct news *n, struct news_step *s)
{
	struct pack_in	 in;

	if (pack_in_left(&n->steps) == 0)
		return (0);
	in = pack_in_array(&n->steps);
	s->origin = pack_in_u64(&in, UINT64_MAX);
	s->number = pack_in_u64(&in, UINT64_MAX);
	s->err = (uint32_t)pack_in_u64(&in, INT32_MAX);
	s->data = pack_in_str(&in, STEP_MAX);
	s->changes = pack_in_array(&in);
	s->nchanges = pack_in_left(&s->changes);
	if (in.bad)
		n->steps.bad = 1;
	return (!n->steps.bad);
}

int
news_change(struct news_step *s, struct news_change *c)
{
	struct pack_in	 in;

	if (pack_in_left(&s->changes) == 0)
		return (0);
	in = pack_in_array(&s->changes);
	c->kind = (enum news_kind)pack_in_u64(&in, NEWS_PUT);
	c->map = pack_in_str(&in, MAPS_NAME_MAX);
	c->key = pack_in_str(&in, MAPS_KEY_MAX);
	c->value = pack_in_str(&in, MAPS_VALUE_MAX);
	if (c->kind == NEWS_REMOVE)
		c->value = slice_of(NULL, 0);
	else if (c->value.len == 0)
		c->value = slice_str("");
	if (in.bad || c->map.len == 0)
		s->changes.bad = 1;
	return (!s->changes.bad);
}

int
news_open(struct news *n, const char *data, size_t len)
{
	struct news_change	 c;
	struct news_step	 s;
	struct pack_in		 in, start;

	if (pack_open(&in, data, len) == -1)
		return (-1);
	n->durable = pack_in_u64(&in, UINT64_MAX);
	start = in;
	n->steps = in;
	while (news_step(n, &s)) {
		while (news_change(&s, &c))
			;
		if (s.changes.bad)
			n->steps.bad = 1;
	}
	if (in.bad || n->steps.bad) {
		errno = EPROTO;
		return (-1);
	}
	n->steps = start;
	return (0);
}

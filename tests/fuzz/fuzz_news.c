/* Any bytes as news: what is accepted can be walked, and written again alike. */
#include <stdlib.h>

#include "proto/limits.h"
#include "proto/news.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Once through all of it; the number of steps. */
static size_t
walk(const struct news *n)
{
	struct news		 copy = *n;
	struct news_change	 c;
	struct news_step	 s;
	size_t			 steps = 0, changes;

	while (news_step(&copy, &s)) {
		for (changes = 0; news_change(&s, &c); changes++)
			if (c.map.len == 0 || c.map.len > MAPS_NAME_MAX ||
			    c.key.len > MAPS_KEY_MAX ||
			    c.value.len > MAPS_VALUE_MAX ||
			    (c.value.data == NULL) != (c.kind == NEWS_REMOVE))
				abort();
		if (changes != s.nchanges)
			abort();
		steps++;
	}
	return (steps);
}

static void
again(struct news *n, struct buf *b)
{
	struct news_change	 c;
	struct news_step	 s;

	news_begin(b, n->durable, walk(n));
	while (news_step(n, &s)) {
		news_add_step(b, s.origin, s.number, s.err, s.data,
		    s.nchanges);
		while (news_change(&s, &c))
			news_add_change(b, &c);
	}
	if (b->failed)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf	first = { 0 }, second = { 0 };
	struct news	n;

	if (news_open(&n, (const char *)data, size) == -1)
		return (0);
	again(&n, &first);
	if (news_open(&n, first.data, first.len) == -1)
		abort();
	again(&n, &second);
	if (first.len != second.len ||
	    memcmp(first.data, second.data, first.len) != 0)
		abort();
	buf_clear(&first);
	buf_clear(&second);
	return (0);
}

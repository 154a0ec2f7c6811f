/* What a stream has said since it opened. */
#include <stdlib.h>
#include <string.h>

#include "shardd/events/kept.h"

struct kept *
kept_new(uint64_t until)
{
	struct kept	*k;

	if ((k = calloc(1, sizeof(*k))) == NULL)
		return (NULL);
	list_init(&k->chunks);
	k->until = until;
	return (k);
}

/* What is to be kept.  NULL without memory. */
static struct kept_chunk *
kept_chunk(struct kept *k, uint8_t data_type, struct slice data)
{
	struct kept_chunk	*c;

	if ((c = malloc(sizeof(*c) + data.len)) == NULL)
		return (NULL);
	c->place = 0;
	c->data_type = data_type;
	c->len = data.len;
	if (data.len > 0)
		memcpy(c->data, data.data, data.len);
	k->bytes += sizeof(*c) + data.len;
	return (c);
}

int
kept_add(struct kept *k, uint8_t data_type, struct slice data)
{
	struct kept_chunk	*c = kept_chunk(k, data_type, data);

	if (c == NULL)
		return (-1);
	list_push(&k->chunks, &c->at);
	return (0);
}

int
kept_add_at(struct kept *k, uint64_t place, uint8_t data_type,
    struct slice data)
{
	struct kept_chunk	*c;
	struct list		*e = &k->chunks;

	/* From the last one back to the one that is before it. */
	while (e->prev != &k->chunks) {
		c = list_entry(e->prev, struct kept_chunk, at);
		if (c->place == place)
			return (0);
		if (c->place < place)
			break;
		e = e->prev;
	}
	if ((c = kept_chunk(k, data_type, data)) == NULL)
		return (-1);
	c->place = place;
	list_push(e, &c->at);		/* before e */
	return (0);
}

struct kept_chunk *
kept_first(const struct kept *k)
{
	return (list_empty(&k->chunks) ? NULL :
	    list_entry(k->chunks.next, struct kept_chunk, at));
}

void
kept_drop_first(struct kept *k)
{
	struct kept_chunk	*c = kept_first(k);

	if (c == NULL)
		return;
	list_remove(&c->at);
	k->bytes -= sizeof(*c) + c->len;
	free(c);
}

void
kept_free(struct kept *k)
{
	struct list	*e, *tmp;

	if (k == NULL)
		return;
	list_each(e, tmp, &k->chunks)
		free(list_entry(e, struct kept_chunk, at));
	free(k);
}

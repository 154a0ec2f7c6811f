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

int
kept_add(struct kept *k, uint8_t data_type, struct slice data)
{
	struct kept_chunk	*c;

	if ((c = malloc(sizeof(*c) + data.len)) == NULL)
		return (-1);
	c->data_type = data_type;
	c->len = data.len;
	if (data.len > 0)
		memcpy(c->data, data.data, data.len);
	list_push(&k->chunks, &c->at);
	k->bytes += sizeof(*c) + data.len;
	return (0);
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

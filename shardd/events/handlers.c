/* What a program does with the events that clients emit to the server. */
#include <stdlib.h>

#include "shardd/events/handlers.h"
#include "shardd/events/inside.h"

const struct handler *
handlers_find(const struct events *e, struct slice name)
{
	struct map_node	*n = map_find(&e->handlers, name.data, name.len);

	return (n == NULL ? e->other : container_of(n, struct handler,
	    by_name));
}

/* The handler of that name (NULL: for all others), made if need be.  NULL without
 * memory. */
static struct handler *
handlers_get(struct events *e, const char *name)
{
	size_t		 len = name == NULL ? 0 : strlen(name);
	struct map_node	*n = NULL;
	struct handler	*h;

	if (name == NULL && e->other != NULL)
		return (e->other);
	if (name != NULL)
		n = map_find(&e->handlers, name, len);
	if (n != NULL)
		return (container_of(n, struct handler, by_name));
	if ((h = calloc(1, sizeof(*h) + len + 1)) == NULL)
		return (NULL);
	if (name == NULL) {
		e->other = h;
		return (h);
	}
	memcpy(h->name, name, len);
	if (map_insert(&e->handlers, &h->by_name, h->name, len) == -1) {
		free(h);
		return (NULL);
	}
	return (h);
}

void
handlers_clear(struct events *e)
{
	struct map_node	*n;
	struct handler	*h;

	while ((n = map_first(&e->handlers)) != NULL) {
		h = container_of(n, struct handler, by_name);
		map_remove(&e->handlers, n);
		free(h);
	}
	map_clear(&e->handlers);
	free(e->other);
	e->other = NULL;
}

int
events_on(struct events *e, const char *name, events_handler *run, void *arg)
{
	struct handler	*h;

	if ((h = handlers_get(e, name)) == NULL)
		return (-1);
	h->run = run;
	h->arg = arg;
	return (0);
}

int
events_on_stream(struct events *e, const char *name,
    const struct events_stream_ops *ops, void *arg)
{
	struct handler	*h;

	if ((h = handlers_get(e, name)) == NULL)
		return (-1);
	h->stream = ops;
	h->stream_arg = arg;
	return (0);
}

/* The cells of a frame between hosts. */
#include "shardd/events/cells.h"

int
cells_next(struct slice *at, struct slice *host)
{
	const char	*bar;

	if (at->len == 0)
		return (0);
	bar = memchr(at->data, '|', at->len);
	*host = slice_of(at->data, bar == NULL ? at->len :
	    (size_t)(bar - at->data));
	*at = bar == NULL ? slice_of(NULL, 0) : slice_of(bar + 1,
	    at->len - host->len - 1);
	return (1);
}

int
cells_have(struct slice cells, struct slice host)
{
	struct slice	 name;

	while (cells_next(&cells, &name))
		if (slice_eq(name, host))
			return (1);
	return (0);
}

int
cells_add(struct cells *c, struct slice host)
{
	size_t	 bar = c->len > 0;

	if (host.len + bar > sizeof(c->text) - c->len)
		return (0);
	if (bar)
		c->text[c->len++] = '|';
	memcpy(c->text + c->len, host.data, host.len);
	c->len += host.len;
	return (1);
}

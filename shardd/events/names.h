/*
 * Lists of names as fast-tcp has them: separated by commas, and in a frame for others
 * followed by a bar and the event.
 */
#ifndef EVENTS_NAMES_H
#define EVENTS_NAMES_H

#include "common/bytes.h"

/*
 * Walk: for (at = list; names_next(&at, &name); ).  A list is never without a name:
 * an empty one has the empty name.  at.data is NULL behind the last.
 */
static inline int
names_next(struct slice *at, struct slice *name)
{
	const char	*comma;

	if (at->data == NULL)
		return (0);
	comma = at->len == 0 ? NULL : memchr(at->data, ',', at->len);
	if (comma == NULL) {
		*name = *at;
		*at = slice_of(NULL, 0);
		return (1);
	}
	*name = slice_of(at->data, (size_t)(comma - at->data));
	at->len -= name->len + 1;
	at->data = comma + 1;
	return (1);
}

/* "names|event", at the first bar: 1, or 0, there is none. */
static inline int
names_split(struct slice s, struct slice *names, struct slice *event)
{
	const char	*bar = s.len == 0 ? NULL : memchr(s.data, '|', s.len);

	if (bar == NULL)
		return (0);
	*names = slice_of(s.data, (size_t)(bar - s.data));
	*event = slice_of(bar + 1, s.len - names->len - 1);
	return (1);
}

#endif

/* The lists of names that programs give. */
#include <errno.h>

#include "shardd/events/lists.h"
#include "shardd/kennel-events.h"

int
lists_add(struct buf *b, const char *const *names)
{
	for (size_t i = 0; names[i] != NULL; i++) {
		if (strchr(names[i], ',') != NULL) {
			errno = EINVAL;
			return (-1);
		}
		if (i > 0)
			buf_add(b, ",", 1);
		buf_adds(b, names[i]);
	}
	buf_add(b, "", 1);		/* never without memory: data is not NULL */
	if (b->failed) {
		errno = ENOMEM;
		return (-1);
	}
	b->len--;
	return (0);
}

int
lists_of(struct lists *l, const struct events_to *to, struct targets *t)
{
	const char *const	*names = NULL;

	memset(l, 0, sizeof(*l));
	*t = (struct targets){ .whom = WHOM_ALL, .names = slice_of("", 0) };
	if (to == NULL)
		return (0);
	if (to->rooms != NULL) {
		t->whom = WHOM_ROOMS;
		names = to->rooms;
	} else if (to->sockets != NULL) {
		t->whom = WHOM_SOCKETS;
		names = to->sockets;
	}
	if ((names != NULL && lists_add(&l->names, names) == -1) ||
	    (to->except != NULL && to->except[0] != NULL &&
	    lists_add(&l->except, to->except) == -1)) {
		lists_clear(l);
		return (-1);
	}
	if (names != NULL)
		t->names = slice_of(l->names.data, l->names.len);
	if (l->except.len > 0)
		t->except = slice_of(l->except.data, l->except.len);
	return (0);
}

void
lists_clear(struct lists *l)
{
	buf_clear(&l->names);
	buf_clear(&l->except);
}

/*
 * The parts of JSON text: members of an object, items of an array, one level at a time,
 * and strings without their quotes.  Nothing is copied but what is asked for.
 */
#ifndef EVENTS_MEMBERS_H
#define EVENTS_MEMBERS_H

#include "common/bytes.h"

/*
 * Walk the object or array s: for (members_open(&at, s, '{'); members_next(&at, &name,
 * &value); ).  Name and value are text as it stands there; an array has no names.
 * open: '{' or '['.
 */
struct members {
	const char	*at, *end;
	int		 named;
};

/* 0; -1: s is not that. s is (part of) what json_valid() has found to be JSON. */
int	 members_open(struct members *m, struct slice s, char open);
int	 members_next(struct members *m, struct slice *name,
	    struct slice *value);

/* Is it a string?  Then append what it says to b; check b->failed.  A half of a
 * surrogate pair is U+FFFD.  0, or -1. */
int	 members_string(struct buf *b, struct slice text);
/* Is the name, with its quotes, this one? */
int	 members_is(struct slice name, const char *what);
/* Append s as a string; what is no UTF-8 in it has U+FFFD instead. */
void	 members_quote(struct buf *b, struct slice s);

#endif

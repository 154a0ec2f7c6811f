/*
 * A pattern is a path as a route has it: segments, of which {name} takes one that
 * is not empty, percent-decoded; a last segment "*" takes the rest, also nothing.
 * "/a/" is not "/a".
 */
#ifndef PROTO_PATTERN_H
#define PROTO_PATTERN_H

#include <sys/types.h>

#include "common/bytes.h"

#define PATTERN_SEGMENT	256		/* bytes of a segment */
#define PATTERN_VARS	8		/* {name}s */

/* What the {name}s of a pattern took out of a path, raw. */
struct taken {
	struct slice	 name[PATTERN_VARS], value[PATTERN_VARS];
	size_t		 n;
};

/* NULL, or a sentence: what is wrong with it. */
const char *pattern_fault(struct slice path);
/* Is there a {name}? */
int	 pattern_has(const char *pattern, const char *name);
/* Does path fit?  Then *taken is filled. */
int	 pattern_match(const char *pattern, struct slice path,
	    struct taken *taken);
/* The same for the first that fits of patterns with spaces between. */
int	 patterns_match(const char *patterns, struct slice path,
	    struct taken *taken);
/* Decode raw into dst, n bytes; its length, or -1: too long. */
ssize_t	 pattern_decode(char *dst, size_t n, struct slice raw);

#endif

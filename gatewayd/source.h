/*
 * A source is where the name of a group or a uid comes from: path:NAME query:NAME
 * cookie:NAME header:NAME bearer const:TEXT uuid random20.  Sources are tried in
 * order; an empty value counts as missing.
 *
 * What is a credential, or has digest: before it, gives its digest (digest.h); what
 * a client says that looks like one counts as missing.  {group} and {group_id} may
 * stand in the names of uid's.
 */
#ifndef GATEWAYD_SOURCE_H
#define GATEWAYD_SOURCE_H

#include <sys/types.h>

#include <stddef.h>

#include "common/bytes.h"
#include "proto/pattern.h"

#define SOURCES_MAX	8		/* of a group or a uid */

struct http_head;

enum source_kind {
	SOURCE_PATH, SOURCE_QUERY, SOURCE_COOKIE, SOURCE_HEADER, SOURCE_BEARER,
	SOURCE_CONST, SOURCE_UUID, SOURCE_RANDOM20
};

struct source {
	enum source_kind kind;
	int		 digest;	/* its value is a credential */
	char		*name;
};

struct sources {
	struct source	 list[SOURCES_MAX];
	size_t		 n;
};

/* One attempt to get values out of one head. */
struct source_ask {
	const struct http_head *head;
	struct taken	 taken;
	struct slice	 group;		/* data NULL: not known yet */
	int		 made;		/* the last value was drawn here */
};

/* word: one source, as the configuration has it; max: bytes of a value.  0, or -1
 * with *why. */
int	 sources_add(struct sources *s, struct slice word, size_t max,
	    const char **why);
void	 sources_clear(struct sources *s);
/* Does path:NAME name what is in the pattern?  0, or -1 with *why. */
int	 sources_check(const struct sources *s, const char *pattern,
	    const char **why);
/* Do they need no request? */
int	 sources_headless(const struct sources *s);
/* The one value that they can give, or NULL. */
const char *sources_constant(const struct sources *s);
/* Can the two never give the same value? */
int	 sources_apart(const struct sources *a, const struct sources *b);
/* The first that has a value, put into dst of max bytes.  0, or -1 with errno
 * ENOENT or EMSGSIZE. */
int	 sources_get(const struct sources *s, struct source_ask *l, char *dst,
	    size_t max, struct slice *out);
/* Is the word one that a connection may keep: path:NAME, query:NAME, cookie:NAME? */
int	 source_may_keep(struct slice word);
/* The value of number i, in dst of max bytes: its length; 0: none; -1: too long. */
ssize_t	 sources_value(const struct sources *s, size_t i, struct source_ask *l,
	    char *dst, size_t max);
/* key and all sources, closed by a '"'; nothing without sources. */
void	 sources_describe(struct buf *b, const char *key,
	    const struct sources *s);

#endif

/* Paths as routes have them. */
#include <string.h>

#include "proto/pattern.h"
#include "proto/limits.h"

/* Segments of a path behind its first '/', one a call; data NULL at the end. */
static struct slice
segment_next(struct slice *rest)
{
	struct slice	 s = *rest;
	const char	*slash;

	if (s.data == NULL)
		return (s);
	slash = s.len == 0 ? NULL : memchr(s.data, '/', s.len);
	if (slash == NULL) {
		*rest = slice_of(NULL, 0);
		return (s);
	}
	s.len = (size_t)(slash - s.data);
	rest->data += s.len + 1;
	rest->len -= s.len + 1;
	return (s);
}

/* Is the segment a {name}? */
static int
segment_is_var(struct slice s)
{
	return (s.len > 2 && s.data[0] == '{' && s.data[s.len - 1] == '}');
}

const char *
pattern_fault(struct slice path)
{
	struct slice	 rest, s;
	size_t		 vars = 0;

	if (path.data[0] != '/')
		return ("a path begins with '/'");
	rest = slice_of(path.data + 1, path.len - 1);
	while ((s = segment_next(&rest)).data != NULL) {
		if (s.len > PATTERN_SEGMENT)
			return ("a segment of the path is too long");
		if (segment_is_var(s)) {
			if (++vars > PATTERN_VARS)
				return ("too many {name}s in the path");
		} else if (slice_is(s, "*")) {
			if (rest.data != NULL)
				return ("'*' must be the last segment");
		} else if (s.len > 0 && strcspn(s.data, "{}*?#") < s.len)
			return ("a segment is text, {name}, or a last '*'");
	}
	return (NULL);
}

int
pattern_has(const char *pattern, const char *name)
{
	struct slice	 rest = slice_str(pattern + 1), s;

	while ((s = segment_next(&rest)).data != NULL)
		if (segment_is_var(s) &&
		    slice_is(slice_of(s.data + 1, s.len - 2), name))
			return (1);
	return (0);
}

ssize_t
pattern_decode(char *dst, size_t n, struct slice raw)
{
	char	 buf[3 * UID_MAX];
	size_t	 len;

	_Static_assert(UID_MAX >= GROUP_MAX && UID_MAX >= PATTERN_SEGMENT, "buf");
	if (raw.len > sizeof(buf))
		return (-1);
	len = bytes_unpercent(buf, raw, 0);
	if (len > n)
		return (-1);
	memcpy(dst, buf, len);
	return ((ssize_t)len);
}

/* Is a segment of a path the one that is wanted, however it was written? */
static int
segment_match(struct slice want, struct slice raw)
{
	char	 text[PATTERN_SEGMENT];
	ssize_t	 len;

	if (raw.len == 0 || memchr(raw.data, '%', raw.len) == NULL)
		return (slice_eq(want, raw));
	len = pattern_decode(text, sizeof(text), raw);
	return (len >= 0 && slice_eq(want, slice_of(text, (size_t)len)));
}

/* Does path fit that pattern? */
static int
pattern_fit(struct slice pattern, struct slice path, struct taken *taken)
{
	struct slice	 want_rest = slice_of(pattern.data + 1, pattern.len - 1);
	struct slice	 rest, want, s;

	taken->n = 0;
	if (path.len == 0 || path.data[0] != '/')
		return (0);		/* "OPTIONS *" */
	rest = slice_of(path.data + 1, path.len - 1);
	for (;;) {
		want = segment_next(&want_rest);
		if (slice_is(want, "*"))
			return (rest.data != NULL);
		s = segment_next(&rest);
		if (want.data == NULL || s.data == NULL)
			return (want.data == s.data);
		if (segment_is_var(want)) {
			if (s.len == 0)
				return (0);
			taken->name[taken->n] = slice_of(want.data + 1,
			    want.len - 2);
			taken->value[taken->n++] = s;
		} else if (!segment_match(want, s))
			return (0);
	}
}

int
pattern_match(const char *pattern, struct slice path, struct taken *taken)
{
	return (pattern_fit(slice_str(pattern), path, taken));
}

int
patterns_match(const char *patterns, struct slice path, struct taken *taken)
{
	size_t	 n;

	for (; *patterns != '\0'; patterns += n) {
		n = strcspn(patterns, " ");
		if (n > 0 && pattern_fit(slice_of(patterns, n), path, taken))
			return (1);
		n += patterns[n] == ' ';
	}
	return (0);
}

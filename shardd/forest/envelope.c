/* What servers notify each other of, read. */
#include <string.h>

#include "shardd/forest/envelope.h"

/* Behind white space. */
static const char *
envelope_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return (p);
}

/* Behind the string that begins at p; NULL: it has no end. */
static const char *
envelope_string(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '"')
			return (p + 1);
		if (*p == '\\')
			p++;
	}
	return (NULL);
}

/* Behind the value that begins at p; NULL: it has no end. */
static const char *
envelope_value(const char *p, const char *end)
{
	size_t	 depth = 0;

	while (p < end) {
		if (*p == '"') {
			if ((p = envelope_string(p, end)) == NULL)
				return (NULL);
			if (depth == 0)
				return (p);
			continue;
		}
		if (depth == 0 && (*p == ',' || *p == '}' || *p == ']'))
			return (p);
		if (*p == '{' || *p == '[')
			depth++;
		else if ((*p == '}' || *p == ']') && --depth == 0)
			return (p + 1);
		p++;
	}
	return (NULL);
}

/* What stands between the quotes, if it is a string without escapes. */
static struct slice
envelope_word(struct slice v)
{
	if (v.len < 2 || v.data[0] != '"' ||
	    memchr(v.data, '\\', v.len) != NULL)
		return (slice_of(NULL, 0));
	return (slice_of(v.data + 1, v.len - 2));
}

/* A member. */
static void
envelope_member(struct envelope *e, struct slice name, struct slice value)
{
	if (slice_is(name, "targetServerId"))
		e->target = envelope_word(value);
	else if (slice_is(name, "senderServerId"))
		e->sender = envelope_word(value);
	else if (slice_is(name, "message"))
		e->message = value;
	else if (slice_is(name, "messageId"))
		e->id = envelope_word(value);
}

int
envelope_read(struct envelope *e, struct slice text)
{
	const char	*p = text.data, *end = p + text.len, *name, *value;
	struct slice	 key;

	memset(e, 0, sizeof(*e));
	if ((p = envelope_space(p, end)) == end || *p != '{')
		return (-1);
	do {
		name = p = envelope_space(p + 1, end);
		if (p == end || *p != '"' || (p = envelope_string(p, end)) ==
		    NULL)
			return (-1);
		key = slice_of(name + 1, (size_t)(p - name) - 2);
		p = envelope_space(p, end);
		if (p == end || *p != ':')
			return (-1);
		value = p = envelope_space(p + 1, end);
		if (p == end || (p = envelope_value(p, end)) == NULL)
			return (-1);
		envelope_member(e, key, slice_trim(slice_of(value,
		    (size_t)(p - value))));
		p = envelope_space(p, end);
	} while (p < end && *p == ',');
	return (p < end && *p == '}' && e->sender.len > 0 ? 0 : -1);
}

/* Is something JSON text?  One pass, no recursion, no memory. */
#include <stdint.h>

#include "proto/utf8.h"
#include "shardd/events/json.h"

struct json {
	const uint8_t	*at, *end;
	size_t		 depth;
	uint8_t		 open[JSON_DEPTH / 8];	/* a bit a level: an object */
};

/* Pass over white space. */
static void
json_space(struct json *j)
{
	while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' ||
	    *j->at == '\n' || *j->at == '\r'))
		j->at++;
}

/* The next byte is c: it is passed over. */
static int
json_is(struct json *j, uint8_t c)
{
	if (j->at == j->end || *j->at != c)
		return (0);
	j->at++;
	return (1);
}

/* One or more digits. */
static int
json_digits(struct json *j)
{
	const uint8_t	*from = j->at;

	while (j->at < j->end && *j->at >= '0' && *j->at <= '9')
		j->at++;
	return (j->at > from);
}

static int
json_number(struct json *j)
{
	json_is(j, '-');
	if (!json_is(j, '0') && !json_digits(j))
		return (0);
	if (json_is(j, '.') && !json_digits(j))
		return (0);
	if (json_is(j, 'e') || json_is(j, 'E')) {
		if (!json_is(j, '+'))
			json_is(j, '-');
		return (json_digits(j));
	}
	return (1);
}

/* Four hexadecimal digits. */
static int
json_hex(struct json *j)
{
	for (int i = 0; i < 4; i++, j->at++)
		if (j->at == j->end || !((*j->at >= '0' && *j->at <= '9') ||
		    ((*j->at | 0x20) >= 'a' && (*j->at | 0x20) <= 'f')))
			return (0);
	return (1);
}

/* What follows the first quote. */
static int
json_string(struct json *j)
{
	uint8_t	 c;

	while (j->at < j->end) {
		c = *j->at++;
		if (c == '"')
			return (1);
		if (c < 0x20)
			return (0);
		if (c != '\\')
			continue;
		if (j->at == j->end)
			return (0);
		c = *j->at++;
		if (c == 'u') {
			if (!json_hex(j))
				return (0);
		} else if (memchr("\"\\/bfnrt", c, 8) == NULL)
			return (0);
	}
	return (0);
}

static int
json_word(struct json *j, const char *word)
{
	for (; *word != '\0'; word++)
		if (!json_is(j, (uint8_t)*word))
			return (0);
	return (1);
}

/* A value begins: 1, it is over; 2, it is one that has others in it; 0, it is none. */
static int
json_begin(struct json *j)
{
	if (j->at == j->end)
		return (0);
	switch (*j->at) {
	case '{':
	case '[':
		if (j->depth == JSON_DEPTH)
			return (0);
		j->open[j->depth / 8] &= (uint8_t)~(1u << j->depth % 8);
		if (*j->at++ == '{')
			j->open[j->depth / 8] |= (uint8_t)(1u << j->depth % 8);
		j->depth++;
		return (2);
	case '"':
		j->at++;
		return (json_string(j));
	case 't':
		return (json_word(j, "true"));
	case 'f':
		return (json_word(j, "false"));
	case 'n':
		return (json_word(j, "null"));
	default:
		return (json_number(j));
	}
}

/* Is the innermost open value an object? */
static int
json_in_object(const struct json *j)
{
	return (j->open[(j->depth - 1) / 8] >> (j->depth - 1) % 8 & 1);
}

/* The name before a member's value. */
static int
json_name(struct json *j)
{
	json_space(j);
	if (!json_is(j, '"') || !json_string(j))
		return (0);
	json_space(j);
	return (json_is(j, ':'));
}

/* A value is over, or (fresh) has begun and has nothing in it yet: on to the next one:
 * 1; 0, it is wrong; 2, there is none. */
static int
json_next(struct json *j, int fresh)
{
	for (; j->depth > 0; fresh = 0) {
		json_space(j);
		if (json_is(j, json_in_object(j) ? '}' : ']')) {
			j->depth--;
			continue;
		}
		if (!fresh && !json_is(j, ','))
			return (0);
		return (json_in_object(j) ? json_name(j) : 1);
	}
	json_space(j);
	return (j->at == j->end ? 2 : 0);
}

int
json_valid(struct slice s)
{
	struct json	 j = { .at = (const uint8_t *)s.data };
	int		 is;

	if (s.len == 0 || !utf8_valid(s.data, s.len))
		return (0);
	j.end = j.at + s.len;
	for (;;) {
		json_space(&j);
		if ((is = json_begin(&j)) == 0)
			return (0);
		if ((is = json_next(&j, is == 2)) != 1)
			return (is == 2);
	}
}

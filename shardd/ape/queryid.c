/* The name of a call, which both sides compute from its text. */
#include <string.h>

#include "common/bytes.h"
#include "shardd/ape/queryid.h"

static const char	 queryid_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* h >> n as signed numbers are shifted in JavaScript, and by our compilers. */
static uint32_t
queryid_shift(uint32_t h, unsigned n)
{
	return ((uint32_t)((int32_t)h >> n));
}

/* One unit more. */
static uint32_t
queryid_step(uint32_t h, uint32_t unit)
{
	h += unit;
	h += h << 10;
	return (h ^ queryid_shift(h, 6));
}

uint32_t
queryid_hash(const char *text, size_t len)
{
	const unsigned char	*s = (const unsigned char *)text;
	const unsigned char	*end = s + len;
	uint32_t		 h = 0, c;
	int			 more;

	while (s < end) {
		c = *s++;
		if (c < 0x80) {
			h = queryid_step(h, c);
			continue;
		}
		more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		c &= more == 1 ? 0x1f : more == 2 ? 0x0f : 0x07;
		for (; more > 0 && s < end; more--)
			c = c << 6 | (*s++ & 0x3f);
		if (c >= 0x10000) {
			h = queryid_step(h, 0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		h = queryid_step(h, c);
	}
	h += h << 3;
	h ^= queryid_shift(h, 11);
	h += h << 15;
	return (h);
}

void
queryid_text(char dst[QUERYID_SIZE], uint32_t hash)
{
	int	 n = 1;

	while (n < QUERYID_SIZE - 1 && hash >> (5 * n) != 0)
		n++;
	dst[n] = '\0';
	for (; n > 0; hash >>= 5)
		dst[--n] = queryid_digits[hash & 31];
}

void
queryid_random(char *dst, size_t n)
{
	uint64_t	 bits = 0;

	for (size_t i = 0; i < n; i++) {
		if (i % 12 == 0)
			bits = bytes_random64();
		dst[i] = queryid_digits[bits & 31];
		bits >>= 5;
	}
	dst[n] = '\0';
}

int
queryid_is(const char *s, size_t len, size_t n)
{
	if (len != n)
		return (0);
	for (size_t i = 0; i < n; i++)
		if (s[i] == '\0' || strchr(queryid_digits, s[i]) == NULL)
			return (0);
	return (1);
}

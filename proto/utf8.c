/* UTF-8 (RFC 3629), resumable at any byte. */
#include <string.h>

#include "proto/utf8.h"

#define UTF8_HIGH	0x8080808080808080u	/* of 8 bytes, one is not ASCII */

/*
 * Within a character the state is: continuation bytes still wanted, in the low
 * byte, and the range that the next one must be in, in the two above.
 */
#define UTF8_WANT(n, lo, hi)	(((uint32_t)(n) + 1u) | (uint32_t)(lo) << 8 | \
				    (uint32_t)(hi) << 16)

static uint32_t
utf8_lead(unsigned char c)
{
	if (c >= 0xc2 && c <= 0xdf)
		return (UTF8_WANT(1, 0x80, 0xbf));
	if (c == 0xe0)
		return (UTF8_WANT(2, 0xa0, 0xbf));
	if (c == 0xed)
		return (UTF8_WANT(2, 0x80, 0x9f));	/* no surrogates */
	if (c >= 0xe1 && c <= 0xef)
		return (UTF8_WANT(2, 0x80, 0xbf));
	if (c == 0xf0)
		return (UTF8_WANT(3, 0x90, 0xbf));
	if (c >= 0xf1 && c <= 0xf3)
		return (UTF8_WANT(3, 0x80, 0xbf));
	if (c == 0xf4)
		return (UTF8_WANT(3, 0x80, 0x8f));	/* up to U+10FFFF */
	return (UTF8_BAD);
}

uint32_t
utf8_feed(uint32_t state, const void *data, size_t len)
{
	const unsigned char	*p = data, *end;
	uint64_t		 a, b;

	if (state == UTF8_BAD || len == 0)
		return (state);
	end = p + len;
	while (p < end) {
		if (state == UTF8_OK) {
			while (end - p >= 16) {
				memcpy(&a, p, 8);
				memcpy(&b, p + 8, 8);
				if ((a | b) & UTF8_HIGH)
					break;
				p += 16;
			}
			if (end - p >= 8) {
				memcpy(&a, p, 8);
				p += (a & UTF8_HIGH) == 0 ? 8 : 0;
			}
			while (p < end && *p < 0x80)
				p++;
			if (p == end)
				break;
			if ((state = utf8_lead(*p++)) == UTF8_BAD)
				return (UTF8_BAD);
			continue;
		}
		if (*p < (state >> 8 & 0xff) || *p > (state >> 16 & 0xff))
			return (UTF8_BAD);
		p++;
		state = (state & 0xff) == 2 ? UTF8_OK :
		    UTF8_WANT((state & 0xff) - 2, 0x80, 0xbf);
	}
	return (state);
}

int
utf8_valid(const void *data, size_t len)
{
	return (utf8_feed(UTF8_OK, data, len) == UTF8_OK);
}

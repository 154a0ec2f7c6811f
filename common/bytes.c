/* Slices, the growing buffer, and escapings. */
#include <sys/random.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "common/bytes.h"

int
slice_eq(struct slice a, struct slice b)
{
	return (a.len == b.len &&
	    (a.len == 0 || memcmp(a.data, b.data, a.len) == 0));
}

int
slice_caseeq(struct slice a, struct slice b)
{
	return (a.len == b.len &&
	    (a.len == 0 || strncasecmp(a.data, b.data, a.len) == 0));
}

struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && (*s.data == ' ' || *s.data == '\t'))
		s.data++, s.len--;
	while (s.len > 0 &&
	    (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
		s.len--;
	return (s);
}

char *
slice_dup(struct slice s)
{
	char	*p;

	if ((p = malloc(s.len + 1)) == NULL)
		return (NULL);
	if (s.len > 0)
		memcpy(p, s.data, s.len);
	p[s.len] = '\0';
	return (p);
}

int
slice_u64(struct slice s, uint64_t max, uint64_t *out)
{
	uint64_t	 v = 0;

	if (s.len == 0)
		goto inval;
	for (size_t i = 0; i < s.len; i++) {
		unsigned	 d = (unsigned char)s.data[i] - (unsigned)'0';

		if (d > 9)
			goto inval;
		if (v > (UINT64_MAX - d) / 10 || v * 10 + d > max) {
			/* Still digits to the end?  Then it is the range. */
			for (; i < s.len; i++)
				if (s.data[i] < '0' || s.data[i] > '9')
					goto inval;
			errno = ERANGE;
			return (-1);
		}
		v = v * 10 + d;
	}
	*out = v;
	return (0);
inval:
	errno = EINVAL;
	return (-1);
}

void
buf_clear(struct buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
	b->failed = 0;
}

struct buf
buf_take(struct buf *kept)
{
	struct buf	 b = *kept;

	memset(kept, 0, sizeof(*kept));
	b.len = 0;
	return (b);
}

void
buf_give(struct buf *kept, struct buf *b)
{
	if (kept->data != NULL || b->cap > BUF_KEEP || b->failed) {
		buf_clear(b);
		return;
	}
	*kept = *b;
	memset(b, 0, sizeof(*b));
}

char *
buf_reserve(struct buf *b, size_t n)
{
	size_t	 need, cap;
	char	*p;

	if (b->failed)
		return (NULL);
	if (n > SIZE_MAX / 2 - b->len ||
	    (b->max != 0 && (b->len > b->max || n > b->max - b->len)))
		goto fail;
	need = b->len + n;
	if (need <= b->cap && b->data != NULL)
		return (b->data + b->len);
	cap = b->cap < 64 ? 64 : b->cap;
	while (cap < need)
		cap += cap / 2;
	if (b->max != 0 && cap > b->max)
		cap = b->max;
	/* One more: the terminator of buf_addf() is not within max. */
	if ((p = realloc(b->data, cap + 1)) == NULL)
		goto fail;
	b->data = p;
	b->cap = cap;
	return (b->data + b->len);
fail:
	b->failed = 1;
	errno = ENOMEM;
	return (NULL);
}

int
buf_grow_add(struct buf *b, const void *p, size_t n)
{
	char	*at;

	if ((at = buf_reserve(b, n)) == NULL)
		return (-1);
	if (n > 0)
		memcpy(at, p, n);
	b->len += n;
	return (0);
}

int
buf_adds(struct buf *b, const char *s)
{
	return (buf_add(b, s, strlen(s)));
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list	 ap;
	char	 small[128], *at;
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0 || (at = buf_reserve(b, (size_t)n)) == NULL) {
		b->failed = 1;
		return (-1);
	}
	if ((size_t)n < sizeof(small))
		memcpy(at, small, (size_t)n + 1);
	else {
		va_start(ap, fmt);
		vsnprintf(at, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
	return (0);
}

void
buf_drain(struct buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	b->len -= n;
	if (b->len > 0 && n > 0)
		memmove(b->data, b->data + n, b->len);
}

void
buf_pass(struct buf *b, size_t *at, size_t n)
{
	*at += n;
	if (*at <= b->len / 2)
		return;
	buf_drain(b, *at);
	*at = 0;
}

static int
bytes_unhex(char c)
{
	if (c >= '0' && c <= '9')
		return (c - '0');
	if (c >= 'a' && c <= 'f')
		return (c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (c - 'A' + 10);
	return (-1);
}

size_t
bytes_unpercent(char *dst, struct slice s, int plus)
{
	size_t	 n = 0;

	for (size_t i = 0; i < s.len; i++) {
		int	 hi, lo;

		if (s.data[i] == '%' && s.len - i > 2 &&
		    (hi = bytes_unhex(s.data[i + 1])) != -1 &&
		    (lo = bytes_unhex(s.data[i + 2])) != -1) {
			dst[n++] = (char)(hi << 4 | lo);
			i += 2;
		} else if (plus && s.data[i] == '+')
			dst[n++] = ' ';
		else
			dst[n++] = s.data[i];
	}
	return (n);
}

int
bytes_percent(struct buf *b, struct slice s)
{
	static const char	 hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.len; i++) {
		unsigned char	 c = (unsigned char)s.data[i];
		char		 esc[3] = { '%', hex[c >> 4], hex[c & 15] };

		if (c < 128 && (isalnum(c) || strchr("-._~", c) != NULL) &&
		    c != '\0')
			buf_add(b, &s.data[i], 1);
		else
			buf_add(b, esc, 3);
	}
	return (b->failed ? -1 : 0);
}

int
bytes_html(struct buf *b, struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		switch (s.data[i]) {
		case '&': buf_adds(b, "&amp;"); break;
		case '<': buf_adds(b, "&lt;"); break;
		case '>': buf_adds(b, "&gt;"); break;
		case '"': buf_adds(b, "&quot;"); break;
		case '\'': buf_adds(b, "&#39;"); break;
		default: buf_add(b, &s.data[i], 1); break;
		}
	return (b->failed ? -1 : 0);
}

void
bytes_hex(char *dst, const void *src, size_t n)
{
	static const char	 hex[] = "0123456789abcdef";
	const unsigned char	*p = src;

	for (size_t i = 0; i < n; i++) {
		*dst++ = hex[p[i] >> 4];
		*dst++ = hex[p[i] & 15];
	}
	*dst = '\0';
}

uint64_t
bytes_random64(void)
{
	uint64_t	 v = 0;

	while (v == 0)
		if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
			v = 0;
	return (v);
}

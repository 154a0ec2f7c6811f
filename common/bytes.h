/*
 * Bytes: slices, a growing buffer, integers, and the escapings we use.
 */
#ifndef COMMON_BYTES_H
#define COMMON_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define nitems(a)	(sizeof(a) / sizeof((a)[0]))
#define container_of(p, type, member)					\
	((type *)(void *)((char *)(p) - offsetof(type, member)))

/* A borrowed run of bytes; data may be NULL when len is 0. */
struct slice {
	const char	*data;
	size_t		 len;
};

static inline struct slice
slice_of(const void *data, size_t len)
{
	return ((struct slice){ data, len });
}
static inline struct slice
slice_str(const char *s)
{
	return ((struct slice){ s, s == NULL ? 0 : strlen(s) });
}
int	 slice_eq(struct slice a, struct slice b);
/* ASCII case folded, as strcasecmp(3) has it. */
int	 slice_caseeq(struct slice a, struct slice b);
/* The same of a slice and a string; the length of a literal is known when it is built. */
static inline int
slice_is(struct slice a, const char *s)
{
	return (a.len == strlen(s) && slice_eq(a, slice_of(s, a.len)));
}
static inline int
slice_caseis(struct slice a, const char *s)
{
	return (a.len == strlen(s) && slice_caseeq(a, slice_of(s, a.len)));
}
/* Without leading and trailing SP and HTAB. */
struct slice slice_trim(struct slice s);
/* malloc'd, terminated copy; NULL with errno ENOMEM. */
char	*slice_dup(struct slice s);
/* Decimal digits only, no sign, at most max: 0, or -1 with errno EINVAL
 * (empty or not digits) or ERANGE. */
int	 slice_u64(struct slice s, uint64_t max, uint64_t *out);

/*
 * A growing buffer.  Zero-initialised is empty and valid.  When an append
 * fails (ENOMEM, or beyond max), `failed` sticks and later appends do
 * nothing, so one check at the end is enough.
 */
struct buf {
	char	*data;
	size_t	 len, cap;
	size_t	 max;			/* 0: no bound */
	int	 failed;
};

void	 buf_clear(struct buf *b);		/* frees, back to empty */
/* Empty b, which keeps its room: for a buffer that is used again. */
static inline void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = 0;
}
/* A buffer for a function that may be called again while it runs: buf_take() has the
 * memory of the kept buffer, if that is not in use, and buf_give() puts back what is
 * no more than BUF_KEEP. */
#define BUF_KEEP	(64 << 10)
struct buf buf_take(struct buf *kept);
void	 buf_give(struct buf *kept, struct buf *b);	/* b is empty then */
/* Room for n more bytes behind len; NULL with errno and failed set. */
char	*buf_reserve(struct buf *b, size_t n);
int	 buf_grow_add(struct buf *b, const void *p, size_t n);
/* Append n bytes, for which there mostly is room: 0, or -1. */
static inline int
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0 || b->failed || n > b->cap || b->len > b->cap - n ||
	    (b->max != 0 && b->len + n > b->max))
		return (buf_grow_add(b, p, n));
	memcpy(b->data + b->len, p, n);
	b->len += n;
	return (0);
}
int	 buf_adds(struct buf *b, const char *s);
int	 buf_addf(struct buf *b, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
void	 buf_drain(struct buf *b, size_t n);	/* drop n from the front */
/* For a queue, whose first *at bytes are through: n more are.  Bytes that are through
 * are dropped when they are most of b, so that moving the rest costs no more than adding
 * did, however little is taken at a time. */
void	 buf_pass(struct buf *b, size_t *at, size_t n);

/* Big endian, as the network has it. */
static inline uint16_t
bytes_get_be16(const void *p)
{
	const uint8_t *b = p;
	return ((uint16_t)(b[0] << 8 | b[1]));
}
static inline uint32_t
bytes_get_be32(const void *p)
{
	const uint8_t *b = p;
	return ((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	    (uint32_t)b[2] << 8 | b[3]);
}
static inline uint64_t
bytes_get_be64(const void *p)
{
	const uint8_t *b = p;
	return ((uint64_t)bytes_get_be32(b) << 32 | bytes_get_be32(b + 4));
}
static inline void
bytes_put_be16(void *p, uint16_t v)
{
	uint8_t *b = p;
	b[0] = (uint8_t)(v >> 8), b[1] = (uint8_t)v;
}
static inline void
bytes_put_be32(void *p, uint32_t v)
{
	uint8_t *b = p;
	b[0] = (uint8_t)(v >> 24), b[1] = (uint8_t)(v >> 16);
	b[2] = (uint8_t)(v >> 8), b[3] = (uint8_t)v;
}
static inline void
bytes_put_be64(void *p, uint64_t v)
{
	bytes_put_be32(p, (uint32_t)(v >> 32));
	bytes_put_be32((char *)p + 4, (uint32_t)v);
}

/*
 * RFC 3986 percent-decoding of s into dst (at least s.len bytes).  With
 * plus set, '+' reads as a space (query strings).  A '%' without two hex
 * digits stays as it is.  Returns the length; no terminator is written.
 */
size_t	 bytes_unpercent(char *dst, struct slice s, int plus);
/* Percent-encode into b everything but unreserved characters (RFC 3986
 * 2.3).  For URLs and cookies. */
int	 bytes_percent(struct buf *b, struct slice s);
/* Append s with & < > " ' as character references, for HTML. */
int	 bytes_html(struct buf *b, struct slice s);
/* Lower-case hex, 2 n characters and a terminator into dst. */
void	 bytes_hex(char *dst, const void *src, size_t n);
/* 64 random bits from getrandom(2); never 0. */
uint64_t bytes_random64(void);

#endif

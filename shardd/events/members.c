/* The parts of JSON text. */
#include "proto/jss_write.h"
#include "proto/utf8.h"
#include "shardd/events/members.h"

#define REPLACEMENT	"\xef\xbf\xbd"	/* U+FFFD */

/* Pass over white space and what separates values. */
static void
members_space(struct members *m)
{
	while (m->at < m->end && memchr(" \t\r\n,:", *m->at, 6) != NULL)
		m->at++;
}

int
members_open(struct members *m, struct slice s, char open)
{
	*m = (struct members){ .at = s.data, .end = s.data + s.len };
	members_space(m);
	if (m->at == m->end || *m->at != open)
		return (-1);
	m->at++;
	m->named = open == '{';
	return (0);
}

/* Pass over a string, whose first quote is next. */
static void
members_pass_string(struct members *m)
{
	for (m->at++; m->at < m->end && *m->at != '"'; m->at++)
		if (*m->at == '\\' && m->at + 1 < m->end)
			m->at++;
	if (m->at < m->end)
		m->at++;
}

/* The value that is next, whatever is within. */
static struct slice
members_value(struct members *m)
{
	const char	*from = m->at;
	size_t		 depth = 0;

	do {
		if (*m->at == '"') {
			members_pass_string(m);
			continue;
		}
		if (*m->at == '{' || *m->at == '[')
			depth++;
		else if (*m->at == '}' || *m->at == ']') {
			if (depth == 0)
				break;
			depth--;
		} else if (depth == 0 && memchr(" \t\r\n,:", *m->at, 6) != NULL)
			break;
		m->at++;
	} while (m->at < m->end && (depth > 0 || memchr(" \t\r\n,:]}", *m->at,
	    8) == NULL));
	return (slice_of(from, (size_t)(m->at - from)));
}

int
members_next(struct members *m, struct slice *name, struct slice *value)
{
	*name = slice_of(NULL, 0);
	members_space(m);
	if (m->at >= m->end || *m->at == '}' || *m->at == ']')
		return (0);
	if (m->named) {
		*name = members_value(m);
		members_space(m);
		if (m->at >= m->end)
			return (0);
	}
	*value = members_value(m);
	return (1);
}

int
members_is(struct slice name, const char *what)
{
	return (name.len == strlen(what) + 2 &&
	    slice_is(slice_of(name.data + 1, name.len - 2), what));
}

/* ---- strings ---- */

/* Four hexadecimal digits. */
static uint32_t
members_hex(const char *p)
{
	uint32_t	 v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 4 | (uint32_t)(p[i] <= '9' ? p[i] - '0' :
		    (p[i] | 0x20) - 'a' + 10);
	return (v);
}

/* Append the character c as UTF-8. */
static void
members_character(struct buf *b, uint32_t c)
{
	char	 u[4];

	if (c < 0x80) {
		u[0] = (char)c;
		buf_add(b, u, 1);
	} else if (c < 0x800) {
		u[0] = (char)(0xc0 | c >> 6);
		u[1] = (char)(0x80 | (c & 0x3f));
		buf_add(b, u, 2);
	} else if (c < 0x10000) {
		u[0] = (char)(0xe0 | c >> 12);
		u[1] = (char)(0x80 | (c >> 6 & 0x3f));
		u[2] = (char)(0x80 | (c & 0x3f));
		buf_add(b, u, 3);
	} else {
		u[0] = (char)(0xf0 | c >> 18);
		u[1] = (char)(0x80 | (c >> 12 & 0x3f));
		u[2] = (char)(0x80 | (c >> 6 & 0x3f));
		u[3] = (char)(0x80 | (c & 0x3f));
		buf_add(b, u, 4);
	}
}

/* What stands behind "\u" at p; returns what is behind it. */
static const char *
members_unicode(struct buf *b, const char *p, const char *end)
{
	uint32_t	 c = members_hex(p), low;

	p += 4;
	if (c >= 0xd800 && c < 0xdc00 && end - p >= 6 && p[0] == '\\' &&
	    p[1] == 'u' && (low = members_hex(p + 2)) >= 0xdc00 &&
	    low < 0xe000) {
		members_character(b, 0x10000 + ((c - 0xd800) << 10) +
		    (low - 0xdc00));
		return (p + 6);
	}
	if (c >= 0xd800 && c < 0xe000)
		buf_adds(b, REPLACEMENT);
	else
		members_character(b, c);
	return (p);
}

int
members_string(struct buf *b, struct slice text)
{
	static const char	 from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char		*p, *end, *run, *which;

	if (text.len < 2 || text.data[0] != '"')
		return (-1);
	end = text.data + text.len - 1;
	for (p = run = text.data + 1; p < end; ) {
		if (*p != '\\') {
			p++;
			continue;
		}
		buf_add(b, run, (size_t)(p - run));
		if (*++p == 'u')
			p = members_unicode(b, p + 1, end);
		else {
			which = strchr(from, *p);
			buf_add(b, which == NULL ? p : to + (which - from), 1);
			p++;
		}
		run = p;
	}
	buf_add(b, run, (size_t)(p - run));
	return (0);
}

void
members_quote(struct buf *b, struct slice s)
{
	struct buf	 clean = { 0 };

	if (utf8_valid(s.data, s.len)) {
		jss_write_string(b, s.len == 0 ? "" : s.data, s.len);
		return;
	}
	for (size_t i = 0; i < s.len; i++)
		if ((uint8_t)s.data[i] < 0x80)
			buf_add(&clean, s.data + i, 1);
		else
			buf_adds(&clean, REPLACEMENT);
	jss_write_string(b, clean.data, clean.len);
	b->failed |= clean.failed;
	buf_clear(&clean);
}

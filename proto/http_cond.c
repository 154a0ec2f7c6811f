/* What a request wants of a representation: conditions, ranges, compression. */
#include <stdlib.h>
#include <string.h>

#include "proto/http_cond.h"

/* ---- dates ---- */

void
http_date_write(char out[HTTP_DATE_LEN], time_t t)
{
	struct tm	 tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, HTTP_DATE_LEN, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
		out[0] = '\0';
}

int
http_date_read(struct slice s, time_t *t)
{
	static const char *const	 forms[] = {
		"%a, %d %b %Y %H:%M:%S GMT",	/* IMF-fixdate */
		"%A, %d-%b-%y %H:%M:%S GMT",	/* RFC 850 */
		"%a %b %d %H:%M:%S %Y",		/* asctime */
	};
	char		 text[64];
	const char	*end;
	struct tm	 tm;

	if (s.len == 0 || s.len >= sizeof(text))
		return (-1);
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	for (size_t i = 0; i < nitems(forms); i++) {
		memset(&tm, 0, sizeof(tm));
		end = strptime(text, forms[i], &tm);
		if (end == NULL || *end != '\0')
			continue;
		*t = timegm(&tm);
		return (0);
	}
	return (-1);
}

/* The date in a field; 0, or -1: none, or no date. */
static int
http_cond_date(const struct http_head *h, const char *name, time_t *t)
{
	const struct http_header	*f = http_head_find(h, name);

	return (f == NULL ? -1 : http_date_read(f->value, t));
}

/* ---- entity tags ---- */

/* Without W/. */
static struct slice
http_etag_opaque(struct slice tag)
{
	if (tag.len > 2 && tag.data[0] == 'W' && tag.data[1] == '/')
		return (slice_of(tag.data + 2, tag.len - 2));
	return (tag);
}

/* Cut the next tag of a list off s; len 0: there is none, or no list any more. */
static struct slice
http_etag_next(struct slice *s)
{
	struct slice	 tag;
	const char	*end;
	size_t		 n;

	while (s->len > 0 && strchr(" \t,", s->data[0]) != NULL)
		s->data++, s->len--;
	tag = *s;
	n = tag.len > 2 && tag.data[0] == 'W' && tag.data[1] == '/' ? 2 : 0;
	if (tag.len < n + 2 || tag.data[n] != '"' || (end = memchr(tag.data +
	    n + 1, '"', tag.len - n - 1)) == NULL)
		return (slice_of(NULL, 0));
	tag.len = (size_t)(end - tag.data) + 1;
	s->data += tag.len;
	s->len -= tag.len;
	return (tag);
}

/* Is the entity named by a field of that name?  -1: there is no such field. */
static int
http_etag_listed(const struct http_head *h, const char *name,
    const struct http_entity *e, int strong)
{
	struct slice	 list, tag;
	int		 found = -1;

	for (size_t i = 0; i < h->nheaders; i++) {
		if (!slice_caseis(h->headers[i].name, name))
			continue;
		list = slice_trim(h->headers[i].value);
		if (slice_is(list, "*"))
			return (1);
		if (found == -1)
			found = 0;
		while (e->etag.data != NULL &&
		    (tag = http_etag_next(&list)).len > 0)
			if (strong ? tag.data[0] == '"' &&
			    slice_eq(tag, e->etag) : slice_eq(
			    http_etag_opaque(tag), http_etag_opaque(e->etag)))
				found = 1;
	}
	return (found);
}

/* ---- ranges ---- */

/* Digits at the beginning of *s: 0, or -1: there are none.  What is too large is the
 * largest. */
static int
http_range_number(struct slice *s, uint64_t *n)
{
	const char	*at = s->data;
	unsigned	 digit;

	*n = 0;
	while (s->len > 0 && *s->data >= '0' && *s->data <= '9') {
		digit = (unsigned)(*s->data - '0');
		*n = *n > (UINT64_MAX - digit) / 10 ? UINT64_MAX :
		    *n * 10 + digit;
		s->data++, s->len--;
	}
	return (s->data == at ? -1 : 0);
}

/* The range in a field's value: 206, 416, or 200: none that we answer. */
static int
http_range_read(struct slice s, uint64_t size, struct http_range *r)
{
	static const char	 unit[] = "bytes=";
	uint64_t		 first, last = UINT64_MAX;
	int			 suffix;

	if (s.len < sizeof(unit) || !slice_caseis(slice_of(s.data,
	    sizeof(unit) - 1), unit))
		return (200);
	s = slice_trim(slice_of(s.data + sizeof(unit) - 1,
	    s.len - sizeof(unit) + 1));
	suffix = http_range_number(&s, &first) == -1;
	if (s.len == 0 || s.data[0] != '-')
		return (200);
	s.data++, s.len--;
	if ((s.len > 0 && http_range_number(&s, &last) == -1) || s.len > 0 ||
	    (suffix && last == UINT64_MAX) || (!suffix && last < first))
		return (200);
	if (suffix) {
		first = last < size ? size - last : 0;
		if (last == 0)
			return (416);
		last = UINT64_MAX;
	}
	if (first >= size)
		return (416);
	r->first = first;
	r->len = (last < size - 1 ? last : size - 1) - first + 1;
	return (206);
}

/* Does the range that is asked for belong to this representation? */
static int
http_range_holds(const struct http_head *h, const struct http_entity *e)
{
	const struct http_header	*f = http_head_find(h, "If-Range");
	time_t				 t;

	if (f == NULL)
		return (1);
	if (f->value.len > 0 && f->value.data[f->value.len - 1] == '"')
		return (e->etag.data != NULL && f->value.data[0] == '"' &&
		    slice_eq(f->value, e->etag));
	return (http_date_read(f->value, &t) == 0 && e->modified != 0 &&
	    t == e->modified);
}

/* ---- all of it ---- */

int
http_condition(const struct http_head *h, const struct http_entity *e,
    struct http_range *range)
{
	const struct http_header	*f;
	time_t				 t;
	int				 listed;

	listed = http_etag_listed(h, "If-Match", e, 1);
	if (listed == 0 || (listed == -1 && e->modified != 0 &&
	    http_cond_date(h, "If-Unmodified-Since", &t) == 0 &&
	    e->modified > t))
		return (412);
	listed = http_etag_listed(h, "If-None-Match", e, 0);
	if (listed == 1 || (listed == -1 && e->modified != 0 &&
	    http_cond_date(h, "If-Modified-Since", &t) == 0 &&
	    e->modified <= t))
		return (304);
	if (range == NULL || !slice_is(h->method, "GET") ||
	    (f = http_head_find(h, "Range")) == NULL || !http_range_holds(h, e))
		return (200);
	return (http_range_read(f->value, e->size, range));
}

/* Is its weight, in what stands behind the coding, not 0? */
static int
http_weight(struct slice s)
{
	s = slice_trim(s);
	if (s.len == 0 || s.data[0] != ';')
		return (1);
	s = slice_trim(slice_of(s.data + 1, s.len - 1));
	if (s.len < 3 || (s.data[0] | 0x20) != 'q' || s.data[1] != '=')
		return (1);
	for (size_t i = 2; i < s.len; i++)
		if (s.data[i] != '0' && s.data[i] != '.')
			return (1);
	return (0);
}

int
http_takes_gzip(const struct http_head *h)
{
	const struct http_header	*f = http_head_find(h,
					    "Accept-Encoding");
	struct slice			 s, item;
	const char			*comma;
	size_t				 n;

	for (s = f == NULL ? slice_of(NULL, 0) : f->value; s.len > 0; ) {
		comma = memchr(s.data, ',', s.len);
		n = comma == NULL ? s.len : (size_t)(comma - s.data);
		item = slice_trim(slice_of(s.data, n));
		s.data += n + (comma != NULL);
		s.len -= n + (comma != NULL);
		if (item.len >= 4 && slice_caseis(slice_of(item.data, 4),
		    "gzip") && (item.len == 4 || strchr(" \t;",
		    item.data[4]) != NULL))
			return (http_weight(slice_of(item.data + 4,
			    item.len - 4)));
	}
	return (0);
}

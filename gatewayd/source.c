/* Where names of groups and uids come from. */
#include <sys/types.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gatewayd/source.h"
#include "proto/digest.h"
#include "proto/http_head.h"
#include "proto/limits.h"

static const struct source_row {
	const char	*word;
	int		 named;		/* ":NAME" follows */
	int		 sent;		/* by the client */
} source_rows[] = {
	[SOURCE_PATH]		= { "path", 1, 1 },
	[SOURCE_QUERY]		= { "query", 1, 1 },
	[SOURCE_COOKIE]		= { "cookie", 1, 1 },
	[SOURCE_HEADER]		= { "header", 1, 1 },
	[SOURCE_BEARER]		= { "bearer", 0, 1 },
	[SOURCE_CONST]		= { "const", 1, 0 },
	[SOURCE_UUID]		= { "uuid", 0, 0 },
	[SOURCE_RANDOM20]	= { "random20", 0, 0 },
};

static int	 source_parse(struct source *, struct slice, const char **);
static ssize_t	 source_get(const struct source *, struct source_ask *, char *,
		    size_t);

int
sources_add(struct sources *s, struct slice word, size_t max, const char **why)
{
	const struct source	*src;

	if (s->n == SOURCES_MAX) {
		*why = "too many sources";
		return (-1);
	}
	if (source_parse(&s->list[s->n], word, why) == -1)
		return (-1);
	src = &s->list[s->n++];
	if (src->kind == SOURCE_CONST && strlen(src->name) > max) {
		*why = "the text behind const: is too long";
		return (-1);
	}
	return (0);
}

void
sources_clear(struct sources *s)
{
	while (s->n > 0)
		free(s->list[--s->n].name);
}

int
sources_check(const struct sources *s, const char *pattern, const char **why)
{
	static char	 text[2 * PATTERN_SEGMENT];

	for (size_t i = 0; i < s->n; i++) {
		if (s->list[i].kind != SOURCE_PATH ||
		    pattern_has(pattern, s->list[i].name))
			continue;
		snprintf(text, sizeof(text), "path:%s, but there is no {%s} in "
		    "the path %s", s->list[i].name, s->list[i].name, pattern);
		*why = text;
		return (-1);
	}
	return (0);
}

int
sources_headless(const struct sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->list[i].kind != SOURCE_CONST &&
		    s->list[i].kind != SOURCE_UUID &&
		    s->list[i].kind != SOURCE_RANDOM20)
			return (0);
	return (1);
}

const char *
sources_constant(const struct sources *s)
{
	return (s->n > 0 && s->list[0].kind == SOURCE_CONST ?
	    s->list[0].name : NULL);
}

int
sources_apart(const struct sources *a, const struct sources *b)
{
	const struct source	*x = &a->list[0], *y = &b->list[0];

	return (a->n == 1 && x->kind == SOURCE_CONST &&
	    b->n == 1 && y->kind == SOURCE_CONST &&
	    strcmp(x->name, y->name) != 0);
}

int
sources_get(const struct sources *s, struct source_ask *l, char *dst, size_t max,
    struct slice *out)
{
	ssize_t	 n;

	for (size_t i = 0; i < s->n; i++) {
		if ((n = source_get(&s->list[i], l, dst, max)) == 0)
			continue;
		if (n == -1) {
			errno = EMSGSIZE;
			return (-1);
		}
		*out = slice_of(dst, (size_t)n);
		return (0);
	}
	errno = ENOENT;
	return (-1);
}

int
source_may_keep(struct slice word)
{
	static const enum source_kind	 kinds[] = { SOURCE_PATH, SOURCE_QUERY,
				    SOURCE_COOKIE };
	size_t				 n;

	for (size_t i = 0; i < nitems(kinds); i++) {
		n = strlen(source_rows[kinds[i]].word);
		if (word.len > n + 1 && word.data[n] == ':' &&
		    memcmp(word.data, source_rows[kinds[i]].word, n) == 0)
			return (1);
	}
	return (0);
}

ssize_t
sources_value(const struct sources *s, size_t i, struct source_ask *l,
    char *dst, size_t max)
{
	return (source_get(&s->list[i], l, dst, max));
}

void
sources_describe(struct buf *b, const char *key, const struct sources *s)
{
	for (size_t i = 0; i < s->n; i++)
		buf_addf(b, "%s%s%s%s", i == 0 ? key : " ",
		    source_rows[s->list[i].kind].word,
		    source_rows[s->list[i].kind].named ? ":" : "",
		    s->list[i].name);
	if (s->n > 0)
		buf_adds(b, "\"");
}

/* ---- one ---- */

/* One word of the configuration.  0, or -1 with *why. */
static int
source_parse(struct source *src, struct slice word, const char **why)
{
	static const char	 digest[] = "digest:";
	const size_t		 skip = sizeof(digest) - 1;
	const char		*colon;
	struct slice		 kind, name = slice_of(NULL, 0);
	size_t			 i;

	src->digest = word.len > skip && memcmp(word.data, digest, skip) == 0;
	if (src->digest)
		word = slice_of(word.data + skip, word.len - skip);
	kind = word;
	if ((colon = memchr(word.data, ':', word.len)) != NULL) {
		kind.len = (size_t)(colon - word.data);
		name = slice_of(colon + 1, word.len - kind.len - 1);
	}
	for (i = 0; i < nitems(source_rows); i++)
		if (slice_is(kind, source_rows[i].word))
			break;
	if (i == nitems(source_rows)) {
		*why = "a source is one of path:NAME query:NAME cookie:NAME "
		    "header:NAME bearer const:TEXT uuid random20, or digest: "
		    "and one of the first five";
		return (-1);
	}
	if (source_rows[i].named != (name.len > 0) ||
	    (!source_rows[i].named && colon != NULL)) {
		*why = source_rows[i].named ?
		    "path, query, cookie, header and const are followed by "
		    "':' and a name" : "bearer, uuid and random20 have no name";
		return (-1);
	}
	src->kind = (enum source_kind)i;
	if (src->digest && !source_rows[i].sent) {
		*why = "digest: stands before path, query, cookie, header and "
		    "bearer";
		return (-1);
	}
	src->digest |= src->kind == SOURCE_BEARER ||
	    (src->kind == SOURCE_HEADER && digest_is_secret(name));
	if ((src->name = slice_dup(name)) == NULL) {
		*why = "out of memory";
		return (-1);
	}
	return (0);
}

/*
 * The name of a source with {group} and {group_id} put in.  0, or -1: there is
 * no such name (no group, a NUL in it, too long).
 */
static int
source_name(char *dst, size_t size, const char *name, struct slice group)
{
	char	 id[DIGEST_GROUP + 1];
	size_t	 len = 0, n;
	const char *part;

	while (*name != '\0') {
		if (strncmp(name, "{group}", 7) == 0) {
			part = group.data, n = group.len;
			name += 7;
		} else if (strncmp(name, "{group_id}", 10) == 0) {
			if (digest_group(id, group) == -1)
				return (-1);
			part = id, n = DIGEST_GROUP;
			name += 10;
		} else {
			part = name++, n = 1;
		}
		if (part == NULL || n > size - 1 - len ||
		    memchr(part, '\0', n) != NULL)
			return (-1);
		memcpy(dst + len, part, n);
		len += n;
	}
	dst[len] = '\0';
	return (0);
}

/* 20 letters and digits that nobody guesses. */
static void
source_random(char dst[20])
{
	static const char	 digits[33] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	uint64_t		 bits[2] = { bytes_random64(), bytes_random64() };

	for (int i = 0; i < 20; i++) {
		dst[i] = digits[bits[i / 10] & 31];
		bits[i / 10] >>= 5;
	}
}

/* A random uuid: RFC 9562, version 4. */
static void
source_uuid(char dst[36])
{
	uint64_t	 a = bytes_random64(), b = bytes_random64();
	char		 text[37];

	snprintf(text, sizeof(text), "%08x-%04x-4%03x-%04x-%012llx",
	    (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
	    (unsigned)(a & 0xfff), (unsigned)(b >> 48 & 0x3fff) | 0x8000,
	    (unsigned long long)(b & 0xffffffffffff));
	memcpy(dst, text, 36);
}

/*
 * What the client sent there, raw, in v; *query is to be freed.  Percent signs are
 * still to be decoded in a path and a cookie: encodeURIComponent() is how pages
 * write both.  Returns whether they are.
 */
static int
source_sent(const struct source *src, const struct source_ask *l, const char *name,
    struct slice *v, char **query)
{
	const struct http_header	*field;

	switch (src->kind) {
	case SOURCE_PATH:
		for (size_t i = 0; i < l->taken.n; i++)
			if (slice_is(l->taken.name[i], name)) {
				*v = l->taken.value[i];
				break;
			}
		return (1);
	case SOURCE_QUERY:
		*query = http_query_get(l->head->query, name, &v->len);
		v->data = *query;
		return (0);
	case SOURCE_COOKIE:
		*v = http_cookie_get(l->head, name);
		return (1);
	case SOURCE_HEADER:
		if ((field = http_head_find(l->head, name)) != NULL)
			*v = field->value;
		return (0);
	case SOURCE_BEARER:
		*v = http_bearer_get(l->head);
		return (0);
	default:
		return (0);
	}
}

/*
 * Length of the value that a client sent, put into dst of max bytes; 0: none; -1:
 * too long.  A name that says that it is a digest is none: it would be that of
 * whoever has the credential.
 */
static ssize_t
source_client(const struct source *src, const struct source_ask *l,
    const char *name, char *dst, size_t max)
{
	char		 digest[DIGEST_LEN + 1];
	struct slice	 v = { NULL, 0 };
	char		*query = NULL;
	ssize_t		 n = 0;
	int		 escaped = source_sent(src, l, name, &v, &query);

	if (v.data == NULL || v.len == 0)
		goto out;
	if (src->digest) {
		n = -1;
		if (max >= DIGEST_LEN && digest_name(digest, v) == 0) {
			memcpy(dst, digest, DIGEST_LEN);
			n = DIGEST_LEN;
		}
		goto out;
	}
	if (escaped)
		n = pattern_decode(dst, max, v);
	else if (v.len > max)
		n = -1;
	else {
		memcpy(dst, v.data, v.len);
		n = (ssize_t)v.len;
	}
	if (n > 0 && digest_is_one(slice_of(dst, (size_t)n)))
		n = 0;
out:
	free(query);
	return (n);
}

/* Length of src's value, put into dst of max bytes; 0: none; -1: too long. */
static ssize_t
source_get(const struct source *src, struct source_ask *l, char *dst, size_t max)
{
	char	 name[GROUP_MAX + PATTERN_SEGMENT];
	size_t	 n;

	if (source_name(name, sizeof(name), src->name, l->group) == -1)
		return (0);
	switch (src->kind) {
	case SOURCE_CONST:
		if ((n = strlen(name)) > max)
			return (-1);
		memcpy(dst, name, n);
		return ((ssize_t)n);
	case SOURCE_UUID:
		source_uuid(dst);
		l->made = 1;
		return (36);
	case SOURCE_RANDOM20:
		source_random(dst);
		l->made = 1;
		return (20);
	default:
		return (source_client(src, l, name, dst, max));
	}
}

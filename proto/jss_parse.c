/* JSS (jss.h) read. */
#include <string.h>

#include "proto/jss_parse.h"
#include "proto/utf8.h"

#define JSS_HOPS_MAX	32		/* pointers that lead to pointers */

struct jss_parser {
	struct jss_pool	*pool;
	char		*at, *end;	/* in the pool's copy; *end is NUL */
	const char	*why;
	size_t		 nodes;
	struct jss	*pointers;	/* by target, until they are resolved */
	size_t		 budget;	/* steps that resolving may take */
	struct jss	*root;
};

static struct jss *jss_value(struct jss_parser *, int);

/* ---- words ---- */

/* Give up: it is not JSS. */
static void *
jss_bad(struct jss_parser *p, const char *why)
{
	if (p->why == NULL)
		p->why = why;
	return (NULL);
}

/* Pass over white space. */
static void
jss_space(struct jss_parser *p)
{
	while (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' ||
	    *p->at == '\t')
		p->at++;
}

/* Four hex digits, or -1. */
static int
jss_hex4(const char *s)
{
	int	 v = 0;

	for (int i = 0; i < 4; i++) {
		char	 c = s[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | ((c | 0x20) - 'a' + 10);
		else
			return (-1);
	}
	return (v);
}

/* Write c as UTF-8; half a surrogate pair is three bytes, like any other. */
static char *
jss_put_char(char *dst, unsigned c)
{
	if (c < 0x80)
		*dst++ = (char)c;
	else if (c < 0x800) {
		*dst++ = (char)(0xc0 | c >> 6);
		*dst++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*dst++ = (char)(0xe0 | c >> 12);
		*dst++ = (char)(0x80 | (c >> 6 & 0x3f));
		*dst++ = (char)(0x80 | (c & 0x3f));
	} else {
		*dst++ = (char)(0xf0 | c >> 18);
		*dst++ = (char)(0x80 | (c >> 12 & 0x3f));
		*dst++ = (char)(0x80 | (c >> 6 & 0x3f));
		*dst++ = (char)(0x80 | (c & 0x3f));
	}
	return (dst);
}

/* The escape behind a '\' at *src; -1: none. */
static int
jss_escape(char **src, char **dst)
{
	static const char	 from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char		*f;
	int			 c, low;

	if (**src != 'u') {
		if (**src == '\0' || (f = strchr(from, **src)) == NULL)
			return (-1);
		*(*dst)++ = to[f - from];
		++*src;
		return (0);
	}
	if ((c = jss_hex4(*src + 1)) == -1)
		return (-1);
	*src += 5;
	if (c >= 0xd800 && c < 0xdc00 && (*src)[0] == '\\' && (*src)[1] == 'u' &&
	    (low = jss_hex4(*src + 2)) >= 0xdc00 && low < 0xe000) {
		*src += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	*dst = jss_put_char(*dst, (unsigned)c);
	return (0);
}

/*
 * The string behind a quote, decoded in its place, which it never outgrows, and
 * terminated where its closing quote was.
 */
static const char *
jss_text(struct jss_parser *p, size_t *len)
{
	char	*begin = ++p->at, *src, *dst;

	src = begin + jss_plain(begin, (size_t)(p->end - begin));
	for (; *src != '"' && *src != '\\'; src++)
		if ((unsigned char)*src < 0x20)
			return (jss_bad(p, "a string does not end"));
	for (dst = src; *src != '"'; ) {
		if ((unsigned char)*src < 0x20)
			return (jss_bad(p, "a string does not end"));
		if (*src != '\\')
			*dst++ = *src++;
		else if (src++, jss_escape(&src, &dst) == -1)
			return (jss_bad(p, "an escape that JSON has not"));
	}
	*dst = '\0';
	*len = (size_t)(dst - begin);
	p->at = src + 1;
	return (begin);
}

/* Pass over digits; how many. */
static size_t
jss_digits(char **at)
{
	char	*begin = *at;

	while (**at >= '0' && **at <= '9')
		++*at;
	return ((size_t)(*at - begin));
}

/* A number's spelling.  Terminated by whoever reads what is behind it. */
static struct jss *
jss_spelling(struct jss_parser *p, struct jss *v)
{
	char	*at = p->at, *copy;
	int	 zero;

	v->text = at;
	if (*at == '-')
		at++;
	zero = *at == '0';
	if (jss_digits(&at) == 0 || (zero && at[-1] != '0') ||
	    (zero && at - v->text > 1 + (*v->text == '-')))
		return (jss_bad(p, "not a number"));
	if (*at == '.' && (at++, jss_digits(&at) == 0))
		return (jss_bad(p, "not a number"));
	if (*at == 'e' || *at == 'E') {
		at++;
		if (*at == '+' || *at == '-')
			at++;
		if (jss_digits(&at) == 0)
			return (jss_bad(p, "not a number"));
	}
	v->kind = JSS_NUMBER;
	v->len = (size_t)(at - p->at);
	if ((copy = jss_copy(p->pool, p->at, v->len)) == NULL)
		return (jss_bad(p, "out of memory"));
	v->text = copy;
	p->at = at;
	return (v);
}

/* ---- tags ---- */

/* Bytes of the character at s, which is one unit of UTF-16; 0: it is two. */
static size_t
jss_unit(const char *s)
{
	unsigned char	 c = (unsigned char)*s;

	return (c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 0);
}

/* Where the last tag of one character begins in a key of len bytes, or 0. */
static size_t
jss_last_tag(const char *key, size_t len, char *tag)
{
	size_t	 n;

	for (size_t i = len; i-- > 1; ) {
		if (len - i < 4 || key[i] != '<' || key[i + 1] != '!')
			continue;
		n = jss_unit(key + i + 2);
		if (n == 0 || len - i < 3 + n || key[i + 2 + n] != '>')
			continue;
		*tag = n == 1 && strchr("DREUSMPABLF", key[i + 2]) != NULL ?
		    key[i + 2] : JSS_ODD;
		return (i);
	}
	return (0);
}

/* Where a tag that begins with these three characters does, or 0. */
static size_t
jss_long_tag(const char *key, size_t len, const char *mark)
{
	for (size_t i = len; i-- > 1; )
		if (len - i >= 4 && memcmp(key + i, mark, 3) == 0 &&
		    memchr(key + i + 3, '>', len - i - 3) != NULL)
			return (i);
	return (0);
}

/* Name and tag of a member, whose key is read. */
static void
jss_tag(struct jss *v, size_t len)
{
	size_t	 at, before;
	char	 tag = JSS_PLAIN, same = JSS_PLAIN;

	if (len < 5 || v->key[len - 1] == '\0' ||
	    memchr(v->key, '<', len) == NULL)
		at = 0;
	else if ((at = jss_last_tag(v->key, len, &tag)) > 0) {
		/* Links are written twice (see jss.h's writer). */
		while (strchr("ABLF", tag) != NULL && (before =
		    jss_last_tag(v->key, at, &same)) > 0 && same != '\0' &&
		    strchr("ABLF", same) != NULL && before + 4 == at)
			at = before;
	} else if ((at = jss_long_tag(v->key, len, "<!!")) > 0)
		tag = JSS_ODD;
	else if ((at = jss_long_tag(v->key, len, "<![")) > 0)
		tag = JSS_LIST;
	v->name_len = (uint32_t)(at > 0 ? at : len);
	v->tag_len = (uint32_t)(len - v->name_len);
	v->tag = tag;
}

/* Remember what is to be resolved. */
static void
jss_note(struct jss_parser *p, struct jss *v)
{
	if (v->tag != JSS_POINTER || v->kind != JSS_ARRAY)
		return;
	v->target = p->pointers;
	p->pointers = v;
}

/* An array whose key has the elements' tags: give them theirs. */
static void
jss_share_tags(struct jss_parser *p, struct jss *a)
{
	static const char	 tags[] = "<!D><!R><!E><!U><!S><!M><!P><!A>"
				    "<!B><!L><!F>";
	const char		*at = a->key + a->name_len + 3;
	const char		*end = a->key + a->name_len + a->tag_len;
	const char		*comma, *one;

	for (struct jss *v = a->first; v != NULL && at < end; v = v->next) {
		comma = at;
		while (comma < end && *comma != ',' && *comma != ']')
			comma++;
		if (comma - at == 1 && *at != '<' && *at != '!' && *at != '>' &&
		    (one = strchr(tags, *at)) != NULL && *one != '\0') {
			v->tag = *at;
			v->key = one - 2;
			v->tag_len = 4;
			jss_note(p, v);
		}
		at = comma + 1;
	}
}

/* ---- values ---- */

/* Another node.  NULL: too many, or no memory. */
static struct jss *
jss_node(struct jss_parser *p)
{
	struct jss	*v;

	if (p->nodes++ == JSS_NODES_MAX)
		return (jss_bad(p, "too many values"));
	if ((v = jss_alloc(p->pool, sizeof(*v))) == NULL)
		return (jss_bad(p, "out of memory"));
	memset(v, 0, sizeof(*v));
	return (v);
}

/* An object or array, behind whose bracket p stands. */
static struct jss *
jss_container(struct jss_parser *p, struct jss *o, int depth)
{
	char		 close = o->kind == JSS_OBJECT ? '}' : ']';
	const char	*key = NULL;
	size_t		 len = 0;
	struct jss	*v;

	if (depth == JSS_DEPTH_MAX)
		return (jss_bad(p, "nested too deeply"));
	p->at++;
	jss_space(p);
	if (*p->at == close) {
		p->at++;
		return (o);
	}
	for (;;) {
		if (o->kind == JSS_OBJECT) {
			if (*p->at != '"')
				return (jss_bad(p, "a name is missing"));
			if ((key = jss_text(p, &len)) == NULL)
				return (NULL);
			jss_space(p);
			if (*p->at++ != ':')
				return (jss_bad(p, "a ':' is missing"));
		}
		if ((v = jss_value(p, depth + 1)) == NULL)
			return (NULL);
		if (o->kind == JSS_OBJECT) {
			v->key = key;
			jss_tag(v, len);
			jss_note(p, v);
			if (v->tag == JSS_LIST && v->kind == JSS_ARRAY)
				jss_share_tags(p, v);
		}
		jss_hang(o, v);
		if (*p->at == close) {
			p->at++;
			return (o);
		}
		if (*p->at++ != ',')
			return (jss_bad(p, "a ',' is missing"));
		jss_space(p);
	}
}

/* One of three words. */
static struct jss *
jss_word(struct jss_parser *p, struct jss *v)
{
	static const struct {
		const char	*word;
		enum jss_kind	 kind;
	} words[] = {
		{ "null", JSS_NULL }, { "true", JSS_TRUE }, { "false", JSS_FALSE }
	};

	for (size_t i = 0; i < nitems(words); i++) {
		size_t	 n = strlen(words[i].word);

		if (strncmp(p->at, words[i].word, n) != 0)
			continue;
		v->kind = (uint8_t)words[i].kind;
		p->at += n;
		return (v);
	}
	return (jss_bad(p, "not JSON"));
}

/* Any value, and the space around it. */
static struct jss *
jss_value(struct jss_parser *p, int depth)
{
	struct jss	*v;

	if ((v = jss_node(p)) == NULL)
		return (NULL);
	jss_space(p);
	switch (*p->at) {
	case '{':
		v->kind = JSS_OBJECT;
		v = jss_container(p, v, depth);
		break;
	case '[':
		v->kind = JSS_ARRAY;
		v = jss_container(p, v, depth);
		break;
	case '"':
		v->kind = JSS_STRING;
		if ((v->text = jss_text(p, &v->len)) == NULL)
			return (NULL);
		break;
	case '-': case '0': case '1': case '2': case '3': case '4': case '5':
	case '6': case '7': case '8': case '9':
		v = jss_spelling(p, v);
		break;
	default:
		v = jss_word(p, v);
	}
	if (v != NULL)
		jss_space(p);
	return (v);
}

/* ---- pointers ---- */

/* Child of o that a pointer's step names.  NULL: none, or too much work. */
static struct jss *
jss_step(struct jss_parser *p, struct jss *o, const struct jss *step)
{
	const char	*name = step->text;
	size_t		 len = step->len;
	struct jss	*found = NULL;
	uint64_t	 i = 0, n = 0;

	if (step->kind != JSS_STRING && step->kind != JSS_NUMBER)
		return (NULL);
	if ((o->kind != JSS_OBJECT && o->kind != JSS_ARRAY) ||
	    p->budget < o->count)
		return (NULL);
	p->budget -= o->count;
	if (o->kind == JSS_ARRAY && slice_u64(slice_of(name, len),
	    JSS_NODES_MAX, &n) == -1)
		return (NULL);
	for (struct jss *v = o->first; v != NULL; v = v->next, i++)
		if (o->kind == JSS_ARRAY ? i == n : v->name_len == len &&
		    memcmp(v->key, name, len) == 0)
			found = v;
	return (found);
}

/* Where v leads to; hops: pointers on the way there.  0, or -1. */
static int
jss_resolve(struct jss_parser *p, struct jss *v, int hops)
{
	struct jss	*at = p->root;

	if (hops == JSS_HOPS_MAX)
		return (-1);
	for (struct jss *step = v->first; step != NULL; step = step->next) {
		if (p->budget-- == 0 || (at = jss_step(p, at, step)) == NULL)
			return (-1);
		if (at->tag != JSS_POINTER || at->kind != JSS_ARRAY)
			continue;
		if (at->target == NULL && jss_resolve(p, at, hops + 1) == -1)
			return (-1);
		at = at->target;
	}
	v->target = at;
	return (0);
}

/* All pointers of the text.  0, or -1. */
static int
jss_pointers(struct jss_parser *p)
{
	struct jss	*v, *list = NULL, *next;
	size_t		 n = 0;

	/* Unlinked first: a target is none until it is resolved. */
	for (v = p->pointers; v != NULL; v = v->target)
		n++;
	if (n == 0)
		return (0);
	struct jss	**all = jss_alloc(p->pool, n * sizeof(struct jss *));

	if (all == NULL)
		return (-1);
	n = 0;
	for (v = p->pointers; v != NULL; v = next) {
		next = v->target;
		v->target = list;
		all[n++] = v;
	}
	for (size_t i = 0; i < n; i++)
		if (all[i]->target == NULL && jss_resolve(p, all[i], 0) == -1)
			return (-1);
	return (0);
}

struct jss *
jss_parse(struct jss_pool *pool, const char *text, size_t len, int checked,
    const char **why)
{
	struct jss_parser	 p = { .pool = pool };
	struct jss		*v;

	*why = "not UTF-8";
	if (!checked && !utf8_valid(text, len))
		return (NULL);
	*why = "out of memory";
	if (len > UINT32_MAX || (p.at = jss_copy(pool, text, len)) == NULL)
		return (NULL);
	p.end = p.at + len;
	if ((v = jss_value(&p, 0)) == NULL) {
		*why = p.why;
		return (NULL);
	}
	*why = "more than one value";
	if (p.at != p.end)
		return (NULL);
	p.root = v;
	p.budget = len * 16 + 100000;
	*why = "a pointer leads nowhere";
	if (jss_pointers(&p) == -1)
		return (NULL);
	if (v->kind == JSS_OBJECT)
		for (struct jss *m = v->first; m != NULL; m = m->next)
			m->whole = 1;
	*why = NULL;
	return (v);
}

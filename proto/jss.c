/* JSS: the trees, and the memory they live in. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/spare.h"
#include "proto/js_number.h"
#include "proto/jss.h"

#define JSS_BLOCK	4000		/* bytes of a pool's first block */

struct jss_block {
	struct jss_block *next;
	size_t		 size;
	/* memory follows */
};

/* ---- memory ---- */

void
jss_pool_init(struct jss_pool *p, size_t max)
{
	memset(p, 0, sizeof(*p));
	p->max = max;
}

void
jss_pool_clear(struct jss_pool *p)
{
	struct jss_block	*b;

	while ((b = p->blocks) != NULL) {
		p->blocks = b->next;
		spare_put(b, b->size);
	}
	jss_pool_init(p, p->max);
}

/* A block with room for size bytes.  0, or -1. */
static int
jss_pool_grow(struct jss_pool *p, size_t size)
{
	struct jss_block	*b;
	size_t			 n = JSS_BLOCK;

	if (p->blocks != NULL)
		n = p->taken < SPARE_LARGEST / 2 ? p->taken * 2 : SPARE_LARGEST;
	if (n < size + sizeof(*b))
		n = size + sizeof(*b);
	if ((p->max != 0 && n > p->max - p->taken) ||
	    (b = spare_get(n)) == NULL) {
		p->failed = 1;
		errno = ENOMEM;
		return (-1);
	}
	b->next = p->blocks;
	b->size = n;
	p->blocks = b;
	p->taken += n;
	p->at = (char *)(b + 1);
	p->left = n - sizeof(*b);
	return (0);
}

void *
jss_alloc(struct jss_pool *p, size_t size)
{
	void	*at;

	if (size > SIZE_MAX / 2) {
		p->failed = 1;
		return (NULL);
	}
	size = (size + 7) & ~(size_t)7;
	if (size > p->left && jss_pool_grow(p, size) == -1)
		return (NULL);
	at = p->at;
	p->at += size;
	p->left -= size;
	return (at);
}

char *
jss_copy(struct jss_pool *p, const char *s, size_t len)
{
	char	*copy;

	if ((copy = jss_alloc(p, len + 1)) == NULL)
		return (NULL);
	if (len > 0)
		memcpy(copy, s, len);
	copy[len] = '\0';
	return (copy);
}

/* ---- reading ---- */

const struct jss *
jss_deref(const struct jss *v)
{
	return (v != NULL && v->tag == JSS_POINTER && v->target != NULL ?
	    v->target : v);
}

const struct jss *
jss_member(const struct jss *o, const char *name, size_t len)
{
	const struct jss	*found = NULL;

	if ((o = jss_deref(o)) == NULL || o->kind != JSS_OBJECT)
		return (NULL);
	for (const struct jss *v = o->first; v != NULL; v = v->next)
		if (v->name_len == len && memcmp(v->key, name, len) == 0)
			found = v;
	return (found);
}

double
jss_number(const struct jss *v)
{
	uint64_t	 n = 0;
	size_t		 i;

	if (v == NULL || v->kind != JSS_NUMBER)
		return ((double)NAN);
	/* Most are whole, and strtod() takes its time. */
	for (i = 0; v->text[i] >= '0' && v->text[i] <= '9' && i < 15; i++)
		n = n * 10 + (uint64_t)(v->text[i] - '0');
	return (i > 0 && v->text[i] == '\0' ? (double)n : strtod(v->text,
	    NULL));
}

/* ---- making ---- */

struct jss *
jss_new(struct jss_pool *p, enum jss_kind kind, char tag)
{
	static const char	 tags[] = "<!D><!R><!E><!U><!S><!M><!A><!B>"
				    "<!L><!F>";
	struct jss		*v;

	if ((v = jss_alloc(p, sizeof(*v))) == NULL)
		return (NULL);
	memset(v, 0, sizeof(*v));
	v->kind = (uint8_t)kind;
	v->tag = tag;
	if (tag != JSS_PLAIN) {
		v->key = strchr(tags, tag) - 2;
		v->tag_len = 4;
	}
	return (v);
}

struct jss *
jss_new_number(struct jss_pool *p, double n, char tag)
{
	struct jss	*v;
	char		 text[JS_NUMBER_SIZE];

	if (!isfinite(n))
		return (jss_new(p, JSS_NULL, JSS_PLAIN));
	if ((v = jss_new(p, JSS_NUMBER, tag)) == NULL)
		return (NULL);
	js_number_text(text, n);
	v->len = strlen(text);
	return ((v->text = jss_copy(p, text, v->len)) == NULL ? NULL : v);
}

struct jss *
jss_new_string(struct jss_pool *p, const char *s, size_t len, char tag)
{
	struct jss	*v;

	if ((v = jss_new(p, JSS_STRING, tag)) == NULL ||
	    (v->text = jss_copy(p, s, len)) == NULL)
		return (NULL);
	v->len = len;
	return (v);
}

void
jss_hang(struct jss *o, struct jss *v)
{
	if (o->first == NULL)
		o->first = v;
	else
		o->last->next = v;
	o->last = v;
	o->count++;
}

/* A copy of v with this name and its own tag, hung into o. */
static struct jss *
jss_insert(struct jss_pool *p, struct jss *o, const char *name,
    const struct jss *v)
{
	struct jss	*c;
	size_t		 len = name == NULL ? 0 : strlen(name);
	char		*key;

	if (o == NULL || v == NULL || (c = jss_alloc(p, sizeof(*c))) == NULL ||
	    (key = jss_alloc(p, len + v->tag_len + 1)) == NULL)
		return (NULL);
	*c = *v;
	if (len > 0)
		memcpy(key, name, len);
	if (v->tag_len > 0)
		memcpy(key + len, v->key + v->name_len, v->tag_len);
	c->key = key;
	c->name_len = (uint32_t)len;
	c->next = NULL;
	c->whole = 0;
	jss_hang(o, c);
	return (c);
}

struct jss *
jss_put(struct jss_pool *p, struct jss *o, const char *name,
    const struct jss *v)
{
	return (jss_insert(p, o, name, v));
}

struct jss *
jss_add(struct jss_pool *p, struct jss *a, const struct jss *v)
{
	return (jss_insert(p, a, NULL, v));
}

/* kennel-ape.h: values, which are JSS (proto/jss.h). */
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "proto/jss.h"
#include "shardd/ape/call.h"
#include "shardd/kennel-ape.h"

/* Values are nodes of JSS under another name; pointers are what they lead to. */
static const struct jss *
value_jss(const struct ape_value *v)
{
	return (jss_deref((const struct jss *)v));
}

static const struct ape_value *
value_of(const struct jss *v)
{
	return ((const struct ape_value *)v);
}

static struct ape_value *
value_made(struct jss *v)
{
	return ((struct ape_value *)v);
}

/* ---- reading ---- */

/* Does a tag fit to what stands behind it? */
static int
value_has(const struct jss *v, char tag, enum jss_kind kind)
{
	return (v->tag == tag && v->kind == kind);
}

/* What an object or a piece of text with a tag is. */
static enum ape_type
value_tagged(const struct jss *v)
{
	static const struct {
		char		 tag;
		enum jss_kind	 kind;
		enum ape_type	 type;
	} rows[] = {
		{ JSS_DATE, JSS_NUMBER, APE_DATE },
		{ JSS_REGEXP, JSS_STRING, APE_REGEXP },
		{ JSS_ERROR, JSS_ARRAY, APE_ERROR },
		{ JSS_SET, JSS_ARRAY, APE_SET },
		{ JSS_MAP, JSS_OBJECT, APE_MAP },
		{ JSS_UNDEFINED, JSS_NULL, APE_UNDEFINED },
		{ JSS_BYTES, JSS_STRING, APE_BINARY },
		{ JSS_BLOB, JSS_STRING, APE_BINARY },
		{ JSS_LINK, JSS_STRING, APE_BINARY },
		{ JSS_FILE, JSS_STRING, APE_FILE }
	};
	static const enum ape_type	 plain[] = {
		[JSS_NULL] = APE_NULL, [JSS_FALSE] = APE_BOOLEAN,
		[JSS_TRUE] = APE_BOOLEAN, [JSS_NUMBER] = APE_NUMBER,
		[JSS_STRING] = APE_STRING, [JSS_ARRAY] = APE_ARRAY,
		[JSS_OBJECT] = APE_OBJECT
	};

	for (size_t i = 0; i < nitems(rows) && v->tag != JSS_PLAIN; i++)
		if (value_has(v, rows[i].tag, rows[i].kind))
			return (rows[i].type);
	return (plain[v->kind]);
}

enum ape_type
ape_type(const struct ape_value *value)
{
	const struct jss	*v = value_jss(value);

	return (v == NULL ? APE_UNDEFINED : value_tagged(v));
}

int
ape_true(const struct ape_value *value)
{
	const struct jss	*v = value_jss(value);
	double			 n;

	if (v == NULL || v->kind == JSS_NULL || v->kind == JSS_FALSE)
		return (0);
	if (v->kind == JSS_STRING && v->tag == JSS_PLAIN)
		return (v->len > 0);
	if (v->kind != JSS_NUMBER || v->tag == JSS_DATE)
		return (1);
	n = jss_number(v);
	return (n < 0 || n > 0);
}

double
ape_to_number(const struct ape_value *value)
{
	return (jss_number(value_jss(value)));
}

const char *
ape_text(const struct ape_value *value, size_t *len)
{
	const struct jss	*v = value_jss(value);
	int			 is = v != NULL && v->kind == JSS_STRING &&
				    ape_type(value) != APE_BINARY;

	if (len != NULL)
		*len = is ? v->len : 0;
	return (is ? v->text : NULL);
}

/* The first that is in v, or NULL. */
static const struct jss *
value_first(const struct jss *v)
{
	return (v != NULL && (v->kind == JSS_ARRAY || v->kind == JSS_OBJECT) ?
	    v->first : NULL);
}

size_t
ape_count(const struct ape_value *value)
{
	const struct jss	*v = value_jss(value);

	return (value_first(v) != NULL ? v->count : 0);
}

const struct ape_value *
ape_first(const struct ape_value *value)
{
	return (value_of(value_first(value_jss(value))));
}

const struct ape_value *
ape_next(const struct ape_value *value)
{
	return (value == NULL ? NULL : value_of(((const struct jss *)value)->next));
}

const struct ape_value *
ape_at(const struct ape_value *value, size_t i)
{
	const struct ape_value	*v;

	for (v = ape_first(value); v != NULL && i > 0; i--)
		v = ape_next(v);
	return (v);
}

const char *
ape_name(const struct ape_value *value, size_t *len)
{
	const struct jss	*v = (const struct jss *)value;

	if (len != NULL)
		*len = v == NULL ? 0 : v->name_len;
	return (v == NULL || v->key == NULL ? "" : v->key);
}

const struct ape_value *
ape_member(const struct ape_value *value, const char *name)
{
	if (value == NULL || name == NULL)
		return (NULL);
	return (value_of(jss_member((const struct jss *)value, name,
	    strlen(name))));
}

const char *
ape_bytes(const struct ape_value *value, size_t *len)
{
	const struct jss	*v = value_jss(value);
	size_t			 n;

	if (len == NULL)
		len = &n;
	*len = 0;
	return (ape_type(value) != APE_BINARY || v->bytes == NULL ? NULL :
	    part_bytes(v->bytes, len));
}

int
ape_descriptor(const struct ape_value *value, uint64_t *size)
{
	const struct jss	*v = value_jss(value);
	const struct part	*p;

	if (ape_type(value) != APE_BINARY || (p = v->bytes) == NULL)
		return (-1);
	if (size != NULL)
		*size = p->size;
	return (p->fd);
}

/* ---- making ---- */

struct ape_value *
ape_null(struct ape_call *c)
{
	return (value_made(jss_new(&c->pool, JSS_NULL, JSS_PLAIN)));
}

struct ape_value *
ape_boolean(struct ape_call *c, int v)
{
	return (value_made(jss_new(&c->pool, v ? JSS_TRUE : JSS_FALSE,
	    JSS_PLAIN)));
}

struct ape_value *
ape_number(struct ape_call *c, double v)
{
	return (value_made(jss_new_number(&c->pool, v, JSS_PLAIN)));
}

struct ape_value *
ape_date(struct ape_call *c, double ms)
{
	return (value_made(jss_new_number(&c->pool, trunc(ms), JSS_DATE)));
}

struct ape_value *
ape_string_n(struct ape_call *c, const char *utf8, size_t len)
{
	return (value_made(jss_new_string(&c->pool, utf8, len, JSS_PLAIN)));
}

struct ape_value *
ape_string(struct ape_call *c, const char *utf8)
{
	return (utf8 == NULL ? ape_null(c) :
	    ape_string_n(c, utf8, strlen(utf8)));
}

struct ape_value *
ape_array(struct ape_call *c)
{
	return (value_made(jss_new(&c->pool, JSS_ARRAY, JSS_PLAIN)));
}

struct ape_value *
ape_object(struct ape_call *c)
{
	return (value_made(jss_new(&c->pool, JSS_OBJECT, JSS_PLAIN)));
}

struct ape_value *
ape_set(struct ape_call *c)
{
	return (value_made(jss_new(&c->pool, JSS_ARRAY, JSS_SET)));
}

struct ape_value *
ape_map(struct ape_call *c)
{
	return (value_made(jss_new(&c->pool, JSS_OBJECT, JSS_MAP)));
}

struct ape_value *
ape_error(struct ape_call *c, const char *name, const char *message)
{
	struct jss	*e = jss_new(&c->pool, JSS_ARRAY, JSS_ERROR);

	ape_add(c, value_made(e), ape_string(c, name));
	ape_add(c, value_made(e), ape_string(c, message));
	ape_add(c, value_made(e), ape_string(c, ""));
	return (value_made(e));
}

struct ape_value *
ape_undefined(struct ape_call *c)
{
	return (value_made(jss_new(&c->pool, JSS_NULL, JSS_UNDEFINED)));
}

/* Binary with this descriptor, which is taken. */
static struct ape_value *
value_part(struct ape_call *c, int fd)
{
	struct jss	*v;
	struct part	*p;

	if (fd == -1)
		return (NULL);
	if ((p = part_new(&c->pool, &c->parts)) == NULL) {
		close(fd);
		return (NULL);
	}
	part_set(p, fd);
	if ((v = jss_new_string(&c->pool, "", 0, JSS_LINK)) != NULL)
		v->bytes = p;
	return (value_made(v));
}

struct ape_value *
ape_binary(struct ape_call *c, const void *data, size_t len)
{
	return (value_part(c, part_file(data, len)));
}

struct ape_value *
ape_file(struct ape_call *c, int fd)
{
	return (value_part(c, fcntl(fd, F_DUPFD_CLOEXEC, 0)));
}

void
ape_put(struct ape_call *c, struct ape_value *o, const char *name,
    const struct ape_value *v)
{
	const struct jss	*what = (const struct jss *)v;

	if (o != NULL && name != NULL && ((struct jss *)o)->kind == JSS_OBJECT)
		jss_put(&c->pool, (struct jss *)o, name, what);
}

void
ape_add(struct ape_call *c, struct ape_value *a, const struct ape_value *v)
{
	if (a != NULL && ((struct jss *)a)->kind == JSS_ARRAY)
		jss_add(&c->pool, (struct jss *)a, (const struct jss *)v);
}

/* JSS (jss.h) written again. */
#include <stdio.h>
#include <string.h>

#include "proto/jss_write.h"

#define JSS_LEVELS_MAX	(2 * JSS_DEPTH_MAX)	/* expanded pointers included */

/* A container that is being written, or what is in the root. */
struct jss_level {
	const struct jss *v;
	const struct jss *child;	/* which of it is being written */
	size_t		 index;		/* of the child */
};

struct jss_writer {
	struct buf	*b;
	const char	*root;		/* the name in the root */
	int		 as_it_came;
	jss_link_cb	*links;
	void		*arg;
	size_t		 n;
	struct jss_level levels[JSS_LEVELS_MAX];
};

static void	 jss_write_value(struct jss_writer *, const struct jss *);

/* A character of a string that JSON.stringify() escapes: bytes of it, 0: none. */
static size_t
jss_escape_char(struct buf *b, const char *s, size_t len)
{
	static const char	 from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	unsigned char		 c = (unsigned char)*s;
	const char		*f;

	if (c == 0xed && len >= 3 && (unsigned char)s[1] >= 0xa0) {
		buf_addf(b, "\\u%04x", 0xd000u | (s[1] & 0x3fu) << 6 |
		    (s[2] & 0x3fu));
		return (3);
	}
	if (c >= 0x20 && c != '"' && c != '\\')
		return (0);
	if (c != '\0' && (f = strchr(from, *s)) != NULL) {
		buf_add(b, "\\", 1);
		buf_add(b, to + (f - from), 1);
	} else
		buf_addf(b, "\\u%04x", c);
	return (1);
}

/* The inside of a string. */
static void
jss_write_chars(struct buf *b, const char *s, size_t len)
{
	size_t	 run = 0, n;

	for (size_t i = jss_plain(s, len); i < len; ) {
		unsigned char	 c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\' && c != 0xed) {
			i++;
			continue;
		}
		if (i > run)
			buf_add(b, s + run, i - run);
		run = i;
		if ((n = jss_escape_char(b, s + i, len - i)) > 0)
			run = i += n;
		else
			i++;
	}
	if (len > run)
		buf_add(b, s + run, len - run);
}

void
jss_write_string(struct buf *b, const char *s, size_t len)
{
	buf_add(b, "\"", 1);
	jss_write_chars(b, s, len);
	buf_add(b, "\"", 1);
}

/* ---- pointers ---- */

/* The level at which v is being written, or -1. */
static ssize_t
jss_level_of(const struct jss_writer *w, const struct jss *v)
{
	if (v->kind == JSS_ARRAY || v->kind == JSS_OBJECT)
		for (size_t i = 0; i < w->n; i++)
			if (w->levels[i].v->first == v->first &&
			    w->levels[i].v->kind == v->kind && v->first != NULL)
				return ((ssize_t)i);
	return (-1);
}

/* The path to that level, as a pointer has it. */
static void
jss_write_path(struct jss_writer *w, size_t level)
{
	buf_add(w->b, "[", 1);
	jss_write_string(w->b, w->root, strlen(w->root));
	for (size_t i = 0; i < level; i++) {
		const struct jss_level	*l = &w->levels[i];

		buf_add(w->b, ",", 1);
		if (l->v->kind == JSS_ARRAY)
			buf_addf(w->b, "%zu", l->index);
		else
			jss_write_string(w->b, l->child->key,
			    l->child->name_len);
	}
	buf_add(w->b, "]", 1);
}

/* ---- tags ---- */

/* What is written for v: itself, or what it points to. */
static const struct jss *
jss_shown(const struct jss_writer *w, const struct jss *v)
{
	const struct jss	*to = jss_deref(v);

	return (w->as_it_came || to == v || jss_level_of(w, to) != -1 ? v : to);
}

/* Does an array need its elements' tags in its key? */
static int
jss_is_list(const struct jss_writer *w, const struct jss *a)
{
	const struct jss	*v;

	if (a->kind != JSS_ARRAY || (a->tag != JSS_PLAIN && a->tag != JSS_LIST))
		return (0);
	for (v = a->first; v != NULL; v = v->next)
		if (strchr("DREUSMPF", jss_shown(w, v)->tag) != NULL &&
		    jss_shown(w, v)->tag != JSS_PLAIN)
			return (1);
	return (0);
}

/* The tag of what v shows, behind its name. */
static void
jss_write_tag(struct jss_writer *w, const struct jss *v)
{
	const struct jss	*el;
	char			 tag;

	if (w->as_it_came ? v->tag == JSS_LIST : jss_is_list(w, v)) {
		if (w->as_it_came) {
			jss_write_chars(w->b, v->key + v->name_len, v->tag_len);
			return;
		}
		buf_adds(w->b, "<![");
		for (el = v->first; el != NULL; el = el->next) {
			tag = jss_shown(w, el)->tag;
			if (tag != JSS_PLAIN && strchr("DREUSMPF", tag) != NULL)
				buf_add(w->b, &tag, 1);
			if (el->next != NULL)
				buf_add(w->b, ",", 1);
		}
		buf_adds(w->b, "]>");
		return;
	}
	switch (v->tag) {
	case JSS_FILE:
		buf_adds(w->b, "<!F><!F>");
		break;
	case JSS_BYTES:
	case JSS_BLOB:
	case JSS_LINK:
		buf_adds(w->b, "<!L><!L>");
		break;
	case JSS_LIST:
		break;
	default:
		if (v->tag_len > 0)
			jss_write_chars(w->b, v->key + v->name_len, v->tag_len);
	}
}

/* ---- values ---- */

/* The name under which binary is fetched.  In an array no key says what it is. */
static void
jss_write_link(struct jss_writer *w, const struct jss *v, int bare)
{
	const char	*text = NULL;

	if (w->links != NULL)
		text = w->links(v, w->arg);
	if (text == NULL)
		text = v->text;
	if (bare)
		buf_adds(w->b, "{\"__ape_link__\":");
	jss_write_string(w->b, text, strlen(text));
	if (bare)
		buf_add(w->b, "}", 1);
}

/* Names and values of an object, or values of an array. */
static void
jss_write_children(struct jss_writer *w, const struct jss *o)
{
	struct jss_level	*l = &w->levels[w->n++];
	const struct jss	*shown;

	l->v = o;
	l->index = 0;
	buf_add(w->b, o->kind == JSS_OBJECT ? "{" : "[", 1);
	for (l->child = o->first; l->child != NULL && !w->b->failed;
	    l->child = l->child->next, l->index++) {
		if (l->index > 0)
			buf_add(w->b, ",", 1);
		shown = jss_shown(w, l->child);
		if (o->kind == JSS_OBJECT) {
			buf_add(w->b, "\"", 1);
			jss_write_chars(w->b, l->child->key, l->child->name_len);
			jss_write_tag(w, shown);
			buf_adds(w->b, "\":");
		} else if (shown->kind == JSS_STRING && shown->tag !=
		    JSS_PLAIN && strchr("ABL", shown->tag) != NULL) {
			jss_write_link(w, shown, 1);
			continue;
		}
		jss_write_value(w, shown);
	}
	buf_add(w->b, o->kind == JSS_OBJECT ? "}" : "]", 1);
	w->n--;
}

/* A value that is shown as it is, but for what is in it. */
static void
jss_write_value(struct jss_writer *w, const struct jss *v)
{
	ssize_t	 level;

	switch (v->kind) {
	case JSS_NULL:
		buf_adds(w->b, "null");
		break;
	case JSS_TRUE:
		buf_adds(w->b, "true");
		break;
	case JSS_FALSE:
		buf_adds(w->b, "false");
		break;
	case JSS_NUMBER:
		buf_add(w->b, v->text, v->len);
		break;
	case JSS_STRING:
		if (v->tag != JSS_PLAIN && strchr("ABL", v->tag) != NULL)
			jss_write_link(w, v, 0);
		else
			jss_write_string(w->b, v->text, v->len);
		break;
	default:
		if (!w->as_it_came && v->tag == JSS_POINTER &&
		    v->target != NULL && (level = jss_level_of(w, v->target)) !=
		    -1)
			jss_write_path(w, (size_t)level);
		else if (w->n == JSS_LEVELS_MAX)
			w->b->failed = 1;
		else
			jss_write_children(w, v);
	}
}

void
jss_write_member(struct buf *b, const char *name, const struct jss *v,
    jss_link_cb *links, void *arg)
{
	struct jss_writer	 w;

	w.b = b;
	w.root = name;
	w.links = links;
	w.arg = arg;
	w.n = 0;
	w.as_it_came = v->whole && v->name_len == strlen(name) &&
	    memcmp(v->key, name, v->name_len) == 0;
	v = jss_shown(&w, v);
	buf_add(b, "\"", 1);
	jss_write_chars(b, name, strlen(name));
	jss_write_tag(&w, v);
	buf_adds(b, "\":");
	jss_write_value(&w, v);
}

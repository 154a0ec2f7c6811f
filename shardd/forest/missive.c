/* What servers of a forest push to each other, read. */
#include <string.h>

#include "proto/jss_parse.h"
#include "shardd/forest/missive.h"

/* The object that it is, or NULL. */
static const struct jss *
missive_root(struct jss_pool *pool, const char *msg, size_t len)
{
	const struct jss	*root;
	const char		*why;

	jss_pool_init(pool, 0);
	root = jss_parse(pool, msg, len, 0, &why);
	return (root != NULL && root->kind == JSS_OBJECT ? root : NULL);
}

/* A member that is a string, or NULL. */
static const struct jss *
missive_string(const struct jss *root, const char *name)
{
	const struct jss	*v = jss_member(root, name, strlen(name));

	return (v != NULL && v->kind == JSS_STRING && v->tag == JSS_PLAIN ?
	    v : NULL);
}

/* A member that is a client's id; *odd: it is there, and none. */
static const char *
missive_id(const struct jss *root, const char *name, int *odd)
{
	const struct jss	*v = jss_member(root, name, strlen(name));

	if (v == NULL || v->kind == JSS_NULL)
		return (NULL);
	if (v->kind == JSS_STRING && v->len == MISSIVE_CLIENT)
		return (v->text);
	*odd = 1;
	return (NULL);
}

int
missive_read(struct missive *l, const char *msg, size_t len)
{
	const struct jss	*root = missive_root(&l->pool, msg, len), *type;
	int			 odd = 0, ignored = 0;

	l->dest = l->except = l->type = NULL;
	l->data = NULL;
	if (root == NULL || (type = missive_string(root, "type")) == NULL)
		return (-1);
	l->type = type->text;
	l->dest = missive_id(root, "destClientId", &odd);
	/* A client of another shape is none of ours. */
	l->except = missive_id(root, "excludeClientId", &ignored);
	l->data = jss_member(root, "data", 4);
	return (odd ? -1 : 0);
}

void
missive_clear(struct missive *l)
{
	jss_pool_clear(&l->pool);
}

size_t
missive_sender(char *dst, size_t size, const char *msg, size_t len)
{
	struct jss_pool		 pool;
	const struct jss	*root = missive_root(&pool, msg, len), *from;
	size_t			 n = 0;

	from = root == NULL ? NULL : missive_string(root, "_senderServerId");
	if (from != NULL && (n = strlen(from->text)) >= size)
		n = 0;
	if (n > 0)
		memcpy(dst, from->text, n);
	dst[n] = '\0';
	jss_pool_clear(&pool);
	return (n);
}

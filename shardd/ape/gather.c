/* What a call waits for before it runs. */
#include <string.h>

#include "shardd/ape/gather.h"
#include "shardd/ape/share.h"
#include "shardd/ape/signpost.h"

/* Is v a name?  It is compared as text, in which a NUL would be its end. */
static int
gather_named(const struct jss *v)
{
	return (v->len > 0 && memchr(v->text, '\0', v->len) == NULL);
}

/* A body, under the name that stands in v.  0, or -1. */
static int
gather_add(struct gather *g, struct jss *v)
{
	struct gathered	*one;

	if (g->n == GATHER_MAX || !gather_named(v) || v->len > UPLOAD_NAME_MAX ||
	    (one = jss_alloc(g->pool, sizeof(*one))) == NULL)
		return (-1);
	memset(one, 0, sizeof(*one));
	if ((one->part = part_new(g->pool, g->parts)) == NULL)
		return (-1);
	one->part->hash = v->text;
	one->of = g;
	one->next = g->all;
	g->all = one;
	g->n++;
	v->bytes = one->part;
	return (0);
}

/* {"__ape_upload__": name} stands for a body where no key can have a tag. */
static int
gather_bare(struct jss *v)
{
	const struct jss	*name = v->first;

	if (v->kind != JSS_OBJECT || v->count != 1 ||
	    name->kind != JSS_STRING || name->name_len != 14 ||
	    memcmp(name->key, "__ape_upload__", 14) != 0)
		return (0);
	v->kind = JSS_STRING;
	v->tag = JSS_BYTES;
	v->text = name->text;
	v->len = name->len;
	return (1);
}

/* A shared file's id: it is announced, also to who has its bytes already. */
static void
gather_share(struct gather *g, const char *id, const char *session)
{
	if (share_announce(id, session) == 0)
		signpost_tell(id);
	if (share_find(id) != -1)
		upload_announce(g->replica, id);
}

int
gather_find(struct gather *g, const struct jss *value, const char *session)
{
	/* The tree is the call's own, until its controller sees it. */
	struct jss	*v = (struct jss *)(uintptr_t)value;

	if (v == NULL || v->tag == JSS_POINTER)
		return (0);
	if (gather_bare(v) || (v->kind == JSS_STRING && (v->tag == JSS_BYTES ||
	    v->tag == JSS_BLOB)))
		return (gather_add(g, v));
	if (v->kind == JSS_STRING && v->tag == JSS_FILE && gather_named(v))
		gather_share(g, v->text, session);
	if (v->kind != JSS_ARRAY && v->kind != JSS_OBJECT)
		return (0);
	for (v = v->first; v != NULL; v = v->next)
		if (gather_find(g, v, session) == -1)
			return (-1);
	return (0);
}

/* One has come, or has not. */
static void
gather_cb(int fd, void *arg)
{
	struct gathered	*one = arg;
	struct gather	*g = one->of;

	one->want = NULL;
	if (fd == -1) {
		gather_cancel(g);
		g->done(g, one->part->hash);
		return;
	}
	part_set(one->part, fd);
	if (--g->missing == 0)
		g->done(g, NULL);
}

void
gather_begin(struct gather *g, const char *query, const char *session,
    const char *client)
{
	struct gathered	*one;

	g->missing = g->n + 1;		/* ourselves, until all are asked for */
	for (one = g->all; one != NULL; one = one->next)
		one->want = upload_want(g->replica, query, one->part->hash, session,
		    client, gather_cb, one);
	for (one = g->all; one != NULL; one = one->next)
		if (one->want == NULL && one->part->fd == -1) {
			gather_cancel(g);
			g->done(g, one->part->hash);
			return;
		}
	if (--g->missing == 0)
		g->done(g, NULL);
}

void
gather_cancel(struct gather *g)
{
	for (struct gathered *one = g->all; one != NULL; one = one->next) {
		upload_cancel(one->want);
		one->want = NULL;
	}
}

/* What few connections have. */
#include <stdlib.h>

#include "shardd/client/rare.h"

/* *r, made if need be.  0 or -1. */
static int
rare_make(struct rare **r)
{
	if (*r == NULL)
		*r = calloc(1, sizeof(**r));
	return (*r == NULL ? -1 : 0);
}

/* Put a copy of s in place of *text.  0 or -1. */
static int
rare_put(char **text, size_t *len, struct slice s)
{
	char	*copy;

	if ((copy = slice_dup(s)) == NULL)
		return (-1);
	free(*text);
	*text = copy;
	*len = s.len;
	return (0);
}

int
rare_set_uid(struct rare **r, struct slice uid)
{
	return (rare_make(r) == -1 ? -1 :
	    rare_put(&(*r)->uid, &(*r)->uid_len, uid));
}

int
rare_set_reason(struct rare **r, struct slice reason)
{
	return (rare_make(r) == -1 ? -1 :
	    rare_put(&(*r)->reason, &(*r)->reason_len, reason));
}

int
rare_set_move(struct rare **r, struct move *move)
{
	if (rare_make(r) == -1)
		return (-1);
	(*r)->move = move;
	return (0);
}

int
rare_set_pace(struct rare **r, const struct rare_pace *pace)
{
	if (rare_make(r) == -1)
		return (-1);
	(*r)->pace = *pace;
	return (0);
}

void
rare_end_move(struct rare **r)
{
	struct rare	*x = *r;

	x->move = NULL;
	if (x->reason != NULL || x->uid != NULL || x->drop != NULL ||
	    x->pace.set)
		return;
	rare_free(x);			/* there is nothing rare about it */
	*r = NULL;
}

int
rare_give(struct rare **r, void **data, void *now, void (*drop)(void *data))
{
	rare_drop(*r, data);
	if (drop != NULL && rare_make(r) == -1)
		return (-1);
	if (drop != NULL)
		(*r)->drop = drop;
	*data = now;
	return (0);
}

void
rare_keep(struct rare *r)
{
	if (r != NULL)
		r->drop = NULL;
}

void
rare_drop(struct rare *r, void **data)
{
	void	(*drop)(void *) = r == NULL ? NULL : r->drop;
	void	*was = *data;

	if (drop == NULL)
		return;
	r->drop = NULL;
	*data = NULL;
	drop(was);
}

void
rare_free(struct rare *r)
{
	if (r == NULL)
		return;
	free(r->reason);
	free(r->uid);
	free(r);
}

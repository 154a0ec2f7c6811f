/* What clients have begun and not finished, within one bound. */
#include <errno.h>
#include <stdlib.h>

#include "common/list.h"
#include "common/spare.h"
#include "shardd/client/unfinished.h"

#define UNFINISHED_CLASSES	64	/* by the highest bit of the size */

struct unfinished_part {
	struct list	 at;		/* of its class; alone when evicted */
	void		*owner;
	size_t		 n;
	int		 evicted;
};

struct unfinished {
	struct list	 classes[UNFINISHED_CLASSES];
	size_t		 sum;
	void		(*evict)(void *);
};

/* The list for parts of n bytes, which is not 0. */
static struct list *
unfinished_class(struct unfinished *u, size_t n)
{
	return (&u->classes[63 - __builtin_clzll(n)]);
}

struct unfinished *
unfinished_new(void (*evict)(void *))
{
	struct unfinished	*u;

	if ((u = calloc(1, sizeof(*u))) == NULL)
		return (NULL);
	for (size_t i = 0; i < UNFINISHED_CLASSES; i++)
		list_init(&u->classes[i]);
	u->evict = evict;
	return (u);
}

void
unfinished_free(struct unfinished *u)
{
	free(u);
}

/* One of the largest parts counts no more; its owner lets go of the bytes. */
static void
unfinished_evict(struct unfinished *u)
{
	struct unfinished_part	*p;
	size_t			 i = UNFINISHED_CLASSES;

	while (i > 0 && list_empty(&u->classes[i - 1]))
		i--;
	if (i == 0)
		return;
	p = list_entry(u->classes[i - 1].next, struct unfinished_part, at);
	list_remove(&p->at);
	u->sum -= p->n;
	p->evicted = 1;
	u->evict(p->owner);
}

int
unfinished_set(struct unfinished *u, struct unfinished_part **part,
    void *owner, size_t n, size_t max)
{
	struct unfinished_part	*p = *part;

	if (p == NULL) {
		if (n == 0)
			return (0);
		if ((p = spare_zero(sizeof(*p))) == NULL)
			return (-1);
		list_init(&p->at);
		p->owner = owner;
		*part = p;
	} else if (!p->evicted)
		u->sum -= p->n;
	if (n == 0) {
		list_remove(&p->at);
		spare_put(p, sizeof(*p));
		*part = NULL;
		return (0);
	}
	if (p->evicted)
		return (0);
	u->sum += n;
	if (p->n == 0 || unfinished_class(u, p->n) != unfinished_class(u, n)) {
		list_remove(&p->at);
		list_push(unfinished_class(u, n), &p->at);
	}
	p->n = n;
	while (u->sum > max)
		unfinished_evict(u);
	return (0);
}

size_t
unfinished_sum(const struct unfinished *u)
{
	return (u->sum);
}

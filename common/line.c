/* A line of pointers that wait for their turn. */
#include <stdlib.h>
#include <string.h>

#include "common/line.h"

/* Where what is i behind the first stands; cap is a power of 2. */
static inline size_t
line_at(const struct line *l, size_t i)
{
	return ((l->head + i) & (l->cap - 1));
}

static int
line_grow(struct line *l)
{
	size_t	  cap = l->cap == 0 ? 64 : l->cap * 2;
	void	**at;

	if ((at = malloc(cap * sizeof(*at))) == NULL)
		return (-1);
	for (size_t i = 0; i < l->n; i++)
		at[i] = l->at[line_at(l, i)];
	free(l->at);
	l->at = at;
	l->head = 0;
	l->cap = cap;
	return (0);
}

int
line_push(struct line *l, void *who)
{
	if (l->n == l->cap && line_grow(l) == -1)
		return (-1);
	l->at[line_at(l, l->n++)] = who;
	return (0);
}

void *
line_pop(struct line *l)
{
	void	*who = NULL;

	while (who == NULL && l->n > 0) {
		who = l->at[l->head];
		l->head = line_at(l, 1);
		l->n--;
	}
	return (who);
}

void
line_leave(struct line *l, const void *who)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->at[line_at(l, i)] == who)
			l->at[line_at(l, i)] = NULL;
}

void
line_clear(struct line *l)
{
	free(l->at);
	memset(l, 0, sizeof(*l));
}

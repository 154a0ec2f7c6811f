/* A line of pointers that wait for their turn. */
#include <stdlib.h>
#include <string.h>

#include "common/line.h"

static int
line_grow(struct line *l)
{
	size_t	  cap = l->cap == 0 ? 64 : l->cap * 2;
	void	**at;

	if ((at = malloc(cap * sizeof(*at))) == NULL)
		return (-1);
	for (size_t i = 0; i < l->n; i++)
		at[i] = l->at[(l->head + i) % l->cap];
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
	l->at[(l->head + l->n++) % l->cap] = who;
	return (0);
}

void *
line_pop(struct line *l)
{
	void	*who = NULL;

	while (who == NULL && l->n > 0) {
		who = l->at[l->head];
		l->head = (l->head + 1) % l->cap;
		l->n--;
	}
	return (who);
}

void
line_leave(struct line *l, const void *who)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->at[(l->head + i) % l->cap] == who)
			l->at[(l->head + i) % l->cap] = NULL;
}

void
line_clear(struct line *l)
{
	free(l->at);
	memset(l, 0, sizeof(*l));
}

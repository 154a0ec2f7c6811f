/* pact: the roll of a room's sockets in this process. */
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "shardd/apps/pact_roll.h"

#define ROLL_MIN	16

static int
roll_compare(const void *a, const void *b)
{
	return (strcmp(((const struct pact_roll_node *)a)->session,
	    ((const struct pact_roll_node *)b)->session));
}

/* Room for one more place; those that were left are closed up first. */
static int
roll_room(struct pact_roll *r)
{
	size_t	 cap = r->cap == 0 ? ROLL_MIN : r->cap * 2, n = 0;
	void	*at;

	if (r->n < r->cap)
		return (0);
	if (r->left > r->n / 2) {
		for (size_t i = 0; i < r->n; i++)
			if (r->at[i].node != NULL)
				r->at[n++] = r->at[i];
		r->n = n;
		r->left = 0;
		return (0);
	}
	if ((at = realloc(r->at, cap * sizeof(*r->at))) == NULL)
		return (-1);
	r->at = at;
	r->cap = cap;
	return (0);
}

int
pact_roll_add(struct pact_roll *r, struct pact_roll_node *n)
{
	struct pact_roll_node	**found, *first;

	n->twin = n->before = NULL;
	if (roll_room(r) == -1 ||
	    (found = tsearch(n, &r->sessions, roll_compare)) == NULL)
		return (-1);
	if ((first = *found) != n) {	/* behind the first */
		n->before = first;
		n->twin = first->twin;
		if (n->twin != NULL)
			n->twin->before = n;
		first->twin = n;
	}
	n->number = ++r->last;
	r->at[r->n].number = n->number;
	r->at[r->n++].node = n;
	return (0);
}

void
pact_roll_remove(struct pact_roll *r, struct pact_roll_node *n)
{
	struct pact_roll_node	**found;

	r->at[pact_roll_behind(r, n->number - 1)].node = NULL;
	r->left++;
	if (n->twin != NULL)
		n->twin->before = n->before;
	if (n->before != NULL)
		n->before->twin = n->twin;
	else if (n->twin != NULL) {
		found = tfind(n, &r->sessions, roll_compare);
		*found = n->twin;
	} else
		tdelete(n, &r->sessions, roll_compare);
}

void
pact_roll_clear(struct pact_roll *r)
{
	free(r->at);
	memset(r, 0, sizeof(*r));
}

size_t
pact_roll_behind(const struct pact_roll *r, uint64_t number)
{
	size_t	 low = 0, high = r->n, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (r->at[middle].number <= number)
			low = middle + 1;
		else
			high = middle;
	}
	return (low);
}

struct pact_roll_node *
pact_roll_session(const struct pact_roll *r, const char *session)
{
	struct pact_roll_node	 key = { .session = session };
	struct pact_roll_node	**found;

	found = tfind(&key, &r->sessions, roll_compare);
	return (found == NULL ? NULL : *found);
}

/* How far our replica has come with what was said in its group. */
#include <errno.h>
#include <stdlib.h>

#include "shardd/group/neighbours.h"
#include "shardd/group/replica.h"
#include "shardd/group/seen.h"
#include "shardd/group/shelf.h"
#include "shardd/state/authority.h"

/* How far nb's words have come here, or are known not to be for us. */
static uint64_t
seen_neighbour(const struct neighbour *nb)
{
	return (nb->known > nb->seen ? nb->known : nb->seen);
}

int
seen_marks(const struct replica *r, struct capsule_mark *marks, size_t max)
{
	const struct neighbours	*n = r->neighbours;
	size_t			 at = 0;

	if (n->n + 1 > max) {
		errno = E2BIG;
		return (-1);
	}
	marks[at++] = (struct capsule_mark){ n->id, n->said };
	for (size_t i = 0; i < n->n; i++)
		marks[at++] = (struct capsule_mark){ n->at[i].id,
		    seen_neighbour(&n->at[i]) };
	return ((int)at);
}

void
seen_news(const struct replica *r, uint64_t *pos, uint64_t *era)
{
	*pos = *era = 0;
	if (r->authority != NULL)
		authority_where(r->authority, pos, era);
}

int
seen_expect(struct replica *r, struct shelf_user *u,
    struct capsule_mark **start, size_t *n)
{
	uint64_t	 era;
	size_t		 max = r->neighbours->n + 2;
	int		 at;

	if (r->shelf == NULL && (r->shelf = shelf_new()) == NULL)
		return (-1);
	if ((*start = malloc(max * sizeof(**start))) == NULL)
		return (-1);
	at = seen_marks(r, *start + 1, max - 1);
	(*start)[0].origin = SHELF_NEWS;
	seen_news(r, &(*start)[0].seq, &era);
	*n = (size_t)at + 1;
	shelf_join(r->shelf, u);
	return (0);
}

void
seen_expect_no_more(struct replica *r, struct shelf_user *u)
{
	if (shelf_leave(r->shelf, u))
		return;
	shelf_free(r->shelf);
	r->shelf = NULL;
}

/* The mark for an origin, or 0. */
static uint64_t
seen_mark(const struct capsule_mark *marks, size_t n, uint64_t origin)
{
	for (size_t i = 0; i < n; i++)
		if (marks[i].origin == origin)
			return (marks[i].seq);
	return (0);
}

/* The same for the group's news. */
static enum seen_verdict
seen_compare_news(const struct replica *r, const struct capsule *cap,
    uint64_t start)
{
	uint64_t	 pos, era;

	seen_news(r, &pos, &era);
	if (cap->news_pos < start)
		return (SEEN_NEVER);
	if (cap->news_pos > pos)
		return (SEEN_BEHIND);
	return (r->authority == NULL || authority_passed(r->authority,
	    cap->news_pos, cap->news_era) ? SEEN_YES : SEEN_NEVER);
}

/* Has who has this mark of that origin what we had at the start? */
static int
seen_since_start(const struct capsule_mark *start, size_t n,
    const struct capsule *cap)
{
	for (size_t i = 1; i < n; i++)
		if (start[i].seq > seen_mark(cap->marks, cap->nmarks,
		    start[i].origin))
			return (0);
	return (1);
}

enum seen_verdict
seen_compare(const struct replica *r, const struct shelf_user *u,
    const struct capsule_mark *start, size_t nstart,
    const struct capsule *cap, uint64_t *origin)
{
	const struct neighbours	*n = r->neighbours;
	struct neighbour	*nb;
	enum seen_verdict	 news;

	if (n == NULL || u->spoiled || !seen_since_start(start, nstart, cap))
		return (SEEN_NEVER);
	for (size_t i = 0; i < cap->nmarks; i++) {
		*origin = cap->marks[i].origin;
		if (*origin == n->id || cap->marks[i].seq == 0)
			continue;
		if ((nb = neighbours_find(n, *origin)) == NULL)
			return (SEEN_BEHIND);
		if (seen_neighbour(nb) < cap->marks[i].seq)
			return (SEEN_BEHIND);
	}
	*origin = SHELF_NEWS;
	news = seen_compare_news(r, cap, start[0].seq);
	return (news);
}

/* The members of a replica, by uid and one by one. */
#include <stdlib.h>
#include <string.h>

#include "common/budget.h"
#include "shardd/client/conn.h"
#include "shardd/group/replica.h"
#include "shardd/group/roll.h"

int
roll_compare(struct slice a, struct slice b)
{
	size_t	 n = a.len < b.len ? a.len : b.len;
	int	 c = n == 0 ? 0 : memcmp(a.data, b.data, n);

	return (c != 0 ? c : a.len < b.len ? -1 : a.len > b.len);
}

/* For qsort. */
static int
roll_order(const void *a, const void *b)
{
	return (roll_compare(*(const struct slice *)a,
	    *(const struct slice *)b));
}

/* Sort uids, and leave out what is there twice; what is left of n. */
static size_t
roll_sort(struct slice *uids, size_t n)
{
	size_t	 left = 0;

	qsort(uids, n, sizeof(*uids), roll_order);
	for (size_t i = 0; i < n; i++)
		if (left == 0 || !slice_eq(uids[left - 1], uids[i]))
			uids[left++] = uids[i];
	return (left);
}

/*
 * Candidates are gathered until there is no room, then the larger half of them goes,
 * and whoever is behind those that are left is no candidate any more.
 */
size_t
roll_page(const struct replica *r, struct slice after, size_t max,
    struct slice *uids, int *more)
{
	static struct slice	 found[4 * ROLL_MAX];
	struct slice		 uid, last = { NULL, 0 };
	size_t			 n = 0;

	*more = 0;
	if (max > ROLL_MAX)
		max = ROLL_MAX;
	for (size_t i = 0; i < r->nmembers; i++) {
		uid = conn_uid(r->members[i]);
		if (after.len > 0 && roll_compare(uid, after) <= 0)
			continue;
		if (last.data != NULL && roll_compare(uid, last) > 0) {
			*more = 1;
			continue;
		}
		found[n++] = uid;
		if (n < nitems(found))
			continue;
		n = roll_sort(found, n);
		if (n > max) {
			*more = 1;
			n = max;
			last = found[n - 1];
		}
	}
	budget_charge(BUDGET_ENTRY * r->nmembers);
	n = roll_sort(found, n);
	if (n > max) {
		*more = 1;
		n = max;
	}
	if (n > 0)
		memcpy(uids, found, n * sizeof(*uids));
	return (n);
}

int
roll_each(struct replica *r, struct slice uid,
    void (*cb)(struct conn *c, void *arg), void *arg)
{
	struct conn	**all;
	size_t		  n = r->nmembers;

	if (n == 0)
		return (0);
	/* Nobody is freed before the turn is over. */
	if ((all = malloc(n * sizeof(struct conn *))) == NULL)
		return (-1);
	memcpy(all, r->members, n * sizeof(struct conn *));
	for (size_t i = 0; i < n; i++)
		if ((all[i]->flags & CONN_F_MEMBER) && (uid.data == NULL ||
		    slice_eq(conn_uid(all[i]), uid)))
			cb(all[i], arg);
	budget_charge(BUDGET_ENTRY * n);
	free(all);
	return (0);
}

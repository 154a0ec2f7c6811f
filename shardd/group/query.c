/* What the library itself asks of a group's other replicas. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/uids.h"
#include "proto/ws_frame.h"
#include "shardd/client/conn.h"
#include "shardd/group/answer.h"
#include "shardd/group/ask.h"
#include "shardd/group/neighbours.h"
#include "shardd/group/query.h"
#include "shardd/group/replica.h"
#include "shardd/group/roll.h"
#include "shardd/kennel.h"

#define QUERY_MS	2000	/* when the caller names none */
#define QUERY_CLOSE_MS	10000

struct query {			/* whom a group has */
	struct replica	*r;
	query_uids_cb	*cb;
	void		*arg;
	size_t		 max;
	size_t		 after_len;
	char		 after[];
};

/* Send m, which is answered, to all neighbours. */
static void
query_send(struct neighbours *n, struct ask *a, struct gossip *m)
{
	struct link	*l;

	m->ask = a->id;
	m->from = n->id;
	for (size_t i = 0; i < n->n; i++) {
		l = neighbour_link(n, &n->at[i]);
		ask_add(a, l, n->at[i].id);
		m->to = n->at[i].id;
		if (l != NULL && link_send(l, m) == -1)
			ask_unsent(a);
	}
	ask_go(a);
}

/* ---- whom the group has ---- */

/* An answer: one byte, whether there are more, and a list of uids. */
static int
query_read(const struct ask_part *part, struct slice *uids, size_t *n, int *more)
{
	struct slice	 list = slice_of(part->data, part->len), uid;
	int		 rv;

	if (part->data == NULL || part->error != NULL || list.len == 0)
		return (-1);
	*more |= list.data[0] != 0;
	list.data++;
	list.len--;
	for (size_t i = 0; (rv = uids_next(&list, &uid)) == 1; i++) {
		if (i == ROLL_MAX)
			return (-1);
		uids[(*n)++] = uid;
	}
	return (rv);
}

/* For qsort. */
static int
query_order(const void *a, const void *b)
{
	return (roll_compare(*(const struct slice *)a,
	    *(const struct slice *)b));
}

/*
 * All have answered, or will not.  Each named its own first ones: the first of all
 * of them are the first of the group.
 */
static void
query_asked_cb(const struct ask *a, int err, void *arg)
{
	struct query		*q = arg;
	struct slice		*all;
	struct kennel_uid	*uids;
	size_t			 n = 0, left = 0;
	int			 more = 0;

	all = malloc((a->nparts + 1) * ROLL_MAX * sizeof(*all));
	uids = malloc(ROLL_MAX * sizeof(*uids));
	if (err == ECANCELED || all == NULL || uids == NULL) {
		q->cb(NULL, 0, 0, err == ECANCELED ? err : ENOMEM, q->arg);
		goto out;
	}
	n = roll_page(q->r, slice_of(q->after, q->after_len), q->max, all,
	    &more);
	for (size_t i = 0; i < a->nparts; i++)
		if (query_read(&a->parts[i], all, &n, &more) == -1 &&
		    (a->parts[i].error == NULL ||
		    strcmp(a->parts[i].error, "gone") != 0))
			err = ETIMEDOUT;
	qsort(all, n, sizeof(*all), query_order);
	for (size_t i = 0; i < n; i++) {
		if (left > 0 && slice_eq(all[i], slice_of(uids[left - 1].data,
		    uids[left - 1].len)))
			continue;
		if (left == q->max) {
			more = 1;
			break;
		}
		uids[left++] = (struct kennel_uid){ all[i].data, all[i].len };
	}
	q->cb(uids, left, more, err, q->arg);
out:
	free(all);
	free(uids);
	free(q);
}

int
query_uids(struct replica *r, struct slice after, size_t max, unsigned ms,
    query_uids_cb *cb, void *arg)
{
	struct neighbours	*n = r->neighbours;
	struct gossip		 m = { .type = GOSSIP_UIDS, .uid = after };
	struct query		*q;
	struct ask		*a;

	if ((q = malloc(sizeof(*q) + after.len)) == NULL)
		return (-1);
	*q = (struct query){ .r = r, .cb = cb, .arg = arg, .max = max == 0 ||
	    max > ROLL_MAX ? ROLL_MAX : max, .after_len = after.len };
	if (after.len > 0)
		memcpy(q->after, after.data, after.len);
	if ((a = ask_new(n->hood->base, &n->asks, ms == 0 ? QUERY_MS : ms, n->n,
	    query_asked_cb, q)) == NULL) {
		free(q);
		return (-1);
	}
	m.low = (uint32_t)q->max;
	query_send(n, a, &m);
	return (0);
}

void
query_uids_asked(struct replica *r, struct link *l, const struct gossip *m)
{
	static struct slice	 uids[ROLL_MAX];
	struct buf		 b = { 0 };
	struct gossip		 answer = { .type = GOSSIP_ANSWER, .from = r->id,
				    .ask = m->ask };
	size_t			 n;
	int			 more;
	char			 first;

	n = roll_page(r, m->uid, m->low, uids, &more);
	first = (char)more;
	buf_add(&b, &first, 1);
	for (size_t i = 0; i < n; i++)
		uids_add(&b, uids[i]);
	answer.payload = slice_of(b.data, b.len);
	if (b.failed)
		answer_error(l, r->id, m->ask, "out of memory");
	else
		answer_say(l, &answer);
	buf_clear(&b);
}

/* ---- closing a uid ---- */

/* All have closed them, or will not. */
static void
query_closed_cb(const struct ask *a, int err, void *arg)
{
	if (a->call != NULL)
		a->call(err, arg);
}

int
query_close(struct replica *r, struct slice uid, int code,
    struct slice reason, void (*done)(int err, void *arg), void *arg)
{
	struct neighbours	*n = r->neighbours;
	struct gossip		 m = { .type = GOSSIP_CLOSE, .uid = uid,
				    .low = (uint32_t)code, .payload = reason };
	struct ask		*a;

	if ((a = ask_new(n->hood->base, &n->asks, QUERY_CLOSE_MS, n->n,
	    query_closed_cb, arg)) == NULL)
		return (-1);
	a->call = done;
	query_send(n, a, &m);
	return (0);
}

/* What a neighbour says with which to close. */
struct query_farewell {
	int		 code;
	char		 reason[WS_REASON_MAX + 1];
};

/* One socket of the uid. */
static void
query_close_cb(struct conn *c, void *arg)
{
	const struct query_farewell	*f = arg;

	c->clients->ops->close(c, f->code, f->reason);
}

void
query_close_asked(struct replica *r, struct link *l, const struct gossip *m)
{
	struct query_farewell	 f = { .code = (int)m->low };
	struct slice		 uid = slice_of(m->uid.data == NULL ? "" :
				    m->uid.data, m->uid.len);

	if (m->low > 65535 || m->payload.len >= sizeof(f.reason) ||
	    !ws_close_ok(f.code, m->payload))
		return;			/* no word of ours: the asker's time ends */
	if (m->payload.len > 0)
		memcpy(f.reason, m->payload.data, m->payload.len);
	if (roll_each(r, uid, query_close_cb, &f) == 0)
		answer_done(l, r->id, m->ask);
}

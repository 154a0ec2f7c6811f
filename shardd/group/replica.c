/* The part of one group that lives in this shard. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/turn.h"
#include "shardd/state/authority.h"
#include "shardd/client/conn.h"
#include "shardd/group/lookup.h"
#include "shardd/group/neighbours.h"
#include "shardd/client/payload.h"
#include "shardd/group/replica.h"
#include "shardd/kennel.h"
#include "shardd/worker.h"

struct replica *
replica_new(struct worker *w, uint64_t id, struct slice group,
    struct slice app_name, const struct kennel_app *app)
{
	struct replica	*r;

	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (NULL);
	r->worker = w;
	r->clients = &w->sessions.clients;
	r->id = id;
	r->app = app;
	r->refs = 1;			/* the gateway's */
	list_init(&r->waiting);
	r->group_len = group.len;
	if ((r->group = slice_dup(group)) == NULL ||
	    (r->app_name = slice_dup(app_name)) == NULL ||
	    (r->neighbours = neighbours_new(r)) == NULL ||
	    (app->decide != NULL && (r->authority = authority_new(r)) == NULL) ||
	    map_insert(&w->replicas, &r->by_id, &r->id, sizeof(r->id)) == -1)
		goto fail;
	if (app->onstart != NULL &&
	    app->onstart((struct kennel_replica *)r) == -1) {
		map_remove(&w->replicas, &r->by_id);
		errno = ECANCELED;
		goto fail;
	}
	lookup_group_enter(w->lookup, r);
	log_debug("replica id=%llx begins", (unsigned long long)id);
	return (r);
fail:
	authority_free(r->authority);
	if (r->neighbours != NULL)
		neighbours_free(r->neighbours);
	free(r->group);
	free(r->app_name);
	free(r);
	return (NULL);
}

static void
replica_free(struct replica *r)
{
	if (r->app->onstop != NULL)
		r->app->onstop((struct kennel_replica *)r);
	if (r->worker->lookup != NULL)
		lookup_replica_free(r->worker->lookup, r);
	bag_clear(&r->uids);
	map_clear(&r->topics);
	free(r->members);
	free(r->group);
	free(r->app_name);
	free(r);
}

void
replica_ref(struct replica *r)
{
	r->refs++;
}

void
replica_unref(struct replica *r)
{
	if (--r->refs == 0)
		replica_free(r);
}

struct replica *
replica_find(const struct worker *w, uint64_t id)
{
	struct map_node	*n = map_find(&w->replicas, &id, sizeof(id));

	return (n == NULL ? NULL : container_of(n, struct replica, by_id));
}

void
replica_dismiss(struct replica *r)
{
	struct worker		*w = r->worker;
	struct authority	*a;
	struct neighbours	*n;
	struct replica_waiter	*waiter;
	struct list		*e, *tmp;

	log_debug("replica id=%llx ends", (unsigned long long)r->id);
	r->dismissed = 1;
	map_remove(&w->replicas, &r->by_id);
	for (size_t i = 0; i < r->nmembers; i++)
		conn_doom(r->members[i], CLOSE_GROUP_GONE);
	list_each(e, tmp, &r->waiting) {
		waiter = list_entry(e, struct replica_waiter, at);
		waiter->gone(waiter);
	}
	lookup_group_leave(w->lookup, r);
	/* Cancelled completions may call again: they find nobody. */
	a = r->authority;
	r->authority = NULL;
	authority_free(a);
	n = r->neighbours;
	r->neighbours = NULL;
	neighbours_free(n);
	replica_unref(r);
}

void
replica_set_ready(struct replica *r)
{
	struct replica_waiter	*w;

	if (r->ready)
		return;
	r->ready = 1;
	while (!list_empty(&r->waiting)) {
		w = list_entry(r->waiting.next, struct replica_waiter, at);
		list_remove(&w->at);
		w->ready(w);
	}
}

/* ---- members ---- */

static struct conn *
replica_conn(struct bag_node *n)
{
	return (container_of(n, struct conn, by_uid));
}

int
replica_join(struct replica *r, struct conn *c)
{
	struct slice	  uid = conn_uid(c);
	struct conn	**members;
	size_t		  cap;

	if (r->nmembers == r->cap) {
		cap = r->cap == 0 ? 8 : r->cap * 2;
		members = realloc(r->members, cap * sizeof(*members));
		if (members == NULL)
			return (-1);
		r->members = members;
		r->cap = cap;
	}
	if (bag_insert(&r->uids, &c->by_uid, bag_hash(uid.data, uid.len)) ==
	    -1)
		return (-1);
	c->by_uid.mine = (uint32_t)r->nmembers;
	r->members[r->nmembers++] = c;
	return (0);
}

void
replica_leave(struct replica *r, struct conn *c)
{
	struct conn	*moved = r->members[--r->nmembers];

	r->members[c->by_uid.mine] = moved;
	moved->by_uid.mine = c->by_uid.mine;
	bag_remove(&r->uids, &c->by_uid);
}

int
replica_has(const struct replica *r, struct slice uid)
{
	struct bag_node	*n = bag_find(&r->uids, bag_hash(uid.data, uid.len));

	while (n != NULL && !slice_eq(conn_uid(replica_conn(n)), uid))
		n = bag_again(n);
	return (n != NULL);
}

void
replica_each_uid(const struct replica *r,
    void (*cb)(const struct replica *r, struct slice uid, void *arg), void *arg)
{
	for (size_t i = 0; i < r->nmembers; i++)
		cb(r, conn_uid(r->members[i]), arg);
}

/*
 * Nobody leaves in these loops: a member that cannot take p is doomed, and ends
 * after the turn.
 */
size_t
replica_emit(struct replica *r, struct payload *p, struct slice but)
{
	uint32_t	 hash = bag_hash(but.data, but.len);
	struct conn	*c;
	size_t		 n = 0;

	conn_crowd(r->clients, r->nmembers > CONN_CROWD);
	turn_progress();
	for (size_t i = 0; i < r->nmembers; i++) {
		c = r->members[i];
		if (but.data != NULL && c->by_uid.hash == hash &&
		    slice_eq(conn_uid(c), but))
			continue;
		if (conn_send(c, p) == 0)
			n++;
	}
	conn_crowd(r->clients, 0);
	return (n);
}

size_t
replica_whisper(struct replica *r, struct slice uid, struct payload *p)
{
	struct bag_node	*e;
	struct conn	*c;
	size_t		 n = 0;

	for (e = bag_find(&r->uids, bag_hash(uid.data, uid.len)); e != NULL;
	    e = bag_again(e)) {
		c = replica_conn(e);
		if (slice_eq(conn_uid(c), uid) && conn_send(c, p) == 0 &&
		    ++n == CONN_CROWD)
			conn_crowd(r->clients, 1);
	}
	conn_crowd(r->clients, 0);
	return (n);
}

size_t
replica_missed(struct replica *r, struct slice but)
{
	size_t	 n = 0;

	for (size_t i = 0; i < r->nmembers; i++) {
		if (but.data != NULL && slice_eq(conn_uid(r->members[i]), but))
			continue;
		conn_doom(r->members[i], CLOSE_MISSED);
		n++;
	}
	return (n);
}

size_t
replica_missed_uid(struct replica *r, struct slice uid)
{
	struct bag_node	*e;
	struct conn	*c;
	size_t		 n = 0;

	for (e = bag_find(&r->uids, bag_hash(uid.data, uid.len)); e != NULL;
	    e = bag_again(e)) {
		c = replica_conn(e);
		if (!slice_eq(conn_uid(c), uid))
			continue;
		conn_doom(c, CLOSE_MISSED);
		n++;
	}
	return (n);
}

void
replica_eased(struct replica *r)
{
	for (size_t i = 0; i < r->nmembers; i++)
		if (r->members[i]->pauses & PAUSE_LINK)
			conn_resume(r->members[i], PAUSE_LINK);
}

/* The members of a group in this shard. */
#include <stdlib.h>

#include "common/turn.h"
#include "shardd/client/conn.h"
#include "shardd/client/payload.h"
#include "shardd/group/replica.h"
#include "shardd/kennel.h"

void
replica_ref(struct replica *r)
{
	r->refs++;
}

void
replica_unref(struct replica *r)
{
	if (--r->refs == 0)
		r->free(r);
}

/* The connection of an entry in replica->uids. */
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
	c->joined = ++r->joins;
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
    void (*cb)(void *arg, struct slice group, struct slice uid), void *arg)
{
	for (size_t i = 0; i < r->nmembers; i++)
		cb(arg, replica_group(r), conn_uid(r->members[i]));
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
replica_emit_others(struct replica *r, struct payload *p,
    const struct conn *but)
{
	size_t	 n = 0;

	conn_crowd(r->clients, r->nmembers > CONN_CROWD);
	turn_progress();
	for (size_t i = 0; i < r->nmembers; i++)
		if (r->members[i] != but && conn_send(r->members[i], p) == 0)
			n++;
	conn_crowd(r->clients, 0);
	return (n);
}

size_t
replica_whisper(struct replica *r, struct slice uid, struct payload *p,
    uint64_t since)
{
	struct bag_node	*e;
	struct conn	*c;
	size_t		 n = 0;

	for (e = bag_find(&r->uids, bag_hash(uid.data, uid.len)); e != NULL;
	    e = bag_again(e)) {
		c = replica_conn(e);
		if (c->joined > since && slice_eq(conn_uid(c), uid) &&
		    conn_send(c, p) == 0 && ++n == CONN_CROWD)
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
replica_dismissed(struct replica *r)
{
	for (size_t i = 0; i < r->nmembers; i++)
		conn_doom(r->members[i], CLOSE_GROUP_GONE);
}

void
replica_eased(struct replica *r)
{
	for (size_t i = 0; i < r->nmembers; i++)
		if (r->members[i]->pauses & PAUSE_LINK)
			conn_resume(r->members[i], PAUSE_LINK);
	if (r->app->oneased != NULL && !r->dismissed)
		r->app->oneased((struct kennel_replica *)r);
}

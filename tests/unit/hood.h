/*
 * The groups of three shards in one process: their links are real, their clients are the
 * test's, who defines what replicas and topics do, and says what the lookup answers.
 */
#ifndef TESTS_HOOD_H
#define TESTS_HOOD_H

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/turn.h"
#include "proto/keys.h"
#include "shardd/group/groups.h"
#include "shardd/group/replica.h"
#include "shardd/kennel.h"
#include "shardd/peers/wire.h"

#define SHARDS	3

static struct groups		 shards[SHARDS];
static struct peer_id		 peers[SHARDS];
static char			 addresses[SHARDS][ADDRESS_MAX];
static char			 paths[SHARDS][64];
static struct wires		*wires[SHARDS];
static struct replica		*replicas[SHARDS];	/* ids 100, 101, 102 */
static struct replica_waiter	 waiters[SHARDS];
static unsigned			 whisper_ask;
static size_t			 readies[SHARDS];
static char			 dir[32];
static struct kennel_app	 app;

/* What the lookup will say. */
static struct {
	int		 usable, err;
	size_t		 n;
	struct slice	 at[SHARDS];
	lookup_found_cb	*cb;
	void		*arg;
	size_t		 asked;
	void		(*queue)(struct slice uid, lookup_found_cb *cb,
			    void *arg);	/* NULL: nobody wants to know */
} look;

void
replica_eased(struct replica *r)
{
	(void)r;
}

void
replica_unref(struct replica *r)
{
	r->free(r);
}

void
replica_dismissed(struct replica *r)
{
	(void)r;
}

int
replica_has(const struct replica *r, struct slice uid)
{
	(void)r, (void)uid;
	return (0);
}

void
replica_each_uid(const struct replica *r,
    void (*cb)(void *, struct slice, struct slice), void *arg)
{
	(void)r, (void)cb, (void)arg;
}

struct lookup *
lookup_new(struct event_base *b, const struct lookup_self *self,
    const char *url, const char *prefix, const struct lookup_ops *ops,
    void *arg)
{
	(void)b, (void)self, (void)url, (void)prefix, (void)ops, (void)arg;
	return ((struct lookup *)&look);	/* not looked into */
}

void
lookup_free(struct lookup *l)
{
	(void)l;
}

void
lookup_set_shared(struct lookup *l)
{
	(void)l;
}

void
lookup_group_enter(struct lookup *l, struct slice group)
{
	(void)l, (void)group;
}

void
lookup_group_leave(struct lookup *l, struct slice group)
{
	(void)l, (void)group;
}

int
lookup_is_asking(const struct lookup *l)
{
	(void)l;
	return (0);
}

int
lookup_listed(const struct lookup *l)
{
	(void)l;
	return (1);
}

int
lookup_usable(const struct lookup *l)
{
	(void)l;
	return (look.usable);
}

int
lookup_find(struct lookup *l, struct slice group, struct slice uid,
    size_t listed, lookup_found_cb *cb, void *arg)
{
	(void)l, (void)listed;
	ck_assert(slice_is(group, "room"));
	look.cb = cb;
	look.arg = arg;
	look.asked++;
	if (look.queue != NULL)
		look.queue(uid, cb, arg);
	return (0);
}

/* ---- fixture ---- */

static void
link_lost_cb(void *arg, const struct peer_id *peer, const char *why)
{
	(void)arg, (void)peer, (void)why;
}

static void
nothing_cb(void *arg)
{
	(void)arg;
}

static size_t
connections_cb(void *arg)
{
	(void)arg;
	return (0);
}

static const struct groups_ops	 ops = {
	link_lost_cb, nothing_cb, nothing_cb, connections_cb
};

/* Each shard's loop is the caller's. */
static void
hood_setup(struct event_base *const *bases)
{
	strcpy(dir, "/tmp/neighbours.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	whisper_ask = 8;
	for (uint32_t i = 0; i < SHARDS; i++) {
		peers[i] = (struct peer_id){ NULL, i, 0x100 + i };
		keys_address(addresses[i], sizeof(addresses[i]), "here", i,
		    peers[i].incarnation);
		snprintf(paths[i], sizeof(paths[i]), "%s/link.%u", dir, i);
		ck_assert_int_eq(groups_init(&shards[i], bases[i],
		    &peers[i],
		    "here", &whisper_ask, NULL, NULL, &ops, NULL), 0);
		ck_assert_int_eq(groups_start(&shards[i], NULL, "", ""), 0);
		wires[i] = wires_new(shards[i].hood.links, paths[i]);
		ck_assert_ptr_nonnull(wires[i]);
	}
}

static void
ready_cb(struct replica_waiter *w)
{
	readies[w - waiters]++;
}

static void
begin_as(size_t i, uint64_t id)
{
	struct replica	*r = group_new(&shards[i], id, slice_str("room"),
			    slice_str("main"), &app);

	ck_assert_ptr_nonnull(r);
	replicas[i] = r;
	waiters[i].ready = ready_cb;
	list_init(&waiters[i].at);
	list_push(&r->waiting, &waiters[i].at);
}

static void
begin(size_t i)
{
	begin_as(i, 100 + i);
}

static void
end(size_t i)
{
	struct replica	*r = replicas[i];

	if (r == NULL)
		return;
	replicas[i] = NULL;
	list_remove(&waiters[i].at);
	group_dismiss(r);
}

static void
introduce(size_t i, size_t other)
{
	neighbours_introduce(replicas[i]->neighbours, 100 + other,
	    &peers[other], paths[other]);
}

/* All three, who know each other, if not at once. */
static void
hood_begin_all(void)
{
	for (size_t i = 0; i < SHARDS; i++)
		begin(i);
	for (size_t i = 0; i < SHARDS; i++)
		for (size_t j = 0; j < SHARDS; j++)
			if (i != j)
				introduce(i, j);
}

static void
hood_teardown(void)
{
	for (size_t i = 0; i < SHARDS; i++)
		end(i);
	for (size_t i = 0; i < SHARDS; i++) {
		wires_free(wires[i]);
		groups_end_links(&shards[i]);
		groups_clear(&shards[i]);
	}
	turn_end();
	rmdir(dir);
}

#endif

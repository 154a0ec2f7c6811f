/*
 * The groups of three shards in one process: their links are real, their clients are the
 * test's, who defines what replicas and topics do, and says what the lookup answers.
 */
#ifndef TESTS_HOOD_H
#define TESTS_HOOD_H

#include "tests/unit/shards.h"

static struct replica_waiter	 waiters[SHARDS];
static size_t			 readies[SHARDS];
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
replica_ref(struct replica *r)
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

/* Each shard's loop is the caller's. */
static void
hood_setup(struct event_base *const *bases)
{
	shards_begin();
	for (uint32_t i = 0; i < SHARDS; i++) {
		shards_name(i);
		shards_start(i, bases[i], NULL, NULL, NULL);
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
	shards_replica(i, id, &app);
	waiters[i].ready = ready_cb;
	list_init(&waiters[i].at);
	list_push(&replicas[i]->waiting, &waiters[i].at);
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

/* All three, who know each other, if not at once. */
static void
hood_begin_all(void)
{
	for (size_t i = 0; i < SHARDS; i++)
		begin(i);
	shards_introduce_all();
}

static void
hood_teardown(void)
{
	for (size_t i = 0; i < SHARDS; i++)
		end(i);
	shards_end();
}

#endif

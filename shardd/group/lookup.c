/* Looking others up in Redis, our heart-beat there, and our end. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/redis.h"
#include "common/spare.h"
#include "proto/counters.h"
#include "proto/keys.h"
#include "shardd/group/entries.h"
#include "shardd/group/entry.h"
#include "shardd/group/lookup.h"

#define LOOKUP_FIND_MS		100
#define LOOKUP_SLOW_MS		1000	/* not asked after it was silent */
#define LOOKUP_RETIRE_MS	1000
#define LOOKUP_BEAT_MS		5000
#define LOOKUP_TTL_MS		"30000"
#define LOOKUP_FIELDS		6	/* of the heart-beat's hash */

struct find {
	struct lookup	*lookup;
	lookup_found_cb	*cb;		/* NULL: it could not be asked */
	void		*arg;
	size_t		 listed;	/* shards, at least */
	uint64_t	 began;		/* clock_ns */
	int		 unsure;	/* they are not */
};

struct lookup {
	struct lookup_self self;
	const struct lookup_ops *ops;
	void		*arg;
	struct redis	*redis;		/* NULL: none, by configuration */
	struct entries	*entries;
	char		*prefix, *shard_key, *clients_key, *shards_key;
	uint64_t	 slow_until;	/* clock_ms */
	int		 shared;	/* with other nodes */
	int		 beaten;	/* our heart-beat was there */
	struct event	*beat, *retire;
	int		 retiring;
	void		(*retired)(void *arg);
	void		*retired_arg;
};

static void	 lookup_beat_cb(evutil_socket_t fd, short what, void *arg);
static void	 lookup_retire_cb(evutil_socket_t fd, short what, void *arg);
static void	 lookup_state_cb(int up, void *arg);

/* Redis came, or went. */
static void
lookup_state_cb(int up, void *arg)
{
	struct lookup	*l = arg;

	if (up) {
		log_info("lookup redis is up");
		l->beaten = 0;
		lookup_beat_cb(-1, 0, l);
		entries_rewrite(l->entries);
	} else
		entries_unlist(l->entries);
}

/* ---- heart-beat ---- */

/* The heart-beat was written: was it there before? */
static void
lookup_beaten_cb(const struct redis_value *v, int err, void *arg)
{
	struct lookup	*l = arg;

	if (err != 0 || v->kind != REDIS_INTEGER)
		return;
	/* All fields are new: somebody removed us, or all. */
	if (l->beaten && v->integer == LOOKUP_FIELDS) {
		log_warn("lookup our entries are gone from redis");
		entries_unlist(l->entries);
		entries_rewrite(l->entries);
		l->ops->forgotten(l->arg);
	}
	l->beaten = 1;
}

/* Time for a heart-beat. */
static void
lookup_beat_cb(evutil_socket_t fd, short what, void *arg)
{
	struct lookup	*l = arg;
	size_t		 nconns, ngroups;
	char		 pid[16], conns[24], groups[24], started[24];

	(void)fd, (void)what;
	if (l->retiring)
		return;
	l->ops->load(l->arg, &nconns, &ngroups);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	snprintf(conns, sizeof(conns), "%zu", nconns);
	snprintf(groups, sizeof(groups), "%zu", ngroups);
	snprintf(started, sizeof(started), "%" PRIu64, l->self.started);
	redis_do(l->redis, LOOKUP_BEAT_MS, lookup_beaten_cb, l, "HSET",
	    l->shard_key, "pid", pid, "node", l->self.node, "connections", conns,
	    "groups", groups, "started", started, "version", KENNEL_VERSION,
	    NULL);
	redis_do(l->redis, LOOKUP_BEAT_MS, NULL, NULL, "PEXPIRE", l->shard_key,
	    LOOKUP_TTL_MS, NULL);
	redis_do(l->redis, LOOKUP_BEAT_MS, NULL, NULL, "SADD", l->shards_key,
	    l->self.address, NULL);
}

/* ---- life ---- */

/* The names of what is ours in Redis.  0, or -1 without memory. */
static int
lookup_name(struct lookup *l, const char *prefix)
{
	l->prefix = strdup(prefix);
	l->shard_key = keys_shard(prefix, l->self.address);
	l->clients_key = keys_shard_clients(prefix, l->self.address);
	l->shards_key = keys_shards(prefix);
	return (l->prefix == NULL || l->shard_key == NULL ||
	    l->clients_key == NULL || l->shards_key == NULL ? -1 : 0);
}

struct lookup *
lookup_new(struct event_base *base, const struct lookup_self *self,
    const char *url, const char *prefix, const struct lookup_ops *ops,
    void *arg)
{
	struct timeval		 tv = { LOOKUP_BEAT_MS / 1000, 0 };
	struct entries_keys	 keys;
	struct lookup		*l;
	int			 keep;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	l->self = *self;
	l->ops = ops;
	l->arg = arg;
	errno = ENOMEM;
	if ((l->retire = evtimer_new(base, lookup_retire_cb, l)) == NULL ||
	    lookup_name(l, prefix) == -1)
		goto fail;
	if (*url != '\0' && ((l->beat = event_new(base, -1, EV_PERSIST,
	    lookup_beat_cb, l)) == NULL || event_add(l->beat, &tv) == -1 ||
	    (l->redis = redis_new(base, url, "lookup", lookup_state_cb,
	    l)) == NULL))
		goto fail;
	if (l->redis != NULL)
		redis_count(l->redis, (struct redis_counts *)
		    &counters->cells[COUNTER_REDIS]);
	keys = (struct entries_keys){ l->prefix, l->self.address,
	    l->clients_key };
	l->entries = entries_new(base, l->redis, &keys, ops, arg);
	if (l->entries == NULL)
		goto fail;
	return (l);
fail:
	keep = errno;
	lookup_free(l);
	errno = keep;
	return (NULL);
}

void
lookup_free(struct lookup *l)
{
	if (l == NULL)
		return;
	redis_free(l->redis);
	entries_free(l->entries);
	if (l->beat != NULL)
		event_free(l->beat);
	if (l->retire != NULL)
		event_free(l->retire);
	free(l->prefix);
	free(l->shard_key);
	free(l->clients_key);
	free(l->shards_key);
	free(l);
}

/* Everything is gone from Redis, or it takes too long. */
static void
lookup_retire_cb(evutil_socket_t fd, short what, void *arg)
{
	struct lookup	*l = arg;
	void		(*retired)(void *) = l->retired;

	(void)fd, (void)what;
	event_del(l->retire);
	l->retired = NULL;
	if (retired != NULL)
		retired(l->retired_arg);
}

/* The keys of our own are gone, too. */
static void
lookup_deleted_cb(const struct redis_value *v, int err, void *arg)
{
	(void)v;
	if (err != ECANCELED)
		lookup_retire_cb(-1, 0, arg);
}

/* No entry is left in Redis. */
static void
lookup_emptied(void *arg)
{
	struct lookup	*l = arg;

	redis_do(l->redis, LOOKUP_RETIRE_MS, NULL, NULL, "SREM",
	    l->shards_key, l->self.address, NULL);
	if (redis_do(l->redis, LOOKUP_RETIRE_MS, lookup_deleted_cb, l, "DEL",
	    l->shard_key, l->clients_key, NULL) == -1)
		lookup_retire_cb(-1, 0, l);
}

void
lookup_retire(struct lookup *l, void (*cb)(void *arg), void *arg)
{
	struct timeval	 tv = { LOOKUP_RETIRE_MS / 1000, 0 }, now = { 0, 0 };

	l->retired = cb;
	l->retired_arg = arg;
	l->retiring = 1;
	evtimer_add(l->retire, l->redis == NULL || !redis_up(l->redis) ? &now :
	    &tv);
	if (l->redis != NULL)
		entries_retire(l->entries, lookup_emptied, l);
}

/* ---- connections and groups ---- */

struct lookup_ticket *
lookup_enter(struct lookup *l, struct slice group, struct slice uid,
    void (*confirmed)(void *arg), void *arg)
{
	return (entries_enter(l->entries, group, uid, confirmed, arg));
}

void
lookup_cancel(struct lookup_ticket *t)
{
	entries_cancel(t);
}

enum leave_answer
lookup_leave(struct lookup *l, struct slice group, struct slice uid,
    struct leave *w)
{
	enum leave_answer	 answer;

	answer = entries_leave(l->entries, group, uid, l->shared ? w : NULL);
	return (l->shared ? answer : LEAVE_ALONE);
}

void
lookup_set_shared(struct lookup *l)
{
	l->shared = 1;
}

void
lookup_group_enter(struct lookup *l, struct slice group)
{
	entries_group_enter(l->entries, group);
}

void
lookup_group_leave(struct lookup *l, struct slice group)
{
	entries_group_leave(l->entries, group);
}

/* ---- looking up ---- */

/* Redis' answer: the shards of a uid. */
static void
lookup_found_reply_cb(const struct redis_value *v, int err, void *arg)
{
	struct find		*f = arg;
	const char		*us = f->lookup->self.address;
	struct slice		*found = NULL;
	struct redis_value	 field;
	size_t			 n = 0, size = 0;

	if (err == ETIMEDOUT)
		f->lookup->slow_until = clock_ms() + LOOKUP_SLOW_MS;
	if (err == 0 && f->unsure)
		err = EAGAIN;
	/* Nobody, or evicted: who is asked knows. */
	if (err == 0 && v->kind == REDIS_ARRAY && v->n == 0)
		err = EAGAIN;
	if (err == 0 && v->kind == REDIS_ARRAY)
		size = v->n * sizeof(*found);
	if (err == 0 && (v->kind != REDIS_ARRAY ||
	    (found = spare_get(size)) == NULL))
		err = EAGAIN;
	for (size_t i = 0; err == 0 && i < v->n; i++) {
		field = redis_at(v, i);
		if (field.kind != REDIS_STRING ||
		    slice_is(slice_of(field.str, field.len), us))
			continue;
		found[n++] = slice_of(field.str, field.len);
	}
	counter_add(COUNTER_LOOKUPS + (err != 0 ? LOOKUP_UNKNOWN : n == 0 ?
	    LOOKUP_NOBODY : LOOKUP_FOUND), 1);
	histogram_add(&counters->cells[COUNTER_LOOKUP_SECONDS],
	    clock_ns() - f->began);
	f->cb(found, n, err, f->arg);
	spare_put(found, size);
	spare_put(f, sizeof(*f));
}

/* Answered before what was asked after it. */
static void
lookup_counted_cb(const struct redis_value *v, int err, void *arg)
{
	struct find	*f = arg;

	f->unsure = err != 0 || v->kind != REDIS_INTEGER || v->integer < 0 ||
	    (uint64_t)v->integer < f->listed;
	if (f->cb == NULL)
		spare_put(f, sizeof(*f));
}

int
lookup_find(struct lookup *l, struct slice group, struct slice uid,
    size_t listed, lookup_found_cb *cb, void *arg)
{
	static struct buf	 keys;
	struct find		*f;
	size_t			 at;

	if (l->redis == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	buf_reset(&keys);
	keys_add_client(&keys, l->prefix, group, uid);
	buf_add(&keys, "", 1);
	at = keys.len;
	keys_add_group(&keys, l->prefix, group);
	buf_add(&keys, "", 1);
	if (keys.failed || (f = spare_get(sizeof(*f))) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	*f = (struct find){ .lookup = l, .arg = arg, .listed = listed,
	    .began = clock_ns() };
	if (redis_do(l->redis, LOOKUP_FIND_MS, lookup_counted_cb, f, "SCARD",
	    keys.data + at, NULL) == -1) {
		spare_put(f, sizeof(*f));
		return (-1);
	}
	/* Without this one lookup_counted_cb frees f. */
	if (redis_do(l->redis, LOOKUP_FIND_MS, lookup_found_reply_cb, f,
	    "HKEYS", keys.data, NULL) == -1)
		return (-1);
	f->cb = cb;
	return (0);
}

const char *
lookup_prefix(const struct lookup *l)
{
	return (l->prefix);
}

int
lookup_up(const struct lookup *l)
{
	return (l->redis != NULL && redis_up(l->redis));
}

int
lookup_usable(const struct lookup *l)
{
	return (l->redis != NULL && redis_up(l->redis) && !entries_are_asking(l->entries) &&
	    clock_ms() >= l->slow_until);
}

int
lookup_is_asking(const struct lookup *l)
{
	return (entries_are_asking(l->entries));
}

int
lookup_listed(const struct lookup *l)
{
	return (!entries_are_asking(l->entries));
}

size_t
lookup_entries(const struct lookup *l)
{
	return (entries_count(l->entries));
}

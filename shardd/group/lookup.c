/*
 * This shard's entries in Redis, and looking others up.
 *
 * An entry is what we want Redis to say under one key: of a uid in a group,
 * how many connections it has here; of a group, that it is here.  One write of
 * an entry is outstanding at a time; what changes meanwhile is written after
 * it.  An entry whose write failed, or that Redis may have forgotten, is dirty:
 * it is written again as soon as that is possible.
 *
 * The entry of a uid whose only connection is a member of its replica is settled:
 * Redis says 1, and there is nothing to remember.  It is freed, and made again
 * when something happens.
 *
 * A connection that was opened without a confirmed entry makes its entry
 * "owed"; while one is, the neighbours are told to ask us.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/redis.h"
#include "common/spare.h"
#include "common/turn.h"
#include "proto/keys.h"
#include "shardd/group/ask.h"
#include "shardd/peers/link.h"
#include "shardd/group/lookup.h"
#include "shardd/group/replica.h"
#include "shardd/worker.h"

#define LOOKUP_FIND_MS		100
#define LOOKUP_SLOW_MS		1000	/* not asked after it was silent */
#define LOOKUP_WRITE_MS		500	/* and then, if it failed: */
#define LOOKUP_TELL_MS		500	/* "ask me" */
#define LOOKUP_RETRY_MS		100
#define LOOKUP_RETIRE_MS	1000
#define LOOKUP_BEAT_MS		5000
#define LOOKUP_TTL_MS		"30000"
#define LOOKUP_LIST_MS		5000	/* for the set of all our keys */
#define LOOKUP_STEP		500	/* entries rewritten at a time */
#define LOOKUP_FIELDS		6	/* of the heart-beat's hash */

struct entry {
	struct map_node	 by_key;
	struct list	 at;		/* lookup->dirty, or ->confirming */
	struct list	 tickets;	/* that wait for it */
	struct lookup	*lookup;
	char		*key;
	struct slice	 group, uid;	/* into names; data NULL: not of a uid */
	uint32_t	 count;		/* what it should say; 0: nothing */
	uint32_t	 sent;		/* in the last write */
	uint32_t	 listed;	/* what it says for certain, at least */
	uint8_t		 outstanding;	/* commands of its write */
	uint8_t		 bad;		/* the write failed, or counts no more */
	uint8_t		 tried;		/* something may be in Redis */
	uint8_t		 dirty;
	uint8_t		 owed;
	uint8_t		 is_group;	/* of a group, not a uid */
	char		 names[];
};

struct lookup_ticket {
	struct list	 at;		/* entry->tickets, lookup->confirmed */
	struct entry	*entry;		/* NULL without Redis */
	void		(*confirmed)(void *arg);
	void		*arg;
};

struct find {
	struct lookup	*lookup;
	lookup_found_cb	*cb;		/* NULL: it could not be asked */
	void		*arg;
	size_t		 listed;	/* shards, at least */
	int		 unsure;	/* they are not */
};

struct lookup {
	struct worker	*worker;
	struct redis	*redis;		/* NULL: none, by configuration */
	char		*prefix, *shard_key, *clients_key, *shards_key;
	struct map	 entries;	/* those not settled */
	struct bag	 replicas;	/* by group, until they are freed */
	struct list	 dirty;		/* entries */
	struct list	 confirming;	/* entries that may settle now */
	size_t		 writing;	/* entries */
	size_t		 owing;		/* entries that are owed */
	struct list	 confirmed;	/* tickets to be told */
	struct turn_work confirm;
	int		 asking;	/* "ask me" */
	int		 telling;	/* and not all have answered */
	uint64_t	 slow_until;	/* clock_ms */
	int		 beaten;	/* our heart-beat was there */
	int		 naming;	/* asked for our keys: nothing settles */
	struct event	*beat, *retry, *retire;
	int		 retiring, deleting;
	void		(*retired)(void *arg);
	void		*retired_arg;
};

static void	 lookup_ask_me(struct lookup *l);
static void	 lookup_beat_cb(evutil_socket_t fd, short what, void *arg);
static void	 lookup_confirm(void *arg);
static void	 lookup_pump(struct lookup *l);
static void	 lookup_retire_cb(evutil_socket_t fd, short what, void *arg);
static void	 lookup_retry_cb(evutil_socket_t fd, short what, void *arg);
static void	 lookup_state_cb(int up, void *arg);
static void	 lookup_touch(struct entry *e);

/* ---- entries ---- */

/* key is taken; NULL (it could not be made) gives NULL. */
static struct entry *
entry_new(struct lookup *l, char *key, struct slice group, struct slice uid)
{
	struct entry	*e;

	if (key == NULL)
		return (NULL);
	if ((e = calloc(1, sizeof(*e) + group.len + uid.len)) == NULL ||
	    map_insert(&l->entries, &e->by_key, key, strlen(key)) == -1) {
		free(e);
		free(key);
		errno = ENOMEM;
		return (NULL);
	}
	e->lookup = l;
	e->key = key;
	list_init(&e->at);
	list_init(&e->tickets);
	if (group.len > 0)
		memcpy(e->names, group.data, group.len);
	if (uid.len > 0)
		memcpy(e->names + group.len, uid.data, uid.len);
	if (uid.data != NULL) {
		e->group = slice_of(e->names, group.len);
		e->uid = slice_of(e->names + group.len, uid.len);
	}
	return (e);
}

static struct entry *
entry_find(struct lookup *l, struct slice key)
{
	struct map_node	*n = map_find(&l->entries, key.data, key.len);

	return (n == NULL ? NULL : container_of(n, struct entry, by_key));
}

/* Has a replica of this group, of whatever application, uid as a member? */
static int
lookup_has(const struct lookup *l, struct slice group, struct slice uid)
{
	const struct replica	*r;
	struct bag_node		*n;

	for (n = bag_find(&l->replicas, bag_hash(group.data, group.len));
	    n != NULL; n = bag_again(n)) {
		r = container_of(n, struct replica, by_group);
		if (slice_eq(slice_of(r->group, r->group_len), group) &&
		    replica_has(r, uid))
			return (1);
	}
	return (0);
}

/*
 * The entry of uid in r's group, which was settled, if it was: 1 yes, 0 no, -1 to
 * be found out.  NULL with errno.
 */
static struct entry *
entry_get(struct lookup *l, const struct replica *r, struct slice uid,
    int settled)
{
	struct slice	 group = slice_of(r->group, r->group_len);
	struct entry	*e;
	char		*key;

	if ((key = keys_client(l->prefix, group, uid)) == NULL)
		return (NULL);
	if ((e = entry_find(l, slice_str(key))) != NULL) {
		free(key);
		return (e);
	}
	if (uid.data == NULL)
		uid.data = "";
	if ((e = entry_new(l, key, group, uid)) == NULL)
		return (NULL);
	if (settled == -1)
		settled = !l->retiring && lookup_has(l, group, uid);
	e->count = e->sent = e->listed = (uint32_t)settled;
	e->tried = (uint8_t)settled;
	return (e);
}

static void
entry_free(struct entry *e)
{
	map_remove(&e->lookup->entries, &e->by_key);
	list_remove(&e->at);
	free(e->key);
	free(e);
}

static void
entry_set_dirty(struct entry *e)
{
	if (e->dirty)
		return;
	e->dirty = 1;
	list_remove(&e->at);
	list_push(&e->lookup->dirty, &e->at);
}

static void
entry_set_owed(struct entry *e, int owed)
{
	if (e->owed == owed)
		return;
	e->owed = (uint8_t)owed;
	if (owed)
		e->lookup->owing++;
	else
		e->lookup->owing--;
}

static void
entry_confirm(struct entry *e)
{
	struct lookup	*l = e->lookup;
	struct list	*t;

	if (list_empty(&e->tickets))
		return;
	while (!list_empty(&e->tickets)) {
		t = e->tickets.next;
		list_remove(t);
		list_push(&l->confirmed, t);
	}
	if (!e->dirty) {
		list_remove(&e->at);
		list_push(&l->confirming, &e->at);
	}
	turn_add(&l->confirm, TURN_CLIENTS);
}

/* If there is nothing to remember about e, free it. */
static void
entry_settle(struct entry *e)
{
	struct lookup	*l = e->lookup;

	if (e->uid.data != NULL && e->count == 1 && e->sent == 1 &&
	    e->listed == 1 && e->outstanding == 0 && !e->bad && !e->dirty &&
	    !e->owed && list_empty(&e->tickets) && !l->naming &&
	    !l->retiring && lookup_has(l, e->group, e->uid))
		entry_free(e);
}

/* The neighbours ask us: those who wait need not wait for Redis. */
static void
entry_trust(struct entry *e)
{
	if (list_empty(&e->tickets))
		return;
	entry_set_owed(e, 1);
	entry_confirm(e);
}

static void
entry_failed(struct entry *e)
{
	struct timeval	 tv = { 0, LOOKUP_RETRY_MS * 1000 };
	struct lookup	*l = e->lookup;

	entry_set_dirty(e);
	if (!evtimer_pending(l->retry, NULL))
		evtimer_add(l->retry, &tv);
	lookup_ask_me(l);
	if (!l->telling)
		entry_trust(e);
}

/* All commands of a write were answered. */
static void
entry_written(struct entry *e)
{
	struct lookup	*l = e->lookup;

	l->writing--;
	if (e->bad) {
		e->bad = 0;
		entry_failed(e);
	} else {
		e->listed = e->sent;
		if (e->listed > 0) {
			entry_set_owed(e, 0);
			entry_confirm(e);
		}
		if (e->count != e->sent)
			lookup_touch(e);
		else if (e->count == 0)
			entry_free(e);
		else
			entry_settle(e);
	}
	lookup_pump(l);
}

static void
entry_reply_cb(const struct redis_value *v, int err, void *arg)
{
	struct entry	*e = arg;

	if (err == ECANCELED)		/* lookup_free() */
		return;
	if (err != 0 || v->kind == REDIS_ERROR)
		e->bad = 1;
	if (--e->outstanding == 0)
		entry_written(e);
}

static int
entry_do(struct entry *e, const char *verb, const char *key, const char *field,
    const char *value)
{
	if (redis_do(e->lookup->redis, LOOKUP_WRITE_MS, entry_reply_cb, e, verb,
	    key, field, value, NULL) == -1)
		return (-1);
	e->outstanding++;
	return (0);
}

/*
 * Write what e should say: 0, or -1 with errno and nothing written.  The set of
 * our keys names it before it is there, and until after it is gone: who sweeps
 * up behind us finds all.
 */
static int
entry_write(struct entry *e)
{
	const char	*us = e->lookup->worker->address;
	const char	*set = e->lookup->clients_key;
	char		 count[16];
	int		 rv;

	snprintf(count, sizeof(count), "%" PRIu32, e->count);
	if (e->is_group)
		rv = entry_do(e, e->count > 0 ? "SADD" : "SREM", e->key, us,
		    NULL);
	else if (e->count == 0)
		rv = entry_do(e, "HDEL", e->key, us, NULL);
	else if (e->listed == 0)
		rv = entry_do(e, "SADD", set, e->key, NULL);
	else
		rv = entry_do(e, "HSET", e->key, us, count);
	if (rv == -1)
		return (-1);
	if (!e->is_group && e->count == 0)
		rv = entry_do(e, "SREM", set, e->key, NULL);
	else if (!e->is_group && e->listed == 0)
		rv = entry_do(e, "HSET", e->key, us, count);
	if (rv == -1)
		e->bad = 1;
	e->lookup->writing++;
	e->tried = 1;
	e->sent = e->count;
	if (e->count == 0)
		e->listed = 0;
	return (0);
}

/* It has changed.  May free e. */
static void
lookup_touch(struct entry *e)
{
	if (e->outstanding > 0)
		return;			/* afterwards */
	if (e->count == 0 && !e->tried)
		entry_free(e);
	else if (!e->dirty && entry_write(e) == -1)
		entry_failed(e);
	else if (e->dirty && e->lookup->asking && !e->lookup->telling)
		entry_trust(e);
}

/* ---- "ask me" ---- */

static void
lookup_say_cb(struct link *link, void *arg)
{
	struct ask	*a = arg;
	struct gossip	 m = { .type = GOSSIP_ASKME, .flags = GOSSIP_F_ON };

	if (a == NULL)
		m.flags = 0;
	else {
		ask_add(a, link, 0);
		m.ask = a->id;
	}
	if (link_send(link, &m) == -1 && a != NULL)
		ask_unsent(a);
}

static void
lookup_told_cb(const struct ask *a, int err, void *arg)
{
	struct lookup	*l = arg;
	struct list	*e, *tmp;

	(void)a;
	if (err == ECANCELED)
		return;
	l->telling = 0;
	list_each(e, tmp, &l->dirty)
		entry_trust(list_entry(e, struct entry, at));
	lookup_pump(l);
}

static void
lookup_count_cb(struct link *link, void *arg)
{
	size_t	*n = arg;

	(void)link;
	(*n)++;
}

static void
lookup_ask_me(struct lookup *l)
{
	struct ask	*a;
	size_t		 n = 0;

	if (l->asking)
		return;
	log_warn("lookup not all of ours is in redis, neighbours ask us");
	l->asking = 1;
	link_each(l->worker, lookup_count_cb, &n);
	a = ask_new(l->worker->base, l, LOOKUP_TELL_MS, n, lookup_told_cb, l);
	if (a == NULL) {
		log_warn("lookup neighbours not told: %s", strerror(errno));
		return;
	}
	l->telling = 1;
	link_each(l->worker, lookup_say_cb, a);
	ask_go(a);
}

void
lookup_link_up(struct lookup *l, struct link *link)
{
	struct gossip	 m = { .type = GOSSIP_ASKME, .flags = GOSSIP_F_ON };

	if (l->redis != NULL && l->asking)
		link_send(link, &m);
}

static void
lookup_deleted_cb(const struct redis_value *v, int err, void *arg)
{
	(void)v;
	if (err != ECANCELED)
		lookup_retire_cb(-1, 0, arg);
}

/* Write what is dirty, a step at a time; then neighbours need not ask us. */
static void
lookup_pump(struct lookup *l)
{
	struct entry	*e;

	/* Who waits to be trusted is found among the dirty: leave them there. */
	if (!redis_up(l->redis) || l->telling)
		return;
	while (l->writing < LOOKUP_STEP && !list_empty(&l->dirty) &&
	    !evtimer_pending(l->retry, NULL)) {
		e = list_entry(l->dirty.next, struct entry, at);
		list_remove(&e->at);
		e->dirty = 0;
		lookup_touch(e);
	}
	if (l->asking && l->owing == 0 && list_empty(&l->dirty)) {
		log_info("lookup all of ours is in redis");
		l->asking = 0;
		link_each(l->worker, lookup_say_cb, NULL);
		worker_listed(l->worker);
	}
	if (l->retiring && !l->deleting && l->entries.count == 0) {
		l->deleting = 1;
		redis_do(l->redis, LOOKUP_RETIRE_MS, NULL, NULL, "SREM",
		    l->shards_key, l->worker->address, NULL);
		if (redis_do(l->redis, LOOKUP_RETIRE_MS, lookup_deleted_cb, l,
		    "DEL", l->shard_key, l->clients_key, NULL) == -1)
			lookup_retire_cb(-1, 0, l);
	}
}

static void
lookup_retry_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	lookup_pump(arg);
}

static void
lookup_unsettle_cb(const struct replica *r, struct slice uid, void *arg)
{
	if (entry_get(arg, r, uid, 1) == NULL)
		log_warn("lookup entry: %s", strerror(errno));
}

/* Make the entries that there was nothing to remember about. */
static void
lookup_unsettle(struct lookup *l)
{
	struct bag_node	*n;

	for (n = bag_first(&l->replicas); n != NULL;
	    n = bag_next(&l->replicas, n))
		replica_each_uid(container_of(n, struct replica, by_group),
		    lookup_unsettle_cb, l);
}

/* Redis may have forgotten everything, or will. */
static void
lookup_unlist(struct lookup *l)
{
	struct map_node	*n;
	struct entry	*e;

	lookup_unsettle(l);
	for (n = map_first(&l->entries); n != NULL;
	    n = map_next(&l->entries, n)) {
		e = container_of(n, struct entry, by_key);
		e->listed = 0;
		if (e->count > 0 && !e->is_group)
			entry_set_owed(e, 1);
		if (e->outstanding > 0)
			e->bad = 1;
		else
			entry_set_dirty(e);
	}
	lookup_ask_me(l);
}

/* Keys that our set names: those that we do not hold are to say nothing. */
static void
lookup_named_cb(const struct redis_value *v, int err, void *arg)
{
	struct lookup		*l = arg;
	struct redis_value	 name;
	struct slice		 key;
	struct entry		*e;

	if (err == ECANCELED)
		return;
	l->naming = 0;
	if (err != 0 || v->kind != REDIS_ARRAY)
		return;
	for (size_t i = 0; i < v->n; i++) {
		name = redis_at(v, i);
		key = slice_of(name.str, name.len);
		if (name.kind != REDIS_STRING || entry_find(l, key) != NULL ||
		    (e = entry_new(l, slice_dup(key), slice_of(NULL, 0),
		    slice_of(NULL, 0))) == NULL)
			continue;
		e->tried = 1;
		entry_set_dirty(e);
	}
	lookup_pump(l);
}

static void
lookup_rewrite(struct lookup *l)
{
	/* What is settled would not be known among them. */
	if (redis_do(l->redis, LOOKUP_LIST_MS, lookup_named_cb, l, "SMEMBERS",
	    l->clients_key, NULL) == 0)
		l->naming = 1;
	event_del(l->retry);
	lookup_pump(l);
}

static void
lookup_state_cb(int up, void *arg)
{
	struct lookup	*l = arg;

	if (up) {
		log_info("lookup redis is up");
		l->beaten = 0;
		lookup_beat_cb(-1, 0, l);
		lookup_rewrite(l);
	} else
		lookup_unlist(l);
}

/* ---- heart-beat ---- */

static void
lookup_beaten_cb(const struct redis_value *v, int err, void *arg)
{
	struct lookup	*l = arg;

	if (err != 0 || v->kind != REDIS_INTEGER)
		return;
	/* All fields are new: somebody removed us, or all. */
	if (l->beaten && v->integer == LOOKUP_FIELDS) {
		log_warn("lookup our entries are gone from redis");
		lookup_unlist(l);
		lookup_rewrite(l);
	}
	l->beaten = 1;
}

static void
lookup_beat_cb(evutil_socket_t fd, short what, void *arg)
{
	struct lookup	*l = arg;
	struct worker	*w = l->worker;
	char		 pid[16], conns[24], groups[24], started[24];

	(void)fd, (void)what;
	if (l->retiring)
		return;
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	snprintf(conns, sizeof(conns), "%zu", w->sessions.clients.n);
	snprintf(groups, sizeof(groups), "%zu", w->replicas.count);
	snprintf(started, sizeof(started), "%" PRIu64, w->started);
	redis_do(l->redis, LOOKUP_BEAT_MS, lookup_beaten_cb, l, "HSET",
	    l->shard_key, "pid", pid, "node", w->node, "connections", conns,
	    "groups", groups, "started", started, "version", KENNEL_VERSION,
	    NULL);
	redis_do(l->redis, LOOKUP_BEAT_MS, NULL, NULL, "PEXPIRE", l->shard_key,
	    LOOKUP_TTL_MS, NULL);
	redis_do(l->redis, LOOKUP_BEAT_MS, NULL, NULL, "SADD", l->shards_key,
	    w->address, NULL);
}

/* ---- life ---- */

struct lookup *
lookup_new(struct worker *w, const char *url, const char *prefix)
{
	struct timeval	 tv = { LOOKUP_BEAT_MS / 1000, 0 };
	struct lookup	*l;
	int		 keep;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return (NULL);
	l->worker = w;
	list_init(&l->dirty);
	list_init(&l->confirming);
	list_init(&l->confirmed);
	turn_work_init(&l->confirm, lookup_confirm, l);
	errno = ENOMEM;
	if ((l->retire = evtimer_new(w->base, lookup_retire_cb, l)) == NULL)
		goto fail;
	if (*url == '\0')
		return (l);
	l->asking = 1;			/* until Redis is up */
	l->prefix = strdup(prefix);
	l->shard_key = keys_shard(prefix, w->address);
	l->clients_key = keys_shard_clients(prefix, w->address);
	l->shards_key = keys_shards(prefix);
	l->retry = evtimer_new(w->base, lookup_retry_cb, l);
	l->beat = event_new(w->base, -1, EV_PERSIST, lookup_beat_cb, l);
	if (l->prefix == NULL || l->shard_key == NULL ||
	    l->clients_key == NULL || l->shards_key == NULL ||
	    l->retry == NULL || l->beat == NULL ||
	    event_add(l->beat, &tv) == -1)
		goto fail;
	if ((l->redis = redis_new(w->base, url, lookup_state_cb, l)) == NULL)
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
	struct map_node		*n;
	struct lookup_ticket	*t;
	struct entry		*e;

	if (l == NULL)
		return;
	ask_cancel(l);
	redis_free(l->redis);
	turn_cancel(&l->confirm);
	while ((n = map_first(&l->entries)) != NULL) {
		e = container_of(n, struct entry, by_key);
		entry_confirm(e);
		entry_free(e);
	}
	turn_cancel(&l->confirm);
	while (!list_empty(&l->confirmed)) {
		t = list_entry(l->confirmed.next, struct lookup_ticket, at);
		list_remove(&t->at);
		free(t);
	}
	map_clear(&l->entries);
	bag_clear(&l->replicas);
	if (l->beat != NULL)
		event_free(l->beat);
	if (l->retry != NULL)
		event_free(l->retry);
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

void
lookup_retire(struct lookup *l, void (*cb)(void *arg), void *arg)
{
	struct timeval	 tv = { LOOKUP_RETIRE_MS / 1000, 0 }, now = { 0, 0 };
	struct list	*at, *tmp;
	struct map_node	*n;
	struct entry	*e;

	l->retired = cb;
	l->retired_arg = arg;
	l->retiring = 1;
	evtimer_add(l->retire, l->redis == NULL || !redis_up(l->redis) ? &now :
	    &tv);
	if (l->redis == NULL)
		return;
	event_del(l->retry);
	lookup_unsettle(l);
	for (n = map_first(&l->entries); n != NULL;
	    n = map_next(&l->entries, n)) {
		e = container_of(n, struct entry, by_key);
		e->count = 0;
		entry_set_owed(e, 0);
		entry_confirm(e);
		if (e->outstanding == 0)
			entry_set_dirty(e);
	}
	list_each(at, tmp, &l->confirmed)	/* entries go first now */
		list_entry(at, struct lookup_ticket, at)->entry = NULL;
	lookup_pump(l);
}

/* ---- connections and groups ---- */

static void
lookup_confirm(void *arg)
{
	struct lookup		*l = arg;
	struct lookup_ticket	*t;
	struct entry		*e;
	void			(*confirmed)(void *);
	void			*confirmed_arg;

	while (!list_empty(&l->confirmed)) {
		t = list_entry(l->confirmed.next, struct lookup_ticket, at);
		list_remove(&t->at);
		confirmed = t->confirmed;
		confirmed_arg = t->arg;
		free(t);
		confirmed(confirmed_arg);
	}
	while (!list_empty(&l->confirming)) {
		e = list_entry(l->confirming.next, struct entry, at);
		list_remove(&e->at);
		entry_settle(e);
	}
}

struct lookup_ticket *
lookup_enter(struct lookup *l, struct replica *r, struct slice uid,
    void (*confirmed)(void *arg), void *arg)
{
	struct lookup_ticket	*t;
	struct entry		*e;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return (NULL);
	t->confirmed = confirmed;
	t->arg = arg;
	if (l->redis == NULL) {
		list_push(&l->confirmed, &t->at);
		turn_add(&l->confirm, TURN_CLIENTS);
		return (t);
	}
	if ((e = entry_get(l, r, uid, -1)) == NULL) {
		free(t);
		return (NULL);
	}
	t->entry = e;
	e->count++;
	list_push(&e->tickets, &t->at);
	if (e->listed > 0)
		entry_confirm(e);
	lookup_touch(e);
	return (t);
}

static void
entry_leave(struct entry *e)
{
	struct lookup	*l = e->lookup;

	if (e->count > 0 && --e->count == 0)	/* 0: retired meanwhile */
		entry_set_owed(e, 0);
	lookup_touch(e);		/* may free e */
	lookup_pump(l);
}

void
lookup_cancel(struct lookup_ticket *t)
{
	struct entry	*e = t->entry;

	list_remove(&t->at);
	free(t);
	if (e != NULL)
		entry_leave(e);
}

void
lookup_leave(struct lookup *l, struct replica *r, struct slice uid)
{
	struct entry	*e;

	/* It is no member any more.  All that was settled left with us. */
	if (l->redis != NULL &&
	    (e = entry_get(l, r, uid, !l->retiring)) != NULL)
		entry_leave(e);
}

/* The entry of r's group; made if there is none. */
static struct entry *
lookup_group(struct lookup *l, const struct replica *r)
{
	char		*key = keys_group(l->prefix, slice_of(r->group,
			    r->group_len));
	struct entry	*e;

	if (key != NULL && (e = entry_find(l, slice_str(key))) != NULL) {
		free(key);
		return (e);
	}
	return (entry_new(l, key, slice_of(NULL, 0), slice_of(NULL, 0)));
}

void
lookup_group_enter(struct lookup *l, struct replica *r)
{
	struct entry	*e;

	if (l->redis == NULL)
		return;
	if (bag_insert(&l->replicas, &r->by_group, bag_hash(r->group,
	    r->group_len)) == -1 || (e = lookup_group(l, r)) == NULL) {
		log_warn("lookup group of replica=%" PRIu64 " not listed: %s",
		    r->id, strerror(errno));
		return;
	}
	e->is_group = 1;
	e->count++;			/* applications may share its name */
	lookup_touch(e);
}

void
lookup_group_leave(struct lookup *l, struct replica *r)
{
	struct entry	*e;

	if (l->redis != NULL && (e = lookup_group(l, r)) != NULL)
		entry_leave(e);
}

void
lookup_replica_free(struct lookup *l, struct replica *r)
{
	if (r->by_group.link != NULL)
		bag_remove(&l->replicas, &r->by_group);
}

/* ---- looking up ---- */

static void
lookup_found_reply_cb(const struct redis_value *v, int err, void *arg)
{
	struct find		*f = arg;
	const char		*us = f->lookup->worker->address;
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
lookup_find(struct lookup *l, struct replica *r, struct slice uid,
    size_t listed, lookup_found_cb *cb, void *arg)
{
	static struct buf	 keys;
	struct slice		 name = slice_of(r->group, r->group_len);
	struct find		*f;
	size_t			 group;

	if (l->redis == NULL) {
		errno = ENOTCONN;
		return (-1);
	}
	buf_reset(&keys);
	keys_add_client(&keys, l->prefix, name, uid);
	buf_add(&keys, "", 1);
	group = keys.len;
	keys_add_group(&keys, l->prefix, name);
	buf_add(&keys, "", 1);
	if (keys.failed || (f = spare_get(sizeof(*f))) == NULL) {
		errno = ENOMEM;
		return (-1);
	}
	*f = (struct find){ .lookup = l, .arg = arg, .listed = listed };
	if (redis_do(l->redis, LOOKUP_FIND_MS, lookup_counted_cb, f, "SCARD",
	    keys.data + group, NULL) == -1) {
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
lookup_usable(const struct lookup *l)
{
	return (l->redis != NULL && redis_up(l->redis) && !l->asking &&
	    clock_ms() >= l->slow_until);
}

int
lookup_listed(const struct lookup *l)
{
	return (!l->asking);
}

size_t
lookup_entries(const struct lookup *l)
{
	return (l->entries.count);
}

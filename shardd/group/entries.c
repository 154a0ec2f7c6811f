/*
 * This shard's entries in Redis.
 *
 * One write of an entry is outstanding at a time; what changes meanwhile is written
 * after it.  An entry whose write failed, or that Redis may have forgotten, is dirty:
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
#include <string.h>

#include <event2/event.h>

#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/redis.h"
#include "common/turn.h"
#include "proto/keys.h"
#include "shardd/group/entries.h"
#include "shardd/group/entry.h"

#define ENTRIES_RETRY_MS	100	/* when a write has failed */
#define ENTRIES_LIST_MS		5000	/* for the set of all our keys */
#define ENTRIES_STEP		500	/* entries rewritten at a time */

struct lookup_ticket {
	struct list	 at;		/* entry->tickets, entries->confirmed */
	struct entry	*entry;		/* NULL without Redis */
	void		(*confirmed)(void *arg);
	void		*arg;
};

static void	 entries_ask_me(struct entries *es);
static void	 entries_confirm(void *arg);
static void	 entries_pump(struct entries *es);
static void	 entry_set_failed(struct entry *e, int failed);
static void	 entry_touch(struct entry *e);

/* key is taken; NULL (it could not be made) gives NULL. */
static struct entry *
entry_new(struct entries *es, char *key, struct slice group, struct slice uid)
{
	struct entry	*e;

	if (key == NULL)
		return (NULL);
	if ((e = calloc(1, sizeof(*e) + group.len + uid.len)) == NULL ||
	    map_insert(&es->map, &e->by_key, key, strlen(key)) == -1) {
		free(e);
		free(key);
		errno = ENOMEM;
		return (NULL);
	}
	e->all = es;
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

/* The entry of a key; NULL: none is remembered. */
static struct entry *
entry_find(struct entries *es, struct slice key)
{
	struct map_node	*n = map_find(&es->map, key.data, key.len);

	return (n == NULL ? NULL : container_of(n, struct entry, by_key));
}

/*
 * The entry of uid in group, which was settled, if it was: 1 yes, 0 no, -1 to
 * be found out.  NULL with errno.
 */
static struct entry *
entry_get(struct entries *es, struct slice group, struct slice uid,
    int settled)
{
	struct entry	*e;
	char		*key;

	if ((key = keys_client(es->keys.prefix, group, uid)) == NULL)
		return (NULL);
	if ((e = entry_find(es, slice_str(key))) != NULL) {
		free(key);
		return (e);
	}
	if (uid.data == NULL)
		uid.data = "";
	if ((e = entry_new(es, key, group, uid)) == NULL)
		return (NULL);
	if (settled == -1)
		settled = !es->retiring &&
		    es->ops->has(es->arg, group, uid);
	e->count = e->sent = e->listed = (uint32_t)settled;
	e->tried = (uint8_t)settled;
	return (e);
}

/* Forget an entry. */
static void
entry_free(struct entry *e)
{
	map_remove(&e->all->map, &e->by_key);
	list_remove(&e->at);
	entry_set_failed(e, 0);
	leave_say(&e->leave, LEAVE_UNKNOWN);
	free(e->key);
	free(e);
}

/* An entry is to be written, when that is possible. */
static void
entry_set_dirty(struct entry *e)
{
	if (e->dirty)
		return;
	e->dirty = 1;
	list_remove(&e->at);
	list_push(&e->all->dirty, &e->at);
}

/* A mark of an entry, on or off; those that have it are counted. */
static void
entry_mark(uint8_t *mark, size_t *count, int on)
{
	if (*mark == on)
		return;
	*mark = (uint8_t)on;
	if (on)
		(*count)++;
	else
		(*count)--;
}

/* An entry begins or ceases to be owed. */
static void
entry_set_owed(struct entry *e, int owed)
{
	entry_mark(&e->owed, &e->all->owing, owed);
}

/* Writing an entry begins or ceases to fail. */
static void
entry_set_failed(struct entry *e, int failed)
{
	entry_mark(&e->failed, &e->all->failing, failed);
}

/* Tickets that wait for an entry need not any more. */
static void
entry_confirm(struct entry *e)
{
	struct entries	*es = e->all;
	struct list	*t;

	if (list_empty(&e->tickets))
		return;
	while (!list_empty(&e->tickets)) {
		t = e->tickets.next;
		list_remove(t);
		list_push(&es->confirmed, t);
	}
	if (!e->dirty) {
		list_remove(&e->at);
		list_push(&es->confirming, &e->at);
	}
	turn_add(&es->confirm, TURN_CLIENTS);
}

/* If there is nothing to remember about e, free it. */
static void
entry_settle(struct entry *e)
{
	struct entries	*es = e->all;

	if (e->uid.data != NULL && e->count == 1 && e->sent == 1 &&
	    e->listed == 1 && e->outstanding == 0 && !e->bad && !e->dirty &&
	    !e->owed && list_empty(&e->tickets) && !es->naming &&
	    !es->retiring && es->ops->has(es->arg, e->group, e->uid))
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

/* An entry could not be written. */
static void
entry_failed(struct entry *e)
{
	struct timeval	 tv = { 0, ENTRIES_RETRY_MS * 1000 };
	struct entries	*es = e->all;

	entry_set_dirty(e);
	entry_set_failed(e, 1);
	leave_say(&e->leave, LEAVE_UNKNOWN);
	if (!evtimer_pending(es->retry, NULL))
		evtimer_add(es->retry, &tv);
	entries_ask_me(es);
	if (!es->telling)
		entry_trust(e);
}

/* All commands of a write were answered. */
static void
entry_written(struct entry *e)
{
	struct entries	*es = e->all;

	es->writing--;
	if (e->bad) {
		e->bad = 0;
		entry_failed(e);
	} else {
		entry_set_failed(e, 0);
		e->listed = e->sent;
		if (e->listed > 0) {
			entry_set_owed(e, 0);
			entry_confirm(e);
		} else
			leave_say(&e->leave, e->answer);
		if (e->count != e->sent)
			entry_touch(e);
		else if (e->count == 0)
			entry_free(e);
		else
			entry_settle(e);
	}
	entries_pump(es);
}

/* One command of a write was answered. */
static void
entry_reply_cb(const struct redis_value *v, int err, void *arg)
{
	struct entry	*e = arg;

	if (err == ECANCELED)		/* redis_free() */
		return;
	if (err != 0 || v->kind == REDIS_ERROR)
		e->bad = 1;
	e->answer = (uint8_t)leave_read(v);
	if (--e->outstanding == 0)
		entry_written(e);
}

/* e has changed.  May free e. */
static void
entry_touch(struct entry *e)
{
	if (e->outstanding > 0)
		return;			/* afterwards */
	if (e->count == 0 && !e->tried)
		entry_free(e);
	else if (!e->dirty && entry_write(e) == -1)
		entry_failed(e);
	else if (e->dirty && e->all->asking && !e->all->telling)
		entry_trust(e);
}

/* ---- "ask me" ---- */

/* All neighbours know, or had time to. */
static void
entries_told(void *arg)
{
	struct entries	*es = arg;
	struct list	*e, *tmp;

	es->telling = 0;
	list_each(e, tmp, &es->dirty)
		entry_trust(list_entry(e, struct entry, at));
	entries_pump(es);
}

/* Something is not in Redis: the neighbours are to ask us. */
static void
entries_ask_me(struct entries *es)
{
	if (es->asking)
		return;
	log_warn("lookup not all of ours is in redis, neighbours ask us");
	es->asking = 1;
	if (es->ops->tell_all(es->arg, 1, entries_told, es) == -1)
		log_warn("lookup neighbours not told: %s", strerror(errno));
	else
		es->telling = 1;
}

/* Write what is dirty, a step at a time; then neighbours need not ask us. */
static void
entries_pump(struct entries *es)
{
	struct entry	*e;

	/* Entries that wait to be trusted are found among the dirty: not now. */
	if (!redis_up(es->redis) || es->telling)
		return;
	while (es->writing < ENTRIES_STEP && !list_empty(&es->dirty) &&
	    !evtimer_pending(es->retry, NULL)) {
		e = list_entry(es->dirty.next, struct entry, at);
		list_remove(&e->at);
		e->dirty = 0;
		entry_touch(e);
	}
	/* What is tried again and was not answered yet may be refused again. */
	if (es->asking && es->owing == 0 && es->failing == 0 &&
	    list_empty(&es->dirty)) {
		log_info("lookup all of ours is in redis");
		es->asking = 0;
		es->ops->tell_all(es->arg, 0, NULL, NULL);
		es->ops->listed(es->arg);
	}
	if (es->retiring && !es->empty && es->map.count == 0) {
		es->empty = 1;
		es->emptied(es->emptied_arg);
	}
}

/* What failed is tried again. */
static void
entries_retry_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	entries_pump(arg);
}

/* Make the entry that there was nothing to remember about. */
static void
entries_unsettle_cb(void *arg, struct slice group, struct slice uid)
{
	if (entry_get(arg, group, uid, 1) == NULL)
		log_warn("lookup entry: %s", strerror(errno));
}

void
entries_unlist(struct entries *es)
{
	struct map_node	*n;
	struct entry	*e;

	es->ops->each_uid(es->arg, entries_unsettle_cb, es);
	for (n = map_first(&es->map); n != NULL; n = map_next(&es->map, n)) {
		e = container_of(n, struct entry, by_key);
		e->listed = 0;
		if (e->count > 0 && !e->is_group)
			entry_set_owed(e, 1);
		if (e->outstanding > 0)
			e->bad = 1;
		else
			entry_set_dirty(e);
	}
	entries_ask_me(es);
}

/* Keys that our set names: those that we do not hold are to say nothing. */
static void
entries_named_cb(const struct redis_value *v, int err, void *arg)
{
	struct entries		*es = arg;
	struct redis_value	 name;
	struct slice		 key;
	struct entry		*e;

	if (err == ECANCELED)
		return;
	es->naming = 0;
	if (err != 0 || v->kind != REDIS_ARRAY)
		return;
	for (size_t i = 0; i < v->n; i++) {
		name = redis_at(v, i);
		key = slice_of(name.str, name.len);
		if (name.kind != REDIS_STRING || entry_find(es, key) != NULL ||
		    (e = entry_new(es, slice_dup(key), slice_of(NULL, 0),
		    slice_of(NULL, 0))) == NULL)
			continue;
		e->tried = 1;
		entry_set_dirty(e);
	}
	entries_pump(es);
}

void
entries_rewrite(struct entries *es)
{
	/* What is settled would not be known among them. */
	if (redis_do(es->redis, ENTRIES_LIST_MS, entries_named_cb, es, "SMEMBERS",
	    es->keys.clients, NULL) == 0)
		es->naming = 1;
	event_del(es->retry);
	entries_pump(es);
}

/* ---- life ---- */

struct entries *
entries_new(struct event_base *base, struct redis *redis,
    const struct entries_keys *keys, const struct lookup_ops *ops, void *arg)
{
	struct entries	*es;

	if ((es = calloc(1, sizeof(*es))) == NULL)
		return (NULL);
	es->redis = redis;
	es->replied = entry_reply_cb;
	es->keys = *keys;
	es->ops = ops;
	es->arg = arg;
	es->asking = redis != NULL;	/* until Redis is up */
	list_init(&es->dirty);
	list_init(&es->confirming);
	list_init(&es->confirmed);
	turn_work_init(&es->confirm, entries_confirm, es);
	if ((es->retry = evtimer_new(base, entries_retry_cb, es)) == NULL) {
		free(es);
		errno = ENOMEM;
		return (NULL);
	}
	return (es);
}

void
entries_free(struct entries *es)
{
	struct map_node		*n;
	struct lookup_ticket	*t;
	struct entry		*e;

	if (es == NULL)
		return;
	while ((n = map_first(&es->map)) != NULL) {
		e = container_of(n, struct entry, by_key);
		entry_confirm(e);
		entry_free(e);
	}
	turn_cancel(&es->confirm);
	while (!list_empty(&es->confirmed)) {
		t = list_entry(es->confirmed.next, struct lookup_ticket, at);
		list_remove(&t->at);
		free(t);
	}
	map_clear(&es->map);
	event_free(es->retry);
	free(es);
}

void
entries_retire(struct entries *es, void (*emptied)(void *arg), void *arg)
{
	struct list	*at, *tmp;
	struct map_node	*n;
	struct entry	*e;

	es->emptied = emptied;
	es->emptied_arg = arg;
	es->retiring = 1;
	event_del(es->retry);
	es->ops->each_uid(es->arg, entries_unsettle_cb, es);
	for (n = map_first(&es->map); n != NULL; n = map_next(&es->map, n)) {
		e = container_of(n, struct entry, by_key);
		e->count = 0;
		entry_set_owed(e, 0);
		entry_confirm(e);
		if (e->outstanding == 0)
			entry_set_dirty(e);
	}
	list_each(at, tmp, &es->confirmed)	/* entries go first now */
		list_entry(at, struct lookup_ticket, at)->entry = NULL;
	entries_pump(es);
}

/* ---- connections and groups ---- */

/* Turn work: tell those whose tickets are confirmed. */
static void
entries_confirm(void *arg)
{
	struct entries		*es = arg;
	struct lookup_ticket	*t, told;
	struct entry		*e;

	while (!list_empty(&es->confirmed)) {
		t = list_entry(es->confirmed.next, struct lookup_ticket, at);
		list_remove(&t->at);
		told = *t;
		free(t);
		told.confirmed(told.arg);
	}
	while (!list_empty(&es->confirming)) {
		e = list_entry(es->confirming.next, struct entry, at);
		list_remove(&e->at);
		entry_settle(e);
	}
}

struct lookup_ticket *
entries_enter(struct entries *es, struct slice group, struct slice uid,
    void (*confirmed)(void *arg), void *arg)
{
	struct lookup_ticket	*t;
	struct entry		*e;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return (NULL);
	t->confirmed = confirmed;
	t->arg = arg;
	if (es->redis == NULL) {
		list_push(&es->confirmed, &t->at);
		turn_add(&es->confirm, TURN_CLIENTS);
		return (t);
	}
	if ((e = entry_get(es, group, uid, -1)) == NULL) {
		free(t);
		return (NULL);
	}
	t->entry = e;
	e->count++;
	list_push(&e->tickets, &t->at);
	if (e->listed > 0)
		entry_confirm(e);
	entry_touch(e);
	return (t);
}

/* One connection less.  May free e. */
static void
entry_leave(struct entry *e)
{
	struct entries	*es = e->all;

	if (e->count > 0 && --e->count == 0)	/* 0: retired meanwhile */
		entry_set_owed(e, 0);
	entry_touch(e);		/* may free e */
	entries_pump(es);
}

void
entries_cancel(struct lookup_ticket *t)
{
	struct entry	*e = t->entry;

	list_remove(&t->at);
	free(t);
	if (e != NULL)
		entry_leave(e);
}

enum leave_answer
entries_leave(struct entries *es, struct slice group, struct slice uid,
    struct leave *w)
{
	enum leave_answer	 answer = LEAVE_UNKNOWN;
	struct entry		*e;

	/* uid is no member any more.  All that was settled left with us. */
	if (es->redis == NULL ||
	    (e = entry_get(es, group, uid, !es->retiring)) == NULL)
		return (LEAVE_UNKNOWN);
	if (e->count > 1)
		answer = LEAVE_OTHERS;
	else if (w != NULL && e->count == 1 && !es->asking) {
		leave_wait(&e->leave, w);
		answer = LEAVE_ASKED;
	}
	entry_leave(e);
	return (answer);
}

/* The entry of a group; made if there is none. */
static struct entry *
entries_group(struct entries *es, struct slice group)
{
	char		*key = keys_group(es->keys.prefix, group);
	struct entry	*e;

	if (key != NULL && (e = entry_find(es, slice_str(key))) != NULL) {
		free(key);
		return (e);
	}
	return (entry_new(es, key, slice_of(NULL, 0), slice_of(NULL, 0)));
}

void
entries_group_enter(struct entries *es, struct slice group)
{
	struct entry	*e;

	if (es->redis == NULL)
		return;
	if ((e = entries_group(es, group)) == NULL) {
		log_warn("lookup group not listed: %s", strerror(errno));
		return;
	}
	e->is_group = 1;
	e->count++;			/* applications may share its name */
	entry_touch(e);
}

void
entries_group_leave(struct entries *es, struct slice group)
{
	struct entry	*e;

	if (es->redis != NULL && (e = entries_group(es, group)) != NULL)
		entry_leave(e);
}

int
entries_are_asking(const struct entries *es)
{
	return (es->asking);
}

size_t
entries_count(const struct entries *es)
{
	return (es->map.count);
}

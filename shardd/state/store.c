/* The durable state of groups in Redis. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/spare.h"
#include "proto/counters.h"
#include "proto/keys.h"
#include "proto/news.h"
#include "shardd/state/loads.h"
#include "shardd/state/maps.h"
#include "shardd/state/store.h"
#include "shardd/state/store_args.h"
#include "shardd/state/store_scripts.h"

#define STORE_MS	1000		/* deadline of a call */
#define STORE_PACE	4096		/* bytes of a batch: 1 ms more */
#define STORE_RESTORE_MS 10000		/* of each command of a restoration */
#define STORE_ARGS_KEEP	1024		/* arguments, of which the room is kept */
#define STORE_RESTORE	500		/* entries a command */
#define STORE_QUEUED	(256 << 20)	/* bytes: a few states, restored at once */
#define STORE_LOG_BYTES	"4194304"	/* of the log, or one batch */
#define STORE_WAIT_MS	"500"		/* for Redis' replicas */
#define STORE_FRESH_S	"3600"		/* a group that nothing was written for */

static void	 store_rested_cb(evutil_socket_t, short, void *);

struct store {
	struct event_base *base;
	struct redis	*redis;
	char		*prefix;
	char		 sha[NSTORE_SCRIPTS][41];	/* "" until it was loaded */
	char		 ttl[24], visit_ttl[24];	/* ms */
	unsigned	 replicas;	/* of Redis, that are waited for */
	int		 few;		/* there were not so many, the last time */
	struct loads	 loads;
};

struct store_keys {
	char		*at[4];		/* as KEYS */
	char		*maps;		/* what stands before a map's name */
};

struct store_call {
	struct store	*store;
	store_cb	*cb;		/* NULL: forgotten */
	void		*arg;
	size_t		 pending;	/* commands not answered */
	int		 claims;	/* it is a store_claim() */
	int		 waits;		/* the last command is WAIT */
	int		 failed;
	struct store_take {		/* what store_take() was asked */
		const struct store_keys *keys;	/* until it is asked */
		uint64_t	 have, claimed;
		unsigned	 ms;
		struct event	*later;	/* the state rests first; else NULL */
		char		*name;	/* the state that is being read, or NULL */
	} take;
	struct store_answer answer;
};

static struct store_args	 store_args;	/* of one command after the other */

/* ---- arguments ---- */

/* A map's name as keys have it; its place is known in store_ask(). */
static void
store_arg_map(struct store_args *a, struct slice map)
{
	size_t	 start = a->text.len;

	keys_name(&a->text, map);
	store_arg(a, slice_of(NULL, a->text.len - start));
}

/* Begin the command that runs a script on the keys of k. */
static void
store_args_script(struct store_args *a, const struct store *s,
    const struct store_keys *k, enum store_script script)
{
	a->n = 0;
	buf_reset(&a->text);
	a->failed = 0;
	store_arg(a, slice_str("EVALSHA"));
	store_arg(a, slice_str(s->sha[script]));
	store_arg(a, slice_str("4"));
	for (size_t i = 0; i < nitems(k->at); i++)
		store_arg(a, slice_str(k->at[i]));
}

/* ---- scripts ---- */

/* Redis has a script, under this name. */
static void
store_loaded_cb(const struct redis_value *v, int err, void *arg)
{
	char	*sha = arg;

	if (err != 0 || v->kind != REDIS_STRING || v->len != 40) {
		if (err == 0)
			log_warn("store: Redis takes no scripts: %.*s",
			    (int)(v->len > 200 ? 200 : v->len),
			    v->str == NULL ? "" : v->str);
		return;
	}
	memcpy(sha, v->str, 40);
	sha[40] = '\0';
}

/* Redis is to have all scripts. */
static void
store_load(struct store *s)
{
	for (size_t i = 0; i < NSTORE_SCRIPTS; i++)
		redis_do(s->redis, STORE_MS, store_loaded_cb, s->sha[i],
		    "SCRIPT", "LOAD", store_scripts[i], NULL);
}

/* Redis came, or went with the scripts. */
static void
store_state_cb(int up, void *arg)
{
	struct store	*s = arg;

	for (size_t i = 0; i < NSTORE_SCRIPTS; i++)
		s->sha[i][0] = '\0';
	if (up)
		store_load(s);
}

/* ---- life ---- */

struct store *
store_new(struct event_base *base, const char *url, const char *prefix,
    unsigned ttl_s, unsigned visit_ttl_s)
{
	struct store	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL ||
	    (s->prefix = strdup(prefix)) == NULL ||
	    (s->redis = redis_new(base, url, "store", store_state_cb, s)) == NULL) {
		if (s != NULL)
			free(s->prefix);
		free(s);
		return (NULL);
	}
	s->base = base;
	snprintf(s->ttl, sizeof(s->ttl), "%" PRIu64, 1000 * (uint64_t)ttl_s);
	snprintf(s->visit_ttl, sizeof(s->visit_ttl), "%" PRIu64,
	    1000 * (uint64_t)visit_ttl_s);
	redis_set_bound(s->redis, STORE_QUEUED);
	redis_count(s->redis, (struct redis_counts *)
	    &counters->cells[COUNTER_REDIS]);
	return (s);
}

void
store_free(struct store *s)
{
	if (s == NULL)
		return;
	redis_free(s->redis);
	loads_clear(&s->loads);
	free(s->prefix);
	free(s);
}

void
store_set_replicas(struct store *s, unsigned n)
{
	s->replicas = n;
}

int
store_usable(const struct store *s)
{
	for (size_t i = 0; i < NSTORE_SCRIPTS; i++)
		if (s->sha[i][0] == '\0')
			return (0);
	return (redis_up(s->redis));
}

struct store_keys *
store_keys_new(const struct store *s, struct slice group, struct slice app)
{
	static const char *const	 tails[] = { "", "", ":.log", ":.maps",
					    ":" };
	struct store_keys		*k;
	char				*base, **at;

	if ((k = calloc(1, sizeof(*k))) == NULL)
		return (NULL);
	base = keys_store(s->prefix, group, app);
	k->at[0] = keys_epoch(s->prefix, group);
	for (size_t i = 1; i < nitems(tails) && base != NULL; i++) {
		at = i == 4 ? &k->maps : &k->at[i];
		if (asprintf(at, "%s%s", base, tails[i]) == -1)
			*at = NULL;
	}
	free(base);
	for (size_t i = 0; i < nitems(k->at); i++)
		if (k->at[i] == NULL || k->maps == NULL) {
			store_keys_free(k);
			return (NULL);
		}
	return (k);
}

void
store_keys_free(struct store_keys *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < nitems(k->at); i++)
		free(k->at[i]);
	free(k->maps);
	free(k);
}

/* ---- calls ---- */

/* A call, with no command yet.  NULL: Redis cannot be asked. */
static struct store_call *
store_call_new(struct store *s, store_cb *cb, void *arg)
{
	struct store_call	*c;

	if (!store_usable(s) || (c = spare_zero(sizeof(*c))) == NULL)
		return (NULL);
	c->store = s;
	c->cb = cb;
	c->arg = arg;
	return (c);
}

void
store_forget(struct store_call *c)
{
	if (c == NULL)
		return;
	c->cb = NULL;
	if (c->take.later == NULL)
		return;
	event_free(c->take.later);	/* nothing was asked yet */
	spare_put(c, sizeof(*c));
}

/* What SCRIPT_CLAIM has answered. */
static void
store_claim_answer(struct store_answer *a, const struct redis_value *v)
{
	struct redis_value	 part[4];

	a->result = STORE_FAILED;
	for (size_t i = 0; i < nitems(part); i++) {
		if (v->kind != REDIS_ARRAY || i >= v->n)
			return;
		part[i] = redis_at(v, i);
		if (part[i].kind != REDIS_STRING)
			return;
	}
	a->epoch = strtoull(part[0].str, NULL, 10);
	a->holder = strtoull(part[2].str, NULL, 10);
	a->time = strtoull(part[3].str, NULL, 10);
	if (a->epoch == 0 || a->epoch >= UINT64_MAX >> 11)
		return;
	if (strcmp(part[1].str, "taken") == 0)
		a->result = STORE_OK;
	else if (strcmp(part[1].str, "held") == 0)
		a->result = STORE_HELD;
}

/* What SCRIPT_TAKE has answered. */
static void
store_take_answer(struct store_answer *a, const struct redis_value *v)
{
	struct redis_value	 epoch, seq, kind;

	a->result = STORE_FAILED;
	if (v->kind != REDIS_ARRAY || v->n < 3)
		return;
	epoch = redis_at(v, 0);
	seq = redis_at(v, 1);
	kind = redis_at(v, 2);
	if (epoch.kind != REDIS_INTEGER || seq.kind != REDIS_INTEGER ||
	    kind.kind != REDIS_STRING)
		return;
	a->epoch = (uint64_t)epoch.integer;
	a->seq = (uint64_t)seq.integer;
	if (strcmp(kind.str, "same") == 0)
		a->result = STORE_OK;
	else if (strcmp(kind.str, "older") == 0)
		a->result = STORE_OLDER;
	if (v->n < 4 || (a->values = redis_at(v, 3)).kind != REDIS_ARRAY)
		return;
	if (strcmp(kind.str, "log") == 0)
		a->result = STORE_LOGGED;
	else if (a->values.n % 2 == 1)		/* pairs, and the log */
		a->result = STORE_ALL;
}

/* What a script's one word means. */
static enum store_result
store_word(const struct redis_value *v)
{
	static const struct {
		const char	*word;
		enum store_result result;
	} words[] = {
		{ "ok", STORE_OK }, { "empty", STORE_EMPTY },
		{ "deposed", STORE_DEPOSED }, { "refused", STORE_REFUSED },
	};

	for (size_t i = 0; v->kind == REDIS_STRING && i < nitems(words); i++)
		if (strcmp(v->str, words[i].word) == 0)
			return (words[i].result);
	return (STORE_FAILED);
}

/* So many of Redis' replicas have what was written. */
static enum store_result
store_wait_answer(struct store *s, const struct redis_value *v)
{
	int	 few;

	if (v->kind != REDIS_INTEGER)
		return (STORE_LATE);
	few = v->integer < (int64_t)s->replicas;
	if (few && !s->few)
		log_warn("store replicas=%" PRId64 " of Redis have what was written, "
		    "store_replicas=%u: steps that are to be kept are refused",
		    v->integer, s->replicas);
	else if (!few && s->few)
		log_info("store replicas=%" PRId64 " of Redis have what was written",
		    v->integer);
	s->few = few;
	return (few ? STORE_FEW : STORE_OK);
}

/* One command of a call was answered. */
static void
store_reply_cb(const struct redis_value *v, int err, void *arg)
{
	struct store_call	*c = arg;
	struct store_answer	*a = &c->answer;
	enum store_result	 was = a->result;
	size_t			 bytes = 0;
	char			 text[200];

	if (err != 0)
		a->result = err == ETIMEDOUT ? STORE_LATE : STORE_FAILED;
	else if (v->kind == REDIS_ERROR) {
		a->result = STORE_FAILED;
		log_warn("store error=\"%s\"", log_escape(text, sizeof(text),
		    v->str, v->len));
		if (strncmp(v->str, "NOSCRIPT", 8) == 0)
			store_load(c->store);
	} else if (c->waits && c->pending == 1)
		a->result = store_wait_answer(c->store, v);
	else if (c->claims)
		store_claim_answer(a, v);
	else if (v->kind == REDIS_ARRAY) {
		store_take_answer(a, v);
		if (a->result == STORE_ALL)
			bytes = loads_size(&a->values);
	} else
		a->result = store_word(v);
	if (was != STORE_OK)		/* of the commands before */
		a->result = was;
	if (--c->pending > 0)
		return;
	/* Forgotten or not: Redis has read it. */
	if (c->take.name != NULL)
		loads_end(&c->store->loads, c->take.name, bytes, clock_ms());
	free(c->take.name);
	if (c->cb != NULL)
		c->cb(a, c->arg);
	spare_put(c, sizeof(*c));
}

/* 0, or -1: it was not sent.  Clears the arguments. */
static int
store_ask(struct store_call *c, struct store_args *a, unsigned ms)
{
	size_t	 at = 0;
	int	 rv = -1;

	for (size_t i = 0; i < a->n; i++)
		if (a->at[i] == NULL && a->len[i] > 0) {
			a->at[i] = a->text.data + at;
			at += a->len[i];
		} else if (a->at[i] == NULL)
			a->at[i] = "";
	if (!a->failed && !a->text.failed)
		rv = redis_command(c->store->redis, ms, store_reply_cb, c,
		    (int)a->n, a->at, a->len);
	if (rv == 0)
		c->pending++;
	if (a->cap > STORE_ARGS_KEEP || a->text.cap > BUF_KEEP ||
	    a->text.failed)
		store_args_clear(a);
	return (rv);
}

/* One command was all of it: c, or NULL. */
static struct store_call *
store_asked(struct store_call *c, struct store_args *a, unsigned ms)
{
	if (store_ask(c, a, ms) == 0)
		return (c);
	spare_put(c, sizeof(*c));
	return (NULL);
}

/* What c has written is to be with so many replicas of Redis, before c ends. */
static struct store_call *
store_waited(struct store_call *c, struct store_args *a)
{
	char	 n[24];

	if (c == NULL || c->store->replicas == 0)
		return (c);
	a->n = 0;
	buf_reset(&a->text);
	a->failed = 0;
	store_arg(a, slice_str("WAIT"));
	store_arg_u64(a, c->store->replicas, n);
	store_arg(a, slice_str(STORE_WAIT_MS));
	if (store_ask(c, a, STORE_MS) == 0)
		c->waits = 1;
	else
		c->answer.result = STORE_LATE;	/* as far as we know */
	return (c);
}

struct store_call *
store_claim(struct store *s, const struct store_keys *k, const char *who,
    uint64_t dead, const char *ours, uint64_t floor, store_cb *cb, void *arg)
{
	struct store_call	*c = store_call_new(s, cb, arg);
	struct store_args	*a = &store_args;
	char			 d[24], f[24];

	if (c == NULL)
		return (NULL);
	c->claims = 1;
	store_args_script(a, s, k, SCRIPT_CLAIM);
	store_arg(a, slice_str(who));
	store_arg_u64(a, dead, d);
	store_arg(a, slice_str(ours));
	store_arg_u64(a, floor, f);
	store_arg(a, slice_str(STORE_FRESH_S));
	return (store_waited(store_asked(c, a, STORE_MS), a));
}

void
store_release(struct store *s, const struct store_keys *k, const char *who)
{
	struct store_call	*c = store_call_new(s, NULL, NULL);
	struct store_args	*a = &store_args;

	if (c == NULL)
		return;
	store_args_script(a, s, k, SCRIPT_RELEASE);
	store_arg(a, slice_str(who));
	store_asked(c, a, STORE_MS);
}

/* Ask what c is to take.  0, or -1: it was not sent. */
static int
store_take_ask(struct store_call *c)
{
	struct store_take	*t = &c->take;
	struct store		*s = c->store;
	struct store_args	*a = &store_args;
	char			 text[24], e[24];

	store_args_script(a, s, t->keys, SCRIPT_TAKE);
	if (t->have == STORE_UNKNOWN)
		store_arg(a, slice_str("-"));
	else
		store_arg_u64(a, t->have, text);
	store_arg(a, slice_str(t->keys->maps));
	store_arg(a, slice_str(STORE_FRESH_S));
	store_arg(a, slice_str(s->ttl));
	store_arg(a, slice_str(s->visit_ttl));
	if (t->claimed == 0)
		store_arg(a, slice_str("-"));
	else
		store_arg_u64(a, t->claimed, e);
	if (store_ask(c, a, t->ms) == -1)
		return (-1);
	if (t->have == STORE_UNKNOWN &&
	    (t->name = strdup(t->keys->maps)) != NULL)
		loads_begin(&s->loads, t->name);
	return (0);
}

/* c is to wait while its state rests, or another one reads it.  Does it? */
static int
store_take_rests(struct store_call *c)
{
	unsigned	 ms = c->take.have != STORE_UNKNOWN ? 0 : loads_rest(
			    &c->store->loads, c->take.keys->maps, clock_ms());
	struct timeval	 tv = clock_tv(ms);

	if (ms == 0)
		return (0);
	if (c->take.later == NULL)
		c->take.later = evtimer_new(c->store->base, store_rested_cb, c);
	return (c->take.later != NULL && evtimer_add(c->take.later, &tv) == 0);
}

/* The state has rested. */
static void
store_rested_cb(evutil_socket_t fd, short what, void *arg)
{
	struct store_call	*c = arg;

	(void)fd, (void)what;
	if (store_take_rests(c))
		return;
	event_free(c->take.later);
	c->take.later = NULL;
	if (store_usable(c->store) && store_take_ask(c) == 0)
		return;
	c->answer.result = STORE_LATE;
	c->cb(&c->answer, c->arg);
	spare_put(c, sizeof(*c));
}

struct store_call *
store_take(struct store *s, const struct store_keys *k, uint64_t have,
    uint64_t claimed, unsigned ms, store_cb *cb, void *arg)
{
	struct store_call	*c = store_call_new(s, cb, arg);

	if (c == NULL)
		return (NULL);
	c->take = (struct store_take){ .keys = k, .have = have,
	    .claimed = claimed, .ms = ms };
	if (store_take_rests(c))
		return (c);
	if (c->take.later != NULL)
		event_free(c->take.later);
	c->take.later = NULL;
	if (store_take_ask(c) == 0)
		return (c);
	spare_put(c, sizeof(*c));
	return (NULL);
}

void
store_touch(struct store *s, const struct store_keys *k)
{
	struct store_call	*c = store_call_new(s, NULL, NULL);
	struct store_args	*a = &store_args;

	if (c == NULL)
		return;
	store_args_script(a, s, k, SCRIPT_TOUCH);
	store_arg(a, slice_str(k->maps));
	store_arg(a, slice_str(s->ttl));
	store_arg(a, slice_str(s->visit_ttl));
	store_asked(c, a, STORE_MS);
}

uint64_t
store_touch_ms(const struct store *s)
{
	uint64_t	 ttl = strtoull(s->ttl, NULL, 10);
	uint64_t	 visit = strtoull(s->visit_ttl, NULL, 10);

	return ((ttl == 0 || (visit != 0 && visit < ttl) ? visit : ttl) / 2);
}

struct store_call *
store_commit(struct store *s, const struct store_keys *k, uint64_t epoch,
    uint64_t seq, struct slice batch, int passing, store_cb *cb, void *arg)
{
	struct store_call	*c = store_call_new(s, cb, arg);
	struct store_args	*a = &store_args;
	struct news_change	 change;
	struct news_step	 step;
	struct news		 n;
	char			 e[24], q[24], l[24];

	if (c == NULL)
		return (NULL);
	if (news_open(&n, batch.data, batch.len) == -1) {
		spare_put(c, sizeof(*c));
		return (NULL);
	}
	store_args_script(a, s, k, SCRIPT_COMMIT);
	store_arg_u64(a, epoch, e);
	store_arg_u64(a, seq - 1, q);
	store_arg(a, batch);
	store_arg_u64(a, STORE_LOG, l);
	store_arg(a, slice_str(STORE_LOG_BYTES));
	store_arg(a, slice_str(k->maps));
	store_arg(a, slice_str(passing ? "passing" : "lasting"));
	store_arg(a, slice_str(s->ttl));
	store_arg(a, slice_str(s->visit_ttl));
	while (news_step(&n, &step))
		while (news_change(&step, &change)) {
			if (maps_volatile(change.map))
				continue;
			store_arg(a, slice_str(change.kind == NEWS_PUT ?
			    "1" : "0"));
			store_arg_map(a, change.map);
			store_arg(a, change.key.len == 0 ? slice_str("") :
			    change.key);
			store_arg(a, change.kind == NEWS_PUT ? change.value :
			    slice_str(""));
		}
	return (store_waited(store_asked(c, a, STORE_MS +
	    (unsigned)(batch.len / STORE_PACE)), a));
}

/* A command of a restoration: its beginning. */
static void
store_restore_begin(struct store_args *a, const struct store *s,
    const struct store_keys *k, const char *epoch, const char *seq,
    const char *count, int first)
{
	store_args_script(a, s, k, SCRIPT_RESTORE);
	store_arg(a, slice_str(epoch));
	store_arg(a, slice_str(seq));
	store_arg(a, slice_str(first ? "first" : "then"));
	store_arg(a, slice_str(k->maps));
	store_arg(a, slice_str(count));
	store_arg(a, slice_str(STORE_FRESH_S));
	store_arg(a, slice_str(s->ttl));
}

struct store_call *
store_restore(struct store *s, const struct store_keys *k, uint64_t epoch,
    uint64_t seq, const struct maps *m, store_cb *cb, void *arg)
{
	struct store_call	*c = store_call_new(s, cb, arg);
	struct store_args	*a = &store_args;
	struct map_node		*n, *e;
	struct maps_one		*one;
	struct maps_entry	*entry;
	char			 es[24], qs[24], ns[24];
	size_t			 left = STORE_RESTORE, count = 0;

	if (c == NULL)
		return (NULL);
	snprintf(es, sizeof(es), "%" PRIu64, epoch);
	snprintf(qs, sizeof(qs), "%" PRIu64, seq);
	store_restore_begin(a, s, k, es, "-", "", 1);
	for (n = map_first(&m->by_name); n != NULL;
	    n = map_next(&m->by_name, n)) {
		one = container_of(n, struct maps_one, by_name);
		if (maps_volatile(slice_str(one->name)))
			continue;
		for (e = map_first(&one->entries); e != NULL;
		    e = map_next(&one->entries, e)) {
			entry = container_of(e, struct maps_entry, by_key);
			store_arg_map(a, slice_of(one->name,
			    one->name_len));
			store_arg(a, slice_of(entry->key,
			    entry->key_len));
			store_arg(a, slice_of(entry->value, entry->len));
			count++;
			if (--left > 0)
				continue;
			if (store_ask(c, a, STORE_RESTORE_MS) == -1)
				c->failed = 1;
			left = STORE_RESTORE;
			store_restore_begin(a, s, k, es, "-", "", 0);
		}
	}
	if (store_ask(c, a, STORE_RESTORE_MS) == -1)
		c->failed = 1;
	snprintf(ns, sizeof(ns), "%zu", count);
	store_restore_begin(a, s, k, es, c->failed ? "-" : qs, ns, 0);
	if (store_ask(c, a, STORE_RESTORE_MS) == -1)
		c->failed = 1;
	if (c->failed)
		c->answer.result = STORE_FAILED;
	if (c->pending > 0)
		return (c);
	spare_put(c, sizeof(*c));
	return (NULL);
}

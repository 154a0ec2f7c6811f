/*
 * The durable state of groups in Redis.  Of one group and application:
 *
 *	epoch:<group>			counts authorities
 *	store:<group>:<app>		hash: epoch (of who may write), seq (last
 *					batch), logged (bytes of the log), passing
 *					(only visits have written), holder (of the
 *					epoch, where nodes share Redis)
 *	store:<group>:<app>:<map>	hash: a map of the state
 *	store:<group>:<app>:.maps	set of the maps' names
 *	store:<group>:<app>:.log	list: the latest batches (proto/news.h)
 *	store:<group>:<app>:.new	set of the maps that are being written again,
 *					with the maps behind it
 *
 * Every write is one script that checks the epoch first, so that an authority
 * that was deposed writes nothing.  The keys of a state to which only passing
 * batches wrote expire together, the time of a visit after its last use; all others
 * the time of the store after that, or never.
 */
#ifndef SHARDD_STORE_H
#define SHARDD_STORE_H

#include <stdint.h>

#include "common/bytes.h"
#include "common/redis.h"

struct event_base;
struct maps;
struct store;
struct store_call;
struct store_keys;

#define STORE_LOG	256		/* batches in the log */
#define STORE_UNKNOWN	UINT64_MAX	/* a sequence number: nothing is known */

/* ttl_s, visit_ttl_s: as above; 0: for ever. */
struct store *store_new(struct event_base *base, const char *url,
	    const char *prefix, unsigned ttl_s, unsigned visit_ttl_s);
void	 store_free(struct store *s);
int	 store_usable(const struct store *s);
/* So many replicas of Redis are to have what is announced (WAIT); 0: none. */
void	 store_set_replicas(struct store *s, unsigned n);

/* The keys of one group and application.  NULL with errno ENOMEM. */
struct store_keys *store_keys_new(const struct store *s, struct slice group,
	    struct slice app);
void	 store_keys_free(struct store_keys *k);

enum store_result {
	STORE_OK,	/* take: nothing is new.  commit: written */
	STORE_LOGGED,	/* take: values are the batches behind seq */
	STORE_ALL,	/* take: values are (map, [key, value ...]) pairs, and the
			   log as the last value */
	STORE_OLDER,	/* take: Redis has less than that */
	STORE_EMPTY,	/* commit: Redis knows no state.  Nothing was written */
	STORE_DEPOSED,	/* take, commit: not our epoch, or not our seq.  Likewise */
	STORE_REFUSED,	/* commit: what is in Redis is no state of ours (a key is
			   of another type).  Nothing was written */
	STORE_HELD,	/* claim: the epoch is another's, who lives */
	STORE_FEW,	/* claim, commit: written, and too few of Redis' replicas have
			   it */
	STORE_LATE,	/* Redis is there and has not answered: perhaps written */
	STORE_FAILED	/* Redis is away or says no: perhaps written */
};

struct store_answer {
	enum store_result result;
	uint64_t	 epoch;		/* take, claim: the new one; HELD: that one */
	uint64_t	 holder;	/* HELD: whose, a replica */
	uint64_t	 time;		/* claim: Redis' clock, in ms */
	uint64_t	 seq;		/* take: the last batch in Redis */
	struct redis_value values;
};

/*
 * Called once, from the loop, unless forgotten.  A call returns NULL, and nothing
 * will be called, when Redis cannot be asked.
 */
typedef void	store_cb(const struct store_answer *a, void *arg);

/*
 * Claim the epoch for `who` ("address replica", terminated): STORE_OK or STORE_HELD.  dead: a replica that
 * is, 0: none; ours: what keys of this node's shards begin with; floor: the highest epoch
 * that is known.
 */
struct store_call *store_claim(struct store *s, const struct store_keys *k,
	    const char *who, uint64_t dead, const char *ours, uint64_t floor,
	    store_cb *cb, void *arg);
/* Give the epoch back.  Nothing comes of a failure. */
void	 store_release(struct store *s, const struct store_keys *k,
	    const char *who);
/* Take office under a new epoch, or (claimed not 0) under that one: else
 * STORE_DEPOSED.  have: the last batch we know, or STORE_UNKNOWN: then a state of some
 * size is asked for once it has rested (loads.h); ms: the deadline from there on.  k stays
 * until the call has ended or is forgotten. */
struct store_call *store_take(struct store *s, const struct store_keys *k,
	    uint64_t have, uint64_t claimed, unsigned ms, store_cb *cb, void *arg);
/* Write the durable changes of a batch (proto/news.h), which becomes seq.
 * passing: it is not worth more than a visit. */
struct store_call *store_commit(struct store *s, const struct store_keys *k,
	    uint64_t epoch, uint64_t seq, struct slice batch, int passing,
	    store_cb *cb, void *arg);
/* The state is in use: its time begins again.  Nothing comes of a failure. */
void	 store_touch(struct store *s, const struct store_keys *k);
/* How often store_touch() keeps all from expiring, in ms; 0: none would. */
uint64_t store_touch_ms(const struct store *s);
/* Write the whole durable state, as of seq, in place of what is there: all of it,
 * or (unless STORE_OK) perhaps nothing. */
struct store_call *store_restore(struct store *s, const struct store_keys *k,
	    uint64_t epoch, uint64_t seq, const struct maps *m, store_cb *cb,
	    void *arg);
void	 store_forget(struct store_call *c);	/* NULL is harmless */

#endif

/*
 * A question to Sentinels: where is the master of that name?
 *
 * All are asked at the same time, and one that has slept, was cut off or has lost its file
 * does not decide: what most of them say is believed, as soon as they have said it.
 * When all have answered, or had 1.5 s to, and most do not say the same, it is what was
 * decided last (the highest configuration epoch, which Sentinels themselves go by, and
 * which only a majority of them can raise), but nothing that is older than what was
 * believed before.  That the one who is named is the master is asked of itself (ROLE).
 *
 * An answer is sure if most of the places gave it, or one that sees most of the Sentinels that it
 * knows, which are no fewer than the places; a single place is sure unless it says that
 * it does not see most.  Who is not sure may be cut off, with a former master.
 */
#ifndef COMMON_REDIS_SENTINEL_H
#define COMMON_REDIS_SENTINEL_H

#include "common/redis_voice.h"

struct redis_sentinel;

/* Once, from the loop: the master, and whether that is sure; or NULL and why not.  May free the question. */
typedef void	redis_sentinel_cb(const struct redis_named *named,
		    const char *why, void *arg);

/* Ask the places of url, which is borrowed.  epoch: of what was believed before; 0:
 * nothing was.  NULL with errno. */
struct redis_sentinel *redis_sentinel_new(struct event_base *base,
	    const struct redis_url *url, uint64_t epoch, redis_sentinel_cb *cb,
	    void *arg);
/* NULL is nothing. */
void	 redis_sentinel_free(struct redis_sentinel *s);

#endif

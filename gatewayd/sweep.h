/*
 * A sweep takes the entries of one dead shard out of Redis, in steps of 500 keys;
 * what fails is begun again.  One sweep runs at a time, in the order of the deaths.
 */
#ifndef GATEWAYD_SWEEP_H
#define GATEWAYD_SWEEP_H

struct redis;
struct sweeps;

/* redis and prefix are borrowed; tell: all nodes are to hear who was lost
 * (obituary.h); done comes from the loop when one sweep has ended.
 * NULL with errno. */
struct sweeps *sweeps_new(struct redis *redis, const char *prefix,
	    int tell, void (*done)(void *arg), void *arg);
/* To be called before redis_free(), which calls back what is outstanding: nothing
 * starts anew. */
void	 sweeps_end(struct sweeps *ss);
void	 sweeps_free(struct sweeps *ss);	/* after redis_free() */
/* The shard of this address is to be swept, if it is not yet.  0, or -1: no memory. */
int	 sweeps_add(struct sweeps *ss, const char *address);
/* Begin the next one, if none runs and Redis is up.  Is there anything to do before
 * all is swept, or can nothing be done as Redis is away? */
int	 sweeps_next(struct sweeps *ss);
/* Nobody is to hear who was lost any more: this node leaves. */
void	 sweeps_hush(struct sweeps *ss);
int	 sweeps_busy(const struct sweeps *ss);	/* is anything to be swept? */

#endif

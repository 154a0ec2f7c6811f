/*
 * How soon a state may be read from Redis again.  Whoever visits a room that nobody is in
 * makes its shard read all of it, and with the last visitor it ends there: 60 bytes of a
 * stranger could make Redis, which is all nodes', copy megabytes again and again.  So of
 * each state one reading is under way at a time, and a state of some size rests after it
 * was read, in proportion: 1 s for each 10 MB, of which Redis took some 50 ms.  Who comes
 * meanwhile waits, with all others who come there, for one reading; a state that is small,
 * or of which nothing is known yet, is not waited for.
 *
 * Who names several big ones by turns gets no more: what they rest is added up, beyond
 * the first 50 MB, and each rests until the sum has passed.
 */
#ifndef SHARDD_LOADS_H
#define SHARDD_LOADS_H

#include <stddef.h>
#include <stdint.h>

struct redis_value;

#define LOADS_SMALL	(64 << 10)	/* bytes: up to there a state needs no rest */
#define LOADS_PACE	10000		/* bytes: 1 ms of rest */
#define LOADS_REST_MAX	2000		/* ms that a reading adds: who waits is refused after 5 s */
#define LOADS_CREDIT	5000		/* ms of the sum that nobody waits for */
#define LOADS_ALL_MAX	60000		/* ms: the sum */
#define LOADS_LOOK	20		/* ms, until one looks whether it has been read */
#define LOADS_KEPT	256		/* states; of more, those that rest longest */

struct loads {
	struct loads_one {
		char		*name;	/* NULL: a free row */
		uint64_t	 until;	/* clock_ms(); UINT64_MAX: while it is read */
	} at[LOADS_KEPT];
	uint64_t	 all;		/* clock_ms(): the sum has passed; earlier: credit */
};

/* The state of that name is being read.  Without memory, or room, nobody waits for it. */
void	 loads_begin(struct loads *l, const char *name);
/* Its reading has ended, now (clock_ms()), with so many bytes. */
void	 loads_end(struct loads *l, const char *name, size_t bytes,
	    uint64_t now);
/* When to ask again whether it may be read: in so many ms; 0: it may. */
unsigned loads_rest(struct loads *l, const char *name, uint64_t now);
/* The bytes of a state as Redis has answered: map, [key, value ...], and so on. */
size_t	 loads_size(const struct redis_value *all);
void	 loads_clear(struct loads *l);

#endif

/* What Redis has answered, for code that does not know hiredis. */
#ifndef COMMON_REDIS_VALUE_H
#define COMMON_REDIS_VALUE_H

#include <stddef.h>
#include <stdint.h>

struct redisReply;	/* hiredis' */

enum redis_kind { REDIS_NIL, REDIS_STATUS, REDIS_STRING, REDIS_INTEGER,
    REDIS_ARRAY, REDIS_ERROR };
struct redis_value {
	enum redis_kind	 kind;
	int64_t		 integer;
	const char	*str;		/* STATUS, STRING, ERROR */
	size_t		 len;
	size_t		 n;		/* ARRAY */
	const struct redisReply *raw;
};

/* Of a reply, from which the value borrows. */
struct redis_value redis_value(const struct redisReply *raw);
/* Element i of an array, i < v->n. */
struct redis_value redis_at(const struct redis_value *v, size_t i);
/* Is it an error that says: the master is elsewhere now, or not yet here? */
int	 redis_no_master(const struct redis_value *v);
/* Or: it takes nothing that is written, for it has not as many replicas as it wants? */
int	 redis_no_replicas(const struct redis_value *v);

/* The cursor of an answer to SCAN or SSCAN, whose element 1 is an array then: 0,
 * or -1 when v is no such answer. */
#define REDIS_CURSOR	24
int	 redis_cursor(char cursor[REDIS_CURSOR], const struct redis_value *v);

#endif

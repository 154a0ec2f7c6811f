/* What a Redis server answers to the greeting, and whether it will do. */
#ifndef COMMON_REDIS_GREETING_H
#define COMMON_REDIS_GREETING_H

#include "common/redis_value.h"

/* The commands of a greeting that are looked at. */
enum redis_greet { GREET_NONE, GREET_AUTH, GREET_STEP, GREET_CLUSTER, GREET_ROLE,
    GREET_LAST };

/* What this command of the greeting brought: NULL, or why it will not do.
 * *hopeless: what answers will never be a Redis that we can use. */
const char *redis_greeting_check(enum redis_greet greet,
	    const struct redis_value *v, int *hopeless);

#endif

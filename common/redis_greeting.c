/* What a Redis server answers to the greeting. */
#include <string.h>

#include "common/redis_greeting.h"

/* May an error be passed over?  A proxy may know no ROLE or INFO, and not every user
 * may ask for them. */
static int
redis_greeting_optional(enum redis_greet greet, const struct redis_value *v)
{
	return ((greet == GREET_ROLE || greet == GREET_CLUSTER) &&
	    (strncmp(v->str, "NOPERM ", 7) == 0 ||
	    strncmp(v->str, "ERR unknown command", 19) == 0));
}

const char *
redis_greeting_check(enum redis_greet greet, const struct redis_value *v,
    int *hopeless)
{
	struct redis_value	 role;

	*hopeless = 0;
	/* Some servers repeat what they did not like: the password. */
	if (greet == GREET_AUTH && v->kind == REDIS_ERROR)
		return (strncmp(v->str, "WRONGPASS", 9) == 0 ?
		    "WRONGPASS: the user or the password is wrong" :
		    "AUTH is refused: does it want a password at all?");
	if (v->kind == REDIS_ERROR)
		return (redis_greeting_optional(greet, v) ? NULL : v->str);
	if (greet == GREET_CLUSTER && v->kind == REDIS_STRING &&
	    strstr(v->str, "cluster_enabled:1") != NULL) {
		*hopeless = 1;
		return ("this is a Redis Cluster, which is not supported; give one "
		    "Redis that is not part of a cluster");
	}
	if (greet != GREET_ROLE || v->kind != REDIS_ARRAY || v->n == 0)
		return (NULL);
	role = redis_at(v, 0);
	if (role.kind != REDIS_STRING || strcmp(role.str, "master") == 0)
		return (NULL);
	return (strcmp(role.str, "sentinel") == 0 ? "this is a Sentinel; give "
	    "the address of the Redis that it watches" :
	    "this is a replica, not the master");
}

/* What Redis has answered. */
#include <string.h>

#include <hiredis/hiredis.h>

#include "common/bytes.h"
#include "common/redis_value.h"

struct redis_value
redis_value(const redisReply *raw)
{
	struct redis_value	 v = { .raw = raw, .kind = REDIS_NIL };

	switch (raw->type) {
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
	case REDIS_REPLY_ERROR:
		v.kind = raw->type == REDIS_REPLY_STRING ? REDIS_STRING :
		    raw->type == REDIS_REPLY_STATUS ? REDIS_STATUS :
		    REDIS_ERROR;
		v.str = raw->str;
		v.len = (size_t)raw->len;
		break;
	case REDIS_REPLY_INTEGER:
		v.kind = REDIS_INTEGER;
		v.integer = raw->integer;
		break;
	case REDIS_REPLY_ARRAY:
		v.kind = REDIS_ARRAY;
		v.n = raw->elements;
		break;
	default:
		break;
	}
	return (v);
}

struct redis_value
redis_at(const struct redis_value *v, size_t i)
{
	return (redis_value(v->raw->element[i]));
}

int
redis_cursor(char cursor[REDIS_CURSOR], const struct redis_value *v)
{
	struct redis_value	 c;

	if (v->kind != REDIS_ARRAY || v->n != 2 ||
	    redis_at(v, 1).kind != REDIS_ARRAY)
		return (-1);
	c = redis_at(v, 0);
	if (c.kind != REDIS_STRING || c.len >= REDIS_CURSOR)
		return (-1);
	memcpy(cursor, c.str, c.len);
	cursor[c.len] = '\0';
	return (0);
}

/* Is v the error that begins with word?  Older servers put it behind words of their own when
 * it comes from a script. */
static int
redis_value_says(const struct redis_value *v, const char *word)
{
	const char	*p;

	return (v->kind == REDIS_ERROR && (p = strstr(v->str, word)) != NULL &&
	    (p == v->str || p[-1] == '-'));
}

int
redis_no_master(const struct redis_value *v)
{
	return (redis_value_says(v, "READONLY ") ||
	    redis_value_says(v, "LOADING ") ||
	    redis_value_says(v, "MASTERDOWN "));
}

int
redis_no_replicas(const struct redis_value *v)
{
	return (redis_value_says(v, "NOREPLICAS "));
}

/* How an entry is written to Redis. */
#include <inttypes.h>
#include <stdio.h>

#include "shardd/group/entry.h"

#define ENTRY_WRITE_MS	500

/* One command of a write.  0, or -1 with errno. */
static int
entry_do(struct entry *e, const char *verb, const char *key, const char *field,
    const char *value)
{
	if (redis_do(e->all->redis, ENTRY_WRITE_MS, e->all->replied, e, verb,
	    key, field, value, NULL) == -1)
		return (-1);
	e->outstanding++;
	return (0);
}

/* Take e out: with the question whether others are left, if somebody waits for that. */
static int
entry_remove(struct entry *e)
{
	const struct entries_keys	*k = &e->all->keys;

	if (e->leave == NULL) {
		if (entry_do(e, "HDEL", e->key, k->us, NULL) == -1)
			return (-1);
		if (entry_do(e, "SREM", k->clients, e->key, NULL) == -1)
			e->bad = 1;
		return (0);
	}
	if (redis_do(e->all->redis, ENTRY_WRITE_MS, e->all->replied, e, "EVAL",
	    leave_script, "2", e->key, k->clients, k->us, NULL) == -1)
		return (-1);
	e->outstanding++;
	return (0);
}

int
entry_write(struct entry *e)
{
	const char	*us = e->all->keys.us;
	const char	*set = e->all->keys.clients;
	char		 count[16];
	int		 rv;

	snprintf(count, sizeof(count), "%" PRIu32, e->count);
	if (e->is_group)
		rv = entry_do(e, e->count > 0 ? "SADD" : "SREM", e->key, us,
		    NULL);
	else if (e->count == 0)
		rv = entry_remove(e);
	else if (e->listed == 0)
		rv = entry_do(e, "SADD", set, e->key, NULL);
	else
		rv = entry_do(e, "HSET", e->key, us, count);
	if (rv == -1)
		return (-1);
	if (!e->is_group && e->count > 0 && e->listed == 0)
		rv = entry_do(e, "HSET", e->key, us, count);
	if (rv == -1)
		e->bad = 1;
	e->all->writing++;
	e->tried = 1;
	e->sent = e->count;
	if (e->count == 0)
		e->listed = 0;
	return (0);
}

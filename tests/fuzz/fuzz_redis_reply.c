/*
 * What a Redis or a Sentinel answers, in its own protocol: any bytes are no reply, or one
 * that is read as obituaries, as a cursor, and as where a master is, whatever it is.
 */
#include <hiredis/hiredis.h>

#include <stdlib.h>
#include <string.h>

#include "common/redis.h"
#include "common/redis_value.h"

/* They ask a Redis, and here is none. */
#define redis_up(r)	0
#include "gatewayd/obituary.c"
#undef redis_up

int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is said of the dead names somebody, and fits in a message. */
static void
said(const struct obituary *o, void *arg)
{
	struct slice	 left = o->uids, uid;

	(void)arg;
	while (left.len > 0)
		if (uids_next(&left, &uid) != 1 || uid.len > UID_MAX)
			abort();
	if (o->uids.len > CTL_TEXT_MAX)
		abort();
}

/* All of it can be looked at. */
static void
look(const struct redis_value *v, unsigned depth)
{
	struct redis_value	 at;
	char			 cursor[REDIS_CURSOR];

	if (redis_cursor(cursor, v) == 0 && v->n < 2)
		abort();
	(void)redis_no_master(v);
	(void)redis_no_replicas(v);
	if (v->kind == REDIS_STATUS || v->kind == REDIS_STRING ||
	    v->kind == REDIS_ERROR) {
		if (v->str[v->len] != '\0')
			abort();
	} else if (v->len != 0)
		abort();
	for (size_t i = 0; v->kind == REDIS_ARRAY && i < v->n; i++) {
		at = redis_at(v, i);
		if (depth < 16)
			look(&at, depth + 1);
	}
}

/* Does it say an array of more than six digits?  hiredis believes that, and asks for the
 * memory before anything has come: it is Redis' word, and its to read. */
static int
vast(const uint8_t *data, size_t size)
{
	size_t	 n = 0;

	for (size_t i = 0; i < size; i++) {
		if (data[i] == '*')
			n = 1;
		else if (n > 0 && data[i] >= '0' && data[i] <= '9')
			n++;
		else
			n = 0;
		if (n > 7)
			return (1);
	}
	return (0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	redisReader		*r = vast(data, size) ? NULL :
				    redisReaderCreate();
	struct obituaries	*os = obituaries_new(NULL, KEYS_PREFIX, said,
				    NULL);
	struct redis_value	 v;
	void			*reply = NULL;

	if (r == NULL || os == NULL) {
		obituaries_free(os);
		return (0);
	}
	if (redisReaderFeed(r, (const char *)data, size) == REDIS_OK &&
	    redisReaderGetReply(r, &reply) == REDIS_OK && reply != NULL) {
		v = redis_value(reply);
		look(&v, 0);
		obituaries_cb(&v, 0, os);
		obituaries_cb(&v, 0, os);
		if (strlen(os->told) >= OBITUARY_ID ||
		    strlen(os->last) >= OBITUARY_ID)
			abort();
		freeReplyObject(reply);
	}
	obituaries_free(os);
	redisReaderFree(r);
	return (0);
}

/* Connections on their way out of the table in Redis. */
#include <stddef.h>

#include "common/redis.h"
#include "shardd/group/leave.h"

/* 0: nobody is left; 1: somebody is; -1: our entry was not there. */
const char	 leave_script[] =
	"local had = redis.call('HDEL', KEYS[1], ARGV[1])\n"
	"redis.call('SREM', KEYS[2], KEYS[1])\n"
	"if had == 0 then return -1 end\n"
	"return redis.call('EXISTS', KEYS[1])\n";

enum leave_answer
leave_read(const struct redis_value *v)
{
	if (v == NULL || v->kind != REDIS_INTEGER || v->integer < 0)
		return (LEAVE_UNKNOWN);
	return (v->integer == 0 ? LEAVE_LAST : LEAVE_OTHERS);
}

void
leave_wait(struct leave **home, struct leave *w)
{
	leave_say(home, LEAVE_OTHERS);
	w->home = home;
	*home = w;
}

void
leave_say(struct leave **home, enum leave_answer answer)
{
	struct leave	*w = *home;

	if (w == NULL)
		return;
	*home = NULL;
	w->home = NULL;
	w->said(w, answer);
}

void
leave_cancel(struct leave *w)
{
	if (w->home != NULL)
		*w->home = NULL;
	w->home = NULL;
}

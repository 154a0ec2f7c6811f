/* Commands for Redis whose words stand in the call. */
#include <stdarg.h>

#include "common/redis.h"

#define REDIS_ARGS_MAX	64

int
redis_do(struct redis *r, unsigned deadline_ms, redis_reply_cb *cb,
    void *arg, ...)
{
	const char	*argv[REDIS_ARGS_MAX];
	int		 argc = 0;
	va_list		 ap;

	va_start(ap, arg);
	while (argc < REDIS_ARGS_MAX &&
	    (argv[argc] = va_arg(ap, const char *)) != NULL)
		argc++;
	va_end(ap);
	return (redis_command(r, deadline_ms, cb, arg, argc, argv, NULL));
}

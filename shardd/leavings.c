/* What a shard takes with it when it leaves. */
#include <sys/socket.h>

#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/proc.h"
#include "common/sock.h"
#include "proto/limits.h"
#include "shardd/leavings.h"

#define LEAVINGS_REDIS_MS	2000	/* that its end is waited for */

/* The path of a slot's lock. */
static const char *
leavings_lock(char *path, size_t size, const char *run_dir, uint32_t slot)
{
	snprintf(path, size, "%s/shard-%" PRIu32 ".lock", run_dir, slot);
	return (path);
}

/* Does a gateway or another shard live in this run directory? */
static int
leavings_claimed(const char *run_dir)
{
	char	 path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/lock", run_dir);
	if (proc_lock_holder(path) > 0)
		return (1);
	for (uint32_t i = 0; i < SLOTS_MAX; i++)
		if (proc_lock_holder(leavings_lock(path, sizeof(path), run_dir,
		    i)) > 0)
			return (1);
	return (0);
}

/* Ask the private redis-server to end, which writes what it has first. */
static void
leavings_end_redis(const char *path)
{
	static const char	 order[] = "SHUTDOWN\r\n";
	struct pollfd		 p = { .events = POLLIN };

	if ((p.fd = sock_connect_unix(path, SOCK_STREAM)) == -1)
		return;
	if (send(p.fd, order, sizeof(order) - 1, MSG_NOSIGNAL) ==
	    sizeof(order) - 1 && poll(&p, 1, LEAVINGS_REDIS_MS) == 1)
		log_info("redis ended: nobody uses %s any more", path);
	close(p.fd);
}

/*
 * The lock's file goes first: of the last two shards, which may leave at once, at
 * least one then finds nobody else.
 */
void
leavings_clear(const char *run_dir, uint32_t slot, int lock_fd,
    const char *redis)
{
	char	 path[PATH_MAX];

	leavings_lock(path, sizeof(path), run_dir, slot);
	if (proc_lock_is(lock_fd, path))
		unlink(path);
	/* Only a gateway's own is in its run directory. */
	snprintf(path, sizeof(path), "%s/redis.sock", run_dir);
	if (redis != NULL && strncmp(redis, "unix:", 5) == 0 &&
	    strcmp(redis + 5, path) == 0 && !leavings_claimed(run_dir))
		leavings_end_redis(path);
}
